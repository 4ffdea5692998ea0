/* SPDX-License-Identifier: ISC */
/*
 * test_parse.c: what is taken from a body and what is said of the rest, however the body is cut.
 *
 * A body is read to a transcript, a line an item: `N {record}`, or `N field: reason | as it was sent` (msgpack as JSON),
 * and at its end, if it could not be read on, `! where: reason`.
 * Every body here
 * is read whole and in pieces of many sizes: the transcript must not differ.
 */
#include <check.h>
#include <stdlib.h>

#include "record/parse_private.h"

Suite *suite_parse(void);

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
/* clang-format off */
#define BYTES(text) { (text), sizeof(text) - 1 }
/* clang-format on */

static const struct parse_limits limits = { .line_max_bytes = 400, .value_max_bytes = 40, .depth_max = 4 };

/* --- transcripts --- */

/* Transcripts are compared as C strings. */
static void add_shown(struct buf *out, struct str raw)
{
	for (size_t i = 0; i < raw.len; i++)
		buf_add(out, raw.p[i] ? &raw.p[i] : "\\0", raw.p[i] ? 1 : 2);
}

static void transcribe(void *arg, const struct parse_item *item)
{
	struct buf *out = arg;

	buf_addf(out, "%llu ", (unsigned long long)item->line);
	ck_assert(item->record != NULL || item->faults_count > 0);
	if (item->faults_count == 0) {
		record_write_raw_json(out, item->record);
	} else {
		for (size_t i = 0; i < item->faults_count; i++)
			buf_addf(out, "%s%s: %s", i > 0 ? "; " : "", item->faults[i].field, item->faults[i].reason);
		buf_add_text(out, " | ");
		if (item->format == PARSE_MSGPACK && item->raw.len > 0)
			parse_write_json(out, item->format, item->header, item->raw, NULL);
		else
			add_shown(out, item->raw);
	}
	buf_add_char(out, '\n');
}

struct reading {
	enum parse_format format;
	const char *product;
	size_t piece;
};

/* Each piece lies in memory of its own size, so that a sanitizer sees what is read past it. */
static int feed(struct parser *parser, struct str piece, struct error *err)
{
	char *copy = malloc(piece.len + 1);
	int result;

	memcpy(copy, piece.p, piece.len);
	copy = realloc(copy, piece.len);
	result = parser_feed(parser, copy, piece.len, err);
	free(copy);
	return result;
}

static int read_body(struct buf *transcript, const struct reading *reading, struct str body)
{
	struct parser *parser = parser_new(reading->format, &limits, reading->product, transcribe, transcript);
	struct error err = { 0 };
	int result = 0, finished;

	ck_assert_ptr_nonnull(parser);
	buf_clear(transcript);
	for (size_t at = 0; at < body.len; at += reading->piece) {
		struct str piece = { body.p + at, body.len - at < reading->piece ? body.len - at : reading->piece };

		result = feed(parser, piece, &err);
	}
	finished = parser_finish(parser, &err);
	ck_assert_msg(result == 0 || finished != 0, "a body that was broken is right at its end");
	ck_assert(finished == 0 || err.message[0]);
	if (finished != 0) {
		struct parse_position position;

		parser_position(parser, &position);
		buf_addf(transcript, "! %s %llu, byte %llu: %s\n", position.unit, (unsigned long long)position.line,
		         (unsigned long long)position.byte, err.message);
	}
	parser_free(parser);
	return finished;
}

static const char *text_of(struct buf *buf)
{
	const char *text = buf_cstr(buf);

	return text ? text : "";
}

/* Reads in every way and compares; with `wanted` NULL just that all are the same. Returns the parser's last result. */
static int read_every_way(enum parse_format format, const char *product, struct str body, const char *wanted)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 16, 61, 64, 300 };
	struct buf first = { 0 }, again = { 0 };
	int result = read_body(&first, &(struct reading){ format, product, SIZE_MAX }, body);

	if (wanted)
		ck_assert_msg(strcmp(text_of(&first), wanted) == 0, "of %.*s\ngot:\n%s\nwanted:\n%s", STR_ARGS(body),
		              text_of(&first), wanted);
	for (size_t i = 0; i < COUNT(pieces); i++) {
		struct reading reading = { format, product, pieces[i] };
		int result_again = read_body(&again, &reading, body);

		ck_assert_msg(strcmp(text_of(&first), text_of(&again)) == 0 && result == result_again,
		              "of %.*s in pieces of %zu:\n%s\ninstead of\n%s", STR_ARGS(body), reading.piece,
		              text_of(&again), text_of(&first));
	}
	buf_free(&first);
	buf_free(&again);
	return result;
}

/* --- NDJSON --- */

#define SMS "{\"product\":\"SMS\",\"id\":\"a\"}"
#define OBJECT(fields) "{\"product\":\"SMS\"," fields "}"
#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define E_ACUTE "\xc3\xa9"

struct body_case {
	struct str body;
	const char *transcript;
	int result;
};

#define UTF_16 "The body is encoded in UTF-16: send it in UTF-8, or name its encoding\n"
#define CUT_ARRAY "Cut off: the body ends before the ] of the JSON array\n"

