/* SPDX-License-Identifier: ISC */
/*
 * versions.c: which of two versions is newer, and what they make together. See versions.h.
 */
#include "store/versions.h"

#include "base/clock.h"
#include "store/erase.h"

/* --- numbers of any length, as text: nanoseconds since the epoch have more digits than a decimal takes --- */

struct number {
	bool negative;
	struct str whole;    /* without zeros before it */
	struct str fraction; /* without zeros after it */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct str take_digits(struct str *text)
{
	struct str digits = { text->p, 0 };

	while (digits.len < text->len && is_digit(digits.p[digits.len]))
		digits.len++;
	text->p += digits.len;
	text->len -= digits.len;
	return digits;
}

/* `[+-]digits[.digits]`. */
static bool number_read(struct str text, struct number *number)
{
	*number = (struct number){ .negative = text.len > 0 && text.p[0] == '-' };
	if (text.len > 0 && (text.p[0] == '-' || text.p[0] == '+'))
		text = (struct str){ text.p + 1, text.len - 1 };
	number->whole = take_digits(&text);
	if (number->whole.len == 0)
		return false;
	if (text.len > 1 && text.p[0] == '.') {
		text = (struct str){ text.p + 1, text.len - 1 };
		number->fraction = take_digits(&text);
	}
	while (number->whole.len > 0 && number->whole.p[0] == '0')
		number->whole = (struct str){ number->whole.p + 1, number->whole.len - 1 };
	while (number->fraction.len > 0 && number->fraction.p[number->fraction.len - 1] == '0')
		number->fraction.len--;
	if (number->whole.len == 0 && number->fraction.len == 0)
		number->negative = false;
	return text.len == 0;
}

/* As text, where a shorter one that begins alike comes first. */
static int compare_text(struct str a, struct str b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len ? memcmp(a.p, b.p, len) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_numbers(const struct number *a, const struct number *b)
{
	if (a->negative != b->negative)
		return a->negative ? -1 : 1;
	int order = (a->whole.len > b->whole.len) - (a->whole.len < b->whole.len);
	if (order == 0)
		order = compare_text(a->whole, b->whole);
	if (order == 0)
		order = compare_text(a->fraction, b->fraction);
	return a->negative ? -order : order;
}

/* --- which is newer --- */

bool versions_can_compare(struct str value)
{
	struct number number;
	int64_t time_us;

	return number_read(value, &number) || clock_parse_iso8601(value, &time_us);
}

/* Less than 0 if `a` is the older one, 0 if they are the same or cannot be compared. */
static int compare_values(struct str a, struct str b)
{
	struct number left, right;
	int64_t left_us, right_us;

	if (number_read(a, &left) && number_read(b, &right))
		return compare_numbers(&left, &right);
	if (clock_parse_iso8601(a, &left_us) && clock_parse_iso8601(b, &right_us))
		return (left_us > right_us) - (left_us < right_us);
	return 0;
}

/* A record without a status says nothing of how far it has come. */
static int compare_statuses(const struct catalog_product *product, struct str a, struct str b)
{
	uint8_t left = catalog_status_rank(product, a), right = catalog_status_rank(product, b);

	return left && right ? (left > right) - (left < right) : 0;
}

bool versions_is_older(const struct record *came, const struct record *stored, uint8_t column)
{
	const struct catalog_product *product = came->product;
	int order = compare_values(record_value(came, column), record_value(stored, column));

	if (order == 0)
		order = compare_statuses(product, record_value(came, product->status_column),
		                         record_value(stored, product->status_column));
	return order < 0;
}

bool versions_adds_nothing(const struct record *came, const struct record *stored)
{
	for (uint8_t i = 0; i < came->product->columns_count; i++)
		if (came->values[i].p && !str_equal(came->values[i], stored->values[i]))
			return false;
	return true;
}

/* Of a record that lost a number to erasing, no version brings a message back: see erase.h. */
static void keep_erased(struct record *record)
{
	const struct catalog_product *product = record->product;
	bool erased = false;

	for (uint8_t i = 0; i < product->columns_count && !erased; i++)
		erased = product->columns[i].kind == CATALOG_NUMBER && str_is(record->values[i], ERASE_TEXT);
	for (uint8_t i = 0; i < product->columns_count && erased; i++)
		if (product->columns[i].kind == CATALOG_BODY)
			record->values[i] = (struct str){ NULL, 0 };
}

void versions_merge(struct record *out, const struct record *came, const struct record *stored)
{
	out->product = came->product;
	for (uint8_t i = 0; i < came->product->columns_count; i++)
		out->values[i] = came->values[i].p ? came->values[i] : stored->values[i];
	keep_erased(out);
}

bool versions_fill(struct record *out, const struct record *came, const struct record *stored)
{
	bool filled = false;

	out->product = came->product;
	for (uint8_t i = 0; i < came->product->columns_count; i++) {
		bool fills = stored->values[i].len == 0 && came->values[i].len > 0;

		out->values[i] = fills ? came->values[i] : stored->values[i];
		filled |= fills;
	}
	keep_erased(out);
	return filled;
}
