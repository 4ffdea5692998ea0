/* SPDX-License-Identifier: ISC */
/*
 * fold_results.c: from the cells of a fold to groups. See fold_private.h.
 */
#include "store/aggregates/fold_private.h"

static int too_large(struct error *err)
{
	return error_set(err, ERROR_LIMIT, "A sum is too large");
}

/* The number of a cell as a tuple of each root, and of the result that it belongs to. */
struct cell {
	uint32_t number;
	uint32_t result;
	bool passes;
	uint8_t tuples[FOLD_ROOTS_MAX];
};

static void take_cell(const struct fold *fold, uint32_t number, struct cell *cell)
{
	uint32_t rest = number, result_stride = 1;

	*cell = (struct cell){ .number = number, .passes = true };
	for (size_t i = 0; i < fold->roots_count; i++) {
		const struct fold_root *root = &fold->roots[i];
		uint8_t tuple = (uint8_t)(rest % root->room);

		rest /= root->room;
		cell->tuples[i] = tuple;
		cell->passes &= root->tuples[tuple].codes[FOLD_TUPLE_CODES - 1];
		cell->result += root->result_of[tuple] * result_stride;
		result_stride *= root->results;
	}
}

static struct fold_result *result_of(struct fold *fold, const struct cell *cell)
{
	struct fold_result *result = &fold->results[cell->result];

	if (result->count == 0) {
		struct fold_touched *touched = &fold->touched[fold->touched_count++];

		touched->result = (uint16_t)cell->result;
		memcpy(touched->tuples, cell->tuples, sizeof(touched->tuples));
	}
	return result;
}

/* The value that rows of a column with codes have in a cell; the tuples are those of the cell. */
static const struct fold_value *value_of(const struct fold *fold, const struct fold_column *column,
                                         const uint8_t tuples[FOLD_ROOTS_MAX])
{
	return &column->values[fold->roots[column->root].tuples[tuples[column->root]].codes[column->place]];
}

/* What a cell's rows have that is in no sum. */
struct gaps {
	bool unreadable;
	uint32_t unpriced; /* rows */
};

static bool add_sum(const struct fold *fold, const struct fold_sum *sum, const struct cell *cell, struct decimal *to,
                    struct gaps *gaps)
{
	struct decimal amount = { 0 };
	uint32_t missing = 0;
	uint64_t times = 1;

	if (fold_sum_has_numbers(fold, sum)) {
		missing = sum->missing[cell->number];
		amount.units = sum->numbers[cell->number];
		for (int places = sum->places; places < DECIMAL_PLACES; places++)
			times *= 10;
	} else {
		const struct fold_value *value = value_of(fold, &fold->columns[sum->column], cell->tuples);

		gaps->unreadable |= value->unreadable;
		missing = value->missing ? fold->counts[cell->number] : 0;
		amount.units = value->units;
		times = fold->counts[cell->number];
	}
	if (sum->is_paid)
		gaps->unpriced = missing;
	return decimal_multiply(amount, times, &amount) && decimal_add(to, amount);
}

static int add_cell(struct fold *fold, const struct cell *cell, struct error *err)
{
	struct fold_result *result = result_of(fold, cell);
	uint32_t count = fold->counts[cell->number];
	struct gaps gaps = { 0 };

	result->count += count;
	for (size_t i = 0; i < FOLD_SUMS; i++)
		if (fold->sums[i].column != FOLD_NO_COLUMN &&
		    !add_sum(fold, &fold->sums[i], cell, &result->sums[i], &gaps))
			return too_large(err);
	if (gaps.unreadable)
		result->unreadable += count;
	result->unpriced += gaps.unpriced;
	return 0;
}

void fold_empty_cells(struct fold *fold, uint32_t first, uint32_t end)
{
	memset(&fold->counts[first], 0, (end - first) * sizeof(fold->counts[0]));
	for (size_t i = 0; i < FOLD_SUMS; i++) {
		struct fold_sum *sum = &fold->sums[i];

		if (sum->column == FOLD_NO_COLUMN)
			continue;
		memset(&sum->numbers[first], 0, (end - first) * sizeof(sum->numbers[0]));
		if (sum->is_paid)
			memset(&sum->missing[first], 0, (end - first) * sizeof(sum->missing[0]));
	}
}

static struct str text_of(const struct fold_column *column, const struct fold_value *value)
{
	return (struct str){ column->texts + value->at, value->len };
}

static int add_result(const struct fold *fold, const struct fold_touched *touched, struct error *err)
{
	const struct fold_result *result = &fold->results[touched->result];
	struct str values[FOLD_KEYS_MAX], currency = { NULL, 0 };
	uint64_t hashes[FOLD_KEYS_MAX];

	for (size_t i = 0; i < fold->groups->columns_count; i++) {
		const struct fold_column *column = &fold->columns[fold->keys[i]];
		const struct fold_value *value = value_of(fold, column, touched->tuples);

		values[i] = text_of(column, value);
		hashes[i] = value->hash;
	}
	if (fold->currency != FOLD_NO_COLUMN) {
		const struct fold_column *column = &fold->columns[fold->currency];

		currency = text_of(column, value_of(fold, column, touched->tuples));
	}
	const struct aggregate_batch batch = {
		.values = values,
		.hashes = hashes,
		.currency = currency,
		.count = result->count,
		.unreadable = result->unreadable,
		.unpriced = result->unpriced,
		.duration = result->sums[FOLD_DURATION],
		.total_price = result->sums[FOLD_TOTAL_PRICE],
		.price = result->sums[FOLD_PRICE],
	};
	return aggregate_add_batch(fold->groups, fold->start_us, &batch, err);
}

static int add_results(struct fold *fold, int failed, struct error *err)
{
	for (size_t i = 0; i < fold->touched_count; i++) {
		const struct fold_touched *touched = &fold->touched[i];

		if (!failed)
			failed = add_result(fold, touched, err);
		fold->results[touched->result] = (struct fold_result){ 0 };
	}
	fold->touched_count = 0;
	return failed;
}

int fold_flush(struct fold *fold, struct error *err)
{
	int failed = 0;

	for (uint32_t number = 0; fold->pending > 0 && number < fold->cells; number++) {
		struct cell cell;
		uint32_t count = fold->counts[number];

		if (count == 0)
			continue;
		take_cell(fold, number, &cell);
		fold->seen += count;
		fold->rows += cell.passes ? count : 0;
		if (cell.passes && fold->groups && !failed)
			failed = add_cell(fold, &cell, err);
	}
	if (fold->pending > 0)
		fold_empty_cells(fold, 0, fold->cells);
	fold->pending = 0;
	return add_results(fold, failed, err);
}

int fold_end(struct fold *fold, uint64_t *rows, uint64_t *seen, struct error *err)
{
	int result = fold_flush(fold, err);

	*rows = fold->rows;
	*seen = fold->seen;
	fold->rows = fold->seen = 0;
	return result;
}
