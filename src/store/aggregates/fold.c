/* SPDX-License-Identifier: ISC */
/*
 * fold.c: what the codes of a block mean to a query. See fold_private.h.
 */
#include "store/aggregates/fold_private.h"

#include <stdlib.h>

/* --- what the query needs --- */

/* The fold's column of this one of the product, added if need be; NULL if there are too many. */
static struct fold_column *add_column(struct fold *fold, uint8_t column)
{
	size_t at = 0;

	while (at < fold->columns_count && fold->columns[at].column != column)
		at++;
	if (at == FOLD_COLUMNS_MAX)
		return NULL;
	if (at == fold->columns_count) {
		memset(&fold->columns[at], 0, offsetof(struct fold_column, values));
		fold->columns[at].column = column;
		fold->columns[at].place = FOLD_NO_PLACE;
		fold->columns_count++;
	}
	return &fold->columns[at];
}

static bool add_placed(struct fold *fold, uint8_t column, uint8_t *number)
{
	struct fold_column *own = add_column(fold, column);

	if (!own)
		return false;
	*number = (uint8_t)(own - fold->columns);
	if (own->place != FOLD_NO_PLACE)
		return true;
	own->place = (uint8_t)fold->places_count++;
	return fold->places_count < FOLD_TUPLE_CODES; /* the last code says that the tuple passes */
}

static bool add_key(struct fold *fold, uint8_t column, uint8_t *number)
{
	if (!add_placed(fold, column, number))
		return false;
	fold->columns[*number].is_coded = true;
	return true;
}

static bool add_sum(struct fold *fold, struct fold_sum *sum, uint8_t column)
{
	if (column == CATALOG_NONE)
		return true;
	if (!add_placed(fold, column, &sum->column))
		return false;
	fold->columns[sum->column].is_sum = true;
	sum->is_paid = column == fold->groups->paid;
	return true;
}

static bool add_groups(struct fold *fold, const struct aggregate_groups *groups)
{
	bool has_money = groups->total_price != CATALOG_NONE || groups->price != CATALOG_NONE;

	for (size_t i = 0; i < groups->columns_count; i++)
		if (i == FOLD_KEYS_MAX - 1 || !add_key(fold, groups->columns[i], &fold->keys[i]))
			return false;
	if (has_money && groups->currency != CATALOG_NONE && !add_key(fold, groups->currency, &fold->currency))
		return false;
	fold->keys_count = fold->places_count;
	return add_sum(fold, &fold->sums[FOLD_DURATION], groups->duration) &&
	       add_sum(fold, &fold->sums[FOLD_TOTAL_PRICE], groups->total_price) &&
	       add_sum(fold, &fold->sums[FOLD_PRICE], groups->price);
}

static bool add_filters(struct fold *fold)
{
	for (size_t i = 0; i < fold->query->filters_count; i++) {
		struct fold_column *column = add_column(fold, fold->query->filters[i].column);

		if (!column)
			return false;
		column->is_coded = true;
	}
	return true;
}

static void forget_values(struct fold *fold)
{
	for (size_t i = 0; i < fold->columns_count; i++) {
		struct fold_column *column = &fold->columns[i];

		column->count = column->texts_len = 0;
		memset(column->slots, 0, sizeof(column->slots));
	}
}

struct fold *fold_new(const struct aggregate *aggregate, struct aggregate_groups *groups, struct error *err)
{
	struct fold *fold = malloc(sizeof(*fold));

	if (!fold) {
		error_set(err, ERROR_NOMEM, "Out of memory for a summary");
		return NULL;
	}
	memset(fold, 0, offsetof(struct fold, columns));
	fold->query = &aggregate->query.scan;
	fold->groups = aggregate_counts_only(aggregate) ? NULL : groups;
	fold->currency = FOLD_NO_COLUMN;
	for (size_t i = 0; i < FOLD_SUMS; i++) {
		fold->sums[i].column = FOLD_NO_COLUMN;
		fold->sums[i].is_paid = false;
	}
	fold->fits = (!fold->groups || add_groups(fold, groups)) && add_filters(fold);
	fold->roots_count = FOLD_NO_ROOT; /* no block is alike */
	forget_values(fold);
	fold_empty_cells(fold, FOLD_TRASH, FOLD_TRASH + 1);
	return fold;
}

