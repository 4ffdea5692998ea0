/* SPDX-License-Identifier: ISC */
/*
 * test_json_reader.c: JSON to events, or to what is wrong with it.
 */
#include <check.h>
#include <string.h>

#include "base/json_reader.h"

Suite *suite_json_reader(void);

static struct buf told;

static void setup(void)
{
	memset(&told, 0, sizeof(told));
}

static void teardown(void)
{
	buf_free(&told);
}

static const char *quoted(enum json_event event)
{
	return event == JSON_EVENT_NAME ? "%.*s:" : event == JSON_EVENT_STRING ? "'%.*s'" : "%.*s";
}

/* Events as "{ } [ ] name: 'string' number true false null"; then what is wrong as "! message". */
static const char *read_all(struct str text)
{
	static const char *const shown[] = {
		[JSON_EVENT_OBJECT] = "{",    [JSON_EVENT_OBJECT_END] = "}", [JSON_EVENT_ARRAY] = "[",
		[JSON_EVENT_ARRAY_END] = "]", [JSON_EVENT_TRUE] = "true",    [JSON_EVENT_FALSE] = "false",
		[JSON_EVENT_NULL] = "null",
	};
	struct json_reader reader = json_reader_of(text);
	enum json_event event;
	struct error err;

	while ((event = json_reader_next(&reader, &err)) > JSON_EVENT_END) {
		if (told.len > 0)
			buf_add_char(&told, ' ');
		if (shown[event])
			buf_add_text(&told, shown[event]);
		else
			buf_addf(&told, quoted(event), STR_ARGS(reader.text));
	}
	if (event == JSON_EVENT_FAULT)
		buf_addf(&told, "%s! %s", told.len > 0 ? " " : "", err.message + strlen("not valid JSON: "));
	json_reader_free(&reader);
	return buf_cstr(&told);
}

