/* SPDX-License-Identifier: ISC */
/*
 * period.c: see period.h.
 */
#include "schedule/period.h"

#include "base/clock.h"

#define DAYS_MAX 366
#define DAYS_A_WEEK 7

static const struct {
	const char *name;
	struct period period;
} names[] = {
	{ "today", { PERIOD_DAYS, 0, true } },       { "yesterday", { PERIOD_DAYS, 1, false } },
	{ "this_week", { PERIOD_WEEK, 0, true } },   { "last_week", { PERIOD_WEEK, 1, false } },
	{ "this_month", { PERIOD_MONTH, 0, true } }, { "last_month", { PERIOD_MONTH, 1, false } },
};

static bool parse_days(struct str text, int *days)
{
	static const char before[] = "last_", after[] = "_days";
	const size_t len = sizeof(before) - 1 + sizeof(after) - 1;

	*days = 0;
	if (text.len <= len || text.len > len + 3 || memcmp(text.p, before, sizeof(before) - 1) != 0 ||
	    memcmp(text.p + text.len - (sizeof(after) - 1), after, sizeof(after) - 1) != 0)
		return false;
	for (size_t i = sizeof(before) - 1; i < text.len - (sizeof(after) - 1); i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		*days = *days * 10 + (text.p[i] - '0');
	}
	return *days >= 1 && *days <= DAYS_MAX;
}

bool period_parse(struct period *period, struct str text)
{
	int days;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_is(text, names[i].name)) {
			*period = names[i].period;
			return true;
		}
	}
	if (!parse_days(text, &days))
		return false;
	*period = (struct period){ PERIOD_DAYS, days, false };
	return true;
}

/* The first day of the present unit, and of the one that the period begins with. */
static void find_days(const struct period *period, int32_t today, int32_t *present, int32_t *first)
{
	int month, day;

	*present = today;
	*first = today - period->before;
	if (period->unit == PERIOD_WEEK) {
		*present = today - (today % DAYS_A_WEEK + 3 + DAYS_A_WEEK) % DAYS_A_WEEK; /* day 0 was a Thursday */
		*first = *present - period->before * DAYS_A_WEEK;
	} else if (period->unit == PERIOD_MONTH) {
		clock_date_of(today, &month, &day);
		*present = today - day + 1;
		*first = clock_day_of(clock_months_before(clock_day_start_us(*present), period->before));
	}
}

int period_range(const struct period *period, struct str zone_name, int64_t run_us, struct zone *zone, int64_t *from_us,
                 int64_t *to_us, struct error *err)
{
	int32_t present, first;

	if (zone_load(zone, zone_name, run_us - (DAYS_MAX + 1) * CLOCK_US_PER_DAY, run_us, err) != 0)
		return -1;
	find_days(period, clock_day_of(run_us + zone_offset_us(zone, run_us)), &present, &first);
	*from_us = zone_moment_us(zone, clock_day_start_us(first));
	*to_us = period->to_now ? run_us : zone_moment_us(zone, clock_day_start_us(present));
	return 0;
}
