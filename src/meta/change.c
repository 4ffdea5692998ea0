/* SPDX-License-Identifier: ISC */
/*
 * change.c: see change.h.
 */
#include "meta/change.h"

#include "meta/meta_env.h"

/* Its own transaction has ended without effect. An outer one in which nothing waits is not left open: to others it would
 * look as if something did. */
static void drop(struct change *change)
{
	meta_drop(change->meta, change->is_local);
	if (change->is_alone)
		env_abort(meta_env(change->meta));
}

static int begin(struct change *change, struct error *err)
{
	change->is_alone = !meta_is_waiting(change->meta);
	MDB_txn *outer = meta_begin(change->meta, change->is_local, err), *txn = NULL;

	if (!outer)
		return -1;
	int rc = mdb_txn_begin(meta_env(change->meta)->mdb, outer, 0, &txn);
	change->txn = txn;
	if (rc)
		drop(change);
	return rc ? env_fail(meta_env(change->meta), rc, "begin change", err) : 0;
}

int change_begin(struct change *change, struct meta *meta, struct error *err)
{
	*change = (struct change){ .meta = meta };
	return begin(change, err);
}

int change_begin_local(struct change *change, struct meta *meta, struct error *err)
{
	*change = (struct change){ .meta = meta, .is_local = true };
	return begin(change, err);
}

int change_get(struct change *change, enum meta_db db, struct str key, struct str *value, struct error *err)
{
	MDB_val k = env_val(key.p, key.len), v;
	int rc = mdb_get(change->txn, meta_env(change->meta)->dbi[db], &k, &v);

	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc)
		return env_fail(meta_env(change->meta), rc, "get", err);
	*value = env_str(v);
	return 1;
}

int change_put(struct change *change, enum meta_db db, struct str key, struct str value, struct error *err)
{
	MDB_val k = env_val(key.p, key.len), v = env_val(value.p, value.len);
	int rc = mdb_put(change->txn, meta_env(change->meta)->dbi[db], &k, &v, 0);

	if (rc)
		return env_fail(meta_env(change->meta), rc, "put", err);
	meta_note(change->meta, change->is_local, db, key, value);
	return 0;
}

int change_remove(struct change *change, enum meta_db db, struct str key, struct error *err)
{
	MDB_val k = env_val(key.p, key.len);
	int rc = mdb_del(change->txn, meta_env(change->meta)->dbi[db], &k, NULL);

	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc)
		return env_fail(meta_env(change->meta), rc, "remove", err);
	meta_note(change->meta, change->is_local, db, key, (struct str){ NULL, 0 });
	return 1;
}

void change_drop(struct change *change)
{
	mdb_txn_abort(change->txn);
	drop(change);
}

int change_end(struct change *change, int result, struct error *err)
{
	if (result != 0) {
		change_drop(change);
		return -1;
	}
	int rc = mdb_txn_commit(change->txn);
	if (rc) {
		drop(change);
		return env_fail(meta_env(change->meta), rc, "commit change", err);
	}
	return change->is_local ? meta_commit_local(change->meta, err) : meta_commit(change->meta, err);
}
