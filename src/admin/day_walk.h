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
	/* Of a day that is not open, or cannot be read, only its files are looked at. */
	bool only_open;

	/* day_walk.c's; zeroed */
	bool is_counting;
	struct day_count count;
};

typedef void (*day_walk_fn)(void *arg, const struct store_day_stats *stats);

/* Gives the counts of the days that come next, until about the deadline. 1 when all were given, 0, -1 where one cannot be read. */
MUST_CHECK int day_walk_step(struct day_walk *walk, int64_t deadline_us, day_walk_fn fn, void *arg, struct error *err);

#endif
