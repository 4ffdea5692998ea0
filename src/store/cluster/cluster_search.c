/* SPDX-License-Identifier: ISC */
/*
 * cluster_search.c: see cluster_search.h.
 */
#include "store/cluster/cluster_search.h"

#include <stdlib.h>

#include "base/clock.h"
#include "store/cluster/cluster_sql.h"

#define KEYS_MAX 2000 /* of a page */
#define PATIENCE_US (600 * CLOCK_US_PER_SECOND)

struct cluster_search {
	struct cluster *cluster;
	struct cluster_search_scope scope;
	struct buf accounts; /* of the shard, unless all are searched */
	cluster_search_fn fn;
	void (*on_ready)(void *arg);
	void *arg;
	size_t shard, product; /* the table that is searched */
	bool is_over;
	struct buf after; /* the last key of the page before, as a tuple of SQL; "" at first */
	struct clickhouse_query *query;
	struct buf answer;
	bool has_answer;
	size_t at; /* in the answer */
	struct cluster_row last;
	size_t keys; /* of the page */
	struct cluster_reader reader;
	struct error failure;
};

void cluster_search_free(struct cluster_search *search)
{
	if (!search)
		return;
	clickhouse_cancel(search->query);
	cluster_reader_free(&search->reader);
	buf_free(&search->after);
	buf_free(&search->accounts);
	buf_free(&search->answer);
	free(search);
}

static const struct catalog_product *product_of(const struct cluster_search *search)
{
	return &catalog_products[search->product];
}

static bool has_numbers(const struct catalog_product *product)
{
	for (uint8_t i = 0; i < product->columns_count; i++)
		if (product->columns[i].kind == CATALOG_NUMBER)
			return true;
	return false;
}

size_t cluster_search_accounts(const struct cluster *cluster, const struct cluster_search_scope *scope, size_t shard,
                               struct buf *numbers)
{
	size_t count = 0;

	for (size_t i = 0; i < scope->accounts_count; i++) {
		uint64_t number = htole64(cluster_account(&scope->accounts[i]));

		if (cluster_shard(cluster, &scope->accounts[i]) != shard)
			continue;
		buf_add(numbers, &number, sizeof(number));
		count++;
	}
	return count;
}

/* From the current shard on, the next one that has any of the accounts. */
static void seek_shard(struct cluster_search *search)
{
	for (; search->shard < clickhouse_shards(search->cluster->clickhouse); search->shard++) {
		buf_clear(&search->accounts);
		if (!search->scope.accounts ||
		    cluster_search_accounts(search->cluster, &search->scope, search->shard, &search->accounts) > 0)
			return;
	}
	search->is_over = true;
}

/* From the current table on, the next one that may have any. */
static void seek_table(struct cluster_search *search)
{
	while (!search->is_over) {
		for (; search->product < catalog_products_count; search->product++)
			if (schema_has(product_of(search)) && has_numbers(product_of(search)))
				return;
		search->product = 0;
		search->shard++;
		seek_shard(search);
	}
}

struct cluster_search *cluster_search_new(struct cluster *cluster, const struct cluster_search_scope *scope,
                                          cluster_search_fn fn, void (*on_ready)(void *arg), void *arg)
{
	struct cluster_search *search = calloc(1, sizeof(*search));

	if (!search)
		return NULL;
	search->cluster = cluster;
	search->scope = *scope;
	search->fn = fn;
	search->on_ready = on_ready;
	search->arg = arg;
	seek_shard(search);
	seek_table(search);
	return search;
}

void cluster_search_write_holds(struct buf *sql, const struct catalog_product *product,
                                const struct cluster_search_scope *scope)
{
	bool is_first = true;

	buf_add_char(sql, '(');
	for (uint8_t i = 0; i < product->columns_count; i++) {
		if (product->columns[i].kind != CATALOG_NUMBER)
			continue;
		const struct scan_filter filter = { i, SCAN_NUMBER, scope->number };

		buf_add_text(sql, is_first ? "" : " OR ");
		cluster_write_filter(sql, product, &filter);
		is_first = false;
	}
	buf_add_char(sql, ')');
	if (scope->newest > 0)
		buf_addf(sql, " AND version <= %llu", (unsigned long long)scope->newest);
}

