/* SPDX-License-Identifier: ISC */
/*
 * fold.h: adding up the rows of a block by its columns part, without reading a line. Private to store/aggregates/.
 *
 *	fold_begin(fold, base, &reader->columns)             once for a block; false: its rows must be read
 *	fold_rows(fold, first, end, deleted)                 counts the rows of a range
 *	fold_end(fold, &rows, &seen, groups, start_us, &err) adds what was counted to groups, and empties the fold
 *
 * The columns that a query needs (of groups, filters, sums) lead or follow; those that lead are its *roots*. A *cell* is
 * a combination of codes of the roots. Rows are only counted by cell; filters, groups and sums are worked out once for
 * each cell that has rows.
 */
#ifndef CDRD_STORE_AGGREGATES_FOLD_H
#define CDRD_STORE_AGGREGATES_FOLD_H

#include "store/blocks/block_columns.h"
#include "store/engine.h"

#define FOLD_BITS_MAX 14 /* of codes of all roots together */
#define FOLD_CELLS_MAX (1 << FOLD_BITS_MAX)
#define FOLD_ROOTS_MAX 8
#define FOLD_KEYS_MAX 9 /* columns of groups, and the currency */
#define FOLD_SUMS 3

struct fold_root {
	const struct block_column *column;
	unsigned shift;         /* of its codes in the number of a cell */
	uint32_t result_stride; /* of its tuples in the number of a result */
	uint16_t tuples;        /* combinations of the keys that follow it */
	uint8_t tuple_of[BLOCK_SET_VALUES_MAX];
	bool passes[BLOCK_SET_VALUES_MAX]; /* the filters that follow it */
	bool unpacked;
	uint8_t codes[BLOCK_CODES_CAP];
};

struct fold_key {
	const struct block_column *column;
	uint8_t root;
	struct str values[BLOCK_SET_VALUES_MAX];
	uint64_t hashes[BLOCK_SET_VALUES_MAX];
};

/* A column that is added up; `column` NULL if the product has none. */
struct fold_sum {
	const struct block_column *column;
	uint8_t root; /* where it is not numbers */
	struct fold_amount {
		decimal_units units;
		bool unreadable;
	} amounts[BLOCK_SET_VALUES_MAX];
	decimal_units unit;               /* of numbers */
	uint64_t numbers[FOLD_CELLS_MAX]; /* of each cell, less `least` each */
	uint32_t present[FOLD_CELLS_MAX]; /* how many rows have one */
};

/* What rows with the same values of the keys add up to. */
struct fold_result {
	uint64_t count;
	uint64_t unreadable;
	decimal_units sums[FOLD_SUMS];
};

struct fold {
	const struct block_columns *columns;
	size_t roots_count;
	struct fold_root roots[FOLD_ROOTS_MAX];
	size_t keys_count; /* the last one is the currency where there is money */
	struct fold_key keys[FOLD_KEYS_MAX];
	struct fold_sum sums[FOLD_SUMS]; /* duration, total_price, price */
	uint32_t cells;
	uint32_t counts[FOLD_CELLS_MAX]; /* rows; all zero between fold_end and fold_rows */
	uint16_t cell_of[BLOCK_ROWS];
	size_t touched_count;
	struct fold_touched {
		uint16_t result;               /* that is not zero */
		uint8_t codes[FOLD_ROOTS_MAX]; /* of its first cell */
	} touched[FOLD_CELLS_MAX];
	struct fold_result results[FOLD_CELLS_MAX];
};

/* Zeroed memory of some 3 MiB, of which a query uses what it needs; freed with free(). NULL with ERROR_NOMEM. */
MUST_CHECK struct fold *fold_new(struct error *err);

/* Prepares for a block. False if its columns part does not have all that the query needs, or too many combinations. */
bool fold_begin(struct fold *fold, const struct aggregate *aggregate, const struct block_columns *columns);

/* Counts the rows of [first, end) but those of the bitmap `deleted`. */
void fold_rows(struct fold *fold, uint32_t first, uint32_t end, struct str deleted);

/* Adds the rows that were counted and pass the filters to groups of this start, unless `groups` is NULL. *rows becomes
 * their number, *seen that of all that were counted. Errors as of aggregate_add_batch, and ERROR_CORRUPT if
 * rows have codes that no value has. */
MUST_CHECK int fold_end(struct fold *fold, uint64_t *rows, uint64_t *seen, struct aggregate_groups *groups,
                        int64_t start_us, struct error *err);

#endif
