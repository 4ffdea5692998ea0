/* SPDX-License-Identifier: ISC */
/*
 * test_lines.c: the values of CSV lines are found as they were written, and broken text is told from lines.
 */
#include <check.h>
#include <stdlib.h>

#include "base/buf.h"
#include "expect.h"
#include "pick.h"
#include "store/blocks/lines.h"

Suite *suite_lines(void);

#define ROWS_MAX 40
#define FIELDS_MAX 12
#define ROUNDS 400

/* Lines, and their values as they stand in them. */
struct text {
	uint32_t rows;
	uint32_t fields;
	struct buf bytes;
	size_t begins[ROWS_MAX * FIELDS_MAX];
	size_t ends[ROWS_MAX * FIELDS_MAX];
};

static struct lines lines;

static void teardown(void)
{
	lines_free(&lines);
}

static void add_value(struct text *text, struct pick *pick, bool quotes)
{
	static const char *const pieces[] = {
		"a", ",", "\n", "delivered", "447700900123", "\xc3\xab", "0123456789abcdef", "\",\"", "\"\n\"", "\""
	};
	uint32_t count = pick_below(pick, 4);

	for (uint32_t i = 0; i < count; i++)
		for (const char *at = pieces[pick_below(pick, quotes ? 10 : 7)]; *at; at++) {
			buf_add_char(&text->bytes, *at);
			if (*at == '"')
				buf_add_char(&text->bytes, '"');
		}
}

static void make_text(struct text *text, struct pick *pick, bool quotes)
{
	*text = (struct text){ .rows = pick_between(pick, 1, ROWS_MAX), .fields = pick_between(pick, 1, FIELDS_MAX) };
	for (size_t i = 0; i < (size_t)text->rows * text->fields; i++) {
		buf_add_char(&text->bytes, '"');
		text->begins[i] = text->bytes.len;
		add_value(text, pick, quotes && pick_percent(pick, 20));
		text->ends[i] = text->bytes.len;
		buf_add_text(&text->bytes, (i + 1) % text->fields ? "\"," : "\"\n");
	}
}

/* In memory that ends where the text does, so that a sanitizer sees what reads past it. */
static char *exact(struct str text)
{
	char *copy = malloc(text.len ? text.len : 1);

	expect(copy, "out of memory");
	if (text.len > 0)
		memcpy(copy, text.p, text.len);
	return copy;
}

static void assert_row(const struct text *text, const char *at, uint32_t row, uint32_t as)
{
	size_t first = (size_t)row * text->fields;
	struct str whole = { at + text->begins[first] - 1,
		             text->ends[first + text->fields - 1] - text->begins[first] + 3 };

	expect(str_equal(lines_row(&lines, as), whole), "row %u is %.*s", row, STR_ARGS(lines_row(&lines, as)));
	for (uint32_t field = 0; field < text->fields; field++) {
		struct str wanted = { at + text->begins[first + field],
			              text->ends[first + field] - text->begins[first + field] };
		struct str got = lines_value(&lines, as, field);

		expect(str_equal(got, wanted), "row %u, field %u: %.*s, wanted %.*s", row, field, STR_ARGS(got),
		       STR_ARGS(wanted));
	}
}

START_TEST(values_are_found_where_they_were_written)
{
	struct pick pick = { 1 };
	struct text text;

	for (int round = 0; round < ROUNDS; round++) {
		make_text(&text, &pick, round % 2);
		char *copy = exact(buf_str(&text.bytes));
		struct str whole = { copy, text.bytes.len };

		expect(lines_index(&lines, whole, text.rows, text.fields) == 0, "round %d: not taken", round);
		for (uint32_t row = 0; row < text.rows; row++)
			assert_row(&text, copy, row, row);
		free(copy);
		buf_free(&text.bytes);
	}
}
END_TEST

START_TEST(ends_of_lines_are_found_where_no_value_holds_any)
{
	struct pick pick = { 3 };
	struct text text;

	for (int round = 0; round < ROUNDS; round++) {
		make_text(&text, &pick, round % 2);
		char *copy = exact(buf_str(&text.bytes));
		struct str whole = { copy, text.bytes.len };
		size_t feeds = 0;

		for (size_t i = 0; i < whole.len; i++)
			feeds += copy[i] == '\n';
		int found = lines_ends(&lines, whole, text.rows);
		expect((found == 0) == (feeds == text.rows), "round %d: %d, of %u rows and %zu LF", round, found,
		       text.rows, feeds);
		for (uint32_t row = 0; found == 0 && row < text.rows; row++)
			ck_assert_uint_eq(lines.edges[row], text.ends[(row + 1) * text.fields - 1] + 1);
		ck_assert_int_eq(lines_ends(&lines, whole, text.rows + 1) == 0, feeds == text.rows + 1);
		whole.len--;
		ck_assert_int_ne(lines_ends(&lines, whole, text.rows), 0); /* it has no LF at its end */
		free(copy);
		buf_free(&text.bytes);
	}
	ck_assert_int_ne(lines_ends(&lines, STR_LITERAL(""), 1), 0);
	ck_assert_int_ne(lines_ends(&lines, STR_LITERAL("\"a\"\n\"b\""), 1), 0);
}
END_TEST

