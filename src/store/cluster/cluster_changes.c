/* SPDX-License-Identifier: ISC */
/*
 * cluster_changes.c: a page of changes from a cluster.
 *
 * The number of a change is the version of a row, and numbers are in the order of commits, of whichever front end
 * (spans.h): what is not above the snapshot is inserted. Two rounds of queries, of each shard the same:
 *
 *	list   the smallest versions after `since`: with them it is known where the page ends
 *	read   all rows after `since` of the keys that have one of these: of each key the newest counts, if it is on the page
 *
 * What a commit that failed may have inserted is not found here when it comes late. It is put anew when it is sent again
 * (cluster_is_doubtful), as its producer was told that it is not stored; after some restarts, too (cluster_doubts.c).
 */
#include <stdlib.h>

#include "base/clock.h"
#include "store/cluster/cluster_sql.h"

enum round { ROUND_LIST, ROUND_READ };

struct part {
	struct cluster_changes *changes;
	size_t shard;
	struct buf accounts; /* numbers, with commas between */
	struct clickhouse_query *query;
	struct buf answer;
};

/* A change of the page. */
struct found {
	uint64_t version;
	size_t text_at, text_len;
};

struct cluster_changes {
	struct changes base;
	struct cluster *cluster;
	struct changes_query query;
	uint64_t snapshot, since, up_to;
	int32_t first_day; /* servers drop those before, one after the other */
	size_t max;
	struct part *parts;
	size_t parts_count, parts_left; /* whose queries have not ended */
	enum round round;
	bool is_asked, done, waits;
	struct buf found; /* struct found each */
	struct buf text;
	struct changes_page page;
	struct cluster_reader reader;
	struct error failure;
};

static struct found *found_at(const struct cluster_changes *changes, size_t index)
{
	return (struct found *)(void *)changes->found.data + index;
}

/* --- the queries --- */

static void write_table_and_accounts(struct buf *sql, const struct part *part, const char *condition)
{
	cluster_write_table(sql, part->changes->cluster, part->changes->query.product);
	sql->failed |= part->accounts.failed;
	buf_addf(sql, " %s account IN (%.*s)", condition, STR_ARGS(buf_str(&part->accounts)));
	if (part->changes->first_day > 0)
		buf_addf(sql, " AND day >= toDate(%d)", part->changes->first_day);
}

static void write_list(struct buf *sql, const struct part *part)
{
	const struct cluster_changes *changes = part->changes;

	buf_add_text(sql, "SELECT version FROM ");
	write_table_and_accounts(sql, part, "WHERE");
	buf_addf(sql, " AND version > %llu AND version <= %llu ORDER BY version LIMIT %zu FORMAT RowBinary",
	         (unsigned long long)changes->since, (unsigned long long)changes->snapshot, changes->max + 1);
}

static void write_read(struct buf *sql, const struct part *part)
{
	const struct cluster_changes *changes = part->changes;

	buf_add_text(sql, "SELECT " CLUSTER_ROW_COLUMNS " FROM ");
	cluster_write_table(sql, changes->cluster, changes->query.product);
	buf_add_text(sql, " PREWHERE (" CLUSTER_KEY_COLUMNS ") IN (SELECT " CLUSTER_KEY_COLUMNS " FROM ");
	write_table_and_accounts(sql, part, "WHERE");
	buf_addf(sql, " AND version > %llu AND version <= %llu) WHERE account IN (%.*s) AND version > %llu",
	         (unsigned long long)changes->since, (unsigned long long)changes->up_to,
	         STR_ARGS(buf_str(&part->accounts)), (unsigned long long)changes->since);
	buf_add_text(sql, " ORDER BY " CLUSTER_KEY_COLUMNS ", version DESC FORMAT RowBinary");
}

