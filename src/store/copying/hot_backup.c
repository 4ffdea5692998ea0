/* SPDX-License-Identifier: ISC */
/*
 * hot_backup.c: see hot_backup.h.
 */
#include "store/hot_backup.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/directory.h"
#include "store/copying/mirror.h"
#include "store/sealing/repack.h"
#include "store/days_store.h"

struct hot_backup {
	struct day *day; /* pinned; NULL: the catalog */
	struct env copy;
	struct env_db catalog_dbs[META_DB_DAYS + 1]; /* those of a copy, without the list of days */
	struct mirror mirror;
};

static int begin(struct store *store, struct day *day, const char *path, struct error *err)
{
	struct hot_backup *hot_backup = calloc(1, sizeof(*hot_backup));
	const struct env_db *dbs = day ? day_dbs : meta_dbs;
	size_t map_bytes = day ? store->options.day_map_bytes : meta_map_bytes(store->meta);

	if (!hot_backup)
		return error_set(err, ERROR_NOMEM, "%s: out of memory", path);
	if (env_open(&hot_backup->copy, path, map_bytes, dbs, err) != 0) {
		free(hot_backup);
		return -1;
	}
	hot_backup->day = day;
	memcpy(hot_backup->catalog_dbs, meta_dbs, META_DB_DAYS * sizeof(hot_backup->catalog_dbs[0]));
	hot_backup->mirror = (struct mirror){ .from = day ? &day->env : meta_env(store->meta),
		                              .to = &hot_backup->copy,
		                              .dbs = day ? day_dbs : hot_backup->catalog_dbs };
	if (day)
		day->pins++;
	store->hot_backup = hot_backup;
	return 0;
}

int hot_backup_begin(struct store *store, const int32_t *number, const char *path, struct error *err)
{
	struct day *day = number ? store_day(store, *number, false, err) : NULL;

	if (store->hot_backup)
		return error_set(err, ERROR_CONFLICT, "%s: another backup is being made", path);
	if (number && !day)
		return err->code == ERROR_NONE ? error_set(err, ERROR_NOT_FOUND, "%s: the day is gone", path) : -1;
	/* Repacking would replace the file that is being copied. */
	if (day && repack_is_of(store, day))
		repack_forget(store);
	return begin(store, day, path, err);
}

/* A copy needs no lock file. */
static int finish(struct store *store, struct error *err)
{
	struct env *copy = &store->hot_backup->copy;
	struct buf path = { 0 }, lock = { 0 };
	int result = 0;

	buf_add_text(&path, copy->path);
	buf_addf(&lock, "%s/lock.mdb", copy->path);
	env_close(copy);
	if (!buf_cstr(&path) || !buf_cstr(&lock))
		result = error_set(err, ERROR_NOMEM, "copying: out of memory");
	else if (unlink(lock.data) == 0)
		result = directory_sync(path.data, err);
	buf_free(&path);
	buf_free(&lock);
	hot_backup_forget(store);
	return result;
}

int hot_backup_step(struct store *store, int64_t deadline_us, bool *done, struct error *err)
{
	*done = false;
	if (!store->hot_backup)
		return error_set(err, ERROR_NOT_FOUND, "the day is gone");
	if (mirror_step(&store->hot_backup->mirror, deadline_us, done, err) == 0 && (!*done || finish(store, err) == 0))
		return 0;
	hot_backup_forget(store);
	return -1;
}

void hot_backup_forget(struct store *store)
{
	struct hot_backup *hot_backup = store->hot_backup;

	if (!hot_backup)
		return;
	mirror_free(&hot_backup->mirror);
	env_close(&hot_backup->copy);
	if (hot_backup->day)
		hot_backup->day->pins--;
	free(hot_backup);
	store->hot_backup = NULL;
}

void hot_backup_forget_day(struct store *store, const struct day *day)
{
	if (store->hot_backup && store->hot_backup->day == day)
		hot_backup_forget(store);
}
