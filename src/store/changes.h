/* SPDX-License-Identifier: ISC */
/*
 * changes.h: what has changed since: the feed of a product's records of an account, or of several.
 *
 * Every living record has the number of the change that gave it its values. The feed is those with a number after
 * `since`, in order of the numbers, which is the order of arrival; a record that changed several times stands in it
 * once, at its newest change. There is no index of changes on disk. What finds them instead, from coarse to fine:
 *
 *	store->changed   newest change of an account and product (a table of hashes, of all until the start): is there anything?
 *	Bloom filters        ranges of changes of a day (seq_ranges.h): which days?
 *	day_block        changed_min and changed_max: which blocks?
 *	block            seqs of rows and `changed`, both outside of the compressed part: which rows?
 *
 * So a page of the newest changes reads the hot rows of a day and perhaps a block; one of old changes, the blocks that
 * hold them. The rows found are read last, in the order in which they lie.
 */
#ifndef CDRD_STORE_CHANGES_H
#define CDRD_STORE_CHANGES_H

#include "base/buf.h"
#include "base/error.h"
#include "store/scan.h"

struct changes_query {
	const struct catalog_product *product;
	const char (*accounts)[SCAN_ACCOUNT_LEN]; /* the caller's, until changes_free */
	size_t accounts_count;
	uint64_t since;                                                         /* changes up to this one are known */
	size_t max;                                                             /* changes on a page */
	uint64_t columns;                                                       /* as in scan_query */
	void (*write)(void *arg, struct buf *out, const struct record *record); /* appends what becomes of a record */
	void *arg;
};

/* A page in the making. */
struct changes;

/* NULL when out of memory. */
MUST_CHECK struct changes *changes_new(struct store *store, const struct changes_query *query, struct error *err);
void changes_free(struct changes *changes);

/* Continues until the page is complete or `deadline_us` of clock_monotonic_us has passed, which *end tells: SCAN_DONE
 * or SCAN_PAUSED. 0, or -1 with ERROR_CORRUPT, ERROR_IO or ERROR_NOMEM. */
MUST_CHECK int changes_run(struct changes *changes, int64_t deadline_us, enum scan_end *end, struct error *err);

/* A complete page. */
struct changes_page {
	size_t count;
	uint64_t up_to; /* where the next page begins: its `since` */
	bool more;      /* there are already changes after it */
};
struct changes_page changes_page(const struct changes *changes);

/* What `write` made of the change at `index` of a complete page, in order. */
struct str changes_text(const struct changes *changes, size_t index);

/* May there be changes of the account and product after `since`? Those that are not committed count, too. */
bool changes_may_have(const struct store *store, const struct catalog_product *product,
                      const char account[SCAN_ACCOUNT_LEN], uint64_t since);

/* For put.c: a change has been put. */
struct partition;
void changes_note(struct store *store, const struct partition *partition, uint64_t seq);

#endif
