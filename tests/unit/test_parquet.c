/* SPDX-License-Identifier: ISC */
/*
 * test_parquet.c: whatever rows are given, a Parquet file holds them: its parts one by one, and files of random rows
 * beside what went into them.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "parquet/parquet_private.h"
#include "parquet/parquet_thrift.h"
#include "parquet_unpack.h"

Suite *suite_parquet(void);

#define ROWS_MAX 40000

static unsigned seed;
static struct buf out;

static void setup(void)
{
	seed = 1;
}

static void teardown(void)
{
	buf_free(&out);
}

static unsigned pick(unsigned count)
{
	seed = seed * 1103515245U + 12345;
	return (seed >> 8) % count;
}

/* --- Thrift --- */

START_TEST(thrift_says_what_its_specification_says)
{
	struct thrift_writer w = { &out, 0 };

	thrift_bool(&w, 1, true);
	thrift_i32(&w, 2, -1);
	thrift_i64(&w, 20, INT64_MIN);
	thrift_binary(&w, 21, STR_LITERAL("ab"));
	thrift_list(&w, 22, THRIFT_I32, 2);
	thrift_element_i32(&w, 1);
	thrift_element_i32(&w, 300);
	struct thrift_writer inner = thrift_begin(&w, 23);
	thrift_byte(&inner, 1, -2);
	thrift_end(&inner);
	thrift_end(&w);
	static const char wanted[] = "\x11\x15\x01\x06\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x18\x02"
				     "ab\x19\x25\x02\xd8\x04\x1c\x13\xfe\x00\x00";
	ck_assert_uint_eq(out.len, sizeof(wanted) - 1);
	ck_assert_mem_eq(out.data, wanted, out.len);
}
END_TEST

START_TEST(thrift_reads_what_it_wrote_and_skips_the_rest)
{
	struct thrift_writer w = { &out, 0 };

	thrift_list(&w, 1, THRIFT_STRUCT, 20);
	for (int i = 0; i < 20; i++) {
		struct thrift_writer element = thrift_begin(&w, 0);

		thrift_binary(&element, 7, STR_LITERAL("skipped"));
		thrift_bool(&element, 8, false);
		thrift_end(&element);
	}
	struct thrift_writer inner = thrift_begin(&w, 5);
	thrift_i32(&inner, 3, 42);
	thrift_end(&inner);
	thrift_i64(&w, 6, -7);
	thrift_end(&w);
	for (size_t len = 0; len <= out.len; len++) {
		struct thrift_reader r = { .p = out.data, .end = out.data + len };
		int64_t found[2] = { 0, 0 };

		while (thrift_next(&r)) {
			if (r.id == 5) {
				int entered = thrift_enter(&r);

				while (thrift_next(&r))
					found[0] = thrift_int(&r);
				thrift_leave(&r, entered);
			} else if (r.id == 6) {
				found[1] = thrift_int(&r);
			} else {
				thrift_skip(&r);
			}
		}
		ck_assert_int_eq(r.bad, len < out.len);
		if (len == out.len)
			ck_assert(found[0] == 42 && found[1] == -7);
	}
}
END_TEST

/* --- the hybrid --- */

START_TEST(the_hybrid_holds_any_runs_at_any_width)
{
	static uint16_t numbers[3000], read[3000];

	for (int width = 1; width <= 16; width++) {
		size_t count = 1 + pick(3000);

		for (size_t at = 0; at < count;) {
			uint16_t number = (uint16_t)(pick(1U << 16) & ((1U << width) - 1));

			for (size_t run = 1 + pick(pick(2) ? 3 : 40); run > 0 && at < count; run--)
				numbers[at++] = number;
		}
		buf_clear(&out);
		hybrid_add(&out, numbers, count, width);
		unpack_hybrid((const uint8_t *)out.data, (const uint8_t *)out.data + out.len, width, read, count);
		ck_assert_mem_eq(read, numbers, count * sizeof(*numbers));
	}
}
END_TEST

START_TEST(equal_numbers_take_a_few_bytes)
{
	static uint16_t numbers[16384];

	hybrid_add(&out, numbers, 16384, 12);
	ck_assert_uint_le(out.len, 5);
}
END_TEST

START_TEST(a_width_holds_its_codes)
{
	ck_assert_int_eq(hybrid_width(0), 1);
	ck_assert_int_eq(hybrid_width(1), 1);
	ck_assert_int_eq(hybrid_width(2), 2);
	ck_assert_int_eq(hybrid_width(255), 8);
	ck_assert_int_eq(hybrid_width(256), 9);
}
END_TEST

