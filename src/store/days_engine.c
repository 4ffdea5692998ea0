/* SPDX-License-Identifier: ISC */
/*
 * days_engine.c: the engine of LMDB environments, one a day: the format, days and sequence numbers, and commits. See
 * store.h.
 *
 *	data_dir/moves      records that are about to change their days (moves.h)
 *	meta.h's numbers    "format", "seq_reserved" and "ids_as_given_before", text of a number
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/id.h"
#include "base/invariant.h"
#include "base/log.h"
#include "store/blocks/bundle.h"
#include "store/blocks/row_cache.h"
#include "store/hot_backup.h"
#include "store/days/day_list.h"
#include "lmdb/map_guard.h"
#include "store/erased.h"
#include "store/putting/moves.h"
#include "store/sealing/repack.h"
#include "store/sealing/seal.h"
#include "store/sealing/upgrade.h"
#include "store/takeover.h"
#include "store/days_store.h"

#define STORE_FORMAT 3         /* that is written: small blocks are in bundles, accounts have keys */
#define STORE_FORMAT_COLUMNS 2 /* has neither; needs no upgrade, as what was written before may stay */
#define STORE_FORMAT_OLDEST 1  /* that is read: its blocks have no columns part, its hot rows another key */

#define NOTES_KEPT_BYTES 65536 /* of what a day notes until a commit */

#define ROWS_KEPT_US (300 * CLOCK_US_PER_SECOND) /* found rows */

/* Numbers reserved at a time. A restart skips what is left of them; 2^64 lasts. */
#define SEQ_RESERVE (UINT64_C(1) << 24)

static int path_join(struct buf *out, const char *dir, const char *name, struct error *err)
{
	buf_clear(out);
	buf_addf(out, "%s/%s", dir, name);
	return buf_cstr(out) ? 0 : error_set(err, ERROR_NOMEM, "%s: out of memory", dir);
}

/* What was written before this number existed: all existing days. */
static int check_ids(struct store *store, bool is_new, struct error *err)
{
	static const char name[] = "ids_as_given_before";
	uint64_t before;

	if (meta_get_number(store->meta, name, &before, err) != 0)
		return -1;
	if (before == 0) {
		int32_t last = is_new || store->days_count == 0 ? 0 : store->day_numbers[store->days_count - 1];

		before = last > 0 ? (uint64_t)last + 1 : 1;
		if (meta_set_number(store->meta, name, before, err) != 0)
			return -1;
	}
	store->ids_as_given_before = before < INT32_MAX ? (int32_t)before : INT32_MAX;
	return 0;
}

static int check_format(struct store *store, struct error *err)
{
	uint64_t format;

	if (meta_get_number(store->meta, "format", &format, err) != 0)
		return -1;
	if (format <= STORE_FORMAT && check_ids(store, format == 0, err) != 0)
		return -1;
	if (format != 0 && (format < STORE_FORMAT_OLDEST || format > STORE_FORMAT))
		return error_set(err, ERROR_INVALID,
		                 "data_dir %s: format %llu, but this cdrd %s reads formats %d to %d only",
		                 store->options.data_dir, (unsigned long long)format,
		                 format > STORE_FORMAT ? "is older and" : "is newer and", STORE_FORMAT_OLDEST,
		                 STORE_FORMAT);
	if (format == STORE_FORMAT)
		return 0;
	if (format > 0 && format < STORE_FORMAT_COLUMNS)
		return upgrade_begin(store, STORE_FORMAT, err);
	return meta_set_number(store->meta, "format", STORE_FORMAT, err);
}

/* Every number given out before was at most the reserve, whatever a crash lost. */
static int load_seq(struct store *store, struct error *err)
{
	if (meta_get_number(store->meta, "seq_reserved", &store->reserved_seq, err) != 0)
		return -1;
	store->last_seq = store->snapshot = store->reserved_seq;
	/* Changes from before the start are not known. */
	for (size_t i = 0; i < STORE_CHANGED_SLOTS; i++)
		store->changed[i] = store->last_seq;
	return 0;
}

int store_take_seqs(struct store *store, uint64_t count, uint64_t *first, struct error *err)
{
	uint64_t left = store->reserved_seq - store->last_seq;

	if (left < count) {
		uint64_t reserved = store->reserved_seq + (count - left + SEQ_RESERVE - 1) / SEQ_RESERVE * SEQ_RESERVE;

		if (meta_set_number(store->meta, "seq_reserved", reserved, err) != 0)
			return -1;
		store->reserved_seq = reserved;
	}
	INVARIANT(store->reserved_seq - store->last_seq >= count);
	*first = store->last_seq + 1;
	store->last_seq += count;
	return 0;
}

int store_next_seq(struct store *store, uint64_t *seq, struct error *err)
{
	return store_take_seqs(store, 1, seq, err);
}

