/* SPDX-License-Identifier: ISC */
/*
 * meta.c: data_dir, its lock and the environment of everything but records. See meta.h.
 *
 *	data_dir/lock       flock, held while the daemon lives, and a byte that says so to the next one if it is killed
 */
#include "meta/meta.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/directory.h"
#include "base/invariant.h"
#include "meta/meta_env.h"

struct meta {
	struct env env;
	int lock_fd;
	bool is_synced; /* as far as is known: the next start need not do it */
	size_t map_bytes;
	struct meta_attachment attachment;
	uint64_t commits_failed; /* since the last that succeeded */
	struct error failure;    /* of the last that failed */
	struct shared *shared;   /* the catalog is in PostgreSQL, and the environment a copy; or NULL */
	const struct meta_shared_ops *ops;
	uint64_t accounts_number;
	bool account_numbers_are_held;
};

/* --- opening --- */

static int path_join(struct buf *out, const char *dir, const char *name, struct error *err)
{
	buf_clear(out);
	buf_addf(out, "%s/%s", dir, name);
	return buf_cstr(out) ? 0 : error_set(err, ERROR_NOMEM, "%s: out of memory", dir);
}

/*
 * A daemon that was killed has left changes that only the page cache has: commits that it did not wait for to the end, and
 * names. What is read of them is answered as stored, so they are put on disk first. The lock's file has a byte while a
 * daemon runs (a hole, for which a full disk has room).
 */
static int sync_what_was_left(struct meta *meta, const char *path, struct error *err)
{
	struct stat st;

	if (fstat(meta->lock_fd, &st) != 0 || (st.st_size > 0 && syncfs(meta->lock_fd) != 0) ||
	    ftruncate(meta->lock_fd, 1) != 0)
		return error_set_errno(err, errno, "%s", path);
	meta->is_synced = true;
	return 0;
}

