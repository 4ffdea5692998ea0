/*
 * env.h: LMDB, wrapped once; private to store/.
 *
 * What the wrapper adds: errors as struct error with the path in them, named databases opened with the environment
 * from a table, and a write transaction that stays open across turns of the loop until it is committed. Read
 * transactions see the last commit, also while a write transaction is open (MDB_NOTLS allows both on one thread).
 */
#ifndef CDRD_STORE_ENV_H
#define CDRD_STORE_ENV_H

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define ENV_DBS_MAX 16

/* A named database; a table of these ends with a NULL name. */
struct env_db {
	const char *name;
	unsigned flags; /* of mdb_dbi_open, without MDB_CREATE */
};

struct env {
	MDB_env *mdb;
	char *path;
	MDB_txn *write;      /* the open write transaction, or NULL */
	MDB_cursor *cursor;  /* of the open write transaction, for whoever keeps one through it; it ends with it. Or NULL */
	MDB_txn *spare;      /* a read transaction on the last commit that nobody uses, or NULL */
	size_t committed;    /* number of the last commit, as of mdb_txn_id */
	bool is_new;         /* no commit has synced the directory's entries yet */
	MDB_dbi dbi[ENV_DBS_MAX]; /* in the table's order */
};

/* Makes the directory and the databases if need be. Blocks for the fsync of a new one's file; its directory is synced by
 * the first commit, so that not all of it is waited for at once. */
int env_open(struct env *env, const char *path, size_t map_bytes, const struct env_db *dbs, struct error *err);

/* Syncs a directory's entries. */
int env_sync_directory(const char *path, struct error *err);

/* Aborts an open write transaction. Safe on a zeroed env. */
void env_close(struct env *env);

/* The open write transaction, begun if need be; NULL with *err. */
MDB_txn *env_write(struct env *env, struct error *err);

/* Commits the open write transaction with its fsync; 0 when there is none. On failure it is aborted, or not known to
 * last. */
int env_commit(struct env *env, struct error *err);
void env_abort(struct env *env);

/*
 * A read-only transaction on the last commit; end it within the slice. NULL with *err. To end it is mdb_txn_abort, or
 * env_read_end where it is done for every request: that keeps it for the next env_read, up to the next commit. Of
 * hundreds of environments, each one's locks, slots of readers and meta pages are cold when their turn comes.
 */
MDB_txn *env_read(struct env *env, struct error *err);
void env_read_end(struct env *env, MDB_txn *txn);

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

#endif
