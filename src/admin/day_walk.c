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

int day_walk_next(struct day_walk *walk, int64_t deadline_us, struct store_day_stats *stats, struct error *err)
{
	int32_t day;
	int counted = 1;

	if (!find_day(walk, &day))
		return DAY_WALK_END;
	if (!walk->is_counting || walk->count.stats.day != day)
		walk->count = (struct day_count){ .stats = { .day = day } };
	if (walk->only_open && !store_day_is_open(walk->store, day))
		walk->count.stats = (struct store_day_stats){ .day = day, .bytes = store_day_bytes(walk->store, day) };
	else
		counted = store_count_day(walk->store, &walk->count, deadline_us, err);
	walk->is_counting = counted == 0;
	walk->next = walk->is_counting ? day : day + 1;
	*stats = walk->count.stats;
	return counted;
}