/* --- files of random rows --- */

/* How a column's values are made. */
struct shape {
	const char *name;
	enum parquet_type type;
	unsigned distinct; /* values; 0: each its own */
	unsigned nulls;    /* in a hundred */
	unsigned len;      /* of texts, at most */
};

static const struct shape shapes[] = {
	{ "empty", PARQUET_TEXT, 1, 100, 4 },      { "same", PARQUET_TEXT, 1, 0, 12 },
	{ "few", PARQUET_TEXT, 7, 10, 20 },        { "thousands", PARQUET_TEXT, 3000, 1, 10 },
	{ "more", PARQUET_TEXT, 20000, 50, 12 },   { "own", PARQUET_TEXT, 0, 0, 36 },
	{ "own_null", PARQUET_TEXT, 0, 99, 36 },   { "long", PARQUET_TEXT, 0, 90, 9000 },
	{ "time", PARQUET_TIME, 0, 0, 0 },         { "time_null", PARQUET_TIME, 50, 30, 0 },
	{ "price", PARQUET_DECIMAL, 30, 5, 0 },    { "number", PARQUET_DECIMAL, 0, 20, 0 },
	{ "nothing", PARQUET_DECIMAL, 1, 100, 0 },
};
#define COLUMNS (sizeof(shapes) / sizeof(shapes[0]))

static struct parquet_column columns[COLUMNS];
static struct buf texts[COLUMNS]; /* the values given, as unpack_column has them */
static struct buf file;
static struct buf directories;

static void make_text(const struct shape *shape, unsigned number, struct buf *value)
{
	if (shape->type == PARQUET_TIME) {
		clock_format_record(value, (int64_t)number * 1234567891 + INT64_C(1000000000000000));
	} else if (shape->type == PARQUET_DECIMAL) {
		decimal_format(value, (struct decimal){ ((decimal_units)number - 1000) * 1234567890123456789 });
	} else {
		buf_addf(value, "%s%x", shape->name, number * 2654435761U);
		for (unsigned len = number % shape->len; value->len < len;)
			buf_addf(value, "%u", pick(1000));
	}
}

/* The value as the file must have it. */
static void add_wanted(const struct shape *shape, struct str text, struct buf *to)
{
	uint8_t bytes[13];
	int64_t time_us;
	struct decimal number;

	if (shape->type == PARQUET_TEXT) {
		unpack_add(to, (const uint8_t *)text.p, (uint32_t)text.len, text.len == 0);
	} else if (text.len == 0) {
		unpack_add(to, NULL, 0, true);
	} else if (shape->type == PARQUET_TIME) {
		ck_assert(clock_parse_iso8601(text, &time_us));
		unpack_add(to, (const uint8_t *)&time_us, sizeof(time_us), false);
	} else {
		ck_assert(decimal_parse(text, &number));
		for (int i = 0; i < 13; i++)
			bytes[12 - i] = (uint8_t)(number.units >> (8 * i));
		unpack_add(to, bytes, sizeof(bytes), false);
	}
}

static void add_random_row(struct parquet_group *group, unsigned row)
{
	static struct buf value;

	for (size_t i = 0; i < COLUMNS; i++) {
		const struct shape *shape = &shapes[i];

		buf_clear(&value);
		if (pick(100) >= shape->nulls)
			make_text(shape, shape->distinct ? pick(shape->distinct) : row, &value);
		ck_assert_msg(parquet_group_add(group, i, buf_str(&value)), "%s", buf_cstr(&value));
		add_wanted(shape, buf_str(&value), &texts[i]);
	}
	parquet_group_end_row(group);
	buf_free(&value);
}

static void end_group(struct parquet_group *group)
{
	struct str piece;
	uint64_t offset = file.len, at = 0, chunks_bytes;
	uint32_t directory_bytes;
	int more;

	while ((more = parquet_group_finish_some(group)) > 0)
		;
	ck_assert_int_eq(more, 0);
	ck_assert(parquet_group_close(group, offset));
	for (; parquet_group_piece(group, at, &piece); at += piece.len)
		buf_add_str(&file, piece);
	ck_assert_uint_eq(at, parquet_group_bytes(group));
	struct str index = { file.data + offset, parquet_index_bytes(COLUMNS) };
	ck_assert(parquet_index_read(index, &chunks_bytes, &directory_bytes));
	ck_assert_uint_eq(directory_bytes, parquet_group_directory_bytes(group));
	ck_assert_uint_eq(offset + index.len + chunks_bytes + directory_bytes, file.len);
	buf_add(&directories, file.data + file.len - directory_bytes, directory_bytes);
	parquet_group_clear(group);
}

