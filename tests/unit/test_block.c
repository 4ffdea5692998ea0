/* SPDX-License-Identifier: ISC */
/*
 * test_block.c: records come back out of a block as they went in, by row, by place and in any order; the places fit
 * into few bits; the skip index never hides a row; no damaged byte goes unnoticed.
 */
#include <check.h>
#include <isa-l/crc.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "day_fixture.h"
#include "expect.h"
#include "pick.h"
#include "store/aggregates/fold.h"
#include "store/blocks/block_builder.h"
#include "store/blocks/block_reader.h"
#include "store/blocks/row_cache.h"
#include "store/blocks/skip_index.h"
#include "store_sample.h"

Suite *suite_block(void);

#define DAY_US (INT64_C(20500) * CLOCK_US_PER_DAY)
#define ROWS_MAX 5000

static struct day_fixture f;
static struct block_builder *builder;
static struct block_reader reader;
static struct sampler sampler;
static struct pick *pick = &sampler.pick;
static struct error err;
static const struct catalog_product *product;
static struct partition partition;

/* What went in. */
static struct sample *samples[ROWS_MAX];
static struct position positions[ROWS_MAX];
static uint64_t changes[ROWS_MAX];
static uint32_t rows;
static struct buf value;
static struct day_block entry;

static void setup(void)
{
	day_fixture_open(&f);
	builder = block_builder_new();
	ck_assert_ptr_nonnull(builder);
	reader = (struct block_reader){ .number = 0 };
	value = (struct buf){ 0 };
	rows = 0;
}

static void drop_rows(void)
{
	while (rows > 0)
		free(samples[--rows]);
	buf_clear(&value);
}

static void teardown(void)
{
	drop_rows();
	buf_free(&value);
	block_reader_free(&reader);
	block_builder_free(builder);
	day_fixture_close(&f);
}

static void choose(const char *name, enum catalog_direction direction, uint64_t seed, bool wild)
{
	sampler = (struct sampler){ .pick = { seed }, .styles = seed * 77, .wild = wild };
	product = catalog_product_find(str_from(name));
	partition = partition_of(&(struct account_key){ "acct0001" }, product->number, (uint8_t)direction);
	block_builder_begin(builder, product, (uint8_t)direction, UINT32_MAX);
}

static void add(struct sample *sample, const struct position *position, bool *full)
{
	uint64_t change = pick_percent(pick, 10) ? position->seq + pick_below(pick, 1000) : position->seq;

	expect(block_builder_add(builder, &sample->record, position, change, full, &err) == 0, "%s", err.message);
	samples[rows] = sample;
	changes[rows] = change;
	positions[rows++] = *position;
}

/* Makes a block of up to `count` rows and stores it as number 3. */
static void make_block(uint32_t count, bool seconds)
{
	struct position position = { DAY_US, 1000, partition.direction };
	bool full = false;

	while (rows < count && !full) {
		if (pick_percent(pick, 80))
			position.time_us +=
				seconds ? pick_below(pick, 5) * CLOCK_US_PER_SECOND : pick_below(pick, 100000);
		position.seq = pick_percent(pick, 90) ? position.seq + 1 : position.seq + pick_below(pick, 5000) + 1;
		add(sample_new(&sampler, product, "acct0001", rows, (enum catalog_direction)partition.direction,
		               position.time_us),
		    &position, &full);
	}
	ck_assert_uint_eq(block_builder_rows(builder), rows);
	expect(block_builder_finish(builder, &value, &entry, &err) == 0, "%s", err.message);
	ck_assert_uint_eq(block_builder_rows(builder), 0);
	day_fixture_put(&f, DAY_BLOCK_DATA, &partition, 3, buf_str(&value));
}

static MDB_txn *begin_reading(void)
{
	MDB_txn *txn = day_fixture_read(&f);
	int found = block_reader_begin(&reader, &f.day, txn, product, &partition, 3, &err);

	expect(found == 1, "begin: %d %s", found, err.message);
	return txn;
}

static void assert_values(uint32_t row, uint64_t columns)
{
	struct record record;

	expect(block_reader_record(&reader, row, columns, &record, &err) == 0, "row %u: %s", row, err.message);
	for (uint8_t i = 0; i < product->columns_count; i++) {
		struct str wanted = columns >> i & 1 ? samples[row]->record.values[i] : (struct str){ NULL, 0 };

		expect(str_equal(record.values[i], wanted), "row %u of %u: %s is %.*s, wanted %.*s", row, rows,
		       product->columns[i].name.p, STR_ARGS(record.values[i]), STR_ARGS(wanted));
	}
}

static void assert_row(uint32_t row, uint64_t columns)
{
	struct record_view view = { .direction = (enum catalog_direction)partition.direction };
	struct buf line = { 0 };

	assert_values(row, columns);
	expect(position_equal(block_reader_position(&reader, row), &positions[row]), "place of row %u", row);
	expect(block_reader_changed(&reader, row, positions[row].seq) == changes[row], "change of row %u", row);
	record_write_csv(&line, &samples[row]->record, &view);
	expect(str_equal(block_reader_line(&reader, row), buf_str(&line)), "line of row %u", row);
	buf_free(&line);
}

/* The line with each choice of the columns that it does not show. */
static void assert_woven(uint32_t row)
{
	struct record_view view = { .direction = (enum catalog_direction)partition.direction };
	struct record record;

	expect(block_reader_record(&reader, row, SCAN_COLUMNS_ALL, &record, &err) == 0, "row %u: %s", row, err.message);
	for (int choice = 0; choice < 4; choice++) {
		struct buf line = { 0 }, woven = { 0 };

		view.include_message = choice & 1;
		view.show_concatenated = choice & 2;
		uint64_t columns = record_view_columns(product, &view) & ~reader.line_columns;
		record_write_csv(&line, &samples[row]->record, &view);
		block_reader_weave(&reader, row, columns, &record, &woven);
		expect(str_equal(buf_str(&woven), buf_str(&line)), "row %u: %.*swanted %.*s", row,
		       STR_ARGS(buf_str(&woven)), STR_ARGS(buf_str(&line)));
		buf_free(&line);
		buf_free(&woven);
	}
}

/* --- round trips --- */

static const struct {
	const char *product;
	enum catalog_direction direction;
	uint32_t count;
	bool wild;
	bool seconds;
} blocks[] = {
	{ "SMS", CATALOG_OUTBOUND, 1, false, true },     { "SMS", CATALOG_OUTBOUND, 200, true, true },
	{ "SMS", CATALOG_INBOUND, 777, true, false },    { "SMS", CATALOG_OUTBOUND, BLOCK_ROWS, false, true },
	{ "VOICE-CALL", 0, SEGMENT_ROWS, true, true },   { "VOICE-CALL", 0, SEGMENT_ROWS + 1, false, false },
	{ "SMS-TRAFFIC-CONTROL", 0, 2000, false, true }, { "VERIFY-V2", 0, 900, true, false },
	{ "REPORTS-USAGE", 0, 300, true, true },         { "MESSAGES", CATALOG_INBOUND, 400, false, true },
};

