/* SPDX-License-Identifier: ISC */
/*
 * catalog_rows.c: reading the catalog as it was last committed. See catalog_rows.h.
 */
#include "store/catalog_rows.h"

int catalog_rows_find(struct store *store, enum catalog_db db, struct str key, catalog_rows_fn fn, void *arg,
                      struct error *err)
{
	struct env *env = store_catalog(store);
	MDB_txn *txn = env_read(env, err);
	if (!txn)
		return -1;
	MDB_val k = env_val(key.p, key.len), v;
	int result = 0;
	int rc = mdb_get(txn, env->dbi[db], &k, &v);
	if (!rc)
		result = fn && fn(arg, key, env_str(v), err) == CATALOG_ROWS_FAILED ? -1 : 1;
	else if (rc != MDB_NOTFOUND)
		result = env_fail(env, rc, "get", err);
	return env_read_end(env, txn, result, err);
}

static int walk(struct env *env, MDB_cursor *cursor, struct str from, catalog_rows_fn fn, void *arg,
                struct error *err)
{
	MDB_val key = env_val(from.p, from.len), value;
	int rc = mdb_cursor_get(cursor, &key, &value, from.len ? MDB_SET_RANGE : MDB_FIRST);
	for (; !rc; rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		enum catalog_rows_next next = fn(arg, env_str(key), env_str(value), err);
		if (next != CATALOG_ROWS_GO_ON)
			return next == CATALOG_ROWS_FAILED ? -1 : 0;
	}
	return rc == MDB_NOTFOUND ? 0 : env_fail(env, rc, "walk", err);
}

int catalog_rows_each(struct store *store, enum catalog_db db, struct str from, catalog_rows_fn fn, void *arg,
                      struct error *err)
{
	struct env *env = store_catalog(store);
	MDB_cursor *cursor;
	MDB_txn *txn = env_read(env, err);
	if (!txn)
		return -1;
	int rc = mdb_cursor_open(txn, env->dbi[db], &cursor);
	int result = rc ? env_fail(env, rc, "open cursor", err) : walk(env, cursor, from, fn, arg, err);
	if (!rc)
		mdb_cursor_close(cursor);
	return env_read_end(env, txn, result, err);
}
