/* SPDX-License-Identifier: ISC */
/*
 * test_maker.c: a report file holds what a scan of its query gives, in the form asked for, and its bytes depend neither
 * on slices nor on crashes.
 *
 * The scan is one of the test's own: a list of records of which some stretches may be had as whole blocks. It pauses
 * when the test wants it to.
 */
#include <check.h>
#include <isa-l/crc.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "report/archive_private.h"
#include "report/archive_reader.h"
#include "report/maker_private.h"
#include "parquet_unpack.h"
#include "report_unpack.h"
#include "store/scans/scan_private.h"

Suite *suite_maker(void);

#define DAY_US CLOCK_US_PER_DAY
#define FROM_US (INT64_C(20000) * DAY_US)
#define ROWS_MAX 20000
#define STEPS_MAX 1000000

/* --- the scan --- */

struct row {
	char id[24];
	char price[24];
	char body[24];
	int64_t time_us;
	int block; /* rows of a block have its number, others 0 */
};

static struct row rows[ROWS_MAX];
static int rows_count;
static int pause_every; /* 0: never */
static const struct catalog_product *sms;
static int spans_given;
static bool gives_lines;   /* rows that are in no block come as lines, in twos and threes */
static bool gives_deflate; /* every other time as deflate, if that is wanted */
static int deflate_given;
static int lines_given;
static bool fail_scan;
static bool waits;           /* every other step */
static struct scan *waiting; /* after such a step */

static void fill_record(struct record *record, const struct row *row)
{
	record_clear(record, sms);
	record->values[sms->account_column] = STR_LITERAL("abcd1234");
	record->values[sms->id_column] = str_from(row->id);
	record->values[catalog_column_find(sms, STR_LITERAL("currency"))] =
		row->block % 2 ? STR_LITERAL("EUR") : STR_LITERAL("CHF");
	record->values[catalog_column_find(sms, STR_LITERAL("total_price"))] = str_from(row->price);
	record->values[catalog_column_find(sms, STR_LITERAL("message_body"))] = str_from(row->body);
}

static void write_lines(struct buf *out, int first, int count, const struct record_view *view)
{
	struct record record;

	for (int i = first; i < first + count; i++) {
		fill_record(&record, &rows[i]);
		record_write_csv(out, &record, view);
	}
}

static void place_after(struct scan_position *position, int row)
{
	struct scan_at at = { .day = clock_day_of(rows[row].time_us),
		              .time_us = rows[row].time_us,
		              .seq = (uint64_t)row + 1 };

	scan_at_write(&at, position);
}

static int block_len(int first)
{
	int count = 0;

	while (first + count < rows_count && rows[first + count].block == rows[first].block)
		count++;
	return count;
}

static bool give_span(const struct scan_query *query, const struct scan_sink *sink, int first, int count,
                      const struct scan_position *after)
{
	struct buf lines = { 0 }, deflate = { 0 };
	void *compressor = archive_deflate_new();
	struct decimal price;
	bool more;

	write_lines(&lines, first, count, &(struct record_view){ .direction = query->direction });
	ck_assert(archive_deflate(compressor, buf_str(&lines), &deflate));
	struct scan_span span = {
		.deflate = buf_str(&deflate),
		.csv_bytes = (uint32_t)lines.len,
		.csv_crc32 = (uint32_t)crc32(0, (const Bytef *)lines.data, (uInt)lines.len),
		.rows = (uint32_t)count,
		.first_us = rows[first].time_us,
		.last_us = rows[first + count - 1].time_us,
		.sums_count = 1,
		.sums = { { .currency = "CHF" } },
	};
	if (rows[first].block % 2)
		memcpy(span.sums[0].currency, "EUR", 4);
	for (int i = first; i < first + count; i++) {
		if (decimal_parse(str_from(rows[i].price), &price)) {
			decimal_add(&span.sums[0].total_price, price);
			span.sums[0].rows++;
		}
	}
	spans_given++;
	more = sink->on_span(sink->arg, &span, after);
	archive_deflate_free(compressor);
	buf_free(&lines);
	buf_free(&deflate);
	return more;
}

static bool give_row(const struct scan_sink *sink, int row, const struct scan_position *after)
{
	struct buf line = { 0 };
	struct record record;
	bool more;

	fill_record(&record, &rows[row]);
	if (sink->lines)
		record_write_csv(&line, &record, sink->lines);
	struct scan_row given = { &record, { NULL, 0 }, rows[row].time_us, (uint64_t)row + 1, after };
	if (sink->lines)
		given.line = buf_str(&line);
	more = sink->on_record(sink->arg, &given);
	buf_free(&line);
	return more;
}

/* How many rows from this one on, which is in no block, come together. */
static int lines_len(int first)
{
	int count = 0;

	while (first + count < rows_count && rows[first + count].block == 0 && count < 2 + first % 100 && count < 90)
		count++;
	return count;
}

/* In place of the pieces, which are not to be looked at then. */
static void deflate_lines(struct scan_lines *given, struct buf *all, struct buf *deflate)
{
	void *compressor = archive_deflate_new();

	for (size_t i = 0; i < given->pieces_count; i++)
		buf_add_str(all, given->pieces[i]);
	ck_assert(archive_deflate(compressor, buf_str(all), deflate));
	given->deflate = buf_str(deflate);
	given->csv_bytes = (uint32_t)all->len;
	given->csv_crc32 = crc32_gzip_refl(0, (const uint8_t *)all->data, all->len);
	given->pieces_count = 0;
	deflate_given++;
	archive_deflate_free(compressor);
}

