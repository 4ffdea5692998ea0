/* SPDX-License-Identifier: ISC */
/*
 * purge.h: all records of one account out of the store.
 *
 * Day by day, its hot rows go, then its sealed runs, each with its blocks, ids and bitmaps in one transaction, so that
 * a crash leaves whole runs or none of them; purging again does the rest. Each day that held any has its file written
 * anew afterwards (repack.h), as free pages still hold what was there. The feed of changes does not report it.
 *
 * In a cluster, its servers remove them (cluster_purge.h), and `days` are those of the daemon's own records alone.
 *
 * The account takes no records meanwhile: it is marked as deleted (accounts.h).
 */
#ifndef CDRD_STORE_PURGE_H
#define CDRD_STORE_PURGE_H

#include "base/error.h"
#include "store/store.h"

struct purge;

/* `account` is copied. NULL when out of memory. */
struct purge *purge_new(struct store *store, const struct account_key *account);

/* What was removed stays removed. Does nothing on NULL. */
void purge_free(struct purge *purge);

/*
 * Works until about `deadline_us` of clock_monotonic_us. When *dirty, the caller commits (store_commit) before it calls
 * again. *done: no day holds a record of the account. On -1 transactions may have been dropped (store_put).
 */
MUST_CHECK int purge_step(struct purge *purge, int64_t deadline_us, bool *dirty, bool *done, struct error *err);

/* Has the last step left all to a cluster, or does it wait for a move to one? Then the next one is due in a second or so. */
bool purge_waits(const struct purge *purge);

/* After *done: has each replica of a cluster said for itself that it has nothing of the account any more? */
bool purge_is_complete(const struct purge *purge);

struct purge_counts {
	uint64_t records; /* removed, old versions among them */
	uint64_t days;    /* that held any */
};
void purge_counts(const struct purge *purge, struct purge_counts *counts);

#endif
