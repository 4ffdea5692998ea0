/* SPDX-License-Identifier: ISC */
/*
 * decimal.h: exact decimal money.
 *
 * A number of micro-micro units: value * 10^-12 in a 128-bit integer, so that sums of 10^14 units at 12 places are
 * exact. Text in, text out, never a double.
 */
#ifndef CDRD_BASE_DECIMAL_H
#define CDRD_BASE_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

#define DECIMAL_WHOLE_MAX 18 /* digits before the point */
#define DECIMAL_PLACES 12    /* and after it */
#define DECIMAL_TEXT_MAX \
	33 /* bytes of the longest text that decimal_format makes of a number that was read, sign and point included */

__extension__ typedef __int128 decimal_units;

struct decimal {
	decimal_units units; /* 10^-12 each */
};

/* Reads `[+-]digits[.digits]`, at most 18 digits before and 12 after the point (trailing zeros beyond that allowed).
 * False for anything else: no exponents, no spaces, no empty text. */
bool decimal_parse(struct str text, struct decimal *out);

/* The same of a sum, which may have more digits before the point: any number of decimal_format's but the least, -2^127. */
bool decimal_parse_sum(struct str text, struct decimal *out);

/* What is wrong with a text as a number. */
enum decimal_fault {
	DECIMAL_FINE,
	DECIMAL_NO_NUMBER,
	DECIMAL_TOO_LARGE,   /* more than DECIMAL_WHOLE_MAX digits before the point */
	DECIMAL_TOO_PRECISE, /* more than DECIMAL_PLACES after it */
};

/*
 * Reads a number in any of the ways in which programs write decimals: a sign, digits with a point anywhere before,
 * among or after them, an exponent ("5e-05", ".5", "+0012.50"), spaces around all of it. No separators of thousands, no
 * comma for the point, no names of numbers. Nothing is rounded: a number that does not fit is a fault.
 */
enum decimal_fault decimal_read(struct str text, struct decimal *out);

/* For sums of stored values, where older records may have numbers as they were sent: decimal_parse, else
 * decimal_read. */
bool decimal_read_stored(struct str text, struct decimal *out);

/* Is it `digits[.digits]` within these limits, without sign and needless leading zeros, and so may stay as it is? */
bool decimal_is_plain(struct str text);

/* Appends the shortest exact text: "0.12", "4", "-1.5". */
void decimal_format(struct buf *out, struct decimal value);

/* Both return false, leaving *sum as it was, on overflow of the 128 bits. */
bool decimal_add(struct decimal *sum, struct decimal more);
bool decimal_multiply(struct decimal price, uint64_t count, struct decimal *out);

#endif
