/* SPDX-License-Identifier: ISC */
/*
 * parquet_column.c: the values of a column.
 *
 * Texts and decimals begin as codes of a dictionary, in which each is looked up by its text, and so converted once only.
 * When the dictionary is full, or most of the first values were new ones, those that follow are written as they are;
 * where no page of codes was made until then, there is no dictionary either. Times are always written as they are.
 */
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "parquet/parquet_private.h"

#define FIRST_VALUES 1024 /* by then a dictionary must have paid */

bool column_init(struct column *column)
{
	bool has_dictionary = column->type != PARQUET_TIME;

	column->levels = malloc(PAGE_ROWS * sizeof(*column->levels));
	if (has_dictionary) {
		column->codes = malloc(PAGE_ROWS * sizeof(*column->codes));
		column->entries = malloc(DICTIONARY_MAX * sizeof(*column->entries));
		column->slots = malloc(SLOTS * sizeof(*column->slots));
	}
	if (!column->levels || (has_dictionary && (!column->codes || !column->entries || !column->slots)))
		return false;
	column_clear(column);
	return true;
}

static void free_pages(struct column *column)
{
	while (column->pages) {
		struct packed_page *page = column->pages;

		column->pages = page->next;
		free(page);
	}
	free(column->dictionary_page);
	column->dictionary_page = column->last_page = NULL;
	column->pages_bytes = 0;
}

void column_free(struct column *column)
{
	free(column->levels);
	free(column->codes);
	free(column->entries);
	free(column->slots);
	buf_free(&column->plain);
	buf_free(&column->keys);
	buf_free(&column->values);
	free_pages(column);
}

void column_clear(struct column *column)
{
	column->page_rows = column->page_nulls = 0;
	column->mixed = column->has_coded_pages = column->has_plain_pages = column->failed = false;
	column->coded = column->slots;
	column->entries_count = column->last = 0;
	column->rows = column->nulls = column->plain_bytes = 0;
	column->least = INT64_MAX;
	column->most = INT64_MIN;
	if (column->slots)
		memset(column->slots, 0, SLOTS * sizeof(*column->slots));
	buf_clear(&column->plain);
	buf_clear(&column->keys);
	buf_clear(&column->values);
	free_pages(column);
}

/* --- values as they are written --- */

static void add_text(struct buf *out, struct str text)
{
	uint32_t len = (uint32_t)text.len;
	char bytes[4] = { (char)(len & 0xff), (char)(len >> 8 & 0xff), (char)(len >> 16 & 0xff), (char)(len >> 24) };

	if (!buf_reserve(out, sizeof(bytes) + text.len))
		return;
	memcpy(out->data + out->len, bytes, sizeof(bytes));
	memcpy(out->data + out->len + sizeof(bytes), text.p, text.len);
	out->len += sizeof(bytes) + text.len;
}

static bool add_time(struct column *column, struct buf *out, struct str text)
{
	int64_t time_us;
	char bytes[8];

	if (!clock_parse_iso8601(text, &time_us))
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)((uint64_t)time_us >> (8 * i) & 0xff);
	buf_add(out, bytes, sizeof(bytes));
	if (time_us < column->least)
		column->least = time_us;
	if (time_us > column->most)
		column->most = time_us;
	return true;
}

/* Two's complement, most significant byte first. */
static bool add_decimal(struct buf *out, struct str text)
{
	struct decimal number;
	char bytes[DECIMAL_BYTES];

	if (!decimal_read_stored(text, &number))
		return false;
	for (int i = 0; i < DECIMAL_BYTES; i++)
		bytes[i] = (char)((uint64_t)(number.units >> (8 * (DECIMAL_BYTES - 1 - i))) & 0xff);
	buf_add(out, bytes, sizeof(bytes));
	return true;
}

static bool add_plain(struct column *column, struct buf *out, struct str text)
{
	switch (column->type) {
	case PARQUET_TIME:
		return add_time(column, out, text);
	case PARQUET_DECIMAL:
		return add_decimal(out, text);
	default:
		add_text(out, text);
		return true;
	}
}

/* --- the dictionary --- */

static inline bool is_entry(const struct column *column, uint32_t entry, struct str text)
{
	const struct dictionary_entry *known = &column->entries[entry];

	return known->len == text.len && memcmp(column->keys.data + known->at, text.p, text.len) == 0;
}