static const struct {
	const char *text;
	const char *told;
} texts[] = {
	{ "{}", "{ }" },
	{ " [ ] \r\n\t", "[ ]" },
	{ "{\"a\":1,\"b\":[true,false,null],\"c\":{\"d\":\"e\"}}", "{ a: 1 b: [ true false null ] c: { d: 'e' } }" },
	{ "\"alone\"", "'alone'" },
	{ "0", "0" },
	{ "[-0,0.10,1e5,1E+05,-1.5e-9,1e999]", "[ -0 0.10 1e5 1E+05 -1.5e-9 1e999 ]" },
	{ "123456789012345678901234567890.123456789012345678901234567890",
	  "123456789012345678901234567890.123456789012345678901234567890" },
	{ "{\"a\":1,\"a\":2,\"\":3}", "{ a: 1 a: 2 : 3 }" },
	{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\ud83d\\uDE00.\"",
	  "'\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80.'" },
	{ "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"", "'\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f'" },
	{ "{\"\\u0061b\":\"\"}", "{ ab: '' }" },

	{ "", "! no value" },
	{ "  ", "! ends after byte 2, a value was expected" },
	{ "{", "{ ! ends after byte 1, a member's name in double quotes was expected" },
	{ "[1", "[ 1 ! ends after byte 2, a comma or ] was expected" },
	{ "{\"a\"", "{ ! ends after byte 4, a colon was expected after the member's name" },
	{ "{\"a\":", "{ a: ! ends after byte 5, a value was expected" },
	{ "\"abc", "! ends after byte 4, within a string" },
	{ "\"abc\\", "! ends after byte 5, within a string" },
	{ "tru", "! byte 1: a value was expected" },
	{ "{} {}", "{ } ! byte 4: nothing was expected after the value" },
	{ "truex", "true ! byte 5: nothing was expected after the value" },
	{ "True", "! byte 1: a value was expected" },
	{ "NaN", "! byte 1: a value was expected" },
	{ "-Infinity", "! byte 2: a digit was expected" },
	{ "'a'", "! byte 1: a value was expected" },
	{ "/* 1 */ 2", "! byte 1: a value was expected" },
	{ "[1,]", "[ 1 ! byte 4: a value was expected" },
	{ "[,1]", "[ ! byte 2: a value was expected" },
	{ "[1 2]", "[ 1 ! byte 4: a comma or ] was expected" },
	{ "[1}", "[ 1 ! byte 3: a comma or ] was expected" },
	{ "{\"a\":1]", "{ a: 1 ! byte 7: a comma or } was expected" },
	{ "{\"a\":1,}", "{ a: 1 ! byte 8: a member's name in double quotes was expected" },
	{ "{'a':1}", "{ ! byte 2: a member's name in double quotes was expected" },
	{ "{a:1}", "{ ! byte 2: a member's name in double quotes was expected" },
	{ "{\"a\" 1}", "{ ! byte 6: a colon was expected after the member's name" },
	{ "{\"a\":}", "{ a: ! byte 6: a value was expected" },
	{ "{\"a\":1 \"b\":2}", "{ a: 1 ! byte 8: a comma or } was expected" },
	{ "]", "! byte 1: a value was expected" },
	{ "01", "0 ! byte 2: nothing was expected after the value" },
	{ "[-01]", "[ -0 ! byte 4: a comma or ] was expected" },
	{ "1.", "! ends after byte 2, a digit was expected after the point" },
	{ "[1.e5]", "[ ! byte 4: a digit was expected after the point" },
	{ "[.5]", "[ ! byte 2: a value was expected" },
	{ "[1e]", "[ ! byte 4: a digit was expected in the exponent" },
	{ "[1e+]", "[ ! byte 5: a digit was expected in the exponent" },
	{ "[+1]", "[ ! byte 2: a value was expected" },
	{ "[-]", "[ ! byte 3: a digit was expected" },
	{ "0x10", "0 ! byte 2: nothing was expected after the value" },
	{ "1\v", "1 ! byte 2: nothing was expected after the value" },
	{ "\xef\xbb\xbf{}", "! byte 1: a value was expected" },
	{ "\"a\nb\"", "! byte 3: a control character within a string must be escaped" },
	{ "\"a\tb\"", "! byte 3: a control character within a string must be escaped" },
	{ "\"a\\x\"", "! byte 3: no such escape; there are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u" },
	{ "\"\\u12g4\"", "! byte 2: \\u is not followed by four hexadecimal digits" },
	{ "\"\\u123\"", "! byte 2: \\u is not followed by four hexadecimal digits" },
	{ "\"\\ud800\"", "! byte 8: escape of half a surrogate pair" },
	{ "\"\\udc00\\ud800\"", "! byte 8: escape of half a surrogate pair" },
	{ "\"\\ud800\\u0041\"", "! byte 8: escape of half a surrogate pair" },
	{ "\"\\ud800\\\"", "! ends after byte 9, within a string" },
	{ "[\"\xff\"]", "[ ! byte 3: the string that begins here is not UTF-8" },
	{ "\"\xc0\x80\"", "! byte 2: the string that begins here is not UTF-8" },
	{ "\"\xed\xa0\x80\"", "! byte 2: the string that begins here is not UTF-8" },
	{ "{\"\xc3\":1}", "{ ! byte 3: the string that begins here is not UTF-8" },
};

START_TEST(text_becomes_events_or_a_fault_at_its_byte)
{
	const char *got = read_all(str_from(texts[_i].text));

	ck_assert_msg(strcmp(got, texts[_i].told) == 0, "%s\n gave   %s\n wanted %s", texts[_i].text, got,
	              texts[_i].told);
}
END_TEST

START_TEST(nul_is_a_byte_of_a_string_and_nothing_elsewhere)
{
	struct json_reader reader = json_reader_of(STR_LITERAL("\"a\\u0000b\""));
	struct error err;

	ck_assert_int_eq(json_reader_next(&reader, &err), JSON_EVENT_STRING);
	ck_assert(str_equal(reader.text, STR_LITERAL("a\0b")));
	json_reader_free(&reader);
	ck_assert_str_eq(read_all(STR_LITERAL("1\0")), "1 ! byte 2, a NUL: nothing was expected after the value");
	buf_clear(&told);
	ck_assert_str_eq(read_all(STR_LITERAL("[\0]")), "[ ! byte 2, a NUL: a value was expected");
	buf_clear(&told);
	ck_assert_str_eq(read_all(STR_LITERAL("\"\0\"")),
	                 "! byte 2, a NUL: a control character within a string must be escaped");
}
END_TEST

START_TEST(every_cut_of_a_text_is_a_fault)
{
	struct str whole = STR_LITERAL("{\"a\":[1.5e-3,\"\\ud83d\\ude00\\n\",true],\"b\":{\"c\":null}}");

	for (size_t len = 0; len < whole.len; len++) {
		const char *got = read_all((struct str){ whole.p, len });

		ck_assert_msg(strstr(got, "! ") != NULL, "%zu bytes gave %s", len, got);
		buf_clear(&told);
	}
	ck_assert_ptr_null(strstr(read_all(whole), "! "));
}
END_TEST

START_TEST(nesting_costs_a_byte_a_level)
{
	enum { LEVELS = 100000 };
	struct buf text = { 0 };
	struct json_reader reader;
	struct error err;
	size_t deepest = 0;

	for (int i = 0; i < LEVELS; i++)
		buf_add_text(&text, "[");
	for (int i = 0; i < LEVELS; i++)
		buf_add_text(&text, "]");
	reader = json_reader_of(buf_str(&text));
	while (json_reader_next(&reader, &err) > JSON_EVENT_END)
		deepest = reader.depth > deepest ? reader.depth : deepest;
	ck_assert_uint_eq(deepest, LEVELS);
	ck_assert_uint_le(reader.open.cap, 2 * LEVELS);
	json_reader_free(&reader);
	buf_free(&text);
}
END_TEST

Suite *suite_json_reader(void)
{
	Suite *suite = suite_create("json_reader");
	TCase *tc = tcase_create("json_reader");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, text_becomes_events_or_a_fault_at_its_byte, 0, (int)(sizeof(texts) / sizeof(texts[0])));
	tcase_add_test(tc, nul_is_a_byte_of_a_string_and_nothing_elsewhere);
	tcase_add_test(tc, every_cut_of_a_text_is_a_fault);
	tcase_add_test(tc, nesting_costs_a_byte_a_level);
	suite_add_tcase(suite, tc);
	return suite;
}
