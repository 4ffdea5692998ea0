/* SPDX-License-Identifier: ISC */
/*
 * fold.c: adding up rows by the codes of their columns. See fold.h.
 */
#include "store/aggregates/fold.h"

#include <stdlib.h>

#define NOT_FOUND 0xff
#define FEW_ROOTS 3

enum { SUM_DURATION, SUM_TOTAL_PRICE, SUM_PRICE };

struct fold *fold_new(struct error *err)
{
	struct fold *fold = calloc(1, sizeof(*fold));

	if (!fold)
		error_set(err, ERROR_NOMEM, "Out of memory for a summary");
	return fold;
}

/* --- what the query needs of the block --- */

/* The root that a column leads or follows, added if need be; NOT_FOUND if there would be too many. */
static uint8_t add_root(struct fold *fold, const struct block_column *column)
{
	const struct block_column *leader = &fold->columns->columns[column->leader];
	uint8_t at = 0;

	while (at < fold->roots_count && fold->roots[at].column != leader)
		at++;
	if (at < fold->roots_count)
		return at;
	if (at == FOLD_ROOTS_MAX)
		return NOT_FOUND;
	struct fold_root *root = &fold->roots[fold->roots_count++];
	root->column = leader;
	root->unpacked = false;
	memset(root->passes, true, leader->values);
	return at;
}

/* A column with a dictionary, and its root; NULL if it is not there. */
static const struct block_column *find_codes(struct fold *fold, uint8_t column, uint8_t *root)
{
	const struct block_column *found = block_columns_find(fold->columns, column);

	if (!found || found->form == COLUMN_NUMBERS)
		return NULL;
	*root = add_root(fold, found);
	return *root == NOT_FOUND ? NULL : found;
}

static bool add_key(struct fold *fold, uint8_t column)
{
	if (fold->keys_count == FOLD_KEYS_MAX)
		return false;
	struct fold_key *key = &fold->keys[fold->keys_count];
	key->column = find_codes(fold, column, &key->root);
	if (!key->column)
		return false;
	block_column_values(key->column, key->values);
	for (uint16_t code = 0; code < key->column->values; code++)
		key->hashes[code] = aggregate_value_hash(key->values[code]);
	fold->keys_count++;
	return true;
}

static bool add_filter(struct fold *fold, const struct scan_filter *filter)
{
	struct str values[BLOCK_SET_VALUES_MAX];
	uint8_t at;
	const struct block_column *column = find_codes(fold, filter->column, &at);

	if (!column)
		return false;
	struct fold_root *root = &fold->roots[at];
	block_column_values(column, values);
	for (uint16_t code = 0; code < root->column->values; code++)
		root->passes[code] = root->passes[code] &&
		                     scan_filter_passes(filter, values[block_column_code(column, (uint8_t)code)]);
	return true;
}

/* What is not there adds nothing; what is no number is counted apart. */
static void read_amounts(struct fold_sum *sum)
{
	struct str values[BLOCK_SET_VALUES_MAX];

	block_column_values(sum->column, values);
	for (uint16_t code = 0; code < sum->column->values; code++) {
		struct decimal value = { 0 };
		bool right = values[code].len == 0 || decimal_read_stored(values[code], &value);

		sum->amounts[code] = (struct fold_amount){ right ? value.units : 0, !right };
	}
}

static bool add_sum(struct fold *fold, struct fold_sum *sum, uint8_t column)
{
	sum->column = NULL;
	if (column == CATALOG_NONE)
		return true;
	const struct block_column *found = block_columns_find(fold->columns, column);
	if (!found)
		return false;
	sum->column = found;
	if (found->form != COLUMN_NUMBERS) {
		read_amounts(sum);
		return find_codes(fold, column, &sum->root) != NULL;
	}
	sum->unit = 1;
	for (int places = found->places; places < DECIMAL_PLACES; places++)
		sum->unit *= 10;
	return true;
}

