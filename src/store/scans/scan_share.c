/* SPDX-License-Identifier: ISC */
/*
 * scan_share.c: what share of a range lies before a position of its scan.
 *
 * A scan goes through days, within a day through accounts, within an account through times. Each account counts as much
 * as any other, and each time as much as any other: records may be spread less evenly, but that is not known here.
 */
#include "base/clock.h"
#include "store/scans/scan_private.h"

static double between(double low, double at, double high)
{
	if (at <= low || high <= low)
		return 0;
	return at >= high ? 1 : (at - low) / (high - low);
}

static double within(double low, double at, double high)
{
	return at < low ? low : at > high ? high : at;
}

/* How much of the day that a scan is in it has done, from `begin_us` to `end_us`. */
static double share_of_day(const struct scan_query *query, const struct scan_at *at, double begin_us, double end_us)
{
	double of_account = between(begin_us, (double)at->time_us, end_us);

	if (at->account >= query->accounts_count)
		return 1;
	return (at->account + of_account) / (double)query->accounts_count;
}

double days_share(const struct store *store, const struct scan_query *query, const struct scan_position *position)
{
	const struct scan_at at = scan_at_read(position);
	double from_us = (double)query->from_us, to_us = (double)query->to_us;
	double day_us = (double)clock_day_start_us(at.day);
	double begin_us = within(from_us, day_us, to_us);
	double end_us = within(from_us, day_us + (double)CLOCK_US_PER_DAY, to_us);
	double of_day = share_of_day(query, &at, begin_us, end_us);

	(void)store;
	if (at.day == 0 && at.time_us == 0 && at.account == 0)
		return 0;
	return between(from_us, begin_us + (end_us - begin_us) * of_day, to_us);
}
