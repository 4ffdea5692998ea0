/* SPDX-License-Identifier: ISC */
/*
 * mirror.h: one environment's databases made equal to another's, in slices; private to store/.
 *
 *	round after round    both are walked side by side, key by key; what differs is put into the copy or removed from it
 *
 * The first round copies. The source may be written to meanwhile, as no read transaction outlives a slice; so another
 * round follows, which finds only what has changed. When a round ends and nothing was committed since it began, the
 * copy is the source as of one transaction. If that never happens, the last round is made in one go, a pause as long as
 * it takes to compare all keys: some ten milliseconds for a day of millions of records.
 *
 * Equal are values with equal bytes. Of a sealed block only the beginning is compared, which holds CRCs of all of it.
 */
#ifndef CDRD_STORE_COPYING_MIRROR_H
#define CDRD_STORE_COPYING_MIRROR_H

#include "base/buf.h"
#include "lmdb/env.h"

struct mirror {
	/* the caller's */
	struct env *from;
	struct env *to;
	const struct env_db *dbs;
	bool all; /* it may not end while a put is not committed */

	/* mirror.c's; zeroed */
	size_t txn_id; /* of the source when the round began */
	int round;
	int db;
	struct buf last; /* the key looked at last; empty: the database is to be started */
	size_t uncommitted_bytes;
	size_t unsynced_bytes;
};

/*
 * Works until about `deadline_us`; commits the copy every MiB, with an fsync after several and at the end of a round.
 * *done: they are equal as the call returns, but for what is not committed, and the copy is on disk, as each commit to it
 * is from then on.
 */
MUST_CHECK int mirror_step(struct mirror *mirror, int64_t deadline_us, bool *done, struct error *err);

/* The number of the source's last transaction. */
size_t mirror_txn_id(const struct env *env);

void mirror_free(struct mirror *mirror);

#endif