static const struct body_case lines[] = {
	{ BYTES(""), "", 0 },
	{ BYTES(SMS "\n" SMS "\n"), "1 " SMS "\n2 " SMS "\n", 0 },
	{ BYTES(SMS), "1 " SMS "\n", 0 },
	{ BYTES("\r\n\n" SMS "\r\n\n \t" SMS " \r\n\n"), "3 " SMS "\n5 " SMS "\n", 0 },
	{ BYTES(" { \"product\" : \"SMS\" ,\t\"id\":\"a\" } \n"), "1 " SMS "\n", 0 },
	{ BYTES("{\"id\":\"a\",\"product\":\"SMS\"}\n{\"id\":\"b\",\"product\":\"AMD\"}\n" SMS "\n"),
	  "1 " SMS "\n2 {\"product\":\"AMD\",\"id\":\"b\"}\n3 " SMS "\n", 0 },
	/* line ends */
	{ BYTES(SMS "\r" SMS "\r\r" SMS), "1 " SMS "\n2 " SMS "\n4 " SMS "\n", 0 },
	{ BYTES(SMS "\r" SMS "\n" SMS "\r"), "1 " SMS "\n2 " SMS "\n3 " SMS "\n", 0 },
	{ BYTES(SMS "\r\n{\"product\":\"SMS\",\r\"id\":\"a\"}\r\n"), "1 " SMS "\n2 " SMS "\n", 0 },
	{ BYTES("nonsense\r" SMS "\r"), NULL, 0 },
	/* what text may begin with */
	{ BYTES("\xef\xbb\xbf" SMS "\n" SMS), "1 " SMS "\n2 " SMS "\n", 0 },
	{ BYTES("\xef\xbb"), NULL, 0 },
	{ BYTES("\xff\xfe{\0}\0"), "! line 1, byte 0: " UTF_16, -1 },
	{ BYTES("\xfe\xff\0{\0}"), "! line 1, byte 0: " UTF_16, -1 },
	{ BYTES("{\0}\0"), "! line 1, byte 0: " UTF_16, -1 },
	{ BYTES("\0{\0}"), "! line 1, byte 0: " UTF_16, -1 },
	/* values */
	{ BYTES(OBJECT("\"latency\":5971,\"total_price\":0.0400000000000000000001")),
	  "1 " OBJECT("\"latency\":\"5971\",\"total_price\":\"0.0400000000000000000001\"") "\n", 0 },
	{ BYTES(OBJECT("\"latency\":-0.5e+10,\"from\":true,\"to\":false,\"id\":null,\"status\":0")),
	  "1 " OBJECT("\"from\":\"true\",\"to\":\"false\",\"latency\":\"-0.5e+10\",\"status\":\"0\"") "\n", 0 },
	{ BYTES(OBJECT("\"id\":\"\"")), "1 " OBJECT("\"id\":\"\"") "\n", 0 },
	{ BYTES(OBJECT("\"id\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\\u0041!\",\"to\":\"\\u20AC1\"")),
	  "1 " OBJECT("\"to\":\"\xe2\x82\xac"
	              "1\",\"id\":\"\\\"\\\\/\\b\\f\\n\\r\\t" E_ACUTE "\xf0\x9f\x98\x80"
	              "A!\"") "\n",
	  0 },
	{ BYTES(OBJECT("\"i\\u0064\":\"a\"")), "1 " SMS "\n", 0 },
	{ BYTES(OBJECT("\"id\":\"" E_ACUTE "\x7f\"")), "1 " OBJECT("\"id\":\"" E_ACUTE "\x7f\"") "\n", 0 },
	{ BYTES(OBJECT("\"id\":\"" X10 X10 X10 X10 "\"")), "1 " OBJECT("\"id\":\"" X10 X10 X10 X10 "\"") "\n", 0 },
	/* faults of a field */
	{ BYTES(OBJECT("\"id\":\"" X10 X10 X10 X10 "y\"")),
	  "1 id: 41 bytes, at most 40 allowed | " OBJECT("\"id\":\"" X10 X10 X10 X10 "y\"") "\n", 0 },
	{ BYTES(OBJECT("\"smell\":\"nice\"")), "1 smell: Unknown field of SMS | " OBJECT("\"smell\":\"nice\"") "\n",
	  0 },
	{ BYTES(OBJECT("\"id\":\"a\",\"id\":\"a\"")), "1 id: Given twice | " OBJECT("\"id\":\"a\",\"id\":\"a\"") "\n",
	  0 },
	{ BYTES(OBJECT("\"product\":\"SMS\"")), "1 product: Given twice | " OBJECT("\"product\":\"SMS\"") "\n", 0 },
	{ BYTES(OBJECT("\"id\":{\"a\":1}")), "1 id: Must be a text, not an object | " OBJECT("\"id\":{\"a\":1}") "\n",
	  0 },
	{ BYTES(OBJECT("\"id\":[1,2]")), "1 id: Must be a text, not an array | " OBJECT("\"id\":[1,2]") "\n", 0 },
	{ BYTES(OBJECT("\"id\":\"a\\u0000b\"")),
	  "1 id: Contains a NUL character | " OBJECT("\"id\":\"a\\u0000b\"") "\n", 0 },
	{ BYTES(OBJECT("\"id\":\"\xff\xfe\"")), "1 id: Not valid UTF-8 | " OBJECT("\"id\":\"\xff\xfe\"") "\n", 0 },
	{ BYTES(OBJECT("\"id\":\"\xed\xa0\x80\"")), "1 id: Not valid UTF-8 | " OBJECT("\"id\":\"\xed\xa0\x80\"") "\n",
	  0 },
	/* product */
	{ BYTES("{\"id\":\"a\"}"), "1 product: Missing required field | {\"id\":\"a\"}\n", 0 },
	{ BYTES("{\"product\":null}"), "1 product: Missing required field | {\"product\":null}\n", 0 },
	{ BYTES("{\"product\":\"\"}"), "1 product: Missing required field | {\"product\":\"\"}\n", 0 },
	{ BYTES("{\"product\":\"SMOKE-SIGNAL\",\"x\":1}\n" SMS),
	  "1 product: Unknown product \"SMOKE-SIGNAL\" | {\"product\":\"SMOKE-SIGNAL\",\"x\":1}\n2 " SMS "\n", 0 },
	{ BYTES("{\"product\":{}}"), "1 product: Must be a text | {\"product\":{}}\n", 0 },
	{ BYTES("{\"product\":\"CONVERSATIONS\"}"),
	  "1 product: Unknown product \"CONVERSATIONS\" | {\"product\":\"CONVERSATIONS\"}\n", 0 },
	/* nested text of a JSON column */
	{ BYTES("{\"product\":\"REPORTS-USAGE\",\"request_params\":{ \"a\": [1,{}]} }"),
	  "1 {\"product\":\"REPORTS-USAGE\",\"request_params\":\"{ \\\"a\\\": [1,{}]}\"}\n", 0 },
	{ BYTES("{\"product\":\"REPORTS-USAGE\",\"request_params\":\"{\\\"a\\\":1}\"}"),
	  "1 {\"product\":\"REPORTS-USAGE\",\"request_params\":\"{\\\"a\\\":1}\"}\n", 0 },
	{ BYTES("{\"product\":\"REPORTS-USAGE\",\"request_params\":\"{a\"}"),
	  "1 request_params: Must be JSON | {\"product\":\"REPORTS-USAGE\",\"request_params\":\"{a\"}\n", 0 },
	{ BYTES("{\"product\":\"REPORTS-USAGE\",\"request_params\":\"[[[[]]]]\"}"),
	  "1 request_params: Must be JSON | {\"product\":\"REPORTS-USAGE\",\"request_params\":\"[[[[]]]]\"}\n", 0 },
	/* depth, the record itself counted: 4 is allowed */
	{ BYTES(OBJECT("\"id\":[[[]]]")), "1 id: Must be a text, not an array | " OBJECT("\"id\":[[[]]]") "\n", 0 },
	{ BYTES(OBJECT("\"id\":[[[[]]]]") "\n" SMS),
	  "1 : Nested deeper than the 4 levels allowed | " OBJECT("\"id\":[[[[]]]]") "\n2 " SMS "\n", 0 },
	{ BYTES("[[[[[[[[\n" SMS), "1 : Nested deeper than the 4 levels allowed | [[[[[[[[\n2 " SMS "\n", 0 },
	/* no object */
	{ BYTES("[1,2]\n\"text\"\n17\nnull\ntrue\n{}\n"),
	  "1 : Must be an object, not an array | [1,2]\n2 : Must be an object, not a text | \"text\"\n"
	  "3 : Must be an object, not a number | 17\n4 : Must be an object, not null | null\n"
	  "5 : Must be an object, not a boolean | true\n6 product: Missing required field | {}\n",
	  0 },
	{ BYTES(OBJECT("\"id\":\"\\ud83d!\"") "\n" OBJECT("\"id\":\"\\ude00\"") "\n" SMS),
	  "1 : Escape of half a surrogate pair | " OBJECT(
		  "\"id\":\"\\ud83d!\"") "\n"
	                                 "2 : Escape of half a surrogate pair | " OBJECT(
						 "\"id\":\"\\ude00\"") "\n3 " SMS "\n",
	  0 },
	/* long lines */
	{ BYTES(SMS "\n" OBJECT("\"id\":\"" X100 X100 X100 X100 "\"") "\n" SMS),
	  "1 " SMS "\n2 : Longer than the 400 bytes allowed | {\"product\":\"SMS\",\"id\":\"" X100 X100 X100 X10 X10 X10
	          X10 X10 X10 X10 "xxxxxxx\n3 " SMS "\n",
	  0 },
};

START_TEST(lines_are_read)
{
	ck_assert_int_eq(read_every_way(PARSE_NDJSON, NULL, lines[_i].body, lines[_i].transcript), lines[_i].result);
}
END_TEST

static const struct str broken_lines[] = { BYTES("{"),
	                                   BYTES("nonsense"),
	                                   BYTES("{\"product\":\"SMS\",}"),
	                                   BYTES("{\"a\":1} {\"b\":2}"),
	                                   BYTES("}"),
	                                   BYTES("{\"a\":1}}"),
	                                   BYTES("{\"product\" \"SMS\"}"),
	                                   BYTES("{\"product\":\"SMS\" \"id\":\"a\"}"),
	                                   BYTES("{'product':'SMS'}"),
	                                   BYTES("{product:\"SMS\"}"),
	                                   BYTES(OBJECT("\"id\":01")),
	                                   BYTES(OBJECT("\"id\":1.")),
	                                   BYTES(OBJECT("\"id\":.5")),
	                                   BYTES(OBJECT("\"id\":+1")),
	                                   BYTES(OBJECT("\"id\":-")),
	                                   BYTES(OBJECT("\"id\":1e")),
	                                   BYTES(OBJECT("\"id\":NaN")),
	                                   BYTES(OBJECT("\"id\":True")),
	                                   BYTES(OBJECT("\"id\":nul")),
	                                   BYTES(OBJECT("\"id\":\"a")),
	                                   BYTES(OBJECT("\"id\":\"a\\\"")),
	                                   BYTES(OBJECT("\"id\":\"\\x\"")),
	                                   BYTES(OBJECT("\"id\":\"\\u12g4\"")),
	                                   BYTES(OBJECT("\"id\":\"a\tb\"")),
	                                   BYTES(OBJECT("\"id\":\"a\0b\"")),
	                                   BYTES(OBJECT("\"id\":\"a\" // comment")),
	                                   BYTES("\0\0"),
	                                   BYTES("\xff\xff\xff\xff"),
	                                   BYTES("\xef\xbb\xbf{}"),
	                                   BYTES("\"\\\\\\\\\\"),
	                                   BYTES("{\"product\":\"S\0MS\"}"),
	                                   BYTES(OBJECT("")),
	                                   BYTES(OBJECT("\"id\":\"a\",")),
	                                   BYTES(OBJECT("\"id\"")),
	                                   BYTES(OBJECT("\"id\":")),
	                                   BYTES(","),
	                                   BYTES(SMS "\""),
	                                   BYTES(SMS "-"),
	                                   BYTES("{\f}"),
	                                   BYTES(OBJECT("\"id\":{\"a\":\v1}")),
	                                   BYTES("[1,2") };

