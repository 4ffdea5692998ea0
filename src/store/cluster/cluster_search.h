/* SPDX-License-Identifier: ISC */
/*
 * cluster_search.h: records of a cluster that hold a number, for number_search.h.
 *
 * Table by table of each shard, those of which a version holds it in one of the columns f_X that are of kind
 * CATALOG_NUMBER, in pages by key; the newest version is given.
 */
#ifndef CDRD_STORE_CLUSTER_CLUSTER_SEARCH_H
#define CDRD_STORE_CLUSTER_CLUSTER_SEARCH_H

#include "base/account_key.h"
#include "base/error.h"
#include "record/record.h"

struct cluster;
struct cluster_search;

/* Looks whether it still holds the number. False ends the search. */
typedef bool (*cluster_search_fn)(void *arg, const struct record *record, int64_t time_us);

/* `account` may be NULL: all. `number` has no plus, and outlives the search. `on_ready` gets `arg`, from the loop, when
 * what cluster_search_waits for is there, and may free the search. NULL when out of memory. */
struct cluster_search *cluster_search_new(struct cluster *cluster, const struct account_key *account, struct str number,
                                          cluster_search_fn fn, void (*on_ready)(void *arg), void *arg);
void cluster_search_free(struct cluster_search *search);

/* *done: everything was searched, or fn has ended it. Until then it is to be called again: soon, or
 * after on_ready. */
MUST_CHECK int cluster_search_step(struct cluster_search *search, int64_t deadline_us, bool *done, struct error *err);

/* Has a step nothing to do before on_ready is called? */
bool cluster_search_waits(const struct cluster_search *search);

#endif
