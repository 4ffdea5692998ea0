/* SPDX-License-Identifier: ISC */
/*
 * test_schedule.c: when schedules run, and of what.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "schedule/cron.h"
#include "schedule/period.h"

Suite *suite_schedule(void);

static struct error err;

static int64_t moment(const char *text)
{
	int64_t time_us = 0;

	ck_assert_msg(clock_parse_iso8601(str_from(text), &time_us), "%s", text);
	return time_us;
}

static const char *shown(int64_t time_us, const char *zone_name)
{
	static char text[256];
	struct buf out = { 0 };
	struct zone zone;

	ck_assert_int_eq(zone_load(&zone, str_from(zone_name), time_us, time_us, &err), 0);
	zone_format(&zone, &out, time_us);
	(void)snprintf(text, sizeof(text), "%s", buf_cstr(&out));
	zone_free(&zone);
	buf_free(&out);
	return text;
}

/* --- when --- */

static const struct {
	const char *cron, *zone, *after;
	const char *runs[4]; /* the next ones */
} times[] = {
	{ "0 6 1 * *",
	  "Europe/Berlin",
	  "2026-11-28T20:00:00Z",
	  { "2026-12-01T06:00:00+01:00", "2027-01-01T06:00:00+01:00", "2027-02-01T06:00:00+01:00",
	    "2027-03-01T06:00:00+01:00" } },
	/* after the very moment, not at it */
	{ "*/15 * * * *",
	  "UTC",
	  "2026-11-28T20:00:00Z",
	  { "2026-11-28T20:15:00+00:00", "2026-11-28T20:30:00+00:00", "2026-11-28T20:45:00+00:00",
	    "2026-11-28T21:00:00+00:00" } },
	{ "59 23 28 NOV *",
	  "UTC",
	  "2026-11-28T23:58:59Z",
	  { "2026-11-28T23:59:00+00:00", "2027-11-28T23:59:00+00:00", NULL } },
	{ "30 7 * * MON-FRI",
	  "Asia/Kolkata",
	  "2026-11-27T12:00:00Z",
	  { "2026-11-30T07:30:00+05:30", "2026-12-01T07:30:00+05:30", NULL } },
	{ "0 0 * * 7",
	  "UTC",
	  "2026-11-28T00:00:00Z",
	  { "2026-11-29T00:00:00+00:00", "2026-12-06T00:00:00+00:00", NULL } },
	/* both days are restricted: either is enough */
	{ "0 0 1 * 1",
	  "UTC",
	  "2026-11-28T00:00:00Z",
	  { "2026-11-30T00:00:00+00:00", "2026-12-01T00:00:00+00:00", "2026-12-07T00:00:00+00:00", NULL } },
	/* eight years without a 29 February */
	{ "0 12 29 2 *", "UTC", "2096-02-29T12:00:00Z", { "2104-02-29T12:00:00+00:00", NULL } },
	/* 28 years, and 40 across 2100, without a 29 February on a Sunday */
	{ "0 12 29 2 */7",
	  "UTC",
	  "2032-02-29T12:00:00Z",
	  { "2060-02-29T12:00:00+00:00", "2088-02-29T12:00:00+00:00", "2128-02-29T12:00:00+00:00", NULL } },
	{ "5,10-20/5,50/5 3 * * *",
	  "UTC",
	  "2026-11-28T03:05:00Z",
	  { "2026-11-28T03:10:00+00:00", "2026-11-28T03:15:00+00:00", "2026-11-28T03:20:00+00:00",
	    "2026-11-28T03:50:00+00:00" } },
};

START_TEST(fields_mean_local_times)
{
	struct cron cron;
	int64_t at_us = moment(times[_i].after);

	ck_assert_int_eq(cron_parse(&cron, str_from(times[_i].cron), &err), 0);
	for (size_t i = 0; i < 4 && times[_i].runs[i]; i++) {
		ck_assert_int_eq(cron_next(&cron, str_from(times[_i].zone), at_us, &at_us, &err), 0);
		ck_assert_str_eq(shown(at_us, times[_i].zone), times[_i].runs[i]);
	}
}
END_TEST

START_TEST(a_time_that_does_not_exist_runs_at_the_next_that_does)
{
	const char *zone = "Europe/Berlin"; /* 29 March 2026: from 02:00 to 03:00 */
	struct cron cron;
	int64_t at_us = moment("2026-03-28T12:00:00Z");

	ck_assert_int_eq(cron_parse(&cron, STR_LITERAL("30 2 * * *"), &err), 0);
	ck_assert_int_eq(cron_next(&cron, str_from(zone), at_us, &at_us, &err), 0);
	ck_assert_str_eq(shown(at_us, zone), "2026-03-29T03:00:00+02:00");
	ck_assert_int_eq(cron_next(&cron, str_from(zone), at_us, &at_us, &err), 0);
	ck_assert_str_eq(shown(at_us, zone), "2026-03-30T02:30:00+02:00");
}
END_TEST

