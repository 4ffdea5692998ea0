/* SPDX-License-Identifier: ISC */
/*
 * block_columns_write.c: making the columns part of a block. See block_columns.h.
 */
#include "store/blocks/block_columns.h"

#include "store/blocks/bits.h"

#define NO_NUMBER INT64_MIN
#define NO_CODE 0xff /* BLOCK_SET_VALUES_MAX codes are below */

/* --- numbers --- */

static void add_column(struct columns_builder *builder, const struct skip_index_builder *skip, uint8_t column)
{
	if (column == CATALOG_NONE)
		return;
	for (size_t i = 0; i < skip->columns_count; i++)
		if (skip->columns[i].column == column) {
			struct column_numbers *numbers = &builder->numbers[builder->count++];

			numbers->column = column;
			numbers->place = (uint8_t)i;
		}
}

static void choose_columns(struct columns_builder *builder, const struct catalog_product *product,
                           const struct skip_index_builder *skip)
{
	builder->count = 0;
	builder->product = product;
	add_column(builder, skip, catalog_column_find(product, STR_LITERAL("total_price")));
	add_column(builder, skip, catalog_column_find(product, STR_LITERAL("price")));
	add_column(builder, skip, catalog_column_find(product, STR_LITERAL("duration")));
}

void columns_begin(struct columns_builder *builder, const struct catalog_product *product,
                   const struct skip_index_builder *skip)
{
	if (builder->product != product)
		choose_columns(builder, product, skip);
	for (size_t i = 0; i < builder->count; i++)
		builder->numbers[i].begun = builder->numbers[i].unfit = false;
}

static int64_t read_units(struct column_numbers *numbers, struct str text)
{
	struct decimal value;

	if (text.len == 0)
		return NO_NUMBER;
	if (!decimal_read_stored(text, &value) || value.units <= INT64_MIN / 2 || value.units >= INT64_MAX / 2) {
		numbers->unfit = true;
		return NO_NUMBER;
	}
	return (int64_t)value.units;
}

/* The rows so far had codes. `rows` of them. */
static void begin_numbers(struct column_numbers *numbers, const struct skip_index_column *column, uint32_t rows)
{
	int64_t units[BLOCK_SET_VALUES_MAX];

	numbers->begun = true;
	for (uint8_t i = 0; i < column->count; i++)
		units[i] = read_units(numbers, skip_index_value(column, i));
	for (uint32_t row = 0; row < rows; row++)
		/* NOLINTNEXTLINE(uninitvar): a code is below column->count. */
		numbers->units[row] = units[column->codes[row]];
}

void columns_add(struct columns_builder *builder, const struct skip_index_builder *skip, const struct record *record)
{
	uint32_t row = skip->rows - 1;

	for (size_t i = 0; i < builder->count; i++) {
		struct column_numbers *numbers = &builder->numbers[i];
		const struct skip_index_column *column = &skip->columns[numbers->place];

		if (!column->many || numbers->unfit)
			continue;
		if (!numbers->begun)
			begin_numbers(numbers, column, row);
		numbers->units[row] = read_units(numbers, record->values[numbers->column]);
	}
}

static void find_range(struct column_numbers *numbers, uint32_t rows, int64_t *least, int64_t *most)
{
	*least = INT64_MAX;
	*most = INT64_MIN;
	for (uint32_t row = 0; row < rows; row++) {
		int64_t units = numbers->units[row];

		if (units == NO_NUMBER)
			continue;
		for (; units % numbers->unit != 0; numbers->places++)
			numbers->unit /= 10;
		*least = units < *least ? units : *least;
		*most = units > *most ? units : *most;
	}
	if (*least > *most)
		*least = *most = 0;
}

