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
#include "base/buf.h"
#include "base/error.h"
#include "record/record.h"

struct cluster;
struct cluster_row;
struct cluster_search;

/* Gets the newest version, of shard `shard`, and looks whether it still holds the number; one that is dead, too. False ends
 * the search. */
typedef bool (*cluster_search_fn)(void *arg, const struct cluster_row *row, size_t shard, const struct record *record);

/* What is searched. All must outlive the search. */
struct cluster_search_scope {
	const struct account_key *accounts; /* NULL: all */
	size_t accounts_count;
	struct str number; /* without a plus */
	uint64_t newest;   /* a version that holds it is not newer than this; 0: any */
};

/* `on_ready` gets `arg`, from the loop, when what cluster_search_waits for is there, and may free the search. NULL when out
 * of memory. */
struct cluster_search *cluster_search_new(struct cluster *cluster, const struct cluster_search_scope *scope,
                                          cluster_search_fn fn, void (*on_ready)(void *arg), void *arg);

/* The numbers of the scope's accounts that are in the shard, 8 bytes each, little-endian: how many there are. */
size_t cluster_search_accounts(const struct cluster *cluster, const struct cluster_search_scope *scope, size_t shard,
                               struct buf *numbers);

/* A condition that is true of rows that hold the number, of no version after scope->newest; of any account. */
void cluster_search_write_holds(struct buf *sql, const struct catalog_product *product,
                                const struct cluster_search_scope *scope);
void cluster_search_free(struct cluster_search *search);

/* *done: everything was searched, or fn has ended it. Until then it is to be called again: soon, or
 * after on_ready. */
MUST_CHECK int cluster_search_step(struct cluster_search *search, int64_t deadline_us, bool *done, struct error *err);

/* Has a step nothing to do before on_ready is called? */
bool cluster_search_waits(const struct cluster_search *search);

#endif
