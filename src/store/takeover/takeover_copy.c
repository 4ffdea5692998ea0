/* SPDX-License-Identifier: ISC */
/*
 * takeover_copy.c: rows on their way into the tables of a cluster. See takeover_private.h.
 *
 * A chunk is one insert, of a table and a shard. It has the quorum that inserts have. An insert that is repeated, as no
 * server has said that it is done, is not taken for one that the servers know already (`anew`): what is there twice is the same
 * row of the table, and one of them stands.
 */
#include <stdlib.h>

#include "store/takeover/takeover_private.h"

#define LOT_ROWS 60000
#define LOT_BYTES ((size_t)24 << 20)
#define LOT_DAYS 16 /* of a chunk: with a quorum, a server waits for the other replicas after each day's part */
#define QUORUM_TIMEOUT_MS 15000 /* for one of them */

_Static_assert(LOT_DAYS <= CLUSTER_CHUNK_DAYS, "they have room in a chunk");

static void chunk_free(struct cluster_chunks *chunks, struct cluster_chunk *chunk)
{
	TAILQ_REMOVE(chunks, chunk, link);
	buf_free(&chunk->rows);
	free(chunk);
}

/* --- filling --- */

static struct cluster_chunk *get_chunk(struct takeover_copy *copy, const struct catalog_product *product, size_t shard,
                                       int32_t day)
{
	struct cluster_chunk *chunk;

	TAILQ_FOREACH(chunk, &copy->filling, link)
		if (chunk->product == product && chunk->shard == shard &&
		    cluster_take_day(chunk->days, &chunk->days_count, LOT_DAYS, day))
			return chunk;
	chunk = cluster_chunk_new(product, shard, day);
	if (chunk)
		TAILQ_INSERT_HEAD(&copy->filling, chunk, link);
	return chunk;
}

int takeover_copy_add(void *arg, const struct takeover_row *row, struct error *err)
{
	struct takeover_copy *copy = arg;
	struct cluster *cluster = copy->cluster;
	const struct cluster_row written = {
		.account = cluster_account(&row->partition.account),
		.direction = row->partition.direction,
		.day = clock_day_of(row->position.time_us),
		.time_us = row->position.time_us,
		.id = record_value(row->record, row->product->id_column),
		.version = row->version,
		.is_dead = row->is_dead,
		.first = row->position.seq,
	};
	struct cluster_chunk *chunk =
		get_chunk(copy, row->product, cluster_shard(cluster, &row->partition.account), written.day);
	size_t len = chunk ? chunk->rows.len : 0;

	if (chunk)
		cluster_row_write(&chunk->rows, row->record, &written, &cluster->scratch);
	if (!chunk || chunk->rows.failed)
		return error_set(err, ERROR_NOMEM, "a move to the cluster: out of memory");
	chunk->count++;
	copy->rows++;
	copy->bytes += chunk->rows.len - len;
	copy->is_full = copy->rows >= LOT_ROWS || copy->bytes >= LOT_BYTES;
	return copy->is_full;
}

/* --- sending --- */

void takeover_copy_send(struct takeover_copy *copy, const struct takeover_place *after)
{
	TAILQ_CONCAT(&copy->sending, &copy->filling, link);
	copy->after = *after;
	copy->rows = copy->bytes = 0;
	copy->is_full = false;
}

static void on_inserted(void *arg, struct buf *answer, const struct error *err)
{
	struct takeover_copy *copy = arg;
	struct cluster_chunk *chunk = TAILQ_FIRST(&copy->sending);

	(void)answer;
	copy->insert = NULL;
	copy->failure.code = ERROR_NONE;
	if (err) {
		copy->failure = *err;
	} else {
		copy->inserted += chunk->count;
		chunk_free(&copy->sending, chunk);
	}
	copy->ended(copy->arg);
}

int takeover_copy_go_on(struct takeover_copy *copy, struct error *err)
{
	struct cluster_chunk *chunk = TAILQ_FIRST(&copy->sending);
	struct cluster *cluster = copy->cluster;
	struct buf sql = { 0 }, settings = { 0 };

	if (copy->insert || !chunk)
		return 0;
	cluster_write_insert(&sql, cluster, chunk->product);
	cluster_write_insert_settings(&settings, cluster, chunk->shard, QUORUM_TIMEOUT_MS, true);
	const struct clickhouse_request request = { .shard = chunk->shard,
		                                    .sql = buf_str(&sql),
		                                    .body = buf_str(&chunk->rows),
		                                    .settings = buf_cstr(&settings),
		                                    .patience_us = cluster->patience_us,
		                                    .ended = on_inserted,
		                                    .arg = copy };

	if (sql.failed || settings.failed)
		error_set(err, ERROR_NOMEM, "a move to the cluster: out of memory");
	else
		copy->insert = clickhouse_start(cluster->clickhouse, &request, err);
	buf_free(&sql);
	buf_free(&settings);
	return copy->insert ? 0 : -1;
}

void takeover_copy_forget(struct takeover_copy *copy)
{
	struct cluster_chunk *chunk;

	clickhouse_cancel(copy->insert);
	copy->insert = NULL;
	while ((chunk = TAILQ_FIRST(&copy->sending)))
		chunk_free(&copy->sending, chunk);
	while ((chunk = TAILQ_FIRST(&copy->filling)))
		chunk_free(&copy->filling, chunk);
	copy->rows = copy->bytes = 0;
	copy->is_full = false;
	copy->failure.code = ERROR_NONE;
}
