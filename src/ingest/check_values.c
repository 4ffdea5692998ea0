/* SPDX-License-Identifier: ISC */
/*
 * check_values.c: which values each kind of column accepts, and the normalized form in which they are stored. See
 * check.h.
 *
 * Producers write the same thing in many ways: 5e-05 and 0.00005, eur and EUR, 1764000000 and 2025-11-24T16:00:00Z.
 * Unambiguous values are accepted; all others are faults, and nothing is rounded or guessed. The stored form is the one
 * that most producers send, so values rarely need rewriting.
 */
#include "ingest/check.h"

#include "base/clock.h"
#include "base/decimal.h"

#define UNITS_PER_ONE INT64_C(1000000000000)
#define CURRENCY_MAX 7 /* as in the sums of sealed blocks */

/* The text written to check->values from `begin` on. There is room for a value of every column. */
static struct str written(const struct check *check, size_t begin)
{
	return (struct str){ check->values.data + begin, check->values.len - begin };
}

/* --- decimals --- */

static const char *refuse_number(struct check *check, struct str value, enum decimal_fault fault)
{
	if (fault == DECIMAL_TOO_LARGE)
		return check_reason(check, "\"%.*s\": at most %d digits before the point allowed", CHECK_SHOWN(value),
		                    DECIMAL_WHOLE_MAX);
	if (fault == DECIMAL_TOO_PRECISE)
		return check_reason(check, "\"%.*s\": at most %d digits after the point allowed", CHECK_SHOWN(value),
		                    DECIMAL_PLACES);
	return check_reason(check, "\"%.*s\": must be a number such as 0.0325", CHECK_SHOWN(value));
}

/* A minus and a plain number other than zero: as good as a plain one. */
static bool is_plain_negative(struct str value, struct decimal number)
{
	return number.units != 0 && value.p[0] == '-' && decimal_is_plain((struct str){ value.p + 1, value.len - 1 });
}

const char *check_decimal(struct check *check, struct str *value)
{
	size_t begin = check->values.len;
	struct decimal number;

	if (value->len == 0 || decimal_is_plain(*value))
		return NULL;
	enum decimal_fault fault = decimal_read(*value, &number);
	if (fault != DECIMAL_FINE)
		return refuse_number(check, *value, fault);
	if (is_plain_negative(*value, number))
		return NULL;
	decimal_format(&check->values, number);
	*value = written(check, begin);
	return NULL;
}

/* --- times --- */

/*
 * Seconds since 1970 have nine or ten digits before the point, milliseconds twelve or thirteen: from 1973 to 2286,
 * both. So neither 0 nor a date written as digits (20261124, 20261124101500) is mistaken for one.
 */
static bool read_epoch(struct str value, int64_t *time_us)
{
	struct decimal number;

	if (decimal_read(value, &number) != DECIMAL_FINE || number.units < 0)
		return false;
	int64_t whole = (int64_t)(number.units / UNITS_PER_ONE);
	if (whole >= INT64_C(100000000) && whole < INT64_C(10000000000))
		*time_us = (int64_t)(number.units / (UNITS_PER_ONE / CLOCK_US_PER_SECOND));
	else if (whole >= INT64_C(100000000000) && whole < INT64_C(10000000000000))
		*time_us = (int64_t)(number.units / (UNITS_PER_ONE / 1000));
	else
		return false;
	return true;
}

/* A local time that occurs twice means the first of the two, as in calendars (RFC 5545, 3.3.5). */
static const char *read_local(struct check *check, struct str value, int64_t local_us, int64_t *time_us)
{
	struct zones_slot *zone = check->zone;

	if (!zone)
		return check_reason(check, "\"%.*s\": has no offset from UTC, and no time_zone is given or set",
		                    CHECK_SHOWN(value));
	if (local_us < zone->from_us || local_us > zone->to_us)
		return check_reason(check, "\"%.*s\": too long ago or ahead for a time without an offset from UTC",
		                    CHECK_SHOWN(value));
	if (!zone_find_moment(&zone->zone, local_us, time_us))
		return check_reason(check, "\"%.*s\": no such time in %s, where clocks were set forward past it",
		                    CHECK_SHOWN(value), zone->name);
	return NULL;
}

static const char *read_time(struct check *check, struct str value, int64_t *time_us)
{
	int64_t local_us;

	if (clock_parse_iso8601(value, time_us))
		return NULL;
	if (clock_parse_local(value, &local_us))
		return read_local(check, value, local_us, time_us);
	if (read_epoch(value, time_us))
		return NULL;
	return check_reason(check, "\"%.*s\": must be a time such as 2026-11-24T14:20:11Z", CHECK_SHOWN(value));
}

/* Is this text, which is a time, in the stored form, 2025-04-01T23:55:06+00:00? A leap second is not. */
static bool is_normalized(struct str value)
{
	return value.len == 25 && value.p[10] == 'T' && value.p[17] != '6' && memcmp(value.p + 19, "+00:00", 6) == 0;
}

const char *check_time(struct check *check, struct str *value, int64_t *time_us)
{
	size_t begin = check->values.len;
	const char *reason = read_time(check, *value, time_us);

	if (reason || is_normalized(*value))
		return reason;
	clock_format_record(&check->values, *time_us);
	*value = written(check, begin);
	return NULL;
}

/* --- currencies --- */

const char *check_currency(struct check *check, struct str *value)
{
	size_t begin = check->values.len;
	size_t small = 0;

	for (size_t i = 0; i < value->len; i++) {
		char c = value->p[i];

		small += c >= 'a' && c <= 'z';
		if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z'))
			return check_reason(check, "\"%.*s\": must be letters, such as EUR", CHECK_SHOWN(*value));
	}
	if (value->len > CURRENCY_MAX)
		return check_reason(check, "\"%.*s\": at most %d letters allowed", CHECK_SHOWN(*value), CURRENCY_MAX);
	if (small == 0)
		return NULL;
	for (size_t i = 0; i < value->len; i++)
		buf_add_char(&check->values, (char)(value->p[i] & ~0x20));
	*value = written(check, begin);
	return NULL;
}
