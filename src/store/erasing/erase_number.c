/* SPDX-License-Identifier: ISC */
/*
 * erase_number.c: is it the number, and a record without it. See erase.h for the rules.
 */
#include <string.h>

#include "store/erasing/erase_private.h"

/* --- is it the number? --- */

struct str erase_bare_number(const struct erase *erase)
{
	return (struct str){ erase->number + 1, erase->number_len };
}

static bool is_the_number(const struct erase *erase, struct str value)
{
	if (value.len > 0 && value.p[0] == '+')
		value = (struct str){ value.p + 1, value.len - 1 };
	return str_equal(value, erase_bare_number(erase));
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Where the number begins in a text from `at` on; text.len if nowhere. */
static size_t find_in(const struct erase *erase, struct str text, size_t at)
{
	struct str number = erase_bare_number(erase);

	while (at < text.len) {
		const char *found = memmem(text.p + at, text.len - at, number.p, number.len);

		if (!found)
			break;
		size_t begin = (size_t)(found - text.p), end = begin + number.len;
		if ((begin == 0 || !is_word(text.p[begin - 1])) && (end == text.len || !is_word(text.p[end])))
			return begin;
		at = begin + 1;
	}
	return text.len;
}

bool erase_is_in(const struct erase *erase, struct str text)
{
	return find_in(erase, text, 0) < text.len;
}

size_t erase_from_text(const struct erase *erase, struct str text, struct buf *out)
{
	size_t at = 0, count = 0;

	for (;;) {
		size_t begin = find_in(erase, text, at);
		bool plus = begin < text.len && begin > at && text.p[begin - 1] == '+';

		buf_add(out, text.p + at, begin - at - plus);
		if (begin == text.len)
			return count;
		buf_add_text(out, ERASE_TEXT);
		at = begin + erase->number_len;
		count++;
	}
}

bool erase_may_be_in(const struct erase *erase, const void *data, size_t len)
{
	return len > 0 && memmem(data, len, erase->number + 1, erase->number_len) != NULL;
}

uint64_t erase_columns_of(const struct erase *erase, const struct catalog_product *product)
{
	uint64_t columns = 0;

	for (uint8_t i = 0; i < product->columns_count; i++) {
		enum catalog_kind kind = product->columns[i].kind;

		if ((kind == CATALOG_NUMBER && erase->account < erase->accounts_count) ||
		    (kind == CATALOG_JSON && product->own))
			columns |= UINT64_C(1) << i;
	}
	return columns;
}

bool erase_record_has_it(const struct erase *erase, const struct record *record, uint64_t columns)
{
	for (uint64_t left = columns; left; left &= left - 1) {
		int column = __builtin_ctzll(left);
		struct str value = record->values[column];
		bool json = record->product->columns[column].kind == CATALOG_JSON;

		if (json ? erase_is_in(erase, value) : is_the_number(erase, value))
			return true;
	}
	return false;
}

/* --- a record without it --- */

static void change_column(struct erase *erase, struct record *record, uint8_t column)
{
	struct str *value = &record->values[column];

	switch (record->product->columns[column].kind) {
	case CATALOG_NUMBER:
		if (is_the_number(erase, *value))
			*value = STR_LITERAL(ERASE_TEXT);
		break;
	case CATALOG_BODY:
		*value = (struct str){ NULL, 0 };
		break;
	case CATALOG_JSON:
		if (!record->product->own || !erase_is_in(erase, *value))
			break;
		/* There is one such column; a text that cannot be changed for want of memory goes altogether. */
		buf_clear(&erase->json);
		erase_from_text(erase, *value, &erase->json);
		*value = erase->json.failed ? STR_LITERAL("{}") : buf_str(&erase->json);
		break;
	default:
		break;
	}
}

bool erase_change(void *arg, struct record *record)
{
	struct erase *erase = arg;

	if (!erase_record_has_it(erase, record, erase_columns_of(erase, record->product)))
		return false;
	for (uint8_t i = 0; i < record->product->columns_count; i++)
		change_column(erase, record, i);
	erase->counts.records++;
	return true;
}