static bool give_lines(const struct scan_sink *sink, int first, int count, const struct scan_position *after)
{
	struct scan_lines given = { .rows = (uint32_t)count,
		                    .first_us = rows[first].time_us,
		                    .last_us = rows[first + count - 1].time_us,
		                    .sums_count = 1,
		                    .sums = { { .currency = "CHF" } } };
	struct buf texts[SCAN_PIECES_MAX] = { { 0 } };
	struct decimal price;

	for (int i = first; i < first + count; i++) {
		size_t piece = (size_t)(i - first) / 2;

		write_lines(&texts[piece], i, 1, sink->lines);
		if (decimal_parse(str_from(rows[i].price), &price)) {
			decimal_add(&given.sums[0].total_price, price);
			given.sums[0].rows++;
		}
		given.pieces_count = piece + 1;
		given.pieces[piece] = buf_str(&texts[piece]);
	}
	lines_given++;
	struct buf all = { 0 }, deflate = { 0 };
	if (gives_deflate && sink->deflated_lines && first % 2)
		deflate_lines(&given, &all, &deflate);
	bool more = sink->on_lines(sink->arg, &given, after);
	buf_free(&all);
	buf_free(&deflate);
	for (size_t i = 0; i < SCAN_PIECES_MAX; i++)
		buf_free(&texts[i]);
	return more;
}

/* --- a scan of them --- */

struct fake_scan {
	struct scan base;
	struct scan_position position;
	bool has_waited;
};

static int fake_step(struct scan *base, int64_t deadline_us, enum scan_end *end, struct error *error)
{
	struct fake_scan *fake = (struct fake_scan *)base;
	const struct scan_sink *sink = &base->sink;
	int given = 0;

	(void)deadline_us;
	if (fail_scan)
		return error_set(error, ERROR_CORRUPT, "The block is damaged");
	fake->has_waited = waits && !fake->has_waited;
	waiting = fake->has_waited ? base : NULL;
	*end = fake->has_waited ? SCAN_WAITS : SCAN_STOPPED;
	if (fake->has_waited)
		return 0;
	for (int i = (int)scan_at_read(&fake->position).seq; i < rows_count;) {
		bool first_of_block = rows[i].block > 0 && (i == 0 || rows[i - 1].block != rows[i].block);
		bool as_lines = gives_lines && rows[i].block == 0 && sink->on_lines;
		int count = first_of_block && sink->on_span ? block_len(i) : as_lines ? lines_len(i) : 1;

		place_after(&fake->position, i + count - 1);
		if (!(as_lines  ? give_lines(sink, i, count, &fake->position) :
		      count > 1 ? give_span(&base->query, sink, i, count, &fake->position) :
		                  give_row(sink, i, &fake->position)))
			return 0;
		i += count;
		if (pause_every > 0 && ++given % pause_every == 0) {
			*end = SCAN_PAUSED;
			return 0;
		}
	}
	*end = SCAN_DONE;
	return 0;
}

static void fake_position(const struct scan *base, struct scan_position *position)
{
	*position = ((const struct fake_scan *)base)->position;
}

static void fake_cancel(struct scan *base)
{
	free(base);
}

static struct scan *fake_start(struct store *store, const struct scan_query *query, const struct scan_position *from,
                               const struct scan_sink *sink, struct error *error)
{
	static const struct scan_ops ops = { fake_step, fake_position, fake_cancel };
	struct fake_scan *fake = calloc(1, sizeof(*fake));

	(void)store;
	(void)error;
	ck_assert_ptr_nonnull(fake);
	*fake = (struct fake_scan){ { .ops = &ops, .query = *query, .sink = *sink }, *from, false };
	return &fake->base;
}

static const struct store_ops fake_engine = { .name = "fake", .scan = fake_start, .share = days_share };
static struct store_head fake_store = { .ops = &fake_engine };

static struct store *store_of_rows(void)
{
	return (struct store *)(void *)&fake_store;
}

/* Stretches of up to 400 rows in turns come as a block and one by one, some of the latter of one row only. */
static void make_rows(int count)
{
	int block = 0, left = 0;

	rows_count = count;
	for (int i = 0; i < count; i++) {
		struct row *row = &rows[i];

		if (left-- == 0) {
			block++;
			left = 1 + (block * 7919) % 400;
		}
		row->time_us = FROM_US + (int64_t)i * (DAY_US / 1000);
		row->block = block % 3 == 0 ? 0 : block;
		snprintf(row->id, sizeof(row->id), "%08x%08x", (unsigned)i * 2654435761U, (unsigned)i * 40503U);
		snprintf(row->price, sizeof(row->price), "0.%05d", i % 1000);
		snprintf(row->body, sizeof(row->body), "Body \"%d\"", i);
	}
}

/* --- the report --- */

static char path[64];
static struct account_key accounts[1];
static struct report_spec spec;
static struct error err;
static struct buf file;
static struct buf content;
static struct buf expected;
static struct maker_result result;

