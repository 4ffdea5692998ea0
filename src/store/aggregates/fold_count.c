/* SPDX-License-Identifier: ISC */
/*
 * fold_count.c: counting rows by cell. See fold_private.h.
 *
 * This is where the time goes: what is done here is done for each row.
 */
#include "store/aggregates/fold_private.h"

#define STEP 1024 /* rows whose codes and cells fit into the first level of the processor's cache */
#define LANES 4   /* neighbours with the same code are counted apart, as an addition must wait for the one before */

static int codes_damaged(struct error *err)
{
	return error_set(err, ERROR_CORRUPT, "Codes of a block's columns have no value");
}

/* --- rows whose cell depends on one root, and without numbers --- */

static void count_codes(uint32_t counts[LANES][FOLD_CODES_MAX], const uint8_t *codes, uint32_t rows)
{
	uint32_t row = 0;

	for (; row + LANES <= rows; row += LANES)
		for (uint32_t lane = 0; lane < LANES; lane++)
			counts[lane][codes[row + lane]]++;
	for (; row < rows; row++)
		counts[0][codes[row]]++;
}

/* False if a code has no value. */
static bool count_by_code(struct fold *fold, const struct fold_root *root, uint32_t first, uint32_t end)
{
	const uint32_t codes_end = UINT32_C(1) << root->column->bits;
	uint32_t counts[LANES][FOLD_CODES_MAX];

	for (uint32_t lane = 0; lane < LANES; lane++)
		memset(counts[lane], 0, codes_end * sizeof(counts[lane][0]));
	for (; first < end; first += STEP) {
		uint32_t until = end - first < STEP ? end : first + STEP;
		uint8_t room[STEP + BLOCK_CODES_SPARE];

		count_codes(counts, block_column_codes(root->column, first, until, room), until - first);
	}
	for (uint32_t code = 0; code < codes_end; code++) {
		uint32_t rows = counts[0][code] + counts[1][code] + counts[2][code] + counts[3][code];

		if (rows > 0 && root->cell_of[code] == FOLD_BAD_CELL)
			return false;
		if (rows > 0)
			fold->counts[fold->still_cell + root->cell_of[code]] += rows;
	}
	return true;
}

/* --- others --- */

/* The cells of a step's rows. False if a code has no value. */
static bool find_cells(const struct fold *fold, uint32_t first, uint32_t rows, uint16_t cells[STEP])
{
	unsigned all = 0; /* the bits of all cells of codes */

	for (uint32_t row = 0; row < rows; row++)
		cells[row] = fold->still_cell;
	for (size_t i = 0; i < fold->moving_count; i++) {
		const struct fold_root *root = fold->moving[i];
		uint8_t room[STEP + BLOCK_CODES_SPARE];
		const uint8_t *codes = block_column_codes(root->column, first, first + rows, room);

		for (uint32_t row = 0; row < rows; row++) {
			uint16_t cell = root->cell_of[codes[row]];

			all |= cell;
			cells[row] = (uint16_t)(cells[row] + cell);
		}
	}
	return !(all & FOLD_BAD_CELL);
}

static void discard_deleted(uint32_t first, uint32_t rows, struct str deleted, uint16_t cells[STEP])
{
	for (uint32_t row = 0; row < rows; row++)
		if (block_row_is_deleted(deleted, first + row))
			cells[row] = FOLD_TRASH;
}

static void add_numbers(struct fold_sum *sum, const struct block_column *column, uint32_t first, uint32_t rows,
                        const uint16_t cells[STEP])
{
	const struct block_column own = *column;
	const uint64_t before_least = (uint64_t)own.least - 1;

	for (uint32_t row = 0; row < rows; row++) {
		uint64_t number = block_column_number(&own, first + row);

		sum->numbers[cells[row]] += number ? (int64_t)(number + before_least) : 0;
	}
}

static bool count_step(struct fold *fold, uint32_t first, uint32_t rows, struct str deleted)
{
	uint16_t cells[STEP];

	if (!find_cells(fold, first, rows, cells))
		return false;
	if (deleted.len > 0)
		discard_deleted(first, rows, deleted, cells);
	for (uint32_t row = 0; row < rows; row++)
		fold->counts[cells[row]]++;
	for (size_t i = 0; i < FOLD_SUMS; i++)
		if (fold_sum_has_numbers(fold, &fold->sums[i]))
			add_numbers(&fold->sums[i], fold->columns[fold->sums[i].column].packed, first, rows, cells);
	return true;
}

static void empty_trash(struct fold *fold)
{
	fold->counts[FOLD_TRASH] = 0;
	for (size_t i = 0; i < FOLD_SUMS; i++)
		fold->sums[i].numbers[FOLD_TRASH] = 0;
}

static bool count_by_cell(struct fold *fold, uint32_t first, uint32_t end, struct str deleted)
{
	bool right = true;

	for (; first < end && right; first += STEP)
		right = count_step(fold, first, end - first < STEP ? end - first : STEP, deleted);
	if (deleted.len > 0)
		empty_trash(fold);
	return right;
}

static bool has_numbers(const struct fold *fold)
{
	for (size_t i = 0; i < FOLD_SUMS; i++)
		if (fold_sum_has_numbers(fold, &fold->sums[i]))
			return true;
	return false;
}

int fold_rows(struct fold *fold, int64_t start_us, uint32_t first, uint32_t end, struct str deleted, struct error *err)
{
	bool ends = start_us != fold->start_us || fold->pending > UINT32_MAX - (end - first);

	if (ends && fold_flush(fold, err) != 0)
		return -1;
	fold->start_us = start_us;
	fold->pending += end - first;
	if (deleted.len > 0 || has_numbers(fold) || fold->moving_count > 1)
		return count_by_cell(fold, first, end, deleted) ? 0 : codes_damaged(err);
	if (fold->moving_count == 1)
		return count_by_code(fold, fold->moving[0], first, end) ? 0 : codes_damaged(err);
	fold->counts[fold->still_cell] += end - first;
	return 0;
}
