/* SPDX-License-Identifier: ISC */
/*
 * cluster_retention.c: drops partitions, which are days, of a cluster's tables, a shard after the other. What fails is tried
 * again when retention looks next, and keeps nothing else from being dropped.
 *
 * Before the first partition of a day is dropped, the catalog has that all days up to it go (CLUSTER_DROPPING): they are left
 * out of all that is read, and are dropped to their end, also where this process ends or retention_months is raised. It is taken
 * back when no shard has anything of them.
 *
 * Records of them are rejected from then on, also by other front ends, which see it in their copy of the catalog; what these have
 * checked with an older one is refused numbers. What has numbers, or is gathered here, may still come: it is waited for, so that it
 * goes with its day.
 */
#include "store/cluster/cluster_erase.h"
#include "store/cluster/cluster_private.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define CLUSTER_DROPPING "cluster_dropping" /* in the catalog */
#define PARTITIONS_MAX 200                  /* in one go */
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

/* --- days that were begun with --- */

int cluster_load_dropping(struct cluster *cluster, struct error *err)
{
	uint64_t day = 0;
	int result = meta_get_number(cluster->store->meta, CLUSTER_DROPPING, &day, err);

	cluster->dropping = (int32_t)day;
	return result;
}

static int note_dropping(struct cluster *cluster, int32_t day, struct error *err)
{
	if (meta_set_number(cluster->store->meta, CLUSTER_DROPPING, (uint64_t)day, err) != 0)
		return -1;
	cluster->dropping = day;
	return 0;
}

/* Whatever may have been checked before it was noted. */
static void await_checked(struct cluster *cluster)
{
	cluster_refuse_older(cluster);
	cluster->drop_after = cluster_point(cluster);
	cluster->drop_waits = true;
}

static void drop_when_settled(struct cluster *cluster)
{
	if (cluster->drop_waits && !cluster_has_settled(cluster, &cluster->drop_after))
		return; /* when retention looks next */
	cluster->drop_waits = false;
	drop_next(cluster);
}

int store_cluster_take_dropping(struct store *store, struct error *err)
{
	if (!store->cluster)
		return 0;
	if (cluster_load_dropping(store->cluster, err) != 0)
		return -1;
	store_keep_from(store, 0);
	return 0;
}

/* The day after the last one of the list: 20261130 is how it is there. */
static int32_t after_listed(const struct cluster *cluster)
{
	struct str list = buf_str(&cluster->drops), line, table;
	struct buf text = { 0 };
	int32_t day = -1, last = -1;

	while (str_next(&list, '\n', &line)) {
		if (line.len == 0 || !str_next(&line, '\t', &table) || line.len != 8)
			continue;
		buf_clear(&text);
		buf_addf(&text, "%.4s-%.2s-%.2s", line.p, line.p + 4, line.p + 6);
		if (!text.failed && clock_parse_day(buf_str(&text), &day) && day > last)
			last = day;
	}
	buf_free(&text);
	return last + 1;
}

/* False: nothing may be dropped now. */
static bool note_listed(struct cluster *cluster)
{
	int32_t after = after_listed(cluster);
	struct error err;

	if (after <= cluster->dropping)
		return true;
	if (note_dropping(cluster, after, &err) == 0) {
		await_checked(cluster);
		return true;
	}
	log_error("cluster", "retention: %s", err.message);
	return false;
}

static void end_pass(struct cluster *cluster)
{
	struct error err;

	if (cluster->dropping > 0 && !cluster->drop_found && note_dropping(cluster, 0, &err) != 0)
		log_error("cluster", "retention: %s", err.message);
}

/* --- a shard after the other --- */

static void next_shard(struct cluster *cluster)
{
	cluster->drop_shard++;
	if (cluster->drop_shard < clickhouse_shards(cluster->clickhouse))
		list(cluster);
	else
		end_pass(cluster);
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
	cluster->drop_found |= err || answer->len > 0;
	if (err) {
		log_error("cluster", "retention: %s", err->message);
		next_shard(cluster);
		return;
	}
	buf_move(&cluster->drops, answer);
	cluster->drop_at = 0;
	if (note_listed(cluster))
		drop_when_settled(cluster);
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
	struct error err;

	if (cluster->drop || !cluster->is_ready)
		return;
	if (cluster->drop_waits) {
		drop_when_settled(cluster);
		return;
	}
	/* A move that was given up may have left it, and days are whole in the data directory. */
	if (cluster->is_target && cluster->dropping > day && note_dropping(cluster, 0, &err) != 0) {
		log_error("cluster", "retention: %s", err.message);
		return;
	}
	cluster->drop_before = day > cluster->dropping ? day : cluster->dropping;
	cluster->drop_found = false;
	cluster->drop_shard = 0;
	list(cluster);
}