START_TEST(a_broken_line_costs_only_itself)
{
	struct buf body = { 0 }, out = { 0 };
	const char *transcript, *second, *third;

	buf_add_text(&body, SMS "\n");
	buf_add_str(&body, broken_lines[_i]);
	buf_add_text(&body, "\n" SMS "\n");
	ck_assert_int_eq(read_every_way(PARSE_NDJSON, NULL, buf_str(&body), NULL), 0);
	read_body(&out, &(struct reading){ PARSE_NDJSON, NULL, SIZE_MAX }, buf_str(&body));
	ck_assert(memchr(out.data, '\0', out.len) == NULL || memchr(broken_lines[_i].p, '\0', broken_lines[_i].len));
	for (size_t i = 0; i < out.len; i++)
		if (out.data[i] == '\0')
			out.data[i] = '0';
	transcript = buf_cstr(&out);
	ck_assert_msg(strncmp(transcript, "1 " SMS "\n", strlen("1 " SMS "\n")) == 0, "%s", transcript);
	second = strstr(transcript, "\n2 : Not JSON at byte ");
	third = strstr(transcript, "\n3 " SMS "\n");
	ck_assert_msg(second && third && second < third && !third[strlen("\n3 " SMS "\n")], "%s", transcript);
	buf_free(&body);
	buf_free(&out);
}
END_TEST

static const struct {
	const char *text;
	int byte;
	const char *why;
} wrong_bytes[] = {
	{ "{\"a\":1}}", 7, "parse error: only white space may follow" },
	{ "{\"a\":1 \"b\":2}", 7, "parse error: , or } expected" },
	{ "{\"a\" 1}", 5, "parse error: : expected after the name" },
	{ "{\"a\":1,}", 7, "parse error: a name in quotes expected" },
	{ "{\"a\":[1,]}", 8, "parse error: no value of JSON begins with this character" },
	{ "{\"a\":[1 2]}", 8, "parse error: , or ] expected" },
	{ "{\"a\":{\"b\"}}", 9, "parse error: : expected after the name" },
	{ "{\"a\":nule}", 8, "lexical error: invalid string in json text." },
	{ "{\"a\":-x}", 6, "lexical error: a digit is missing here" },
	{ "{\"a\":1.}", 7, "lexical error: a digit is missing here" },
	{ "{\"a\":01}", 6, "parse error: , or } expected" },
	{ "{\"a\":\"\\x\"}", 7, "lexical error: no escape has this character after its \\" },
	{ "{\"a\":\"\\u00g0\"}", 10, "lexical error: \\u needs four hexadecimal digits" },
	{ "{\"a\":\"b\tc\"}", 7, "lexical error: control character in a text" },
	{ "{\"a\":\"b", 7, "parse error: premature EOF" },
	/* what is wrong with fields is of no account then */
	{ "{\"product\":\"SMS\",\"smell\":1,\"id\":[],}", 35, "parse error: a name in quotes expected" },
};

START_TEST(first_byte_that_is_no_json_is_named)
{
	struct buf wanted = { 0 };
	const char *text = wrong_bytes[_i].text;

	buf_addf(&wanted, "1 : Not JSON at byte %d: %s | %s\n", wrong_bytes[_i].byte, wrong_bytes[_i].why, text);
	read_every_way(PARSE_NDJSON, NULL, str_from(text), buf_cstr(&wanted));
	buf_free(&wanted);
}
END_TEST

START_TEST(fields_are_judged_by_the_product_that_is_named_after_them)
{
	read_every_way(PARSE_NDJSON, NULL,
	               STR_LITERAL(SMS "\n{\"call_id\":\"c\",\"smell\":1,\"id\":[],\"product\":\"AMD\"}\n"
	                               "{\"call_id\":\"c\",\"product\":\"AMD\"}\n{\"to\":\"5\",\"product\":\"SMS\"}\n"),
	               "1 " SMS "\n2 smell: Unknown field of AMD; id: Must be a text, not an array | "
	               "{\"call_id\":\"c\",\"smell\":1,\"id\":[],\"product\":\"AMD\"}\n"
	               "3 {\"product\":\"AMD\",\"call_id\":\"c\"}\n4 {\"product\":\"SMS\",\"to\":\"5\"}\n");
}
END_TEST

START_TEST(of_a_product_that_is_wrong_nothing_else_is_told)
{
	static const char *const bodies[][2] = {
		{ "\"smell\":1,\"product\":\"NOPE\",\"id\":[]", "Unknown product \"NOPE\"" },
		{ "\"product\":\"SMS\",\"id\":[],\"product\":\"AMD\",\"x\":1", "Given twice" },
		{ "\"id\":[],\"product\":\"AMD\",\"product\":\"SMS\"", "Given twice" },
		{ "\"id\":[],\"product\":[],\"x\":1", "Must be a text" },
		{ "\"id\":[],\"x\":1", "Missing required field" },
	};

	for (size_t i = 0; i < COUNT(bodies); i++) {
		struct buf body = { 0 }, wanted = { 0 };

		buf_addf(&body, "{%s}\n" SMS, bodies[i][0]);
		buf_addf(&wanted, "1 product: %s | {%s}\n2 " SMS "\n", bodies[i][1], bodies[i][0]);
		read_every_way(PARSE_NDJSON, NULL, buf_str(&body), buf_cstr(&wanted));
		buf_free(&body);
		buf_free(&wanted);
	}
}
END_TEST

START_TEST(line_of_just_the_length_allowed_is_taken)
{
	struct buf body = { 0 }, wanted = { 0 };

	buf_add_text(&body, SMS);
	while (body.len < limits.line_max_bytes)
		buf_add_char(&body, ' ');
	buf_add_text(&body, "\n" SMS);
	buf_add_text(&wanted, "1 " SMS "\n2 " SMS "\n");
	read_every_way(PARSE_NDJSON, NULL, buf_str(&body), buf_cstr(&wanted));
	buf_free(&body);
	buf_free(&wanted);
}
END_TEST

START_TEST(product_of_the_body_is_that_of_records_that_name_none)
{
	read_every_way(PARSE_NDJSON, "SMS",
	               STR_LITERAL("{\"id\":\"a\"}\n{\"product\":\"AMD\",\"id\":\"b\"}\n{\"id\":\"c\"}"),
	               "1 " SMS "\n2 {\"product\":\"AMD\",\"id\":\"b\"}\n3 {\"product\":\"SMS\",\"id\":\"c\"}\n");
	read_every_way(PARSE_NDJSON, "NOPE", STR_LITERAL("{\"id\":\"a\"}"),
	               "1 product: Unknown product \"NOPE\" | {\"id\":\"a\"}\n");
}
END_TEST

START_TEST(fields_beyond_all_columns_are_told_by_the_first_that_are_wrong)
{
	struct parse_limits wide = { .line_max_bytes = 1 << 20, .value_max_bytes = 40, .depth_max = 4 };
	struct buf body = { 0 }, out = { 0 };
	struct parser *parser = parser_new(PARSE_NDJSON, &wide, NULL, transcribe, &out);
	struct error err;

	buf_add_text(&body, "{\"id\":\"a\"");
	for (int i = 0; i < 1000; i++)
		buf_addf(&body, ",\"field_%d\":\"\"", i);
	buf_add_text(&body, ",\"product\":\"SMS\"}\n");
	ck_assert_int_eq(parser_feed(parser, body.data, body.len, &err), 0);
	ck_assert_msg(strncmp(buf_cstr(&out), "1 field_0: Unknown field of SMS; field_1: ", 42) == 0, "%.80s",
	              out.data);
	parser_free(parser);
	buf_free(&body);
	buf_free(&out);
}
END_TEST

/* --- a JSON array --- */

static const struct body_case arrays[] = {
	{ BYTES("[]"), "", 0 },
	{ BYTES(" \r\n\t[ ] \n"), "", 0 },
	{ BYTES(""), "", 0 },
	{ BYTES("[" SMS "," SMS "]"), "1 " SMS "\n2 " SMS "\n", 0 },
	{ BYTES("[\n  {\n    \"product\": \"SMS\",\n\t\"id\" :\r\n\"a\"\n  } ,\n" SMS "\n]\n"),
	  "1 " SMS "\n2 " SMS "\n", 0 },
	{ BYTES("[" OBJECT("\"smell\":\"]},{[\\\"\"") "," SMS "]"),
	  "1 smell: Unknown field of SMS | " OBJECT("\"smell\":\"]},{[\\\"\"") "\n2 " SMS "\n", 0 },
	{ BYTES("[1 , \"a,]\",[2,[3]],null ,-1.5e3," SMS "]"),
	  "1 : Must be an object, not a number | 1\n2 : Must be an object, not a text | \"a,]\"\n"
	  "3 : Must be an object, not an array | [2,[3]]\n4 : Must be an object, not null | null\n"
	  "5 : Must be an object, not a number | -1.5e3\n6 " SMS "\n",
	  0 },
	{ BYTES("[" OBJECT("\"id\":[[[[1]]]]") "," SMS "]"),
	  "1 : Nested deeper than the 4 levels allowed | " OBJECT("\"id\":[[[[1]]]]") "\n2 " SMS "\n", 0 },
	{ BYTES("[" OBJECT("\"id\":\"\xff\"") "," SMS "]"),
	  "1 id: Not valid UTF-8 | " OBJECT("\"id\":\"\xff\"") "\n2 " SMS "\n", 0 },
	{ BYTES("[" OBJECT("\"id\":\"" X100 X100 X100 X100 "\"") "," SMS "]"),
	  "1 : Longer than the 400 bytes allowed | {\"product\":\"SMS\",\"id\":\"" X100 X100 X100 X10 X10 X10 X10 X10
	          X10 X10 "xxxxxxx\n2 " SMS "\n",
	  0 },
	/* commas that are missing or too many, and a second array, do no harm */
	{ BYTES("[" SMS " " SMS "]"), "1 " SMS "\n2 " SMS "\n", 0 },
	{ BYTES("[," SMS ",," SMS ",]"), "1 " SMS "\n2 " SMS "\n", 0 },
	{ BYTES("[" SMS "]\n[" SMS "] []"), "1 " SMS "\n2 " SMS "\n", 0 },
	{ BYTES("\xef\xbb\xbf[" SMS "]"), "1 " SMS "\n", 0 },
	/* a body that can't be read on */
	{ BYTES("[" SMS ",{\"product\":"),
	  "1 " SMS "\n2 : Cut off: the body ends within this element | {\"product\":\n"
	  "! element 2, byte 28: Cut off: the body ends within this element\n",
	  -1 },
	{ BYTES("[" SMS), "1 " SMS "\n! element 2, byte 27: " CUT_ARRAY, -1 },
	{ BYTES("[" SMS ","), "1 " SMS "\n! element 2, byte 28: " CUT_ARRAY, -1 },
	{ BYTES("["), "! element 1, byte 1: " CUT_ARRAY, -1 },
	{ BYTES("[" SMS "]" SMS), "1 " SMS "\n! element 2, byte 28: Only another JSON array may follow a JSON array\n",
	  -1 },
	{ BYTES(SMS), "! element 1, byte 0: Not a JSON array: it must begin with [\n", -1 },
	{ BYTES("\xff\xfe[\0]\0"), "! element 1, byte 0: " UTF_16, -1 },
};

