/* SPDX-License-Identifier: ISC */
/*
 * scan_lines.c: the rows of a segment that filters have chosen, as the lines that they are. See scan.h.
 *
 * Where a block's columns part has chosen the rows, what a report needs to know of each is there, too: its price and
 * currency. So its values need not be found in its line, and neighbours are given as one text.
 */
#include <isa-l/crc.h>

#include "deflate/sift.h"
#include "store/scans/scan_private.h"

#define NO_SUM 0xff
#define DENSE 4 /* all but one of so many rows: with these, a file is 1 % larger than if they were compressed again */

_Static_assert(SCAN_PIECES_MAX >= SEGMENT_ROWS / 2, "every other row of a segment");
_Static_assert(SCAN_PIECES_MAX <= DEFLATE_SIFT_PIECES_MAX, "or some segments would be compressed again in silence");

/* Nothing if it has no text. False if it is no number. */
static bool read_price(struct line_prices *prices, uint16_t code, struct str text)
{
	struct decimal price = { 0 };

	prices->of_code[code] = LINE_UNPRICED;
	if (text.len == 0)
		return true;
	if (!decimal_read_stored(text, &price))
		return false;
	prices->of_code[code] = LINE_PRICED;
	prices->units[code] = price.units;
	return true;
}

/* What the codes of the column that has the prices' codes come to. False if some value is no number. */
static bool read_prices(struct line_prices *prices, const struct block_columns *columns)
{
	const struct block_column *column = prices->price, *leader = &columns->columns[column->leader];
	struct str values[BLOCK_SET_VALUES_MAX];

	block_column_values(column, values);
	for (uint16_t code = 0; code < leader->values; code++)
		if (!read_price(prices, code, values[block_column_code(column, (uint8_t)code)]))
			return false;
	for (uint16_t code = leader->values; code < BLOCK_CODES_MAX; code++)
		prices->of_code[code] = LINE_DAMAGED;
	prices->price_codes = leader;
	return true;
}

/* The currency's number for each code of the column that has its codes. False if there are too many, or one is too long. */
static bool read_currencies(struct line_prices *prices, const struct block_columns *columns,
                            const struct block_column *column)
{
	const struct block_column *leader = &columns->columns[column->leader];
	struct str values[BLOCK_SET_VALUES_MAX];

	if (column->values > SCAN_CURRENCIES_MAX)
		return false;
	block_column_values(column, values);
	for (uint16_t i = 0; i < column->values; i++) {
		if (values[i].len >= sizeof(prices->currencies[i]))
			return false;
		memset(prices->currencies[i], 0, sizeof(prices->currencies[i]));
		if (values[i].len > 0)
			memcpy(prices->currencies[i], values[i].p, values[i].len);
	}
	memset(prices->currency_of, NO_SUM, sizeof(prices->currency_of));
	for (uint16_t code = 0; code < leader->values; code++)
		prices->currency_of[code] = block_column_code(column, (uint8_t)code);
	prices->currency_codes = leader;
	return true;
}

/* What is told of the prices of a block that was begun. */
static bool take_prices(struct line_prices *prices, const struct block_reader *reader)
{
	const struct block_columns *columns = &reader->columns;
	const struct catalog_product *product = reader->product;
	uint8_t price = catalog_column_find(product, STR_LITERAL("total_price"));
	uint8_t currency = catalog_column_find(product, STR_LITERAL("currency"));

	prices->price = prices->price_codes = prices->currency_codes = NULL;
	if (price == CATALOG_NONE)
		return true;
	const struct block_column *column = currency == CATALOG_NONE ? NULL : block_columns_find(columns, currency);
	prices->price = block_columns_find(columns, price);
	if (!prices->price || !column || column->form == COLUMN_NUMBERS || !read_currencies(prices, columns, column))
		return false;
	if (prices->price->form != COLUMN_NUMBERS)
		return read_prices(prices, columns);
	prices->unit = 1;
	for (int places = prices->price->places; places < DECIMAL_PLACES; places++)
		prices->unit *= 10;
	return true;
}

/* What a row's price comes to: LINE_PRICED and *units, or another. */
static inline enum line_price price_of(const struct line_prices *prices, uint32_t row, uint8_t code,
                                       decimal_units *units)
{
	if (prices->price_codes) {
		*units = prices->units[code];
		return prices->of_code[code];
	}
	uint64_t number = block_column_number(prices->price, row);
	*units = ((decimal_units)prices->price->least + (decimal_units)number - 1) * prices->unit;
	return number ? LINE_PRICED : LINE_UNPRICED;
}

