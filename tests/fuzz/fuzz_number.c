/* SPDX-License-Identifier: ISC */
/*
 * fuzz_number.c: amounts as texts, held against the C library's floating point.
 *
 * An input is two lines. What must hold of each that is taken as a number: strtold takes all of it, too, and finds the same
 * but for what it rounds; its shortest text is the same number, and plain as the plain ones are. And sums and products are
 * those of the numbers, or refused.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"

#define UNITS_PER_ONE 1e12L
#define ROUNDED 1e-17L /* a share of the number; a long double has 64 bits */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_value(struct str text, struct decimal number)
{
	struct buf copy = { 0 };
	char *end;

	buf_add_str(&copy, str_trim(text));
	const char *trimmed = buf_cstr(&copy);
	must(trimmed != NULL);
	long double expected = strtold(trimmed, &end) * UNITS_PER_ONE, found = (long double)number.units;
	must(*end == '\0' && fabsl(found - expected) <= fabsl(expected) * ROUNDED * 16);
	buf_free(&copy);
}

static void check_text(struct decimal number)
{
	struct buf out = { 0 };
	struct decimal again;

	decimal_format(&out, number);
	must(!out.failed && out.len < DECIMAL_TEXT_MAX + 8);
	if (out.len > 0 && decimal_parse(buf_str(&out), &again))
		must(again.units == number.units && (number.units < 0 || decimal_is_plain(buf_str(&out))));
	buf_free(&out);
}

/* True with *number, also where reading strictly takes it. */
static bool take(struct str text, struct decimal *number)
{
	struct decimal strict, stored;
	bool is_strict = decimal_parse(text, &strict), is_number = decimal_read(text, number) == DECIMAL_FINE;

	must(!is_strict || (is_number && strict.units == number->units));
	must(!decimal_is_plain(text) || is_strict);
	must(decimal_read_stored(text, &stored) == is_number && (!is_number || stored.units == number->units));
	if (!is_number)
		return false;
	check_value(text, *number);
	check_text(*number);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = size > 0 ? (const char *)data : "", *line = memchr(text, '\n', size);
	size_t first = line ? (size_t)(line - text) : size;
	struct decimal a, b = { 0 }, sum, product;

	bool has_a = take((struct str){ text, first }, &a);
	if (line && take((struct str){ line + 1, size - first - 1 }, &b) && has_a) {
		sum = a;
		must(decimal_add(&sum, b) && sum.units - b.units == a.units);
		check_text(sum);
		if (decimal_multiply(a, size, &product))
			must(product.units / (decimal_units)size == a.units &&
			     product.units % (decimal_units)size == 0);
	}
	return 0;
}
