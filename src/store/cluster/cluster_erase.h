/* SPDX-License-Identifier: ISC */
/*
 * cluster_erase.h: a number out of all records of some accounts that are in a cluster, for erase.h.
 *
 *	wait       until what was put before is committed: it may hold the number
 *	search     keys of which a version holds it; records whose newest does are put anew without it, by the lookups that all
 *	           puts go through, so that no version that comes meanwhile is lost. Where a record has left a place, that is put
 *	           anew, too: servers delete part by part, and older versions there must never be the newest
 *	wait       until these are committed
 *	delete     ALTER TABLE ... DELETE of the versions that hold it, of each table that has any; then each table is looked at
 *	           until none is left
 *
 * then all of it once more, until a search finds nothing. Versions that are newer than a pass are the next one's. A replica
 * that is missing deletes when it is back.
 */
#ifndef CDRD_STORE_CLUSTER_CLUSTER_ERASE_H
#define CDRD_STORE_CLUSTER_CLUSTER_ERASE_H

#include "store/cluster/cluster_eraser.h"
#include "store/erase.h"

struct cluster;
struct cluster_erase;

/* What another front end has checked with the catalog as it was before is refused from now on. */
void cluster_refuse_older(struct cluster *cluster);

/* `eraser` is copied; all else must outlive this. `on_ready` is called from the loop when what a step has waited
 * for may be there, and may free it. NULL when out of memory. */
struct cluster_erase *cluster_erase_new(struct cluster *cluster, const struct cluster_eraser *eraser,
                                        const struct account_key *accounts, size_t accounts_count,
                                        void (*on_ready)(void *arg), void *arg);

/* What was put stays put. Does nothing on NULL. */
void cluster_erase_free(struct cluster_erase *erase);

/* *dirty: a commit is to begin soon. *waits: on_ready will be called. *found is of the last pass that has ended, whose number
 * is *pass; *done as of erase_step. */
struct cluster_erase_state {
	bool dirty, waits, done;
	uint64_t found, rows;
	int pass;
};
MUST_CHECK int cluster_erase_step(struct cluster_erase *erase, int64_t deadline_us, struct cluster_erase_state *state,
                                  struct error *err);

#endif
