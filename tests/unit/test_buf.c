/* SPDX-License-Identifier: ISC */
/*
 * test_buf.c: what struct buf and struct error promise.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

#define ck_assert_buf(b, text) ck_assert_str_eq(buf_cstr(b), (text))

START_TEST(zeroed_buf_is_empty_and_valid)
{
	struct buf b = { 0 };

	ck_assert_uint_eq(buf_str(&b).len, 0);
	ck_assert_ptr_nonnull(buf_str(&b).p);
	ck_assert_buf(&b, "");
	buf_drain(&b, 3);
	buf_clear(&b);
	buf_free(&b);
	buf_free(&b);
}
END_TEST

START_TEST(appends_come_one_after_another)
{
	struct buf b = { 0 };

	buf_add(&b, "ab", 2);
	buf_add_str(&b, STR_LITERAL("cd"));
	buf_add_str(&b, (struct str){ NULL, 0 });
	buf_add_text(&b, "ef");
	buf_add_char(&b, 'g');
	buf_addf(&b, "%d%s", 12, "h");
	ck_assert_buf(&b, "abcdefg12h");
	ck_assert_uint_eq(b.len, 10);
	buf_free(&b);
}
END_TEST

START_TEST(any_byte_may_be_inside)
{
	struct buf b = { 0 };

	buf_add(&b, "a\0b", 3);
	buf_add_char(&b, '\0');
	ck_assert_uint_eq(b.len, 4);
	ck_assert_mem_eq(b.data, "a\0b\0", 4);
	buf_free(&b);
}
END_TEST

START_TEST(growth_doubles)
{
	struct buf b = { 0 };
	size_t growths = 0;

	for (size_t i = 0; i < 1000000; i++) {
		size_t before = b.cap;

		buf_add_char(&b, 'x');
		growths += b.cap != before;
	}
	ck_assert_uint_eq(b.len, 1000000);
	ck_assert_uint_le(growths, 20);
	buf_free(&b);
}
END_TEST

START_TEST(long_formatted_text_is_whole)
{
	for (size_t width = 250; width < 262; width++) {
		struct buf b = { 0 };

		buf_addf(&b, "<%*d>", (int)width, 7);
		ck_assert_uint_eq(b.len, width + 2);
		ck_assert_int_eq(b.data[b.len - 2], '7');
		ck_assert_int_eq(b.data[b.len - 1], '>');
		buf_free(&b);
	}
}
END_TEST

START_TEST(limit_is_exact_and_failure_stays)
{
	struct buf b = { .max_bytes = 5 };

	buf_add_text(&b, "12345");
	ck_assert(!b.failed);
	ck_assert_buf(&b, "12345");
	buf_add_char(&b, '6');
	ck_assert(b.failed);
	ck_assert_uint_eq(b.len, 5);
	buf_drain(&b, 5);
	buf_add_char(&b, '7');
	ck_assert_msg(b.len == 0, "an append after a failed one would leave a hole, len %zu", b.len);
	ck_assert_ptr_null(buf_cstr(&b));
	ck_assert(!buf_reserve(&b, 1));
	buf_clear(&b);
	buf_add_text(&b, "abc");
	ck_assert_buf(&b, "abc");
	buf_free(&b);
	ck_assert_uint_eq(b.max_bytes, 5);
}
END_TEST

START_TEST(what_failed_fails_what_it_is_added_to)
{
	struct buf small = { .max_bytes = 2 }, outer = { 0 }, quoted = { 0 };
	struct json json = json_to(&quoted);

	buf_add_text(&small, "abc");
	ck_assert(small.failed);
	ck_assert_uint_eq(buf_str(&small).len, 0);
	buf_add_text(&outer, "before ");
	buf_add_str(&outer, STR_LITERAL(""));
	ck_assert_msg(!outer.failed, "an empty run is none of a failed buf");
	buf_add_str(&outer, buf_str(&small));
	ck_assert(outer.failed);
	json_str(&json, STR_LITERAL(""));
	ck_assert(!quoted.failed);
	json_str(&json, buf_str(&small));
	ck_assert(quoted.failed);
	buf_free(&small);
	ck_assert(!small.failed && buf_str(&small).p != buf_failed_run);
	buf_free(&outer);
	buf_free(&quoted);
}
END_TEST

START_TEST(limit_holds_for_long_formatted_text)
{
	struct buf b = { .max_bytes = 300 };

	buf_addf(&b, "%300d", 1);
	ck_assert(!b.failed);
	ck_assert_uint_eq(b.len, 300);
	buf_clear(&b);
	buf_addf(&b, "%301d", 1);
	ck_assert(b.failed);
	ck_assert_uint_eq(b.len, 0);
	buf_free(&b);
}
END_TEST

START_TEST(reserve_that_overflows_fails)
{
	struct buf b = { 0 };

	buf_add_char(&b, 'x');
	ck_assert(!buf_reserve(&b, SIZE_MAX));
	ck_assert(b.failed);
	buf_free(&b);
	ck_assert(!b.failed);
}
END_TEST

START_TEST(drain_moves_the_rest_to_the_front)
{
	struct buf b = { 0 };

	buf_add_text(&b, "abcdef");
	buf_drain(&b, 0);
	ck_assert_buf(&b, "abcdef");
	buf_drain(&b, 2);
	ck_assert_buf(&b, "cdef");
	buf_drain(&b, 99);
	ck_assert_buf(&b, "");
	buf_free(&b);
}
END_TEST

START_TEST(error_message_is_cut_not_overrun)
{
	struct error err;

	ck_assert_int_eq(error_set(&err, ERROR_LIMIT, "%2000d", 1), -1);
	ck_assert_int_eq(err.code, ERROR_LIMIT);
	ck_assert_uint_eq(strlen(err.message), sizeof(err.message) - 1);
}
END_TEST

START_TEST(no_part_of_a_character_is_left_where_an_error_message_is_cut)
{
	struct error err;

	for (int before = 500; before < 516; before++) {
		error_set(&err, ERROR_LIMIT, "%*d\xf0\x9f\x98\x80\xc3\xa9", before, 1);
		ck_assert(json_is_utf8(str_from(err.message)));
		ck_assert_uint_ge(strlen(err.message), before < 506 ? (size_t)before + 6 : sizeof(err.message) - 4);
	}
}
END_TEST

START_TEST(a_text_is_cut_to_whole_characters)
{
	char out[6];

	str_cut(out, sizeof(out), "abcde");
	ck_assert_str_eq(out, "abcde");
	str_cut(out, sizeof(out), "abcdef");
	ck_assert_str_eq(out, "abcde");
	str_cut(out, sizeof(out), "abcd\xc3\xa9");
	ck_assert_str_eq(out, "abcd");
	str_cut(out, sizeof(out), "abc\xc3\xa9");
	ck_assert_str_eq(out, "abc\xc3\xa9");
	str_cut(out, 1, "\xc3\xa9");
	ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(error_may_be_wrapped_in_itself)
{
	struct error err;

	(void)error_set(&err, ERROR_INVALID, "inner");
	(void)error_set(&err, err.code, "outer: %s", err.message);
	ck_assert_str_eq(err.message, "outer: inner");
	(void)error_set_errno(&err, ENOENT, "file of %s", err.message);
	ck_assert_str_eq(err.message, "file of outer: inner: No such file or directory");
}
END_TEST

START_TEST(errno_decides_the_code)
{
	static const struct {
		int number;
		enum error_code code;
	} cases[] = {
		{ ENOSPC, ERROR_FULL }, { EDQUOT, ERROR_FULL }, { ENOMEM, ERROR_NOMEM },
		{ EACCES, ERROR_IO },   { ENOENT, ERROR_IO },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err;

		ck_assert_int_eq(error_set_errno(&err, cases[i].number, "x"), -1);
		ck_assert_int_eq(err.code, cases[i].code);
	}
}
END_TEST

START_TEST(every_error_code_has_a_name)
{
	for (int code = ERROR_NONE; code <= ERROR_NOMEM; code++)
		ck_assert_str_ne(error_code_name((enum error_code)code), "unknown");
	ck_assert_str_eq(error_code_name(ERROR_INVALID), "invalid");
	ck_assert_str_eq(error_code_name((enum error_code)99), "unknown");
}
END_TEST

Suite *suite_buf(void);

Suite *suite_buf(void)
{
	Suite *suite = suite_create("buf");
	TCase *buf = tcase_create("buf");
	TCase *error = tcase_create("error");

	tcase_add_test(buf, zeroed_buf_is_empty_and_valid);
	tcase_add_test(buf, appends_come_one_after_another);
	tcase_add_test(buf, any_byte_may_be_inside);
	tcase_add_test(buf, growth_doubles);
	tcase_add_test(buf, long_formatted_text_is_whole);
	tcase_add_test(buf, limit_is_exact_and_failure_stays);
	tcase_add_test(buf, what_failed_fails_what_it_is_added_to);
	tcase_add_test(buf, limit_holds_for_long_formatted_text);
	tcase_add_test(buf, reserve_that_overflows_fails);
	tcase_add_test(buf, drain_moves_the_rest_to_the_front);
	tcase_add_test(error, error_message_is_cut_not_overrun);
	tcase_add_test(error, no_part_of_a_character_is_left_where_an_error_message_is_cut);
	tcase_add_test(error, a_text_is_cut_to_whole_characters);
	tcase_add_test(error, error_may_be_wrapped_in_itself);
	tcase_add_test(error, errno_decides_the_code);
	tcase_add_test(error, every_error_code_has_a_name);
	suite_add_tcase(suite, buf);
	suite_add_tcase(suite, error);
	return suite;
}
