/* SPDX-License-Identifier: ISC */
/*
 * decimal.c: decimal text to 10^-12 units and back.
 *
 *	"-1.5"  ->  units = -1 500 000 000 000
 *
 * 18 digits before the point and 12 after it make 10^30 at most, so reading cannot overflow 128 bits (1.7 * 10^38).
 */
#include "base/decimal.h"

#define UNITS_PER_ONE INT64_C(1000000000000)
#define SUM_WHOLE_MAX 27 /* digits of the greatest number of 128 bits before the point */

__extension__ typedef unsigned __int128 magnitude;

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Takes the digits before the point from the front of *text; false if there are none or too many. */
static bool take_whole(struct str *text, size_t most, decimal_units *units)
{
	size_t count = 0;

	*units = 0;
	for (; count < text->len && is_digit(text->p[count]); count++) {
		if (count == most)
			return false;
		*units = *units * 10 + (text->p[count] - '0');
	}
	text->p += count;
	text->len -= count;
	return count > 0 && !__builtin_mul_overflow(*units, (decimal_units)UNITS_PER_ONE, units);
}

/* Adds `.digits` in units; false if it is anything else, or finer than a unit. */
static bool add_fraction(struct str text, decimal_units *units)
{
	int64_t place = UNITS_PER_ONE / 10;

	if (text.len < 2 || text.p[0] != '.')
		return false;
	for (size_t i = 1; i < text.len; i++, place /= 10) {
		char c = text.p[i];

		if (!is_digit(c) || (place == 0 && c != '0'))
			return false;
		if (__builtin_add_overflow(*units, (c - '0') * place, units))
			return false;
	}
	return true;
}

static bool parse(struct str text, size_t whole_most, struct decimal *out)
{
	bool negative = text.len > 0 && text.p[0] == '-';

	decimal_units units;

	if (text.len > 0 && (text.p[0] == '-' || text.p[0] == '+')) {
		text.p++;
		text.len--;
	}
	if (!take_whole(&text, whole_most, &units))
		return false;
	if (text.len > 0 && !add_fraction(text, &units))
		return false;
	out->units = negative ? -units : units;
	return true;
}

bool decimal_parse(struct str text, struct decimal *out)
{
	return parse(text, DECIMAL_WHOLE_MAX, out);
}

bool decimal_parse_sum(struct str text, struct decimal *out)
{
	return parse(text, SUM_WHOLE_MAX, out);
}

/* --- numbers as programs write them --- */

#define EXPONENT_MAX 100000 /* larger ones have the same effect */

/* A number's digits; `whole` of them are before the point, which strip_zeros makes negative for 0.001. */
struct digits {
	struct str text; /* with the point, if there is one */
	int64_t whole;
	int64_t count; /* without the point, after strip_zeros */
};

/* Takes a sign, if there is one, off the front; true for a minus. */
static bool take_sign(struct str *text)
{
	bool minus = text->len > 0 && text->p[0] == '-';

	if (text->len > 0 && (text->p[0] == '-' || text->p[0] == '+')) {
		text->p++;
		text->len--;
	}
	return minus;
}

/* Takes digits and at most one point off the front; false if there is no digit. */
static bool take_digits(struct str *text, struct digits *digits)
{
	const char *point = NULL;
	size_t at = 0;

	for (; at < text->len && (is_digit(text->p[at]) || (text->p[at] == '.' && !point)); at++)
		if (text->p[at] == '.')
			point = text->p + at;
	*digits = (struct digits){ { text->p, at }, point ? point - text->p : (int64_t)at, 0 };
	text->p += at;
	text->len -= at;
	return at > (point != NULL);
}

/* Reads what must be the rest of the text: nothing, or an exponent. */
static bool read_exponent(struct str text, int64_t *exponent)
{
	*exponent = 0;
	if (text.len == 0)
		return true;
	if (text.p[0] != 'e' && text.p[0] != 'E')
		return false;
	text.p++;
	text.len--;
	bool minus = take_sign(&text);

	for (size_t i = 0; i < text.len; i++) {
		if (!is_digit(text.p[i]))
			return false;
		if (*exponent < EXPONENT_MAX)
			*exponent = *exponent * 10 + (text.p[i] - '0');
	}
	if (minus)
		*exponent = -*exponent;
	return text.len > 0;
}