/* --- dictionaries --- */

static bool has_text(const struct fold_column *column, uint16_t code, struct str text)
{
	const struct fold_value *value = &column->values[code];

	return value->len == text.len && memcmp(column->texts + value->at, text.p, text.len) == 0;
}

static void judge_value(const struct fold *fold, const struct fold_column *column, struct fold_value *value,
                        struct str text)
{
	const struct scan_query *query = fold->query;
	struct decimal number = { 0 };

	value->passes = true;
	for (size_t i = 0; i < query->filters_count; i++)
		if (query->filters[i].column == column->column)
			value->passes &= scan_filter_passes(&query->filters[i], text);
	/* what is not there adds nothing */
	value->unreadable = column->is_sum && text.len > 0 && !decimal_read_stored(text, &number);
	value->missing = text.len == 0;
	value->units = number.units;
}

/* False if there is no room for a value that was not seen before. */
static bool find_code(const struct fold *fold, struct fold_column *column, struct str text, uint8_t *code)
{
	uint64_t hash = aggregate_value_hash(text);
	size_t slot = hash % FOLD_SLOTS;

	for (; column->slots[slot]; slot = (slot + 1) % FOLD_SLOTS)
		if (has_text(column, column->slots[slot] - 1, text)) {
			*code = (uint8_t)(column->slots[slot] - 1);
			return true;
		}
	if (column->count == FOLD_CODES_MAX || column->texts_len + text.len > sizeof(column->texts))
		return false;
	struct fold_value *value = &column->values[column->count];
	value->hash = hash;
	value->at = column->texts_len;
	value->len = (uint16_t)text.len;
	memcpy(column->texts + value->at, text.p, text.len);
	column->texts_len += value->len;
	judge_value(fold, column, value, text);
	*code = (uint8_t)column->count;
	column->slots[slot] = ++column->count;
	return true;
}

/* Blocks have most values in common, and the same codes for many of them. */
static bool translate_column(const struct fold *fold, struct fold_column *column)
{
	struct str texts[BLOCK_SET_VALUES_MAX];

	block_column_values(column->packed, texts);
	for (uint16_t i = 0; i < column->packed->values; i++) {
		uint8_t *code = &column->code_of[i];

		if ((*code >= column->count || !has_text(column, *code, texts[i])) &&
		    !find_code(fold, column, texts[i], code))
			return false;
	}
	return true;
}

/* --- tuples --- */

/* What a code of the block comes to. */
static struct fold_tuple make_tuple(const struct fold *fold, uint8_t root, uint8_t code)
{
	struct fold_tuple tuple = { .codes[FOLD_TUPLE_CODES - 1] = 1 };

	for (size_t i = 0; i < fold->columns_count; i++) {
		const struct fold_column *column = &fold->columns[i];

		if (column->root != root)
			continue;
		uint8_t own = column->code_of[block_column_code(column->packed, code)];
		if (!column->values[own].passes)
			return (struct fold_tuple){ { 0 } };
		if (column->place != FOLD_NO_PLACE)
			tuple.codes[column->place] = own;
	}
	return tuple;
}

static size_t tuple_slot(const struct fold_tuple *tuple)
{
	uint64_t halves[2];

	memcpy(halves, tuple->codes, sizeof(halves));
	return (size_t)((halves[0] * UINT64_C(0x9e3779b97f4a7c15) + halves[1]) * UINT64_C(0xd6e8feb86659fd93) >> 32) %
	       FOLD_SLOTS;
}

