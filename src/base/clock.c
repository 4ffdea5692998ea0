/* SPDX-License-Identifier: ISC */
/*
 * clock.c: the clocks and ISO 8601 text, with integer arithmetic only.
 *
 * Every record's time is parsed and written again, so strptime, timegm and gmtime (locale, time zone, locks) are not
 * used. Calendar arithmetic counts years from 1 March, which puts the leap day at a year's end: the months March to
 * February then begin on days (153 * month + 2) / 5 of it, and 400 such years always have 146,097 days.
 *
 *	yyyy-mm-ddThh:mm:ss[.f{1,9}](Z|±hh:mm|±hhmm|±hh)
 */
#include "base/clock.h"

#include <time.h>

#define US_PER_MINUTE (INT64_C(60) * CLOCK_US_PER_SECOND)
#define DAYS_PER_ERA 146097       /* 400 years */
#define DAYS_BEFORE_EPOCH 719468  /* 0000-03-01 to 1970-01-01 */
#define DAY_OF_YEAR_0 (-719528)   /* 0000-01-01 */
#define DAY_OF_YEAR_10000 2932897 /* 10000-01-01 */
#define YEAR_MIN 1970
#define OFFSET_MINUTES_MAX (14 * 60)
#define DATE_LEN 10      /* yyyy-mm-dd */
#define MINUTE_LEN 16    /* yyyy-mm-ddThh:mm */
#define DATE_TIME_LEN 19 /* yyyy-mm-ddThh:mm:ss */
#define OFFSET_LEN_MAX 6 /* +hh:mm */

struct date {
	int64_t year;
	int month; /* 1 to 12 */
	int day;   /* 1 to 31 */
};

static int64_t read_clock_us(clockid_t id)
{
	struct timespec now;

	(void)clock_gettime(id, &now);
	return (int64_t)now.tv_sec * CLOCK_US_PER_SECOND + now.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
	return read_clock_us(CLOCK_REALTIME);
}

int64_t clock_monotonic_us(void)
{
	return read_clock_us(CLOCK_MONOTONIC);
}

static int64_t divide_down(int64_t value, int64_t by)
{
	return value / by - (value % by < 0);
}

int32_t clock_day_of(int64_t time_us)
{
	return (int32_t)divide_down(time_us, CLOCK_US_PER_DAY);
}

/* By remainder: the start of the first day is out of int64_t's range. */
static int64_t time_of_day_us(int64_t time_us)
{
	int64_t rest = time_us % CLOCK_US_PER_DAY;

	return rest < 0 ? rest + CLOCK_US_PER_DAY : rest;
}

int64_t clock_day_start_us(int32_t day)
{
	return (int64_t)day * CLOCK_US_PER_DAY;
}

static int days_in_month(int64_t year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

static int64_t day_from_date(struct date date)
{
	int64_t march_year = date.year - (date.month <= 2);
	int64_t era = divide_down(march_year, 400);
	int64_t year_of_era = march_year - era * 400;
	int64_t march_month = (date.month + 9) % 12;
	int64_t day_of_year = (153 * march_month + 2) / 5 + date.day - 1;

	return era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
	       DAYS_BEFORE_EPOCH;
}

static struct date date_from_day(int64_t day)
{
	int64_t from_march = day + DAYS_BEFORE_EPOCH;
	int64_t era = divide_down(from_march, DAYS_PER_ERA);
	int64_t day_of_era = from_march - era * DAYS_PER_ERA;
	/* Past leap days are subtracted first: one in 4 years, none in 100, one in 400. */
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t march_month = (5 * day_of_year + 2) / 153;
	int month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);

	return (struct date){
		.year = era * 400 + year_of_era + (month <= 2),
		.month = month,
		.day = (int)(day_of_year - (153 * march_month + 2) / 5) + 1,
	};
}

