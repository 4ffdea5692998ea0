/* SPDX-License-Identifier: ISC */
/*
 * block_columns.c: reading the columns part of a block. See block_columns.h.
 *
 * All offsets and codes of the forms are checked once, when the part is taken apart; codes of rows are not.
 */
#include "store/blocks/block_columns.h"

#include "store/blocks/bits.h"

/* Removes `len` bytes from the front; NULL if there are fewer. */
static const uint8_t *take(struct str *rest, size_t len)
{
	const uint8_t *p = (const uint8_t *)rest->p;

	if (rest->len < len)
		return NULL;
	rest->p += len;
	rest->len -= len;
	return p;
}

static bool map_is_right(const struct block_column *column, const struct block_column *leader)
{
	for (uint16_t i = 0; i < leader->values; i++)
		if (column->map[i] >= column->values)
			return false;
	return true;
}

static bool read_form(struct block_columns *columns, uint8_t number, size_t sets, struct str *rest)
{
	struct block_column *column = &columns->columns[number];
	const uint8_t *form = take(rest, 1), *leader;

	column->leader = number;
	if (!form || *form > COLUMN_FOLLOWS)
		return false;
	column->form = *form;
	if (column->form == COLUMN_CODES)
		return true;
	leader = take(rest, 1);
	if (!leader || *leader >= sets)
		return false;
	column->leader = *leader;
	column->map = take(rest, columns->columns[*leader].values);
	return column->map && map_is_right(column, &columns->columns[*leader]);
}

static bool read_sets(struct block_columns *columns, struct str skip, struct str *rest)
{
	struct skip_index_set sets[BLOCK_SKIP_COLUMNS_MAX];
	size_t count = skip_index_sets(skip, sets, BLOCK_SKIP_COLUMNS_MAX);

	if (count == SIZE_MAX)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (sets[i].count == 0)
			return false;
		columns->columns[i] = (struct block_column){ .column = sets[i].column,
			                                     .values = sets[i].count,
			                                     .bits = bits_width(sets[i].count - 1u),
			                                     .dictionary = sets[i].values };
	}
	columns->count = (uint8_t)count;
	for (uint8_t i = 0; i < columns->count; i++)
		if (!read_form(columns, i, count, rest))
			return false;
	for (uint8_t i = 0; i < columns->count; i++)
		if (columns->columns[columns->columns[i].leader].form != COLUMN_CODES)
			return false;
	return true;
}

static bool read_numbers(struct block_columns *columns, struct str *rest)
{
	const uint8_t *count = take(rest, 1);

	if (!count || *count > BLOCK_NUMBERS_MAX)
		return false;
	for (uint8_t i = 0; i < *count; i++) {
		struct block_column *column = &columns->columns[columns->count];
		const uint8_t *form = take(rest, 3), *least = take(rest, sizeof(column->least));

		if (!form || !least || form[1] == 0 || form[1] > BLOCK_NUMBER_BITS_MAX || form[2] > DECIMAL_PLACES)
			return false;
		*column = (struct block_column){ .column = form[0],
			                         .form = COLUMN_NUMBERS,
			                         .leader = columns->count,
			                         .bits = form[1],
			                         .places = form[2] };
		memcpy(&column->least, least, sizeof(column->least));
		columns->count++;
	}
	return true;
}

bool block_columns_read(struct block_columns *columns, struct str part, struct str skip, uint32_t rows)
{
	struct str rest = part;

	columns->rows = rows;
	if (rows > BLOCK_ROWS || !read_sets(columns, skip, &rest) || !read_numbers(columns, &rest))
		return false;
	for (uint8_t i = 0; i < columns->count; i++) {
		struct block_column *column = &columns->columns[i];

		if (column->form == COLUMN_FOLLOWS)
			continue;
		column->packed = take(&rest, (size_t)(rows + 7) / 8 * column->bits);
		if (!column->packed)
			return false;
	}
	return rest.len == BLOCK_COLUMNS_PADDING;
}

const struct block_column *block_columns_find(const struct block_columns *columns, uint8_t column)
{
	for (uint8_t i = 0; i < columns->count; i++)
		if (columns->columns[i].column == column)
			return &columns->columns[i];
	return NULL;
}

void block_column_values(const struct block_column *column, struct str *values)
{
	struct str rest = column->dictionary;

	for (uint16_t i = 0; i < column->values; i++)
		if (!skip_index_next(&rest, &values[i]))
			values[i] = STR_LITERAL("");
}