/* The number of the tuples' keys, those of tuples that do not pass included. */
static void number_result(const struct fold *fold, struct fold_root *root)
{
	const struct fold_tuple *tuple = &root->tuples[root->count];
	uint16_t other = 0;

	while (other < root->count && memcmp(root->tuples[other].codes, tuple->codes, fold->keys_count) != 0)
		other++;
	root->result_of[root->count] = other < root->count ? root->result_of[other] : (uint8_t)root->results++;
}

static bool find_tuple(const struct fold *fold, struct fold_root *root, const struct fold_tuple *tuple, uint8_t *number)
{
	size_t slot = tuple_slot(tuple);

	for (; root->slots[slot]; slot = (slot + 1) % FOLD_SLOTS)
		if (memcmp(&root->tuples[root->slots[slot] - 1], tuple, sizeof(*tuple)) == 0) {
			*number = (uint8_t)(root->slots[slot] - 1);
			return true;
		}
	if (root->count == FOLD_CODES_MAX)
		return false;
	root->tuples[root->count] = *tuple;
	number_result(fold, root);
	*number = (uint8_t)root->count;
	root->slots[slot] = ++root->count;
	return true;
}

static bool translate_root(const struct fold *fold, struct fold_root *root)
{
	uint8_t number = (uint8_t)(root - fold->roots);

	for (uint16_t code = 0; code < root->column->values; code++) {
		struct fold_tuple tuple = make_tuple(fold, number, (uint8_t)code);

		if (!find_tuple(fold, root, &tuple, &root->tuple_of[code]))
			return false;
	}
	return true;
}

static void forget_tuples(struct fold *fold)
{
	fold->cells = 0;
	for (size_t i = 0; i < FOLD_ROOTS_MAX; i++) {
		struct fold_root *root = &fold->roots[i];

		root->count = root->room = root->results = 0;
		memset(root->slots, 0, sizeof(root->slots));
	}
}

/* All that the block's codes mean; false if there is no room for it besides what earlier blocks' do. */
static bool translate(struct fold *fold)
{
	for (size_t i = 0; i < fold->columns_count; i++)
		if (fold->columns[i].root != FOLD_NO_ROOT && !translate_column(fold, &fold->columns[i]))
			return false;
	for (size_t i = 0; i < fold->roots_count; i++)
		if (!translate_root(fold, &fold->roots[i]))
			return false;
	return true;
}

/* --- cells --- */

static bool has_room(const struct fold *fold)
{
	if (fold->cells == 0)
		return false;
	for (size_t i = 0; i < fold->roots_count; i++)
		if (fold->roots[i].count > fold->roots[i].room)
			return false;
	return true;
}

/* Numbers the cells anew, with room for more tuples. False if there would be too many. */
static bool make_room(struct fold *fold, unsigned more_percent)
{
	uint32_t cells = 1;

	for (size_t i = 0; i < fold->roots_count; i++) {
		struct fold_root *root = &fold->roots[i];
		uint32_t room = root->count + (root->count > 1 ? (root->count * more_percent + 99) / 100 : 0);

		root->room = (uint16_t)room;
		root->stride = cells;
		cells *= room;
		if (cells > FOLD_CELLS_MAX)
			return false;
	}
	fold->cells = cells;
	for (; fold->cells_clean < cells; fold->cells_clean++) {
		fold_empty_cells(fold, fold->cells_clean, fold->cells_clean + 1);
		fold->results[fold->cells_clean] = (struct fold_result){ 0 };
	}
	return true;
}

static void find_cells(struct fold *fold)
{
	fold->moving_count = 0;
	fold->still_cell = 0;
	for (size_t i = 0; i < fold->roots_count; i++) {
		struct fold_root *root = &fold->roots[i];
		uint16_t code = 0;

		for (; code < root->column->values; code++)
			root->cell_of[code] = (uint16_t)(root->tuple_of[code] * root->stride);
		for (; code < 1u << root->column->bits; code++)
			root->cell_of[code] = FOLD_BAD_CELL;
		if (root->column->bits > 0)
			fold->moving[fold->moving_count++] = root;
		else
			fold->still_cell = (uint16_t)(fold->still_cell + root->cell_of[0]);
	}
}

