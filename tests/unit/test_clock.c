/* SPDX-License-Identifier: ISC */
/*
 * test_clock.c: which times are read, as what, and how they are written.
 *
 * The expected seconds were checked against Python's calendar.timegm, which shares nothing with the code under test.
 */
#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

#define S CLOCK_US_PER_SECOND
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *text;
	int64_t time_us;
} readable[] = {
	{ "1970-01-01T00:00:00Z", 0 },
	{ "2024-06-17T16:39:06+0000", INT64_C(1718642346) * S },
	{ "2024-06-17T16:39:06-0000", INT64_C(1718642346) * S },
	{ "2024-06-17T16:39:06-00:00", INT64_C(1718642346) * S },
	{ "2024-06-17T16:39:06+00", INT64_C(1718642346) * S },
	{ "2024-06-17t16:39:06z", INT64_C(1718642346) * S },
	{ "2024-06-17 16:39:06Z", INT64_C(1718642346) * S },
	/* a plus that a client did not encode */
	{ "2024-06-17T16:39:06 0000", INT64_C(1718642346) * S },
	{ "2024-06-17T18:39:06 02:00", INT64_C(1718642346) * S },
	{ "2024-06-17 18:39:06 02", INT64_C(1718642346) * S },
	/* offsets */
	{ "2024-06-17T18:39:06+02:00", INT64_C(1718642346) * S },
	{ "2024-06-17T22:09:06+0530", INT64_C(1718642346) * S },
	{ "2024-06-17T11:39:06-05", INT64_C(1718642346) * S },
	{ "2024-06-18T06:39:06+14:00", INT64_C(1718642346) * S },
	{ "2024-06-17T02:39:06-14:00", INT64_C(1718642346) * S },
	{ "2024-01-01T00:30:00+01:00", INT64_C(1704065400) * S },
	/* fractions; finer than a microsecond is cut */
	{ "2024-06-17T16:39:06.5Z", INT64_C(1718642346500000) },
	{ "2024-06-17T16:39:06.123+00:00", INT64_C(1718642346123000) },
	{ "2024-06-17T16:39:06.123456Z", INT64_C(1718642346123456) },
	{ "2024-06-17T16:39:06.999999999Z", INT64_C(1718642346999999) },
	{ "2024-06-17T16:39:06.000000999 0000", INT64_C(1718642346000000) },
	/* leap years and leap seconds */
	{ "2024-02-29T12:00:00Z", INT64_C(1709208000) * S },
	{ "2000-02-29T00:00:00Z", INT64_C(951782400) * S },
	{ "2000-03-01T00:00:00Z", INT64_C(951868800) * S },
	{ "2100-02-28T23:59:60Z", INT64_C(4107542400) * S },
	{ "2016-12-31T23:59:60Z", INT64_C(1483228800) * S },
	{ "2016-12-31T23:59:60.5Z", INT64_C(1483228800500000) },
	/* the ends of the years */
	{ "1970-01-01T14:00:00+14:00", 0 },
	{ "9999-12-31T23:59:59.999999Z", INT64_C(253402300799999999) },
};

START_TEST(readable_times_are_read)
{
	int64_t time_us = -1;
	const char *text = readable[_i].text;

	ck_assert_msg(clock_parse_iso8601(str_from(text), &time_us), "%s was refused", text);
	ck_assert_msg(time_us == readable[_i].time_us, "%s: %" PRId64 ", expected %" PRId64, text, time_us,
	              readable[_i].time_us);
}
END_TEST

