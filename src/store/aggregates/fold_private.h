/* SPDX-License-Identifier: ISC */
/*
 * fold_private.h: what the files of a fold share.
 *
 * A fold has a dictionary of its own for each column that the query needs, as each block has other codes for the same
 * values. The columns lead or follow in a block; those that lead are its *roots*. A *tuple* is what the query wants to
 * know of a code of a root: the values of the columns that are the root or follow it, and whether they pass the filters.
 * A *cell* is a combination of tuples, one of each root. Rows are only counted by cell, and their numbers added up by
 * cell, block after block. Groups and sums are worked out once for each cell that has rows, when an interval ends, when
 * the next block has other roots, or when there is no room for its tuples.
 *
 *	fold.c          dictionaries, tuples, cells: what a block's codes mean
 *	fold_count.c    counting rows by cell
 *	fold_results.c  from cells to groups
 */
#ifndef CDRD_STORE_AGGREGATES_FOLD_PRIVATE_H
#define CDRD_STORE_AGGREGATES_FOLD_PRIVATE_H

#include "store/aggregates/fold.h"

#define FOLD_CELLS_MAX (1 << 14)
#define FOLD_ROOTS_MAX 8
#define FOLD_KEYS_MAX 9 /* columns of groups, and the currency */
#define FOLD_SUMS 3
#define FOLD_COLUMNS_MAX (FOLD_KEYS_MAX + FOLD_SUMS + SCAN_FILTERS_MAX)
#define FOLD_CODES_MAX 256 /* of a dictionary; tuples of a root */
#define FOLD_SLOTS 512     /* a power of two, more than the codes */
#define FOLD_TUPLE_CODES 16
#define FOLD_NO_ROOT 0xff
#define FOLD_NO_PLACE 0xff
#define FOLD_NO_COLUMN 0xff
#define FOLD_TRASH FOLD_CELLS_MAX /* the cell of deleted rows */
#define FOLD_COMBINED_BITS 10     /* of the codes of a block's roots, where its rows are counted by these */
#define FOLD_LANES 4
#define FOLD_STEP 1024 /* rows whose codes and cells fit into the first level of the processor's cache */

enum { FOLD_DURATION, FOLD_TOTAL_PRICE, FOLD_PRICE }; /* sums */

/* A column, and those of its values that were seen, whose places are their codes. */
struct fold_column {
	uint8_t column; /* of the product */
	uint8_t place;  /* in tuples; FOLD_NO_PLACE: it is only filtered */
	bool is_coded;  /* its numbers will not do, as it is more than added up */
	bool is_sum;
	uint8_t root; /* FOLD_NO_ROOT: numbers */
	uint16_t count;
	uint16_t texts_len;
	const struct block_column *packed;
	uint8_t code_of[FOLD_CODES_MAX]; /* for each code of the block */
	struct fold_value {
		uint64_t hash; /* aggregate_value_hash */
		uint16_t at, len;
		bool passes; /* the filters of its column */
		bool unreadable;
		bool missing;        /* there is no text */
		decimal_units units; /* of sums */
	} values[FOLD_CODES_MAX];
	uint16_t slots[FOLD_SLOTS]; /* code + 1, by hash */
	char texts[BLOCK_SET_BYTES_MAX];
};

/* Codes of the columns with a place: keys first, so that the keys' can be compared. All zero if it does not pass. */
struct fold_tuple {
	uint8_t codes[FOLD_TUPLE_CODES];
};

struct fold_root {
	const struct block_column *column;
	uint16_t count;                   /* of tuples */
	uint16_t room;                    /* for tuples, in the numbers of cells */
	uint16_t results;                 /* combinations of keys among the tuples */
	uint32_t stride;                  /* of its tuples in the number of a cell */
	uint8_t tuple_of[FOLD_CODES_MAX]; /* for each code of the block */
	uint16_t cell_of[FOLD_CODES_MAX]; /* that, times the stride; FOLD_BAD_CELL if no value has the code */
	struct fold_tuple tuples[FOLD_CODES_MAX];
	uint8_t result_of[FOLD_CODES_MAX]; /* for each tuple */
	uint16_t slots[FOLD_SLOTS];        /* tuple + 1, by hash */
};

#define FOLD_BAD_CELL 0x8000 /* a bit that no cell's number has */

/* A column that is added up. */
struct fold_sum {
	uint8_t column; /* of the fold's; FOLD_NO_COLUMN if the product has none */
	uint8_t places; /* of numbers */
	bool is_paid;   /* rows without a number are counted: they have no price */
	uint32_t missing[FOLD_CELLS_MAX + 1];
	decimal_units numbers[FOLD_CELLS_MAX + 1];
};

/* What rows with the same values of the keys add up to. */
struct fold_result {
	uint64_t count;
	uint64_t unreadable;
	uint64_t unpriced;
	struct decimal sums[FOLD_SUMS];
};

/* The rows of a block by combination of its codes; the last one is that of deleted rows. */
struct fold_combinations {
	uint16_t counts[(1 << FOLD_COMBINED_BITS) + 1][FOLD_LANES];
	uint64_t numbers[FOLD_SUMS][(1 << FOLD_COMBINED_BITS) + 1]; /* sums of numbers as they are packed */
	uint16_t missing[FOLD_SUMS][(1 << FOLD_COMBINED_BITS) + 1]; /* rows without one */
};

struct fold {
	const struct scan_query *query;
	struct aggregate_groups *groups; /* NULL: rows are only counted */
	bool fits;                       /* the query is not too large */
	size_t keys_count;
	uint8_t keys[FOLD_KEYS_MAX]; /* columns of groups */
	uint8_t currency;            /* or FOLD_NO_COLUMN */
	size_t places_count;         /* in tuples */

	/* of the block */
	size_t moving_count; /* roots whose rows have codes of their own */
	const struct fold_root *moving[FOLD_ROOTS_MAX];
	uint16_t still_cell; /* the sum of the others' cells */

	/* of the interval */
	int64_t start_us;
	uint32_t pending; /* rows that are counted in cells */
	uint32_t cells;
	uint32_t cells_clean; /* so many cells, and results, have been emptied at least once */

	uint64_t rows, seen; /* since fold_end */
	size_t touched_count;

	/* what follows is initialised as far as it is used, since that is little of it most often */
	size_t columns_count;
	struct fold_column columns[FOLD_COLUMNS_MAX];
	size_t roots_count;
	struct fold_root roots[FOLD_ROOTS_MAX];
	struct fold_combinations combinations;
	uint32_t counts[FOLD_CELLS_MAX + 1];
	struct fold_sum sums[FOLD_SUMS];
	struct fold_result results[FOLD_CELLS_MAX];
	struct fold_touched {
		uint16_t result;                /* that is not zero */
		uint8_t tuples[FOLD_ROOTS_MAX]; /* of its first cell */
	} touched[FOLD_CELLS_MAX];
};

static inline bool fold_sum_has_numbers(const struct fold *fold, const struct fold_sum *sum)
{
	return sum->column != FOLD_NO_COLUMN && fold->columns[sum->column].root == FOLD_NO_ROOT;
}

/* Makes the cells [first, end) have no rows. */
void fold_empty_cells(struct fold *fold, uint32_t first, uint32_t end);

/* Adds what is counted in cells to the groups, and to rows and seen; then no cell has rows. Errors as of
 * aggregate_add_batch. */
MUST_CHECK int fold_flush(struct fold *fold, struct error *err);

#endif
