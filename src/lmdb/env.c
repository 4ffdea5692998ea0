/* SPDX-License-Identifier: ISC */
/*
 * env.c: LMDB, wrapped once. See env.h.
 *
 * LMDB syncs its files but not the directory entries that lead to them. A new environment is made in a file of another
 * name, which gets its own when all of it is on disk, so that one that is there is whole, whenever power went. Before
 * the first commit its name and that of its directory are synced.
 */
#include "lmdb/env.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/directory.h"
#include "base/log.h"
#include "lmdb/map_guard.h"

#define DISK_FULL_BYTES ((uint64_t)1 << 20)
#define LOCK_FILE_BYTES 8192 /* with LMDB's own number of readers, 126 */
#define RETRY_US CLOCK_US_PER_SECOND
#define NEW_NAME "data.mdb.new"

/* LMDB reports a short write as EIO. */
static bool disk_is_full(const char *path)
{
	struct statvfs st;

	return statvfs(path, &st) == 0 && st.f_bavail * st.f_frsize < DISK_FULL_BYTES;
}

int env_fail(const struct env *env, int rc, const char *doing, struct error *err)
{
	if (rc == EIO && disk_is_full(env->path))
		rc = ENOSPC;
	if (rc > 0)
		return error_set_errno(err, rc, "%s: %s", env->path, doing);
	if (rc == MDB_MAP_FULL)
		return error_set(err, ERROR_FULL, "%s: %s: the map size set for it is used up", env->path, doing);
	if (rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_PANIC || rc == MDB_INVALID)
		return error_set(err, ERROR_CORRUPT, "%s: %s: %s", env->path, doing, mdb_strerror(rc));
	return error_set(err, ERROR_IO, "%s: %s: %s", env->path, doing, mdb_strerror(rc));
}

/*
 * LMDB makes its lock file with ftruncate and maps it: on a full disk the first write to a page of it would raise
 * SIGBUS. Reserving its blocks here makes that an error. (No lock is held yet that closing the file could lose.)
 */
static int reserve_lock_file(const char *path, struct error *err)
{
	struct buf name = { 0 };
	struct stat st;

	buf_addf(&name, "%s/lock.mdb", path);
	int fd = buf_cstr(&name) ? open(name.data, O_RDWR | O_CREAT | O_CLOEXEC, 0640) : -1;
	int number = fd < 0 || fstat(fd, &st) != 0 ?
	                     errno :
	                     posix_fallocate(fd, 0, st.st_size > LOCK_FILE_BYTES ? st.st_size : LOCK_FILE_BYTES);
	if (fd >= 0)
		close(fd);
	buf_free(&name);
	return number ? error_set_errno(err, number, "%s: reserve lock.mdb", path) : 0;
}

static size_t last_commit(const struct env *env)
{
	MDB_envinfo info;

	mdb_env_info(env->mdb, &info);
	return info.me_last_txnid;
}

static int open_mdb(struct env *env, const char *path, unsigned flags, struct error *err)
{
	int rc = mdb_env_create(&env->mdb);

	if (!rc)
		rc = mdb_env_set_mapsize(env->mdb, env->map_bytes);
	if (!rc)
		rc = mdb_env_set_maxdbs(env->mdb, ENV_DBS_MAX);
	if (!rc)
		rc = mdb_env_open(env->mdb, path, MDB_NOTLS | flags, 0640);
	return rc ? env_fail(env, rc, "open", err) : 0;
}

static int open_databases(struct env *env, struct error *err)
{
	MDB_txn *txn = env_write(env, err);

	if (!txn)
		return -1;
	const struct env_db *dbs = env->dbs;
	for (size_t i = 0; dbs[i].name; i++) {
		int rc = mdb_dbi_open(txn, dbs[i].name, dbs[i].flags | MDB_CREATE, &env->dbi[i]);

		if (rc)
			return env_fail(env, rc, dbs[i].name, err);
	}
	return env_commit(env, err);
}

/* An environment with its databases, all of it on disk, in a single file. */
static int make_file(struct env *env, const char *path, struct error *err)
{
	int result = open_mdb(env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, err);

	if (result == 0)
		result = open_databases(env, err);
	int rc = result == 0 ? mdb_env_sync(env->mdb, 1) : 0;
	if (rc)
		result = env_fail(env, rc, "sync", err);
	env_abort(env);
	if (env->mdb)
		mdb_env_close(env->mdb);
	env->mdb = NULL;
	return result;
}