START_TEST(every_row_comes_back)
{
	choose(blocks[_i].product, blocks[_i].direction, (uint64_t)_i + 1, blocks[_i].wild);
	make_block(blocks[_i].count, blocks[_i].seconds);
	ck_assert_uint_eq(rows, blocks[_i].count);
	MDB_txn *txn = begin_reading();

	for (uint32_t row = 0; row < rows; row++) {
		expect(block_reader_load(&reader, row, &err) == 0, "%s", err.message);
		assert_row(row, SCAN_COLUMNS_ALL);
		assert_woven(row);
	}
	ck_assert_int_eq(block_reader_check(&reader, &err), 0);
	ck_assert_int_eq(block_reader_check_skip(&reader, &err), 0);
	mdb_txn_abort(txn);
}
END_TEST

START_TEST(rows_are_read_in_any_order)
{
	choose(blocks[_i].product, blocks[_i].direction, (uint64_t)_i + 20, blocks[_i].wild);
	make_block(blocks[_i].count, blocks[_i].seconds);
	MDB_txn *txn = begin_reading();

	for (int n = 0; n < 300; n++) {
		uint32_t row = pick_below(pick, rows);
		uint64_t columns = pick_percent(pick, 50) ? SCAN_COLUMNS_ALL : pick_u64(pick);
		int rc = pick_percent(pick, 60) ? block_reader_load_row(&reader, row, &err) :
		                                  block_reader_load(&reader, row, &err);

		expect(rc == 0, "%s", err.message);
		assert_row(row, columns);
		assert_woven(row);
		if (pick_percent(pick, 10))
			ck_assert_int_eq(block_reader_begin(&reader, &f.day, txn, product, &partition, 3, &err), 1);
	}
	mdb_txn_abort(txn);
}
END_TEST

START_TEST(columns_are_woven_in_at_both_ends_and_side_by_side)
{
	struct catalog_column columns[CATALOG_COLUMNS_MAX];
	struct catalog_product changed;

	choose("SMS", CATALOG_OUTBOUND, 6, true);
	changed = *product;
	memcpy(columns, product->columns, product->columns_count * sizeof(columns[0]));
	columns[0].shown = columns[product->columns_count - 2].shown = CATALOG_WITH_MESSAGE;
	columns[1].shown = columns[product->columns_count - 1].shown = CATALOG_WITH_CONCATENATED;
	changed.columns = columns;
	product = &changed;
	block_builder_begin(builder, product, partition.direction, UINT32_MAX);
	make_block(500, true);
	MDB_txn *txn = begin_reading();

	for (uint32_t row = 0; row < rows; row++) {
		expect(block_reader_load(&reader, row, &err) == 0, "%s", err.message);
		assert_woven(row);
	}
	mdb_txn_abort(txn);
}
END_TEST

static uint32_t first_not_before(const struct position *position)
{
	uint32_t row = 0;

	while (row < rows && position_compare(&positions[row], position) < 0)
		row++;
	return row;
}

START_TEST(rows_are_found_by_place)
{
	choose(blocks[_i].product, blocks[_i].direction, (uint64_t)_i + 40, blocks[_i].wild);
	make_block(blocks[_i].count, blocks[_i].seconds);
	MDB_txn *txn = begin_reading();

	for (int n = 0; n < 300; n++) {
		struct position position = positions[pick_below(pick, rows)];
		uint32_t row;

		position.seq += pick_below(pick, 3) - 1;
		position.time_us += (int64_t)pick_below(pick, 3) - 1;
		ck_assert_int_eq(block_reader_seek(&reader, &position, &row, &err), 0);
		ck_assert_uint_eq(row, first_not_before(&position));
		if (row == rows)
			continue;
		ck_assert_int_eq(block_reader_load(&reader, row, &err), 0);
		assert_row(row, SCAN_COLUMNS_ALL);
	}
	mdb_txn_abort(txn);
}
END_TEST

START_TEST(entry_says_what_is_in_the_block)
{
	uint64_t seq_max = 0, changed_min = UINT64_MAX, changed_max = 0;

	choose("SMS", CATALOG_OUTBOUND, 5, true);
	make_block(1000, false);
	for (uint32_t i = 0; i < rows; i++) {
		seq_max = positions[i].seq > seq_max ? positions[i].seq : seq_max;
		changed_min = changes[i] < changed_min ? changes[i] : changed_min;
		changed_max = changes[i] > changed_max ? changes[i] : changed_max;
	}
	ck_assert_uint_eq(entry.rows, rows);
	ck_assert_uint_eq(entry.deleted, 0);
	ck_assert_int_eq(entry.first_us, positions[0].time_us);
	ck_assert_uint_eq(entry.first_seq, positions[0].seq);
	ck_assert_int_eq(entry.last_us, positions[rows - 1].time_us);
	ck_assert_uint_eq(entry.last_seq, positions[rows - 1].seq);
	ck_assert_uint_eq(entry.seq_max, seq_max);
	ck_assert_uint_eq(entry.changed_min, changed_min);
	ck_assert_uint_eq(entry.changed_max, changed_max);
	ck_assert_uint_eq(entry.value_bytes, value.len);
}
END_TEST

/* Segments with doubled quotes are inflated whole: leaves out values that would have some. */
static void drop_quotes(struct sample *sample)
{
	for (uint8_t i = 0; i < product->columns_count; i++) {
		struct str *own = &sample->record.values[i];

		if (own->len > 0 && memchr(own->p, '"', own->len))
			*own = (struct str){ "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", i };
	}
}

/* A row's place in the inflated text is guessed from the usual length of lines: here guesses are far off. */
START_TEST(a_lone_row_comes_back_where_lines_differ_in_length)
{
	char text[2000];
	struct str lengths[] = { { text, 0 }, { text, sizeof(text) } };
	bool full = false;

	choose("SMS", CATALOG_OUTBOUND, 31, false);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + pick_below(pick, 26));
	for (uint32_t i = 0; i < 100; i++) {
		struct position position = { DAY_US + i, i + 1, CATALOG_OUTBOUND };
		struct sample *sample = sample_new(&sampler, product, "acct0001", rows, CATALOG_OUTBOUND, DAY_US + i);

		drop_quotes(sample);
		sample->record.values[catalog_column_find(product, STR_LITERAL("client_ref"))] = lengths[(i < 20) ^ _i];
		add(sample, &position, &full);
	}
	expect(block_builder_finish(builder, &value, &entry, &err) == 0, "%s", err.message);
	day_fixture_put(&f, DAY_BLOCK_DATA, &partition, 3, buf_str(&value));
	for (uint32_t row = 0; row < rows; row++) {
		MDB_txn *txn = begin_reading();

		expect(block_reader_load_row(&reader, row, &err) == 0, "row %u: %s", row, err.message);
		ck_assert_uint_eq(reader.loaded_rows, 1);
		assert_row(row, SCAN_COLUMNS_ALL);
		mdb_txn_abort(txn);
		block_reader_free(&reader);
		reader = (struct block_reader){ .number = 0 };
	}
}
END_TEST

