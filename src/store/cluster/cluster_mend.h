/* SPDX-License-Identifier: ISC */
/*
 * cluster_mend.h: moves of records from one day to another, of which a server has stored one half, as a commit failed in its
 * middle: they are mended in the background. Where the record is shown twice, it is taken from where it left; where it is nowhere,
 * it is put where it went.
 */
#ifndef CDRD_STORE_CLUSTER_CLUSTER_MEND_H
#define CDRD_STORE_CLUSTER_CLUSTER_MEND_H

#include "store/cluster/cluster_private.h"

/* Something has failed, or, with is_of_start, a process before may have. */
void cluster_mend_later(struct cluster *cluster, bool is_of_start);

/* Goes on with it, where it is due; to be called now and then. True: something was put, and waits for a commit. */
bool cluster_mend(struct cluster *cluster);

/* Ends the query under way, without a call. */
void cluster_forget_mending(struct cluster *cluster);

#endif