/* Without it, filters are not trusted after a restart of the daemon either: slower, not wrong. */
static void read_boot_id(uint8_t out[16])
{
	char text[64] = "";
	uint8_t *at = out;
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	if (fd >= 0)
		close(fd);
	id_random(out, 16);
	if (len < ID_UUID_LEN || !id_is_uuid((struct str){ text, ID_UUID_LEN }))
		return;
	for (int i = 0; i < ID_UUID_LEN; i++) {
		unsigned byte;

		if (text[i] != '-' && sscanf(text + i++, "%2x", &byte) == 1)
			*at++ = (uint8_t)byte;
	}
}

static void days_close_all(struct store *store);

static int days_open(struct store **out, const struct store_options *options, struct error *err)
{
	struct buf path = { 0 };
	struct store *store = calloc(1, sizeof(*store));

	if (!store)
		return error_set(err, ERROR_NOMEM, "store: out of memory");
	store->head.ops = options->engine ? options->engine : &store_days_engine;
	store->options = *options;
	store->meta = options->meta;
	map_guard_install();
	read_boot_id(store->boot_id);
	if (!store->options.seal_rows)
		store->options.seal_rows = STORE_SEAL_ROWS;
	if (!store->options.seal_part_rows)
		store->options.seal_part_rows = STORE_SEAL_PART_ROWS;
	if (!store->options.seal_age_us)
		store->options.seal_age_us = STORE_SEAL_AGE_US;
	store->options.data_dir = strdup(options->data_dir);
	if (!store->options.data_dir) {
		error_set(err, ERROR_NOMEM, "store: out of memory");
		goto fail;
	}
	if (path_join(&path, options->data_dir, "days", err) != 0 || directory_make(path.data, err) != 0 ||
	    days_list(store, err) != 0)
		goto fail;
	if (check_format(store, err) != 0 || load_seq(store, err) != 0 || repack_load_demands(store, err) != 0 ||
	    upgrade_load(store, err) != 0 || day_list_load(store, err) != 0 || moves_open(store, err) != 0 ||
	    store_clock_load(store, err) != 0 || erased_load(store, err) != 0)
		goto fail;
	moves_finish(store);
	buf_free(&path);
	*out = store;
	return 0;
fail:
	buf_free(&path);
	days_close_all(store);
	return -1;
}

static void days_close_all(struct store *store)
{
	takeover_close(store);
	while (store->days_count)
		days_remove(store, store->days_count - 1);
	seal_free(store);
	repack_forget(store);
	hot_backup_forget(store);
	(void)store_readers_rest(store, INT64_MAX);
	block_reader_free(&store->put_reader);
	block_tools_free(&store->tools);
	store_forget_rows(store);
	buf_free(&store->row);
	buf_free(&store->merged);
	moves_close(store->moves);
	erased_free(store);
	free(store->days);
	free(store->day_numbers);
	free((char *)(uintptr_t)store->options.data_dir);
	free(store);
}

struct block_reader *store_reader_take(struct store *store, struct error *err)
{
	struct block_reader *reader = store->readers;

	if (reader) {
		store->readers = reader->next;
		return reader;
	}
	reader = calloc(1, sizeof(*reader));
	if (reader)
		reader->tools = &store->tools;
	else
		error_set(err, ERROR_NOMEM, "reader of blocks: out of memory");
	return reader;
}

struct block_reader *store_reader_take_for_rows(struct store *store, struct error *err)
{
	struct block_reader *reader = store_reader_take(store, err);

	if (!store->rows)
		store->rows = row_cache_new(ROWS_KEPT_US); /* it does without where there is no memory */
	if (reader)
		reader->rows = store->rows;
	return reader;
}

void store_forget_rows(struct store *store)
{
	row_cache_free(store->rows);
	store->rows = NULL;
}

void store_reader_give(struct store *store, struct block_reader *reader)
{
	reader->rows = NULL;
	block_reader_drop_extra(reader);
	reader->given_us = clock_monotonic_us();
	reader->next = store->readers;
	store->readers = reader;
}

bool store_readers_rest(struct store *store, int64_t before_us)
{
	struct block_reader **first = &store->readers, *reader, *next;

	while (*first && (*first)->given_us >= before_us)
		first = &(*first)->next;
	bool any = *first != NULL;
	for (reader = *first; reader; reader = next) {
		next = reader->next;
		block_reader_free(reader);
		free(reader);
	}
	*first = NULL;
	return any;
}

static uint64_t days_snapshot(const struct store *store)
{
	return store->snapshot;
}

static size_t days_uncommitted(const struct store *store)
{
	return store->uncommitted;
}

/* Hundreds of days may have needed much for one commit. */
static void empty(struct buf *buf)
{
	if (buf->cap > NOTES_KEPT_BYTES)
		buf_free(buf);
	else
		buf_clear(buf);
}