START_TEST(arrays_are_read)
{
	ck_assert_int_eq(read_every_way(PARSE_JSON_ARRAY, NULL, arrays[_i].body, arrays[_i].transcript),
	                 arrays[_i].result);
}
END_TEST

/* One element of three is broken: what is kept of it is just its own text. */
static const char *const broken_elements[] = {
	"nonsense",
	"nan",
	"{\"product\":\"SMS\",\"id\":nan}",
	"{\"product\":\"SMS\",\"id\":\"\\x41\"}",
	"{\"product\":\"SMS\",\"id\":\"C:\\\"}",
	"{\"product\":\"SMS\",}",
	"{\"product\":\"SMS\",\"id\":}",
	"{\"product\":\"SMS\" \"id\":\"a\"}",
	"{\"product\":\"SMS\",\"id\" \"a\"}",
	"{'product':'SMS'}",
	"{product:\"SMS\"}",
	"{]}",
	/* quotes */
	"{\"product\":\"SMS\",\"id\":\"a}",
	"{\"product\":\"SMS\",\"id:\"a\"}",
	"{\"product\":\"SMS\",id\":\"a\"}",
	"{\"product:\"SMS\",\"id\":\"a\"}",
	"{product\":\"SMS\",\"id\":\"a\"}",
	"{\"product\":\"SMS\",\"id\":\"5\" pipe\"}",
	"{\"product\":\"SMS\",\"id\":\"a \"b\" c\"}",
	"{\"product\":\"SMS\",\"id\":\"a\n}",
	/* brackets */
	"{\"product\":\"SMS\",\"id\":\"a\"",
	"{\"product\":\"SMS\",\"id\":{\"a\":1}",
	"{\"product\":\"SMS\",\"id\":[1,2}",
	"{\"product\":\"SMS\",\"id\":[1,{\"a\":2]}",
	"{\"product\":\"SMS\",\"id\":1,2]}",
	"\"product\":\"SMS\",\"id\":\"a\"}",
	"product\":\"SMS\",\"id\":\"a\"}",
	"{\"product\":\"SMS\",\"id\":\"a\"}}",
	"{\"product\":\"SMS\",\"id\":\"a\"} to",
};

START_TEST(broken_element_costs_only_itself)
{
	static const char *const between[][2] = { { "[", "," }, { " [ ", " , " }, { "[\r\n", "\r\n  ,\r\n  " } };
	const char *broken = broken_elements[_i];
	struct buf body = { 0 }, out = { 0 }, kept = { 0 };

	buf_addf(&kept, " | %s\n", broken);
	for (size_t i = 0; i < COUNT(between); i++) {
		const char *reason, *rest;

		buf_clear(&body);
		buf_addf(&body, "%s" SMS "%s%s%s" SMS "]", between[i][0], between[i][1], broken, between[i][1]);
		ck_assert_int_eq(read_every_way(PARSE_JSON_ARRAY, NULL, buf_str(&body), NULL), 0);
		read_body(&out, &(struct reading){ PARSE_JSON_ARRAY, NULL, SIZE_MAX }, buf_str(&body));
		reason = strstr(buf_cstr(&out), "1 " SMS "\n2 : Not JSON at byte ");
		rest = strstr(out.data, buf_cstr(&kept));
		ck_assert_msg(reason == out.data && rest && strcmp(rest + kept.len, "3 " SMS "\n") == 0,
		              "of %s\ngot:\n%s", buf_cstr(&body), out.data);
	}
	buf_free(&body);
	buf_free(&out);
	buf_free(&kept);
}
END_TEST

START_TEST(last_element_may_be_broken)
{
	read_every_way(PARSE_JSON_ARRAY, NULL, STR_LITERAL("[" SMS ",{\"product\":\"SMS\",\"id\":\"a} ] "),
	               "1 " SMS
	               "\n2 : Not JSON at byte 25: parse error: premature EOF | {\"product\":\"SMS\",\"id\":\"a}\n");
	read_every_way(PARSE_JSON_ARRAY, NULL, STR_LITERAL("[" SMS ",{\"product\":\"SMS\",\"id\":\"a\"]\n"),
	               "1 " SMS
	               "\n2 : Not JSON at byte 25: parse error: premature EOF | {\"product\":\"SMS\",\"id\":\"a\"\n");
}
END_TEST

START_TEST(long_element_with_a_quote_missing_costs_only_itself)
{
	struct buf body = { 0 }, out = { 0 };

	buf_addf(&body, "[" SMS ",{\"id\":\"");
	for (int i = 0; i < 1000; i++)
		buf_add_char(&body, 'x');
	buf_add_text(&body, "} , {\n \"product\":\"SMS\",\"id\":\"a\"}]");
	ck_assert_int_eq(read_every_way(PARSE_JSON_ARRAY, NULL, buf_str(&body), NULL), 0);
	read_body(&out, &(struct reading){ PARSE_JSON_ARRAY, NULL, SIZE_MAX }, buf_str(&body));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "\n2 : Longer than the 400 bytes allowed | {\"id\":\"xxx"));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "x\n3 " SMS "\n"));
	buf_free(&body);
	buf_free(&out);
}
END_TEST

START_TEST(one_broken_element_of_20000_loses_no_other)
{
	struct buf body = { 0 }, out = { 0 };
	size_t records = 0;

	for (int i = 0; i < 20000; i++)
		buf_add_text(&body, i == 0 ? "[" SMS : i == 1 ? ",{\"product\":\"SMS\",\"id\":\"a}" : "," SMS);
	buf_add_char(&body, ']');
	ck_assert_int_eq(read_body(&out, &(struct reading){ PARSE_JSON_ARRAY, NULL, 65536 }, buf_str(&body)), 0);
	for (const char *at = buf_cstr(&out); (at = strstr(at, SMS "\n")) != NULL; at++)
		records++;
	ck_assert_uint_eq(records, 19999);
	ck_assert_ptr_nonnull(strstr(out.data, "\n2 : Not JSON"));
	buf_free(&body);
	buf_free(&out);
}
END_TEST

START_TEST(json_is_an_array_or_lines_by_its_first_byte)
{
	read_every_way(PARSE_JSON, NULL, STR_LITERAL(" \r\n\t[" SMS "]"), "1 " SMS "\n");
	read_every_way(PARSE_JSON, NULL, STR_LITERAL("\n" SMS "\n"), "2 " SMS "\n");
	read_every_way(PARSE_JSON, NULL, STR_LITERAL("\xef\xbb\xbf[" SMS "]"), "1 " SMS "\n");
	read_every_way(PARSE_JSON, NULL, STR_LITERAL("\xef\xbb\xbf" SMS), "1 " SMS "\n");
	read_every_way(PARSE_JSON, NULL, STR_LITERAL(""), "");
	read_every_way(PARSE_JSON, NULL, STR_LITERAL("\xef\xbb\xbf"), "");
}
END_TEST

/* --- msgpack --- */

#define M_PRODUCT "\xa7product\xa3SMS"
#define M_SMS \
	"\x82" M_PRODUCT "\xa2id\xa1" \
	"a"
#define M_ONE(value) "\x82" M_PRODUCT "\xa2id" value
#define ID(text) "1 " OBJECT("\"id\":\"" text "\"") "\n"
#define M_USAGE "\x82\xa7product\xadREPORTS-USAGE\xaerequest_params"
#define USAGE(text) "1 {\"product\":\"REPORTS-USAGE\",\"request_params\":\"" text "\"}\n"