START_TEST(all_times_that_do_not_exist_run_once)
{
	const char *zone = "Europe/Berlin";
	struct cron cron;
	int64_t at_us = moment("2026-03-29T00:45:00Z"); /* 01:45 */

	ck_assert_int_eq(cron_parse(&cron, STR_LITERAL("*/15 * * * *"), &err), 0);
	ck_assert_int_eq(cron_next(&cron, str_from(zone), at_us, &at_us, &err), 0);
	ck_assert_str_eq(shown(at_us, zone), "2026-03-29T03:00:00+02:00");
	ck_assert_int_eq(cron_next(&cron, str_from(zone), at_us, &at_us, &err), 0);
	ck_assert_str_eq(shown(at_us, zone), "2026-03-29T03:15:00+02:00");
}
END_TEST

START_TEST(a_time_that_is_twice_runs_once)
{
	const char *zone = "Europe/Berlin"; /* 25 October 2026: from 03:00 back to 02:00 */
	struct cron cron;
	int64_t at_us = moment("2026-10-24T12:00:00Z");

	ck_assert_int_eq(cron_parse(&cron, STR_LITERAL("30 2 * * *"), &err), 0);
	ck_assert_int_eq(cron_next(&cron, str_from(zone), at_us, &at_us, &err), 0);
	ck_assert_str_eq(shown(at_us, zone), "2026-10-25T02:30:00+02:00");
	ck_assert_int_eq(cron_next(&cron, str_from(zone), at_us, &at_us, &err), 0);
	ck_assert_str_eq(shown(at_us, zone), "2026-10-26T02:30:00+01:00");
	/* from within the second of the two hours */
	ck_assert_int_eq(cron_next(&cron, str_from(zone), moment("2026-10-25T01:10:00Z"), &at_us, &err), 0);
	ck_assert_str_eq(shown(at_us, zone), "2026-10-26T02:30:00+01:00");
}
END_TEST

static const struct {
	const char *cron, *from, *now, *latest;
} latest[] = {
	{ "0 6 * * *", "2026-11-28T06:00:00Z", "2026-11-28T06:00:00Z", "2026-11-28T06:00:00+00:00" },
	{ "0 6 * * *", "2026-11-01T06:00:00Z", "2026-11-28T05:59:59Z", "2026-11-27T06:00:00+00:00" },
	{ "0 6 1 1 *", "2020-01-01T06:00:00Z", "2026-11-28T00:00:00Z", "2026-01-01T06:00:00+00:00" },
	{ "0 6 29 2 *", "2020-02-29T06:00:00Z", "2026-11-28T00:00:00Z", "2024-02-29T06:00:00+00:00" },
	{ "* * * * *", "2020-01-01T00:00:00Z", "2026-11-28T05:59:59Z", "2026-11-28T05:59:00+00:00" },
	{ "* 0-3 * * *", "2020-01-01T00:00:00Z", "2026-11-28T05:59:59Z", "2026-11-28T03:59:00+00:00" },
};

START_TEST(of_missed_times_the_latest_is_found)
{
	struct cron cron;
	int64_t at_us;

	ck_assert_int_eq(cron_parse(&cron, str_from(latest[_i].cron), &err), 0);
	ck_assert_int_eq(cron_latest(&cron, STR_LITERAL("UTC"), moment(latest[_i].from), moment(latest[_i].now), &at_us,
	                             &err),
	                 0);
	ck_assert_str_eq(shown(at_us, "UTC"), latest[_i].latest);
}
END_TEST

static const struct {
	const char *cron, *why;
} wrong[] = {
	{ "", "Has 0 fields, must have 5: minute, hour, day of the month, month and day of the week" },
	{ "0 6 1 *", "Has 4 fields, must have 5: minute, hour, day of the month, month and day of the week" },
	{ "0 6 1 * * *", "Has more than 5 fields" },
	{ "60 6 1 * *", "'60' for the minute: must be a list of *, N, N-N or */STEP, N from 0 to 59" },
	{ "0 24 1 * *", "'24' for the hour: must be a list of *, N, N-N or */STEP, N from 0 to 23" },
	{ "0 6 0 * *", "'0' for the day of the month: must be a list of *, N, N-N or */STEP, N from 1 to 31" },
	{ "0 6 1 JAM *", "'JAM' for the month: must be a list of *, N, N-N or */STEP, N from 1 to 12" },
	{ "0 6 1 * 8", "'8' for the day of the week: must be a list of *, N, N-N or */STEP, N from 0 to 7" },
	{ "5-1 6 1 * *", "'5-1' for the minute: must be a list of *, N, N-N or */STEP, N from 0 to 59" },
	{ "*/0 6 1 * *", "'*/0' for the minute: must be a list of *, N, N-N or */STEP, N from 0 to 59" },
	{ "1,,2 6 1 * *", "'1,,2' for the minute: must be a list of *, N, N-N or */STEP, N from 0 to 59" },
	{ "1-2-3 6 1 * *", "'1-2-3' for the minute: must be a list of *, N, N-N or */STEP, N from 0 to 59" },
	{ "-1 6 1 * *", "'-1' for the minute: must be a list of *, N, N-N or */STEP, N from 0 to 59" },
	{ "99999999999999999999 6 1 * *",
	  "'99999999999999999999' for the minute: must be a list of *, N, N-N or */STEP, N from 0 to 59" },
	{ "0 6 30 2 *", "There is no such day" },
	{ "0 6 31 4,6,9,11 *", "There is no such day" },
};

