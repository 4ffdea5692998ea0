/* SPDX-License-Identifier: ISC */
/*
 * clock.h: what time it is, and times as text.
 *
 * Times inside are integers, microseconds since the epoch, UTC. Text is ISO 8601 as the Reports API speaks it.
 */
#ifndef CDRD_BASE_CLOCK_H
#define CDRD_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>

#include "base/buf.h"
#include "base/str.h"

#define CLOCK_US_PER_SECOND INT64_C(1000000)
#define CLOCK_US_PER_HOUR (INT64_C(3600) * CLOCK_US_PER_SECOND)
#define CLOCK_US_PER_DAY (INT64_C(24) * CLOCK_US_PER_HOUR)

/* A span of microseconds, 0 or more, for timers. */
static inline struct timeval clock_timeval(int64_t us)
{
	return (struct timeval){ us / CLOCK_US_PER_SECOND, us % CLOCK_US_PER_SECOND };
}

/* Of a file's last change, say: less than 0, 0, or more, as a is before, the same as, or after b. */
static inline int clock_compare(const struct timespec *a, const struct timespec *b)
{
	if (a->tv_sec != b->tv_sec)
		return a->tv_sec < b->tv_sec ? -1 : 1;
	return a->tv_nsec < b->tv_nsec ? -1 : a->tv_nsec > b->tv_nsec;
}

int64_t clock_now_us(void);       /* wall clock */
int64_t clock_monotonic_us(void); /* for durations and deadlines */

/* The UTC day a time falls on, in days since the epoch (rounding down, also before it), and its first microsecond. */
int32_t clock_day_of(int64_t time_us);
int64_t clock_day_start_us(int32_t day);

/* The same moment `months` calendar months earlier in UTC; a day past the month's end becomes its last day. */
int64_t clock_months_before(int64_t time_us, int months);

/*
 * Reads `yyyy-mm-ddThh:mm:ss`, an optional fraction of 1 to 9 digits (what is finer than a microsecond is cut), then
 * `Z` or an offset `±hh:mm`, `±hhmm` or `±hh` of at most 14:00. A space instead of the plus (an unencoded plus of a
 * query) is read as a plus; `t`, `z` and a space for `T` are accepted. Years 1970 to 9999, as written and in UTC;
 * second 60 is the next minute. False for anything else, and for a date that does not exist.
 */
bool clock_parse_iso8601(struct str text, int64_t *time_us);

/* Reads the same without an offset, which must be absent: the local time, as if it were UTC. */
bool clock_parse_local(struct str text, int64_t *local_us);

/* A moment and the offset from UTC that it was written with. */
struct clock_moment {
	int64_t time_us;
	int64_t offset_us;
};

/* As clock_parse_iso8601, for times of requests: seconds may be left out, and a date alone, yyyy-mm-dd, is its midnight
 * in UTC. */
bool clock_parse_moment(struct str text, struct clock_moment *moment);

/* Appends e.g. 2025-04-01T23:55:06+00:00, as times are written in records, answers, reports and callbacks: with the
 * colon, since .NET, Go and others cannot read +0000. A fraction is written only if it is not zero, with 3 or 6
 * digits. */
void clock_format_record(struct buf *out, int64_t time_us);

/* Appends a length of time as people write it, in units that add up to it: "26 hours", "397 days 1 millisecond". Days
 * are counted from 48 hours on. */
void clock_format_duration(struct buf *out, int64_t us);

/* Appends yyyy-mm-dd of a day number. */
void clock_format_day(struct buf *out, int32_t day);

/* The month, 1 to 12, and the day of it, 1 to 31, of a day number. */
void clock_date_of(int32_t day, int *month, int *day_of_month);

/* Reads yyyy-mm-dd into a day number; false for anything else. */
bool clock_parse_day(struct str text, int32_t *day);

#endif
