/* SPDX-License-Identifier: ISC */
/*
 * number_search.h: all records that hold a number, of one account or of all.
 *
 * Day by day, the hot rows and then the blocks whose skip indexes do not rule the number out. A record counts as in
 * erase.h: a column of kind CATALOG_NUMBER holds it, a plus before it or not. Each record that is there when the search
 * begins is found once, though it be sealed, merged or replaced meanwhile; but one that moves to a day that was searched
 * already is missed, and what is put meanwhile may be. 16 bytes are kept of each record found.
 */
#ifndef CDRD_STORE_NUMBER_SEARCH_H
#define CDRD_STORE_NUMBER_SEARCH_H

#include "store/scan.h"

struct number_search;

/* `columns`: bits of those that hold it. The record dies when it returns; false ends the search. */
typedef bool (*number_search_fn)(void *arg, const struct record *record, int64_t time_us, uint64_t columns);

/* `account` may be NULL: all. `on_ready` gets `arg`, from the loop, when what number_search_waits for is there, and may
 * free the search; NULL: no callback. ERROR_INVALID for a number that is none. */
MUST_CHECK struct number_search *number_search_new(struct store *store, const struct account_key *account,
                                                   struct str number, number_search_fn fn, void (*on_ready)(void *arg),
                                                   void *arg, struct error *err);

/* Does nothing on NULL. */
void number_search_free(struct number_search *search);

/* Works until about `deadline_us` of clock_monotonic_us, give or take a block. *done: all days were searched, or fn has
 * ended it. */
MUST_CHECK int number_search_step(struct number_search *search, int64_t deadline_us, bool *done, struct error *err);

/* Has a step nothing to do before on_ready is called? */
bool number_search_waits(const struct number_search *search);

struct number_search_counts {
	uint64_t days_done;
	uint64_t days_total;
};
void number_search_counts(const struct number_search *search, struct number_search_counts *counts);

#endif
