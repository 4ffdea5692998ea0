/* SPDX-License-Identifier: ISC */
/*
 * cron.c: see cron.h.
 */
#include "schedule/cron.h"

#include <string.h>

#include "base/clock.h"
#include "base/zone.h"

#define MINUTE_US (60 * CLOCK_US_PER_SECOND)
#define MINUTES_A_DAY 1440
#define DAYS_SOUGHT (41 * 366) /* a 29 February that is a Sunday may be 40 years away */
#define ZONE_SPAN_US (3 * CLOCK_US_PER_DAY)
#define NAME_LEN 3
#define DIGITS_MAX 3

/* --- reading --- */

struct field {
	const char *name;
	int min, max;
	const char *names; /* of NAME_LEN letters each, from `min` on; or "" */
};

enum { MINUTES, HOURS, DAYS, MONTHS, WEEKDAYS, FIELDS };

static const struct field fields[FIELDS] = {
	[MINUTES] = { "minute", 0, 59, "" },
	[HOURS] = { "hour", 0, 23, "" },
	[DAYS] = { "day of the month", 1, 31, "" },
	[MONTHS] = { "month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC" },
	[WEEKDAYS] = { "day of the week", 0, 7, "SUNMONTUEWEDTHUFRISAT" },
};

static bool is_named(struct str text, const struct field *field, int *value)
{
	for (size_t at = 0; field->names[at]; at += NAME_LEN) {
		if (!str_equal_nocase(text, (struct str){ field->names + at, NAME_LEN }))
			continue;
		*value = field->min + (int)(at / NAME_LEN);
		return true;
	}
	return false;
}

static bool read_number(struct str text, int *value)
{
	*value = 0;
	for (size_t i = 0; i < text.len && i < DIGITS_MAX; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		*value = *value * 10 + (text.p[i] - '0');
	}
	return text.len > 0 && text.len <= DIGITS_MAX;
}

static bool read_value(struct str text, const struct field *field, int *value)
{
	return (is_named(text, field, value) || read_number(text, value)) && *value >= field->min &&
	       *value <= field->max;
}

/* What precedes the first `mark`; the rest, without the mark, stays in *text: p is NULL where there is no mark. */
static struct str cut(struct str *text, char mark)
{
	const char *at = text->len > 0 ? memchr(text->p, mark, text->len) : NULL;
	struct str before = *text;

	if (!at) {
		*text = (struct str){ NULL, 0 };
		return before;
	}
	before.len = (size_t)(at - text->p);
	*text = (struct str){ at + 1, text->len - before.len - 1 };
	return before;
}

static bool read_item(struct str item, const struct field *field, uint64_t *bits)
{
	struct str step_text = item, range = cut(&step_text, '/'), last_text = range, first_text = cut(&last_text, '-');
	int first, last, step = 1;

	if (str_is(range, "*")) {
		first = field->min;
		last = field->max;
	} else {
		if (!read_value(first_text, field, &first))
			return false;
		last = step_text.p ? field->max : first;
		if (last_text.p && !read_value(last_text, field, &last))
			return false;
	}
	if ((step_text.p && (!read_number(step_text, &step) || step == 0)) || first > last)
		return false;
	for (int value = first; value <= last; value += step)
		*bits |= UINT64_C(1) << value;
	return true;
}

static int read_field(struct str text, const struct field *field, uint64_t *bits, struct error *err)
{
	struct str rest = text;

	*bits = 0;
	while (rest.p) {
		struct str item = cut(&rest, ',');

		if (!read_item(item, field, bits))
			return error_set(err, ERROR_INVALID,
			                 "'%.*s' for the %s: must be a list of *, N, N-N or */STEP, N from %d to %d",
			                 (int)(text.len < 32 ? text.len : 32), text.p, field->name, field->min,
			                 field->max);
	}
	return 0;
}

static struct str next_word(struct str *text)
{
	struct str word;

	*text = str_trim(*text);
	word = *text;
	for (word.len = 0; word.len < text->len && text->p[word.len] != ' ' && text->p[word.len] != '\t';)
		word.len++;
	text->p += word.len;
	text->len -= word.len;
	return word;
}

