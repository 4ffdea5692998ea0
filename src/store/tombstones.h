/* SPDX-License-Identifier: ISC */
/*
 * tombstones.h: how many tombstones a day has among its hot rows: places that records have left, for another time of the day
 * or another day, and that no answer shows. They go when their partition is sealed.
 *
 *	struct tombstones tombstones = { .day = day };
 *	while ((rc = tombstones_count(store, &tombstones, deadline_us, &err)) == 0)
 *		...the next slice...
 */
#ifndef CDRD_STORE_TOMBSTONES_H
#define CDRD_STORE_TOMBSTONES_H

#include "store/store.h"

/* A count under way; zeroed but for the day: the beginning. */
struct tombstones {
	int32_t day;
	uint64_t count;
	uint64_t place[8]; /* the store's: where it is */
};

/* Counts on until the deadline, on clock_monotonic_us. 1 when all are counted, also where there is no such day, 0 when there are
 * more rows, -1 with ERROR_CORRUPT, ERROR_IO or ERROR_NOMEM. */
MUST_CHECK int tombstones_count(struct store *store, struct tombstones *tombstones, int64_t deadline_us,
                                struct error *err);

#endif
