/* SPDX-License-Identifier: ISC */
/*
 * changes.h: what has changed since: the feed of a product's records of an account, or of several.
 *
 * Every living record has the number of the change that gave it its values. The feed is those with a number after
 * `since`, in order of the numbers, which is the order of arrival; a record that changed several times stands in it
 * once, at its newest change.
 */
#ifndef CDRD_STORE_CHANGES_H
#define CDRD_STORE_CHANGES_H

#include "base/buf.h"
#include "base/error.h"
#include "store/scan.h"

struct changes_query {
	const struct catalog_product *product;
	const struct account_key *accounts; /* the caller's, until changes_free */
	size_t accounts_count;
	uint64_t since;                                                         /* changes up to this one are known */
	size_t max;                                                             /* changes on a page */
	uint64_t columns;                                                       /* as in scan_query */
	void (*write)(void *arg, struct buf *out, const struct record *record); /* appends what becomes of a record */
	void (*on_ready)(void *arg); /* after SCAN_WAITS, as in scan.h; NULL: no callback */
	void *arg;
};

/* A page in the making. */
struct changes;

/* The query is copied; what it points to must outlive the page. NULL when out of memory. */
MUST_CHECK struct changes *changes_new(struct store *store, const struct changes_query *query, struct error *err);
void changes_free(struct changes *changes);

/* Continues until the page is complete or `deadline_us` of clock_monotonic_us has passed, which *end tells: SCAN_DONE,
 * SCAN_PAUSED or SCAN_WAITS. 0, or -1 with ERROR_CORRUPT, ERROR_IO or ERROR_NOMEM. */
MUST_CHECK int changes_run(struct changes *changes, int64_t deadline_us, enum scan_end *end, struct error *err);

/* A complete page. It never leads beyond the snapshot: what is not committed comes later. */
struct changes_page {
	size_t count;
	uint64_t up_to; /* the next page's `since`: the last change if there are more, else the snapshot */
	bool more;      /* there are already changes after it */
};
struct changes_page changes_page(const struct changes *changes);

/* What `write` made of the change at `index` of a complete page, in order. */
struct str changes_text(const struct changes *changes, size_t index);

/* May there be changes of the account and product after `since`? Those that are not committed count, too. */
bool changes_may_have(const struct store *store, const struct catalog_product *product,
                      const struct account_key *account, uint64_t since);

#endif
