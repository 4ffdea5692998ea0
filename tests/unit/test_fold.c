/* SPDX-License-Identifier: ISC */
/*
 * test_fold.c: rows of many blocks, whose columns are never twice alike, add up to what their records do.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "groups_check.h"
#include "pick.h"
#include "store/aggregates/fold.h"

Suite *suite_fold(void);

#define BLOCKS 60
#define GROUPS_MAX 1000000
#define TEXT_MAX 24
#define INTERVALS 5

enum { STATUS, COUNTRY, NETWORK, CURRENCY, PRICE, TOTAL_PRICE, DURATION, COLUMNS };

static const char *const names[COLUMNS] = { "status", "country",     "network", "currency",
	                                    "price",  "total_price", "duration" };

/* How a block's rows are made. */
struct style {
	uint32_t statuses, networks, first_network, currencies;
	uint32_t countries_follow; /* networks to a country; 0: they don't follow */
	uint32_t prices, places, durations;
	int32_t least_price;
	uint32_t missing_percent;
	bool odd_price;
};

static struct run {
	struct pick pick;
	const struct catalog_product *product;
	uint8_t columns[COLUMNS];
	struct skip_index_builder skip;
	struct columns_builder builder;
	struct buf part, skip_part;
	uint32_t rows;
	char texts[BLOCK_ROWS][COLUMNS][TEXT_MAX];
	struct record records[BLOCK_ROWS];
	uint8_t deleted[BLOCK_ROWS / 8];

	struct aggregate aggregate; /* of the fold */
	struct fold *fold;
	struct aggregate_groups expected;
	uint64_t rows_passing, rows_seen;
	unsigned folded;
} * run;

static struct style pick_style(uint32_t block)
{
	static const uint32_t many[] = { 1, 2, 7, 30, 100, 250 };
	struct pick *pick = &run->pick;
	bool is_odd = pick_percent(pick, 10);

	return (struct style){
		.statuses = pick_between(pick, 1, 6),
		.networks = many[pick_below(pick, 6)],
		.first_network = block / 4 * 20, /* more in all than a dictionary holds */
		.currencies = pick_percent(pick, 80) ? 1 : 2,
		.countries_follow = pick_percent(pick, 70) ? pick_between(pick, 1, 5) : 0,
		.prices = is_odd                 ? 5 :
		          pick_percent(pick, 50) ? 10 :
		                                   2000,
		.places = pick_between(pick, 1, 5),
		.durations = pick_percent(pick, 30) ? 3 : 3600,
		.least_price = (int32_t)pick_below(pick, 2000) - 1000,
		.missing_percent = pick_percent(pick, 50) ? 0 : 10,
		.odd_price = is_odd,
	};
}

static void write_price(const struct style *style, char text[TEXT_MAX])
{
	int32_t number = style->least_price + (int32_t)pick_below(&run->pick, style->prices);
	int32_t scale = 1;

	text[0] = '\0';
	for (uint32_t i = 0; i < style->places; i++)
		scale *= 10;
	if (style->odd_price && pick_percent(&run->pick, 20))
		snprintf(text, TEXT_MAX, "abc");
	else if (!pick_percent(&run->pick, style->missing_percent))
		snprintf(text, TEXT_MAX, "%s%d.%0*d", number < 0 ? "-" : "", abs(number) / scale, (int)style->places,
		         abs(number) % scale);
}

static void make_row(const struct style *style, uint32_t row)
{
	char(*texts)[TEXT_MAX] = run->texts[row];
	struct pick *pick = &run->pick;
	uint32_t network = style->first_network + pick_below(pick, style->networks);
	uint32_t country = style->countries_follow ? network / style->countries_follow : pick_below(pick, 9);

	snprintf(texts[STATUS], TEXT_MAX, "s%u", pick_below(pick, style->statuses));
	snprintf(texts[NETWORK], TEXT_MAX, "%u", 20000 + network);
	snprintf(texts[COUNTRY], TEXT_MAX, "C%u", country);
	snprintf(texts[CURRENCY], TEXT_MAX, "%s", pick_below(pick, style->currencies) ? "USD" : "EUR");
	write_price(style, texts[PRICE]);
	write_price(style, texts[TOTAL_PRICE]);
	texts[DURATION][0] = '\0';
	if (!pick_percent(pick, style->missing_percent))
		snprintf(texts[DURATION], TEXT_MAX, "%u", pick_below(pick, style->durations));
	record_clear(&run->records[row], run->product);
	for (size_t i = 0; i < COLUMNS; i++)
		run->records[row].values[run->columns[i]] = str_from(texts[i]);
}

/* A block of at least a segment, so that it has columns. */
static void make_block(uint32_t number)
{
	struct style style = pick_style(number);

	run->rows = pick_between(&run->pick, SEGMENT_ROWS, pick_percent(&run->pick, 50) ? BLOCK_ROWS : 300);
	skip_index_begin(&run->skip, run->product);
	columns_begin(&run->builder, run->product, &run->skip);
	for (uint32_t row = 0; row < run->rows; row++) {
		make_row(&style, row);
		skip_index_add(&run->skip, &run->records[row]);
		columns_add(&run->builder, &run->skip, &run->records[row]);
		run->deleted[row / 8] &= (uint8_t) ~(1 << row % 8);
		run->deleted[row / 8] |= (uint8_t)(pick_percent(&run->pick, 5) << row % 8);
	}
	buf_clear(&run->part);
	buf_clear(&run->skip_part);
	columns_write(&run->builder, &run->skip, &run->part);
	skip_index_write(&run->skip, &run->skip_part);
	ck_assert(!run->part.failed && !run->skip_part.failed);
}

