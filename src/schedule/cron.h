/* SPDX-License-Identifier: ISC */
/*
 * cron.h: five cron fields, and which moments they mean in a time zone; private to schedule/.
 *
 *	minute hour day-of-month month day-of-week      0-59 0-23 1-31 1-12 0-7 (0 and 7 are Sunday)
 *
 * A field is a list of *, N, N-N, each with an optional /STEP; months and days of the week may be named: JAN, MON. As
 * in crontab(5), where both days are restricted, either is enough.
 *
 * The fields are local times. One that does not exist, because a clock was set forward, means the next moment that
 * does; one that exists twice means the first of the two.
 */
#ifndef CDRD_SCHEDULE_CRON_H
#define CDRD_SCHEDULE_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct cron {
	uint64_t minutes;
	uint32_t hours;
	uint32_t days;
	uint16_t months;
	uint8_t weekdays;
	bool any_day;
	bool any_weekday;
};

/* ERROR_INVALID says what is wrong: also that there is no such day, as of 30 February. */
MUST_CHECK int cron_parse(struct cron *cron, struct str text, struct error *err);

/* The first of its moments after `after_us`. ERROR_INVALID for a zone that does not exist, or ERROR_NOMEM. */
MUST_CHECK int cron_next(const struct cron *cron, struct str zone, int64_t after_us, int64_t *next_us,
                         struct error *err);

/* The last of its moments that is not after `now_us`, nor before `from_us`, which is one of them. */
MUST_CHECK int cron_latest(const struct cron *cron, struct str zone, int64_t from_us, int64_t now_us,
                           int64_t *latest_us, struct error *err);

#endif