/* How are a column's numbers packed, if it has any? */
static void choose_packing(struct column_numbers *numbers, const struct skip_index_builder *skip)
{
	const struct skip_index_column *column = &skip->columns[numbers->place];
	uint32_t rows = skip->rows;
	int64_t least, most;

	if (!numbers->begun && !skip_index_has_set(skip, column))
		begin_numbers(numbers, column, rows);
	numbers->bits = numbers->places = 0;
	numbers->unit = INT64_C(1000000000000);
	if (!numbers->begun || numbers->unfit)
		return;
	find_range(numbers, rows, &least, &most);
	numbers->least = least / numbers->unit;
	numbers->bits = bits_width((uint64_t)(most / numbers->unit - numbers->least) + 1);
	if (numbers->bits > BLOCK_NUMBER_BITS_MAX)
		numbers->bits = 0;
}

/* --- bits --- */

/* The array of `rows` ends with a multiple of eight of them. */
static void pad_rows(struct bit_writer *writer, uint32_t rows, int width)
{
	for (; rows % 8 != 0; rows++)
		bits_put(writer, 0, width);
}

static void pack_codes(const struct skip_index_column *column, uint32_t rows, struct buf *out)
{
	struct bit_writer writer = { .out = out };
	int width = bits_width(column->count - 1u);

	if (width == 0)
		return;
	for (uint32_t row = 0; row < rows; row++)
		bits_put(&writer, column->codes[row], width);
	pad_rows(&writer, rows, width);
}

static void pack_numbers(const struct column_numbers *numbers, uint32_t rows, struct buf *out)
{
	struct bit_writer writer = { .out = out };

	for (uint32_t row = 0; row < rows; row++) {
		int64_t units = numbers->units[row];

		bits_put(&writer, units == NO_NUMBER ? 0 : (uint64_t)(units / numbers->unit - numbers->least) + 1,
		         numbers->bits);
	}
	pad_rows(&writer, rows, numbers->bits);
}

/* --- which column follows which --- */

/* The columns that have sets, in order of the part. */
struct sets {
	size_t count;
	const struct skip_index_column *columns[BLOCK_SKIP_COLUMNS_MAX];
	uint8_t leaders[BLOCK_SKIP_COLUMNS_MAX]; /* its own number: none */
	uint8_t maps[BLOCK_SKIP_COLUMNS_MAX][BLOCK_SET_VALUES_MAX];
};

static bool make_map(const struct skip_index_column *leader, const struct skip_index_column *column, uint32_t rows,
                     uint8_t map[BLOCK_SET_VALUES_MAX])
{
	memset(map, NO_CODE, leader->count);
	for (uint32_t row = 0; row < rows; row++) {
		uint8_t *code = &map[leader->codes[row]];

		if (*code == NO_CODE)
			*code = column->codes[row];
		else if (*code != column->codes[row])
			return false;
	}
	return true;
}

/* The one of the fewest values that will do, for these have the fewest combinations with other columns. A column of one
 * value takes no bits anyway. One that is followed does not follow another itself. */
static void choose_leader(struct sets *sets, size_t number, const uint8_t *leading, size_t leading_count, uint32_t rows)
{
	const struct skip_index_column *column = sets->columns[number];

	for (size_t i = leading_count; i > 0 && column->count > 1; i--)
		if (make_map(sets->columns[leading[i - 1]], column, rows, sets->maps[number])) {
			sets->leaders[number] = leading[i - 1];
			return;
		}
	sets->leaders[number] = (uint8_t)number;
}

/* By falling numbers of values, as only the column with as many or more can be followed. */
static void choose_leaders(struct sets *sets, uint32_t rows)
{
	uint8_t order[BLOCK_SKIP_COLUMNS_MAX], leading[BLOCK_SKIP_COLUMNS_MAX];
	size_t leading_count = 0;

	for (size_t i = 0; i < sets->count; i++) {
		size_t at = i;

		for (; at > 0 && sets->columns[order[at - 1]]->count < sets->columns[i]->count; at--)
			order[at] = order[at - 1];
		order[at] = (uint8_t)i;
	}
	for (size_t i = 0; i < sets->count; i++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): each of `order` has been set above. */
		choose_leader(sets, order[i], leading, leading_count, rows);
		if (sets->leaders[order[i]] == order[i] && sets->columns[order[i]]->count > 1)
			leading[leading_count++] = order[i];
	}
}

