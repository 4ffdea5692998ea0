/* SPDX-License-Identifier: ISC */
/*
 * seal_merge.c: which runs of a day are worth merging.
 *
 * A run with many deleted rows wastes room and time; many small runs, as a quiet account's seals by age leave them, waste
 * look-ups; blocks of the format before have no columns. Runs are merged whole, up to the rows that one job may take; the
 * result is one run of them.
 *
 * A day may have a hundred thousand partitions, so it is searched in rounds: each search resumes where the one before
 * has ended. A round after which the day's blocks are the same as before it has found all there is. What a round fails
 * to merge is passed over in it, and harms no other partition.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "store/days/day_blocks.h"
#include "store/sealing/seal_private.h"
#include "store/sealing/upgrade.h"

#define SMALL_RUNS_MIN 8 /* of one partition: fewer are left alone */
#define DEAD_SHARE 4     /* one row in so many */
#define LOOK_MAX 1024    /* blocks at once, give or take a partition */

struct run_stat {
	uint32_t run;
	uint32_t rows;
	uint32_t deleted;
	uint64_t bytes;
	bool is_old;
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

/* Chooses among the runs of one partition; true if there is something to merge. A run that a full part of a seal has made
 * is not small, even if some of its rows were replaced. */
static bool choose(const struct store *store, struct seal *seal, struct run_stat *stats, size_t count)
{
	const uint32_t few = seal_few_rows(store), rows_max = seal_job_rows(store);
	size_t to_rebuild = 0, small = 0;
	uint64_t rows = 0, bytes = 0;

	for (size_t i = 0; i < count; i++) {
		to_rebuild += needs_rebuild(&stats[i]);
		small += living(&stats[i]) < few;
	}
	if (to_rebuild == 0 && small < SMALL_RUNS_MIN)
		return false;
	qsort(stats, count, sizeof(*stats), compare);
	seal->runs_count = 0;
	for (size_t i = 0; i < count && seal->runs_count < SEAL_RUNS_MAX; i++) {
		bool wanted = needs_rebuild(&stats[i]) || (small >= SMALL_RUNS_MIN && living(&stats[i]) < few);

		rows += living(&stats[i]);
		bytes += stats[i].bytes;
		if (!wanted || (seal->runs_count && (rows > rows_max || bytes > SEAL_BYTES_MAX)))
			break;
		seal->runs[seal->runs_count++] = stats[i].run;
	}
	return seal->runs_count > 1 || (seal->runs_count == 1 && needs_rebuild(&stats[0]));
}

/* The run that a block belongs to, begun if need be. NULL when out of memory. */
static struct run_stat *run_of(struct buf *stats, const struct day_block *block)
{
	struct run_stat fresh = { .run = block->run };
	size_t count = stats->len / sizeof(fresh);
	const struct run_stat *list = (const struct run_stat *)(const void *)stats->data;

	if (count == 0 || list[count - 1].run != block->run)
		buf_add(stats, &fresh, sizeof(fresh));
	if (stats->failed)
		return NULL;
	return (struct run_stat *)(void *)(stats->data + stats->len - sizeof(fresh));
}

/* All blocks of a run have been written at once, so the first one tells their format. */
static int add_stat(struct day *day, MDB_txn *txn, MDB_val key, const struct day_block *block, struct buf *stats,
                    struct error *err)
{
	struct run_stat *run = run_of(stats, block);