static void make_file(unsigned groups, const unsigned *rows)
{
	uint64_t total = 0;

	for (size_t i = 0; i < COLUMNS; i++)
		columns[i] = (struct parquet_column){ str_from(shapes[i].name), shapes[i].type };
	struct parquet_group *group = parquet_group_new(columns, COLUMNS);
	ck_assert_ptr_nonnull(group);
	buf_add_str(&file, PARQUET_MAGIC);
	for (unsigned i = 0; i < groups; i++) {
		for (unsigned row = 0; row < rows[i]; row++)
			add_random_row(group, row);
		ck_assert_uint_eq(parquet_group_rows(group), rows[i]);
		end_group(group);
		total += rows[i];
	}
	size_t begin = file.len;
	parquet_footer_begin(&file, columns, COLUMNS, total, groups);
	size_t before = file.len - begin;
	buf_add_str(&file, buf_str(&directories));
	parquet_footer_end(&file, COLUMNS, before, directories.len);
	parquet_group_free(group);
}

static void free_file(void)
{
	for (size_t i = 0; i < COLUMNS; i++)
		buf_free(&texts[i]);
	buf_free(&file);
	buf_free(&directories);
}

START_TEST(files_hold_the_rows_that_were_given)
{
	const unsigned rows[] = { 1, 17, 1025, 16384, ROWS_MAX };

	make_file(5, rows);
	struct unpack_at footer = unpack_footer(&file);
	ck_assert_int_eq(unpack_int(unpack_field(footer, 3)), 1 + 17 + 1025 + 16384 + ROWS_MAX);
	ck_assert_uint_eq(unpack_count(unpack_field(footer, 2)), COLUMNS + 1);
	ck_assert_uint_eq(unpack_count(unpack_field(footer, 4)), 5);
	ck_assert_uint_eq(unpack_count(unpack_field(footer, 7)), COLUMNS);
	for (size_t i = 0; i < COLUMNS; i++) {
		buf_clear(&out);
		for (uint64_t group = 0; group < 5; group++)
			unpack_column(&file, group, i, &out);
		ck_assert_msg(out.len == texts[i].len && memcmp(out.data, texts[i].data, out.len) == 0,
		              "column %s is not what was given", shapes[i].name);
	}
	free_file();
}
END_TEST

START_TEST(times_say_their_least_and_most_and_texts_say_nothing)
{
	const unsigned rows[] = { 1000 };

	make_file(1, rows);
	struct unpack_at group = unpack_element(unpack_field(unpack_footer(&file), 4), 0);
	for (size_t i = 0; i < COLUMNS; i++) {
		struct unpack_at meta = unpack_field(unpack_element(unpack_field(group, 1), i), 3);
		struct unpack_at statistics = unpack_field(meta, 12);

		ck_assert_int_eq(unpack_field(statistics, 5).type == 8, shapes[i].type == PARQUET_TIME);
		if (shapes[i].type != PARQUET_TIME)
			continue;
		int64_t most = INT64_MIN, least = INT64_MAX, value, said;
		for (size_t at = 0; at < texts[i].len;) {
			bool is_null = unpack_u32((const uint8_t *)texts[i].data + at) == UINT32_MAX;

			if (!is_null) {
				memcpy(&value, texts[i].data + at + 4, sizeof(value));
				most = value > most ? value : most;
				least = value < least ? value : least;
			}
			at += is_null ? 4 : 12;
		}
		memcpy(&said, unpack_binary(unpack_field(statistics, 5)).p, sizeof(said));
		ck_assert_int_eq(said, most);
		memcpy(&said, unpack_binary(unpack_field(statistics, 6)).p, sizeof(said));
		ck_assert_int_eq(said, least);
	}
	free_file();
}
END_TEST

START_TEST(the_same_rows_make_the_same_bytes_in_a_group_used_before)
{
	static const struct parquet_column one = { { "a", 1 }, PARQUET_TEXT };
	struct parquet_group *used = parquet_group_new(&one, 1), *fresh = parquet_group_new(&one, 1);
	struct str piece, other;
	char text[16];

	for (int i = 0; i < 20000; i++) {
		snprintf(text, sizeof(text), "%d", i);
		ck_assert(parquet_group_add(used, 0, str_from(text)));
		parquet_group_end_row(used);
	}
	parquet_group_clear(used);
	struct parquet_group *both[] = { used, fresh };
	for (size_t n = 0; n < 2; n++) {
		for (int i = 0; i < 3000; i++) {
			ck_assert(parquet_group_add(both[n], 0, i % 3 ? STR_LITERAL("x") : STR_LITERAL("yy")));
			parquet_group_end_row(both[n]);
		}
		ck_assert_int_eq(parquet_group_finish_some(both[n]), 0);
		ck_assert(parquet_group_close(both[n], 4));
	}
	for (uint64_t at = 0; parquet_group_piece(used, at, &piece); at += piece.len) {
		ck_assert(parquet_group_piece(fresh, at, &other));
		ck_assert(str_equal(piece, other));
	}
	ck_assert_uint_eq(parquet_group_bytes(used), parquet_group_bytes(fresh));
	parquet_group_free(used);
	parquet_group_free(fresh);
}
END_TEST

