/* SPDX-License-Identifier: ISC */
/*
 * hot_backup_check.c: reads a copy that was made (hot_backup.h). It needs nothing of the store but the databases' names, so
 * that cdrctl, which checks and restores backups, is linked without the store and its libraries, and starts at once.
 */
#include "store/hot_backup.h"

#include "meta/meta_env.h"
#include "store/days/day.h"

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