START_TEST(a_row_comes_back_from_the_row_cache_as_from_its_block)
{
	struct row_cache *cache = row_cache_new(INT64_MAX);

	ck_assert_ptr_nonnull(cache);
	choose(blocks[_i].product, blocks[_i].direction, (uint64_t)_i + 60, blocks[_i].wild);
	make_block(blocks[_i].count, blocks[_i].seconds);
	reader.rows = cache;
	MDB_txn *txn = day_fixture_read(&f);

	for (int n = 0; n < 600; n++) {
		uint32_t row = pick_below(pick, rows < 50 ? rows : 50) * (rows / 50 + (rows < 50));

		ck_assert_int_eq(block_reader_begin_row(&reader, &f.day, txn, product, &partition, 3, row, &err), 1);
		expect(block_reader_load_row(&reader, row, &err) == 0, "%s", err.message);
		assert_row(row, pick_percent(pick, 50) ? SCAN_COLUMNS_ALL : pick_u64(pick));
		assert_woven(row);
	}
	mdb_txn_abort(txn);
	row_cache_free(cache);
}
END_TEST

/* Stores a block of rows without quotes as number 3. */
static void make_plain_block(uint32_t count)
{
	bool full = false;

	block_builder_begin(builder, product, partition.direction, UINT32_MAX);
	for (uint32_t i = 0; i < count; i++) {
		struct position position = { DAY_US + i, i + 1, partition.direction };
		struct sample *sample = sample_new(&sampler, product, "acct0001", rows, CATALOG_OUTBOUND, DAY_US + i);

		drop_quotes(sample);
		add(sample, &position, &full);
	}
	expect(block_builder_finish(builder, &value, &entry, &err) == 0, "%s", err.message);
	day_fixture_put(&f, DAY_BLOCK_DATA, &partition, 3, buf_str(&value));
}

/* Loads a row by a reader of its own. */
static int load_once(struct row_cache *cache, uint32_t row)
{
	struct block_reader own = { .rows = cache };
	MDB_txn *txn = day_fixture_read(&f);
	int result = block_reader_begin_row(&own, &f.day, txn, product, &partition, 3, row, &err) == 1 ?
	                     block_reader_load_row(&own, row, &err) :
	                     -1;

	mdb_txn_abort(txn);
	block_reader_free(&own);
	return result;
}

START_TEST(a_row_of_another_block_with_its_number_is_not_taken_from_the_row_cache)
{
	struct row_cache *cache = row_cache_new(INT64_MAX);

	ck_assert_ptr_nonnull(cache);
	choose("SMS", CATALOG_OUTBOUND, 33, false);
	make_plain_block(300);
	ck_assert_int_eq(load_once(cache, 7), 0);
	struct block_view view;
	ck_assert(block_view(&view, buf_str(&value)));
	memset((char *)(uintptr_t)view.deflate.p, 0, view.deflate.len);
	day_fixture_put(&f, DAY_BLOCK_DATA, &partition, 3, buf_str(&value));
	ck_assert_int_eq(load_once(NULL, 7), -1);
	ck_assert_int_eq(load_once(cache, 8), -1);
	ck_assert_int_eq(load_once(cache, 7), 0); /* it was read when its checksum was right */

	drop_rows();
	make_plain_block(301);
	reader.rows = cache;
	MDB_txn *txn = day_fixture_read(&f);
	ck_assert_int_eq(block_reader_begin_row(&reader, &f.day, txn, product, &partition, 3, 7, &err), 1);
	expect(block_reader_load_row(&reader, 7, &err) == 0, "%s", err.message);
	assert_row(7, SCAN_COLUMNS_ALL);
	mdb_txn_abort(txn);
	row_cache_free(cache);
}
END_TEST

/* A record with one value of `len` bytes in a column. */
static struct sample *huge_sample(const char *column, size_t len)
{
	struct sample *small = sample_new(&sampler, product, "acct0001", rows, CATALOG_OUTBOUND, DAY_US);
	struct sample *huge = malloc(sizeof(*huge) + len);

	ck_assert_ptr_nonnull(huge);
	huge->record = small->record;
	/* The small one's bytes must live on: values point to them. */
	samples[rows++] = small;
	for (size_t i = 0; i < len; i++)
		huge->bytes[i] = i % 1000 == 0 ? '"' : (char)('a' + i * i % 23);
	huge->record.values[catalog_column_find(product, str_from(column))] = (struct str){ huge->bytes, len };
	return huge;
}

START_TEST(huge_values_come_back_and_fill_blocks)
{
	static const size_t lens[] = { 1 << 20, 5 << 20, 70000, 17 << 20, 300000 };
	const char *column = _i ? "message_body" : "client_ref";

	choose("SMS", CATALOG_OUTBOUND, 9, false);
	for (uint32_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct position position = { DAY_US + i, i + 1, CATALOG_OUTBOUND };
		struct sample *sample = huge_sample(column, lens[i]);
		uint32_t before = rows;
		bool full = false;

		add(sample, &position, &full);
		expect(full == (lens[i] >= BLOCK_CSV_BYTES), "%zu bytes: full %d", lens[i], full);
		if (!full && i < 4)
			continue;
		buf_clear(&value);
		ck_assert_int_eq(block_builder_finish(builder, &value, &entry, &err), 0);
		day_fixture_put(&f, DAY_BLOCK_DATA, &partition, 3, buf_str(&value));
		MDB_txn *txn = begin_reading();
		uint32_t last = entry.rows - 1;
		struct record record;
		ck_assert_int_eq(block_reader_load(&reader, last, &err), 0);
		expect(block_reader_record(&reader, last, SCAN_COLUMNS_ALL, &record, &err) == 0, "%s", err.message);
		ck_assert(record_equal(&record, &samples[before]->record));
		mdb_txn_abort(txn);
	}
}
END_TEST

