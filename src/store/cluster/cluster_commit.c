/* SPDX-License-Identifier: ISC */
/*
 * cluster_commit.c: rows into the tables of a cluster.
 *
 * A chunk is one insert, with a quorum of replicas where the setting says so. When a server does not answer, the same
 * bytes go to another one: servers know a block that they have by its hash, and of rows with one key and version one is
 * kept in any case. What was inserted by more than one attempt is counted before it is acknowledged.
 */
#include "store/cluster/cluster_sql.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/invariant.h"
#include "base/log.h"

#define QUORUM_TIMEOUT_MS 5000

struct cluster_chunk *cluster_chunk_new(const struct catalog_product *product, size_t shard, int32_t day)
{
	struct cluster_chunk *chunk = calloc(1, sizeof(*chunk));

	if (!chunk)
		return NULL;
	chunk->product = product;
	chunk->shard = shard;
	chunk->days[chunk->days_count++] = day;
	return chunk;
}

bool cluster_take_day(int32_t *days, size_t *count, size_t max, int32_t day)
{
	for (size_t i = *count; i > 0; i--)
		if (days[i - 1] == day)
			return true;
	if (*count == max)
		return false;
	days[(*count)++] = day;
	return true;
}

void cluster_chunk_free(struct cluster *cluster, struct cluster_chunk *chunk)
{
	TAILQ_REMOVE(&cluster->chunks, chunk, link);
	cluster->chunk_bytes -= chunk->rows.len < cluster->chunk_bytes ? chunk->rows.len : cluster->chunk_bytes;
	buf_free(&chunk->rows);
	free(chunk);
}

/* What was put while the commit was under way is gathered for the next one. */
static void take_next(struct cluster *cluster)
{
	struct cluster_put *put;

	TAILQ_FOREACH(put, &cluster->next, link)
		cluster->gathered_count++;
	TAILQ_CONCAT(&cluster->gathered, &cluster->next, link);
	cluster->gathered_bytes += cluster->next_bytes;
	cluster->next_bytes = 0;
	cluster_next_checks(cluster);
}

static void end_commit(struct cluster *cluster, const struct error *err)
{
	store_commit_fn done = cluster->commit_done;
	void *arg = cluster->commit_arg;

	cluster->commit_done = NULL;
	cluster->inserts = cluster->verifies = false;
	done(arg, err);
}

void cluster_end_commit(struct cluster *cluster, const struct error *err)
{
	struct error failed;

	/* Under the snapshot of another front end, nobody would be told of them. */
	if (!err && meta_check_held(cluster->store->meta, &failed) != 0)
		err = &failed;
	if (err) {
		clickhouse_cancel(cluster->insert);
		cluster->insert = NULL;
		cluster_numbers_end(cluster, false);
		cluster->store->aborts++;
		cluster->store->commits_failed++;
		cluster->store->failure = *err;
		cluster_drop(cluster, err);
		end_commit(cluster, err);
		return;
	}
	INVARIANT(TAILQ_EMPTY(&cluster->chunks) && TAILQ_EMPTY(&cluster->looking) && TAILQ_EMPTY(&cluster->gathered));
	cluster->store->commits_failed = 0;
	cluster->commits++;
	cluster->uncommitted = 0;
	cluster_numbers_end(cluster, true);
	cluster_forget_known(cluster);
	take_next(cluster);
	end_commit(cluster, NULL);
}

static void write_days(struct buf *sql, const struct cluster_chunk *chunk)
{
	buf_add_text(sql, "day IN (");
	for (size_t i = 0; i < chunk->days_count; i++)
		buf_addf(sql, "%stoDate(%d)", i ? "," : "", chunk->days[i]);
	buf_add_text(sql, ")");
}

static void on_inserted(void *arg, struct buf *answer, const struct error *err);

static struct clickhouse_query *start(struct cluster *cluster, const struct cluster_chunk *chunk, struct buf *sql,
                                      bool inserts, const char *settings, struct error *err)
{
	const struct clickhouse_request request = { .shard = chunk->shard,
		                                    .sql = buf_str(sql),
		                                    .body = inserts ? buf_str(&chunk->rows) : (struct str){ NULL, 0 },
		                                    .settings = settings,
		                                    .patience_us = cluster->patience_us,
		                                    .ended = on_inserted,
		                                    .arg = cluster };

	return clickhouse_start(cluster->clickhouse, &request, err);
}