static void setup(void)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/cdrd-test-maker-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	sms = catalog_product_find(STR_LITERAL("SMS"));
	accounts[0] = account_key_of_id("abcd1234");
	spec = (struct report_spec){
		.query = {
			.product = sms,
			.direction = CATALOG_OUTBOUND,
			.accounts = accounts,
			.accounts_count = 1,
			.from_us = FROM_US,
			.to_us = FROM_US + 30 * DAY_US,
		},
		.view = { .direction = CATALOG_OUTBOUND },
		.inner_name = STR_LITERAL("report_SMS_abcd1234_20241004.csv"),
		.time_us = FROM_US,
	};
	pause_every = 0;
	spans_given = 0;
	fail_scan = waits = gives_lines = gives_deflate = false;
	lines_given = 0;
	make_rows(9000);
}

static void teardown(void)
{
	unlink(path);
	buf_free(&file);
	buf_free(&content);
	buf_free(&expected);
}

static struct maker *open_maker(struct str checkpoint)
{
	struct maker *maker = maker_new(store_of_rows(), &spec, path, checkpoint, &err);

	ck_assert_msg(maker != NULL, "%s", err.message);
	return maker;
}

/* The ids of a Parquet file, in lines. */
static void unpack_ids(void)
{
	struct unpack_at footer = unpack_footer(&file);
	struct unpack_at schema = unpack_field(footer, 2);
	struct buf values = { 0 };
	uint64_t column = 0;

	while (!str_is(unpack_binary(unpack_field(unpack_element(schema, column + 1), 4)), "id"))
		column++;
	for (uint64_t group = 0; group < unpack_count(unpack_field(footer, 4)); group++)
		unpack_column(&file, group, column, &values);
	for (size_t at = 0; at < values.len;) {
		uint32_t len = unpack_u32((const uint8_t *)values.data + at);

		buf_add(&content, values.data + at + 4, len);
		buf_add_char(&content, '\n');
		at += 4 + len;
	}
	ck_assert_int_eq(unpack_int(unpack_field(footer, 3)), (int64_t)result.rows);
	buf_free(&values);
}

static void read_back(void)
{
	char sha256[65];

	unpack_read_file(path, &file);
	buf_clear(&content);
	if (spec.format == REPORT_PARQUET)
		unpack_ids();
	else if (spec.compression == REPORT_ZIP)
		unpack_zip(&file, &content);
	else if (spec.compression == REPORT_GZIP)
		unpack_inflate(buf_str(&file), 31, &content);
	else
		unpack_zstd(&file, &content);
	unpack_sha256(&file, sha256);
	ck_assert_str_eq(result.sha256, sha256);
	ck_assert_uint_eq(result.bytes, file.len);
}

/* Runs it to its end in slices of `slice_us`. */
static enum maker_end run(struct maker *maker, int64_t slice_us)
{
	enum maker_end end = MAKER_MORE;

	for (int i = 0; end == MAKER_MORE && i < STEPS_MAX; i++)
		end = maker_step(maker, clock_monotonic_us() + slice_us, &err);
	ck_assert_msg(end != MAKER_FAILED, "%s", err.message);
	maker_result(maker, &result);
	return end;
}

static enum maker_end make(void)
{
	struct maker *maker = open_maker(STR_LITERAL(""));
	enum maker_end end = run(maker, CLOCK_US_PER_HOUR);

	maker_free(maker);
	read_back();
	return end;
}

static void expect_rows(int count)
{
	buf_clear(&expected);
	if (spec.format == REPORT_PARQUET) {
		for (int i = 0; i < count; i++)
			buf_addf(&expected, "%s\n", rows[i].id);
		return;
	}
	record_write_csv_header(&expected, sms, &spec.view);
	write_lines(&expected, 0, count, &spec.view);
}

static void assert_content(void)
{
	ck_assert_uint_eq(content.len, expected.len);
	ck_assert_mem_eq(buf_str(&content).p, buf_str(&expected).p, expected.len);
}

START_TEST(report_holds_all_rows_in_order)
{
	spec.compression = (enum report_compression)_i;
	ck_assert_int_eq(make(), MAKER_DONE);
	expect_rows(rows_count);
	assert_content();
	ck_assert_int_gt(spans_given, 10);
}
END_TEST

static void take_ready(void *arg)
{
	bool *ready = arg;

	*ready = true;
}

START_TEST(store_that_cannot_answer_at_once_makes_the_same_file)
{
	struct buf first = { 0 };
	struct maker *maker;
	enum maker_end end = MAKER_MORE;
	int waited = 0;
	bool ready;

	spec.compression = (enum report_compression)_i;
	make();
	buf_add(&first, file.data, file.len);
	waits = true;
	pause_every = 100;
	maker = open_maker(STR_LITERAL(""));
	maker_on_ready(maker, take_ready, &ready);
	for (int i = 0; (end == MAKER_MORE || end == MAKER_WAITS) && i < STEPS_MAX; i++) {
		end = maker_step(maker, INT64_MAX, &err);
		if (end != MAKER_WAITS)
			continue;
		waited++;
		ready = false;
		scan_ready(waiting);
		ck_assert_msg(ready, "the report was not told that there is something");
	}
	ck_assert_int_eq(end, MAKER_DONE);
	ck_assert_int_gt(waited, 5);
	maker_result(maker, &result);
	maker_free(maker);
	read_back();
	ck_assert_uint_eq(file.len, first.len);
	ck_assert_mem_eq(file.data, first.data, first.len);
	buf_free(&first);
}
END_TEST