START_TEST(blocks_end_before_their_extra_part_grows_without_limit)
{
	struct position position = { DAY_US, 1, CATALOG_OUTBOUND };
	bool full = false;

	choose("SMS", CATALOG_OUTBOUND, 9, false);
	for (int i = 0; i < 200 && !full; i++, position.seq++)
		add(huge_sample("message_body", 64 << 10), &position, &full);
	ck_assert(full);
	ck_assert_uint_le(block_builder_rows(builder), 65);
}
END_TEST

/* --- places --- */

static void assert_places(const struct position *list, uint32_t count, bool seconds)
{
	struct block_segment segment = { .rows = count };
	struct block_view view = { .head = { .seconds = seconds } };
	struct position got[SEGMENT_ROWS], one[SEGMENT_ROWS];
	struct buf bits = { 0 };

	block_places_write(&bits, &segment, list, seconds);
	char *copy = malloc(bits.len ? bits.len : 1);
	ck_assert_ptr_nonnull(copy);
	if (bits.len > 0)
		memcpy(copy, bits.data, bits.len);
	view.positions = (struct str){ copy, bits.len };
	ck_assert(block_places_read(&view, &segment, 1, got));
	for (uint32_t i = 0; i < count; i++) {
		expect(got[i].time_us == list[i].time_us && got[i].seq == list[i].seq && got[i].direction == 1,
		       "place %u of %u: %lld %llu, wanted %lld %llu", i, count, (long long)got[i].time_us,
		       (unsigned long long)got[i].seq, (long long)list[i].time_us, (unsigned long long)list[i].seq);
		expect(block_places_read_one(&view, &segment, 1, i, one) && position_equal(&one[i], &got[i]),
		       "place %u by itself", i);
	}
	if (bits.len > 0) {
		view.positions.len--;
		expect(!block_places_read(&view, &segment, 1, got), "cut short, but read");
	}
	free(copy);
	buf_free(&bits);
}

START_TEST(places_keep_times_and_seqs)
{
	static const uint64_t time_steps[] = { 0, 1, 3, 1000000, 86399 },
			      seq_steps[] = { 1, 2, 70, 1 << 24, 1ULL << 40 };
	struct pick own = { 11 };
	struct position list[SEGMENT_ROWS];

	for (int round = 0; round < 2000; round++) {
		uint32_t count = pick_between(&own, 1, SEGMENT_ROWS);
		bool seconds = pick_percent(&own, 50), shuffled = pick_percent(&own, 50);
		uint64_t step = time_steps[pick_below(&own, 5)], seq_step = seq_steps[pick_below(&own, 5)];
		struct position position = { DAY_US, UINT64_C(1) << pick_below(&own, 60), 1 };

		for (uint32_t i = 0; i < count; i++) {
			position.time_us +=
				(int64_t)(pick_u64(&own) % (step + 1)) * (seconds ? CLOCK_US_PER_SECOND : 1);
			position.seq = shuffled ? pick_u64(&own) % (seq_step * 1000) + 1 : position.seq + seq_step;
			list[i] = position;
		}
		assert_places(list, count, seconds);
	}
}
END_TEST

START_TEST(places_in_order_of_arrival_take_no_bits)
{
	struct position list[SEGMENT_ROWS];
	struct block_segment segment = { .rows = SEGMENT_ROWS };
	struct buf bits = { 0 };

	for (uint32_t i = 0; i < SEGMENT_ROWS; i++)
		list[i] = (struct position){ DAY_US + i / 16 * CLOCK_US_PER_SECOND, 500 + i, 1 };
	block_places_write(&bits, &segment, list, true);
	ck_assert_uint_eq(segment.seq_bits, 0);
	ck_assert_uint_eq(segment.time_bits, 1);
	ck_assert_uint_le(bits.len, SEGMENT_ROWS / 8);
	buf_free(&bits);
}
END_TEST

/* --- the skip index --- */

static struct skip_index_builder skip;

static struct str make_skip(uint32_t count)
{
	skip_index_begin(&skip, product);
	for (uint32_t i = 0; i < count; i++) {
		samples[rows] = sample_new(&sampler, product, "acct0001", i, CATALOG_OUTBOUND, DAY_US);
		skip_index_add(&skip, &samples[rows++]->record);
	}
	buf_clear(&value);
	skip_index_write(&skip, &value);
	return buf_str(&value);
}

static struct str without_plus(struct str text)
{
	return text.len > 0 && text.p[0] == '+' ? (struct str){ text.p + 1, text.len - 1 } : text;
}

static bool passes(const struct sample *sample, const struct scan_filter *filter)
{
	struct str own = sample->record.values[filter->column];

	switch (filter->match) {
	case SCAN_EXACTLY:
		return str_equal(own, filter->value);
	case SCAN_NOCASE:
		return str_equal_nocase(own, filter->value);
	case SCAN_NUMBER:
		return str_equal(without_plus(own), filter->value);
	}
	return false;
}

START_TEST(skip_part_hides_no_row)
{
	static const char *const names[] = { "SMS", "VOICE-CALL", "VERIFY-V2" };
	char upper[80000];

	for (uint64_t seed = 1; seed < 40; seed++) {
		choose(names[seed % 3], CATALOG_OUTBOUND, seed, true);
		struct str part = make_skip(pick_between(pick, 1, 300));

		for (int n = 0; n < 500; n++) {
			uint8_t column = product->filters[pick_below(pick, product->filters_count)].column;
			const struct sample *sample = samples[pick_below(pick, rows)];
			struct scan_filter filter = { column, (enum scan_match)pick_below(pick, 3),
				                      sample->record.values[column] };

			if (filter.match == SCAN_NOCASE && filter.value.len <= sizeof(upper)) {
				for (size_t i = 0; i < filter.value.len; i++)
					upper[i] = filter.value.p[i] >= 'a' && filter.value.p[i] <= 'z' ?
					                   (char)(filter.value.p[i] - 32) :
					                   filter.value.p[i];
				filter.value.p = upper;
			}
			if (filter.match == SCAN_NUMBER)
				filter.value = without_plus(filter.value);
			expect(skip_index_may_pass(part, &filter, 1), "seed %d: %s hides %.*s", (int)seed,
			       product->columns[column].name.p, STR_ARGS(filter.value));
			bool all = skip_index_all_pass(part, &filter, 1);
			for (uint32_t i = 0; i < rows && all; i++)
				expect(passes(samples[i], &filter), "seed %d: not all pass", (int)seed);
		}
		drop_rows();
	}
	skip_index_free(&skip);
}
END_TEST

/* A skip index of records with these numbers. */
static struct str make_skip_of(uint8_t column, const char *format, int count)
{
	struct record record;
	char text[32];