/* Gives the directory an environment. */
static int make_new(struct env *env, const char *path, struct error *err)
{
	struct buf fresh = { 0 };
	int result;

	buf_addf(&fresh, "%s/" NEW_NAME, env->path);
	if (!buf_cstr(&fresh))
		return error_set(err, ERROR_NOMEM, "%s: out of memory", env->path);
	if (unlink(fresh.data) != 0 && errno != ENOENT) /* a crash has left it */
		result = error_set_errno(err, errno, "%s: remove", fresh.data);
	else
		result = make_file(env, fresh.data, err);
	if (result == 0 && rename(fresh.data, path) != 0)
		result = error_set_errno(err, errno, "%s: rename", fresh.data);
	if (result == 0)
		result = directory_sync(env->path, err);
	else
		(void)unlink(fresh.data);
	buf_free(&fresh);
	return result;
}

/* An empty file is what older versions may have left in a crash. */
static int make_if_missing(struct env *env, struct error *err)
{
	struct buf path = { 0 };
	int is_there = env_has_data(env->path, err);

	if (is_there != 0)
		return is_there < 0 ? -1 : 0;
	buf_addf(&path, "%s/data.mdb", env->path);
	int result = buf_cstr(&path) ? make_new(env, path.data, err) :
	                               error_set(err, ERROR_NOMEM, "%s: out of memory", env->path);
	buf_free(&path);
	return result;
}

/* --- its pages in memory --- */

#define MAIN_DBI 1
#define META_MAGIC_AT 16
#define META_MAGIC UINT32_C(0xBEEFC0DE)

/* Where the map begins, which LMDB does not say: a page starts with its number, and the first database's entry
 * stands in a page of the main one. NULL if that does not lead to the first meta page. */
static const void *find_map(const struct env *env, MDB_txn *txn, size_t page_bytes)
{
	MDB_val key = env_val(env->dbs[0].name, strlen(env->dbs[0].name)), val;
	MDB_envinfo info;
	uint64_t number;
	uint32_t magic;

	if (mdb_get(txn, MAIN_DBI, &key, &val) != 0 || mdb_env_info(env->mdb, &info) != 0)
		return NULL;
	const uint8_t *page = (const uint8_t *)val.mv_data - (uintptr_t)val.mv_data % page_bytes;
	memcpy(&number, page, sizeof(number));
	if (number > info.me_last_pgno)
		return NULL;
	const uint8_t *map = page - number * page_bytes;
	memcpy(&magic, map + META_MAGIC_AT, sizeof(magic));
	return magic == META_MAGIC ? map : NULL;
}

static int guard_map(struct env *env, struct error *err)
{
	MDB_txn *txn = env_read(env, err);
	MDB_stat stat;

	if (!txn)
		return -1;
	env->map = mdb_env_stat(env->mdb, &stat) == 0 ? find_map(env, txn, stat.ms_psize) : NULL;
	if (env->map && map_guard_add(env->map, env->map_bytes, MAP_GUARD_LMDB, map_guard_set, env->lost) != 0) {
		env->map = NULL;
		return env_read_end(env, txn, error_set(err, ERROR_NOMEM, "%s: out of memory", env->path), err);
	}
	if (!env->map)
		log_warn("store", "%s: its map is not found; a page that cannot be read will end the daemon",
		         env->path);
	return env_read_end(env, txn, 0, err);
}

static int fail_lost(struct env *env, struct error *err)
{
	if (!env->broken)
		log_error("store", "%s: pages cannot be read; nothing of it is used until it is reopened", env->path);
	env->broken = true;
	return error_set(err, ERROR_CORRUPT, "%s: pages cannot be read", env->path);
}

static int open_made(struct env *env, struct error *err)
{
	if (reserve_lock_file(env->path, err) != 0)
		return -1;
	env->lost = calloc(1, sizeof(*env->lost));
	if (!env->lost)
		return error_set(err, ERROR_NOMEM, "%s: out of memory", env->path);
	if (open_mdb(env, env->path, 0, err) != 0 || env_check_size(env, err) != 0)
		return -1;
	map_guard_install();
	map_guard_catch(map_guard_set, env->lost);
	int result = open_databases(env, err) != 0 || guard_map(env, err) != 0 ? -1 : 0;
	map_guard_catch(NULL, NULL);
	if (result != 0)
		return -1;
	/* One left by a process that ended before its first commit is as good as new. */
	env->is_new = env->is_new || last_commit(env) <= 1;
	env->is_rested = true;
	return 0;
}