/* Adds the prices of the rows of a segment whose bits are set. False where they must be read from the lines. */
static bool add_prices(const struct line_prices *prices, const struct block_segment *segment,
                       const uint8_t bits[SEGMENT_ROWS / 8], struct scan_lines *lines)
{
	uint8_t room[2][SEGMENT_ROWS + BLOCK_CODES_SPARE], sum_of[SCAN_CURRENCIES_MAX];
	const uint32_t first = segment->first_row, end = first + segment->rows;

	lines->sums_count = 0;
	if (!prices->price)
		return true;
	const uint8_t *currencies = block_column_codes(prices->currency_codes, first, end, room[0]);
	const uint8_t *codes =
		prices->price_codes ? block_column_codes(prices->price_codes, first, end, room[1]) : currencies;
	memset(sum_of, NO_SUM, sizeof(sum_of));
	for (uint32_t i = 0; i < segment->rows; i++) {
		decimal_units units;

		if (!(bits[i / 8] >> i % 8 & 1))
			continue;
		enum line_price what = price_of(prices, first + i, codes[i], &units);
		uint8_t currency = prices->currency_of[currencies[i]];
		if (what == LINE_DAMAGED || currency == NO_SUM)
			return false;
		if (what == LINE_UNPRICED)
			continue;
		if (sum_of[currency] == NO_SUM) {
			sum_of[currency] = (uint8_t)lines->sums_count++;
			struct scan_sum *sum = &lines->sums[sum_of[currency]];
			*sum = (struct scan_sum){ .rows = 0 };
			memcpy(sum->currency, prices->currencies[currency], sizeof(sum->currency));
		}
		struct scan_sum *sum = &lines->sums[sum_of[currency]];
		if (!decimal_add(&sum->total_price, (struct decimal){ units }))
			return false;
		sum->rows++;
	}
	return true;
}

/* The chosen rows of the segment that are not deleted, from the head's row on, as bits; how many there are. */
static uint32_t find_rows(const struct sealed_head *head, const struct block_segment *segment,
                          uint8_t bits[SEGMENT_ROWS / 8], uint32_t *last)
{
	uint32_t count = 0;

	memset(bits, 0, SEGMENT_ROWS / 8);
	for (uint32_t row = head->row; row < segment->first_row + segment->rows; row++) {
		uint32_t i = row - segment->first_row;

		if (!(head->chosen[row / 8] >> row % 8 & 1) || block_reader_is_deleted(head->reader, row))
			continue;
		bits[i / 8] |= (uint8_t)(1 << i % 8);
		*last = row;
		count++;
	}
	return count;
}

static void add_pieces(const struct block_reader *reader, const uint8_t bits[SEGMENT_ROWS / 8],
                       struct scan_lines *lines)
{
	const struct block_segment *segment = &reader->segment;

	lines->pieces_count = 0;
	for (uint32_t row = 0; row < segment->rows; row++) {
		uint32_t begin = row;

		while (row < segment->rows && bits[row / 8] >> row % 8 & 1)
			row++;
		if (row > begin)
			lines->pieces[lines->pieces_count++] =
				block_reader_text(reader, segment->first_row + begin, segment->first_row + row);
	}
}

/* Are so many rows of a block chosen that it is worth it to sift them? */
static bool is_dense(const struct sealed_head *head)
{
	uint32_t rows = head->reader->view.head.rows;

	return (rows - head->chosen_count) * DENSE <= rows;
}

/* Loads the text of the segment and finds what is chosen of it, as deflate if the sink wants that and it can be. 1, 0, -1. */
static int read_pieces(struct day_scan *scan, const struct sealed_head *head, const uint8_t bits[SEGMENT_ROWS / 8],
                       struct scan_lines *lines)
{
	struct block_reader *reader = head->reader;
	bool sift = scan->base.sink.deflated_lines && scan->prices.is_dense;
	int result = block_reader_load_text(reader, head->row, &sift, scan->err);

	if (result <= 0)
		return result;
	add_pieces(reader, bits, lines);
	lines->deflate = (struct str){ NULL, 0 };
	buf_clear(&scan->sifted);
	if (!sift || !block_reader_sift(reader, lines->pieces, lines->pieces_count, &scan->sifted))
		return 1;
	lines->deflate = buf_str(&scan->sifted);
	lines->csv_bytes = lines->csv_crc32 = 0;
	for (size_t i = 0; i < lines->pieces_count; i++) {
		struct str piece = lines->pieces[i];

		lines->csv_bytes += (uint32_t)piece.len;
		lines->csv_crc32 = crc32_gzip_refl(lines->csv_crc32, (const uint8_t *)piece.p, piece.len);
	}
	return 1;
}

int scan_lines_read(struct day_scan *scan, const struct sealed_head *head, struct scan_lines *lines,
                    struct position *last)
{
	struct block_reader *reader = head->reader;
	struct line_prices *prices = &scan->prices;
	uint8_t bits[SEGMENT_ROWS / 8];
	uint32_t last_row = head->row;

	if (prices->block != reader->value.p) {
		prices->block = reader->value.p;
		prices->usable = take_prices(prices, reader);
		prices->refused = UINT32_MAX;
		prices->is_dense = is_dense(head);
	}
	if (!prices->usable || prices->refused == reader->segment.first_row)
		return 0;
	lines->rows = find_rows(head, &reader->segment, bits, &last_row);
	lines->first_us = head->position.time_us;
	*last = *block_reader_position(reader, last_row);
	lines->last_us = last->time_us;
	lines->last_row = last_row;
	int result = add_prices(prices, &reader->segment, bits, lines) ? read_pieces(scan, head, bits, lines) : 0;
	if (result == 0)
		prices->refused = reader->segment.first_row;
	return result;
}
