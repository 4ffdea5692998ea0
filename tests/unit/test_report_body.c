/* SPDX-License-Identifier: ISC */
/*
 * test_report_body.c: JSON objects to parameters.
 */
#include <check.h>
#include <stdlib.h>

#include "api/reports.h"

Suite *suite_report_body(void);

static struct query_params params;
static struct query_problems problems;
static struct error err;
static struct buf text;

static void setup(void)
{
	memset(&params, 0, sizeof(params));
	memset(&problems, 0, sizeof(problems));
	memset(&text, 0, sizeof(text));
}

static void teardown(void)
{
	query_params_free(&params);
	buf_free(&text);
}

/* "name=value&name=value", then problems as "! name: reason" */
static const char *read_body(const char *json)
{
	if (api_report_params(&params, &problems, str_from(json), &err) < 0)
		return err.message;
	for (size_t i = 0; i < params.count; i++)
		buf_addf(&text, "%s%.*s=%.*s", i > 0 ? "&" : "", STR_ARGS(params.list[i].name),
		         STR_ARGS(params.list[i].value));
	for (size_t i = 0; i < problems.count; i++)
		buf_addf(&text, "! %s: %s", problems.list[i].name, problems.list[i].reason);
	return buf_cstr(&text);
}

#define MALFORMED "Malformed JSON payload."
#define FORM "Neither text, number, true, false nor a list of texts"

static const struct {
	const char *json;
	const char *wanted;
} bodies[] = {
	{ "{}", "" },
	{ " {\"product\":\"SMS\",\"to\":\"447\"} ", "product=SMS&to=447" },
	{ "{\"a\":true,\"b\":false,\"c\":null,\"d\":\"\"}", "a=true&b=false&d=" },
	{ "{\"a\":447700900123,\"b\":1.50,\"c\":-0,\"d\":1e400}", "a=447700900123&b=1.50&c=-0&d=1e400" },
	{ "{\"a\":447700900123.0,\"b\":4.47700900123e+11,\"c\":1E3,\"d\":12345678901234567890.0,\"e\":\"1.0\"}",
	  "a=447700900123&b=447700900123&c=1000&d=12345678901234567890.0&e=1.0" },
	{ "\xef\xbb\xbf{\"a\":1}", "a=1" },
	{ "\xef\xbb\xbf", MALFORMED },
	{ "\xef\xbb{}", MALFORMED },
	{ "{\"a\":\"\\u00e9\\n\\ud83d\\ude00\"}", "a=\xc3\xa9\n\xf0\x9f\x98\x80" },
	{ "{\"columns\":[\"id\",\"to\"],\"b\":[],\"c\":[\"x\"]}", "columns=id,to&b=&c=x" },
	{ "{\"a\":{},\"b\":1}", "b=1! a: " FORM },
	{ "{\"a\":[1],\"b\":[[\"x\"]],\"c\":[null],\"d\":{\"e\":{\"f\":[{}]}}}",
	  "! a: " FORM "! b: " FORM "! c: " FORM "! d: " FORM },
	{ "{\"a\":\"x\\u0000y\",\"b\":[\"\\u0000\"]}", "! a: Has a NUL! b: Has a NUL" },
	{ "{\"a\":1,\"a\":2}", "a=1&a=2" },
	{ "", MALFORMED },
	{ "{", MALFORMED },
	{ "[]", MALFORMED },
	{ "[{}]", MALFORMED },
	{ "1", MALFORMED },
	{ "null", MALFORMED },
	{ "true", MALFORMED },
	{ "\"a\"", MALFORMED },
	{ "{\"a\":1}x", MALFORMED },
	{ "{\"a\":1}{}", MALFORMED },
	{ "{\"a\":1,}", MALFORMED },
	{ "{'a':1}", MALFORMED },
	{ "{\"a\":\"\xff\"}", MALFORMED },
	{ "{\"a\":[\"x\"}", MALFORMED },
};

START_TEST(members_become_parameters)
{
	const char *got = read_body(bodies[_i].json);

	ck_assert_msg(strcmp(got, bodies[_i].wanted) == 0, "%s\n gave   %s\n wanted %s", bodies[_i].json, got,
	              bodies[_i].wanted);
}
END_TEST

START_TEST(too_many_members_are_refused)
{
	struct buf json = { 0 };

	buf_add_char(&json, '{');
	for (int i = 0; i <= QUERY_PARAMS_MAX; i++)
		buf_addf(&json, "%s\"p%d\":1", i > 0 ? "," : "", i);
	buf_add_char(&json, '}');
	ck_assert_str_eq(read_body(buf_cstr(&json)), "More than 64 parameters");
	buf_free(&json);
}
END_TEST

START_TEST(deep_nesting_is_one_problem)
{
	struct buf json = { 0 };

	buf_add_text(&json, "{\"a\":");
	for (int i = 0; i < 10000; i++)
		buf_add_char(&json, '[');
	for (int i = 0; i < 10000; i++)
		buf_add_char(&json, ']');
	buf_add_char(&json, '}');
	ck_assert_str_eq(read_body(buf_cstr(&json)), "! a: " FORM);
	buf_free(&json);
}
END_TEST

Suite *suite_report_body(void)
{
	Suite *suite = suite_create("report_body");
	TCase *tc = tcase_create("body");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, members_become_parameters, 0, (int)(sizeof(bodies) / sizeof(bodies[0])));
	tcase_add_test(tc, too_many_members_are_refused);
	tcase_add_test(tc, deep_nesting_is_one_problem);
	suite_add_tcase(suite, tc);
	return suite;
}
