/* SPDX-License-Identifier: ISC */
/*
 * block_columns.h: the columns of few values of a block, beside its lines; private to store/.
 *
 * What filters and summaries ask for can be told from here without inflating a line. The skip index has the dictionary
 * of each column; its place there is the code of a value. The part of the block, of which `columns_bytes` of the head
 * may be 0 (few rows, an older block):
 *
 *	for each set of the skip index, in its order: u8 form, and then
 *		COLUMN_CODES    nothing: the rows' codes are packed
 *		COLUMN_FOLLOWS  u8 number of the set that it follows, which has codes; u8 code for each code of that
 *	u8 numbers, then for each of them: u8 column, u8 bits, u8 places, i64 least
 *	the packed arrays, in the order above; eight rows take as many bytes as a row takes bits
 *	8 bytes of zeros
 *
 * A column follows another where each value of that one always comes with the same value of this one, as the country
 * does a network; among those that will do, the one of the fewest values. The numbers are the columns of money and
 * durations that have many values: 0 where a row has none, else 1 + (value * 10^places - least).
 */
#ifndef CDRD_STORE_BLOCKS_BLOCK_COLUMNS_H
#define CDRD_STORE_BLOCKS_BLOCK_COLUMNS_H

#include "store/blocks/skip_index.h"

#define BLOCK_NUMBERS_MAX 3 /* total_price, price, duration */
#define BLOCK_COLUMNS_MAX (BLOCK_SKIP_COLUMNS_MAX + BLOCK_NUMBERS_MAX)
#define BLOCK_CODES_SPARE 16 /* room that an array which codes are unpacked into has besides that for them */
#define BLOCK_CODES_MAX 256  /* codes of 8 bits */
#define BLOCK_NUMBER_BITS_MAX 48
#define BLOCK_COLUMNS_PADDING 8 /* bytes of zeros, so that the last codes can be read eight bytes at a time */

enum column_form { COLUMN_CODES, COLUMN_FOLLOWS, COLUMN_NUMBERS };

/* --- writing --- */

/* Collects the numbers; codes are in the builder of the skip index. Zero-initialised is empty; kept from block to
 * block. */
struct columns_builder {
	const struct catalog_product *product; /* whose the columns are */
	size_t count;
	struct column_numbers {
		uint8_t column;
		uint8_t place; /* in the columns of the skip index */
		bool begun;    /* since there are too many values for a set */
		bool unfit;    /* some value is no number, or does not fit */
		uint8_t bits;  /* how they are packed; 0: they are not */
		uint8_t places;
		int64_t unit; /* 10^-12 each */
		int64_t least;
		int64_t units[BLOCK_ROWS]; /* 10^-12 each; INT64_MIN: none */
	} numbers[BLOCK_NUMBERS_MAX];
};

/* After skip_index_begin. */
void columns_begin(struct columns_builder *builder, const struct catalog_product *product,
                   const struct skip_index_builder *skip);

/* After skip_index_add of the same record. */
void columns_add(struct columns_builder *builder, const struct skip_index_builder *skip, const struct record *record);

/* Appends the part, nothing if there are not enough rows. Check out->failed. */
void columns_write(struct columns_builder *builder, const struct skip_index_builder *skip, struct buf *out);

/* Is what block_columns_read makes of the finished parts the same as what was added? */
bool columns_read_back(const struct columns_builder *builder, const struct skip_index_builder *skip, struct str part,
                       struct str skip_part);

/* --- reading --- */

struct block_column {
	uint8_t column; /* of the product */
	uint8_t form;   /* enum column_form */
	uint8_t leader; /* FOLLOWS: the number of the column that it follows; CODES: its own */
	uint8_t bits;
	uint8_t places; /* NUMBERS */
	uint16_t values;
	struct str dictionary; /* as of skip_index_set */
	const uint8_t *map;    /* FOLLOWS: its code for each of the leader's */
	const uint8_t *packed;
	int64_t least; /* NUMBERS */
};

struct block_columns {
	uint32_t rows;
	uint8_t count;
	struct block_column columns[BLOCK_COLUMNS_MAX];
};

/* Takes the two parts of a block apart; they must outlive *columns. False if they are damaged. */
bool block_columns_read(struct block_columns *columns, struct str part, struct str skip, uint32_t rows);

/* NULL if it is not there. */
const struct block_column *block_columns_find(const struct block_columns *columns, uint8_t column);

/* Fills values[0 .. values - 1]; there is room for BLOCK_SET_VALUES_MAX. */
void block_column_values(const struct block_column *column, struct str *values);

/*
 * Unpacks the codes of rows [first, end) of a column with COLUMN_CODES, into an array with room for them and
 * BLOCK_CODES_SPARE more. Returns where in it that of the first row is. They are below 1 << bits; one that is not below
 * `values` says that the block is damaged, although its checksum is right.
 */
const uint8_t *block_column_codes(const struct block_column *column, uint32_t first, uint32_t end, uint8_t *codes);

/* A column's code for a code of its leader, which is below the leader's `values`. */
static inline uint8_t block_column_code(const struct block_column *column, uint8_t leading)
{
	return column->form == COLUMN_FOLLOWS ? column->map[leading] : leading;
}

/* Of a column with COLUMN_NUMBERS: 0 where the row has none, else 1 + the number over column->least. */
static inline uint64_t block_column_number(const struct block_column *column, uint32_t row)
{
	size_t at = (size_t)row * column->bits;
	uint64_t bits;

	memcpy(&bits, column->packed + at / 8, sizeof(bits)); /* bytes of padding follow the last */
	return bits >> at % 8 & ((UINT64_C(1) << column->bits) - 1);
}

/*
 * Sets the bit of each row that passes those filters whose columns are here; the others are not looked at. Returns how
 * many rows that are. `bits` has a bit for each row and is filled whole. *decides: each of these rows passes all filters;
 * otherwise they are to be judged by their lines.
 */
uint32_t block_columns_choose(const struct block_columns *columns, const struct scan_filter *filters, size_t count,
                              uint8_t bits[BLOCK_ROWS / 8], bool *decides);

#endif
