/*
 * decimal.c: decimal text to 10^-12 units and back.
 *
 *	"-1.5"  ->  units = -1 500 000 000 000
 *
 * 18 digits before the point and 12 behind make 10^30 at most, so parsing cannot overflow 128 bits (1.7 * 10^38).
 */
#include "base/decimal.h"

#define WHOLE_DIGITS_MAX 18
#define UNITS_PER_ONE INT64_C(1000000000000)

__extension__ typedef unsigned __int128 magnitude;

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Takes the digits before the point from the front of *text; false if there are none or too many. */
static bool take_whole(struct str *text, decimal_units *units)
{
	size_t count = 0;

	*units = 0;
	for (; count < text->len && is_digit(text->p[count]); count++) {
		if (count == WHOLE_DIGITS_MAX)
			return false;
		*units = *units * 10 + (text->p[count] - '0');
	}
	text->p += count;
	text->len -= count;
	*units *= UNITS_PER_ONE;
	return count > 0;
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
		*units += (c - '0') * place;
	}
	return true;
}

bool decimal_parse(struct str text, struct decimal *out)
{
	bool negative = text.len > 0 && text.p[0] == '-';
	decimal_units units;

	if (text.len > 0 && (text.p[0] == '-' || text.p[0] == '+')) {
		text.p++;
		text.len--;
	}
	if (!take_whole(&text, &units))
		return false;
	if (text.len > 0 && !add_fraction(text, &units))
		return false;
	out->units = negative ? -units : units;
	return true;
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