	skip_index_begin(&skip, product);
	for (int i = 0; i < count || i < 80; i++) {
		record_clear(&record, product);
		record.values[column] =
			(struct str){ text, (size_t)snprintf(text, sizeof(text), format, 447700900000 + i % count) };
		skip_index_add(&skip, &record);
	}
	buf_clear(&value);
	skip_index_write(&skip, &value);
	return buf_str(&value);
}

START_TEST(skip_part_of_few_rows_says_nothing)
{
	struct scan_filter filter = { 0, SCAN_EXACTLY, STR_LITERAL("absent") };

	choose("SMS", CATALOG_OUTBOUND, 1, false);
	filter.column = catalog_column_find(product, STR_LITERAL("status"));
	struct str part = make_skip(63);
	ck_assert(skip_index_may_pass(part, &filter, 1) && !skip_index_all_pass(part, &filter, 1));
	ck_assert_uint_eq(part.len, 0);
	drop_rows();
	ck_assert(!skip_index_may_pass(make_skip(64), &filter, 1));
	skip_index_free(&skip);
}
END_TEST

/* Both are the same block: what is not prepared would not have been written. */
START_TEST(a_block_of_few_rows_needs_no_skip_part_prepared)
{
	const uint32_t count = SKIP_INDEX_ROWS_MIN - 1;
	struct buf prepared = { 0 };

	choose("SMS", CATALOG_OUTBOUND, 17, false);
	make_block(count, true);
	buf_add(&prepared, value.data, value.len);
	drop_rows();
	choose("SMS", CATALOG_OUTBOUND, 17, false);
	block_builder_begin(builder, product, partition.direction, count);
	make_block(count, true);
	expect(str_equal(buf_str(&value), buf_str(&prepared)), "%zu bytes, %zu with it prepared", value.len,
	       prepared.len);
	buf_free(&prepared);
}
END_TEST

/* As a set and as a Bloom filter. */
static const int number_counts[] = { 3, 500 }; /* different ones */

START_TEST(skip_part_finds_numbers_with_and_without_plus)
{
	struct scan_filter filter = { 0, SCAN_NUMBER, STR_LITERAL("447700900002") };

	choose("SMS", CATALOG_OUTBOUND, 1, false);
	filter.column = catalog_column_find(product, STR_LITERAL("to"));
	ck_assert(skip_index_may_pass(make_skip_of(filter.column, "+%ld", number_counts[_i]), &filter, 1));
	ck_assert(skip_index_may_pass(make_skip_of(filter.column, "%ld", number_counts[_i]), &filter, 1));
	filter.value = STR_LITERAL("447700911111");
	ck_assert(!skip_index_may_pass(make_skip_of(filter.column, "+%ld", number_counts[_i]), &filter, 1));
	filter.match = SCAN_EXACTLY;
	filter.value = STR_LITERAL("447700900002");
	ck_assert(!skip_index_may_pass(make_skip_of(filter.column, "+%ld", number_counts[_i]), &filter, 1));
	skip_index_free(&skip);
}
END_TEST

START_TEST(skip_part_passes_few_by_mistake)
{
	int asked = 0, passed = 0;

	choose("VOICE-CALL", 0, 3, false);
	sampler.styles = 1;
	struct str part = make_skip(4096);
	for (uint8_t i = 0; i < product->filters_count; i++)
		for (int n = 0; n < 2000; n++, asked++) {
			char text[16];
			struct scan_filter filter = { product->filters[i].column, SCAN_EXACTLY, { text, 0 } };

			filter.value.len = (size_t)snprintf(text, sizeof(text), "absent%d", n);
			passed += skip_index_may_pass(part, &filter, 1);
		}
	expect(passed * 100 < asked, "%d of %d passed", passed, asked);
	skip_index_free(&skip);
}
END_TEST

START_TEST(skip_part_of_one_value_lets_the_block_go_whole)
{
	struct scan_filter filter = { 0, SCAN_EXACTLY, STR_LITERAL("delivered") };
	struct record record;

	choose("SMS", CATALOG_OUTBOUND, 1, false);
	filter.column = catalog_column_find(product, STR_LITERAL("status"));
	record_clear(&record, product);
	record.values[filter.column] = filter.value;
	skip_index_begin(&skip, product);
	for (int i = 0; i < 80; i++)
		skip_index_add(&skip, &record);
	skip_index_write(&skip, &value);
	ck_assert(skip_index_all_pass(buf_str(&value), &filter, 1));
	filter.value = STR_LITERAL("DELIVERED");
	ck_assert(!skip_index_all_pass(buf_str(&value), &filter, 1));
	ck_assert(!skip_index_may_pass(buf_str(&value), &filter, 1));
	filter.match = SCAN_NOCASE;
	ck_assert(skip_index_all_pass(buf_str(&value), &filter, 1));
	skip_index_free(&skip);
}
END_TEST

START_TEST(skip_part_of_values_that_all_pass_lets_the_block_go_whole)
{
	struct scan_filter filter = { 0, SCAN_NUMBER, STR_LITERAL("447700900000") };
	struct record record;

	choose("SMS", CATALOG_OUTBOUND, 1, false);
	filter.column = catalog_column_find(product, STR_LITERAL("to"));
	skip_index_begin(&skip, product);
	for (int i = 0; i < 80; i++) {
		record_clear(&record, product);
		record.values[filter.column] = i % 2 ? STR_LITERAL("447700900000") : STR_LITERAL("+447700900000");
		skip_index_add(&skip, &record);
	}
	buf_clear(&value);
	skip_index_write(&skip, &value);
	ck_assert(skip_index_all_pass(buf_str(&value), &filter, 1));
	filter.match = SCAN_EXACTLY;
	ck_assert(skip_index_may_pass(buf_str(&value), &filter, 1));
	ck_assert(!skip_index_all_pass(buf_str(&value), &filter, 1));
	skip_index_free(&skip);
}
END_TEST

/* --- columns --- */

/* Reads all there is to read. 0 when all of it was right, -1 when the damage was found. */
static int read_all(MDB_txn *txn)
{
	struct block_reader own = { .number = 0 };
	int result = block_reader_begin(&own, &f.day, txn, product, &partition, 3, &err) == 1 ? 0 : -1;

	if (result == 0)
		result = block_reader_check(&own, &err) | block_reader_check_skip(&own, &err) |
		         (block_reader_columns(&own, &err) < 0 ? -1 : 0);
	for (uint32_t row = 0; row < rows && result == 0; row++) {
		struct record record;

		result = block_reader_load(&own, row, &err);
		if (result == 0)
			result = block_reader_record(&own, row, SCAN_COLUMNS_ALL, &record, &err);
		if (result == 0)
			expect(record_equal(&record, &samples[row]->record), "row %u is silently wrong", row);
	}
	block_reader_free(&own);
	return result;
}