static int take_lock(struct meta *meta, const char *data_dir, const char *path, struct error *err)
{
	if (directory_make(data_dir, err) != 0)
		return -1;
	meta->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (meta->lock_fd < 0)
		return error_set_errno(err, errno, "%s: open", path);
	if (flock(meta->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return sync_what_was_left(meta, path, err);
	if (errno == EWOULDBLOCK)
		return error_set(err, ERROR_CONFLICT, "data_dir %s: another daemon is using it", data_dir);
	return error_set_errno(err, errno, "%s: lock", path);
}

/* Directories in data_dir/days that are named as days are. */
static int count_days(const char *path, size_t *count, struct error *err)
{
	DIR *dir = opendir(path);
	const char *name;
	int32_t number;
	int more;

	*count = 0;
	if (!dir)
		return errno == ENOENT ? 0 : error_set_errno(err, errno, "%s: open", path);
	while ((more = directory_next(dir, path, &name, err)) > 0)
		*count += clock_parse_day(str_from(name), &number);
	closedir(dir);
	return more;
}

/* Without the catalog there are no accounts, and numbers of changes would be given out anew. */
static int check_is_there(const char *data_dir, struct buf *path, struct error *err)
{
	size_t days;

	if (path_join(path, data_dir, "catalog", err) != 0)
		return -1;
	int is_there = env_has_data(path->data, err);
	if (is_there != 0)
		return is_there < 0 ? -1 : 0;
	if (path_join(path, data_dir, "days", err) != 0 || count_days(path->data, &days, err) != 0)
		return -1;
	if (days == 0)
		return 0;
	return error_set(
		err, ERROR_CORRUPT,
		"%s/catalog: data.mdb is missing or empty, but there are %zu days of records: put the catalog back from "
		"a backup (cdrctl restore), or move %s/days away to begin anew",
		data_dir, days, data_dir);
}

static int open_all(struct meta *meta, const struct meta_options *options, struct buf *path, struct error *err)
{
	if (path_join(path, options->data_dir, "lock", err) != 0 ||
	    take_lock(meta, options->data_dir, path->data, err) != 0 ||
	    check_is_there(options->data_dir, path, err) != 0 ||
	    path_join(path, options->data_dir, "catalog", err) != 0)
		return -1;
	return env_open(&meta->env, path->data, options->map_bytes, meta_dbs, err);
}

/* A copy is no catalog: others have changed what it is of. */
static int check_is_no_copy(struct meta *meta, const char *data_dir, struct error *err)
{
	uint64_t number;

	if (meta_get_number(meta, META_SHARED_NUMBER, &number, err) != 0)
		return -1;
	if (number == 0)
		return 0;
	return error_set(err, ERROR_INVALID,
	                 "catalog: lmdb, but the catalog of data_dir %s is a copy of one in PostgreSQL: set catalog = "
	                 "postgresql, or use another data_dir",
	                 data_dir);
}

static int open_catalog(struct meta *meta, const struct meta_options *options, struct error *err)
{
	meta->ops = options->shared_ops;
	if (meta->ops)
		return meta->ops->open(&meta->shared, meta, options->shared, err);
	return check_is_no_copy(meta, options->data_dir, err);
}

int meta_open(struct meta **out, const struct meta_options *options, struct error *err)
{
	struct meta *meta = calloc(1, sizeof(*meta));
	struct buf path = { 0 };
	int result;

	if (!meta)
		return error_set(err, ERROR_NOMEM, "catalog: out of memory");
	meta->lock_fd = -1;
	meta->map_bytes = options->map_bytes;
	result = open_all(meta, options, &path, err);
	if (result == 0)
		result = open_catalog(meta, options, err);
	buf_free(&path);
	if (result == 0)
		*out = meta;
	else
		meta_close(meta);
	return result;
}

void meta_sync_at_start(struct meta *meta)
{
	meta->is_synced = false;
}

void meta_close(struct meta *meta)
{
	if (!meta)
		return;
	if (meta->attachment.free)
		meta->attachment.free(meta->attachment.data);
	if (meta->shared)
		meta->ops->close(meta->shared);
	env_close(&meta->env);
	if (meta->is_synced) /* where it fails, the next start syncs once more than it must */
		MAY_FAIL(ftruncate(meta->lock_fd, 0) != 0);
	if (meta->lock_fd >= 0)
		close(meta->lock_fd);
	free(meta);
}

struct env *meta_env(struct meta *meta)
{
	return &meta->env;
}

size_t meta_map_bytes(const struct meta *meta)
{
	return meta->map_bytes;
}

struct meta_attachment *meta_attachment(struct meta *meta)
{
	return &meta->attachment;
}

/* --- numbers --- */

int meta_get_number(struct meta *meta, const char *name, uint64_t *number, struct error *err)
{
	MDB_val key = env_val(name, strlen(name)), val;
	MDB_txn *txn = env_read(&meta->env, err);
	char text[32] = "", *end = text;
	int rc, result;

	*number = 0;
	if (!txn)
		return -1;
	rc = mdb_get(txn, meta->env.dbi[META_DB_VALUES], &key, &val);
	if (!rc) {
		memcpy(text, val.mv_data, val.mv_size < sizeof(text) ? val.mv_size : sizeof(text) - 1);
		*number = strtoull(text, &end, 10);
	}
	result = rc && rc != MDB_NOTFOUND ? env_fail(&meta->env, rc, name, err) : 0;
	result = env_read_end(&meta->env, txn, result, err);
	if (result != 0 || rc)
		return result;
	if (end == text || *end)
		return error_set(err, ERROR_CORRUPT, "%s: %s \"%s\" is not a number", meta->env.path, name, text);
	return 0;
}

int meta_set_number(struct meta *meta, const char *name, uint64_t number, struct error *err)
{
	struct str key = str_from(name);
	char text[32];
	int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)number);

	if (meta_put(meta, META_DB_VALUES, key, (struct str){ text, (size_t)len }, err) != 0)
		return -1;
	return meta->shared && !meta->ops->has(META_DB_VALUES, key) ? meta_commit_local(meta, err) :
	                                                              meta_commit(meta, err);
}

/* --- what waits --- */

int meta_put(struct meta *meta, enum meta_db db, struct str key, struct str value, struct error *err)
{
	int result = meta->shared && meta->ops->has(db, key) ? meta->ops->wait(meta->shared, db, key, value, err) :
	                                                       env_put(&meta->env, db, key, value, err);

	if (result != 0)
		meta_abort(meta);
	return result;
}

/* In PostgreSQL, what waits and the change that is open; the copy's commit follows. */
static int commit_shared(struct meta *meta, struct error *err)
{
	if (!meta->ops->is_open(meta->shared) && !meta->ops->is_waiting(meta->shared))
		return 0;
	if (!meta->ops->is_open(meta->shared) && !meta_begin(meta, false, err))
		return -1;
	return meta->ops->commit(meta->shared, err);
}

static int note_commit(struct meta *meta, int result, bool waited, const struct error *err)
{
	if (result == 0 && waited)
		meta->commits_failed = 0;
	if (result == 0)
		return 0;
	INVARIANT(!meta_is_waiting(meta));
	if (err->code == ERROR_UNAVAILABLE) /* meta_is_missing tells of it */
		return -1;
	meta->commits_failed++;
	meta->failure = *err;
	return -1;
}