START_TEST(report_without_rows_is_a_header_line)
{
	spec.compression = (enum report_compression)_i;
	rows_count = 0;
	ck_assert_int_eq(make(), MAKER_DONE);
	expect_rows(0);
	assert_content();
	ck_assert_uint_eq(result.rows, 0);
	ck_assert_uint_eq(result.sums_count, 0);
	ck_assert_int_eq(result.first_us, 0);
}
END_TEST

START_TEST(ndjson_report_without_rows_is_empty)
{
	spec.compression = (enum report_compression)_i;
	spec.format = REPORT_NDJSON;
	rows_count = 0;
	ck_assert_int_eq(make(), MAKER_DONE);
	ck_assert_uint_eq(content.len, 0);
}
END_TEST

START_TEST(manifest_sums_are_exact)
{
	struct decimal sums[2] = { { 0 }, { 0 } }, price;

	snprintf(rows[5].price, sizeof(rows[5].price), "free");
	snprintf(rows[6].price, sizeof(rows[6].price), "%s", "");
	for (int i = 0; i < rows_count; i++)
		if (decimal_parse(str_from(rows[i].price), &price))
			decimal_add(&sums[rows[i].block % 2], price);
	ck_assert_int_eq(make(), MAKER_DONE);
	ck_assert_uint_eq(result.rows, (uint64_t)rows_count);
	ck_assert_int_eq(result.first_us, rows[0].time_us);
	ck_assert_int_eq(result.last_us, rows[rows_count - 1].time_us);
	ck_assert_uint_eq(result.sums_count, 2);
	ck_assert_str_eq(result.sums[0].currency, "CHF");
	ck_assert_str_eq(result.sums[1].currency, "EUR");
	ck_assert(result.sums[0].total_price.units == sums[0].units);
	ck_assert(result.sums[1].total_price.units == sums[1].units);
	ck_assert_uint_eq(result.sums[0].rows + result.sums[1].rows, (uint64_t)rows_count - 2);
}
END_TEST

START_TEST(price_that_is_no_number_is_told_of_and_not_taken_for_nothing)
{
	spec.format = REPORT_NDJSON; /* row by row */
	snprintf(rows[5].price, sizeof(rows[5].price), "free");
	snprintf(rows[6].price, sizeof(rows[6].price), "%s", "");
	snprintf(rows[7].price, sizeof(rows[7].price), "5e-05"); /* as ingest once stored it */
	ck_assert_int_eq(make(), MAKER_DONE);
	ck_assert_uint_eq(result.unsummed, 1);
	ck_assert_uint_eq(result.sums[0].rows + result.sums[1].rows, (uint64_t)rows_count - 2);
}
END_TEST

START_TEST(message_bodies_are_shown_when_asked_for)
{
	spec.view.include_message = true;
	spec.view.show_concatenated = true;
	ck_assert_int_eq(make(), MAKER_DONE);
	expect_rows(rows_count);
	assert_content();
	ck_assert_ptr_nonnull(strstr(buf_cstr(&content), "\"Body \"\"17\"\"\""));
}
END_TEST

START_TEST(csv_columns_come_in_the_order_given)
{
	uint8_t columns[] = { catalog_column_find(sms, STR_LITERAL("message_body")),
		              catalog_column_find(sms, STR_LITERAL("id")),
		              catalog_column_find(sms, STR_LITERAL("account_id")) };

	rows_count = 2;
	spec.columns = columns;
	spec.columns_count = 3;
	ck_assert_int_eq(make(), MAKER_DONE);
	buf_addf(&expected,
	         "\"message_body\",\"id\",\"account_id\"\n\"Body \"\"0\"\"\",\"%s\",\"abcd1234\"\n"
	         "\"Body \"\"1\"\"\",\"%s\",\"abcd1234\"\n",
	         rows[0].id, rows[1].id);
	assert_content();
}
END_TEST

START_TEST(ndjson_is_an_object_a_line)
{
	struct record record;

	spec.format = REPORT_NDJSON;
	spec.view.include_message = true;
	rows_count = 3000;
	snprintf(rows[0].body, sizeof(rows[0].body), "one\ntwo");
	ck_assert_int_eq(make(), MAKER_DONE);
	for (int i = 0; i < rows_count; i++) {
		fill_record(&record, &rows[i]);
		record_write_json(&expected, &record, &spec.view);
		buf_add_char(&expected, '\n');
	}
	assert_content();
}
END_TEST

START_TEST(ndjson_columns_come_in_the_order_given)
{
	uint8_t columns[] = { catalog_column_find(sms, STR_LITERAL("udh")),
		              catalog_column_find(sms, STR_LITERAL("id")) };

	spec.format = REPORT_NDJSON;
	spec.columns = columns;
	spec.columns_count = 2;
	rows_count = 1;
	ck_assert_int_eq(make(), MAKER_DONE);
	buf_addf(&expected, "{\"udh\":\"\",\"id\":\"%s\"}\n", rows[0].id);
	assert_content();
}
END_TEST