/* The text of each row by the columns part, where it has the column; numbers by value. */
static void assert_column(const struct block_column *column)
{
	struct str values[BLOCK_SET_VALUES_MAX];
	const struct block_column *leader = &reader.columns.columns[column->leader];
	uint8_t room[BLOCK_ROWS + BLOCK_CODES_SPARE];
	const uint8_t *codes = block_column_codes(leader, 0, rows, room);

	block_column_values(column, values);
	for (uint32_t row = 0; row < rows; row++) {
		struct str made = samples[row]->record.values[column->column];

		expect(str_equal(values[block_column_code(column, codes[row])], made), "row %u of %s: not %.*s", row,
		       product->columns[column->column].name.p, STR_ARGS(made));
	}
}

static void assert_numbers(const struct block_column *column)
{
	for (uint32_t row = 0; row < rows; row++) {
		struct str made = samples[row]->record.values[column->column];
		uint64_t number = block_column_number(column, row);
		struct decimal read = { 0 };

		decimal_units units = (decimal_units)(number - 1) + column->least;

		expect((number == 0) == (made.len == 0), "row %u: %.*s", row, STR_ARGS(made));
		for (int places = column->places; places < DECIMAL_PLACES; places++)
			units *= 10;
		ck_assert(number == 0 || decimal_read_stored(made, &read));
		expect(number == 0 || read.units == units, "row %u: not %.*s", row, STR_ARGS(made));
	}
}

static void assert_columns(void)
{
	for (uint8_t i = 0; i < reader.columns.count; i++) {
		const struct block_column *column = &reader.columns.columns[i];

		ck_assert_ptr_eq(block_columns_find(&reader.columns, column->column), column);
		if (column->form == COLUMN_NUMBERS)
			assert_numbers(column);
		else
			assert_column(column);
	}
}

/* The rows that are chosen are those that pass. */
static void assert_choice(const struct scan_filter *filter)
{
	uint8_t bits[BLOCK_ROWS / 8];
	bool decides;
	uint32_t passing = 0, chosen = block_columns_choose(&reader.columns, filter, 1, bits, &decides);

	for (uint32_t row = 0; row < rows; row++) {
		bool there = bits[row / 8] >> row % 8 & 1;

		passing += passes(samples[row], filter);
		expect(there == passes(samples[row], filter), "row %u: %d", row, there);
	}
	ck_assert_uint_eq(chosen, passing);
	ck_assert(decides);
}

/* Where one of two filters is of a column that is not here, it is left to the lines. */
static void assert_undecided(const struct scan_filter *filter)
{
	const struct scan_filter both[] = { *filter, { product->id_column, SCAN_EXACTLY, STR_LITERAL("x") } };
	uint8_t bits[BLOCK_ROWS / 8];
	bool decides;

	if (block_columns_find(&reader.columns, product->id_column))
		return;
	(void)block_columns_choose(&reader.columns, both, 2, bits, &decides);
	ck_assert(!decides);
}

START_TEST(columns_say_what_lines_say)
{
	choose(blocks[_i].product, blocks[_i].direction, (uint64_t)_i + 60, blocks[_i].wild);
	make_block(blocks[_i].count, blocks[_i].seconds);
	MDB_txn *txn = begin_reading();

	ck_assert_int_eq(block_reader_columns(&reader, &err), blocks[_i].count >= SEGMENT_ROWS);
	if (reader.columns_loaded)
		assert_columns();
	for (uint8_t i = 0; reader.columns_loaded && i < reader.columns.count; i++) {
		const struct block_column *column = &reader.columns.columns[i];
		const struct sample *sample = samples[pick_below(pick, rows)];
		struct scan_filter filter = { column->column, (enum scan_match)pick_below(pick, 3),
			                      without_plus(sample->record.values[column->column]) };

		if (column->form == COLUMN_NUMBERS)
			continue;
		assert_choice(&filter);
		assert_undecided(&filter);
	}
	mdb_txn_abort(txn);
}
END_TEST

/* A block of calls with so many different prices, of each beginning, and durations, some of which are not there. */
static void make_calls(const char *const *prices, size_t prices_count, uint32_t different)
{
	struct position position = { DAY_US, 1000, 0 };
	uint8_t duration = catalog_column_find(product, STR_LITERAL("duration"));
	uint8_t price = catalog_column_find(product, STR_LITERAL("price"));
	bool full = false;

	while (rows < 2000) {
		struct sample *sample = sample_new(&sampler, product, "acct0001", rows, CATALOG_NO_DIRECTION, DAY_US);
		char *text = malloc(64);

		snprintf(text, 32, "%u", rows * 7919 % 3600);
		snprintf(text + 32, 32, "%s%u", prices[rows % prices_count], rows % different);
		sample->record.values[duration] = rows % 5 ? str_from(text) : (struct str){ NULL, 0 };
		sample->record.values[price] = str_from(text + 32);
		position.seq++;
		add(sample, &position, &full);
	}
	expect(block_builder_finish(builder, &value, &entry, &err) == 0, "%s", err.message);
	day_fixture_put(&f, DAY_BLOCK_DATA, &partition, 3, buf_str(&value));
}

static void free_texts(void)
{
	uint8_t price = catalog_column_find(product, STR_LITERAL("price"));

	for (uint32_t row = 0; row < rows; row++)
		free((void *)(uintptr_t)(samples[row]->record.values[price].p - 32));
}

START_TEST(numbers_of_many_values_add_up_without_their_lines)
{
	static const char *const prices[] = { "0.00", "-1.", "5." };

	choose("VOICE-CALL", CATALOG_NO_DIRECTION, 5, false);
	make_calls(prices, 3, 2000);
	MDB_txn *txn = begin_reading();
	ck_assert_int_eq(block_reader_columns(&reader, &err), 1);
	const struct block_column *duration =
		block_columns_find(&reader.columns, catalog_column_find(product, STR_LITERAL("duration")));
	const struct block_column *price =
		block_columns_find(&reader.columns, catalog_column_find(product, STR_LITERAL("price")));

	ck_assert(duration && duration->form == COLUMN_NUMBERS && duration->places == 0 && duration->bits == 12);
	ck_assert(price && price->form == COLUMN_NUMBERS);
	assert_columns();
	mdb_txn_abort(txn);
	free_texts();
}
END_TEST

static const struct {
	uint32_t different;
	bool numbers;
} prices_counts[] = { { 64, false }, { 65, true }, { 251, true }, { 255, true }, { 256, true } };

