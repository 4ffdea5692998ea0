/* SPDX-License-Identifier: ISC */
/*
 * sums.h: the records of a day for whoever adds them up, in any order.
 *
 * A scan merges blocks and hot rows, so blocks that overlap in time, as late records make them, must be read row by row.
 * A sum does not care about order: here each block goes to the sink by itself, whole where it may, and its head alone
 * is read then. What is given is the newest of what is committed.
 */
#ifndef CDRD_STORE_SUMS_H
#define CDRD_STORE_SUMS_H

#include "store/scan.h"

/* Where a sum of a day goes on; all zero: from the beginning. */
struct sums {
	bool begun;
	uint64_t seals; /* of the day, when it was begun */
	size_t entry;   /* of its blocks, given so far */
	bool hot;       /* the blocks are done */
	int64_t hot_us; /* of the last hot row that was given */
	uint64_t hot_seq;
};

enum sums_end {
	SUMS_DONE,
	SUMS_PAUSED,  /* the deadline passed: call again */
	SUMS_STOPPED, /* the sink said so */
	SUMS_CHANGED, /* blocks have changed since it was begun: what was given is to be forgotten, and all begun anew */
};

/*
 * Gives the records of query->accounts[0] within the range, which lies in one day, until `deadline_us` of
 * clock_monotonic_us. The sink has on_span and sums_only; positions are of no use to it. 0, or -1 with ERROR_CORRUPT,
 * ERROR_IO or ERROR_NOMEM.
 */
int sums_run(struct store *store, const struct scan_query *query, struct sums *sums, int64_t deadline_us,
             const struct scan_sink *sink, enum sums_end *end, struct error *err);

#endif
