/* SPDX-License-Identifier: ISC */
/* env_walk.c: going through the rows of a database in order. See env.h. */
#include "lmdb/env.h"

#include <endian.h>
#include <string.h>

#include "base/prefetch.h"

#define STEPS_MAX 4     /* of a walk, before it searches */
#define AHEAD_BYTES 256 /* before the entry that a walk is at: the next ones */

/* Most keys differ in their first eight bytes. */
static inline int compare_keys(MDB_val left, MDB_val right)
{
	size_t len = left.mv_size < right.mv_size ? left.mv_size : right.mv_size;
	uint64_t a, b;

	if (len >= sizeof(a)) {
		memcpy(&a, left.mv_data, sizeof(a));
		memcpy(&b, right.mv_data, sizeof(b));
		if (a != b)
			return be64toh(a) < be64toh(b) ? -1 : 1;
	}
	int order = memcmp(left.mv_data, right.mv_data, len);
	return order ? order : (left.mv_size > right.mv_size) - (left.mv_size < right.mv_size);
}

int env_seek_after(MDB_cursor *cursor, MDB_val last, MDB_val *key, MDB_val *val)
{
	if (last.mv_size == 0)
		return mdb_cursor_get(cursor, key, val, MDB_FIRST);
	*key = last;
	int rc = mdb_cursor_get(cursor, key, val, MDB_SET_RANGE);
	if (!rc && str_equal(env_str(*key), env_str(last)))
		rc = mdb_cursor_get(cursor, key, val, MDB_NEXT);
	return rc;
}

/* Entries that were put in order stand in a page from its end to its beginning. */
int env_walk_next(struct env_walk *walk)
{
	walk->rc = mdb_cursor_get(walk->cursor, &walk->key, &walk->val, MDB_NEXT);
	prefetch_before(walk->key.mv_data, AHEAD_BYTES);
	return walk->rc;
}

/* A search costs as much as a dozen steps. */
int env_walk_to(struct env_walk *walk, MDB_txn *txn, MDB_dbi dbi, MDB_val wanted)
{
	bool there = walk->cursor && walk->rc == 0;
	int order = there ? compare_keys(walk->key, wanted) : 0;

	if (there && order == 0)
		return 0;
	for (int i = 0; i < STEPS_MAX && order < 0; i++) {
		if (env_walk_next(walk) != 0 || (order = compare_keys(walk->key, wanted)) >= 0)
			return walk->rc;
	}
	walk->rc = walk->cursor ? 0 : mdb_cursor_open(txn, dbi, &walk->cursor);
	if (walk->rc)
		return walk->rc;
	walk->key = wanted;
	walk->rc = mdb_cursor_get(walk->cursor, &walk->key, &walk->val, MDB_SET_RANGE);
	return walk->rc;
}

void env_walk_end(struct env_walk *walk)
{
	if (walk->cursor)
		mdb_cursor_close(walk->cursor);
	*walk = (struct env_walk){ .rc = 0 };
}