START_TEST(prices_are_a_set_or_numbers_whatever_their_number)
{
	static const char *const prices[] = { "0.00" };

	choose("VOICE-CALL", CATALOG_NO_DIRECTION, 5, false);
	make_calls(prices, 1, prices_counts[_i].different);
	MDB_txn *txn = begin_reading();
	ck_assert_int_eq(block_reader_columns(&reader, &err), 1);
	const struct block_column *price =
		block_columns_find(&reader.columns, catalog_column_find(product, STR_LITERAL("price")));

	ck_assert_ptr_nonnull(price);
	ck_assert_int_eq(price->form == COLUMN_NUMBERS, prices_counts[_i].numbers);
	assert_columns();
	mdb_txn_abort(txn);
	free_texts();
}
END_TEST

/* Prices of 33 values have codes of 6 bits, so the column can be damaged to have a code without a value. */
START_TEST(rows_of_unknown_codes_are_left_to_their_lines)
{
	static const char *const prices[] = { "0.00" };
	uint8_t packed[BLOCK_ROWS], bits[BLOCK_ROWS / 8];
	bool decides;

	choose("VOICE-CALL", CATALOG_NO_DIRECTION, 5, false);
	make_calls(prices, 1, 33);
	MDB_txn *txn = begin_reading();
	ck_assert_int_eq(block_reader_columns(&reader, &err), 1);
	uint8_t number = catalog_column_find(product, STR_LITERAL("price"));
	struct block_column *price = (struct block_column *)(uintptr_t)block_columns_find(&reader.columns, number);
	ck_assert(price && price->form == COLUMN_CODES && price->bits == 6);
	const struct scan_filter filter = { number, SCAN_EXACTLY, samples[1]->record.values[number] };

	memcpy(packed, price->packed, rows / 8 * price->bits);
	packed[0] = 0xff;
	price->packed = packed;
	(void)block_columns_choose(&reader.columns, &filter, 1, bits, &decides);
	ck_assert(!decides && bits[0] & 1);
	mdb_txn_abort(txn);
	free_texts();
}
END_TEST

/* Both the sender and the network tell the country; the network has half as many values, and is not told by the sender. */
START_TEST(a_column_follows_the_one_of_the_fewest_values)
{
	static char names[120][4];
	struct position position = { DAY_US, 1000, 0 };
	bool full = false;

	choose("VOICE-CALL", CATALOG_NO_DIRECTION, 5, false);
	uint8_t from = catalog_column_find(product, STR_LITERAL("from"));
	uint8_t network = catalog_column_find(product, STR_LITERAL("network"));
	uint8_t country = catalog_column_find(product, STR_LITERAL("country"));
	for (unsigned i = 0; i < 120; i++)
		snprintf(names[i], sizeof(names[i]), "%u", i);
	for (; rows < 2000; position.seq++) {
		struct sample *sample = sample_new(&sampler, product, "acct0001", rows, CATALOG_NO_DIRECTION, DAY_US);

		sample->record.values[from] = str_from(names[rows % 120]);
		sample->record.values[network] = str_from(names[rows % 12 + rows / 120 % 5 * 12]);
		sample->record.values[country] = str_from(names[rows % 12]);
		add(sample, &position, &full);
	}
	expect(block_builder_finish(builder, &value, &entry, &err) == 0, "%s", err.message);
	day_fixture_put(&f, DAY_BLOCK_DATA, &partition, 3, buf_str(&value));
	MDB_txn *txn = begin_reading();
	ck_assert_int_eq(block_reader_columns(&reader, &err), 1);
	const struct block_column *follower = block_columns_find(&reader.columns, country);

	ck_assert_int_eq(follower->form, COLUMN_FOLLOWS);
	ck_assert_uint_eq(reader.columns.columns[follower->leader].column, network);
	assert_columns();
	mdb_txn_abort(txn);
}
END_TEST

START_TEST(numbers_that_are_none_have_no_column)
{
	static const char *const prices[] = { "0.00", "0,", "1000000000" };

	choose("VOICE-CALL", CATALOG_NO_DIRECTION, 5, false);
	make_calls(&prices[_i + 1], 1, 2000);
	MDB_txn *txn = begin_reading();
	ck_assert_int_eq(block_reader_columns(&reader, &err), 1);
	ck_assert_ptr_null(block_columns_find(&reader.columns, catalog_column_find(product, STR_LITERAL("price"))));
	mdb_txn_abort(txn);
	free_texts();
}
END_TEST

/* As blocks were before they had a columns part. */
static void make_it_old(void)
{
	const size_t old_bytes = offsetof(struct block_head, columns_bytes);
	struct block_view view;
	struct buf old = { 0 };

	ck_assert(block_view(&view, buf_str(&value)));
	view.head.magic = BLOCK_MAGIC_1;
	view.head.head_crc32 = 0;
	buf_add(&old, &view.head, old_bytes);
	buf_add(&old, view.sums, (size_t)(view.columns.p - (const char *)view.sums));
	view.head.head_crc32 = crc32_gzip_refl(0, (const uint8_t *)old.data,
	                                       old_bytes + (size_t)(view.skip.p - (const char *)view.sums));
	memcpy(old.data, &view.head, old_bytes);
	buf_add_str(&old, view.extra);
	buf_add_str(&old, view.deflate);
	buf_free(&value);
	value = old;
}

START_TEST(a_block_from_before_there_were_columns_is_read)
{
	choose("SMS", CATALOG_OUTBOUND, 4, false);
	make_block(1000, true);
	make_it_old();
	day_fixture_put(&f, DAY_BLOCK_DATA, &partition, 3, buf_str(&value));
	ck_assert_int_eq(read_all(f.day.env.write), 0);
	MDB_txn *txn = begin_reading();
	ck_assert_int_eq(block_reader_columns(&reader, &err), 0);
	mdb_txn_abort(txn);
}
END_TEST

/* --- damage --- */

START_TEST(no_damaged_byte_goes_unnoticed)
{
	choose("SMS", _i ? CATALOG_INBOUND : CATALOG_OUTBOUND, 13, false);
	make_block(150, _i);
	MDB_txn *txn = day_fixture_read(&f);
	ck_assert_int_eq(read_all(txn), 0);
	mdb_txn_abort(txn);
	for (size_t at = 0; at < value.len; at += at < 1500 ? 1 : pick_between(pick, 1, 9)) {
		uint8_t bit = (uint8_t)(1 << pick_below(pick, 8));

		value.data[at] ^= (char)bit;
		day_fixture_put(&f, DAY_BLOCK_DATA, &partition, 3, buf_str(&value));
		err.code = ERROR_NONE;
		txn = f.day.env.write;
		expect(read_all(txn) == -1 && err.code == ERROR_CORRUPT, "bit %d of byte %zu of %zu: code %d", bit, at,
		       value.len, err.code);
		value.data[at] ^= (char)bit;
	}
}
END_TEST

