/* SPDX-License-Identifier: ISC */
/*
 * period.h: ranges of time relative to a run, `last_month`; private to schedule/.
 *
 *	today, this_week, this_month            from its beginning until the run
 *	yesterday, last_week, last_month        the whole one before
 *	last_N_days                             the N whole days before today, N from 1 to 366
 *
 * Days are the time zone's, from midnight to midnight; weeks begin on Monday.
 */
#ifndef CDRD_SCHEDULE_PERIOD_H
#define CDRD_SCHEDULE_PERIOD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "base/zone.h"

#define PERIOD_NAMES "today, yesterday, this_week, last_week, this_month, last_month or last_N_days, N from 1 to 366"

struct period {
	enum { PERIOD_DAYS, PERIOD_WEEK, PERIOD_MONTH } unit;
	int before;  /* how many units before the present one it begins */
	bool to_now; /* until the run; else until the present unit begins */
};

bool period_parse(struct period *period, struct str text);

/* The range of a run at `run_us`. *zone, which the caller frees also after a failure, has both in it. */
MUST_CHECK int period_range(const struct period *period, struct str zone_name, int64_t run_us, struct zone *zone,
                            int64_t *from_us, int64_t *to_us, struct error *err);

#endif
