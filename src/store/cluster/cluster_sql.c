/* SPDX-License-Identifier: ISC */
/*
 * cluster_sql.c: see cluster_sql.h.
 */
#include "store/cluster/cluster_sql.h"

#include "base/clock.h"

void cluster_write_table(struct buf *out, const struct cluster *cluster, const struct catalog_product *product)
{
	buf_addf(out, "%s.", cluster->database);
	schema_write_table_name(out, product);
}

void cluster_write_insert(struct buf *sql, const struct cluster *cluster, const struct catalog_product *product)
{
	buf_add_text(sql, "INSERT INTO ");
	cluster_write_table(sql, cluster, product);
	buf_add_text(sql, " (");
	schema_write_columns(sql, product);
	buf_add_text(sql, ") FORMAT RowBinary");
}

void cluster_write_insert_settings(struct buf *settings, const struct cluster *cluster, size_t shard, int timeout_ms,
                                   bool anew)
{
	const struct schema_server *server = &cluster->servers[shard];
	const char *separator = "";

	if (cluster->quorum > 1) {
		buf_addf(settings, "insert_quorum=%zu&insert_quorum_timeout=%d%s", cluster->quorum, timeout_ms,
		         server->has_parallel_quorum ? "&insert_quorum_parallel=0" : "");
		separator = "&";
	}
	if (server->may_gather_inserts) {
		/* It would wait for others, or even say that it has ended before it has. */
		buf_addf(settings, "%sasync_insert=0", separator);
		separator = "&";
	}
	if (anew)
		buf_addf(settings, "%sinsert_deduplicate=0%s", separator,
		         server->has_deduplicate_insert ? "&deduplicate_insert=disable" : "");
}

void cluster_limit_days(struct scan_query *query)
{
	int64_t end_us = (CLUSTER_DAY_MAX + 1) * CLOCK_US_PER_DAY;

	if (query->to_us > end_us)
		query->to_us = end_us;
}

void cluster_write_accounts(struct buf *out, const struct cluster *cluster, const struct scan_query *query,
                            size_t shard)
{
	bool is_first = true;

	for (size_t i = 0; i < query->accounts_count; i++) {
		if (cluster_shard(cluster, &query->accounts[i]) != shard)
			continue;
		buf_addf(out, "%s%llu", is_first ? "" : ",", (unsigned long long)cluster_account(&query->accounts[i]));
		is_first = false;
	}
}

void cluster_write_value_column(struct buf *sql, const struct catalog_product *product, uint8_t column)
{
	buf_addf(sql, "f_%.*s", STR_ARGS(product->columns[column].name));
}

void cluster_write_text(struct buf *sql, const char *prefix, struct str text)
{
	buf_add_char(sql, '\'');
	buf_add_text(sql, prefix);
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\'' || text.p[i] == '\\')
			buf_add_char(sql, '\\');
		if (text.p[i] == '\0')
			buf_add_text(sql, "\\0");
		else
			buf_add_char(sql, text.p[i]);
	}
	buf_add_char(sql, '\'');
}

void cluster_write_filter(struct buf *sql, const struct catalog_product *product, const struct scan_filter *filter)
{
	bool ignores_case = filter->match == SCAN_NOCASE;
	bool may_have_plus = filter->match == SCAN_NUMBER;
	bool has_plus = may_have_plus && filter->value.len > 0 && filter->value.p[0] == '+'; /* after one that may be */

	buf_add_text(sql, ignores_case ? "lower(" : "");
	cluster_write_value_column(sql, product, filter->column);
	buf_add_text(sql, ignores_case ? ") = lower(" : " IN (");
	if (!has_plus)
		cluster_write_text(sql, "", filter->value);
	if (may_have_plus) {
		buf_add_text(sql, has_plus ? "" : ",");
		cluster_write_text(sql, "+", filter->value);
	}
	buf_add_char(sql, ')');
}

bool cluster_decides(const struct scan_query *query)
{
	uint64_t columns = schema_value_columns(query->product);

	for (size_t i = 0; i < query->filters_count; i++)
		if (!(columns >> query->filters[i].column & 1))
			return false;
	return true;
}

void cluster_write_filters(struct buf *sql, const struct scan_query *query)
{
	uint64_t columns = schema_value_columns(query->product);
	bool is_first = true;

	for (size_t i = 0; i < query->filters_count; i++) {
		if (!(columns >> query->filters[i].column & 1))
			continue;
		buf_add_text(sql, is_first ? "" : " AND ");
		cluster_write_filter(sql, query->product, &query->filters[i]);
		is_first = false;
	}
	if (is_first)
		buf_add_char(sql, '1');
}
