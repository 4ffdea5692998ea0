/* SPDX-License-Identifier: ISC */
/*
 * cluster_retention.c: drops partitions, which are days, of a cluster's tables, a shard after the other. What fails is tried
 * again when retention looks next, and keeps nothing else from being dropped.
 */
#include "store/cluster/cluster_private.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define PARTITIONS_MAX 200 /* in one go */
#define PATIENCE_US (60 * CLOCK_US_PER_SECOND)

static void list(struct cluster *cluster);
static void drop_next(struct cluster *cluster);

static int ask(struct cluster *cluster, struct buf *sql, clickhouse_fn ended)
{
	struct error err;
	const struct clickhouse_request request = { .shard = cluster->drop_shard,
		                                    .sql = buf_str(sql),
		                                    .patience_us = PATIENCE_US,
		                                    .ended = ended,
		                                    .arg = cluster };

	cluster->drop = clickhouse_start(cluster->clickhouse, &request, &err);
	buf_free(sql);
	return cluster->drop ? 0 : -1;
}

static void next_shard(struct cluster *cluster)
{
	cluster->drop_shard++;
	if (cluster->drop_shard < clickhouse_shards(cluster->clickhouse))
		list(cluster);
}

static void on_dropped(void *arg, struct buf *answer, const struct error *err)
{
	struct cluster *cluster = arg;

	(void)answer;
	cluster->drop = NULL;
	if (err)
		log_error("cluster", "retention: %s", err->message);
	if (err && err->code == ERROR_UNAVAILABLE)
		next_shard(cluster);
	else
		drop_next(cluster);
}

static void drop_next(struct cluster *cluster)
{
	struct str left = { cluster->drops.data + cluster->drop_at, cluster->drops.len - cluster->drop_at }, line,
		   table;
	struct buf sql = { 0 };

	if (cluster->drops.len == 0 || !str_next(&left, '\n', &line) || line.len == 0) {
		next_shard(cluster);
		return;
	}
	cluster->drop_at = cluster->drops.len - left.len;
	if (!str_next(&line, '\t', &table))
		return;
	buf_addf(&sql, "ALTER TABLE %s.%.*s DROP PARTITION ID '%.*s'", cluster->database, STR_ARGS(table),
	         STR_ARGS(line));
	log_info("cluster", "shard %zu, %.*s: the day %.*s goes, past retention", cluster->drop_shard + 1,
	         STR_ARGS(table), STR_ARGS(line));
	MAY_FAIL(ask(cluster, &sql, on_dropped)); /* next time */
}

static void on_listed(void *arg, struct buf *answer, const struct error *err)
{
	struct cluster *cluster = arg;

	cluster->drop = NULL;
	if (err) {
		log_error("cluster", "retention: %s", err->message);
		next_shard(cluster);
		return;
	}
	buf_move(&cluster->drops, answer);
	cluster->drop_at = 0;
	drop_next(cluster);
}

/* The day of a partition is how the names of its parts begin. */
static void list(struct cluster *cluster)
{
	struct buf sql = { 0 }, day = { 0 };

	clock_format_day(&day, cluster->drop_before);
	buf_addf(
		&sql,
		"SELECT DISTINCT table, substring(name, 1, 8) AS day FROM system.parts WHERE active AND database = '%s' "
		"AND day < replaceAll('%.*s', '-', '') ORDER BY day LIMIT %d FORMAT TSV",
		cluster->database, STR_ARGS(buf_str(&day)), PARTITIONS_MAX);
	sql.failed |= day.failed;
	buf_free(&day);
	MAY_FAIL(ask(cluster, &sql, on_listed)); /* next time */
}

void cluster_drop_days_before(struct cluster *cluster, int32_t day)
{
	if (cluster->drop || !cluster->is_ready)
		return;
	cluster->drop_before = day;
	cluster->drop_shard = 0;
	list(cluster);
}
