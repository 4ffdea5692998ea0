/* SPDX-License-Identifier: ISC */
/*
 * test_mend.c: fields are set and taken out in every format, and the bytes of all others stay.
 */
#include <check.h>

#include "record/mend.h"

Suite *suite_mend(void);

static struct buf header, raw;

static void setup(void)
{
	header = raw = (struct buf){ 0 };
}

static void teardown(void)
{
	buf_free(&header);
	buf_free(&raw);
}

/* Sets a=1, takes out b, and sets c to a text with a quote in it. */
static bool mend(enum parse_format format, struct str old_header, struct str old_raw)
{
	static const struct mend_change changes[] = {
		{ .field = { "a", 1 }, .value = { "0", 1 } },
		{ .field = { "a", 1 }, .value = { "1", 1 } },
		{ .field = { "b", 1 }, .unset = true },
		{ .field = { "c", 1 }, .value = { "x\"y", 3 } },
	};

	buf_clear(&header);
	buf_clear(&raw);
	return mend_record(format, old_header, old_raw, changes, sizeof(changes) / sizeof(changes[0]), &header, &raw);
}

#define ASSERT_RAW(wanted) ck_assert_msg(str_equal(buf_str(&raw), STR_LITERAL(wanted)), "%.*s", STR_ARGS(buf_str(&raw)))

START_TEST(members_of_json_keep_their_text)
{
	ck_assert(mend(PARSE_NDJSON, STR_LITERAL(""),
	               STR_LITERAL(" { \"a\" : nan, \"d\":[1, {\"a\":2}] , \"b\": \"\\x\" }")));
	ASSERT_RAW("{\"d\":[1, {\"a\":2}],\"a\":\"1\",\"c\":\"x\\\"y\"}");
	ck_assert(mend(PARSE_JSON_ARRAY, STR_LITERAL(""), STR_LITERAL("{\"d\":\"\0\xff\\\"}\"}")));
	ASSERT_RAW("{\"d\":\"\0\xff\\\"}\",\"a\":\"1\",\"c\":\"x\\\"y\"}");
	ck_assert(mend(PARSE_NDJSON, STR_LITERAL(""), STR_LITERAL("{}")));
	ASSERT_RAW("{\"a\":\"1\",\"c\":\"x\\\"y\"}");
	ck_assert(mend(PARSE_NDJSON, STR_LITERAL(""), STR_LITERAL("{\"a\":1,\"a\":2}")));
	ASSERT_RAW("{\"a\":\"1\",\"c\":\"x\\\"y\"}");
}
END_TEST

START_TEST(cells_of_csv_keep_their_quotes_and_new_ones_get_a_name)
{
	ck_assert(mend(PARSE_CSV, STR_LITERAL("\"a\",b,d"), STR_LITERAL("\"\xff,\",7,\"two\"\"\n\"")));
	ASSERT_RAW("\"1\",,\"two\"\"\n\",\"x\"\"y\"");
	ck_assert(str_is(buf_str(&header), "\"a\",b,d,\"c\""));
	ck_assert(mend(PARSE_CSV, STR_LITERAL("c,a"), STR_LITERAL(",")));
	ASSERT_RAW("\"x\"\"y\",\"1\"");
	ck_assert(str_is(buf_str(&header), "c,a"));
}
END_TEST

START_TEST(pairs_of_msgpack_keep_their_bytes)
{
	ck_assert(mend(PARSE_MSGPACK, STR_LITERAL(""),
	               STR_LITERAL("\x83\xa1"
	                           "a\xca\x7f\xc0\0\0\xa1"
	                           "d\xa2\0\xff\xa1"
	                           "b\x01")));
	ASSERT_RAW("\xdf\0\0\0\x03\xa1"
	           "d\xa2\0\xff\xdb\0\0\0\x01"
	           "a\xdb\0\0\0\x01"
	           "1\xdb\0\0\0\x01"
	           "c\xdb\0\0\0\x03"
	           "x\"y");
}
END_TEST

START_TEST(what_has_no_fields_is_not_mended)
{
	static const struct {
		enum parse_format format;
		struct str header, raw;
	} cases[] = {
		{ PARSE_NDJSON, { "", 0 }, { "nonsense", 8 } },
		{ PARSE_NDJSON, { "", 0 }, { "[1]", 3 } },
		{ PARSE_NDJSON, { "", 0 }, { "{\"a\":1", 6 } },
		{ PARSE_NDJSON, { "", 0 }, { "{\"a\":1}{}", 9 } },
		{ PARSE_NDJSON, { "", 0 }, { "{\"a\":1,}", 8 } },
		{ PARSE_NDJSON, { "", 0 }, { "{\"a\":\"}", 7 } },
		{ PARSE_NDJSON, { "", 0 }, { "{\"a\":]}", 7 } },
		{ PARSE_NDJSON, { "", 0 }, { "", 0 } },
		{ PARSE_CSV, { "a,b", 3 }, { "1", 1 } },
		{ PARSE_CSV, { "a,b", 3 }, { "1,2,3", 5 } },
		{ PARSE_CSV, { "a,b", 3 }, { "1,\"2", 4 } },
		{ PARSE_CSV, { "a,b", 3 }, { "1,\"2\"3", 6 } },
		{ PARSE_CSV, { "", 0 }, { "1", 1 } },
		{ PARSE_MSGPACK, { "", 0 }, { "\x91\x01", 2 } },
		{ PARSE_MSGPACK,
		  { "", 0 },
		  { "\x81\xa1"
		    "a",
		    3 } },
		{ PARSE_MSGPACK, { "", 0 }, { "\xc1", 1 } },
		{ PARSE_MSGPACK, { "", 0 }, { "\x80\x01", 2 } },
		{ PARSE_MSGPACK, { "", 0 }, { "", 0 } },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(!mend(cases[i].format, cases[i].header, cases[i].raw), "case %zu: %.*s", i,
		              STR_ARGS(cases[i].raw));
}
END_TEST

Suite *suite_mend(void)
{
	Suite *suite = suite_create("mend");
	TCase *tcase = tcase_create("mend");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, members_of_json_keep_their_text);
	tcase_add_test(tcase, cells_of_csv_keep_their_quotes_and_new_ones_get_a_name);
	tcase_add_test(tcase, pairs_of_msgpack_keep_their_bytes);
	tcase_add_test(tcase, what_has_no_fields_is_not_mended);
	suite_add_tcase(suite, tcase);
	return suite;
}