static struct str copy_of(struct str bytes)
{
	char *copy = malloc(bytes.len);

	memcpy(copy, bytes.p, bytes.len);
	return (struct str){ copy, bytes.len };
}

static void damage(struct str bytes, unsigned count)
{
	while (count-- > 0) {
		uint32_t most = bytes.len > 200 && pick_below(pick, 2) ? 200 : (uint32_t)bytes.len;

		((char *)bytes.p)[pick_below(pick, most)] = (char)pick_below(pick, 256);
	}
}

/* Uses columns as filters and summaries do; their answers don't matter. What is folded is added to what was before, as
 * blocks are, until the fold says that one is damaged. */
static void use_columns(const struct block_columns *columns, struct aggregate *aggregate, struct fold **fold)
{
	const struct scan_query *query = &aggregate->query.scan;
	uint8_t bits[BLOCK_ROWS / 8];
	uint64_t passing, seen;
	bool decides;

	ck_assert_uint_le(block_columns_choose(columns, query->filters, query->filters_count, bits, &decides), rows);
	if (!*fold)
		*fold = fold_new(aggregate, &aggregate->groups, &err);
	int result = fold_begin(*fold, columns, &err);
	if (result > 0)
		result = fold_rows(*fold, pick_below(pick, 3), 0, rows, (struct str){ NULL, 0 }, &err) != 0 ? -1 : 1;
	if (result > 0 && pick_percent(pick, 30)) {
		result = fold_end(*fold, &passing, &seen, &err) != 0 ? -1 : 1;
		ck_assert_uint_le(passing, seen);
	}
	if (result >= 0)
		return;
	expect(err.code == ERROR_CORRUPT || err.code == ERROR_LIMIT, "code %d", err.code);
	free(*fold);
	*fold = NULL;
}

/* As a faulty writer may make them: the checksum is right. */
START_TEST(damaged_columns_are_used_within_their_bounds)
{
	bool voice = _i % 2;

	choose(voice ? "VOICE-CALL" : "SMS", voice ? CATALOG_NO_DIRECTION : CATALOG_OUTBOUND, 17, false);
	const uint8_t by[] = { catalog_column_find(product, STR_LITERAL("status")),
		               catalog_column_find(product, STR_LITERAL("country")) };
	const struct scan_filter filter = { by[1], SCAN_NOCASE, STR_LITERAL("GB") };
	struct aggregate aggregate = { .query = { .scan = { .filters = &filter, .filters_count = _i > 1 },
		                                  .groups_max = 1000000 } };
	struct fold *fold = NULL;
	unsigned used = 0;

	aggregate_groups_init(&aggregate.groups, product, by, 2, 1000000);
	make_block(1000, true);
	MDB_txn *txn = begin_reading();
	for (int i = 0; i < 3000; i++) {
		struct str part = copy_of(reader.view.columns), index = copy_of(reader.view.skip);
		struct block_columns columns;

		damage(part, pick_below(pick, 4));
		damage(index, pick_below(pick, 2));
		if (block_columns_read(&columns, part, index, rows)) {
			use_columns(&columns, &aggregate, &fold);
			used++;
		}
		free((char *)part.p);
		free((char *)index.p);
	}
	ck_assert_uint_gt(used, 100);
	mdb_txn_abort(txn);
	free(fold);
	aggregate_groups_free(&aggregate.groups);
}
END_TEST

START_TEST(a_block_cut_short_is_damaged)
{
	choose("SMS", CATALOG_OUTBOUND, 14, false);
	make_block(100, true);
	for (size_t len = 0; len < value.len; len += len < 400 ? 1 : 97) {
		day_fixture_put(&f, DAY_BLOCK_DATA, &partition, 3, (struct str){ value.data, len });
		expect(read_all(f.day.env.write) == -1 && err.code == ERROR_CORRUPT, "%zu bytes of %zu", len,
		       value.len);
	}
}
END_TEST

Suite *suite_block(void)
{
	Suite *suite = suite_create("block");
	TCase *tests = tcase_create("block");
	int count = sizeof(blocks) / sizeof(blocks[0]);

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, every_row_comes_back, 0, count);
	tcase_add_loop_test(tests, rows_are_read_in_any_order, 0, count);
	tcase_add_test(tests, columns_are_woven_in_at_both_ends_and_side_by_side);
	tcase_add_loop_test(tests, rows_are_found_by_place, 0, count);
	tcase_add_test(tests, entry_says_what_is_in_the_block);
	tcase_add_loop_test(tests, a_lone_row_comes_back_where_lines_differ_in_length, 0, 2);
	tcase_add_loop_test(tests, a_row_comes_back_from_the_row_cache_as_from_its_block, 0, count);
	tcase_add_test(tests, a_row_of_another_block_with_its_number_is_not_taken_from_the_row_cache);
	tcase_add_loop_test(tests, huge_values_come_back_and_fill_blocks, 0, 2);
	tcase_add_test(tests, blocks_end_before_their_extra_part_grows_without_limit);
	tcase_add_test(tests, places_keep_times_and_seqs);
	tcase_add_test(tests, places_in_order_of_arrival_take_no_bits);
	tcase_add_test(tests, skip_part_hides_no_row);
	tcase_add_test(tests, skip_part_of_few_rows_says_nothing);
	tcase_add_test(tests, a_block_of_few_rows_needs_no_skip_part_prepared);
	tcase_add_loop_test(tests, skip_part_finds_numbers_with_and_without_plus, 0, 2);
	tcase_add_test(tests, skip_part_passes_few_by_mistake);
	tcase_add_test(tests, skip_part_of_values_that_all_pass_lets_the_block_go_whole);
	tcase_add_test(tests, skip_part_of_one_value_lets_the_block_go_whole);
	tcase_add_loop_test(tests, columns_say_what_lines_say, 0, count);
	tcase_add_test(tests, rows_of_unknown_codes_are_left_to_their_lines);
	tcase_add_test(tests, numbers_of_many_values_add_up_without_their_lines);
	tcase_add_loop_test(tests, prices_are_a_set_or_numbers_whatever_their_number, 0,
	                    sizeof(prices_counts) / sizeof(prices_counts[0]));
	tcase_add_test(tests, a_column_follows_the_one_of_the_fewest_values);
	tcase_add_loop_test(tests, numbers_that_are_none_have_no_column, 0, 2);
	tcase_add_test(tests, a_block_from_before_there_were_columns_is_read);
	tcase_add_loop_test(tests, no_damaged_byte_goes_unnoticed, 0, 2);
	tcase_add_loop_test(tests, damaged_columns_are_used_within_their_bounds, 0, 4);
	tcase_add_test(tests, a_block_cut_short_is_damaged);
	suite_add_tcase(suite, tests);
	return suite;
}