static bool add_groups(struct fold *fold, const struct aggregate_groups *groups)
{
	for (size_t i = 0; i < groups->columns_count; i++)
		if (!add_key(fold, groups->columns[i]))
			return false;
	bool has_money = groups->total_price != CATALOG_NONE || groups->price != CATALOG_NONE;
	if (has_money && groups->currency != CATALOG_NONE && !add_key(fold, groups->currency))
		return false;
	return add_sum(fold, &fold->sums[SUM_DURATION], groups->duration) &&
	       add_sum(fold, &fold->sums[SUM_TOTAL_PRICE], groups->total_price) &&
	       add_sum(fold, &fold->sums[SUM_PRICE], groups->price);
}

/* --- numbering cells and results --- */

static bool has_tuple(const struct fold *fold, uint8_t root, uint8_t code, uint8_t other)
{
	for (size_t i = 0; i < fold->keys_count; i++) {
		const struct fold_key *key = &fold->keys[i];

		if (key->root == root && block_column_code(key->column, code) != block_column_code(key->column, other))
			return false;
	}
	return true;
}

/* Is the root itself a key? Then each of its codes is a tuple of its own. */
static bool is_key(const struct fold *fold, const struct fold_root *root)
{
	for (size_t i = 0; i < fold->keys_count; i++)
		if (fold->keys[i].column == root->column)
			return true;
	return false;
}

static void number_tuples(struct fold *fold, uint8_t at)
{
	struct fold_root *root = &fold->roots[at];
	uint8_t code_of[BLOCK_SET_VALUES_MAX]; /* some code of each tuple */
	bool apart = is_key(fold, root);

	root->tuples = 0;
	for (uint16_t code = 0; code < root->column->values; code++) {
		uint16_t tuple = apart ? root->tuples : 0;

		while (tuple < root->tuples && !has_tuple(fold, at, (uint8_t)code, code_of[tuple]))
			tuple++;
		if (tuple == root->tuples)
			code_of[root->tuples++] = (uint8_t)code;
		root->tuple_of[code] = (uint8_t)tuple;
	}
}

static bool number_cells(struct fold *fold)
{
	uint32_t results = 1;
	unsigned bits = 0;

	for (uint8_t i = 0; i < fold->roots_count; i++) {
		struct fold_root *root = &fold->roots[i];

		number_tuples(fold, i);
		root->shift = bits;
		root->result_stride = results;
		bits += root->column->bits;
		results *= root->tuples;
		if (bits > FOLD_BITS_MAX)
			return false;
	}
	fold->cells = UINT32_C(1) << bits;
	return true;
}

bool fold_begin(struct fold *fold, const struct aggregate *aggregate, const struct block_columns *columns)
{
	const struct scan_query *query = &aggregate->query.scan;

	fold->columns = columns;
	fold->roots_count = fold->keys_count = 0;
	for (size_t i = 0; i < FOLD_SUMS; i++)
		fold->sums[i].column = NULL;
	for (size_t i = 0; i < query->filters_count; i++)
		if (!add_filter(fold, &query->filters[i]))
			return false;
	if (!aggregate_counts_only(aggregate) && !add_groups(fold, &aggregate->groups))
		return false;
	return number_cells(fold);
}

/* --- counting --- */

static void unpack(struct fold *fold)
{
	for (size_t i = 0; i < fold->roots_count; i++) {
		struct fold_root *root = &fold->roots[i];

		if (!root->unpacked)
			block_column_codes(fold->columns, root->column, root->codes);
		root->unpacked = true;
	}
}

static void find_cells(struct fold *fold, uint32_t first, uint32_t end)
{
	memset(&fold->cell_of[first], 0, (end - first) * sizeof(fold->cell_of[0]));
	for (size_t i = 0; i < fold->roots_count; i++) {
		const struct fold_root *root = &fold->roots[i];

		for (uint32_t row = first; row < end && root->column->bits > 0; row++)
			fold->cell_of[row] |= (uint16_t)(root->codes[row] << root->shift);
	}
}