/* Are all of the chunk's keys there? */
static struct clickhouse_query *verify(struct cluster *cluster, const struct cluster_chunk *chunk, struct error *err)
{
	struct buf sql = { 0 };

	buf_add_text(&sql, "SELECT uniqExact(account, direction, time, id) FROM ");
	cluster_write_table(&sql, cluster, chunk->product);
	buf_add_text(&sql, " WHERE ");
	write_days(&sql, chunk);
	buf_addf(&sql, " AND version >= %llu AND version <= %llu", (unsigned long long)chunk->first_version,
	         (unsigned long long)chunk->last_version);
	struct clickhouse_query *query = start(cluster, chunk, &sql, false, cluster_read_settings(cluster), err);

	buf_free(&sql);
	return query;
}

static struct clickhouse_query *insert(struct cluster *cluster, const struct cluster_chunk *chunk, struct error *err)
{
	struct buf sql = { 0 }, settings = { 0 };
	struct clickhouse_query *query = NULL;

	cluster_write_insert(&sql, cluster, chunk->product);
	cluster_write_insert_settings(&settings, cluster, chunk->shard, QUORUM_TIMEOUT_MS, false);
	if (buf_cstr(&settings))
		query = start(cluster, chunk, &sql, true, settings.data, err);
	else
		error_set(err, ERROR_NOMEM, "an insert into the cluster: out of memory");
	buf_free(&sql);
	buf_free(&settings);
	return query;
}

void cluster_insert_next(struct cluster *cluster)
{
	struct cluster_chunk *chunk = TAILQ_FIRST(&cluster->chunks);
	struct error err;

	/* Of numbers that have failed nobody can be told that all is stored. */
	int result = cluster_numbers_check(cluster, &err);
	if (result == 0 && !chunk) {
		cluster_numbers_stored(cluster);
		return;
	}
	if (result == 0)
		cluster->insert = cluster->verifies ? verify(cluster, chunk, &err) : insert(cluster, chunk, &err);
	if (!cluster->insert)
		cluster_end_commit(cluster, &err);
}

static void on_inserted(void *arg, struct buf *answer, const struct error *failure)
{
	struct cluster *cluster = arg;
	struct cluster_chunk *chunk = TAILQ_FIRST(&cluster->chunks);
	bool repeated = !cluster->verifies && clickhouse_was_repeated(cluster->insert);
	struct error err;

	cluster->insert = NULL;
	if (failure) {
		cluster_end_commit(cluster, failure);
		return;
	}
	if (cluster->verifies) {
		uint64_t found = buf_cstr(answer) ? strtoull(answer->data, NULL, 10) : 0;

		if (found < chunk->keys) {
			error_set(&err, ERROR_UNAVAILABLE,
			          "ClickHouse has %llu of %zu records that were inserted by several attempts",
			          (unsigned long long)found, chunk->keys);
			cluster_end_commit(cluster, &err);
			return;
		}
		cluster->verifies = false;
	}
	if (repeated)
		cluster->verifies = true;
	else
		cluster_chunk_free(cluster, chunk);
	cluster_insert_next(cluster);
}

void cluster_looked_up(struct cluster *cluster, const struct error *err)
{
	if (err) {
		cluster_end_commit(cluster, err);
	} else if (!TAILQ_EMPTY(&cluster->gathered)) {
		cluster_look_up(cluster);
	} else if (cluster->commit_done) {
		cluster->inserts = true;
		cluster_insert_next(cluster);
	}
}

/* Goes on from the loop, so that nothing ends within the call. */
void cluster_commit(struct cluster *cluster, store_commit_fn done, void *arg)
{
	struct error err;

	INVARIANT(!cluster->commit_done);
	int result = meta_check_held(cluster->store->meta, &err);
	/* What another front end has rejected waits for numbers, too: it was checked with what the catalog had then. */
	bool has_waiting = cluster_has_waiting(cluster) || cluster->numbers.source;
	if (result == 0)
		result = days_commit(cluster->store, &err);
	if (result == 0 && has_waiting && cluster->numbers.state == CLUSTER_NUMBERS_NONE)
		result = cluster_numbers_begin(cluster, cluster_numbers_needed(cluster), &err);
	if (result != 0) {
		cluster_numbers_end(cluster, false);
		cluster_drop(cluster, &err);
		done(arg, &err);
	} else if (!has_waiting) {
		cluster->commits++;
		done(arg, NULL);
	} else {
		cluster->commit_done = done;
		cluster->commit_arg = arg;
		event_active(cluster->turn, EV_TIMEOUT, 0);
	}
}