static const char *const unreadable[] = {
	"",
	"Z",
	"2024",
	"2024-06-17",
	"2024-06-17T16:39Z",
	"2024-06-17T16:39:06",
	"2024-06-17T16:39:06.5",
	/* wrong separators */
	"2024/06/17T16:39:06Z",
	"2024-06-17_16:39:06Z",
	"2024-06-17T16.39.06Z",
	"20240617T163906Z",
	"2024-6-17T16:39:06Z ",
	/* what does not exist */
	"2023-02-29T00:00:00Z",
	"1900-02-29T00:00:00Z",
	"2100-02-29T00:00:00Z",
	"2024-04-31T00:00:00Z",
	"2024-00-10T00:00:00Z",
	"2024-13-10T00:00:00Z",
	"2024-01-00T00:00:00Z",
	"2024-01-32T00:00:00Z",
	"2024-01-01T24:00:00Z",
	"2024-01-01T00:60:00Z",
	"2024-01-01T00:00:61Z",
	/* fractions of no or too many digits */
	"2024-06-17T16:39:06.Z",
	"2024-06-17T16:39:06.1234567890Z",
	"2024-06-17T16:39:06,5Z",
	"2024-06-17T16:39:06.5.5Z",
	/* offsets */
	"2024-06-17T16:39:06+",
	"2024-06-17T16:39:06+1",
	"2024-06-17T16:39:06+1:00",
	"2024-06-17T16:39:06+100",
	"2024-06-17T16:39:06+14:01",
	"2024-06-17T16:39:06-1401",
	"2024-06-17T16:39:06+15",
	"2024-06-17T16:39:06+00:60",
	"2024-06-17T16:39:06+00-00",
	"2024-06-17T16:39:06+00:0",
	"2024-06-17T16:39:06+00:000",
	"2024-06-17T16:39:06+:0000",
	"2024-06-17T16:39:06\xe2\x88\x92"
	"00:00",
	"2024-06-17T16:39:06ZZ",
	"2024-06-17T16:39:06Z ",
	" 2024-06-17T16:39:06Z",
	"2024-06-17T16:39:06UTC",
	"2024-06-17T16:39:06  0000",
	/* signs and blanks are not digits */
	"+024-06-17T16:39:06Z",
	"2024- 6-17T16:39:06Z",
	"2024-06-17T+6:39:06Z",
	"2024-06-17T16:39:-6Z",
	/* beyond the years */
	"1969-12-31T23:59:59Z",
	"0000-01-01T00:00:00Z",
	"1970-01-01T00:00:00+00:01",
	"9999-12-31T23:59:60Z",
	"9999-12-31T23:59:59-00:01",
	"10000-01-01T00:00:00Z",
	"1969-12-31T23:59:59-01:00",
};

START_TEST(unreadable_times_are_refused)
{
	int64_t time_us = 42;

	ck_assert_msg(!clock_parse_iso8601(str_from(unreadable[_i]), &time_us), "\"%s\" was read as %" PRId64,
	              unreadable[_i], time_us);
	ck_assert_int_eq(time_us, 42);
}
END_TEST

START_TEST(reading_stays_inside_the_run)
{
	/* Not NUL terminated, and followed by what would make it another time. */
	const char text[] = "2024-06-17T16:39:06Z0000";
	int64_t time_us;

	ck_assert(clock_parse_iso8601((struct str){ text, 20 }, &time_us));
	for (size_t len = 0; len < 20; len++)
		ck_assert_msg(!clock_parse_iso8601((struct str){ text, len }, &time_us), "%zu bytes were read", len);
	ck_assert(!clock_parse_iso8601((struct str){ "2024-06-17T16:39:06\0", 20 }, &time_us));
}
END_TEST

static const struct {
	int64_t time_us;
	const char *text;
} written[] = {
	{ 0, "1970-01-01T00:00:00+00:00" },
	{ INT64_C(1718642346) * S, "2024-06-17T16:39:06+00:00" },
	{ INT64_C(1718642346500000), "2024-06-17T16:39:06.500+00:00" },
	{ INT64_C(1718642346001000), "2024-06-17T16:39:06.001+00:00" },
	{ INT64_C(1718642346000001), "2024-06-17T16:39:06.000001+00:00" },
	{ -1, "1969-12-31T23:59:59.999999+00:00" },
	{ INT64_C(253402300799999999), "9999-12-31T23:59:59.999999+00:00" },
};

START_TEST(times_are_written_with_a_colon_in_the_offset)
{
	struct buf out = { 0 };

	clock_format_record(&out, written[_i].time_us);
	ck_assert_str_eq(buf_cstr(&out), written[_i].text);
	buf_free(&out);
}
END_TEST

START_TEST(times_far_outside_still_have_four_digits_of_year)
{
	struct buf out = { 0 };

	clock_format_record(&out, INT64_MAX);
	clock_format_record(&out, INT64_MIN);
	ck_assert_uint_eq(out.len, 2 * 32);
	ck_assert_str_eq(buf_cstr(&out), "9999-12-31T04:00:54.775807+00:000000-01-01T19:59:05.224192+00:00");
	buf_free(&out);
}
END_TEST

START_TEST(every_day_agrees_with_the_c_library)
{
	struct buf out = { 0 };

	for (int32_t day = -1000; day < 200000; day++) {
		time_t seconds = (time_t)day * 86400;
		char expected[16];
		struct tm tm;
		int32_t read;

		(void)gmtime_r(&seconds, &tm);
		(void)strftime(expected, sizeof(expected), "%Y-%m-%d", &tm);
		buf_clear(&out);
		clock_format_day(&out, day);
		ck_assert_str_eq(buf_cstr(&out), expected);
		if (day >= 0) {
			ck_assert(clock_parse_day(buf_str(&out), &read));
			ck_assert_int_eq(read, day);
		}
	}
	buf_free(&out);
}
END_TEST