static void count_numbers(struct fold *fold, struct fold_sum *sum, uint32_t first, uint32_t end, struct str deleted)
{
	for (uint32_t row = first; row < end; row++) {
		uint64_t number = block_column_number(sum->column, row);

		if (number == 0 || block_row_is_deleted(deleted, row))
			continue;
		sum->numbers[fold->cell_of[row]] += number - 1;
		sum->present[fold->cell_of[row]]++;
	}
}

static void count_cells(struct fold *fold, uint32_t first, uint32_t end, struct str deleted)
{
	find_cells(fold, first, end);
	for (uint32_t row = first; row < end; row++)
		fold->counts[fold->cell_of[row]] += !block_row_is_deleted(deleted, row);
	for (size_t i = 0; i < FOLD_SUMS; i++)
		if (fold->sums[i].column && fold->sums[i].column->form == COLUMN_NUMBERS)
			count_numbers(fold, &fold->sums[i], first, end, deleted);
}

static bool has_numbers(const struct fold *fold)
{
	for (size_t i = 0; i < FOLD_SUMS; i++)
		if (fold->sums[i].column && fold->sums[i].column->form == COLUMN_NUMBERS)
			return true;
	return false;
}

/* Most often a few roots have more than one value, and rows are only counted. */
static void count_few(struct fold *fold, const struct fold_root *const roots[FEW_ROOTS], uint32_t first, uint32_t end)
{
	const uint8_t *a = roots[0]->codes, *b = roots[1]->codes, *c = roots[2]->codes;
	const unsigned shift_a = roots[0]->shift, shift_b = roots[1]->shift, shift_c = roots[2]->shift;

	for (uint32_t row = first; row < end; row++)
		fold->counts[a[row] << shift_a | b[row] << shift_b | c[row] << shift_c]++;
}

/* The roots with more than one value, filled up with one of a single value. False if there are too many. */
static bool find_few(const struct fold *fold, const struct fold_root *roots[FEW_ROOTS])
{
	static const struct fold_root none;
	size_t count = 0;

	for (size_t i = 0; i < fold->roots_count; i++) {
		if (fold->roots[i].column->bits == 0)
			continue;
		if (count == FEW_ROOTS)
			return false;
		roots[count++] = &fold->roots[i];
	}
	while (count < FEW_ROOTS)
		roots[count++] = &none;
	return true;
}

void fold_rows(struct fold *fold, uint32_t first, uint32_t end, struct str deleted)
{
	const struct fold_root *roots[FEW_ROOTS];

	unpack(fold);
	if (deleted.len == 0 && !has_numbers(fold) && find_few(fold, roots))
		count_few(fold, roots, first, end);
	else
		count_cells(fold, first, end, deleted);
}

/* --- results --- */

/* A cell, and the code that each root has in it. */
struct cell {
	uint32_t number;
	uint8_t codes[FOLD_ROOTS_MAX];
};

/* False if a code is none of a value. */
static bool take_cell(const struct fold *fold, uint32_t number, struct cell *cell)
{
	bool right = true;

	cell->number = number;
	for (size_t i = 0; i < fold->roots_count; i++) {
		const struct fold_root *root = &fold->roots[i];

		cell->codes[i] = (uint8_t)(number >> root->shift & ((1u << root->column->bits) - 1));
		right &= cell->codes[i] < root->column->values;
	}
	return right;
}

static bool passes(const struct fold *fold, const struct cell *cell)
{
	for (size_t i = 0; i < fold->roots_count; i++)
		if (!fold->roots[i].passes[cell->codes[i]])
			return false;
	return true;
}

static struct fold_result *result_of(struct fold *fold, const struct cell *cell)
{
	uint32_t number = 0;

