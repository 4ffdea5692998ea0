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

#define DECIMAL_PLACES 12

__extension__ typedef __int128 decimal_units;

struct decimal {
	decimal_units units; /* 10^-12 each */
};

/* Reads `[+-]digits[.digits]`, at most 18 digits before and 12 after the point (trailing zeros beyond that allowed).
 * False for anything else: no exponents, no spaces, no empty text. */
bool decimal_parse(struct str text, struct decimal *out);

/* Appends the shortest exact text: "0.12", "4", "-1.5". */
void decimal_format(struct buf *out, struct decimal value);

/* Both return false, leaving *sum as it was, on overflow of the 128 bits. */
bool decimal_add(struct decimal *sum, struct decimal more);
bool decimal_multiply(struct decimal price, uint64_t count, struct decimal *out);

#endif