#define C1 "Broken msgpack: no value begins with byte c1"
#define CUT_ELEMENT "Cut off: the body ends within this element"

static const struct body_case packed[] = {
	{ BYTES(""), "", 0 },
	{ BYTES(M_SMS M_SMS), "1 " SMS "\n2 " SMS "\n", 0 },
	{ BYTES("\x92" M_SMS M_SMS), "1 " SMS "\n2 " SMS "\n", 0 },
	{ BYTES("\xdc\x00\x02" M_SMS M_SMS M_SMS), "1 " SMS "\n2 " SMS "\n3 " SMS "\n", 0 },
	{ BYTES("\xdd\x00\x00\x00\x01" M_SMS), "1 " SMS "\n", 0 },
	{ BYTES("\x90"), "", 0 },
	{ BYTES("\x82\xa2id\xa1"
	        "a" M_PRODUCT),
	  "1 " SMS "\n", 0 },
	{ BYTES("\xde\x00\x02\xd9\x07product\xda\x00\x03SMS\xdb\x00\x00\x00\x02id\xa1"
	        "a"),
	  "1 " SMS "\n", 0 },
	{ BYTES("\xdf\x00\x00\x00\x02" M_PRODUCT "\xa2id\xa1"
	        "a"),
	  "1 " SMS "\n", 0 },
	/* values */
	{ BYTES(M_ONE("\x07")), ID("7"), 0 },
	{ BYTES(M_ONE("\xe0")), ID("-32"), 0 },
	{ BYTES(M_ONE("\xcc\xff")), ID("255"), 0 },
	{ BYTES(M_ONE("\xcd\xff\xff")), ID("65535"), 0 },
	{ BYTES(M_ONE("\xcf\xff\xff\xff\xff\xff\xff\xff\xff")), ID("18446744073709551615"), 0 },
	{ BYTES(M_ONE("\xd0\x80")), ID("-128"), 0 },
	{ BYTES(M_ONE("\xd1\xff\xfe")), ID("-2"), 0 },
	{ BYTES(M_ONE("\xd2\x7f\xff\xff\xff")), ID("2147483647"), 0 },
	{ BYTES(M_ONE("\xd3\x80\x00\x00\x00\x00\x00\x00\x00")), ID("-9223372036854775808"), 0 },
	{ BYTES(M_ONE("\xc2")), ID("false"), 0 },
	{ BYTES(M_ONE("\xc3")), ID("true"), 0 },
	{ BYTES(M_ONE("\xc0")), "1 {\"product\":\"SMS\"}\n", 0 },
	{ BYTES(M_ONE("\xa0")), ID(""), 0 },
	{ BYTES(M_ONE("\xa2" E_ACUTE)), ID(E_ACUTE), 0 },
	{ BYTES(M_ONE("\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00")), ID("0.5"), 0 },
	{ BYTES(M_ONE("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a")), ID("0.1"), 0 },
	{ BYTES(M_ONE("\xcb\x3f\xd3\x33\x33\x33\x33\x33\x34")), ID("0.30000000000000004"), 0 },
	{ BYTES(M_ONE("\xcb\xc0\x00\x00\x00\x00\x00\x00\x00")), ID("-2"), 0 },
	{ BYTES(M_ONE("\xcb\x44\xb5\x2d\x02\xc7\xe1\x4a\xf6")), ID("100000000000000000000000"), 0 },
	{ BYTES(M_ONE("\xcb\x3e\x7a\xd7\xf2\x9a\xbc\xaf\x48")), ID("0.0000001"), 0 },
	{ BYTES(M_ONE("\xcb\x00\x00\x00\x00\x00\x00\x00\x00")), ID("0"), 0 },
	{ BYTES(M_ONE("\xcb\x40\xfe\x24\x0c\x9f\xbe\x76\xc9")), ID("123456.789"), 0 },
	{ BYTES(M_ONE("\xca\x3d\xcc\xcc\xcd")), ID("0.1"), 0 },
	/* faults of a field; what was sent is told as JSON */
	{ BYTES(M_ONE("\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00")),
	  "1 id: Must be a finite number | " OBJECT("\"id\":null") "\n", 0 },
	{ BYTES(M_ONE("\xc4\x02"
	              "ab")),
	  "1 id: Must be a text, not binary data | " OBJECT("\"id\":\"ab\"") "\n", 0 },
	{ BYTES(M_ONE("\xd4\x01"
	              "a")),
	  "1 id: Must be a text, not binary data | " OBJECT("\"id\":\"\\u0001a\"") "\n", 0 },
	{ BYTES(M_ONE("\x93\x01\xc3\xc0")), "1 id: Must be a text, not an array | " OBJECT("\"id\":[1,true,null]") "\n",
	  0 },
	{ BYTES(M_ONE("\x82\xa1"
	              "a\x01\x07\x02") M_SMS),
	  "1 id: Must be a text, not an object | " OBJECT("\"id\":{\"a\":1,\"7\":2}") "\n2 " SMS "\n", 0 },
	{ BYTES(M_ONE("\xa2\xff\xfe")), "1 id: Not valid UTF-8 | " OBJECT("\"id\":\"\xef\xbf\xbd\xef\xbf\xbd\"") "\n",
	  0 },
	{ BYTES(M_ONE("\xa1\0")), "1 id: Contains a NUL character | " OBJECT("\"id\":\"\\u0000\"") "\n", 0 },
	{ BYTES(M_ONE("\xd9\x29" X10 X10 X10 X10 "x")),
	  "1 id: 41 bytes, at most 40 allowed | " OBJECT("\"id\":\"" X10 X10 X10 X10 "x\"") "\n", 0 },
	{ BYTES("\x82" M_PRODUCT "\xa5smell\xa4nice" M_SMS),
	  "1 smell: Unknown field of SMS | " OBJECT("\"smell\":\"nice\"") "\n2 " SMS "\n", 0 },
	{ BYTES("\x82" M_PRODUCT "\x05\xa4nice"),
	  "1 : The name of a field must be a text | " OBJECT("\"5\":\"nice\"") "\n", 0 },
	{ BYTES("\x82" M_PRODUCT "\x90\xa4nice"),
	  "1 : The name of a field must be a text | " OBJECT("\"?\":\"nice\"") "\n", 0 },
	{ BYTES("\x81\xa2id\xa1"
	        "a"),
	  "1 product: Missing required field | {\"id\":\"a\"}\n", 0 },
	{ BYTES("\x80"), "1 product: Missing required field | {}\n", 0 },
	{ BYTES("\x81\xa7product\x05"), "1 product: Unknown product \"5\" | {\"product\":5}\n", 0 },
	{ BYTES("\x83" M_PRODUCT "\xa2id\x01\xa2id\x02"), "1 id: Given twice | " OBJECT("\"id\":1,\"id\":2") "\n", 0 },
	{ BYTES(M_USAGE "\x81\xa1"
	                "a\x92\x01\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00"),
	  USAGE("{\\\"a\\\":[1,0.5]}"), 0 },
	{ BYTES(M_USAGE "\xa7{\"a\":1}"), USAGE("{\\\"a\\\":1}"), 0 },
	{ BYTES(M_USAGE "\x81\xa1"
	                "a\xd9\x29" X10 X10 X10 X10 "x"),
	  "1 request_params: 49 bytes, at most 40 allowed | {\"product\":\"REPORTS-USAGE\",\"request_params\":{\"a\":\"" X10
	          X10 X10 X10 "x\"}}\n",
	  0 },
	{ BYTES(M_ONE("\x91\x91\x91\x91\x90") M_SMS),
	  "1 : Nested deeper than the 4 levels allowed | " OBJECT("\"id\":[[[[[]]]]]") "\n2 " SMS "\n", 0 },
	/* elements that are no maps */
	{ BYTES(M_SMS "\x93\x01\x02\x03\x07\xa4text\xc0" M_SMS),
	  "1 " SMS "\n2 : Must be a map, not an array | [1,2,3]\n3 : Must be a map, not a number | 7\n"
	  "4 : Must be a map, not a text | \"text\"\n5 : Must be a map, not nil | null\n6 " SMS "\n",
	  0 },
	{ BYTES(M_ONE("\xda\x01\x90" X100 X100 X100 X100) M_SMS), NULL, 0 },
	/* a body that can't be read on */
	{ BYTES(M_SMS "\xc1" M_SMS), "1 " SMS "\n2 : " C1 " | null\n! element 2, byte 18: " C1 "\n", -1 },
	{ BYTES(M_SMS M_ONE("\xc1")),
	  "1 " SMS "\n2 : " C1 " | " OBJECT("\"id\":null") "\n! element 2, byte 18: " C1 "\n", -1 },
	{ BYTES(M_SMS "\x82" M_PRODUCT "\xa2id\xa2"
	              "a"),
	  "1 " SMS "\n2 : " CUT_ELEMENT " | " OBJECT("\"id\":null") "\n! element 2, byte 18: " CUT_ELEMENT "\n", -1 },
	{ BYTES("\x93" M_SMS), "1 " SMS "\n! element 2, byte 19: Cut off: the body ends before the end of its array\n",
	  -1 },
	{ BYTES("\xdd\xff\xff"), "! element 1, byte 3: Cut off: the body ends before the end of its array\n", -1 },
	{ BYTES("\xdf\xff\xff\xff\xff"), "1 : " CUT_ELEMENT " | {}\n! element 1, byte 0: " CUT_ELEMENT "\n", -1 },
	{ BYTES("\xdb\xff\xff\xff\xff"
	        "abc"),
	  "1 : " CUT_ELEMENT " | null\n! element 1, byte 0: " CUT_ELEMENT "\n", -1 },
	{ BYTES("\xc9\xff\xff\xff\xff\0"), "1 : " CUT_ELEMENT " | null\n! element 1, byte 0: " CUT_ELEMENT "\n", -1 },
};