static void expect_rows(int64_t start_us, uint32_t first, uint32_t end, struct str deleted)
{
	const struct scan_query *query = &run->aggregate.query.scan;
	struct error err;

	for (uint32_t row = first; row < end; row++) {
		bool passes = true;

		if (block_row_is_deleted(deleted, row))
			continue;
		for (size_t i = 0; i < query->filters_count; i++)
			passes &= scan_filter_passes(&query->filters[i],
			                             run->records[row].values[query->filters[i].column]);
		run->rows_seen++;
		run->rows_passing += passes;
		if (passes && !aggregate_counts_only(&run->aggregate))
			expect(aggregate_add_record(&run->expected, start_us, &run->records[row], &err) == 0, "%s",
			       err.message);
	}
}

/* Some ranges of the block's rows, each of a later interval. */
static void fold_block(const struct block_columns *columns)
{
	struct str deleted = { (const char *)run->deleted, sizeof(run->deleted) };
	struct error err = { 0 };
	int result = fold_begin(run->fold, columns, &err);
	uint32_t first = 0;

	if (pick_percent(&run->pick, 50))
		deleted = (struct str){ NULL, 0 };
	expect(result >= 0, "%s", err.message);
	for (int64_t start_us = pick_below(&run->pick, INTERVALS); result > 0 && first < run->rows; start_us++) {
		uint32_t end = pick_percent(&run->pick, 50) ? run->rows : pick_between(&run->pick, first, run->rows);

		if (first == end || pick_percent(&run->pick, 80)) {
			expect(fold_rows(run->fold, start_us, first, end, deleted, &err) == 0, "%s", err.message);
			expect_rows(start_us, first, end, deleted);
		}
		first = end;
	}
	run->folded += result > 0;
}

static void take_query(uint8_t group_by[COLUMNS], struct scan_filter filters[2], bool counts_only)
{
	size_t columns = pick_below(&run->pick, 4), from = pick_below(&run->pick, 4);

	for (size_t i = 0; i < columns; i++)
		group_by[i] = run->columns[(from + i) % 4];
	filters[0] = (struct scan_filter){ run->columns[STATUS], SCAN_NOCASE, STR_LITERAL("S1") };
	filters[1] = (struct scan_filter){ run->columns[COUNTRY], SCAN_EXACTLY, STR_LITERAL("C3") };
	run->aggregate.query.scan.filters = filters;
	run->aggregate.query.scan.filters_count = pick_percent(&run->pick, 60) ? 0 : pick_between(&run->pick, 1, 2);
	run->aggregate.query.groups_max = counts_only ? 0 : GROUPS_MAX;
	aggregate_groups_init(&run->aggregate.groups, run->product, group_by, columns, GROUPS_MAX);
	aggregate_groups_init(&run->expected, run->product, group_by, columns, GROUPS_MAX);
}

static void setup(void)
{
	run = calloc(1, sizeof(*run));
	run->product = catalog_product_find(STR_LITERAL("VOICE-CALL"));
	for (size_t i = 0; i < COLUMNS; i++)
		run->columns[i] = catalog_column_find(run->product, str_from(names[i]));
}

static void teardown(void)
{
	free(run->fold);
	buf_free(&run->part);
	buf_free(&run->skip_part);
	skip_index_free(&run->skip);
	aggregate_groups_free(&run->aggregate.groups);
	aggregate_groups_free(&run->expected);
	free(run);
}

START_TEST(rows_of_blocks_that_differ_add_up_as_their_records_do)
{
	uint8_t group_by[COLUMNS];
	struct scan_filter filters[2];
	uint64_t rows = 0, seen = 0;
	struct error err;

	run->pick.state = (uint64_t)_i * 131 + 7;
	take_query(group_by, filters, _i % 5 == 4);
	run->fold = fold_new(&run->aggregate, &run->aggregate.groups, &err);
	for (uint32_t number = 0; number < BLOCKS; number++) {
		struct block_columns columns;

		make_block(number);
		ck_assert(block_columns_read(&columns, buf_str(&run->part), buf_str(&run->skip_part), run->rows));
		fold_block(&columns);
		if (number + 1 < BLOCKS && pick_percent(&run->pick, 90))
			continue;
		uint64_t more_rows, more_seen;
		ck_assert_int_eq(fold_end(run->fold, &more_rows, &more_seen, &err), 0);
		rows += more_rows;
		seen += more_seen;
		ck_assert_uint_eq(rows, run->rows_passing);
		ck_assert_uint_eq(seen, run->rows_seen);
	}
	groups_check_equal(&run->aggregate.groups, &run->expected);
	ck_assert_uint_gt(run->folded, BLOCKS / 3);
}
END_TEST

Suite *suite_fold(void)
{
	Suite *suite = suite_create("fold");
	TCase *blocks = tcase_create("blocks");

	tcase_add_checked_fixture(blocks, setup, teardown);
	tcase_set_timeout(blocks, 60);
	tcase_add_loop_test(blocks, rows_of_blocks_that_differ_add_up_as_their_records_do, 0, 20);
	suite_add_tcase(suite, blocks);
	return suite;
}