int meta_commit(struct meta *meta, struct error *err)
{
	bool waited = meta_is_waiting(meta);
	int result = meta->shared ? commit_shared(meta, err) : 0;

	if (result == 0)
		result = env_commit(&meta->env, err);
	if (meta->shared) {
		meta->ops->forget_waiting(meta->shared, result != 0);
		if (result != 0)
			env_abort(&meta->env);
	}
	return note_commit(meta, result, waited, err);
}

int meta_commit_local(struct meta *meta, struct error *err)
{
	if (!meta->shared)
		return meta_commit(meta, err);
	int result = env_commit(&meta->env, err);
	if (result != 0) {
		meta->commits_failed++;
		meta->failure = *err;
	}
	return result;
}

MDB_txn *meta_begin(struct meta *meta, bool is_local, struct error *err)
{
	if (!meta->shared || is_local)
		return env_write(&meta->env, err);
	/* What is here alone and waits is not to be dropped with the change. */
	if (meta->env.write && !meta->ops->is_open(meta->shared) && meta_commit_local(meta, err) != 0)
		return NULL;
	if (!meta->ops->is_open(meta->shared) && meta->ops->begin(meta->shared, err) != 0)
		return NULL;
	MDB_txn *txn = env_write(&meta->env, err);
	if (!txn)
		meta->ops->drop(meta->shared);
	return txn;
}

void meta_drop(struct meta *meta, bool is_local)
{
	if (meta->shared && !is_local)
		meta->ops->drop(meta->shared);
}

void meta_note(struct meta *meta, bool is_local, enum meta_db db, struct str key, struct str value)
{
	if (!meta->shared)
		return;
	/* A change goes to PostgreSQL, or is of what is here alone. */
	INVARIANT(is_local != meta->ops->has(db, key));
	if (!is_local)
		meta->ops->note(meta->shared, db, key, value);
}

int meta_put_last(struct meta *meta, struct str value, struct error *err)
{
	return meta->ops->wait(meta->shared, META_DB_QUARANTINE, (struct str){ NULL, 0 }, value, err);
}

struct shared *meta_shared(struct meta *meta)
{
	return meta->shared;
}

bool meta_is_shared(const struct meta *meta)
{
	return meta->shared != NULL;
}

bool meta_is_missing(const struct meta *meta, char *why, size_t size)
{
	return meta->shared && meta->ops->is_missing(meta->shared, why, size);
}

int meta_check_reached(const struct meta *meta, struct error *err)
{
	return meta->shared ? meta->ops->check_reached(meta->shared, err) : 0;
}

int meta_check_held(const struct meta *meta, struct error *err)
{
	return meta->shared ? meta->ops->check_held(meta->shared, err) : 0;
}

int meta_check_current(const struct meta *meta, struct error *err)
{
	return meta->shared ? meta->ops->check_current(meta->shared, err) : 0;
}

int meta_hold(struct meta *meta, struct error *err)
{
	return meta->shared ? meta->ops->beat(meta->shared, err) : 0;
}

uint64_t meta_shared_number(const struct meta *meta)
{
	return meta->shared ? meta->ops->number(meta->shared) : 0;
}

void meta_note_accounts(struct meta *meta)
{
	meta->accounts_number = meta_shared_number(meta);
}

uint64_t meta_accounts_number(const struct meta *meta)
{
	return meta->accounts_number;
}

void meta_hold_account_numbers(struct meta *meta, bool held)
{
	meta->account_numbers_are_held = held;
}

bool meta_account_numbers_are_held(const struct meta *meta)
{
	return meta->account_numbers_are_held;
}

int meta_follow(struct meta *meta, const struct meta_following *following, struct error *err)
{
	return meta->shared ? meta->ops->follow(meta->shared, following, err) : 0;
}

int64_t meta_fresh_us(const struct meta *meta)
{
	return meta->shared ? meta->ops->fresh_us(meta->shared) : INT64_MAX;
}

void meta_abort(struct meta *meta)
{
	if (meta->shared)
		meta->ops->forget_waiting(meta->shared, true);
	env_abort(&meta->env);
}

bool meta_is_waiting(const struct meta *meta)
{
	return meta->env.write != NULL || (meta->shared && meta->ops->is_waiting(meta->shared));
}

uint64_t meta_aborts(const struct meta *meta)
{
	return meta->shared ? meta->ops->losses(meta->shared) : meta->env.dropped;
}

uint64_t meta_commits_failed(const struct meta *meta, struct error *failure)
{
	if (meta->commits_failed > 0)
		*failure = meta->failure;
	return meta->commits_failed;
}