/* --- a block --- */

/* The roots of a block, and which of them each of the fold's columns leads or follows. */
struct shape {
	size_t roots_count;
	uint8_t leaders[FOLD_ROOTS_MAX]; /* of the block's columns */
	const struct block_column *packed[FOLD_COLUMNS_MAX];
	uint8_t roots[FOLD_COLUMNS_MAX];
};

/* The root that a column leads or follows; FOLD_NO_ROOT if there would be too many. */
static uint8_t find_root(struct shape *shape, uint8_t leader)
{
	uint8_t at = 0;

	while (at < shape->roots_count && shape->leaders[at] != leader)
		at++;
	if (at == FOLD_ROOTS_MAX)
		return FOLD_NO_ROOT;
	if (at == shape->roots_count)
		shape->leaders[shape->roots_count++] = leader;
	return at;
}

/* False if a column is not there in a form that will do. */
static bool find_shape(const struct fold *fold, const struct block_columns *columns, struct shape *shape)
{
	shape->roots_count = 0;
	for (size_t i = 0; i < fold->columns_count; i++) {
		const struct fold_column *own = &fold->columns[i];
		const struct block_column *packed = block_columns_find(columns, own->column);

		if (!packed)
			return false;
		bool is_numbers = packed->form == COLUMN_NUMBERS;
		shape->packed[i] = packed;
		shape->roots[i] = is_numbers ? FOLD_NO_ROOT : find_root(shape, packed->leader);
		if (shape->roots[i] == FOLD_NO_ROOT && (!is_numbers || own->is_coded))
			return false;
	}
	return true;
}

/* Do the tuples of the blocks before have the same columns, and the sums the same unit? */
static bool is_alike(const struct fold *fold, const struct shape *shape)
{
	if (shape->roots_count != fold->roots_count)
		return false;
	for (size_t i = 0; i < fold->columns_count; i++)
		if (fold->columns[i].root != shape->roots[i])
			return false;
	for (size_t i = 0; i < FOLD_SUMS; i++) {
		const struct fold_sum *sum = &fold->sums[i];

		if (fold_sum_has_numbers(fold, sum) && sum->places != shape->packed[sum->column]->places)
			return false;
	}
	return true;
}

static void take_shape(struct fold *fold, const struct block_columns *columns, const struct shape *shape)
{
	fold->roots_count = shape->roots_count;
	for (size_t i = 0; i < shape->roots_count; i++)
		fold->roots[i].column = &columns->columns[shape->leaders[i]];
	for (size_t i = 0; i < fold->columns_count; i++) {
		fold->columns[i].root = shape->roots[i];
		fold->columns[i].packed = shape->packed[i];
	}
	for (size_t i = 0; i < FOLD_SUMS; i++)
		if (fold_sum_has_numbers(fold, &fold->sums[i]))
			fold->sums[i].places = shape->packed[fold->sums[i].column]->places;
}

/* Begins again with the block alone. 1, 0 if even that has too many values or combinations. */
static int start_over(struct fold *fold)
{
	forget_tuples(fold);
	forget_values(fold);
	return translate(fold) && make_room(fold, 0);
}

int fold_begin(struct fold *fold, const struct block_columns *columns, struct error *err)
{
	struct shape shape;

	if (!fold->fits || !find_shape(fold, columns, &shape))
		return 0;
	if (!is_alike(fold, &shape)) {
		if (fold_flush(fold, err) != 0)
			return -1;
		forget_tuples(fold);
	}
	take_shape(fold, columns, &shape);
	bool translated = translate(fold);
	if (!translated || !has_room(fold)) {
		if (fold_flush(fold, err) != 0)
			return -1;
		if ((!translated || !make_room(fold, 25)) && !start_over(fold)) {
			forget_tuples(fold);
			return 0;
		}
	}
	find_cells(fold);
	return 1;
}