void env_remove(const char *path)
{
	static const char *const names[] = { "data.mdb", "lock.mdb", NEW_NAME };
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; dir >= 0 && i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlinkat(dir, names[i], 0);
	if (dir >= 0)
		close(dir);
	(void)rmdir(path);
}

int env_open(struct env *env, const char *path, size_t map_bytes, const struct env_db *dbs, struct error *err)
{
	*env = (struct env){ .path = strdup(path), .dbs = dbs, .map_bytes = map_bytes };
	if (!env->path)
		return error_set(err, ERROR_NOMEM, "%s: out of memory", path);
	bool made = mkdir(path, 0750) == 0;
	if (!made && errno != EEXIST) {
		error_set_errno(err, errno, "%s: make directory", path);
		env_close(env);
		return -1;
	}
	if (make_if_missing(env, err) == 0 && open_made(env, err) == 0)
		return 0;
	env_close(env);
	if (made) /* one that could not be opened, on a full disk, is not left as if it had records */
		env_remove(path);
	return -1;
}

static void drop_spare(struct env *env)
{
	if (env->spare)
		mdb_txn_abort(env->spare);
	env->spare = NULL;
}

static void close_mdb(struct env *env)
{
	env_abort(env);
	drop_spare(env);
	map_guard_remove(env->map);
	free(env->lost);
	env->map = env->lost = NULL;
	if (env->mdb)
		mdb_env_close(env->mdb);
	env->mdb = NULL;
}

void env_close(struct env *env)
{
	close_mdb(env);
	free(env->path);
	memset(env, 0, sizeof(*env));
}

/* --- one that is broken --- */

static void set_broken(struct env *env)
{
	if (!env->broken)
		log_error("store", "%s: LMDB cannot continue after a failed write; it is reopened", env->path);
	env->broken = true;
	env->retry_us = 0;
}

int env_has_data(const char *path, struct error *err)
{
	struct buf file = { 0 };
	struct stat st;

	buf_addf(&file, "%s/data.mdb", path);
	int number = buf_cstr(&file) ? 0 : ENOMEM;
	if (number == 0 && stat(file.data, &st) != 0)
		number = errno;
	buf_free(&file);
	if (number != 0 && number != ENOENT && number != ENOTDIR)
		return error_set_errno(err, number, "%s: data.mdb", path);
	return number == 0 && st.st_size > 0;
}

int env_check_there(const char *path, struct error *err)
{
	int is_there = env_has_data(path, err);

	if (is_there == 0)
		error_set(err, ERROR_CORRUPT, "%s: data.mdb is missing or empty", path);
	return is_there > 0 ? 0 : -1;
}

static int reopen(struct env *env, struct error *err)
{
	int64_t now_us = clock_monotonic_us();

	if (env_is_lost(env) && env->kept)
		return fail_lost(env, err);
	if (env->reading > 0 || env->write || now_us < env->retry_us)
		return error_set(err, ERROR_IO,
		                 "%s: does not work since a write or a read failed, and waits to be reopened",
		                 env->path);
	close_mdb(env);
	env->committed = 0;
	env->broken = false;
	if (env_check_there(env->path, err) != 0 || open_made(env, err) != 0) {
		close_mdb(env);
		env->broken = true;
		env->retry_us = now_us + RETRY_US;
		log_error("store", "%s: cannot be reopened: %s", env->path, err->message);
		return -1;
	}
	env->reopened++;
	log_info("store", "%s: reopened", env->path);
	return 0;
}

void env_rest(struct env *env)
{
	struct error err;

	if (env->is_rested || !env->mdb || env->broken || env_is_lost(env) || env->reading > 0 || env->write)
		return;
	close_mdb(env);
	if (env_check_there(env->path, &err) == 0 && open_made(env, &err) == 0)
		return;
	log_error("store", "%s: cannot be opened again: %s", env->path, err.message);
	close_mdb(env);
	env->broken = true;
	env->retry_us = 0; /* nobody has waited for it yet */
}