/* Records of before ingest checked times may have anything there. */
START_TEST(formula_in_a_column_of_times_is_defused_for_excel)
{
	uint8_t column = catalog_column_find(sms, STR_LITERAL("date_finalized"));
	struct maker_dress dress = { 0 };
	struct maker_lines lines;
	struct record record;
	const struct record *shown;

	spec.dialect = REPORT_EXCEL;
	maker_lines_init(&lines, &spec);
	fill_record(&record, &rows[0]);
	record.values[column] = STR_LITERAL("=1+1");
	shown = maker_dress(&dress, &spec, &lines, &record);
	ck_assert_ptr_nonnull(shown);
	ck_assert(str_is(shown->values[column], "'=1+1"));
	record.values[column] = STR_LITERAL("2026-11-24T14:20:11+00:00");
	shown = maker_dress(&dress, &spec, &lines, &record);
	ck_assert(str_is(shown->values[column], "2026-11-24T14:20:11+00:00"));
	buf_free(&dress.text);
}
END_TEST

START_TEST(json_text_over_lines_becomes_one_line)
{
	const struct catalog_product *product = NULL;
	uint8_t column = 0;
	struct record record;
	struct maker_lines lines;
	struct buf out = { 0 };

	for (size_t p = 0; p < catalog_products_count && !product; p++)
		for (column = 0; column < catalog_products[p].columns_count; column++)
			if (catalog_products[p].columns[column].kind == CATALOG_JSON) {
				product = &catalog_products[p];
				break;
			}
	ck_assert_ptr_nonnull(product);
	spec.format = REPORT_NDJSON;
	spec.query.product = product;
	spec.view.direction = CATALOG_NO_DIRECTION;
	record_clear(&record, product);
	record.values[column] = STR_LITERAL("{\n\t\"a\": 1\r\n}");
	maker_lines_init(&lines, &spec);
	maker_add_line(&out, &spec, &lines, &record, (struct str){ NULL, 0 });
	ck_assert_ptr_eq(memchr(out.data, '\n', out.len), out.data + out.len - 1);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "{ \t\"a\": 1  }"));
	buf_free(&out);
}
END_TEST

static void assert_rows(int count)
{
	expect_rows(count);
	assert_content();
	ck_assert_uint_eq(result.rows, (uint64_t)count);
}

START_TEST(max_rows_cuts_the_report)
{
	const int limits[] = { 1, 2, 300, 555, 4000, 8999 };

	spec.compression = (enum report_compression)_i;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		spec.max_rows = (uint64_t)limits[i];
		ck_assert_int_eq(make(), MAKER_TRUNCATED);
		assert_rows(limits[i]);
	}
	for (int more = 0; more < 2; more++) {
		spec.max_rows = (uint64_t)(rows_count + more);
		ck_assert_int_eq(make(), MAKER_DONE);
		assert_rows(rows_count);
	}
}
END_TEST

START_TEST(max_bytes_cuts_the_report)
{
	uint64_t whole;

	spec.compression = (enum report_compression)_i;
	ck_assert_int_eq(make(), MAKER_DONE);
	whole = result.bytes;
	for (uint64_t limit = 700; limit < whole; limit += 1 + whole / 13) {
		spec.max_bytes = limit;
		ck_assert_int_eq(make(), MAKER_TRUNCATED);
		ck_assert_uint_le(result.bytes, limit);
		ck_assert_msg(limit - result.bytes < 300, "%llu of %llu bytes used", (unsigned long long)result.bytes,
		              (unsigned long long)limit);
		assert_rows((int)result.rows);
	}
	spec.max_bytes = whole;
	ck_assert_int_eq(make(), MAKER_DONE);
	assert_rows(rows_count);
	spec.max_bytes = 1;
	ck_assert_int_eq(make(), MAKER_TRUNCATED);
	assert_rows(0);
}
END_TEST

/* Makes the report in short slices, with a checkpoint after some of them, and a crash after others; returns how many
 * crashes. */
static int make_with_crashes(unsigned seed)
{
	struct buf checkpoint = { 0 }, fresh = { 0 };
	struct maker *maker = open_maker(buf_str(&checkpoint));
	enum maker_end end = MAKER_MORE;
	int crashes = 0;

	srand(seed);
	for (int i = 0; end == MAKER_MORE && i < STEPS_MAX; i++) {
		pause_every = 1 + rand() % 300;
		end = maker_step(maker, 0, &err);
		ck_assert_msg(end != MAKER_FAILED, "%s", err.message);
		if (end == MAKER_MORE && rand() % 3 == 0) {
			buf_clear(&fresh);
			ck_assert_int_eq(maker_checkpoint(maker, &fresh, &err), 0);
			ck_assert_uint_lt(fresh.len, 4096);
			buf_clear(&checkpoint);
			buf_add(&checkpoint, fresh.data, fresh.len);
		}
		if (end == MAKER_MORE && crashes < 25 && rand() % 6 == 0) {
			maker_free(maker);
			maker = open_maker(buf_str(&checkpoint));
			crashes++;
		}
	}
	maker_result(maker, &result);
	maker_free(maker);
	buf_free(&checkpoint);
	buf_free(&fresh);
	ck_assert_int_ne(end, MAKER_MORE);
	return crashes;
}

