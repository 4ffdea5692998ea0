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

uint64_t hot_backup_bytes(const struct store *store)
{
	return store->hot_backup ? store->hot_backup->mirror.bytes : 0;
}

/* --- checking one --- */

static int check_db(const struct env *env, MDB_txn *txn, MDB_dbi dbi, uint64_t *entries, struct error *err)
{
	MDB_cursor *cursor;
	MDB_val key, val;
	MDB_stat stat;
	uint64_t count = 0;
	int rc = mdb_cursor_open(txn, dbi, &cursor);

	if (rc)
		return env_fail(env, rc, "open cursor", err);
	for (rc = mdb_cursor_get(cursor, &key, &val, MDB_FIRST); !rc; rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT))
		count++;
	mdb_cursor_close(cursor);
	if (rc != MDB_NOTFOUND)
		return env_fail(env, rc, "read", err);
	rc = mdb_stat(txn, dbi, &stat);
	if (rc)
		return env_fail(env, rc, "stat", err);
	*entries += count;
	return count == stat.ms_entries ?
	               0 :
	               error_set(err, ERROR_CORRUPT, "%s: %llu entries, but says that it has %llu", env->path,
	                         (unsigned long long)count, (unsigned long long)stat.ms_entries);
}

static int check_dbs(const struct env *env, MDB_txn *txn, const struct env_db *dbs, uint64_t *entries,
                     struct error *err)
{
	for (size_t i = 0; dbs[i].name; i++) {
		MDB_dbi dbi;
		int rc = mdb_dbi_open(txn, dbs[i].name, dbs[i].flags, &dbi);

		/* One that a later version has added is made when that opens it. */
		if (rc == MDB_NOTFOUND)
			continue;
		if (rc)
			return env_fail(env, rc, dbs[i].name, err);
		if (check_db(env, txn, dbi, entries, err) != 0)
			return -1;
	}
	return 0;
}

int hot_backup_check(const char *path, bool catalog, uint64_t *entries, struct error *err)
{
	struct env env = { .path = (char *)(uintptr_t)path };
	MDB_txn *txn = NULL;

	*entries = 0;
	int rc = mdb_env_create(&env.mdb);
	if (!rc)
		rc = mdb_env_set_maxdbs(env.mdb, ENV_DBS_MAX);
	if (!rc)
		rc = mdb_env_open(env.mdb, path, MDB_RDONLY | MDB_NOLOCK, 0640);
	int result = rc ? env_fail(&env, rc, "open", err) : env_check_size(&env, err);
	if (result == 0 && (rc = mdb_txn_begin(env.mdb, NULL, MDB_RDONLY, &txn)) != 0)
		result = env_fail(&env, rc, "begin read", err);
	if (result == 0)
		result = check_dbs(&env, txn, catalog ? meta_dbs : day_dbs, entries, err);
	if (txn)
		mdb_txn_abort(txn);
	if (env.mdb)
		mdb_env_close(env.mdb);
	return result;
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