/* Begins a transaction, after reopening the environment if need be; `flags` of mdb_txn_begin. */
static MDB_txn *begin(struct env *env, unsigned flags, const char *doing, struct error *err)
{
	MDB_txn *txn = NULL;

	for (bool again = false;; again = true) {
		if (env->broken && reopen(env, err) != 0)
			return NULL;
		int rc = mdb_txn_begin(env->mdb, NULL, flags, &txn);
		if (!rc && env_is_lost(env)) {
			mdb_txn_abort(txn);
			fail_lost(env, err);
			return NULL;
		}
		if (!rc)
			return txn;
		if (rc != MDB_PANIC || again) {
			env_fail(env, rc, doing, err);
			return NULL;
		}
		set_broken(env);
	}
}

/* After a failed commit: is the environment still usable? */
static void look_for_panic(struct env *env)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &txn);

	if (!rc)
		mdb_txn_abort(txn);
	if (rc == MDB_PANIC)
		set_broken(env);
}

/* --- transactions --- */

MDB_txn *env_write(struct env *env, struct error *err)
{
	if (env_is_lost(env)) { /* open transactions may have read pages that are not the file's */
		fail_lost(env, err);
		if (env->write)
			return NULL;
	}
	if (!env->write)
		env->write = begin(env, 0, "begin", err);
	return env->write;
}

int env_put(struct env *env, size_t db, struct str key, struct str value, struct error *err)
{
	MDB_val k = env_val(key.p, key.len), v = env_val(value.p, value.len);
	MDB_txn *txn = env_write(env, err);
	int rc = txn ? mdb_put(txn, env->dbi[db], &k, &v, 0) : 0;

	if (!txn)
		return -1;
	return rc ? env_fail(env, rc, "put", err) : 0;
}

/* Before the commit: where it fails nothing is committed, so that it is tried again though the environment be closed. */
static int sync_names(struct env *env, struct error *err)
{
	if (env->is_new && (directory_sync(env->path, err) != 0 || directory_sync_parent(env->path, err) != 0))
		return -1;
	env->is_new = false;
	return 0;
}

/* Where it fails, env_sync tells. */
static void begin_to_write(const struct env *env)
{
	int fd;

	if (env->syncs_later && mdb_env_get_fd(env->mdb, &fd) == 0)
		(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int env_commit(struct env *env, struct error *err)
{
	if (!env->write)
		return 0;
	drop_spare(env);
	if (env_is_lost(env)) {
		env_abort(env);
		return fail_lost(env, err);
	}
	if (sync_names(env, err) != 0) {
		env_abort(env);
		return -1;
	}
	int rc = mdb_txn_commit(env->write);
	env->is_rested = false;
	env->write = NULL;
	env->cursor = NULL;
	env->committed = last_commit(env);
	if (rc) {
		env->dropped++;
		look_for_panic(env);
		return env_fail(env, rc, "commit", err);
	}
	begin_to_write(env);
	return 0;
}

void env_sync_later(struct env *env)
{
	if (env->mdb && mdb_env_set_flags(env->mdb, MDB_NOSYNC, 1) == 0)
		env->syncs_later = true;
}

int env_sync_at_once(struct env *env, struct error *err)
{
	if (env->mdb && env->syncs_later) {
		int rc = mdb_env_set_flags(env->mdb, MDB_NOSYNC, 0);

		if (rc)
			return env_fail(env, rc, "set flags", err);
		env->syncs_later = false;
	}
	return env_sync(env, err);
}

int env_sync(struct env *env, struct error *err)
{
	int rc = env->mdb ? mdb_env_sync(env->mdb, 1) : 0;

	return rc ? env_fail(env, rc, "sync", err) : 0;
}

void env_abort(struct env *env)
{
	if (env->write) {
		mdb_txn_abort(env->write);
		env->dropped++;
	}
	env->write = NULL;
	env->cursor = NULL;
}

MDB_txn *env_read(struct env *env, struct error *err)
{
	if (env_is_lost(env)) {
		fail_lost(env, err);
		drop_spare(env);
	}
	MDB_txn *txn = env->spare;
	env->spare = NULL;
	if (!txn)
		txn = begin(env, MDB_RDONLY, "begin read", err);
	env->reading += txn != NULL;
	return txn;
}

int env_read_end(struct env *env, MDB_txn *txn, int result, struct error *err)
{
	env->reading--;
	if (env_is_lost(env))
		result = fail_lost(env, err);
	if (env->spare || env->broken || mdb_txn_id(txn) < env->committed)
		mdb_txn_abort(txn);
	else
		env->spare = txn;
	return result;
}