/* The slot of a text, or the free one that it would take. */
static uint32_t find_slot(const struct column *column, struct str text, uint32_t hash)
{
	uint32_t slot = hash % SLOTS;

	while (column->slots[slot] && (column->entries[column->slots[slot] - 1].hash != hash ||
	                               !is_entry(column, column->slots[slot] - 1U, text)))
		slot = (slot + 1) % SLOTS;
	return slot;
}

/* The plain bytes of an entry: those of a text begin with their length. */
static struct str entry_bytes(const struct column *column, uint32_t entry)
{
	if (column->type == PARQUET_DECIMAL)
		return (struct str){ column->values.data + (size_t)entry * DECIMAL_BYTES, DECIMAL_BYTES };
	/* Each entry before it has four bytes of length, too. */
	return (struct str){ column->values.data + column->entries[entry].at + 4 * (size_t)entry,
		             column->entries[entry].len + 4 };
}

/* No more codes: those of the open page become values. */
static void give_up_codes(struct column *column)
{
	uint32_t count = column->page_rows - column->page_nulls;

	for (uint32_t i = 0; i < count && !column->values.failed && !column->keys.failed; i++)
		buf_add_str(&column->plain, entry_bytes(column, column->codes[i]));
	column->failed |= column->values.failed || column->keys.failed;
	column->coded = false;
}

static bool has_paid(const struct column *column)
{
	uint32_t count = column->page_rows - column->page_nulls;

	return column->has_coded_pages || count < FIRST_VALUES || column->entries_count <= count / 2;
}

static bool is_full(const struct column *column, struct str text)
{
	return column->entries_count == DICTIONARY_MAX || column->keys.len + text.len > DICTIONARY_BYTES;
}

/* Its code: an entry of it, made if need be. False if it cannot be of the type; *full if there is no room for one. */
static bool find_code(struct column *column, struct str text, uint32_t *code, bool *full)
{
	*full = false;
	*code = column->last;
	if (column->entries_count > 0 && is_entry(column, column->last, text))
		return true;
	uint32_t hash = (uint32_t)XXH3_64bits(text.p, text.len);
	uint32_t slot = find_slot(column, text, hash);
	if (column->slots[slot]) {
		*code = column->slots[slot] - 1U;
		return true;
	}
	*full = is_full(column, text);
	if (*full)
		return true;
	if (!add_plain(column, &column->values, text))
		return false;
	*code = column->entries_count++;
	column->entries[*code] = (struct dictionary_entry){ (uint32_t)column->keys.len, (uint32_t)text.len, hash };
	column->slots[slot] = (uint16_t)(*code + 1);
	buf_add_str(&column->keys, text);
	column->failed |= column->keys.failed || column->values.failed;
	return !column->failed;
}

/* --- adding --- */

/* Notes whether the next row has a value. */
static void add_level(struct column *column, bool is_value)
{
	bool others = is_value ? column->page_nulls > 0 : column->page_rows > column->page_nulls;

	if (others && !column->mixed) {
		for (uint32_t i = 0; i < column->page_rows; i++)
			column->levels[i] = !is_value;
		column->mixed = true;
	}
	if (column->mixed)
		column->levels[column->page_rows] = is_value;
	column->page_rows++;
	column->page_nulls += !is_value;
}

enum added { ADDED, UNFIT, NO_ROOM };

/* Adds it as a code. NO_ROOM when the dictionary is full: then there are no codes any more. */
static enum added add_code(struct column *column, struct str text)
{
	uint32_t code;
	bool full;

	if (!find_code(column, text, &code, &full))
		return column->failed ? ADDED : UNFIT;
	if (full) {
		give_up_codes(column);
		return NO_ROOM;
	}
	column->codes[column->page_rows - column->page_nulls] = (uint16_t)code;
	column->last = code;
	add_level(column, true);
	if (!has_paid(column))
		give_up_codes(column);
	return ADDED;
}

bool column_add(struct column *column, struct str value)
{
	enum added added = NO_ROOM;

	if (column->failed) /* its dictionary may lack what its entries lead to; finishing the group will say so */
		return true;
	if (value.len == 0) {
		add_level(column, false);
		return true;
	}
	if (column->coded)
		added = add_code(column, value);
	if (added != NO_ROOM)
		return added == ADDED;
	if (!add_plain(column, &column->plain, value))
		return false;
	add_level(column, true);
	return true;
}
