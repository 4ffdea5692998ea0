/* SPDX-License-Identifier: ISC */
/*
 * cluster_known.h: what is known of records that are being put; private to store/cluster/. All of it is forgotten with a commit
 * (cluster_forget_known).
 */
#ifndef CDRD_STORE_CLUSTER_CLUSTER_KNOWN_H
#define CDRD_STORE_CLUSTER_CLUSTER_KNOWN_H

#include "store/cluster/cluster_private.h"

/* The list of what has this hash, among others. */
struct cluster_known **cluster_known_slot(const struct cluster *cluster, uint64_t hash);

/* One of which only this is known. NULL when out of memory. */
struct cluster_known *cluster_known_add(struct cluster *cluster, const struct catalog_product *product,
                                        const struct account_key *account, uint64_t hash);

/* Keeps a copy of the record, instead of the one before. */
MUST_CHECK int cluster_known_keep(struct cluster *cluster, struct cluster_known *known, const struct record *record,
                                  struct error *err);

/* The record that was put, as it is known on a day; or NULL. */
struct cluster_known *cluster_known_in_day(const struct cluster *cluster, const struct cluster_put *put,
                                           const struct record *record, int32_t day);

/* What is known of the record after `known`, in no order; of NULL: the first. Or NULL. */
struct cluster_known *cluster_known_next(const struct cluster *cluster, const struct cluster_put *put,
                                         const struct record *record, const struct cluster_known *known);

/* The same on its day, or on one so near that its time may have changed. */
struct cluster_known *cluster_known_find(const struct cluster *cluster, const struct cluster_put *put,
                                         const struct record *record);

/* Has it come to where it is from another place nearby, that it has left? */
bool cluster_known_has_come(const struct cluster *cluster, const struct cluster_put *put, const struct record *record,
                            const struct cluster_known *known);

/* The place, if the record has left it; or NULL. */
struct cluster_known *cluster_known_left(const struct cluster *cluster, const struct cluster_put *put,
                                         const struct record *record, int64_t time_us,
                                         enum catalog_direction direction);

#endif
