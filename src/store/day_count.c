/* SPDX-License-Identifier: ISC */
/*
 * day_count.c: see day_count.h.
 */
#include "store/day_count.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "store/days/hot_rows.h"
#include "store/days_store.h"
#include "store/sealing/upgrade.h"

#define LOOK_EVERY 256 /* rows or blocks between looks at the clock */

static uint64_t file_bytes(const struct store *store, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s/%s", store->options.data_dir, name) >= PATH_MAX || stat(path, &st) != 0)
		return 0;
	return (uint64_t)st.st_blocks * 512;
}

uint64_t store_day_bytes(const struct store *store, int32_t day)
{
	static const char *const files[] = { "data.mdb", "ids.filter" };
	uint64_t bytes = 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct buf name = { 0 };

		buf_add_text(&name, "days/");
		clock_format_day(&name, day);
		buf_addf(&name, "/%s", files[i]);
		if (buf_cstr(&name))
			bytes += file_bytes(store, name.data);
		buf_free(&name);
	}
	return bytes;
}

uint64_t store_catalog_bytes(const struct store *store)
{
	return file_bytes(store, "catalog/data.mdb");
}

bool store_day_is_open(const struct store *store, int32_t day)
{
	size_t at = store_day_index(store, day);

	return at < store->days_count && store->day_numbers[at] == day && store->days[at]->is_open;
}

/* --- a count of a day --- */

enum { STAGE_BLOCKS, STAGE_TOMBSTONES, STAGE_FILES };

#define TRIES_IN_SLICES 3 /* while the day is being sealed; then its blocks are counted in one go */

/* The key of the block that was counted last. */
struct block_place {
	size_t key_len; /* 0: none was */
	uint8_t key[NUMBER_KEY_LEN];
};

struct counting {
	struct day_count *count;
	uint64_t snapshot; /* of what is committed */
	int64_t deadline_us;
	unsigned seen;
};

_Static_assert(sizeof(struct hot_place) <= sizeof(((struct day_count *)NULL)->place),
               "a place in a walk over hot rows");
_Static_assert(sizeof(struct block_place) <= sizeof(((struct day_count *)NULL)->place),
               "a place in a walk over blocks");

static bool is_over(struct counting *counting)
{
	return ++counting->seen % LOOK_EVERY == 0 && clock_monotonic_us() >= counting->deadline_us;
}

/* A hot_row_fn. */
static int count_tombstone(void *arg, const struct hot_place *place, MDB_val val, struct error *err)
{
	struct counting *counting = arg;
	struct day_tombstone tombstone;

	(void)place;
	(void)err;
	counting->count->tombstones +=
		day_tombstone_read(val, &tombstone) && tombstone.until <= counting->count->snapshot;
	return is_over(counting);
}

/* 1 when all are counted, 0, -1. */
static int count_tombstones(struct day *day, MDB_txn *txn, struct counting *counting, struct error *err)
{
	struct hot_place place;
	int result;

	memcpy(&place, counting->count->place, sizeof(place));
	do
		result = hot_rows_each(day, txn, &place, count_tombstone, counting, err);
	while (result == 0 && clock_monotonic_us() < counting->deadline_us);
	memcpy(counting->count->place, &place, sizeof(place));
	return result;
}

static int count_block(struct day *day, MDB_txn *txn, MDB_val key, MDB_val val, struct store_day_stats *stats,
                       struct error *err)
{
	struct day_block block;

	if (key.mv_size != NUMBER_KEY_LEN || !day_block_read(val, &block))
		return env_fail(&day->env, MDB_CORRUPTED, "read blocks", err);
	int is_old = day->is_old ? upgrade_is_old(day, txn, key, err) : 0;
	if (is_old < 0)
		return -1;
	stats->blocks++;
	stats->sealed_rows += block.rows;
	stats->deleted_rows += block.deleted;
	stats->csv_bytes += block.csv_bytes;
	stats->old_blocks += (uint64_t)is_old;
	return 0;
}

/* 1 when all are counted, 0, -1. */
static int count_blocks(struct day *day, MDB_txn *txn, struct counting *counting, struct error *err)
{
	struct block_place place;
	MDB_cursor *cursor;
	MDB_val key, val;
	int result = 0, rc = mdb_cursor_open(txn, day->env.dbi[DAY_BLOCKS], &cursor);

	if (rc)
		return env_fail(&day->env, rc, "open cursor", err);
	memcpy(&place, counting->count->place, sizeof(place));
	for (rc = env_seek_after(cursor, env_val(place.key, place.key_len), &key, &val); !rc && result == 0;
	     rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) {
		result = count_block(day, txn, key, val, &counting->count->stats, err);
		if (result != 0)
			break;
		memcpy(place.key, key.mv_data, sizeof(place.key));
		place.key_len = key.mv_size;
		if (is_over(counting))
			break;
	}
	memcpy(counting->count->place, &place, sizeof(place));
	mdb_cursor_close(cursor);
	if (result != 0 || !rc)
		return result;
	return rc == MDB_NOTFOUND ? 1 : env_fail(&day->env, rc, "read blocks", err);
}

/* Blocks and hot rows as of one commit: begun again when others have been committed since. 1 when all are counted, 0, -1. */
static int count_rows(struct day *day, MDB_txn *txn, struct counting *counting, struct error *err)
{
	struct day_count *count = counting->count;

	if (count->tries == 0 || count->seals != day->seals) {
		count->stats = (struct store_day_stats){ .day = count->stats.day };
		memset(count->place, 0, sizeof(count->place));
		count->seals = day->seals;
		count->tries++;
	}
	if (count->tries > TRIES_IN_SLICES)
		counting->deadline_us = INT64_MAX;
	count->snapshot = counting->snapshot;
	int result = count_blocks(day, txn, counting, err);
	return result == 1 && hot_rows_count(day, txn, &count->stats.hot_rows, err) != 0 ? -1 : result;
}

static void end_count(const struct store *store, struct day_count *count)
{
	uint64_t *hot_rows = &count->stats.hot_rows;

	*hot_rows -= count->tombstones < *hot_rows ? count->tombstones : *hot_rows;
	count->stats.bytes = store_day_bytes(store, count->stats.day);
}

int store_count_day(struct store *store, struct day_count *count, int64_t deadline_us, struct error *err)
{
	struct counting counting = { .count = count, .snapshot = store->snapshot };
	struct day *day = store_day(store, count->stats.day, false, err);
	int result = 1;

	if (!day)
		return err->code == ERROR_NONE ? error_set(err, ERROR_NOT_FOUND, "there are no records of that day") :
		                                 -1;
	MDB_txn *txn = env_read(&day->env, err);
	if (!txn)
		return -1;
	while (result == 1 && count->stage < STAGE_FILES) {
		counting.deadline_us = deadline_us;
		result = count->stage == STAGE_BLOCKS ? count_rows(day, txn, &counting, err) :
		                                        count_tombstones(day, txn, &counting, err);
		if (result != 1)
			break;
		count->stage++;
		memset(count->place, 0, sizeof(count->place));
	}
	result = env_read_end(&day->env, txn, result, err);
	if (result == 1)
		end_count(store, count);
	return result;
}
