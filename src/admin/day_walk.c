/* SPDX-License-Identifier: ISC */
/*
 * day_walk.c: see day_walk.h.
 */
#include "admin/day_walk.h"

#include "base/clock.h"

/* Finds the first day from walk->next on; false when there is none. */
static bool find_day(const struct day_walk *walk, int32_t *day)
{
	size_t count;
	const int32_t *days = store_days(walk->store, &count);

	for (size_t i = 0; i < count; i++) {
		if (days[i] < walk->next)
			continue;
		*day = days[i];
		return *day <= walk->last;
	}
	return false;
}

/* 1 when the day is counted, 0, -1. */
static int count_day(struct day_walk *walk, int32_t day, int64_t deadline_us, struct error *err)
{
	int counted = 1;

	if (!walk->is_counting || walk->count.stats.day != day)
		walk->count = (struct day_count){ .stats = { .day = day } };
	bool opens = !walk->only_open || store_day_is_open(walk->store, day);
	if (opens)
		counted = store_count_day(walk->store, &walk->count, deadline_us, err);
	if (!opens || (counted < 0 && walk->only_open)) {
		walk->count.stats = (struct store_day_stats){ .day = day, .bytes = store_day_bytes(walk->store, day) };
		counted = 1;
	}
	walk->is_counting = counted == 0;
	walk->next = walk->is_counting ? day : day + 1;
	return counted;
}

int day_walk_step(struct day_walk *walk, int64_t deadline_us, day_walk_fn fn, void *arg, struct error *err)
{
	int32_t day;

	do {
		if (!find_day(walk, &day))
			return 1;
		int counted = count_day(walk, day, deadline_us, err);
		if (counted <= 0)
			return counted;
		fn(arg, &walk->count.stats);
	} while (clock_monotonic_us() < deadline_us);
	return 0;
}