int64_t clock_months_before(int64_t time_us, int months)
{
	struct date date = date_from_day(clock_day_of(time_us));
	int64_t month_count = date.year * 12 + (date.month - 1) - months;
	int last_day;

	date.year = divide_down(month_count, 12);
	date.month = (int)(month_count - date.year * 12) + 1;
	last_day = days_in_month(date.year, date.month);
	if (date.day > last_day)
		date.day = last_day;
	return day_from_date(date) * CLOCK_US_PER_DAY + time_of_day_us(time_us);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool read_digits(const char *p, size_t count, int *value)
{
	*value = 0;
	for (size_t i = 0; i < count; i++) {
		if (!is_digit(p[i]))
			return false;
		*value = *value * 10 + (p[i] - '0');
	}
	return true;
}

/* Reads the 10 bytes of yyyy-mm-dd. */
static bool read_date(const char *p, int64_t *day)
{
	int year, month, month_day;

	if (p[4] != '-' || p[7] != '-' || !read_digits(p, 4, &year) || !read_digits(p + 5, 2, &month) ||
	    !read_digits(p + 8, 2, &month_day))
		return false;
	if (year < YEAR_MIN || month < 1 || month > 12 || month_day < 1 || month_day > days_in_month(year, month))
		return false;
	*day = day_from_date((struct date){ .year = year, .month = month, .day = month_day });
	return true;
}

/* Reads the 8 bytes of hh:mm:ss; a leap second counts as the first of the next minute. */
static bool read_time_of_day(const char *p, int64_t *seconds)
{
	int hour, minute, second;

	if (p[2] != ':' || p[5] != ':' || !read_digits(p, 2, &hour) || !read_digits(p + 3, 2, &minute) ||
	    !read_digits(p + 6, 2, &second))
		return false;
	if (hour > 23 || minute > 59 || second > 60)
		return false;
	*seconds = (hour * 60 + minute) * 60 + second;
	return true;
}

/* Takes `.` and 1 to 9 digits, if there, from the front of *text. */
static bool take_fraction(struct str *text, int64_t *us)
{
	int64_t place = CLOCK_US_PER_SECOND / 10;
	size_t count = 1;

	*us = 0;
	if (text->len == 0 || text->p[0] != '.')
		return true;
	for (; count < text->len && is_digit(text->p[count]); count++, place /= 10)
		*us += (text->p[count] - '0') * place;
	text->p += count;
	text->len -= count;
	return count >= 2 && count <= 10;
}

/* Reads what must be the end of a time: Z or an offset from UTC. */
static bool read_offset(struct str text, int64_t *offset_us)
{
	bool colon = text.len == 6;
	int hours, minutes = 0;

	*offset_us = 0;
	if (text.len == 1 && (text.p[0] == 'Z' || text.p[0] == 'z'))
		return true;
	if (text.len != 3 && text.len != 5 && text.len != 6)
		return false;
	if ((text.p[0] != '+' && text.p[0] != '-' && text.p[0] != ' ') || !read_digits(text.p + 1, 2, &hours))
		return false;
	if (text.len > 3 && ((colon && text.p[3] != ':') || !read_digits(text.p + (colon ? 4 : 3), 2, &minutes)))
		return false;
	if (minutes > 59 || hours * 60 + minutes > OFFSET_MINUTES_MAX)
		return false;
	*offset_us = (hours * 60 + minutes) * US_PER_MINUTE;
	if (text.p[0] == '-')
		*offset_us = -*offset_us;
	return true;
}

/* Takes date and time of day off the front of *text. */
static bool take_date_time(struct str *text, int64_t *local_us)
{
	int64_t day, seconds, fraction_us;
	char separator;

	if (text->len < DATE_TIME_LEN || !read_date(text->p, &day))
		return false;
	separator = text->p[DATE_LEN];
	if ((separator != 'T' && separator != 't' && separator != ' ') ||
	    !read_time_of_day(text->p + DATE_LEN + 1, &seconds))
		return false;
	text->p += DATE_TIME_LEN;
	text->len -= DATE_TIME_LEN;
	if (!take_fraction(text, &fraction_us))
		return false;
	*local_us = day * CLOCK_US_PER_DAY + seconds * CLOCK_US_PER_SECOND + fraction_us;
	return true;
}

/* An offset or a leap second may move a moment past either end of the years. */
static bool is_within_years(int64_t time_us)
{
	return time_us >= 0 && time_us < DAY_OF_YEAR_10000 * CLOCK_US_PER_DAY;
}

static bool parse_time(struct str text, struct clock_moment *moment)
{
	int64_t local_us, offset_us;

	if (!take_date_time(&text, &local_us) || !read_offset(text, &offset_us) ||
	    !is_within_years(local_us - offset_us))
		return false;
	*moment = (struct clock_moment){ .time_us = local_us - offset_us, .offset_us = offset_us };
	return true;
}

bool clock_parse_iso8601(struct str text, int64_t *time_us)
{
	struct clock_moment moment;

	if (!parse_time(text, &moment))
		return false;
	*time_us = moment.time_us;
	return true;
}

bool clock_parse_local(struct str text, int64_t *local_us)
{
	int64_t read_us;

	if (!take_date_time(&text, &read_us) || text.len > 0 || !is_within_years(read_us))
		return false;
	*local_us = read_us;
	return true;
}

/* yyyy-mm-ddThh:mm, then Z or an offset: Java's OffsetDateTime leaves out seconds that are zero. */
static bool parse_minute(struct str text, struct clock_moment *moment)
{
	char whole[DATE_TIME_LEN + OFFSET_LEN_MAX] = "";
	size_t rest = text.len - MINUTE_LEN;

	if (text.len <= MINUTE_LEN || rest > OFFSET_LEN_MAX || !strchr("Zz+- ", text.p[MINUTE_LEN]))
		return false;
	memcpy(whole, text.p, MINUTE_LEN);
	memcpy(whole + MINUTE_LEN, ":00", DATE_TIME_LEN - MINUTE_LEN);
	memcpy(whole + DATE_TIME_LEN, text.p + MINUTE_LEN, rest);
	return parse_time((struct str){ whole, DATE_TIME_LEN + rest }, moment);
}

bool clock_parse_moment(struct str text, struct clock_moment *moment)
{
	int32_t day;

	if (!clock_parse_day(text, &day))
		return parse_time(text, moment) || parse_minute(text, moment);
	*moment = (struct clock_moment){ .time_us = clock_day_start_us(day) };
	return true;
}

bool clock_parse_day(struct str text, int32_t *day)
{
	int64_t number;

	if (text.len != DATE_LEN || !read_date(text.p, &number))
		return false;
	*day = (int32_t)number;
	return true;
}

/* Writes `count` digits of value at p, with leading zeros; returns the place after them. */
static char *write_digits(char *p, size_t count, int64_t value)
{
	for (size_t i = count; i-- > 0; value /= 10)
		p[i] = (char)('0' + value % 10);
	return p + count;
}

/* The text has four digits of year, so days outside the years 0 to 9999 are shown as the nearest inside. */
static int64_t clamp_day(int64_t day)
{
	if (day < DAY_OF_YEAR_0)
		return DAY_OF_YEAR_0;
	return day < DAY_OF_YEAR_10000 ? day : DAY_OF_YEAR_10000 - 1;
}

static char *write_date(char *p, int64_t day)
{
	struct date date = date_from_day(clamp_day(day));

	p = write_digits(p, 4, date.year);
	*p++ = '-';
	p = write_digits(p, 2, date.month);
	*p++ = '-';
	return write_digits(p, 2, date.day);
}

static char *write_time_of_day(char *p, int64_t us)
{
	int64_t seconds = us / CLOCK_US_PER_SECOND;
	int64_t fraction_us = us % CLOCK_US_PER_SECOND;

	p = write_digits(p, 2, seconds / 3600);
	*p++ = ':';
	p = write_digits(p, 2, seconds / 60 % 60);
	*p++ = ':';
	p = write_digits(p, 2, seconds % 60);
	if (fraction_us == 0)
		return p;
	*p++ = '.';
	if (fraction_us % 1000 == 0)
		return write_digits(p, 3, fraction_us / 1000);
	return write_digits(p, 6, fraction_us);
}

void clock_format_record(struct buf *out, int64_t time_us)
{
	char text[DATE_TIME_LEN + sizeof(".ffffff")];
	char *p = write_date(text, clock_day_of(time_us));

	*p++ = 'T';
	p = write_time_of_day(p, time_of_day_us(time_us));
	buf_add(out, text, (size_t)(p - text));
	buf_add_str(out, STR_LITERAL("+00:00"));
}

void clock_format_duration(struct buf *out, int64_t us)
{
	static const struct {
		int64_t us;
		int64_t from_us; /* used for lengths from here on */
		const char *name;
	} units[] = {
		{ CLOCK_US_PER_DAY, 2 * CLOCK_US_PER_DAY, "day" },
		{ CLOCK_US_PER_HOUR, CLOCK_US_PER_HOUR, "hour" },
		{ US_PER_MINUTE, US_PER_MINUTE, "minute" },
		{ CLOCK_US_PER_SECOND, CLOCK_US_PER_SECOND, "second" },
		{ 1000, 1000, "millisecond" },
		{ 1, 0, "microsecond" },
	};
	const char *space = "";

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		int64_t count = us / units[i].us;

		if (us < units[i].from_us || (count == 0 && *space))
			continue;
		buf_addf(out, "%s%lld %s%s", space, (long long)count, units[i].name, count == 1 ? "" : "s");
		us -= count * units[i].us;
		space = " ";
	}
}

void clock_date_of(int32_t day, int *month, int *day_of_month)
{
	struct date date = date_from_day(day);

	*month = (int)date.month;
	*day_of_month = (int)date.day;
}

void clock_format_day(struct buf *out, int32_t day)
{
	char text[DATE_LEN];

	(void)write_date(text, day);
	buf_add(out, text, sizeof(text));
}
