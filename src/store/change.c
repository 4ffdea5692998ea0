/* SPDX-License-Identifier: ISC */
/*
 * change.c: changes of the catalog that are durable when they return. See change.h.
 */
#include "store/change.h"

int change_begin(struct change *change, struct store *store, struct error *err)
{
	*change = (struct change){ .store = store, .env = store_catalog(store) };
	MDB_txn *outer = env_write(change->env, err);
	if (!outer)
		return -1;
	int rc = mdb_txn_begin(change->env->mdb, outer, 0, &change->txn);
	return rc ? env_fail(change->env, rc, "begin change", err) : 0;
}

int change_get(struct change *change, enum catalog_db db, struct str key, struct str *value, struct error *err)
{
	MDB_val k = env_val(key.p, key.len), v;
	int rc = mdb_get(change->txn, change->env->dbi[db], &k, &v);
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc)
		return env_fail(change->env, rc, "get", err);
	*value = env_str(v);
	return 1;
}

int change_put(struct change *change, enum catalog_db db, struct str key, struct str value, struct error *err)
{
	MDB_val k = env_val(key.p, key.len), v = env_val(value.p, value.len);
	int rc = mdb_put(change->txn, change->env->dbi[db], &k, &v, 0);
	return rc ? env_fail(change->env, rc, "put", err) : 0;
}

int change_remove(struct change *change, enum catalog_db db, struct str key, struct error *err)
{
	MDB_val k = env_val(key.p, key.len);
	int rc = mdb_del(change->txn, change->env->dbi[db], &k, NULL);
	if (rc == MDB_NOTFOUND)
		return 0;
	return rc ? env_fail(change->env, rc, "remove", err) : 1;
}

void change_drop(struct change *change)
{
	mdb_txn_abort(change->txn);
}

int change_end(struct change *change, int result, struct error *err)
{
	if (result != 0) {
		change_drop(change);
		return -1;
	}
	int rc = mdb_txn_commit(change->txn);
	if (rc)
		return env_fail(change->env, rc, "commit change", err);
	return store_catalog_commit(change->store, err);
}