START_TEST(doubled_quotes_are_noticed)
{
	ck_assert_int_eq(lines_index(&lines, STR_LITERAL("\"a\",\"b\"\n"), 1, 2), 0);
	ck_assert(!lines.has_doubled);
	ck_assert_int_eq(lines_index(&lines, STR_LITERAL("\"a\",\"\"\"\"\n"), 1, 2), 0);
	ck_assert(lines.has_doubled);
}
END_TEST

START_TEST(one_line_is_found_in_the_beginning_of_a_text)
{
	struct pick pick = { 2 };
	struct text text;

	for (int round = 0; round < ROUNDS; round++) {
		make_text(&text, &pick, false);
		uint32_t row = pick_below(&pick, text.rows);
		size_t end = text.ends[(row + 1) * text.fields - 1] + 2;
		size_t len = pick_below(&pick, (uint32_t)text.bytes.len + 1);
		char *copy = exact((struct str){ text.bytes.data, len });

		int found = lines_index_one(&lines, (struct str){ copy, len }, row, text.fields);
		expect((found == 0) == (len >= end), "line that ends at %zu: %d in a text of %zu", end, found, len);
		if (found == 0)
			assert_row(&text, copy, row, 0);
		free(copy);
		buf_free(&text.bytes);
	}
}
END_TEST

/* Whatever is taken for lines must at least lie within the text. */
static void assert_within(struct str text, uint32_t rows, uint32_t fields)
{
	for (uint32_t row = 0; row < rows; row++)
		for (uint32_t field = 0; field < fields; field++) {
			struct str value = lines_value(&lines, row, field);

			expect(value.p > text.p && value.p + value.len < text.p + text.len && value.p[-1] == '"' &&
			               value.p[value.len] == '"',
			       "a value is not within the text");
		}
}

START_TEST(broken_text_is_refused_or_harmless)
{
	struct pick pick = { 3 };
	struct text text;
	int refused = 0;

	for (int round = 0; round < 20 * ROUNDS; round++) {
		make_text(&text, &pick, round % 2);
		size_t len = text.bytes.len;
		if (round % 3 == 0)
			len = pick_below(&pick, (uint32_t)len);
		else
			text.bytes.data[pick_below(&pick, (uint32_t)len)] = "\"\",\nx"[pick_below(&pick, 5)];
		char *copy = exact((struct str){ text.bytes.data, len });
		uint32_t rows = text.rows + (round % 7 == 0 ? 1 : 0);

		if (lines_index(&lines, (struct str){ copy, len }, rows, text.fields) == 0)
			assert_within((struct str){ copy, len }, rows, text.fields);
		else
			refused++;
		(void)lines_index_one(&lines, (struct str){ copy, len }, pick_below(&pick, rows), text.fields);
		free(copy);
		buf_free(&text.bytes);
	}
	ck_assert_int_gt(refused, 7 * ROUNDS);
}
END_TEST

START_TEST(lines_that_are_not_lines)
{
	static const char *const wrong[] = { "",
		                             "\n",
		                             "\"\"",
		                             "\"a\"\n\"b\"\n",
		                             "\"a\",\"b\"",
		                             "\"a\";\"b\"\n",
		                             "\"a\",\"b\"\r\n",
		                             "a,b\n",
		                             "\"a\",b\"\"\n",
		                             " \"a\",\"b\"\n" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		expect(lines_index(&lines, str_from(wrong[i]), 1, 2) == -1, "%s was taken", wrong[i]);
	ck_assert_int_eq(lines_index(&lines, STR_LITERAL("\"a\"\n"), 1, 0), -1);
}
END_TEST

Suite *suite_lines(void)
{
	Suite *suite = suite_create("lines");
	TCase *tests = tcase_create("lines");

	tcase_add_checked_fixture(tests, NULL, teardown);
	tcase_add_test(tests, values_are_found_where_they_were_written);
	tcase_add_test(tests, ends_of_lines_are_found_where_no_value_holds_any);
	tcase_add_test(tests, doubled_quotes_are_noticed);
	tcase_add_test(tests, one_line_is_found_in_the_beginning_of_a_text);
	tcase_add_test(tests, broken_text_is_refused_or_harmless);
	tcase_add_test(tests, lines_that_are_not_lines);
	suite_add_tcase(suite, tests);
	return suite;
}