static void forget_removed(struct day *day)
{
	empty(&day->removed);
	empty(&day->sealed_ids);
	empty(&day->unsealed_seqs);
}

/* Its transaction has ended without effect. */
static void forget_uncommitted(struct day *day)
{
	day->blocks_changed = day->gains = day->has_puts = day->has_moved = false;
	/* A commit that has failed late may have changed it all the same. */
	day->seals++;
	day->moves++;
	empty(&day->touched);
	forget_removed(day);
	bundle_forget(day);
	hot_free(&day->hot); /* what it knows may not have been committed */
}

/* Rows that were sealed are found in their blocks from now on; those that were purged are not found. */
static void drop_removed(struct day *day)
{
	if (day->unsealed_seqs.failed)
		hot_free(&day->hot); /* to be loaded again */
	else
		hot_drop(&day->hot, buf_str(&day->sealed_ids), &day->removed, &day->unsealed_seqs);
	forget_removed(day);
}

static uint64_t days_aborts(const struct store *store)
{
	return store->aborts;
}

void store_abort(struct store *store)
{
	store->aborts++;
	for (size_t i = 0; i < store->days_count; i++) {
		struct day *day = store->days[i];

		if (!day->env.write)
			continue;
		env_abort(&day->env);
		forget_uncommitted(day);
	}
	seal_forget(store);
	moves_drop(store);
	store->uncommitted = 0;
}

static int commit_day(struct store *store, struct day *day, struct error *err)
{
	day->changed_us = clock_monotonic_us();
	if (day->has_puts)
		store->put_us = day->put_us = day->changed_us;
	day->has_puts = false;
	day->swept = false;
	if ((day->env.write && bundle_flush(day, err) != 0) || env_commit(&day->env, err) != 0) {
		forget_uncommitted(day);
		return -1;
	}
	store->lists_days |= !day->is_listed;
	day->is_listed = true;
	day->seals += day->blocks_changed;
	day->moves += day->has_moved;
	day->blocks_changed = day->gains = day->has_moved = false;
	if (day->touched.len || day->touched.failed)
		empty(&day->touched);
	if (day->removed.len)
		drop_removed(day);
	return 0;
}

/* In order, but for records that change their days: the new day is committed before the old one, unless others move the
 * other way. */
static int commit_days(struct store *store, struct error *err)
{
	if (moves_write(store, err) != 0)
		return -1;
	for (size_t i = 0; i < store->days_count; i++)
		if (store->days[i]->gains && commit_day(store, store->days[i], err) != 0)
			return -1;
	for (size_t i = 0; i < store->days_count; i++)
		if (store->days[i]->env.write && commit_day(store, store->days[i], err) != 0)
			return -1;
	for (size_t i = 0; i < store->days_count; i++)
		INVARIANT(!store->days[i]->env.write);
	moves_done(store);
	return 0;
}

static void note_commit(struct store *store, int result, const struct error *err)
{
	if (result == 0) {
		store->commits_failed = 0;
		return;
	}
	store->commits_failed++;
	store->failure = *err;
}

int days_commit(struct store *store, struct error *err)
{
	bool wrote = store->uncommitted > 0;
	int result = commit_days(store, err);

	if (result != 0 || wrote)
		note_commit(store, result, err);
	if (result != 0 || day_list_write(store, err) != 0) {
		store_abort(store);
		return -1;
	}
	INVARIANT(store->last_seq >= store->snapshot && store->last_seq <= store->reserved_seq);
	store->snapshot = store->last_seq;
	store->uncommitted = 0;
	/* A commit of many days has kept all of them open. */
	days_close_down_to(store, (size_t)store->options.days_open_max);
	if (moves_are_left(store))
		moves_finish(store);
	return 0;
}

static void put_and_tell(struct store *store, const struct record *record, int64_t time_us,
                         const struct store_versions *versions, store_put_fn done, void *arg)
{
	enum store_put_result result = STORE_ACCEPTED;
	struct error err;
	int failed = days_put(store, record, time_us, versions, &result, &err);

	done(arg, result, failed ? &err : NULL);
}

static void commit_and_tell(struct store *store, store_commit_fn done, void *arg)
{
	struct error err;
	int failed = days_commit(store, &err);

	done(arg, failed ? &err : NULL);
}

const struct store_ops store_days_engine = {
	.name = "days",
	.open = days_open,
	.close = days_close_all,
	.put = put_and_tell,
	.expect = days_expect,
	.commit = commit_and_tell,
	.abort = store_abort,
	.uncommitted = days_uncommitted,
	.aborts = days_aborts,
	.snapshot = days_snapshot,
	.scan = days_scan,
	.share = days_share,
	.find = days_find,
	.aggregate = days_aggregate,
	.changes = days_changes,
	.may_have_changes = days_may_have_changes,
	.erase = days_erase,
	.days = days_listed,
	.remove_days_before = days_remove_before,
};
