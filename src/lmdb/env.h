/* SPDX-License-Identifier: ISC */
/*
 * env.h: LMDB, wrapped once.
 *
 * What the wrapper adds: errors as struct error with the path in them, named databases opened with the environment
 * from a table, and a write transaction that stays open across turns of the loop until it is committed. Read
 * transactions see the last commit, also while a write transaction is open (MDB_NOTLS allows both on one thread).
 *
 * A write to a meta page that fails leaves LMDB's environment unusable (MDB_PANIC). It is then *broken*: what was not
 * committed is lost, and the next transaction begun reopens it, tried at most once a second. Until that succeeds, the
 * requests that need it fail.
 *
 * An environment whose file is shorter than its meta pages say is not opened. One whose pages cannot be read any more,
 * while it is open, is *lost*: see map_guard.h. Transactions that read it then end with an error, nothing is committed,
 * and it is reopened as if broken; but one that is `kept`, by an owner that remembers what it read there, is left for
 * that owner to reopen.
 */
#ifndef CDRD_LMDB_ENV_H
#define CDRD_LMDB_ENV_H

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define ENV_DBS_MAX 24

/* A named database; a table of these ends with a NULL name. */
struct env_db {
	const char *name;
	unsigned flags; /* of mdb_dbi_open, without MDB_CREATE */
};

struct env {
	MDB_env *mdb;
	char *path;
	MDB_txn *write;     /* the open write transaction, or NULL */
	MDB_cursor *cursor; /* of the open write transaction, for a caller that keeps one; ends with it. Or NULL */
	MDB_txn *spare;     /* an unused read transaction on the last commit, or NULL */
	uint64_t dropped;   /* write transactions without effect since it was first opened */
	size_t committed;   /* number of the last commit, as of mdb_txn_id */
	bool is_rested;     /* nothing was committed since it was opened, or env_rest was called */
	bool syncs_later;   /* env_commit does not wait for the disk: env_sync_later */
	bool is_new;        /* its file's name or its directory's may not last: the next commit syncs them first */
	bool *lost;         /* pages could not be read; set in a signal's handler, so it has a place of its own */
	const void *map;
	bool kept;
	bool broken;       /* must be reopened; `mdb` is NULL where that has failed */
	int64_t retry_us;  /* monotonic: no attempt before */
	unsigned reading;  /* read transactions that are not ended */
	uint64_t reopened; /* how often it has been lost */
	const struct env_db *dbs;
	size_t map_bytes;
	MDB_dbi dbi[ENV_DBS_MAX]; /* in the table's order */
};

/* Makes the directory and the databases if need be. Blocks for the fsyncs of a new one's file and of its name; the name of
 * its directory is synced by the first commit, so that not all of it is waited for at once. Fails where it cannot be known
 * whether there is one. */
MUST_CHECK int env_open(struct env *env, const char *path, size_t map_bytes, const struct env_db *dbs,
                        struct error *err);

/* Has it been seen that pages cannot be read? */
static inline bool env_is_lost(const struct env *env)
{
	return env->lost && *env->lost;
}

/* Is there a data.mdb in a directory, with something in it? 1 or 0; -1 when that cannot be known. */
MUST_CHECK int env_has_data(const char *path, struct error *err);

/* The same before one is opened that must be there, as env_open would make a new one: ERROR_CORRUPT if there is none. */
MUST_CHECK int env_check_there(const char *path, struct error *err);

/* Aborts an open write transaction. Safe on a zeroed env. */
void env_close(struct env *env);

/* Removes the files of an environment that is not open, also of one that a crash left half made, and its directory. */
void env_remove(const char *path);

/* Gives back the memory of write transactions, which LMDB keeps: as many pages as the largest one has changed. That takes
 * closing and opening; so it is for an environment that has not been written to for a while. Nothing happens while a
 * transaction is open. Where it cannot be opened again, the next transaction tries to. */
void env_rest(struct env *env);

/* The open write transaction, begun if need be; NULL with *err. */
MDB_txn *env_write(struct env *env, struct error *err);

/* Puts a row into the database `db` of the table, in that transaction. */
MUST_CHECK int env_put(struct env *env, size_t db, struct str key, struct str value, struct error *err);

/* Commits the open write transaction with its fsync; 0 when there is none. On failure it is aborted, or not known to
 * last. */
MUST_CHECK int env_commit(struct env *env, struct error *err);
void env_abort(struct env *env);

/* For a copy that counts only when all of it is there: from now on a commit has its pages written without waiting for
 * them, and lasts with the next env_sync, which waits for what is left. */
void env_sync_later(struct env *env);
MUST_CHECK int env_sync(struct env *env, struct error *err);

/* Each commit lasts again, and what was committed before does. */
MUST_CHECK int env_sync_at_once(struct env *env, struct error *err);

/*
 * A read-only transaction on the last commit; end it within the slice. NULL with *err.
 *
 * Ending it keeps it for the next env_read, up to the next commit: of hundreds of environments, each one's locks, slots
 * of readers and meta pages are cold when their turn comes. `result` is what came of the reading, and is returned.
 */
MDB_txn *env_read(struct env *env, struct error *err);
MUST_CHECK int env_read_end(struct env *env, MDB_txn *txn, int result, struct error *err);

/* Does it have all pages that it says it has? One that is not there would be a SIGBUS. ERROR_CORRUPT. */
MUST_CHECK int env_check_size(const struct env *env, struct error *err);

/* Fills *err from an LMDB result: MDB_MAP_FULL and ENOSPC are ERROR_FULL, corruption ERROR_CORRUPT, a system's
 * errno ERROR_IO. Always returns -1. `doing` says what failed: "put", "commit". */
int env_fail(const struct env *env, int rc, const char *doing, struct error *err);

static inline MDB_val env_val(const void *data, size_t len)
{
	return (MDB_val){ .mv_size = len, .mv_data = (void *)(uintptr_t)data };
}

static inline struct str env_str(MDB_val val)
{
	return (struct str){ val.mv_data, val.mv_size };
}

/* Moves to the entry after the key `last`, which need not be there any more, or, if that is empty, to the first one. Where a
 * walk resumes that was left for the next slice. A result of LMDB. */
int env_seek_after(MDB_cursor *cursor, MDB_val last, MDB_val *key, MDB_val *val);

/* A cursor that goes from key to key in order, and may pass over some, within a read transaction. Begins with zeros. */
struct env_walk {
	MDB_cursor *cursor;
	MDB_val key, val; /* what it is at, if rc is 0 */
	int rc;           /* the last result of LMDB */
};

/* Moves to the first key that is not before `wanted`: costs little where that is one of the next few. The database is in
 * LMDB's own order of keys. A result of LMDB. */
int env_walk_to(struct env_walk *walk, MDB_txn *txn, MDB_dbi dbi, MDB_val wanted);

/* Moves to the next key, from one that it is at. A result of LMDB. */
int env_walk_next(struct env_walk *walk);

/* Before the transaction ends. */
void env_walk_end(struct env_walk *walk);

#endif