static void on_answer(void *arg, struct buf *answer, const struct error *err)
{
	struct part *part = arg;
	struct cluster_changes *changes = part->changes;

	part->query = NULL;
	changes->parts_left--;
	if (err) {
		changes->failure = *err;
	} else {
		buf_move(&part->answer, answer);
	}
	if (changes->parts_left > 0 || !changes->waits)
		return;
	changes->waits = false;
	if (changes->query.on_ready)
		changes->query.on_ready(changes->query.arg); /* it may be gone after this */
}

static int ask(struct part *part, struct error *err)
{
	struct cluster_changes *changes = part->changes;
	struct buf sql = { 0 };

	if (changes->round == ROUND_LIST)
		write_list(&sql, part);
	else
		write_read(&sql, part);
	const struct clickhouse_request request = { .shard = part->shard,
		                                    .sql = buf_str(&sql),
		                                    .settings = cluster_read_settings(changes->cluster),
		                                    .room = &part->answer,
		                                    .patience_us = changes->cluster->patience_us,
		                                    .ended = on_answer,
		                                    .arg = part };

	part->query = clickhouse_start(changes->cluster->clickhouse, &request, err);
	buf_free(&sql);
	changes->parts_left += part->query != NULL;
	return part->query ? 0 : -1;
}

static int ask_all(struct cluster_changes *changes, struct error *err)
{
	changes->is_asked = true;
	for (size_t i = 0; i < changes->parts_count; i++)
		if (ask(&changes->parts[i], err) != 0)
			return -1;
	return 0;
}

/* --- the answers --- */

static int compare_numbers(const void *a, const void *b)
{
	uint64_t left, right;

	memcpy(&left, a, sizeof(left));
	memcpy(&right, b, sizeof(right));
	return (left > right) - (left < right);
}

/* Where the page ends. */
static int take_list(struct cluster_changes *changes, struct error *err)
{
	struct buf versions = { 0 };
	size_t count;

	for (size_t i = 0; i < changes->parts_count; i++) {
		struct str text = buf_str(&changes->parts[i].answer);
		uint64_t version;

		while (cluster_take_number(&text, sizeof(version), &version))
			buf_add(&versions, &version, sizeof(version));
	}
	if (versions.failed)
		return error_set(err, ERROR_NOMEM, "changes: out of memory");
	count = versions.len / sizeof(uint64_t);
	changes->page.more = count > changes->max;
	changes->up_to = changes->snapshot;
	if (changes->page.more) {
		qsort(versions.data, count, sizeof(uint64_t), compare_numbers);
		memcpy(&changes->up_to, versions.data + (changes->max - 1) * sizeof(uint64_t), sizeof(uint64_t));
	}
	buf_free(&versions);
	changes->page.up_to = changes->up_to;
	changes->done = count == 0;
	return 0;
}

static int add_change(struct cluster_changes *changes, const struct cluster_row *row, struct error *err)
{
	struct found found = { .version = row->version, .text_at = changes->text.len };
	struct record record;

	if (cluster_row_record(&changes->reader, row, changes->query.product, &record, err) != 0)
		return -1;
	changes->query.write(changes->query.arg, &changes->text, &record);
	found.text_len = changes->text.len - found.text_at;
	buf_add(&changes->found, &found, sizeof(found));
	return changes->text.failed || changes->found.failed ? error_set(err, ERROR_NOMEM, "changes: out of memory") :
	                                                       0;
}

/* Rows come with the newest of a key first. */
static int take_rows(struct cluster_changes *changes, struct str text, struct error *err)
{
	struct cluster_row row, last = { .time_us = INT64_MIN };

	while (text.len > 0) {
		if (!cluster_row_read(&text, &row))
			return error_set(err, ERROR_CORRUPT, "ClickHouse: changes of %.*s cannot be read",
			                 STR_ARGS(changes->query.product->name));
		bool is_newest = !cluster_row_is_same_key(&row, &last);

		last = row;
		if (is_newest && !row.is_dead && row.version <= changes->up_to && add_change(changes, &row, err) != 0)
			return -1;
	}
	return 0;
}