START_TEST(a_group_is_full_by_rows_and_by_bytes)
{
	static const struct parquet_column one = { { "a", 1 }, PARQUET_TEXT };
	struct parquet_group *group = parquet_group_new(&one, 1);
	char text[2001] = { 0 };
	int rows = 0;

	for (; !parquet_group_is_full(group); rows++) {
		ck_assert(parquet_group_add(group, 0, STR_LITERAL("same")));
		parquet_group_end_row(group);
	}
	ck_assert_int_eq(rows, PARQUET_GROUP_ROWS);
	parquet_group_clear(group);
	for (rows = 0; !parquet_group_is_full(group); rows++) {
		for (size_t i = 0; i < sizeof(text) - 1; i++)
			text[i] = (char)('a' + pick(26));
		ck_assert(parquet_group_add(group, 0, str_from(text)));
		parquet_group_end_row(group);
	}
	ck_assert_int_lt(rows, (int)(2 * PARQUET_GROUP_BYTES / sizeof(text)));
	parquet_group_free(group);
}
END_TEST

START_TEST(what_does_not_fit_a_type_is_refused)
{
	static const struct parquet_column two[] = { { { "t", 1 }, PARQUET_TIME }, { { "d", 1 }, PARQUET_DECIMAL } };
	static const char *const wrong[][2] = { { "yesterday", "2024-11-26T12:00:00Z" }, { "12,5", "5e-05" } };
	struct parquet_group *group = parquet_group_new(two, 2);

	for (size_t i = 0; i < 2; i++) {
		ck_assert(!parquet_group_add(group, i, str_from(wrong[i][0])));
		ck_assert(parquet_group_add(group, i, str_from(wrong[i][1])));
	}
	ck_assert(!parquet_group_add(group, 1, STR_LITERAL("1234567890123456789")));
	ck_assert(!parquet_group_add(group, 1, STR_LITERAL("0.0000000000001")));
	parquet_group_free(group);
}
END_TEST

START_TEST(a_column_that_ran_out_of_memory_fails_its_group_whatever_follows)
{
	static const struct parquet_column one = { { "a", 1 }, PARQUET_TEXT };

	for (size_t room = 1; room < 12; room++) {
		struct parquet_group *group = parquet_group_new(&one, 1);
		char text[4] = "aaa";

		group->columns[0].keys.max_bytes = room;
		for (int i = 0; i < 40; i++) {
			text[2] = (char)('a' + i / 2 % 8);
			ck_assert(parquet_group_add(group, 0, i % 10 == 9 ? STR_LITERAL("") : str_from(text)));
			parquet_group_end_row(group);
		}
		ck_assert_int_eq(parquet_group_finish_some(group), -1);
		parquet_group_free(group);
	}
}
END_TEST

Suite *suite_parquet(void)
{
	Suite *suite = suite_create("parquet");
	TCase *tc = tcase_create("parquet");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, thrift_says_what_its_specification_says);
	tcase_add_test(tc, thrift_reads_what_it_wrote_and_skips_the_rest);
	tcase_add_test(tc, the_hybrid_holds_any_runs_at_any_width);
	tcase_add_test(tc, equal_numbers_take_a_few_bytes);
	tcase_add_test(tc, a_width_holds_its_codes);
	tcase_add_test(tc, files_hold_the_rows_that_were_given);
	tcase_add_test(tc, times_say_their_least_and_most_and_texts_say_nothing);
	tcase_add_test(tc, the_same_rows_make_the_same_bytes_in_a_group_used_before);
	tcase_add_test(tc, a_group_is_full_by_rows_and_by_bytes);
	tcase_add_test(tc, what_does_not_fit_a_type_is_refused);
	tcase_add_test(tc, a_column_that_ran_out_of_memory_fails_its_group_whatever_follows);
	suite_add_tcase(suite, tc);
	return suite;
}
