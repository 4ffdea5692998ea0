/* SPDX-License-Identifier: ISC */
/*
 * cluster_purge.h: all records of an account out of a cluster, for purge.h.
 *
 * Each table that has any gets an ALTER TABLE ... DELETE, which ClickHouse does by itself, on all replicas, and says that
 * it has begun; then the table is looked at until nothing of the account is left. Where rows are left after a minute it
 * begins again, if none that has begun is under way (system.mutations), as an insert that hung may have brought them. A
 * replica that is missing deletes when it is back: in the end each is looked at by itself.
 */
#ifndef CDRD_STORE_CLUSTER_CLUSTER_PURGE_H
#define CDRD_STORE_CLUSTER_CLUSTER_PURGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/account_key.h"
#include "base/error.h"

struct cluster;
struct cluster_purge;

/* NULL when out of memory. */
struct cluster_purge *cluster_purge_new(struct cluster *cluster, const struct account_key *account);
void cluster_purge_free(struct cluster_purge *purge);

/* *done: no table of any shard has a row of the account, as far as is known (cluster_purge_missed). Until then it is to be
 * called again every second or so. ERROR_UNAVAILABLE: the cluster does not answer. */
MUST_CHECK int cluster_purge_step(struct cluster_purge *purge, bool *done, struct error *err);

/* Once it is done: is there a replica that has not answered, or has rows of the account still? Who asks that one is shown them. */
bool cluster_purge_missed(const struct cluster_purge *purge);

/* Rows, of old versions, too, that there were at first. */
uint64_t cluster_purge_rows(const struct cluster_purge *purge);

#endif