/* A page of nothing but what has changed again since leads to the next one. */
static int take_read(struct cluster_changes *changes, struct error *err)
{
	for (size_t i = 0; i < changes->parts_count; i++)
		if (take_rows(changes, buf_str(&changes->parts[i].answer), err) != 0)
			return -1;
	changes->page.count = changes->found.len / sizeof(struct found);
	if (changes->page.count > 1)
		qsort(changes->found.data, changes->page.count, sizeof(struct found), compare_numbers);
	changes->done = changes->page.count > 0 || !changes->page.more;
	changes->since = changes->up_to;
	return 0;
}

/* --- its life --- */

/* What is too large for one answer is asked for in smaller pages. */
static bool halve(struct cluster_changes *changes)
{
	if (changes->failure.code != ERROR_LIMIT || changes->max <= 1)
		return false;
	changes->max /= 2;
	changes->failure.code = ERROR_NONE;
	changes->round = ROUND_LIST;
	return true;
}

static int run(struct changes *base, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	struct cluster_changes *changes = (struct cluster_changes *)base;

	(void)deadline_us;
	if (!changes->cluster->is_ready)
		return cluster_refuse(changes->cluster, err);
	while (!changes->done) {
		if (!changes->is_asked && ask_all(changes, err) != 0)
			return -1;
		if (changes->parts_left > 0) {
			changes->waits = true;
			*end = SCAN_WAITS;
			return 0;
		}
		changes->is_asked = false;
		if (halve(changes))
			continue;
		if (changes->failure.code != ERROR_NONE) {
			*err = changes->failure;
			return -1;
		}
		if (changes->round == ROUND_LIST ? take_list(changes, err) : take_read(changes, err))
			return -1;
		changes->round = changes->round == ROUND_LIST ? ROUND_READ : ROUND_LIST;
	}
	*end = SCAN_DONE;
	return 0;
}

static struct changes_page page(const struct changes *base)
{
	return ((const struct cluster_changes *)base)->page;
}

static struct str text(const struct changes *base, size_t index)
{
	const struct cluster_changes *changes = (const struct cluster_changes *)base;
	const struct found *found = found_at(changes, index);

	return (struct str){ changes->text.data + found->text_at, found->text_len };
}

static void cancel(struct changes *base)
{
	struct cluster_changes *changes = (struct cluster_changes *)base;

	for (size_t i = 0; i < changes->parts_count; i++) {
		clickhouse_cancel(changes->parts[i].query);
		buf_free(&changes->parts[i].accounts);
		buf_free(&changes->parts[i].answer);
	}
	cluster_reader_free(&changes->reader);
	buf_free(&changes->found);
	buf_free(&changes->text);
	free(changes->parts);
	free(changes);
}

struct changes *cluster_changes(struct store *store, const struct changes_query *query, struct error *err)
{
	static const struct changes_ops ops = { run, page, text, cancel };
	struct cluster_changes *changes = calloc(1, sizeof(*changes));
	const struct scan_query accounts = { .accounts = query->accounts, .accounts_count = query->accounts_count };
	size_t shards = clickhouse_shards(store->cluster->clickhouse);

	if (changes)
		changes->parts = calloc(shards, sizeof(*changes->parts));
	if (!changes || !changes->parts) {
		free(changes);
		error_set(err, ERROR_NOMEM, "changes: out of memory");
		return NULL;
	}
	changes->base.ops = &ops;
	changes->cluster = store->cluster;
	changes->query = *query;
	changes->since = query->since;
	changes->max = query->max;
	changes->snapshot = store_snapshot(store);
	changes->first_day = clock_day_of(store_kept_from_us(store));
	changes->page.up_to = changes->snapshot;
	changes->done = query->since >= changes->snapshot;
	for (size_t shard = 0; shard < shards; shard++) {
		struct part *part = &changes->parts[changes->parts_count];

		*part = (struct part){ .changes = changes, .shard = shard };
		cluster_write_accounts(&part->accounts, store->cluster, &accounts, shard);
		changes->parts_count += part->accounts.len > 0 || part->accounts.failed;
	}
	return &changes->base;
}
