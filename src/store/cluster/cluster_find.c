/* SPDX-License-Identifier: ISC */
/*
 * cluster_find.c: records with an id in one of the columns for that. The keys come from the hashes, and all rows of these
 * keys are read, as the newest one may have another value.
 */
#include "store/cluster/cluster_sql.h"

#include <stdlib.h>

#include "base/clock.h"

struct cluster_finding {
	struct scan base;
	struct cluster *cluster;
	struct scan_find find;
	struct clickhouse_query *query;
	struct buf answer;
	bool is_asked, has_answer, waits;
	struct error failure;
	struct cluster_giving giving;
};

static void on_found(void *arg, struct buf *answer, const struct error *err)
{
	struct cluster_finding *finding = arg;

	finding->query = NULL;
	finding->has_answer = true;
	if (err) {
		finding->failure = *err;
	} else {
		buf_move(&finding->answer, answer);
	}
	if (finding->waits) {
		finding->waits = false;
		scan_ready(&finding->base); /* it may be gone after this */
	}
}

static void write_scope(struct buf *sql, const struct scan_find *find)
{
	buf_addf(sql, "account = %llu", (unsigned long long)cluster_account(find->account));
	if (find->direction != CATALOG_NO_DIRECTION)
		buf_addf(sql, " AND direction = %d", (int)find->direction);
	if (find->first_day > 0)
		buf_addf(sql, " AND day >= toDate(%d)", find->first_day);
}

static int ask(struct cluster_finding *finding, struct error *err)
{
	const struct scan_find *find = &finding->find;
	const struct catalog_product *product = find->product;
	struct cluster *cluster = finding->cluster;
	struct buf sql = { 0 };

	buf_add_text(&sql, "SELECT " CLUSTER_ROW_COLUMNS " FROM ");
	cluster_write_table(&sql, cluster, product);
	buf_add_text(&sql, " WHERE ");
	write_scope(&sql, find);
	buf_add_text(&sql, " AND (" CLUSTER_KEY_COLUMNS ") IN (SELECT " CLUSTER_KEY_COLUMNS " FROM ");
	cluster_write_table(&sql, cluster, product);
	buf_add_text(&sql, " PREWHERE ");
	for (uint8_t i = 0; i < product->lookup_count; i++)
		buf_addf(&sql, "%slookup_%.*s = %llu", i ? " OR " : "",
		         STR_ARGS(product->columns[product->lookup[i]].name),
		         (unsigned long long)id_hash64_of_id(find->id, 0));
	buf_add_text(&sql, " WHERE ");
	write_scope(&sql, find);
	buf_add_text(&sql, ") ORDER BY day DESC, time, direction, id, version DESC FORMAT RowBinary");
	const struct clickhouse_request request = { .shard = cluster_shard(cluster, find->account),
		                                    .sql = buf_str(&sql),
		                                    .settings = cluster_read_settings(cluster),
		                                    .patience_us = cluster->patience_us,
		                                    .ended = on_found,
		                                    .arg = finding };

	finding->query = clickhouse_start(cluster->clickhouse, &request, err);
	buf_free(&sql);
	return finding->query ? 0 : -1;
}

static bool has_id(const struct scan_find *find, const struct record *record)
{
	for (uint8_t i = 0; i < find->product->lookup_count; i++)
		if (id_equal(record_value(record, find->product->lookup[i]), find->id))
			return true;
	return false;
}

static int give_all(struct cluster_finding *finding, enum scan_end *end, struct error *err)
{
	struct str text = buf_str(&finding->answer);
	struct cluster_row row, last = { .time_us = INT64_MIN };
	size_t given = 0;

	*end = SCAN_DONE;
	while (text.len > 0 && given < finding->find.max) {
		struct record record;

		if (!cluster_row_read(&text, &row))
			return error_set(err, ERROR_CORRUPT, "ClickHouse: rows of %.*s cannot be read",
			                 STR_ARGS(finding->find.product->name));
		bool is_newest = !cluster_row_is_same_key(&row, &last);

		last = row;
		if (!is_newest || row.is_dead)
			continue;
		if (cluster_row_record(&finding->giving.reader, &row, finding->find.product, &record, err) != 0)
			return -1;
		if (!has_id(&finding->find, &record))
			continue;
		int result = cluster_give(&finding->giving, &finding->base, finding->find.product, &row, NULL, err);

		if (result < 0)
			return -1;
		given++;
		if (result == 0) {
			*end = SCAN_STOPPED;
			return 0;
		}
	}
	return 0;
}

static int step(struct scan *base, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	struct cluster_finding *finding = (struct cluster_finding *)base;

	(void)deadline_us;
	if (!finding->cluster->is_ready)
		return cluster_refuse(finding->cluster, err);
	if (!finding->is_asked && ask(finding, err) != 0)
		return -1;
	finding->is_asked = true;
	if (!finding->has_answer) {
		finding->waits = true;
		*end = SCAN_WAITS;
		return 0;
	}
	if (finding->failure.code == ERROR_NONE)
		return give_all(finding, end, err);
	*err = finding->failure;
	return -1;
}

static void position(const struct scan *base, struct scan_position *position)
{
	(void)base;
	*position = (struct scan_position){ { 0 } };
}

static void cancel(struct scan *base)
{
	struct cluster_finding *finding = (struct cluster_finding *)base;

	clickhouse_cancel(finding->query);
	buf_free(&finding->answer);
	cluster_giving_free(&finding->giving);
	free(finding);
}

struct scan *cluster_find(struct store *store, const struct scan_find *find, const struct scan_sink *sink,
                          struct error *err)
{
	static const struct scan_ops ops = { step, position, cancel };
	struct cluster_finding *finding = calloc(1, sizeof(*finding));

	if (!finding) {
		error_set(err, ERROR_NOMEM, "Out of memory for a scan");
		return NULL;
	}
	finding->base = (struct scan){ .ops = &ops, .sink = *sink };
	finding->cluster = store->cluster;
	finding->find = *find;
	cluster_giving_init(&finding->giving, &finding->base);
	return &finding->base;
}