static void assert_crashes_do_not_show(void)
{
	struct maker_result whole;
	struct buf first = { 0 };
	int crashes = 0;

	make();
	whole = result;
	buf_add(&first, file.data, file.len);
	for (unsigned seed = 1; seed <= 8; seed++) {
		crashes += make_with_crashes(seed);
		read_back();
		ck_assert_uint_eq(file.len, first.len);
		ck_assert_mem_eq(file.data, first.data, first.len);
		ck_assert_uint_eq(result.rows, whole.rows);
		ck_assert_uint_eq(result.sums_count, whole.sums_count);
		for (size_t i = 0; i < whole.sums_count; i++)
			ck_assert(result.sums[i].total_price.units == whole.sums[i].total_price.units);
	}
	ck_assert_int_gt(crashes, 0);
	buf_free(&first);
}

START_TEST(crashes_do_not_show_in_the_file)
{
	spec.compression = (enum report_compression)_i;
	assert_crashes_do_not_show();
}
END_TEST

START_TEST(crashes_do_not_show_in_a_cut_file)
{
	spec.compression = (enum report_compression)_i;
	spec.max_rows = 7777;
	assert_crashes_do_not_show();
	spec.max_rows = 0;
	spec.max_bytes = 70001;
	assert_crashes_do_not_show();
}
END_TEST

START_TEST(crashes_do_not_show_in_other_formats)
{
	uint8_t column = sms->id_column;

	spec.view.include_message = true;
	assert_crashes_do_not_show();
	spec.format = REPORT_NDJSON;
	assert_crashes_do_not_show();
	spec.columns = &column;
	spec.columns_count = 1;
	assert_crashes_do_not_show();
}
END_TEST

static void assert_lines_come_together(enum report_compression compression)
{
	struct maker_result alone;
	const int limits[] = { 1, 150, 4000, 8999 };

	spec.compression = compression;
	ck_assert_int_eq(make(), MAKER_DONE);
	alone = result;
	gives_lines = true;
	ck_assert_int_eq(make(), MAKER_DONE);
	ck_assert_int_gt(lines_given, 10);
	expect_rows(rows_count);
	assert_content();
	ck_assert_uint_eq(result.rows, alone.rows);
	ck_assert_uint_eq(result.unsummed, alone.unsummed);
	ck_assert_int_eq(result.first_us, alone.first_us);
	ck_assert_int_eq(result.last_us, alone.last_us);
	ck_assert_uint_eq(result.sums_count, alone.sums_count);
	for (size_t i = 0; i < alone.sums_count; i++) {
		ck_assert_str_eq(result.sums[i].currency, alone.sums[i].currency);
		ck_assert(result.sums[i].total_price.units == alone.sums[i].total_price.units);
		ck_assert_uint_eq(result.sums[i].rows, alone.sums[i].rows);
	}
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		spec.max_rows = (uint64_t)limits[i];
		ck_assert_int_eq(make(), MAKER_TRUNCATED);
		assert_rows(limits[i]);
	}
	spec.max_rows = 0;
	spec.max_bytes = alone.bytes / 3;
	ck_assert_int_eq(make(), MAKER_TRUNCATED);
	ck_assert_uint_le(result.bytes, spec.max_bytes);
	assert_rows((int)result.rows);
	assert_crashes_do_not_show();
	spec.max_bytes = 0;
	assert_crashes_do_not_show();
}

START_TEST(lines_that_come_together_are_as_those_that_come_alone)
{
	assert_lines_come_together((enum report_compression)_i);
}
END_TEST

/* Zstd does not want it. */
START_TEST(lines_that_come_as_deflate_are_as_those_that_come_alone)
{
	gives_deflate = true;
	deflate_given = 0;
	assert_lines_come_together((enum report_compression)_i);
	ck_assert_int_eq(deflate_given > 10, _i != REPORT_ZSTD);
}
END_TEST

/* More than zstd compresses without a look at the time. */
START_TEST(crashes_do_not_show_in_a_file_of_large_blocks)
{
	for (int i = 0; i < rows_count; i++)
		rows[i].block = i < 100 ? 0 : 1 + i / 4450;
	spec.compression = (enum report_compression)_i;
	assert_crashes_do_not_show();
	expect_rows(rows_count);
	assert_content();
	spec.max_bytes = 50000;
	assert_crashes_do_not_show();
	ck_assert_uint_le(file.len, 50000);
	assert_rows((int)result.rows);
}
END_TEST

/* --- Parquet --- */

static void begin_parquet(void)
{
	spec.format = REPORT_PARQUET;
	spec.group_rows = 1300;
}

START_TEST(parquet_holds_all_rows_in_order)
{
	begin_parquet();
	ck_assert_int_eq(make(), MAKER_DONE);
	assert_rows(rows_count);
	ck_assert_uint_eq(unpack_count(unpack_field(unpack_footer(&file), 4)), 7);
	rows_count = 0;
	ck_assert_int_eq(make(), MAKER_DONE);
	assert_rows(0);
}
END_TEST

