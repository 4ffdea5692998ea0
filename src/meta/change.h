/* SPDX-License-Identifier: ISC */
/*
 * change.h: a change of rows of meta.h that is durable when it returns.
 *
 * Writes go to a transaction nested in the open one. If one of them fails, the nested one alone is aborted,
 * and what waits in the outer one for the next meta_commit is not harmed.
 *
 *	if (change_begin(&change, meta, &err) != 0)
 *		return -1;
 *	return change_end(&change, change_put(&change, META_DB_ACCOUNTS, key, value, &err), &err);
 */
#ifndef CDRD_META_CHANGE_H
#define CDRD_META_CHANGE_H

#include "meta/meta.h"

struct change {
	struct meta *meta;
	void *txn; /* an MDB_txn */
	bool is_local;
	bool is_alone; /* nothing waited when it began */
};

MUST_CHECK int change_begin(struct change *change, struct meta *meta, struct error *err);

/* For rows that are of this host alone, wherever the catalog is (shared_has in shared_catalog.h), and no others. */
MUST_CHECK int change_begin_local(struct change *change, struct meta *meta, struct error *err);

/* 1 with *value (which dies with the next write), 0 if there is none, -1. */
MUST_CHECK int change_get(struct change *change, enum meta_db db, struct str key, struct str *value, struct error *err);
MUST_CHECK int change_put(struct change *change, enum meta_db db, struct str key, struct str value, struct error *err);

/* 1 if it was there, 0 if not, -1. */
MUST_CHECK int change_remove(struct change *change, enum meta_db db, struct str key, struct error *err);

/* Drops a change: nothing of it is written. */
void change_drop(struct change *change);

/* Commits, with an fsync, when `result` is 0; drops the change otherwise. 0, or -1 when it dropped it or could not
 * commit. */
MUST_CHECK int change_end(struct change *change, int result, struct error *err);

#endif