START_TEST(msgpack_is_read)
{
	ck_assert_int_eq(read_every_way(PARSE_MSGPACK, NULL, packed[_i].body, packed[_i].transcript),
	                 packed[_i].result);
}
END_TEST

static void check_numbers(void *arg, const struct parse_item *item)
{
	const struct record *record = item->record;

	ck_assert_msg(item->faults_count == 0, "%s", item->faults_count > 0 ? item->faults[0].reason : "");
	for (uint8_t i = 0; i < record->product->columns_count; i++) {
		if (record->product->columns[i].kind == CATALOG_JSON)
			ck_assert_msg(str_is(record->values[i], "[\"" X100 X100 "\"]"), "%.*s",
			              STR_ARGS(record->values[i]));
		else
			ck_assert_msg(record->values[i].len == 309 && memcmp(record->values[i].p, "1000", 4) == 0,
			              "column %d: %.*s", i, STR_ARGS(record->values[i]));
	}
	*(int *)arg += 1;
}

/* Every value is made on reading, 309 digits long, and another text in their midst: the memory they lie in grows. */
START_TEST(numbers_of_msgpack_stay_as_they_are_while_others_come)
{
	struct parse_limits wide = { .line_max_bytes = 1 << 20, .value_max_bytes = 400, .depth_max = 4 };
	const struct catalog_product *product = catalog_product_find(STR_LITERAL("REPORTS-USAGE"));
	struct buf body = { 0 };
	int items = 0;
	struct parser *parser = parser_new(PARSE_MSGPACK, &wide, NULL, check_numbers, &items);
	struct error err;

	buf_add_char(&body, '\xde');
	buf_add_char(&body, '\0');
	buf_add_char(&body, (char)(product->columns_count + 1));
	buf_addf(&body, "\xa7product\xad%.*s", STR_ARGS(product->name));
	for (uint8_t i = 0; i < product->columns_count; i++) {
		static const char number[] = "\xcb\x7f\xe1\xcc\xf3\x85\xeb\xc8\xa0"; /* 1e308 */

		buf_addf(&body, "\xd9%c%.*s", (char)product->columns[i].name.len, STR_ARGS(product->columns[i].name));
		if (product->columns[i].kind == CATALOG_JSON)
			buf_addf(&body, "\x91\xd9\xc8%s", X100 X100);
		else
			buf_add(&body, number, sizeof(number) - 1);
	}
	ck_assert_int_eq(parser_feed(parser, body.data, body.len, &err), 0);
	ck_assert_int_eq(items, 1);
	parser_free(parser);
	buf_free(&body);
}
END_TEST

START_TEST(deep_msgpack_takes_no_stack)
{
	struct parse_limits wide = { .line_max_bytes = 1 << 20, .value_max_bytes = 40, .depth_max = 64 };
	struct buf body = { 0 }, out = { 0 };
	struct parser *parser = parser_new(PARSE_MSGPACK, &wide, NULL, transcribe, &out);
	struct error err;

	buf_add(&body, M_SMS "\x81\xa2id", sizeof(M_SMS "\x81\xa2id") - 1);
	for (int i = 0; i < 500000; i++)
		buf_add_char(&body, '\x91');
	buf_add(&body, "\xc0" M_SMS, sizeof("\xc0" M_SMS) - 1);
	ck_assert_int_eq(parser_feed(parser, body.data, body.len, &err), 0);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "\n2 : Nested deeper than the 64 levels allowed | "));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "\n3 " SMS "\n"));
	parser_free(parser);
	buf_free(&body);
	buf_free(&out);
}
END_TEST

/* --- CSV --- */

#define BROKEN_QUOTES "Broken quotes: a quoted value must be whole, with its quotes doubled"

static const struct body_case tables[] = {
	{ BYTES(""), "", 0 },
	{ BYTES("product,id\n"), "", 0 },
	{ BYTES("product,id\nSMS,a\n\"SMS\",\"a\"\nSMS,a"), "2 " SMS "\n3 " SMS "\n4 " SMS "\n", 0 },
	{ BYTES("\n\r\n\xef\xbb\xbf\"product\",\"id\"\r\nSMS,a\r\n\r\n\"SMS\",\"a\"\r\n"), "4 " SMS "\n6 " SMS "\n",
	  0 },
	{ BYTES("id,product\n\"a\n\n\"\"b\"\"\",SMS\na,SMS\n"),
	  "2 " OBJECT("\"id\":\"a\\n\\n\\\"b\\\"\"") "\n5 " SMS "\n", 0 },
	{ BYTES("id,product,to\n\"\"\"\",SMS,\"x\"\"\"\"y\"\n"),
	  "2 " OBJECT("\"to\":\"x\\\"\\\"y\",\"id\":\"\\\"\"") "\n", 0 },
	{ BYTES("id,product\n" E_ACUTE ",SMS\n"), "2 " OBJECT("\"id\":\"" E_ACUTE "\"") "\n", 0 },
	{ BYTES("product,id,to\nSMS,a,\nSMS,a,\"\"\n"), "2 " SMS "\n3 " SMS "\n", 0 },
	{ BYTES("product,id,call_id,to\nSMS,a,,5\nAMD,a,c,\n"),
	  "2 " OBJECT("\"to\":\"5\",\"id\":\"a\"") "\n3 {\"product\":\"AMD\",\"call_id\":\"c\",\"id\":\"a\"}\n", 0 },
	{ BYTES("product,request_params\nREPORTS-USAGE,\"{\"\"a\"\":1}\"\nREPORTS-USAGE,{\n"),
	  "2 {\"product\":\"REPORTS-USAGE\",\"request_params\":\"{\\\"a\\\":1}\"}\n"
	  "3 request_params: Must be JSON | REPORTS-USAGE,{\n",
	  0 },
	/* faults */
	{ BYTES("product,id\nSMS,a,b\n\"SMS\"\nSMS,a\n"),
	  "2 : 3 values, but the header line has 2 names | SMS,a,b\n"
	  "3 : 1 values, but the header line has 2 names | \"SMS\"\n4 " SMS "\n",
	  0 },
	{ BYTES("product,smell,id\nSMS,nice,a\nSMS,,a\n"), "2 smell: Unknown field of SMS | SMS,nice,a\n3 " SMS "\n",
	  0 },
	{ BYTES("id,product\na,\na,NOPE\na,SMS\n"),
	  "2 product: Missing required field | a,\n3 product: Unknown product \"NOPE\" | a,NOPE\n4 " SMS "\n", 0 },
	{ BYTES("product,id\nSMS," X10 X10 X10 X10 "x\nSMS,\xff\nSMS,\"\xff\"\n"),
	  "2 id: 41 bytes, at most 40 allowed | SMS," X10 X10 X10 X10 "x\n"
	  "3 id: Not valid UTF-8 | SMS,\xff\n4 id: Not valid UTF-8 | SMS,\"\xff\"\n",
	  0 },
	{ BYTES("product,id\nSMS,\"a\0\"\nSMS,a\0\n"),
	  "2 id: Contains a NUL character | SMS,\"a\\0\"\n3 id: Contains a NUL character | SMS,a\\0\n", 0 },
	{ BYTES("product,id\nSMS,\"a\"b\nSMS,a\"b\nSMS,a\n"),
	  "2 : " BROKEN_QUOTES " | SMS,\"a\"b\n"
	  "3 : " BROKEN_QUOTES " | SMS,a\"b\n4 " SMS "\n",
	  0 },
	{ BYTES("product,id\nSMS,\"a\"\r,\"\nSMS,a\n"), "2 : " BROKEN_QUOTES " | SMS,\"a\"\r,\"\n3 " SMS "\n", 0 },
	{ BYTES("product,id\nSMS,\"a\nSMS,a\n"), "2 : " BROKEN_QUOTES " | SMS,\"a\n3 " SMS "\n", 0 },
	{ BYTES("product,id\nSMS,\"a\n\nSMS,\"a\"\r\nSMS,a"), "2 : " BROKEN_QUOTES " | SMS,\"a\n4 " SMS "\n5 " SMS "\n",
	  0 },
	{ BYTES("product,id,to\nSMS,\"a\nSMS,a\",\nSMS,a,\"\"\n"), NULL, 0 },
	{ BYTES("product,id\nSMS,\"a\nSMS,\"a\nSMS,\"a\nSMS,a\n"),
	  "2 : " BROKEN_QUOTES " | SMS,\"a\n3 : " BROKEN_QUOTES " | SMS,\"a\n4 : " BROKEN_QUOTES " | SMS,\"a\n5 " SMS
	  "\n",
	  0 },
	{ BYTES("product,id,to\nSMS,\"a\n\",b,c\nSMS,a,\n"),
	  "2 : " BROKEN_QUOTES " | SMS,\"a\n3 : " BROKEN_QUOTES " | \",b,c\n4 " SMS "\n", 0 },
	/* line ends */
	{ BYTES("product,id\rSMS,a\r\rSMS,\"a\"\r"), "2 " SMS "\n4 " SMS "\n", 0 },
	{ BYTES("id,product\r\"a\rb\",SMS\ra,SMS"), "2 " OBJECT("\"id\":\"a\\rb\"") "\n4 " SMS "\n", 0 },
	{ BYTES("product,id\nSMS,\"\n\n" X100 X100 X100 X100 "\nSMS,a\n"), NULL, 0 },
};

