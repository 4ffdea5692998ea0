/*
 * test_summary.c: the zones that a summary's hours, days and months are counted in.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "query/zone.h"

Suite *suite_summary(void);

static int64_t moment(const char *text)
{
	int64_t time_us;

	ck_assert_msg(clock_parse_iso8601(str_from(text), &time_us), "%s is no time", text);
	return time_us;
}

static void open_zone(struct zone *zone, const char *name)
{
	struct error err = { 0 };

	ck_assert_msg(zone_load(zone, str_from(name), moment("2025-01-01T00:00:00Z"), moment("2026-12-31T00:00:00Z"),
	                        &err) == 0, "%s: %s", name, err.message);
}

static void must_be_refused(const char *name)
{
	struct zone zone;
	struct error err = { 0 };

	ck_assert_msg(zone_load(&zone, str_from(name), 0, CLOCK_US_PER_DAY, &err) < 0, "%s was taken", name);
	ck_assert_int_eq(err.code, ERROR_INVALID);
	zone_free(&zone);
}

static const struct {
	const char *zone;
	enum zone_interval interval;
	const char *time;
	const char *start;
} rows[] = {
	{ "UTC", ZONE_DAY, "2026-03-29T23:59:59.999999Z", "2026-03-29T00:00:00+00:00" },
	{ "+02:00", ZONE_DAY, "2026-03-29T23:59:59Z", "2026-03-30T00:00:00+02:00" },
	{ " 02:00", ZONE_DAY, "2026-03-29T23:59:59Z", "2026-03-30T00:00:00+02:00" },
	{ "-0930", ZONE_HOUR, "2026-03-29T23:59:59Z", "2026-03-29T14:00:00-09:30" },
	{ "+05", ZONE_MONTH, "2026-02-28T19:00:00Z", "2026-03-01T00:00:00+05:00" },
	/* 2026-03-29 has 23 hours in Berlin, 2026-10-25 has 25 */
	{ "Europe/Berlin", ZONE_DAY, "2026-03-28T22:59:59Z", "2026-03-28T00:00:00+01:00" },
	{ "Europe/Berlin", ZONE_DAY, "2026-03-28T23:00:00Z", "2026-03-29T00:00:00+01:00" },
	{ "Europe/Berlin", ZONE_DAY, "2026-03-29T21:59:59Z", "2026-03-29T00:00:00+01:00" },
	{ "Europe/Berlin", ZONE_DAY, "2026-03-29T22:00:00Z", "2026-03-30T00:00:00+02:00" },
	{ "Europe/Berlin", ZONE_HOUR, "2026-03-29T00:59:59Z", "2026-03-29T01:00:00+01:00" },
	{ "Europe/Berlin", ZONE_HOUR, "2026-03-29T01:00:00Z", "2026-03-29T03:00:00+02:00" },
	{ "Europe/Berlin", ZONE_HOUR, "2026-10-25T00:30:00Z", "2026-10-25T02:00:00+02:00" },
	{ "Europe/Berlin", ZONE_HOUR, "2026-10-25T01:30:00Z", "2026-10-25T02:00:00+01:00" },
	{ "Europe/Berlin", ZONE_MONTH, "2026-03-31T21:59:59Z", "2026-03-01T00:00:00+01:00" },
	{ "Europe/Berlin", ZONE_MONTH, "2026-03-31T22:00:00Z", "2026-04-01T00:00:00+02:00" },
	{ "Europe/Berlin", ZONE_MONTH, "2025-12-31T23:00:00Z", "2026-01-01T00:00:00+01:00" },
	{ "America/New_York", ZONE_DAY, "2025-11-02T04:00:00Z", "2025-11-02T00:00:00-04:00" },
	{ "America/New_York", ZONE_DAY, "2025-11-03T04:59:59Z", "2025-11-02T00:00:00-04:00" },
	{ "America/New_York", ZONE_DAY, "2025-11-03T05:00:00Z", "2025-11-03T00:00:00-05:00" },
	{ "Asia/Kolkata", ZONE_HOUR, "2026-06-01T12:29:59Z", "2026-06-01T17:00:00+05:30" },
	{ "Asia/Kolkata", ZONE_HOUR, "2026-06-01T12:30:00Z", "2026-06-01T18:00:00+05:30" },
	{ "Asia/Kathmandu", ZONE_DAY, "2026-06-01T18:15:00Z", "2026-06-02T00:00:00+05:45" },
	/* set back by half an hour, at 2 to half past 1 */
	{ "Australia/Lord_Howe", ZONE_HOUR, "2026-04-04T14:59:59Z", "2026-04-05T01:00:00+11:00" },
	{ "Australia/Lord_Howe", ZONE_HOUR, "2026-04-04T15:00:00Z", "2026-04-05T01:30:00+10:30" },
	{ "Australia/Lord_Howe", ZONE_HOUR, "2026-04-04T15:30:00Z", "2026-04-05T02:00:00+10:30" },
	/* midnight of 2026-04-24 is not there: the clock goes from 24:00 to 01:00 */
	{ "Africa/Cairo", ZONE_DAY, "2026-04-23T21:59:59Z", "2026-04-23T00:00:00+02:00" },
	{ "Africa/Cairo", ZONE_DAY, "2026-04-23T22:00:00Z", "2026-04-24T01:00:00+03:00" },
	{ "Etc/GMT+2", ZONE_DAY, "2026-04-23T01:59:59Z", "2026-04-22T00:00:00-02:00" },
	{ "Etc/GMT 2", ZONE_DAY, "2026-04-23T02:00:00Z", "2026-04-23T00:00:00-02:00" },
};