START_TEST(crashes_do_not_show_in_parquet)
{
	begin_parquet();
	assert_crashes_do_not_show();
	assert_rows(rows_count);
	spec.max_rows = 7777;
	assert_crashes_do_not_show();
	assert_rows(7777);
	spec.max_rows = 0;
	spec.max_bytes = 80001;
	assert_crashes_do_not_show();
	ck_assert_uint_gt(result.rows, 0);
	assert_rows((int)result.rows);
}
END_TEST

START_TEST(limits_cut_parquet)
{
	uint64_t whole, last = 0;

	begin_parquet();
	for (spec.max_rows = 1; spec.max_rows < 4000; spec.max_rows = spec.max_rows * 3 + 1300) {
		ck_assert_int_eq(make(), MAKER_TRUNCATED);
		assert_rows((int)spec.max_rows);
	}
	spec.max_rows = (uint64_t)rows_count;
	ck_assert_int_eq(make(), MAKER_DONE);
	whole = result.bytes;
	for (spec.max_bytes = 20000; spec.max_bytes < whole; spec.max_bytes += 30000) {
		ck_assert_int_eq(make(), MAKER_TRUNCATED);
		ck_assert_uint_le(result.bytes, spec.max_bytes);
		assert_rows((int)result.rows);
		ck_assert_uint_ge(result.rows, last);
		last = result.rows;
	}
	ck_assert_uint_gt(last, 1000);
	spec.max_bytes = whole;
	ck_assert_int_eq(make(), MAKER_DONE);
	spec.max_bytes = 1;
	ck_assert_int_eq(make(), MAKER_TRUNCATED);
	assert_rows(0);
}
END_TEST

/* All texts of the file at `path`; false if it is damaged. */
static bool read_texts(struct buf *texts)
{
	struct archive_reader *reader = archive_reader_new(path, ARCHIVE_PARQUET, &err);
	struct str piece;
	int more = -1;

	buf_clear(texts);
	while (reader && (more = archive_reader_next(reader, &piece, &err)) > 0)
		buf_add_str(texts, piece);
	archive_reader_free(reader);
	if (more < 0)
		ck_assert_msg(err.code == ERROR_CORRUPT, "%s", err.message);
	return more == 0;
}

START_TEST(searches_see_all_texts_of_parquet_and_notice_damage)
{
	struct buf texts = { 0 };
	int noticed = 0;

	begin_parquet();
	spec.view.include_message = true;
	rows_count = 3000;
	ck_assert_int_eq(make(), MAKER_DONE);
	ck_assert_msg(read_texts(&texts), "%s", err.message);
	for (int i = 0; i < rows_count; i += 97) {
		ck_assert_ptr_nonnull(memmem(texts.data, texts.len, rows[i].id, strlen(rows[i].id)));
		ck_assert_ptr_nonnull(memmem(texts.data, texts.len, rows[i].body, strlen(rows[i].body)));
	}
	srand(1);
	for (int i = 0; i < 300; i++) {
		size_t at = (size_t)rand() % file.len;
		char was = file.data[at];
		FILE *to = fopen(path, "wb");

		file.data[at] = (char)(was ^ (1 << rand() % 8));
		ck_assert_uint_eq(fwrite(file.data, 1, i % 10 == 9 ? at : file.len, to), i % 10 == 9 ? at : file.len);
		fclose(to);
		file.data[at] = was;
		noticed += !read_texts(&texts);
	}
	ck_assert_int_gt(noticed, 150); /* not in the footer, nor in columns of times and amounts */
	buf_free(&texts);
}
END_TEST

START_TEST(value_that_parquet_cannot_hold_ends_the_report_and_is_named)
{
	enum maker_end end = MAKER_MORE;

	begin_parquet();
	snprintf(rows[5].price, sizeof(rows[5].price), "free");
	struct maker *maker = open_maker(STR_LITERAL(""));
	for (int i = 0; end == MAKER_MORE && i < STEPS_MAX; i++)
		end = maker_step(maker, INT64_MAX, &err);
	maker_free(maker);
	ck_assert_int_eq(end, MAKER_FAILED);
	ck_assert_int_eq(err.code, ERROR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.message, "total_price"));
	ck_assert_ptr_nonnull(strstr(err.message, "\"free\""));
	ck_assert_ptr_nonnull(strstr(err.message, rows[5].id));
}
END_TEST

START_TEST(checkpoint_of_nonsense_is_refused)
{
	struct str bad[] = { STR_LITERAL("x"), STR_LITERAL("\x92\x01\x02"), STR_LITERAL("\x91\x7f") };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_ptr_null(maker_new(store_of_rows(), &spec, path, bad[i], &err));
		ck_assert_int_eq(err.code, ERROR_CORRUPT);
	}
}
END_TEST

START_TEST(progress_grows_to_the_whole)
{
	struct maker_progress before = { 0 }, now;
	struct maker *maker;

	spec.query.to_us = rows[rows_count - 1].time_us + 1;
	maker = open_maker(STR_LITERAL(""));
	pause_every = 100;
	while (maker_step(maker, 0, &err) == MAKER_MORE) {
		maker_progress(maker, &now);
		ck_assert(now.share >= before.share && now.share <= 1);
		ck_assert_uint_ge(now.rows, before.rows);
		ck_assert_uint_ge(now.bytes, before.bytes);
		before = now;
	}
	ck_assert_msg(before.share > 0.9, "%f", before.share);
	maker_progress(maker, &now);
	ck_assert(now.share >= 1);
	ck_assert_uint_eq(now.rows, (uint64_t)rows_count);
	maker_free(maker);
}
END_TEST

