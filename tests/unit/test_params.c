/* SPDX-License-Identifier: ISC */
/*
 * test_params.c: what query strings decode to, and what is refused.
 */
#include <check.h>
#include <stdio.h>

#include "query/query.h"

Suite *suite_params(void);

static struct query_params params;
static struct error err;

static void setup(void)
{
	memset(&params, 0, sizeof(params));
	memset(&err, 0, sizeof(err));
}

static void teardown(void)
{
	query_params_free(&params);
}

static int decode(const char *query)
{
	return query_params_decode(&params, str_from(query), &err);
}

static void assert_param(size_t index, const char *name, const char *value)
{
	char got[256];
	char wanted[256];

	ck_assert_uint_lt(index, params.count);
	snprintf(got, sizeof(got), "[%.*s]=[%.*s]", STR_ARGS(params.list[index].name),
	         STR_ARGS(params.list[index].value));
	snprintf(wanted, sizeof(wanted), "[%s]=[%s]", name, value);
	ck_assert_str_eq(got, wanted);
}

START_TEST(decodes_parameters_in_order)
{
	ck_assert_int_eq(decode("product=SMS&account_id=abcd1234&to=a%3Db%26c"), 0);
	ck_assert_uint_eq(params.count, 3);
	assert_param(0, "product", "SMS");
	assert_param(1, "account_id", "abcd1234");
	assert_param(2, "to", "a=b&c");
}
END_TEST

START_TEST(decodes_plus_as_space_and_escapes_of_either_case)
{
	ck_assert_int_eq(decode("a+b=%2B+%2b&c=%C3%A9"), 0);
	assert_param(0, "a b", "+ +");
	assert_param(1, "c", "\xc3\xa9");
}
END_TEST

START_TEST(keeps_empty_values_and_skips_empty_pairs)
{
	ck_assert_int_eq(decode("&a=&&b&=c&d==e&"), 0);
	ck_assert_uint_eq(params.count, 4);
	assert_param(0, "a", "");
	assert_param(1, "b", "");
	assert_param(2, "", "c");
	assert_param(3, "d", "=e");
}
END_TEST

START_TEST(takes_an_absent_query)
{
	ck_assert_int_eq(query_params_decode(&params, (struct str){ NULL, 0 }, &err), 0);
	ck_assert_uint_eq(params.count, 0);
}
END_TEST

static const char *const refused[] = {
	"a=%",   "a=%4",  "a=%4g",    "a=%g4",       "%=a", "a=%%41", /* broken escapes */
	"a=%00", "%00=a",                                             /* NUL */
	"a=%ff", "a=%C3", "a=%C0%80", "a=%ED%A0%80",                  /* not UTF-8: stray, cut, overlong, surrogate */
};

START_TEST(refuses_what_is_no_text)
{
	ck_assert_msg(decode(refused[_i]) == -1, "%s was taken", refused[_i]);
	ck_assert_int_eq(err.code, ERROR_INVALID);
}
END_TEST

START_TEST(refuses_an_escape_cut_by_the_end_of_its_part)
{
	ck_assert_int_eq(decode("a=%4&1=b"), -1);
}
END_TEST

START_TEST(takes_the_greatest_number_of_parameters_and_no_more)
{
	struct buf query = { 0 };

	for (int i = 0; i < QUERY_PARAMS_MAX; i++)
		buf_addf(&query, "a%d=%d&", i, i);
	ck_assert_int_eq(decode(buf_cstr(&query)), 0);
	ck_assert_uint_eq(params.count, QUERY_PARAMS_MAX);

	query_params_free(&params);
	buf_add_text(&query, "more=1");
	ck_assert_int_eq(decode(buf_cstr(&query)), -1);
	ck_assert_str_eq(err.message, "More than 64 parameters");
	buf_free(&query);
}
END_TEST

START_TEST(added_parameters_survive_growth)
{
	char text[16];

	ck_assert_int_eq(decode("first=1"), 0);
	for (int i = 1; i < QUERY_PARAMS_MAX; i++) {
		snprintf(text, sizeof(text), "n%d", i);
		ck_assert_int_eq(query_params_add(&params, str_from(text), str_from(text), &err), 0);
	}
	memset(text, 'x', sizeof(text)); /* they are copies */
	assert_param(0, "first", "1");
	assert_param(1, "n1", "n1");
	assert_param(63, "n63", "n63");
	ck_assert_int_eq(query_params_add(&params, str_from("a"), str_from("b"), &err), -1);
}
END_TEST

START_TEST(what_could_not_be_written_is_not_taken_for_an_empty_value)
{
	struct buf name = { .max_bytes = 1 };

	buf_add_text(&name, "columns");
	ck_assert_int_eq(query_params_add(&params, buf_str(&name), str_from("a"), &err), -1);
	ck_assert_int_eq(err.code, ERROR_NOMEM);
	buf_free(&name);
}
END_TEST

START_TEST(get_gives_the_last_of_a_name)
{
	ck_assert_int_eq(decode("a=1&b=2&a=3"), 0);
	ck_assert(str_is(query_params_get(&params, "a"), "3"));
	ck_assert_ptr_null(query_params_get(&params, "c").p);
}
END_TEST

Suite *suite_params(void)
{
	Suite *suite = suite_create("params");
	TCase *tc = tcase_create("decode");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, decodes_parameters_in_order);
	tcase_add_test(tc, decodes_plus_as_space_and_escapes_of_either_case);
	tcase_add_test(tc, keeps_empty_values_and_skips_empty_pairs);
	tcase_add_test(tc, takes_an_absent_query);
	tcase_add_loop_test(tc, refuses_what_is_no_text, 0, (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_test(tc, refuses_an_escape_cut_by_the_end_of_its_part);
	tcase_add_test(tc, takes_the_greatest_number_of_parameters_and_no_more);
	tcase_add_test(tc, added_parameters_survive_growth);
	tcase_add_test(tc, what_could_not_be_written_is_not_taken_for_an_empty_value);
	tcase_add_test(tc, get_gives_the_last_of_a_name);
	suite_add_tcase(suite, tc);
	return suite;
}