START_TEST(csv_is_read)
{
	ck_assert_int_eq(read_every_way(PARSE_CSV, NULL, tables[_i].body, tables[_i].transcript), tables[_i].result);
}
END_TEST

static const struct {
	const char *product;
	struct str body;
	const char *fault;
} headers[] = {
	{ NULL, BYTES("product,id,id\nSMS,a,a\n"), "The header line has the column \"id\" twice" },
	{ NULL, BYTES("\"product\"x\nSMS\n"), "The header line has broken quotes" },
	{ NULL, BYTES("product,\"id\nSMS,a\n"), "The header line has broken quotes" },
	{ NULL, BYTES("product;id;to\nSMS;a;b\n"),
	  "The header line is separated by semicolons: separate values by commas" },
	{ NULL, BYTES("\"id\"\t\"product\"\nSMS\ta\n"),
	  "The header line is separated by tabs: separate values by commas" },
	{ "SMS", BYTES("ID|to\na|b\n"), "The header line is separated by vertical bars: separate values by commas" },
	{ NULL, BYTES("product,Id\nSMS,a\n"), "The header line has a column \"Id\": write it \"id\"" },
	{ NULL, BYTES("product, id\nSMS,a\n"), "The header line has a column \" id\": write it \"id\"" },
	{ NULL, BYTES("Product,id\nSMS,a\n"), "The header line has a column \"Product\": write it \"product\"" },
	{ "SMS", BYTES("a,5,b\na,5,c\n"), "The first line names no column of any product: it must be the header line" },
	{ NULL, BYTES("id,to\na,b\n"),
	  "The header line has no column \"product\": add it, or name the product of all rows" },
	{ "NOPE", BYTES("id,to\na,b\n"), "Unknown product \"NOPE\"" },
	{ NULL,
	  BYTES("product,id,stra\xdf"
	        "e\nSMS,a,\n"),
	  "The header line is not valid UTF-8: send UTF-8, or name the encoding of the body" },
	{ NULL, BYTES("\xff\xfep\0r\0"), "The body is encoded in UTF-16: send it in UTF-8, or name its encoding" },
	{ NULL, BYTES("product,id," X100 X100 X100 X100), "The header line is longer than the 400 bytes allowed" },
};

START_TEST(header_that_does_not_fit_is_told_once)
{
	struct buf wanted = { 0 };

	buf_addf(&wanted, "! line 1, byte 0: %s\n", headers[_i].fault);
	ck_assert_int_eq(read_every_way(PARSE_CSV, headers[_i].product, headers[_i].body, buf_cstr(&wanted)), -1);
	buf_free(&wanted);
}
END_TEST

/* The quote of row 2 is never closed; 50 rows fill more than a line and a value may have. */
START_TEST(unclosed_quote_of_csv_costs_only_its_line)
{
	struct buf body = { 0 }, out = { 0 };
	size_t records = 0;

	buf_add_text(&body, "product,id\nSMS,\"a\n");
	for (int i = 0; i < 50; i++)
		buf_add_text(&body, "SMS,a\n");
	ck_assert_int_eq(read_every_way(PARSE_CSV, NULL, buf_str(&body), NULL), 0);
	read_body(&out, &(struct reading){ PARSE_CSV, NULL, SIZE_MAX }, buf_str(&body));
	for (const char *at = buf_cstr(&out); (at = strstr(at, SMS "\n")) != NULL; at++)
		records++;
	ck_assert_uint_eq(records, 50);
	ck_assert_ptr_nonnull(strstr(out.data, "2 : " BROKEN_QUOTES " | SMS,\"a\n3 " SMS "\n"));
	buf_free(&body);
	buf_free(&out);
}
END_TEST

START_TEST(wide_row_within_a_quoted_value_is_a_row)
{
	static const char header[] = "product,id,to,from,status,direction,latency,total_price\n";
	struct buf body = { 0 }, out = { 0 };

	buf_addf(&body, "%sSMS,\"a,,,,,,\nSMS,a,,,,,,\nSMS,a,,,,,,\"\n", header);
	ck_assert_int_eq(read_every_way(PARSE_CSV, NULL, buf_str(&body), NULL), 0);
	read_body(&out, &(struct reading){ PARSE_CSV, NULL, SIZE_MAX }, buf_str(&body));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "2 : " BROKEN_QUOTES " | SMS,\"a,,,,,,\n3 " SMS "\n"));
	buf_clear(&body);
	buf_addf(&body, "%sSMS,\"a\nb,c\nd\",,,,,,\n", header);
	read_every_way(PARSE_CSV, NULL, buf_str(&body), "2 " OBJECT("\"id\":\"a\\nb,c\\nd\"") "\n");
	buf_free(&body);
	buf_free(&out);
}
END_TEST

/* Columns of SMS that a header must have. */
#define NEEDED ",account_id,date_received"

START_TEST(header_of_one_product_has_what_its_records_need)
{
	read_every_way(PARSE_CSV, "SMS", STR_LITERAL("from" NEEDED "\n1,,\n"),
	               "! line 1, byte 0: The header line has no column \"id\", which every record of SMS needs\n");
	read_every_way(
		PARSE_CSV, "VOICE-CALL", STR_LITERAL("id" NEEDED "\n1,,\n"),
		"! line 1, byte 0: The header line has no column \"date_start\", which every record of VOICE-CALL needs\n");
	read_every_way(PARSE_CSV, "SMS", STR_LITERAL("message_id" NEEDED "\n"), "");
}
END_TEST

START_TEST(csv_of_one_product_need_not_name_it)
{
	read_every_way(PARSE_CSV, "SMS", STR_LITERAL("id,from" NEEDED "\na,,,\nb,5,,\n"),
	               "2 " SMS "\n3 " OBJECT("\"from\":\"5\",\"id\":\"b\"") "\n");
	read_every_way(PARSE_CSV, "SMS", STR_LITERAL("id,smell" NEEDED "\na,nice,,\n"),
	               "2 smell: Unknown field of SMS | a,nice,,\n");
}
END_TEST

/* --- a record that was kept --- */

static void read_again(void *arg, const struct parse_item *item)
{
	struct reading reading = { item->format, NULL, SIZE_MAX };
	struct buf body = { 0 }, line = { 0 };

	if (item->faults_count == 0)
		return;
	parse_write_body(&body, item->format, item->header, item->raw);
	read_body(&line, &reading, buf_str(&body));
	buf_add_str(arg, (struct str){ strchr(buf_cstr(&line), ' '), line.len - strcspn(line.data, " ") });
	buf_free(&body);
	buf_free(&line);
}

static const struct {
	enum parse_format format;
	struct str body;
	const char *wanted;
} kept[] = {
	{ PARSE_NDJSON, BYTES("{\"id\":1}\n" SMS "\n nonsense \r\n"),
	  " product: Missing required field | {\"id\":1}\n : Not JSON at byte 1: lexical error: invalid string in json "
	  "text. | nonsense\n" },
	{ PARSE_JSON_ARRAY, BYTES("[ {\n\"id\":\"\xff\",\"product\":\"SMS\"} ,17]"),
	  " id: Not valid UTF-8 | {\n\"id\":\"\xff\",\"product\":\"SMS\"}\n : Must be an object, not a number | 17\n" },
	{ PARSE_MSGPACK, BYTES(M_SMS "\x92\x01\x02" M_ONE("\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00")),
	  " : Must be a map, not an array | [1,2]\n id: Must be a finite number | " OBJECT("\"id\":null") "\n" },
	{ PARSE_CSV, BYTES("\xef\xbb\xbfproduct,\"id\"\r\nSMS,\"\xff\n\"\r\nSMS\r\n"),
	  " id: Not valid UTF-8 | SMS,\"\xff\n\"\n : 1 values, but the header line has 2 names | SMS\n" },
};

