/* SPDX-License-Identifier: ISC */
/*
 * cluster_put.c: records on their way to the cluster: they are gathered until a commit, looked up (cluster_lookup.c), and made
 * rows (cluster_apply.c).
 */
#include <stdlib.h>
#include <string.h>

#include "store/cluster/cluster_private.h"

static struct cluster_put *put_new(struct cluster *cluster, const struct record *record, int64_t time_us,
                                   const struct store_versions *versions)
{
	struct cluster_put *put;

	buf_clear(&cluster->packed);
	record_pack(&cluster->packed, record, 0);
	put = cluster->packed.failed ? NULL : malloc(sizeof(*put) + cluster->packed.len);
	if (!put)
		return NULL;
	*put = (struct cluster_put){ .product = record->product,
		                     .account = record_account_key(record),
		                     .hash = id_hash64_of_id(record_value(record, record->product->id_column), 0),
		                     .time_us = time_us,
		                     .has_versions = versions != NULL,
		                     .len = cluster->packed.len };
	if (versions)
		put->versions = *versions;
	memcpy(put->row, cluster->packed.data, put->len);
	return put;
}

size_t cluster_waiting_bytes(const struct cluster *cluster)
{
	return cluster->gathered_bytes + cluster->next_bytes + cluster->chunk_bytes + cluster->known_bytes;
}

/* NULL when `done` was told why it cannot be put; otherwise begin_put follows. */
static struct cluster_put *new_put(struct cluster *cluster, const struct record *record, int64_t time_us,
                                   const struct store_versions *versions, store_put_fn done, void *arg)
{
	size_t waits = cluster_waiting_bytes(cluster);
	struct cluster_put *put = NULL;
	struct error err;

	if (!cluster->is_ready)
		MAY_FAIL(cluster_refuse(cluster, &err));
	else if (waits > CLUSTER_FULL_BYTES)
		error_set(&err, ERROR_UNAVAILABLE,
		          "the cluster takes records more slowly than they come: %zu bytes wait", waits);
	else if (!(put = put_new(cluster, record, time_us, versions)))
		error_set(&err, ERROR_NOMEM, "a record on its way to the cluster: out of memory");
	if (!put) {
		done(arg, STORE_ACCEPTED, &err);
		return NULL;
	}
	put->done = done;
	put->arg = arg;
	return put;
}

static void begin_put(struct cluster *cluster, struct cluster_put *put)
{
	cluster_note_check(cluster, false);
	if (cluster->commit_done) {
		TAILQ_INSERT_TAIL(&cluster->next, put, link);
		cluster->next_bytes += sizeof(*put) + put->len;
		return;
	}
	cluster->gathered_count++;
	TAILQ_INSERT_TAIL(&cluster->gathered, put, link);
	cluster->gathered_bytes += sizeof(*put) + put->len;
}

void cluster_put(struct cluster *cluster, const struct record *record, int64_t time_us,
                 const struct store_versions *versions, store_put_fn done, void *arg)
{
	struct cluster_put *put = new_put(cluster, record, time_us, versions, done, arg);

	if (put)
		begin_put(cluster, put);
}

void cluster_put_erased(struct cluster *cluster, const struct record *record, const struct cluster_row *row,
                        const struct cluster_eraser *eraser, store_put_fn done, void *arg)
{
	struct cluster_put *put = new_put(cluster, record, row->time_us, NULL, done, arg);

	if (!put)
		return;
	put->is_erasure = true;
	put->eraser = eraser;
	put->was_left = row->is_dead;
	put->direction = (enum catalog_direction)row->direction;
	begin_put(cluster, put);
}

void cluster_put_mending(struct cluster *cluster, const struct record *record, const struct cluster_row *row,
                         int64_t goes_us, store_put_fn done, void *arg)
{
	static const struct store_versions versions = { .column = CATALOG_NONE };
	struct cluster_put *put = new_put(cluster, record, row->time_us, &versions, done, arg);

	if (!put)
		return;
	put->is_mending = true;
	put->direction = (enum catalog_direction)row->direction;
	put->goes_us = goes_us;
	begin_put(cluster, put);
}

bool cluster_has_waiting(const struct cluster *cluster)
{
	return cluster->uncommitted > 0 || !TAILQ_EMPTY(&cluster->gathered) || !TAILQ_EMPTY(&cluster->looking) ||
	       !TAILQ_EMPTY(&cluster->next) || !TAILQ_EMPTY(&cluster->chunks);
}

/* --- the end of it --- */

static void ignore_put(void *arg, enum store_put_result result, const struct error *err)
{
	(void)arg;
	(void)result;
	(void)err;
}

void cluster_forget_erasing(struct cluster *cluster, const struct cluster_eraser *eraser)
{
	struct cluster_puts *const queues[] = { &cluster->gathered, &cluster->looking, &cluster->next };

	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
		struct cluster_put *put;

		TAILQ_FOREACH(put, queues[i], link) {
			if (put->eraser != eraser)
				continue;
			put->eraser = NULL;
			put->done = ignore_put;
		}
	}
}

static void end_puts(struct cluster_puts *puts, const struct error *err)
{
	struct cluster_put *put;

	while ((put = TAILQ_FIRST(puts))) {
		TAILQ_REMOVE(puts, put, link);
		put->done(put->arg, STORE_ACCEPTED, err);
		free(put);
	}
}

void cluster_drop(struct cluster *cluster, const struct error *err)
{
	struct cluster_chunk *chunk;

	cluster_forget_lookups(cluster);
	while ((chunk = TAILQ_FIRST(&cluster->chunks)))
		cluster_chunk_free(cluster, chunk);
	cluster_forget_known(cluster);
	cluster_forget_checks(cluster);
	cluster->uncommitted = 0;
	cluster->gathered_count = cluster->gathered_bytes = cluster->looking_count = cluster->next_bytes = 0;
	if (!err)
		return;
	end_puts(&cluster->looking, err);
	end_puts(&cluster->gathered, err);
	end_puts(&cluster->next, err);
}