START_TEST(intervals_begin_where_the_zone_says)
{
	struct buf text = { 0 };
	struct zone zone;
	int64_t until_us, time_us = moment(rows[_i].time);

	open_zone(&zone, rows[_i].zone);
	int64_t start_us = zone_interval_start_us(&zone, rows[_i].interval, time_us, &until_us);

	zone_format(&zone, &text, start_us);
	ck_assert_msg(str_is(buf_str(&text), rows[_i].start), "%s of %s: %s, not %s", rows[_i].time, rows[_i].zone,
	              buf_cstr(&text), rows[_i].start);
	ck_assert_int_le(start_us, time_us);
	ck_assert_int_gt(until_us, time_us);
	buf_free(&text);
	zone_free(&zone);
}
END_TEST

/* Two years, half an hour at a time: what the table says of one moment holds until the moment that it names. */
START_TEST(intervals_follow_each_other_without_gaps)
{
	static const char *const zones[] = { "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo",
		                             "Asia/Kathmandu", "-03:30", "America/Havana", "Africa/Casablanca" };
	static const enum zone_interval intervals[] = { ZONE_HOUR, ZONE_DAY, ZONE_MONTH };
	struct zone zone, other;
	int wrong = 0;

	open_zone(&zone, zones[_i]);
	open_zone(&other, zones[_i]);
	for (size_t i = 0; i < 3; i++) {
		int64_t last_us = INT64_MIN, last_until_us = INT64_MIN;

		for (int64_t t = moment("2025-01-01T00:15:00Z"); t < moment("2026-12-31T00:00:00Z");
		     t += CLOCK_US_PER_HOUR / 2) {
			int64_t until_us, ignored_us, start_us = zone_interval_start_us(&zone, intervals[i], t, &until_us);

			wrong += start_us < last_us || start_us > t || until_us <= t;
			wrong += t < last_until_us && start_us != last_us;
			wrong += zone_interval_start_us(&other, intervals[i], start_us, &ignored_us) != start_us;
			last_us = start_us;
			last_until_us = until_us;
		}
	}
	ck_assert_int_eq(wrong, 0);
	zone_free(&zone);
	zone_free(&other);
}
END_TEST

START_TEST(what_is_no_zone_is_refused)
{
	static const char *const names[] = { "", "Europe", "Europe/Atlantis", "../../etc/passwd", "/etc/localtime", "+2",
		                             "+15:00", "+02:60", "+02-00", "right/UTC", "zone.tab", "Europe/Berlin ",
		                             "Europe/../Europe/Berlin", "+0x:00", "::" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		must_be_refused(names[i]);
}
END_TEST

START_TEST(the_process_keeps_its_own_zone)
{
	struct zone zone;
	time_t noon = 1780000000;
	struct tm before, after;

	setenv("TZ", "Asia/Tokyo", 1);
	tzset();
	localtime_r(&noon, &before);
	open_zone(&zone, "Europe/Berlin");
	localtime_r(&noon, &after);
	ck_assert_str_eq(getenv("TZ"), "Asia/Tokyo");
	ck_assert_int_eq(before.tm_gmtoff, after.tm_gmtoff);
	zone_free(&zone);
}
END_TEST

Suite *suite_summary(void)
{
	Suite *suite = suite_create("summary");
	TCase *zones = tcase_create("zones");

	tcase_add_loop_test(zones, intervals_begin_where_the_zone_says, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_loop_test(zones, intervals_follow_each_other_without_gaps, 0, 8);
	tcase_add_test(zones, what_is_no_zone_is_refused);
	tcase_add_test(zones, the_process_keeps_its_own_zone);
	suite_add_tcase(suite, zones);
	return suite;
}