static void on_answer(void *arg, struct buf *answer, const struct error *err)
{
	struct cluster_search *search = arg;

	search->query = NULL;
	if (err) {
		search->failure = *err;
	} else {
		buf_move(&search->answer, answer);
		search->has_answer = true;
		search->at = search->keys = 0;
		search->last = (struct cluster_row){ .time_us = INT64_MIN };
	}
	search->on_ready(search->arg); /* it may be gone after this */
}

bool cluster_search_waits(const struct cluster_search *search)
{
	return search->query != NULL;
}

static int ask(struct cluster_search *search, struct error *err)
{
	struct buf sql = { 0 };

	buf_add_text(&sql, "SELECT " CLUSTER_ROW_COLUMNS " FROM ");
	cluster_write_table(&sql, search->cluster, product_of(search));
	buf_add_text(&sql, " PREWHERE (" CLUSTER_KEY_COLUMNS ") IN (SELECT DISTINCT " CLUSTER_KEY_COLUMNS " FROM ");
	cluster_write_table(&sql, search->cluster, product_of(search));
	buf_add_text(&sql, " WHERE ");
	cluster_search_write_holds(&sql, product_of(search), &search->scope);
	if (search->scope.accounts)
		buf_add_text(&sql, " AND account IN numbers");
	if (search->after.len > 0)
		buf_addf(&sql, " AND (account, direction, toUInt16(day), time, id) > %.*s",
		         STR_ARGS(buf_str(&search->after)));
	buf_addf(&sql,
	         " ORDER BY " CLUSTER_KEY_COLUMNS " LIMIT %d) ORDER BY " CLUSTER_KEY_COLUMNS
	         ", version DESC FORMAT RowBinary",
	         KEYS_MAX);
	sql.failed |= search->after.failed || search->accounts.failed;
	const struct clickhouse_request request = { .shard = search->shard,
		                                    .sql = buf_str(&sql),
		                                    .set = search->scope.accounts ? buf_str(&search->accounts) :
		                                                                    (struct str){ NULL, 0 },
		                                    .settings = cluster_private_settings(search->cluster),
		                                    .room = &search->answer,
		                                    .patience_us = PATIENCE_US,
		                                    .ended = on_answer,
		                                    .arg = search };

	search->query = clickhouse_start(search->cluster->clickhouse, &request, err);
	buf_free(&sql);
	return search->query ? 0 : -1;
}

static void end_page(struct cluster_search *search)
{
	const struct cluster_row *last = &search->last;

	search->has_answer = false;
	if (search->keys < KEYS_MAX) {
		buf_clear(&search->after);
		search->product++;
		seek_table(search);
		return;
	}
	buf_clear(&search->after);
	buf_addf(&search->after, "(%llu, %d, %d, %lld, ", (unsigned long long)last->account, last->direction, last->day,
	         (long long)last->time_us);
	cluster_write_text(&search->after, "", last->id);
	buf_add_char(&search->after, ')');
}

/* 1 when the page is done, 0 when the deadline came first or fn has ended it, -1. */
static int take_page(struct cluster_search *search, int64_t deadline_us, bool *ended, struct error *err)
{
	while (search->at < search->answer.len) {
		struct str text = { search->answer.data + search->at, search->answer.len - search->at };
		struct cluster_row row;
		struct record record;

		if (!cluster_row_read(&text, &row))
			return error_set(err, ERROR_CORRUPT, "ClickHouse: rows of %.*s cannot be read",
			                 STR_ARGS(product_of(search)->name));
		bool is_newest = !cluster_row_is_same_key(&row, &search->last);

		search->at = search->answer.len - text.len;
		search->last = row;
		search->keys += is_newest;
		if (!is_newest)
			continue;
		if (cluster_row_record(&search->reader, &row, product_of(search), &record, err) != 0)
			return -1;
		*ended = !search->fn(search->arg, &row, search->shard, &record);
		if (*ended || clock_monotonic_us() >= deadline_us)
			return 0;
	}
	return 1;
}

int cluster_search_step(struct cluster_search *search, int64_t deadline_us, bool *done, struct error *err)
{
	*done = false;
	if (!search->cluster->is_ready)
		return cluster_refuse(search->cluster, err);
	if (search->failure.code != ERROR_NONE) {
		*err = search->failure;
		return -1;
	}
	if (search->query)
		return 0;
	if (search->has_answer) {
		int taken = take_page(search, deadline_us, done, err);

		if (taken <= 0)
			return taken;
		end_page(search);
	}
	*done = search->is_over;
	return *done ? 0 : ask(search, err);
}