	if (!run)
		return error_set(err, ERROR_NOMEM, "sealing: out of memory");
	if (day->is_old && run->rows == 0) {
		int is_old = upgrade_is_old(day, txn, key, err);

		if (is_old < 0)
			return -1;
		run->is_old = is_old > 0;
	}
	run->rows += block->rows;
	run->deleted += block->deleted;
	run->bytes += block->value_bytes;
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

static int first_block(const struct day *day, MDB_cursor *cursor, MDB_val *key, MDB_val *val)
{
	uint8_t bytes[NUMBER_KEY_LEN];

	number_key_write(bytes, &day->merge_at, 0);
	*key = env_val(bytes, sizeof(bytes));
	return mdb_cursor_get(cursor, key, val, MDB_SET_RANGE);
}

/* Walks blocks of the day, partition by partition, until one has something to merge, or until enough have been looked
 * at: *result is where the search resumes then. */
static int search(struct store *store, struct seal *seal, struct day *day, MDB_txn *txn, MDB_cursor *cursor,
                  enum seal_search *result, struct error *err)
{
	struct buf *stats = &seal->scratch;
	struct partition current = { .product = 0 };
	MDB_val key, val;
	unsigned looked = 0;

	buf_clear(stats);
	for (int rc = first_block(day, cursor, &key, &val);; rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) {
		struct partition partition = { .product = 0 };
		struct day_block block;
		uint32_t number;

		if (!rc && (!number_key_read(key, &partition, &number) || !day_block_read(val, &block)))
			return error_set(err, ERROR_CORRUPT, "%s: an entry of blocks cannot be read", day->env.path);
		if (current.product && (rc || !partition_equal(&partition, &current))) {
			day->merge_at = seal->partition = current;
			if (choose(store, seal, (struct run_stat *)(void *)stats->data,
			           stats->len / sizeof(struct run_stat))) {
				*result = SEAL_SEARCH_FOUND;
				return seal_take_runs(seal, day, txn, err);
			}
			buf_clear(stats);
		}
		day->merge_at = partition;
		if (rc)
			return rc == MDB_NOTFOUND ? 0 : env_fail(&day->env, rc, "read blocks", err);
		if (looked++ >= LOOK_MAX && !partition_equal(&partition, &current)) {
			*result = SEAL_SEARCH_MORE;
			return 0;
		}
		current = partition;
		if (add_stat(day, txn, key, &block, stats, err) != 0)
			return -1;
	}
}

static void begin_round(struct day *day)
{
	day->merge_round = day->seals;
	day->merge_failed = day->merge_misread = false;
}

/* What has been merged in a round may have left more to merge. */
static int end_round(struct store *store, struct day *day, enum seal_search *result, struct error *err)
{
	if (day->merge_round != day->seals) {
		*result = SEAL_SEARCH_MORE;
		return 0;
	}
	if (day->merge_misread) {
		day->merge_wait_us = clock_monotonic_us() + SEAL_MISREAD_RETRY_US;
		return 0;
	}
	day->merge_seals = day->seals;
	return day->is_old && !day->merge_failed ? upgrade_end(store, day, err) : 0;
}

int seal_find_runs(struct store *store, struct seal *seal, struct day *day, enum seal_search *result, struct error *err)
{
	MDB_cursor *cursor;

	*result = SEAL_SEARCH_NOTHING;
	/* What is not committed cannot be seen; a day that is being written to is looked at when it rests. */
	if (day->merge_seals == day->seals || day->blocks_changed || clock_monotonic_us() < day->merge_wait_us)
		return 0;
	MDB_txn *txn = env_read(&day->env, err);
	if (!txn)
		return -1;
	if (!day->merge_at.product)
		begin_round(day);
	int rc = mdb_cursor_open(txn, day->env.dbi[DAY_BLOCKS], &cursor);
	int failed =
		rc ? env_fail(&day->env, rc, "open cursor", err) : search(store, seal, day, txn, cursor, result, err);
	if (!rc)
		mdb_cursor_close(cursor);
	failed = env_read_end(&day->env, txn, failed, err);
	return failed != 0 || *result != SEAL_SEARCH_NOTHING ? failed : end_round(store, day, result, err);
}

void seal_pass_over(const struct seal *seal)
{
	struct day *day = seal->day;

	day->merge_at = seal->partition;
	day->merge_at.direction++;
	day->merge_failed = true;
	day->merge_misread |= seal->misread;
}