START_TEST(wrong_fields_are_refused)
{
	struct cron cron;

	ck_assert_int_eq(cron_parse(&cron, str_from(wrong[_i].cron), &err), -1);
	ck_assert_int_eq(err.code, ERROR_INVALID);
	ck_assert_str_eq(err.message, wrong[_i].why);
}
END_TEST

/* --- of what --- */

static const struct {
	const char *range, *zone, *run, *from, *to;
} ranges[] = {
	{ "yesterday", "Europe/Berlin", "2026-11-28T23:30:00Z", "2026-11-28T00:00:00+01:00",
	  "2026-11-29T00:00:00+01:00" },
	{ "today", "UTC", "2026-11-28T06:00:00Z", "2026-11-28T00:00:00+00:00", "2026-11-28T06:00:00+00:00" },
	/* Saturday */
	{ "this_week", "UTC", "2026-11-28T06:00:00Z", "2026-11-23T00:00:00+00:00", "2026-11-28T06:00:00+00:00" },
	{ "last_week", "UTC", "2026-11-28T06:00:00Z", "2026-11-16T00:00:00+00:00", "2026-11-23T00:00:00+00:00" },
	/* Monday and Sunday */
	{ "last_week", "UTC", "2026-11-23T00:00:00Z", "2026-11-16T00:00:00+00:00", "2026-11-23T00:00:00+00:00" },
	{ "last_week", "UTC", "2026-11-22T23:59:00Z", "2026-11-09T00:00:00+00:00", "2026-11-16T00:00:00+00:00" },
	{ "last_month", "Europe/Berlin", "2026-01-01T00:00:00Z", "2025-12-01T00:00:00+01:00",
	  "2026-01-01T00:00:00+01:00" },
	/* a month whose ends have two offsets, and a day of 23 hours */
	{ "last_month", "Europe/Berlin", "2026-04-15T00:00:00Z", "2026-03-01T00:00:00+01:00",
	  "2026-04-01T00:00:00+02:00" },
	{ "yesterday", "Europe/Berlin", "2026-03-30T06:00:00Z", "2026-03-29T00:00:00+01:00",
	  "2026-03-30T00:00:00+02:00" },
	{ "this_month", "UTC", "2026-11-01T00:00:00Z", "2026-11-01T00:00:00+00:00", "2026-11-01T00:00:00+00:00" },
	{ "last_7_days", "UTC", "2026-11-28T06:00:00Z", "2026-11-21T00:00:00+00:00", "2026-11-28T00:00:00+00:00" },
	{ "last_366_days", "UTC", "2026-11-28T06:00:00Z", "2025-11-27T00:00:00+00:00", "2026-11-28T00:00:00+00:00" },
};

START_TEST(ranges_are_relative_to_the_run)
{
	struct period period;
	struct zone zone;
	int64_t from_us, to_us;

	ck_assert(period_parse(&period, str_from(ranges[_i].range)));
	ck_assert_int_eq(period_range(&period, str_from(ranges[_i].zone), moment(ranges[_i].run), &zone, &from_us,
	                              &to_us, &err),
	                 0);
	ck_assert_str_eq(shown(from_us, ranges[_i].zone), ranges[_i].from);
	ck_assert_str_eq(shown(to_us, ranges[_i].zone), ranges[_i].to);
	zone_free(&zone);
}
END_TEST

START_TEST(other_ranges_are_refused)
{
	static const char *const texts[] = { "",           "last_year",     "last_0_days", "last_367_days",
		                             "last__days", "last_1e1_days", "last_7_day",  "LAST_MONTH" };
	struct period period;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(!period_parse(&period, str_from(texts[i])), "%s", texts[i]);
}
END_TEST

Suite *suite_schedule(void)
{
	Suite *suite = suite_create("schedule");
	TCase *when = tcase_create("when"), *what = tcase_create("what");

	tcase_add_loop_test(when, fields_mean_local_times, 0, (int)(sizeof(times) / sizeof(times[0])));
	tcase_add_test(when, a_time_that_does_not_exist_runs_at_the_next_that_does);
	tcase_add_test(when, all_times_that_do_not_exist_run_once);
	tcase_add_test(when, a_time_that_is_twice_runs_once);
	tcase_add_loop_test(when, of_missed_times_the_latest_is_found, 0, (int)(sizeof(latest) / sizeof(latest[0])));
	tcase_add_loop_test(when, wrong_fields_are_refused, 0, (int)(sizeof(wrong) / sizeof(wrong[0])));
	suite_add_tcase(suite, when);
	tcase_add_loop_test(what, ranges_are_relative_to_the_run, 0, (int)(sizeof(ranges) / sizeof(ranges[0])));
	tcase_add_test(what, other_ranges_are_refused);
	suite_add_tcase(suite, what);
	return suite;
}