static void find_sets(struct sets *sets, const struct skip_index_builder *skip)
{
	sets->count = 0;
	for (size_t i = 0; i < skip->columns_count; i++)
		if (skip_index_has_set(skip, &skip->columns[i]))
			sets->columns[sets->count++] = &skip->columns[i];
}

/* --- the part --- */

static void write_forms(const struct sets *sets, struct buf *out)
{
	for (size_t i = 0; i < sets->count; i++) {
		uint8_t leader = sets->leaders[i];

		buf_add_char(out, leader == i ? COLUMN_CODES : COLUMN_FOLLOWS);
		if (leader == i)
			continue;
		buf_add_char(out, (char)leader);
		buf_add(out, sets->maps[i], sets->columns[leader]->count);
	}
}

static void write_number_forms(const struct columns_builder *builder, struct buf *out)
{
	size_t at = out->len;
	char count = 0;

	buf_add_char(out, 0);
	for (size_t i = 0; i < builder->count; i++) {
		const struct column_numbers *numbers = &builder->numbers[i];

		if (!numbers->bits)
			continue;
		buf_add_char(out, (char)numbers->column);
		buf_add_char(out, (char)numbers->bits);
		buf_add_char(out, (char)numbers->places);
		buf_add(out, &numbers->least, sizeof(numbers->least));
		count++;
	}
	if (!out->failed)
		out->data[at] = count;
}

void columns_write(struct columns_builder *builder, const struct skip_index_builder *skip, struct buf *out)
{
	static const char zeros[BLOCK_COLUMNS_PADDING];
	struct sets sets;

	if (!skip_index_has_columns(skip))
		return;
	find_sets(&sets, skip);
	choose_leaders(&sets, skip->rows);
	for (size_t i = 0; i < builder->count; i++)
		choose_packing(&builder->numbers[i], skip);
	write_forms(&sets, out);
	write_number_forms(builder, out);
	for (size_t i = 0; i < sets.count; i++)
		if (sets.leaders[i] == i)
			pack_codes(sets.columns[i], skip->rows, out);
	for (size_t i = 0; i < builder->count; i++)
		if (builder->numbers[i].bits)
			pack_numbers(&builder->numbers[i], skip->rows, out);
	buf_add(out, zeros, sizeof(zeros));
}

/* --- reading back --- */

static bool codes_are_same(const struct block_columns *columns, const struct block_column *column,
                           const struct skip_index_column *made)
{
	const struct block_column *leader = &columns->columns[column->leader];
	uint8_t room[BLOCK_ROWS + BLOCK_CODES_SPARE];

	if (column->column != made->column || column->values != made->count)
		return false;
	const uint8_t *codes = block_column_codes(leader, 0, columns->rows, room);
	for (uint32_t row = 0; row < columns->rows; row++)
		if (codes[row] >= leader->values || block_column_code(column, codes[row]) != made->codes[row])
			return false;
	return true;
}

static bool numbers_are_same(const struct block_columns *columns, const struct column_numbers *made)
{
	const struct block_column *column = block_columns_find(columns, made->column);

	if (!column || column->form != COLUMN_NUMBERS)
		return false;
	for (uint32_t row = 0; row < columns->rows; row++) {
		uint64_t number = block_column_number(column, row);
		int64_t units = number == 0 ? NO_NUMBER : ((int64_t)(number - 1) + column->least) * made->unit;

		if (units != made->units[row])
			return false;
	}
	return true;
}

bool columns_read_back(const struct columns_builder *builder, const struct skip_index_builder *skip, struct str part,
                       struct str skip_part)
{
	struct block_columns columns;
	struct sets sets;

	find_sets(&sets, skip);
	if (!block_columns_read(&columns, part, skip_part, skip->rows) || columns.count < sets.count)
		return false;
	for (size_t i = 0; i < sets.count; i++)
		if (!codes_are_same(&columns, &columns.columns[i], sets.columns[i]))
			return false;
	for (size_t i = 0; i < builder->count; i++)
		if (builder->numbers[i].bits && !numbers_are_same(&columns, &builder->numbers[i]))
			return false;
	return true;
}