/* Is there a day that the fields mean? The longest months decide. */
static bool has_a_day(const struct cron *cron)
{
	static const int lengths[] = { 0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (!cron->any_weekday)
		return true;
	for (int month = 1; month <= 12; month++)
		if (cron->months >> month & 1 && cron->days & ((UINT64_C(1) << (lengths[month] + 1)) - 1))
			return true;
	return false;
}

int cron_parse(struct cron *cron, struct str text, struct error *err)
{
	uint64_t bits[FIELDS];
	struct str words[FIELDS];

	for (int i = 0; i < FIELDS; i++) {
		words[i] = next_word(&text);
		if (words[i].len == 0)
			return error_set(err, ERROR_INVALID,
			                 "Has %d fields, must have 5: minute, hour, day of the "
			                 "month, month and day of the week",
			                 i);
		if (read_field(words[i], &fields[i], &bits[i], err) != 0)
			return -1;
	}
	if (str_trim(text).len > 0)
		return error_set(err, ERROR_INVALID, "Has more than 5 fields");
	*cron = (struct cron){
		.minutes = bits[MINUTES],
		.hours = (uint32_t)bits[HOURS],
		.days = (uint32_t)bits[DAYS],
		.months = (uint16_t)bits[MONTHS],
		.weekdays = (uint8_t)(bits[WEEKDAYS] | bits[WEEKDAYS] >> 7),
		.any_day = words[DAYS].p[0] == '*',
		.any_weekday = words[WEEKDAYS].p[0] == '*',
	};
	return has_a_day(cron) ? 0 : error_set(err, ERROR_INVALID, "There is no such day");
}

/* --- local times --- */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static bool is_day(const struct cron *cron, int32_t day)
{
	int month, day_of_month, weekday = (int)((day % 7 + 11) % 7); /* day 0 was a Thursday */
	bool right_day, right_weekday;

	right_weekday = cron->weekdays >> weekday & 1;
	if (!right_weekday && (cron->any_day || cron->any_weekday))
		return false; /* before the date is worked out, which takes longer */
	clock_date_of(day, &month, &day_of_month);
	right_day = cron->days >> day_of_month & 1;
	if (!(cron->months >> month & 1))
		return false;
	return cron->any_day || cron->any_weekday ? right_day : right_day || right_weekday;
}

/* The first minute of the day from `minute` on, or MINUTES_A_DAY. */
static int minute_from(const struct cron *cron, int minute)
{
	while (minute < MINUTES_A_DAY) {
		if (!(cron->hours >> minute / 60 & 1))
			minute = (minute / 60 + 1) * 60;
		else if (cron->minutes >> minute % 60 & 1)
			return minute;
		else
			minute++;
	}
	return minute;
}

/* The first local minute after `local` (minutes since 1970) that the fields mean; INT64_MAX: there is none. */
static int64_t minute_after(const struct cron *cron, int64_t local)
{
	int32_t day = (int32_t)floor_div(local + 1, MINUTES_A_DAY);
	int32_t last = day + DAYS_SOUGHT;
	int from = (int)(local + 1 - (int64_t)day * MINUTES_A_DAY);

	for (; day <= last; day++, from = 0) {
		int minute = is_day(cron, day) ? minute_from(cron, from) : MINUTES_A_DAY;

		if (minute < MINUTES_A_DAY)
			return (int64_t)day * MINUTES_A_DAY + minute;
	}
	return INT64_MAX;
}

/* --- moments --- */

int cron_next(const struct cron *cron, struct str zone_name, int64_t after_us, int64_t *next_us, struct error *err)
{
	struct zone zone;
	int64_t until_us = after_us + ZONE_SPAN_US, local;
	int result = zone_load(&zone, zone_name, after_us, until_us, err);

	local = result == 0 ? floor_div(after_us + zone_offset_us(&zone, after_us), MINUTE_US) : 0;
	for (*next_us = after_us; result == 0 && *next_us <= after_us;) {
		local = minute_after(cron, local);
		if (local == INT64_MAX) {
			result = error_set(err, ERROR_INVALID, "There is no such day");
		} else if (local * MINUTE_US > until_us) {
			until_us = local * MINUTE_US + ZONE_SPAN_US;
			zone_free(&zone);
			result = zone_load(&zone, zone_name, local * MINUTE_US - ZONE_SPAN_US, until_us, err);
		}
		if (result == 0)
			*next_us = zone_moment_us(&zone, local * MINUTE_US);
	}
	zone_free(&zone);
	return result;
}

int cron_latest(const struct cron *cron, struct str zone, int64_t from_us, int64_t now_us, int64_t *latest_us,
                struct error *err)
{
	static const int64_t spans_us[] = { CLOCK_US_PER_HOUR, CLOCK_US_PER_DAY, 31 * CLOCK_US_PER_DAY,
		                            366 * CLOCK_US_PER_DAY };
	int64_t next_us;

	*latest_us = from_us;
	/* From the shortest time before now that holds one, so that few are stepped over, however long ago `from_us`
	 * is. */
	for (size_t i = 0; i < sizeof(spans_us) / sizeof(spans_us[0]); i++) {
		if (now_us - spans_us[i] <= from_us)
			break;
		if (cron_next(cron, zone, now_us - spans_us[i], &next_us, err) != 0)
			return -1;
		if (next_us <= now_us) {
			*latest_us = next_us;
			break;
		}
	}
	for (next_us = *latest_us; next_us <= now_us;) {
		*latest_us = next_us;
		if (cron_next(cron, zone, *latest_us, &next_us, err) != 0)
			return -1;
	}
	return 0;
}
