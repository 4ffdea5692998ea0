/* SPDX-License-Identifier: ISC */
/*
 * fold_count.c: counting rows by cell. See fold_private.h.
 *
 * This is where the time goes: what is done here is done for each row. Where the roots of a block have few combinations
 * of codes, its rows are counted by these, which takes no look at a table for each row and root, and the counts are
 * added to the cells afterwards. Few rows, or those of many combinations, go to their cells one by one.
 */
#include "store/aggregates/fold_private.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define WORD_BITS 57 /* of a word that begins at any bit of a byte */
#define ROWS_MIN 256 /* that are worth a pass over all combinations */

static int codes_damaged(struct error *err)
{
	return error_set(err, ERROR_CORRUPT, "Codes of a block's columns have no value");
}

/* The rows [first, first + rows) of a block. */
struct rows {
	uint32_t first;
	uint32_t count;
	struct str deleted;
};

static void discard_deleted(const struct rows *rows, uint16_t cells[FOLD_STEP], uint16_t trash)
{
	for (uint32_t row = 0; rows->deleted.len > 0 && row < rows->count; row++)
		if (block_row_is_deleted(rows->deleted, rows->first + row))
			cells[row] = trash;
}

/* --- by combinations of codes --- */

/* Combines codes with those of other roots. */
static void add_codes(uint16_t cells[FOLD_STEP], const uint8_t *codes, unsigned shift, uint32_t count)
{
	uint32_t row = 0;

#ifdef __SSE2__
	const __m128i zero = _mm_setzero_si128(), by = _mm_cvtsi32_si128((int)shift);

	for (; row + 16 <= count; row += 16) {
		__m128i own = _mm_loadu_si128((const __m128i *)(const void *)(codes + row));
		__m128i *at = (__m128i *)(void *)(cells + row);

		_mm_storeu_si128(at,
		                 _mm_or_si128(_mm_loadu_si128(at), _mm_sll_epi16(_mm_unpacklo_epi8(own, zero), by)));
		at++;
		_mm_storeu_si128(at,
		                 _mm_or_si128(_mm_loadu_si128(at), _mm_sll_epi16(_mm_unpackhi_epi8(own, zero), by)));
	}
#endif
	for (; row < count; row++)
		cells[row] = (uint16_t)(cells[row] | codes[row] << shift);
}

static void combine_codes(const struct fold *fold, const struct rows *rows, uint16_t cells[FOLD_STEP])
{
	unsigned shift = 0;

	memset(cells, 0, rows->count * sizeof(cells[0]));
	for (size_t i = 0; i < fold->moving_count; i++) {
		const struct block_column *column = fold->moving[i]->column;
		uint8_t room[FOLD_STEP + BLOCK_CODES_SPARE];

		add_codes(cells, block_column_codes(column, rows->first, rows->first + rows->count, room), shift,
		          rows->count);
		shift += column->bits;
	}
}

/* Neighbours are counted apart, as an addition must wait for the one before if that is to the same number. */
static void count_combinations(struct fold_combinations *all, const uint16_t *cells, uint32_t count)
{
	uint32_t row = 0;

	for (; row + FOLD_LANES <= count; row += FOLD_LANES) {
		all->counts[cells[row]][0]++;
		all->counts[cells[row + 1]][1]++;
		all->counts[cells[row + 2]][2]++;
		all->counts[cells[row + 3]][3]++;
	}
	for (; row < count; row++)
		all->counts[cells[row]][0]++;
}

/* Adds the numbers as they are packed. Is there a row without? */
static bool add_packed(uint64_t *sums, const struct block_column *column, const struct rows *rows,
                       const uint16_t cells[FOLD_STEP])
{
	const unsigned bits = column->bits;
	const uint64_t mask = (UINT64_C(1) << bits) - 1;
	uint64_t before = 0; /* of all numbers; the uppermost bit is set if one is 0 */

	for (uint32_t row = 0; row < rows->count;) {
		size_t at = (size_t)(rows->first + row) * bits;
		uint32_t end = row + WORD_BITS / bits;
		uint64_t word;

		memcpy(&word, column->packed + at / 8, sizeof(word)); /* bytes of padding follow the last */
		word >>= at % 8;
		end = end < rows->count ? end : rows->count;
		for (; row < end; row++, word >>= bits) {
			sums[cells[row]] += word & mask;
			before |= (word & mask) - 1;
		}
	}
	return before >> 63;
}

static void add_numbers(struct fold_combinations *all, size_t number, const struct block_column *column,
                        const struct rows *rows, const uint16_t cells[FOLD_STEP])
{
	if (!add_packed(all->numbers[number], column, rows, cells))
		return;
	for (uint32_t row = 0; row < rows->count; row++)
		if (block_column_number(column, rows->first + row) == 0)
			all->missing[number][cells[row]]++;
}

static void empty_combinations(struct fold *fold, uint32_t count)
{
	struct fold_combinations *all = &fold->combinations;

	memset(all->counts, 0, count * sizeof(all->counts[0]));
	for (size_t i = 0; i < FOLD_SUMS; i++) {
		if (!fold_sum_has_numbers(fold, &fold->sums[i]))
			continue;
		memset(all->numbers[i], 0, count * sizeof(all->numbers[i][0]));
		memset(all->missing[i], 0, count * sizeof(all->missing[i][0]));
	}
}

/* The cell that a combination belongs to. */
static unsigned cell_of(const struct fold *fold, uint32_t combination)
{
	unsigned cell = fold->still_cell;

	for (size_t i = 0; i < fold->moving_count; i++) {
		const struct fold_root *root = fold->moving[i];

		cell += root->cell_of[combination & ((1u << root->column->bits) - 1)];
		combination >>= root->column->bits;
	}
	return cell;
}

