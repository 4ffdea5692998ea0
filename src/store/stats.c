/* SPDX-License-Identifier: ISC */
/*
 * stats.c: how much there is. See store_stats, store_day_stats and store_metrics in
 * store.h.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "store/days/hot_rows.h"
#include "store/days_store.h"
#include "store/sealing/upgrade.h"
#include "store/tombstones.h"

#define LOOK_EVERY 256 /* hot rows between looks at the clock */

static void add_file(const struct store *store, const char *name, uint64_t *bytes)
{
	char path[PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s/%s", store->options.data_dir, name) < PATH_MAX && stat(path, &st) == 0)
		*bytes += (uint64_t)st.st_blocks * 512;
}

static void add_day_files(const struct store *store, int32_t number, uint64_t *bytes)
{
	static const char *const files[] = { "data.mdb", "ids.filter" };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct buf name = { 0 };

		buf_add_text(&name, "days/");
		clock_format_day(&name, number);
		buf_addf(&name, "/%s", files[i]);
		if (buf_cstr(&name))
			add_file(store, name.data, bytes);
		buf_free(&name);
	}
}

static int add_blocks(struct day *day, MDB_txn *txn, struct store_day_stats *stats, struct error *err)
{
	MDB_cursor *cursor;
	MDB_val key, val;
	int rc = mdb_cursor_open(txn, day->env.dbi[DAY_BLOCKS], &cursor);

	if (rc)
		return env_fail(&day->env, rc, "open cursor", err);
	for (rc = mdb_cursor_get(cursor, &key, &val, MDB_FIRST); !rc;
	     rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) {
		struct day_block block;

		if (!day_block_read(val, &block))
			break;
		stats->blocks++;
		stats->sealed_rows += block.rows;
		stats->deleted_rows += block.deleted;
		stats->block_bytes += block.value_bytes;
		stats->csv_bytes += block.csv_bytes;
		int is_old = day->is_old ? upgrade_is_old(day, txn, key, err) : 0;
		if (is_old < 0) {
			mdb_cursor_close(cursor);
			return -1;
		}
		stats->old_blocks += (uint64_t)is_old;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : env_fail(&day->env, rc ? rc : MDB_CORRUPTED, "read blocks", err);
}

int store_day_stats(struct store *store, int32_t number, struct store_day_stats *stats, struct error *err)
{
	struct day *day = store_day(store, number, false, err);

	*stats = (struct store_day_stats){ .day = number };
	if (!day)
		return err->code == ERROR_NONE ? error_set(err, ERROR_NOT_FOUND, "there are no records of that day") :
		                                 -1;
	MDB_txn *txn = env_read(&day->env, err);
	if (!txn)
		return -1;
	/* Tombstones among them count too: tombstones.h */
	int result = hot_rows_count(day, txn, &stats->hot_rows, err);
	if (result == 0)
		result = add_blocks(day, txn, stats, err);
	result = env_read_end(&day->env, txn, result, err);
	add_day_files(store, number, &stats->bytes);
	return result;
}

struct tombstone_walk {
	struct tombstones *tombstones;
	int64_t deadline_us;
	unsigned seen;
};

/* A hot_row_fn. */
static int count_tombstone(void *arg, const struct hot_place *place, MDB_val val, struct error *err)
{
	struct tombstone_walk *walk = arg;
	struct day_tombstone tombstone;

	(void)place;
	(void)err;
	walk->tombstones->count += day_tombstone_read(val, &tombstone);
	return ++walk->seen % LOOK_EVERY == 0 && clock_monotonic_us() >= walk->deadline_us;
}

int tombstones_count(struct store *store, struct tombstones *tombstones, int64_t deadline_us, struct error *err)
{
	struct tombstone_walk walk = { .tombstones = tombstones, .deadline_us = deadline_us };
	struct hot_place place;
	int result;

	_Static_assert(sizeof(place) <= sizeof(tombstones->place), "a place in a walk over hot rows");
	struct day *day = store_day(store, tombstones->day, false, err);
	if (!day)
		return err->code == ERROR_NONE ? 1 : -1;
	MDB_txn *txn = env_read(&day->env, err);
	if (!txn)
		return -1;
	memcpy(&place, tombstones->place, sizeof(place));
	do
		result = hot_rows_each(day, txn, &place, count_tombstone, &walk, err);
	while (result == 0 && clock_monotonic_us() < deadline_us);
	memcpy(tombstones->place, &place, sizeof(place));
	return env_read_end(&day->env, txn, result, err);
}

int store_stats(struct store *store, bool all, struct store_stats *stats, struct error *err)
{
	*stats = (struct store_stats){ .days = store->days_count };
	add_file(store, "catalog/data.mdb", &stats->bytes);
	for (size_t i = 0; i < store->days_count; i++) {
		struct store_day_stats day;

		if (!all && !store->days[i]->is_open) {
			add_day_files(store, store->day_numbers[i], &stats->bytes);
			continue;
		}
		if (store_day_stats(store, store->day_numbers[i], &day, err) != 0) {
			if (all)
				return -1;
			add_day_files(store, store->day_numbers[i], &stats->bytes);
			continue;
		}
		stats->records += day.hot_rows + day.sealed_rows - day.deleted_rows;
		stats->bytes += day.bytes;
	}
	stats->days_open = store->days_open;
	return 0;
}

static void add_env(const struct env *env, struct store_env_stats *stats)
{
	MDB_envinfo info;
	MDB_stat stat;

	if (!env->mdb || mdb_env_info(env->mdb, &info) || mdb_env_stat(env->mdb, &stat))
		return;
	uint64_t used = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
	bool fuller = (double)used * (double)stats->fullest_map_bytes >
	              (double)stats->fullest_used_bytes * (double)info.me_mapsize;
	if (stats->count == 0 || fuller) {
		stats->fullest_used_bytes = used;
		stats->fullest_map_bytes = info.me_mapsize;
	}
	stats->count++;
	stats->map_bytes += info.me_mapsize;
	stats->used_bytes += used;
	stats->readers += info.me_numreaders;
	stats->reader_slots += info.me_maxreaders;
}

void store_metrics(const struct store *store, struct store_metrics *metrics)
{
	*metrics = (struct store_metrics){ .days = store->days_count, .sealing = store->sealing };
	add_env(meta_env(store->meta), &metrics->catalog);
	for (size_t i = 0; i < store->days_count; i++) {
		const struct day *day = store->days[i];

		if (!day->is_open)
			continue;
		add_env(&day->env, &metrics->open_days);
		metrics->hot_rows += day->hot.rows;
	}
}

const struct store_seal_stats *store_sealing(const struct store *store)
{
	return &store->sealing;
}