static double share_at(const struct scan_query *query, struct scan_at at)
{
	struct scan_position position;

	scan_at_write(&at, &position);
	return scan_share(store_of_rows(), query, &position);
}

START_TEST(share_counts_days_accounts_and_times)
{
	struct scan_query query = { .accounts_count = 4,
		                    .from_us = FROM_US + DAY_US / 2,
		                    .to_us = FROM_US + DAY_US * 5 / 2 };
	struct scan_at at = { 0 };

	ck_assert_double_eq(share_at(&query, at), 0);
	at = (struct scan_at){ .day = 20000, .account = 2 };
	ck_assert_double_eq_tol(share_at(&query, at), 0.125, 1e-6);
	at = (struct scan_at){ .day = 20000, .account = 4 };
	ck_assert_double_eq_tol(share_at(&query, at), 0.25, 1e-6);
	at = (struct scan_at){ .day = 20001, .account = 1, .time_us = FROM_US + DAY_US * 3 / 2 };
	ck_assert_double_eq_tol(share_at(&query, at), 0.25 + 0.5 * 1.5 / 4, 1e-6);
	at = (struct scan_at){ .day = 20002, .account = 4 };
	ck_assert_double_eq_tol(share_at(&query, at), 1, 1e-6);
}
END_TEST

START_TEST(failure_of_the_scan_is_that_of_the_report)
{
	struct maker *maker = open_maker(STR_LITERAL(""));

	fail_scan = true;
	ck_assert_int_eq(maker_step(maker, INT64_MAX, &err), MAKER_FAILED);
	ck_assert_int_eq(err.code, ERROR_CORRUPT);
	ck_assert_str_eq(err.message, "The block is damaged");
	maker_free(maker);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

Suite *suite_maker(void)
{
	Suite *s = suite_create("maker");
	TCase *each = tcase_create("each compression");
	TCase *one = tcase_create("one compression");

	tcase_add_checked_fixture(each, setup, teardown);
	tcase_set_timeout(each, 60);
	tcase_add_loop_test(each, report_holds_all_rows_in_order, REPORT_ZIP, REPORT_ZSTD + 1);
	tcase_add_loop_test(each, store_that_cannot_answer_at_once_makes_the_same_file, REPORT_ZIP, REPORT_ZSTD + 1);
	tcase_add_loop_test(each, report_without_rows_is_a_header_line, REPORT_ZIP, REPORT_ZSTD + 1);
	tcase_add_loop_test(each, ndjson_report_without_rows_is_empty, REPORT_ZIP, REPORT_ZSTD + 1);
	tcase_add_loop_test(each, max_rows_cuts_the_report, REPORT_ZIP, REPORT_ZSTD + 1);
	tcase_add_loop_test(each, max_bytes_cuts_the_report, REPORT_ZIP, REPORT_ZSTD + 1);
	tcase_add_loop_test(each, crashes_do_not_show_in_the_file, REPORT_ZIP, REPORT_ZSTD + 1);
	tcase_add_loop_test(each, crashes_do_not_show_in_a_cut_file, REPORT_ZIP, REPORT_ZSTD + 1);
	tcase_add_loop_test(each, lines_that_come_together_are_as_those_that_come_alone, REPORT_ZIP, REPORT_ZSTD + 1);
	tcase_add_loop_test(each, lines_that_come_as_deflate_are_as_those_that_come_alone, REPORT_ZIP, REPORT_ZSTD + 1);
	tcase_add_loop_test(each, crashes_do_not_show_in_a_file_of_large_blocks, REPORT_ZIP, REPORT_ZSTD + 1);
	suite_add_tcase(s, each);
	tcase_add_checked_fixture(one, setup, teardown);
	tcase_set_timeout(one, 60);
	tcase_add_test(one, manifest_sums_are_exact);
	tcase_add_test(one, price_that_is_no_number_is_told_of_and_not_taken_for_nothing);
	tcase_add_test(one, message_bodies_are_shown_when_asked_for);
	tcase_add_test(one, csv_columns_come_in_the_order_given);
	tcase_add_test(one, ndjson_is_an_object_a_line);
	tcase_add_test(one, ndjson_columns_come_in_the_order_given);
	tcase_add_test(one, formula_in_a_column_of_times_is_defused_for_excel);
	tcase_add_test(one, json_text_over_lines_becomes_one_line);
	tcase_add_test(one, crashes_do_not_show_in_other_formats);
	tcase_add_test(one, parquet_holds_all_rows_in_order);
	tcase_add_test(one, crashes_do_not_show_in_parquet);
	tcase_add_test(one, limits_cut_parquet);
	tcase_add_test(one, searches_see_all_texts_of_parquet_and_notice_damage);
	tcase_add_test(one, value_that_parquet_cannot_hold_ends_the_report_and_is_named);
	tcase_add_test(one, checkpoint_of_nonsense_is_refused);
	tcase_add_test(one, progress_grows_to_the_whole);
	tcase_add_test(one, share_counts_days_accounts_and_times);
	tcase_add_test(one, failure_of_the_scan_is_that_of_the_report);
	suite_add_tcase(s, one);
	return s;
}