START_TEST(record_with_a_fault_can_be_read_again)
{
	struct buf out = { 0 };
	struct parser *parser = parser_new(kept[_i].format, &limits, NULL, read_again, &out);
	struct error err;

	MAY_FAIL(parser_feed(parser, kept[_i].body.p, kept[_i].body.len, &err));
	MAY_FAIL(parser_finish(parser, &err));
	ck_assert_str_eq(text_of(&out), kept[_i].wanted);
	parser_free(parser);
	buf_free(&out);
}
END_TEST

START_TEST(line_of_csv_is_shown_as_an_object)
{
	struct str header = STR_LITERAL("id,product,\"to\"");
	struct buf out = { 0 };

	ck_assert(parse_write_json(&out, PARSE_CSV, header, STR_LITERAL("a,,\"5\"\"\n\""), "SMS"));
	ck_assert_str_eq(text_of(&out), "{\"product\":\"SMS\",\"id\":\"a\",\"to\":\"5\\\"\\n\"}");
	ck_assert(!parse_write_json(&out, PARSE_CSV, header, STR_LITERAL("a,b"), "SMS"));
	ck_assert(!parse_write_json(&out, PARSE_CSV, header, STR_LITERAL("a,b,\"c"), "SMS"));
	buf_free(&out);
}
END_TEST

START_TEST(faults_of_a_record_are_told_together)
{
	read_every_way(
		PARSE_NDJSON, NULL,
		STR_LITERAL(
			"{\"product\":\"SMS\",\"id\":[],\"smell\":1,\"to\":\"\xff\",\"from\":1,\"from\":2,\"id\":1}"),
		"1 id: Must be a text, not an array; smell: Unknown field of SMS; to: Not valid UTF-8; from: Given "
		"twice | {\"product\":\"SMS\",\"id\":[],\"smell\":1,\"to\":\"\xff\",\"from\":1,\"from\":2,\"id\":1}\n");
}
END_TEST

static void check_partial(void *arg, const struct parse_item *item)
{
	const struct catalog_product *product = item->record ? item->record->product : NULL;
	uint8_t id, from;

	ck_assert_ptr_nonnull(product);
	id = catalog_column_find(product, STR_LITERAL("id"));
	from = catalog_column_find(product, STR_LITERAL("from"));
	ck_assert_ptr_null(item->record->values[id].p);
	ck_assert(str_is(item->record->values[from], "5"));
	ck_assert_uint_eq(item->columns_at_fault, UINT64_C(1) << id);
	*(int *)arg += 1;
}

START_TEST(what_could_be_read_of_a_record_with_faults_is_there)
{
	struct str body = STR_LITERAL("{\"product\":\"SMS\",\"id\":[],\"smell\":1,\"from\":\"5\"}\n");
	int items = 0;
	struct parser *parser = parser_new(PARSE_NDJSON, &limits, NULL, check_partial, &items);
	struct error err;

	ck_assert_int_eq(parser_feed(parser, body.p, body.len, &err), 0);
	ck_assert_int_eq(items, 1);
	parser_free(parser);
}
END_TEST

START_TEST(line_numbers_count_what_a_long_line_holds)
{
	struct buf out = { 0 };

	read_body(&out, &(struct reading){ PARSE_CSV, NULL, SIZE_MAX },
	          STR_LITERAL("product,id\nSMS,\"\n\n" X100 X100 X100 X100 "\nSMS,a\n"));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "2 : Longer than the 400 bytes allowed"));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "\n5 " SMS "\n"));
	buf_free(&out);
}
END_TEST

/* --- noise: all ways of cutting agree on whatever comes of it --- */

static uint32_t noise(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Changes, drops or doubles a few bytes, mostly into those that mean something. */
static void mutate(struct buf *out, struct str body, uint32_t *seed)
{
	static const char meaningful[] = "\"\\{}[],:\n\r 0-.eu\t\xc3\xa9\xff\xc1\xd9\x81\xa1";
	uint32_t odds = 8 + noise(seed) % 200;

	buf_clear(out);
	for (size_t i = 0; i < body.len; i++) {
		uint32_t what = noise(seed) % odds;

		if (what == 0)
			buf_add_char(out, meaningful[noise(seed) % sizeof(meaningful)]);
		else if (what == 1)
			buf_add_char(out, (char)noise(seed));
		if (what == 2)
			continue;
		buf_add_char(out, body.p[i]);
	}
}

/* clang-format off */
static const struct {
	enum parse_format format;
	struct str body;
} seeds[] = {
	{ PARSE_NDJSON,
	  BYTES(SMS "\n"
	        OBJECT("\"id\":\"\\u00e9\\ud83d\\ude00" E_ACUTE "\", \"to\":-1.5e3,\"from\":null") "\n"
	        "{\"to\":\"5\",\"product\":\"AMD\",\"id\":true}\n{\"id\":{\"a\":[]},\"product\":\"SMS\"}\n") },
	{ PARSE_JSON_ARRAY,
	  BYTES("[" SMS ",\n" OBJECT("\"id\":\"\\\\\\\"" E_ACUTE "\", \"to\":0") ", {}, [1,\"]\"]," SMS "]") },
	{ PARSE_MSGPACK,
	  BYTES(M_SMS M_ONE("\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00") M_ONE("\x93\x01\xc3\xc0")
	        "\xde\x00\x02\xd9\x07product\xda\x00\x03SMS\xdb\x00\x00\x00\x02id\xcc\xff" M_SMS) },
	{ PARSE_CSV,
	  BYTES("product,id,to\nSMS,a,\n\"SMS\",\"a\n\"\"b\",5\r\nAMD,\"x\",\"\"\nSMS," E_ACUTE ",7\n") },
};
/* clang-format on */

START_TEST(noise_is_read_the_same_every_way)
{
	struct buf body = { 0 };
	uint32_t seed = (uint32_t)_i;

	for (int i = 0; i < 400; i++) {
		mutate(&body, seeds[_i].body, &seed);
		read_every_way(seeds[_i].format, i % 2 ? "SMS" : NULL, buf_str(&body), NULL);
	}
	buf_free(&body);
}
END_TEST

Suite *suite_parse(void)
{
	Suite *suite = suite_create("parse");
	TCase *json = tcase_create("json");
	TCase *msgpack = tcase_create("msgpack");
	TCase *csv = tcase_create("csv");
	TCase *all = tcase_create("all formats");

	tcase_add_loop_test(json, lines_are_read, 0, COUNT(lines));
	tcase_add_loop_test(json, a_broken_line_costs_only_itself, 0, COUNT(broken_lines));
	tcase_add_loop_test(json, first_byte_that_is_no_json_is_named, 0, COUNT(wrong_bytes));
	tcase_add_test(json, fields_are_judged_by_the_product_that_is_named_after_them);
	tcase_add_test(json, of_a_product_that_is_wrong_nothing_else_is_told);
	tcase_add_test(json, line_of_just_the_length_allowed_is_taken);
	tcase_add_test(json, product_of_the_body_is_that_of_records_that_name_none);
	tcase_add_test(json, fields_beyond_all_columns_are_told_by_the_first_that_are_wrong);
	tcase_add_loop_test(json, arrays_are_read, 0, COUNT(arrays));
	tcase_add_loop_test(json, broken_element_costs_only_itself, 0, COUNT(broken_elements));
	tcase_add_test(json, last_element_may_be_broken);
	tcase_add_test(json, long_element_with_a_quote_missing_costs_only_itself);
	tcase_add_test(json, one_broken_element_of_20000_loses_no_other);
	tcase_add_test(json, json_is_an_array_or_lines_by_its_first_byte);
	suite_add_tcase(suite, json);
	tcase_add_loop_test(msgpack, msgpack_is_read, 0, COUNT(packed));
	tcase_add_test(msgpack, numbers_of_msgpack_stay_as_they_are_while_others_come);
	tcase_add_test(msgpack, deep_msgpack_takes_no_stack);
	suite_add_tcase(suite, msgpack);
	tcase_add_loop_test(csv, csv_is_read, 0, COUNT(tables));
	tcase_add_test(csv, csv_of_one_product_need_not_name_it);
	tcase_add_test(csv, header_of_one_product_has_what_its_records_need);
	tcase_add_loop_test(csv, header_that_does_not_fit_is_told_once, 0, COUNT(headers));
	tcase_add_test(csv, unclosed_quote_of_csv_costs_only_its_line);
	tcase_add_test(csv, wide_row_within_a_quoted_value_is_a_row);
	tcase_add_test(csv, line_numbers_count_what_a_long_line_holds);
	suite_add_tcase(suite, csv);
	tcase_add_loop_test(all, record_with_a_fault_can_be_read_again, 0, COUNT(kept));
	tcase_add_test(all, line_of_csv_is_shown_as_an_object);
	tcase_add_test(all, faults_of_a_record_are_told_together);
	tcase_add_test(all, what_could_be_read_of_a_record_with_faults_is_there);
	tcase_set_timeout(all, 60);
	tcase_add_loop_test(all, noise_is_read_the_same_every_way, 0, COUNT(seeds));
	suite_add_tcase(suite, all);
	return suite;
}