START_TEST(written_times_read_back_the_same)
{
	struct buf out = { 0 };

	for (int64_t time_us = 0; time_us < INT64_C(253402300799999999); time_us += INT64_C(123456789012345)) {
		int64_t read = -1;

		buf_clear(&out);
		clock_format_record(&out, time_us);
		ck_assert(clock_parse_iso8601(buf_str(&out), &read));
		ck_assert_int_eq(read, time_us);
	}
	buf_free(&out);
}
END_TEST

START_TEST(days_that_do_not_exist_are_refused)
{
	static const char *const texts[] = { "",           "2024-02-30",  "2023-02-29",
		                             "2024-2-03",  "2024-02-03 ", "2024-02-03T",
		                             "1969-12-31", "2024-02-0a",  "20240203" };
	int32_t day;

	for (size_t i = 0; i < COUNT(texts); i++)
		ck_assert_msg(!clock_parse_day(str_from(texts[i]), &day), "\"%s\" was read", texts[i]);
	ck_assert(clock_parse_day(STR_LITERAL("2024-02-29"), &day));
	ck_assert_int_eq(day, 19782);
}
END_TEST

START_TEST(days_round_down_also_before_the_epoch)
{
	ck_assert_int_eq(clock_day_of(0), 0);
	ck_assert_int_eq(clock_day_of(CLOCK_US_PER_DAY - 1), 0);
	ck_assert_int_eq(clock_day_of(CLOCK_US_PER_DAY), 1);
	ck_assert_int_eq(clock_day_of(-1), -1);
	ck_assert_int_eq(clock_day_of(-CLOCK_US_PER_DAY), -1);
	ck_assert_int_eq(clock_day_of(-CLOCK_US_PER_DAY - 1), -2);
	ck_assert_int_eq(clock_day_start_us(19782), INT64_C(1709164800) * S);
	ck_assert_int_eq(clock_day_start_us(-1), -CLOCK_US_PER_DAY);
}
END_TEST

static const struct {
	const char *from;
	int months;
	const char *expected;
} earlier[] = {
	{ "2024-03-15T10:20:30.5Z", 0, "2024-03-15T10:20:30.500+00:00" },
	{ "2024-03-15T10:20:30.5Z", 1, "2024-02-15T10:20:30.500+00:00" },
	{ "2024-03-31T10:00:00Z", 1, "2024-02-29T10:00:00+00:00" },
	{ "2023-03-31T10:00:00Z", 1, "2023-02-28T10:00:00+00:00" },
	{ "2024-02-29T23:59:59Z", 12, "2023-02-28T23:59:59+00:00" },
	{ "2024-02-29T23:59:59Z", 48, "2020-02-29T23:59:59+00:00" },
	{ "2026-11-24T00:00:00Z", 13, "2025-10-24T00:00:00+00:00" },
	{ "2024-01-31T00:00:00Z", 1, "2023-12-31T00:00:00+00:00" },
	{ "2024-12-31T00:00:00Z", 6, "2024-06-30T00:00:00+00:00" },
	{ "2024-01-15T00:00:00Z", 120, "2014-01-15T00:00:00+00:00" },
	{ "1970-01-31T00:00:00Z", 2, "1969-11-30T00:00:00+00:00" },
};

START_TEST(months_before_keeps_to_the_calendar)
{
	struct buf out = { 0 };
	int64_t time_us;

	ck_assert(clock_parse_iso8601(str_from(earlier[_i].from), &time_us));
	clock_format_record(&out, clock_months_before(time_us, earlier[_i].months));
	ck_assert_str_eq(buf_cstr(&out), earlier[_i].expected);
	buf_free(&out);
}
END_TEST

static const struct {
	const char *text;
	int64_t time_us;
	int64_t offset_us;
} moments[] = {
	{ "2024-06-17", INT64_C(1718582400) * S, 0 },
	{ "2024-06-17T16:39:06Z", INT64_C(1718642346) * S, 0 },
	{ "2024-06-17T18:39:06+02:00", INT64_C(1718642346) * S, 7200 * S },
	{ "2024-06-17T12:09:06-0430", INT64_C(1718642346) * S, -16200 * S },
	/* minutes, as Java's OffsetDateTime writes them */
	{ "2024-06-17T16:39Z", INT64_C(1718642340) * S, 0 },
	{ "2024-06-17T18:39+02:00", INT64_C(1718642340) * S, 7200 * S },
	{ "2024-06-17T18:39 0200", INT64_C(1718642340) * S, 7200 * S },
};

