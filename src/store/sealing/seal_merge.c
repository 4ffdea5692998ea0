/* SPDX-License-Identifier: ISC */
/*
 * seal_merge.c: which runs of a day are worth merging.
 *
 * A run with many deleted rows wastes room and time; many small runs, as a quiet account's seals by age leave them, waste
 * look-ups; blocks of the format before have no columns. Runs are merged whole, up to what one seal may hold; the result is as if all had been sealed at once.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "store/days/day_blocks.h"
#include "store/sealing/seal_private.h"
#include "store/sealing/upgrade.h"

#define SMALL_RUNS_MIN 8 /* of one partition: fewer are left alone */
#define DEAD_SHARE 4     /* one row in so many */

struct run_stat {
	uint32_t run;
	uint32_t rows;
	uint32_t deleted;
	uint64_t bytes;
	bool is_old; /* some block of it is */
};

static uint32_t living(const struct run_stat *stat)
{
	return stat->rows - stat->deleted;
}

static bool needs_rebuild(const struct run_stat *stat)
{
	return stat->is_old || (stat->deleted > 0 && (uint64_t)stat->deleted * DEAD_SHARE >= stat->rows);
}

static int compare(const void *a, const void *b)
{
	const struct run_stat *left = a, *right = b;
	uint32_t left_rows = living(left), right_rows = living(right);

	if (needs_rebuild(left) != needs_rebuild(right))
		return needs_rebuild(left) ? -1 : 1;
	return (left_rows > right_rows) - (left_rows < right_rows);
}

/* Chooses among the runs of one partition; true if there is something to merge. */
static bool choose(struct seal *seal, struct run_stat *stats, size_t count, uint32_t seal_rows_max)
{
	size_t to_rebuild = 0, small = 0;
	uint64_t rows = 0, bytes = 0;

	for (size_t i = 0; i < count; i++) {
		to_rebuild += needs_rebuild(&stats[i]);
		small += living(&stats[i]) < seal_rows_max / 2;
	}
	if (to_rebuild == 0 && small < SMALL_RUNS_MIN)
		return false;
	qsort(stats, count, sizeof(*stats), compare);
	seal->runs_count = 0;
	for (size_t i = 0; i < count && seal->runs_count < SEAL_RUNS_MAX; i++) {
		bool wanted =
			needs_rebuild(&stats[i]) || (small >= SMALL_RUNS_MIN && living(&stats[i]) < seal_rows_max / 2);

		rows += living(&stats[i]);
		bytes += stats[i].bytes;
		if (!wanted || (seal->runs_count && (rows > seal_rows_max || bytes > SEAL_BYTES_MAX)))
			break;
		seal->runs[seal->runs_count++] = stats[i].run;
	}
	return seal->runs_count > 1 || (seal->runs_count == 1 && needs_rebuild(&stats[0]));
}

static int add_stat(struct buf *stats, const struct day_block *block, bool is_old)
{
	size_t count = stats->len / sizeof(struct run_stat);
	struct run_stat *list = (struct run_stat *)(void *)stats->data;

	if (count == 0 || list[count - 1].run != block->run) {
		struct run_stat fresh = { .run = block->run };

		buf_add(stats, &fresh, sizeof(fresh));
		if (stats->failed)
			return -1;
		list = (struct run_stat *)(void *)stats->data;
		count++;
	}
	struct run_stat *last = &list[count - 1];
	last->rows += block->rows;
	last->deleted += block->deleted;
	last->bytes += block->value_bytes;
	last->is_old |= is_old;
	return 0;
}

/* Keeps of all blocks of the partition those of the chosen runs. */
int seal_take_runs(struct seal *seal, struct day *day, MDB_txn *txn, struct error *err)
{
	struct block_index *entries = &seal->entries;
	size_t kept = 0;

	if (block_index_read(day, txn, &seal->partition, entries, err) != 0)
		return -1;
	for (size_t i = 0; i < entries->count; i++)
		for (uint32_t r = 0; r < seal->runs_count; r++)
			if (entries->entries[i].block.run == seal->runs[r])
				entries->entries[kept++] = entries->entries[i];
	entries->count = kept;
	/* They were in order; only last_before, a bound that may be too late, is not exact any more. */
	return 0;
}

/* Walks all blocks of the day, partition by partition, until one has something to merge. */
static int search(struct store *store, struct seal *seal, struct day *day, MDB_txn *txn, MDB_cursor *cursor,
                  bool *found, struct error *err)
{
	struct buf *stats = &seal->scratch;
	struct partition current = { .product = 0 };
	MDB_val key, val;
	int rc;

	buf_clear(stats);
	for (rc = mdb_cursor_get(cursor, &key, &val, MDB_FIRST);; rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) {
		struct partition partition = { .product = 0 };
		struct day_block block;
		uint32_t number;

		if (!rc && (!number_key_read(key, &partition, &number) || !day_block_read(val, &block)))
			return error_set(err, ERROR_CORRUPT, "%s: an entry of blocks cannot be read", day->env.path);
		if (current.product && (rc || !partition_equal(&partition, &current))) {
			seal->partition = current;
			*found = choose(seal, (struct run_stat *)(void *)stats->data,
			                stats->len / sizeof(struct run_stat),
			                store->options.seal_rows < STORE_SEAL_ROWS_MAX ? store->options.seal_rows :
			                                                                 STORE_SEAL_ROWS_MAX);
			if (*found)
				return seal_take_runs(seal, day, txn, err);
			buf_clear(stats);
		}
		if (rc)
			return rc == MDB_NOTFOUND ? 0 : env_fail(&day->env, rc, "read blocks", err);
		current = partition;
		int is_old = day->is_old ? upgrade_is_old(day, txn, key, err) : 0;
		if (is_old < 0)
			return -1;
		if (add_stat(stats, &block, is_old) != 0)
			return error_set(err, ERROR_NOMEM, "sealing: out of memory");
	}
}

int seal_find_runs(struct store *store, struct seal *seal, struct day *day, bool *found, struct error *err)
{
	MDB_cursor *cursor;

	*found = false;
	/* What is not committed cannot be seen; a day that is being written to is looked at when it rests. */
	if (day->merge_seals == day->seals || day->blocks_changed || clock_monotonic_us() < day->merge_wait_us)
		return 0;
	MDB_txn *txn = env_read(&day->env, err);
	if (!txn)
		return -1;
	int rc = mdb_cursor_open(txn, day->env.dbi[DAY_BLOCKS], &cursor);
	int result =
		rc ? env_fail(&day->env, rc, "open cursor", err) : search(store, seal, day, txn, cursor, found, err);
	if (!rc)
		mdb_cursor_close(cursor);
	result = env_read_end(&day->env, txn, result, err);
	if (result != 0 || *found)
		return result;
	day->merge_seals = day->seals;
	return day->is_old ? upgrade_end(store, day, err) : 0;
}