/* Strips zeros without meaning. */
static void strip_zeros(struct digits *digits)
{
	struct str *text = &digits->text;

	while (text->len > 0 && (text->p[0] == '0' || text->p[0] == '.')) {
		digits->whole -= text->p[0] == '0';
		text->p++;
		text->len--;
	}
	bool has_point = text->len > 0 && memchr(text->p, '.', text->len);
	while (text->len > 0 && (text->p[text->len - 1] == '0' || text->p[text->len - 1] == '.')) {
		has_point &= text->p[text->len - 1] != '.';
		text->len--;
	}
	digits->count = (int64_t)text->len - has_point;
}

enum decimal_fault decimal_read(struct str text, struct decimal *out)
{
	struct digits digits;
	int64_t exponent;

	text = str_trim(text);
	bool minus = take_sign(&text);
	if (!take_digits(&text, &digits) || !read_exponent(text, &exponent))
		return DECIMAL_NO_NUMBER;
	strip_zeros(&digits);
	int64_t whole = digits.whole + exponent;
	out->units = 0;
	if (digits.count == 0)
		return DECIMAL_FINE;
	if (whole > DECIMAL_WHOLE_MAX)
		return DECIMAL_TOO_LARGE;
	if (digits.count - whole > DECIMAL_PLACES)
		return DECIMAL_TOO_PRECISE;
	for (size_t i = 0; i < digits.text.len; i++)
		if (digits.text.p[i] != '.')
			out->units = out->units * 10 + (digits.text.p[i] - '0');
	for (int64_t i = digits.count - whole; i < DECIMAL_PLACES; i++)
		out->units *= 10;
	if (minus)
		out->units = -out->units;
	return DECIMAL_FINE;
}

bool decimal_read_stored(struct str text, struct decimal *out)
{
	return decimal_parse(text, out) || decimal_read(text, out) == DECIMAL_FINE;
}

bool decimal_is_plain(struct str text)
{
	size_t at = 0;

	while (at < text.len && is_digit(text.p[at]))
		at++;
	if (at == 0 || at > DECIMAL_WHOLE_MAX || (at > 1 && text.p[0] == '0'))
		return false;
	if (at == text.len)
		return true;
	size_t fraction = text.len - at - 1;

	if (text.p[at++] != '.' || fraction == 0 || fraction > DECIMAL_PLACES)
		return false;
	while (at < text.len && is_digit(text.p[at]))
		at++;
	return at == text.len;
}

void decimal_format(struct buf *out, struct decimal value)
{
	/* Negating in unsigned arithmetic is defined for the smallest value too. */
	magnitude rest = value.units < 0 ? -(magnitude)value.units : (magnitude)value.units;
	uint64_t fraction = (uint64_t)(rest % UNITS_PER_ONE);
	char digits[48];
	size_t at = sizeof(digits);

	for (int place = 0; place < DECIMAL_PLACES; place++, fraction /= 10)
		if (fraction % 10 != 0 || at < sizeof(digits))
			digits[--at] = (char)('0' + fraction % 10);
	if (at < sizeof(digits))
		digits[--at] = '.';
	/* Dividing 64 bits is an instruction, dividing 128 a function; few sums need it. */
	for (rest /= UNITS_PER_ONE; rest > UINT64_MAX; rest /= 10)
		digits[--at] = (char)('0' + (int)(rest % 10));
	uint64_t whole = (uint64_t)rest;
	do
		digits[--at] = (char)('0' + whole % 10);
	while ((whole /= 10) > 0);
	if (value.units < 0)
		digits[--at] = '-';
	buf_add(out, digits + at, sizeof(digits) - at);
}

bool decimal_add(struct decimal *sum, struct decimal more)
{
	decimal_units units;

	if (__builtin_add_overflow(sum->units, more.units, &units))
		return false;
	sum->units = units;
	return true;
}

bool decimal_multiply(struct decimal price, uint64_t count, struct decimal *out)
{
	decimal_units units;

	if (__builtin_mul_overflow(price.units, (decimal_units)count, &units))
		return false;
	out->units = units;
	return true;
}