/* Spreads eight codes of `width` bits to eight bytes: halves of them, then quarters, then each. */
static uint64_t spread(uint64_t bits, unsigned width)
{
	const uint64_t four = (UINT64_C(1) << 4 * width) - 1;
	const uint64_t two = ((UINT64_C(1) << 2 * width) - 1) * UINT64_C(0x0000000100000001);
	const uint64_t one = ((UINT64_C(1) << width) - 1) * UINT64_C(0x0001000100010001);

	bits = (bits & four) | (bits >> 4 * width & four) << 32;
	bits = (bits & two) | (bits >> 2 * width & two) << 16;
	return (bits & one) | (bits >> width & one) << 8;
}

const uint8_t *block_column_codes(const struct block_column *column, uint32_t first, uint32_t end, uint8_t *codes)
{
	const unsigned width = column->bits;
	const uint32_t begin = first - first % 8;
	const uint8_t *at = column->packed + (size_t)begin / 8 * width;

	if (width == 0)
		memset(codes, 0, end - begin);
	for (uint32_t row = begin; row < end && width > 0; row += 8, at += width) {
		uint64_t bits;

		memcpy(&bits, at, sizeof(bits)); /* eight bytes of padding follow the last */
		bits = spread(bits, width);
		memcpy(&codes[row - begin], &bits, sizeof(bits));
	}
	return codes + first % 8;
}

/* --- choosing rows --- */

/* Bits: a row with the code passes; it is to be judged by its line, as no value has the code. */
#define PASSES 1
#define UNKNOWN 2

/* What the codes of `leader` say to those filters whose columns are it or follow it. Returns the number of these. */
static size_t judge(const struct block_columns *columns, uint8_t leader, const struct scan_filter *filters,
                    size_t count, uint8_t passes[BLOCK_CODES_MAX])
{
	struct str values[BLOCK_SET_VALUES_MAX];
	size_t judged = 0;

	memset(passes, PASSES | UNKNOWN, BLOCK_CODES_MAX);
	memset(passes, PASSES, columns->columns[leader].values);
	for (size_t i = 0; i < count; i++) {
		const struct block_column *column = block_columns_find(columns, filters[i].column);

		if (!column || column->form == COLUMN_NUMBERS || column->leader != leader)
			continue;
		judged++;
		block_column_values(column, values);
		for (uint16_t code = 0; code < columns->columns[leader].values; code++) {
			uint8_t own = block_column_code(column, (uint8_t)code);

			/* NOLINTNEXTLINE(-Wanalyzer-use-of-uninitialized-value): a code has a value. */
			if (!scan_filter_passes(&filters[i], values[own]))
				passes[code] = 0;
		}
	}
	return judged;
}

/* False if some row has a code that no value has. */
static bool keep_passing(const struct block_columns *columns, uint8_t leader, const uint8_t passes[BLOCK_CODES_MAX],
                         uint8_t bits[BLOCK_ROWS / 8])
{
	unsigned seen = 0;
	uint8_t room[BLOCK_ROWS + BLOCK_CODES_SPARE];
	const uint8_t *codes = block_column_codes(&columns->columns[leader], 0, columns->rows, room);

	for (uint32_t row = 0; row < columns->rows; row += 8) {
		unsigned keep = 0;

		for (uint32_t i = 0; i < 8 && row + i < columns->rows; i++) {
			unsigned of_row = passes[codes[row + i]];

			keep |= (of_row & PASSES) << i;
			seen |= of_row;
		}
		bits[row / 8] &= (uint8_t)keep;
	}
	return !(seen & UNKNOWN);
}

uint32_t block_columns_choose(const struct block_columns *columns, const struct scan_filter *filters, size_t count,
                              uint8_t bits[BLOCK_ROWS / 8], bool *decides)
{
	uint8_t passes[BLOCK_CODES_MAX];
	uint32_t chosen = 0;
	size_t judged = 0;
	bool known = true;

	memset(bits, 0, BLOCK_ROWS / 8);
	memset(bits, 0xff, columns->rows / 8);
	if (columns->rows % 8)
		bits[columns->rows / 8] = (uint8_t)((1 << columns->rows % 8) - 1);
	for (uint8_t i = 0; i < columns->count; i++) {
		size_t here = columns->columns[i].form == COLUMN_CODES ? judge(columns, i, filters, count, passes) : 0;

		judged += here;
		known &= here == 0 || keep_passing(columns, i, passes, bits);
	}
	*decides = known && judged == count;
	for (size_t i = 0; i < BLOCK_ROWS / 8; i++)
		chosen += (uint32_t)__builtin_popcount(bits[i]);
	return chosen;
}
