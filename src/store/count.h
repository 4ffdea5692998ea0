/* SPDX-License-Identifier: ISC */
/*
 * count.h: how many records a query finds, without reading more of them than it must.
 *
 * A block of which every row counts, or none, is counted by what the directory and its head say of it; its records are
 * not even paged in. Only blocks that a filter or the range cuts are read. Counted is what is committed when its turn
 * comes; query->snapshot and columns are not looked at.
 *
 *	struct count count = { 0 };
 *	while (count_run(store, &query, &count, deadline_us, &end, &err) == 0 && end == SCAN_PAUSED) ...
 */
#ifndef CDRD_STORE_COUNT_H
#define CDRD_STORE_COUNT_H

#include "store/scan.h"

/* Zero-initialised it begins at the beginning. */
struct count {
	uint64_t rows; /* that the query finds */
	uint64_t seen; /* of the range, whether it finds them or not */

	/* counts at once what would have to be read: by its share of the range, and without filters */
	bool rough;

	/* where it goes on */
	int32_t day;
	uint32_t account;
	size_t entry;     /* block of the account's day */
	bool hot;         /* the blocks are done */
	int64_t hot_us;   /* behind this hot row */
	uint64_t hot_seq;
	uint64_t seals;   /* of the day when the account's blocks were begun: another number begins them again */
	uint64_t begun_rows, begun_seen; /* then */
};

/* Goes on until the deadline on clock_monotonic_us, give or take a block. *end is SCAN_DONE or SCAN_PAUSED. 0, or -1
 * with ERROR_CORRUPT, ERROR_IO or ERROR_NOMEM. */
int count_run(struct store *store, const struct scan_query *query, struct count *count, int64_t deadline_us,
              enum scan_end *end, struct error *err);

#endif