START_TEST(moments_know_the_offset_that_they_were_written_with)
{
	struct clock_moment moment;
	int64_t time_us;

	ck_assert(clock_parse_moment(str_from(moments[_i].text), &moment));
	ck_assert_int_eq(moment.time_us, moments[_i].time_us);
	ck_assert_int_eq(moment.offset_us, moments[_i].offset_us);
	/* a record's time is never a date alone, nor without seconds */
	bool is_whole = strlen(moments[_i].text) > 16 && moments[_i].text[16] == ':';
	ck_assert(clock_parse_iso8601(str_from(moments[_i].text), &time_us) == is_whole);
}
END_TEST

static const char *const no_moments[] = {
	"2024-06-17T16:39",    "2024-06-17T16:39.5Z", "2024-06-17T16:39:Z", "2024-06-17T16Z",
	"2024-06-17T16:60Z",   "2024-06-17T16:39+",   "2024-06-17T16:39+1", "2024-06-17T16:39+02:00:00",
	"2024-06-17T16:39:06", "2024-06-17T16:39ZZ",  "2024-06-17T24:00Z",  "2024-06-31T16:39Z",
};

START_TEST(what_is_no_moment_is_refused)
{
	struct clock_moment moment = { 42, 42 };

	ck_assert_msg(!clock_parse_moment(str_from(no_moments[_i]), &moment), "\"%s\" was read", no_moments[_i]);
	ck_assert_int_eq(moment.time_us, 42);
}
END_TEST

static const struct {
	int64_t us;
	const char *text;
} durations[] = {
	{ 0, "0 microseconds" },
	{ 1, "1 microsecond" },
	{ 3600 * S, "1 hour" },
	{ 26 * 3600 * S, "26 hours" },
	{ 24 * 3600 * S + 1000, "24 hours 1 millisecond" },
	{ 1470 * 60 * S, "24 hours 30 minutes" },
	{ 48 * 3600 * S, "2 days" },
	{ INT64_C(397) * 86400 * S, "397 days" },
	{ INT64_C(30) * 86400 * S + 3601 * S, "30 days 1 hour 1 second" },
};

START_TEST(durations_read_as_people_write_them)
{
	struct buf out = { 0 };

	clock_format_duration(&out, durations[_i].us);
	ck_assert_str_eq(buf_cstr(&out), durations[_i].text);
	buf_free(&out);
}
END_TEST

START_TEST(clocks_run_forward_and_know_the_year)
{
	int64_t before_us = clock_monotonic_us();

	ck_assert_int_ge(clock_monotonic_us(), before_us);
	ck_assert_int_gt(clock_now_us(), INT64_C(1700000000) * S);
	ck_assert_int_le(llabs(clock_now_us() / S - (int64_t)time(NULL)), 2);
}
END_TEST

Suite *suite_clock(void);

Suite *suite_clock(void)
{
	Suite *suite = suite_create("clock");
	TCase *read = tcase_create("read");
	TCase *write = tcase_create("write");
	TCase *calendar = tcase_create("calendar");

	tcase_add_loop_test(read, readable_times_are_read, 0, COUNT(readable));
	tcase_add_loop_test(read, unreadable_times_are_refused, 0, COUNT(unreadable));
	tcase_add_test(read, reading_stays_inside_the_run);
	tcase_add_test(read, days_that_do_not_exist_are_refused);
	tcase_add_loop_test(write, times_are_written_with_a_colon_in_the_offset, 0, COUNT(written));
	tcase_add_test(write, times_far_outside_still_have_four_digits_of_year);
	tcase_add_test(write, written_times_read_back_the_same);
	tcase_add_test(calendar, every_day_agrees_with_the_c_library);
	tcase_add_test(calendar, days_round_down_also_before_the_epoch);
	tcase_add_loop_test(calendar, months_before_keeps_to_the_calendar, 0, COUNT(earlier));
	tcase_add_loop_test(calendar, moments_know_the_offset_that_they_were_written_with, 0, COUNT(moments));
	tcase_add_loop_test(calendar, what_is_no_moment_is_refused, 0, COUNT(no_moments));
	tcase_add_loop_test(calendar, durations_read_as_people_write_them, 0, COUNT(durations));
	tcase_add_test(calendar, clocks_run_forward_and_know_the_year);
	suite_add_tcase(suite, read);
	suite_add_tcase(suite, write);
	suite_add_tcase(suite, calendar);
	return suite;
}