/* False if a code has no value. */
static bool add_combination(struct fold *fold, uint32_t combination)
{
	const struct fold_combinations *all = &fold->combinations;
	const uint16_t *counts = all->counts[combination];
	uint32_t count = (uint32_t)counts[0] + counts[1] + counts[2] + counts[3];
	unsigned cell = cell_of(fold, combination);

	if (cell >= FOLD_CELLS_MAX)
		return false;
	fold->counts[cell] += count;
	for (size_t i = 0; i < FOLD_SUMS; i++) {
		struct fold_sum *sum = &fold->sums[i];

		if (!fold_sum_has_numbers(fold, sum))
			continue;
		decimal_units before_least = (decimal_units)fold->columns[sum->column].packed->least - 1;
		sum->numbers[cell] +=
			all->numbers[i][combination] + before_least * (count - all->missing[i][combination]);
		if (sum->is_paid)
			sum->missing[cell] += all->missing[i][combination];
	}
	return true;
}

static bool has_rows(const uint16_t counts[FOLD_LANES])
{
	uint64_t all;

	memcpy(&all, counts, sizeof(all));
	return all != 0;
}

static bool count_by_codes(struct fold *fold, unsigned bits, struct rows rows)
{
	const uint32_t end = rows.first + rows.count, combinations = UINT32_C(1) << bits;
	bool right = true;

	empty_combinations(fold, combinations + 1);
	for (; rows.first < end; rows.first += rows.count) {
		uint16_t cells[FOLD_STEP];

		rows.count = end - rows.first < FOLD_STEP ? end - rows.first : FOLD_STEP;
		combine_codes(fold, &rows, cells);
		discard_deleted(&rows, cells, (uint16_t)combinations);
		count_combinations(&fold->combinations, cells, rows.count);
		for (size_t i = 0; i < FOLD_SUMS; i++)
			if (fold_sum_has_numbers(fold, &fold->sums[i]))
				add_numbers(&fold->combinations, i, fold->columns[fold->sums[i].column].packed, &rows,
				            cells);
	}
	for (uint32_t i = 0; i < combinations && right; i++)
		if (has_rows(fold->combinations.counts[i]))
			right = add_combination(fold, i);
	return right;
}

/* --- row by row --- */

/* False if a code has no value. */
static bool find_cells(const struct fold *fold, const struct rows *rows, uint16_t cells[FOLD_STEP])
{
	unsigned all = 0; /* the bits of all cells of codes */

	for (uint32_t row = 0; row < rows->count; row++)
		cells[row] = fold->still_cell;
	for (size_t i = 0; i < fold->moving_count; i++) {
		const struct fold_root *root = fold->moving[i];
		uint8_t room[FOLD_STEP + BLOCK_CODES_SPARE];
		const uint8_t *codes = block_column_codes(root->column, rows->first, rows->first + rows->count, room);

		for (uint32_t row = 0; row < rows->count; row++) {
			uint16_t cell = root->cell_of[codes[row]];

			all |= cell;
			cells[row] = (uint16_t)(cells[row] + cell);
		}
	}
	return !(all & FOLD_BAD_CELL);
}

static void add_values(struct fold_sum *sum, const struct block_column *column, const struct rows *rows,
                       const uint16_t cells[FOLD_STEP])
{
	const decimal_units before_least = (decimal_units)column->least - 1;
	bool all = true;

	for (uint32_t row = 0; row < rows->count; row++) {
		uint64_t number = block_column_number(column, rows->first + row);

		sum->numbers[cells[row]] += number ? number + before_least : 0;
		all &= number > 0;
	}
	for (uint32_t row = 0; sum->is_paid && !all && row < rows->count; row++)
		sum->missing[cells[row]] += block_column_number(column, rows->first + row) == 0;
}

static bool count_by_rows(struct fold *fold, struct rows rows)
{
	const uint32_t end = rows.first + rows.count;

	for (; rows.first < end; rows.first += rows.count) {
		uint16_t cells[FOLD_STEP];

		rows.count = end - rows.first < FOLD_STEP ? end - rows.first : FOLD_STEP;
		if (!find_cells(fold, &rows, cells))
			return false;
		discard_deleted(&rows, cells, FOLD_TRASH);
		for (uint32_t row = 0; row < rows.count; row++)
			fold->counts[cells[row]]++;
		for (size_t i = 0; i < FOLD_SUMS; i++)
			if (fold_sum_has_numbers(fold, &fold->sums[i]))
				add_values(&fold->sums[i], fold->columns[fold->sums[i].column].packed, &rows, cells);
	}
	fold_empty_cells(fold, FOLD_TRASH, FOLD_TRASH + 1);
	return true;
}

int fold_rows(struct fold *fold, int64_t start_us, uint32_t first, uint32_t end, struct str deleted, struct error *err)
{
	const struct rows rows = { first, end - first, deleted };
	unsigned bits = 0;

	if ((start_us != fold->start_us || fold->pending > UINT32_MAX - rows.count) && fold_flush(fold, err) != 0)
		return -1;
	fold->start_us = start_us;
	fold->pending += rows.count;
	for (size_t i = 0; i < fold->moving_count; i++)
		bits += fold->moving[i]->column->bits;
	bool by_codes = bits <= FOLD_COMBINED_BITS && rows.count >= ROWS_MIN;
	bool right = by_codes ? count_by_codes(fold, bits, rows) : count_by_rows(fold, rows);
	return right ? 0 : codes_damaged(err);
}
