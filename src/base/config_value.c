/* SPDX-License-Identifier: ISC */
/*
 * config_value.c: the forms of settings' values.
 *
 * A number with a unit is digits and one suffix of its type's table. Formatting takes the last row of the table that
 * divides the number, so rows go from the smallest unit to the largest and a unit's usual name is its last row.
 */
#include "base/config_value.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"

struct unit {
	const char *suffix;
	int64_t factor;
};

static const struct unit duration_units[] = {
	{ "ms", 1000 },
	{ "s", CLOCK_US_PER_SECOND },
	{ "m", 60 * CLOCK_US_PER_SECOND },
	{ "h", CLOCK_US_PER_HOUR },
	{ "d", CLOCK_US_PER_DAY },
	{ NULL, 0 },
};

#define SIZE_UNIT(letter, shift) \
	{ letter "i", INT64_C(1) << (shift) }, { letter "B", INT64_C(1) << (shift) }, \
		{ letter "iB", INT64_C(1) << (shift) }, \
	{ \
		letter, INT64_C(1) << (shift) \
	}

static const struct unit size_units[] = {
	{ "", 1 }, SIZE_UNIT("K", 10), SIZE_UNIT("M", 20), SIZE_UNIT("G", 30), SIZE_UNIT("T", 40), { NULL, 0 },
};

static const struct unit count_units[] = {
	{ "", 1 },
	{ NULL, 0 },
};

static const struct {
	const char *word;
	bool value;
} bool_words[] = {
	{ "yes", true }, { "true", true }, { "on", true }, { "no", false }, { "false", false }, { "off", false },
};

static const struct {
	const char *form;
	const struct unit *units; /* NULL: not a number with a unit */
	bool is_text;
} types[] = {
	[CONFIG_TEXT] = { "text of at most " CONFIG_NUMBER_TEXT(
				  CONFIG_TEXT_BYTES_MAX) " bytes without control "
	                                                 "characters, blanks at its ends, or # or ; at its start or after a blank",
	                  NULL, true },
	[CONFIG_DURATION] = { "a duration such as 250ms, 30s, 15m, 24h or 3d", duration_units, false },
	[CONFIG_SIZE] = { "a size such as 512, 64K, 16M, 64G or 1T", size_units, false },
	[CONFIG_COUNT] = { "a number", count_units, false },
	[CONFIG_BOOL] = { "yes, no, true, false, on or off", NULL, false },
	[CONFIG_CHOICE] = { "one of the words allowed", NULL, true },
};

bool config_value_is_text(enum config_type type)
{
	return types[type].is_text;
}

const char *config_value_form(enum config_type type)
{
	return types[type].form;
}

static bool parse_with_unit(const char *text, const struct unit *units, decimal_units *number)
{
	size_t digits = strspn(text, "0123456789");
	int64_t value = 0;

	if (digits == 0)
		return false;
	for (size_t i = 0; i < digits; i++) {
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, text[i] - '0', &value))
			return false;
	}
	for (const struct unit *unit = units; unit->suffix; unit++) {
		/* Zero needs no unit: a duration may be a bare "0". */
		if (strcmp(text + digits, unit->suffix) == 0 || (value == 0 && text[digits] == '\0')) {
			*number = (decimal_units)value * unit->factor;
			return *number <= INT64_MAX;
		}
	}
	return false;
}

static bool parse_bool(const char *text, decimal_units *number)
{
	for (size_t i = 0; i < sizeof(bool_words) / sizeof(bool_words[0]); i++) {
		if (strcmp(text, bool_words[i].word) == 0) {
			*number = bool_words[i].value;
			return true;
		}
	}
	return false;
}

bool config_value_parse(enum config_type type, const char *text, decimal_units *number)
{
	if (type == CONFIG_BOOL)
		return parse_bool(text, number);
	return types[type].units && parse_with_unit(text, types[type].units, number);
}

void config_value_format(struct buf *out, enum config_type type, int64_t number)
{
	const struct unit *best = types[type].units;

	if (type == CONFIG_BOOL) {
		buf_add_text(out, number ? "yes" : "no");
		return;
	}
	if (number == 0) {
		buf_add_char(out, '0');
		return;
	}
	for (const struct unit *unit = best; unit->suffix; unit++) {
		if (number % unit->factor == 0)
			best = unit;
	}
	buf_addf(out, "%" PRId64 "%s", number / best->factor, best->suffix);
}

bool config_value_is_choice(const char *words, const char *word)
{
	size_t word_len = strlen(word);

	for (;;) {
		size_t len = strcspn(words, "|");

		if (len > 0 && len == word_len && memcmp(words, word, len) == 0)
			return true;
		if (words[len] == '\0')
			return false;
		words += len + 1;
	}
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool config_value_fits_line(const char *text)
{
	bool after_blank = true; /* a value comes after "= " */

	if (is_blank(text[0]) || strlen(text) > CONFIG_TEXT_BYTES_MAX)
		return false;
	for (const char *p = text; *p; p++) {
		unsigned char byte = (unsigned char)*p;

		if (byte < 0x20 || byte == 0x7f || (after_blank && (*p == '#' || *p == ';')))
			return false;
		after_blank = is_blank(*p);
	}
	return text[0] == '\0' || !after_blank;
}
