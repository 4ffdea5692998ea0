/* SPDX-License-Identifier: ISC */
/*
 * day_walk.h: the store's days one after the other, each counted, in slices; private to admin/.
 */
#ifndef CDRD_ADMIN_DAY_WALK_H
#define CDRD_ADMIN_DAY_WALK_H

#include "store/day_count.h"

struct day_walk {
	struct store *store;
	int32_t next, last; /* days from .. to, both included */
	bool only_open;     /* of a day that is not open, just its files are looked at */

	/* day_walk.c's; zeroed */
	bool is_counting;
	struct day_count count;
};

#define DAY_WALK_END 2

/* 1: *stats is the next day's; 0: the deadline is over; DAY_WALK_END; -1: stats->day cannot be read, and is passed over by the
 * next call. */
MUST_CHECK int day_walk_next(struct day_walk *walk, int64_t deadline_us, struct store_day_stats *stats,
                             struct error *err);

#endif
