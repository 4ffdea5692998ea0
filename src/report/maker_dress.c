/* SPDX-License-Identifier: ISC */
/*
 * maker_dress.c: converts a record's values to a report's time zone and dialect.
 *
 * Times are written in the zone, each with its offset. For Excel (dialect=excel), which guesses what a value of CSV is
 * even in quotes:
 *
 *	447700900123   ="447700900123"   what looks like a number, a date or a time but is none: phone numbers, ids,
 *	                                 codes. As it would otherwise be rounded, or lose its zeros or its plus
 *	=1+1           '=1+1             what would be a formula: begins with = + - @, a tab or a CR
 *	0.0401         0.0401            amounts and counts stay numbers, so that they can be added up
 */
#include "report/maker_private.h"

#include "base/clock.h"

#define TIME_ROOM 48
#define AROUND 3 /* bytes that may be added to a value */

/* Only characters of numbers, dates and times, and at least one digit? */
static bool looks_like_number(struct str value)
{
	bool digit = false;

	for (size_t i = 0; i < value.len; i++) {
		char c = value.p[i];

		if (c >= '0' && c <= '9')
			digit = true;
		else if (!memchr("+-.,:/ eE%", c, 10))
			return false;
	}
	return digit;
}

/* A decimal number as the store has it: a sign, digits, a point. */
static bool is_amount(struct str value)
{
	struct decimal ignored;

	return decimal_parse(value, &ignored);
}

static bool would_be_formula(struct str value)
{
	return value.len > 0 && memchr("=+-@\t\r", value.p[0], 6);
}

static struct str add_around(struct buf *text, const char *before, struct str value, const char *after)
{
	size_t begin = text->len;

	buf_add_text(text, before);
	buf_add_str(text, value);
	buf_add_text(text, after);
	return (struct str){ text->data + begin, text->len - begin };
}

static struct str for_excel(struct buf *text, enum catalog_kind kind, struct str value)
{
	bool counts = kind == CATALOG_MONEY || kind == CATALOG_COUNT;

	if (counts && is_amount(value))
		return value;
	if (looks_like_number(value))
		return add_around(text, "=\"", value, "\"");
	return would_be_formula(value) ? add_around(text, "'", value, "") : value;
}

static struct str in_zone(struct buf *text, struct zone *zone, int64_t time_us)
{
	size_t begin = text->len;

	zone_format(zone, text, time_us);
	return (struct str){ text->data + begin, text->len - begin };
}

/* An unreadable time, which records stored before ingest checked times may have, is treated as text. */
static struct str dressed(struct buf *text, const struct report_spec *spec, enum catalog_kind kind, struct str value)
{
	int64_t time_us;

	if (kind == CATALOG_TIME && clock_parse_iso8601(value, &time_us))
		return spec->zone ? in_zone(text, spec->zone, time_us) : value;
	return spec->dialect == REPORT_EXCEL ? for_excel(text, kind, value) : value;
}

/* For all of them at once, so that texts already written do not move. */
static bool make_room(struct buf *text, const struct record *record, uint64_t columns)
{
	size_t room = 0;

	for (; columns != 0; columns &= columns - 1)
		room += record->values[__builtin_ctzll(columns)].len + AROUND + TIME_ROOM;
	buf_clear(text);
	return buf_reserve(text, room);
}

const struct record *maker_dress(struct maker_dress *dress, const struct report_spec *spec,
                                 const struct maker_lines *lines, const struct record *record)
{
	struct buf *text = &dress->text;

	if (!make_room(text, record, lines->shown))
		return NULL;
	dress->record = *record;
	for (uint64_t left = lines->shown; left != 0; left &= left - 1) {
		uint8_t column = (uint8_t)__builtin_ctzll(left);
		struct str *value = &dress->record.values[column];

		*value = dressed(text, spec, record->product->columns[column].kind, *value);
	}
	return text->failed ? NULL : &dress->record;
}
