/* SPDX-License-Identifier: ISC */
/*
 * rows.c: see rows.h.
 */
#include "meta/rows.h"

#include "meta/meta_env.h"

int meta_find(struct meta *meta, enum meta_db db, struct str key, meta_row_fn fn, void *arg, struct error *err)
{
	struct env *env = meta_env(meta);
	MDB_txn *txn = env_read(env, err);

	if (!txn)
		return -1;
	MDB_val k = env_val(key.p, key.len), v;
	int result = 0;
	int rc = mdb_get(txn, env->dbi[db], &k, &v);
	if (!rc)
		result = fn && fn(arg, key, env_str(v), err) == META_FAILED ? -1 : 1;
	else if (rc != MDB_NOTFOUND)
		result = env_fail(env, rc, "get", err);
	return env_read_end(env, txn, result, err);
}

/* How a walk goes through a database. */
struct walk {
	struct meta *meta;
	enum meta_db db;
	bool back;
	meta_row_fn fn;
	void *arg;
};

static int first(const struct walk *walk, MDB_cursor *cursor, struct str from, MDB_val *key, MDB_val *value)
{
	int rc;

	*key = env_val(from.p, from.len);
	rc = mdb_cursor_get(cursor, key, value, from.len ? MDB_SET_RANGE : MDB_FIRST);
	if (walk->back && (!rc || rc == MDB_NOTFOUND))
		rc = mdb_cursor_get(cursor, key, value, rc ? MDB_LAST : MDB_PREV);
	return rc;
}

static int go(const struct walk *walk, MDB_cursor *cursor, struct str from, struct error *err)
{
	MDB_val key, value;
	int rc;

	for (rc = first(walk, cursor, from, &key, &value); !rc;
	     rc = mdb_cursor_get(cursor, &key, &value, walk->back ? MDB_PREV : MDB_NEXT)) {
		enum meta_next next = walk->fn(walk->arg, env_str(key), env_str(value), err);

		if (next != META_GO_ON)
			return next == META_FAILED ? -1 : 0;
	}
	return rc == MDB_NOTFOUND ? 0 : env_fail(meta_env(walk->meta), rc, "walk", err);
}

static int run(const struct walk *walk, struct str from, struct error *err)
{
	struct env *env = meta_env(walk->meta);
	MDB_txn *txn = env_read(env, err);
	MDB_cursor *cursor;
	int rc, result;

	if (!txn)
		return -1;
	rc = mdb_cursor_open(txn, env->dbi[walk->db], &cursor);
	result = rc ? env_fail(env, rc, "open cursor", err) : go(walk, cursor, from, err);
	if (!rc)
		mdb_cursor_close(cursor);
	return env_read_end(env, txn, result, err);
}

int meta_each(struct meta *meta, enum meta_db db, struct str from, meta_row_fn fn, void *arg, struct error *err)
{
	return run(&(struct walk){ meta, db, false, fn, arg }, from, err);
}

int meta_each_back(struct meta *meta, enum meta_db db, struct str before, meta_row_fn fn, void *arg, struct error *err)
{
	return run(&(struct walk){ meta, db, true, fn, arg }, before, err);
}