	for (size_t i = 0; i < fold->roots_count; i++)
		number += fold->roots[i].tuple_of[cell->codes[i]] * fold->roots[i].result_stride;
	struct fold_result *result = &fold->results[number];
	if (result->count == 0) {
		struct fold_touched *touched = &fold->touched[fold->touched_count++];

		touched->result = (uint16_t)number;
		memcpy(touched->codes, cell->codes, sizeof(touched->codes));
	}
	return result;
}

static void add_cell(struct fold *fold, const struct cell *cell)
{
	struct fold_result *result = result_of(fold, cell);
	uint32_t count = fold->counts[cell->number];
	bool unreadable = false;

	result->count += count;
	for (size_t i = 0; i < FOLD_SUMS; i++) {
		const struct fold_sum *sum = &fold->sums[i];

		if (!sum->column)
			continue;
		if (sum->column->form == COLUMN_NUMBERS) {
			decimal_units present = sum->present[cell->number], numbers = sum->numbers[cell->number];

			result->sums[i] += (numbers + present * sum->column->least) * sum->unit;
			continue;
		}
		const struct fold_amount *amount =
			&sum->amounts[block_column_code(sum->column, cell->codes[sum->root])];
		result->sums[i] += amount->units * count; /* 4096 times 10^30 fits */
		unreadable |= amount->unreadable;
	}
	if (unreadable)
		result->unreadable += count;
}

static void empty_cell(struct fold *fold, uint32_t cell)
{
	fold->counts[cell] = 0;
	for (size_t i = 0; i < FOLD_SUMS; i++) {
		struct fold_sum *sum = &fold->sums[i];

		if (sum->column && sum->column->form == COLUMN_NUMBERS)
			sum->numbers[cell] = sum->present[cell] = 0;
	}
}

static int add_result(const struct fold *fold, const struct fold_touched *touched, struct aggregate_groups *groups,
                      int64_t start_us, struct error *err)
{
	const struct fold_result *result = &fold->results[touched->result];
	struct str values[FOLD_KEYS_MAX];
	uint64_t hashes[FOLD_KEYS_MAX];

	for (size_t i = 0; i < fold->keys_count; i++) {
		const struct fold_key *key = &fold->keys[i];
		uint8_t code = block_column_code(key->column, touched->codes[key->root]);

		values[i] = key->values[code];
		hashes[i] = key->hashes[code];
	}
	const struct aggregate_batch batch = {
		.values = values,
		.hashes = hashes,
		.currency = fold->keys_count > groups->columns_count ? values[groups->columns_count] :
		                                                       (struct str){ NULL, 0 },
		.count = result->count,
		.unreadable = result->unreadable,
		.duration = { result->sums[SUM_DURATION] },
		.total_price = { result->sums[SUM_TOTAL_PRICE] },
		.price = { result->sums[SUM_PRICE] },
	};
	return aggregate_add_batch(groups, start_us, &batch, err);
}

static int add_results(struct fold *fold, struct aggregate_groups *groups, int64_t start_us, struct error *err)
{
	int failed = 0;

	for (size_t i = 0; i < fold->touched_count; i++) {
		const struct fold_touched *touched = &fold->touched[i];

		if (!failed && groups)
			failed = add_result(fold, touched, groups, start_us, err);
		fold->results[touched->result] = (struct fold_result){ 0 };
	}
	fold->touched_count = 0;
	return failed;
}

int fold_end(struct fold *fold, uint64_t *rows, uint64_t *seen, struct aggregate_groups *groups, int64_t start_us,
             struct error *err)
{
	bool right = true;

	*rows = *seen = 0;
	for (uint32_t number = 0; number < fold->cells; number++) {
		struct cell cell;

		if (fold->counts[number] == 0)
			continue;
		*seen += fold->counts[number];
		if (!take_cell(fold, number, &cell)) {
			right = false;
		} else if (passes(fold, &cell)) {
			*rows += fold->counts[number];
			add_cell(fold, &cell);
		}
		empty_cell(fold, number);
	}
	int result = add_results(fold, groups, start_us, err);
	return right ? result : error_set(err, ERROR_CORRUPT, "Codes of a block's columns have no value");
}
