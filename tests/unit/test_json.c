/* SPDX-License-Identifier: ISC */
/*
 * test_json.c: what is written is valid JSON, whatever goes in.
 */
#include <check.h>
#include <string.h>

#include "base/json.h"
#include "json_oracle.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
/* STR_LITERAL for a static table, where a compound literal is not constant. */
#define BYTES(text) \
	{ \
		(text), sizeof(text) - 1 \
	}
#define REPLACEMENT "\xef\xbf\xbd"

START_TEST(writer_puts_the_commas)
{
	struct buf out = { 0 };
	struct json j = json_to(&out);

	json_object_begin(&j);
	json_key(&j, "items_count"), json_uint(&j, UINT64_MAX);
	json_key(&j, "lowest"), json_int(&j, INT64_MIN);
	json_key(&j, "empty"), json_array_begin(&j), json_array_end(&j);
	json_key(&j, "list"), json_array_begin(&j);
	json_object_begin(&j), json_object_end(&j);
	json_bool(&j, true), json_bool(&j, false), json_null(&j), json_text(&j, NULL), json_text(&j, "text");
	json_array_begin(&j), json_str(&j, STR_LITERAL("")), json_array_end(&j);
	json_raw(&j, STR_LITERAL("0.12"));
	json_array_end(&j);
	json_key_str(&j, STR_LITERAL("absent")), json_str(&j, (struct str){ NULL, 0 });
	json_object_end(&j);
	ck_assert_str_eq(buf_cstr(&out),
	                 "{\"items_count\":18446744073709551615,\"lowest\":-9223372036854775808,\"empty\":[],"
	                 "\"list\":[{},true,false,null,null,\"text\",[\"\"],0.12],\"absent\":\"\"}");
	buf_free(&out);
}
END_TEST

START_TEST(keys_are_escaped_too)
{
	struct buf out = { 0 };
	struct json j = json_to(&out);

	json_object_begin(&j);
	json_key_str(&j, STR_LITERAL("a\"b\n"));
	json_null(&j);
	json_object_end(&j);
	ck_assert_str_eq(buf_cstr(&out), "{\"a\\\"b\\n\":null}");
	buf_free(&out);
}
END_TEST

static const struct {
	struct str value;
	const char *quoted;
} strings[] = {
	{ { "", 0 }, "\"\"" },
	{ BYTES("plain ASCII, 0123 ~\x7f/'"), "\"plain ASCII, 0123 ~\x7f/'\"" },
	{ BYTES("\"\\"), "\"\\\"\\\\\"" },
	{ BYTES("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\"" },
	{ BYTES("\0\x01\x0b\x1f "), "\"\\u0000\\u0001\\u000b\\u001f \"" },
	{ BYTES("end\""), "\"end\\\"\"" },
	/* the first and last of every row of RFC 3629's table */
	{ BYTES("\xc2\x80\xdf\xbf"), "\"\xc2\x80\xdf\xbf\"" },
	{ BYTES("\xe0\xa0\x80\xe0\xbf\xbf"), "\"\xe0\xa0\x80\xe0\xbf\xbf\"" },
	{ BYTES("\xe1\x80\x80\xec\xbf\xbf"), "\"\xe1\x80\x80\xec\xbf\xbf\"" },
	{ BYTES("\xed\x80\x80\xed\x9f\xbf"), "\"\xed\x80\x80\xed\x9f\xbf\"" },
	{ BYTES("\xee\x80\x80\xef\xbf\xbf"), "\"\xee\x80\x80\xef\xbf\xbf\"" },
	{ BYTES("\xf0\x90\x80\x80\xf3\xbf\xbf\xbf"), "\"\xf0\x90\x80\x80\xf3\xbf\xbf\xbf\"" },
	{ BYTES("\xf4\x80\x80\x80\xf4\x8f\xbf\xbf"), "\"\xf4\x80\x80\x80\xf4\x8f\xbf\xbf\"" },
	{ BYTES("a\xc3\xa9z\n\xf0\x9f\x98\x80"), "\"a\xc3\xa9z\\n\xf0\x9f\x98\x80\"" },
};

START_TEST(strings_are_quoted)
{
	struct buf out = { 0 };

	json_quote(&out, strings[_i].value);
	ck_assert_str_eq(buf_cstr(&out), strings[_i].quoted);
	ck_assert(json_is_utf8(strings[_i].value));
	buf_free(&out);
}
END_TEST

static const struct {
	struct str value;
	size_t replacements; /* one for each byte that belongs to no valid sequence */
} broken[] = {
	{ BYTES("\x80"), 1 },
	{ BYTES("\xbf\xbf"), 2 },
	{ BYTES("\xc0\x80"), 2 }, /* longer form of NUL */
	{ BYTES("\xc1\xbf"), 2 },
	{ BYTES("\xc2"), 1 }, /* cut */
	{ BYTES("\xc2\x41"), 1 },
	{ BYTES("\xc2\xc0"), 2 },
	{ BYTES("\xe0\x9f\xbf"), 3 }, /* longer form */
	{ BYTES("\xe2\x82"), 2 },
	{ BYTES("\xe2\x82\x41"), 2 },
	{ BYTES("\xed\xa0\x80"), 3 }, /* surrogate */
	{ BYTES("\xed\xbf\xbf"), 3 },
	{ BYTES("\xf0\x8f\xbf\xbf"), 4 }, /* longer form */
	{ BYTES("\xf0\x9f\x98"), 3 },
	{ BYTES("\xf0\x9f\x98\x41"), 3 },
	{ BYTES("\xf4\x90\x80\x80"), 4 }, /* past U+10FFFF */
	{ BYTES("\xf5\x80\x80\x80"), 4 },
	{ BYTES("\xff\xfe"), 2 },
};

START_TEST(broken_bytes_are_replaced)
{
	struct buf out = { 0 };
	const char *at;
	size_t count = 0;

	ck_assert(!json_is_utf8(broken[_i].value));
	json_quote(&out, broken[_i].value);
	for (at = buf_cstr(&out); (at = strstr(at, REPLACEMENT)) != NULL; at += strlen(REPLACEMENT))
		count++;
	ck_assert_uint_eq(count, broken[_i].replacements);
	ck_assert(json_is_utf8(buf_str(&out)));
	buf_free(&out);
}
END_TEST

/* Runs are looked at eight bytes at a time: no byte may be missed at any place of the eight. */
START_TEST(every_byte_is_seen_at_every_place)
{
	struct buf alone = { 0 };
	struct buf out = { 0 };

	for (int byte = 0; byte < 256; byte++) {
		char c = (char)byte;

		buf_clear(&alone);
		json_quote(&alone, (struct str){ &c, 1 });
		for (size_t position = 0; position < 20; position++) {
			char text[] = "abcdefghijklmnopqrst";

			text[position] = c;
			buf_clear(&out);
			json_quote(&out, (struct str){ text, 20 });
			ck_assert_uint_eq(out.len, 22 - 1 + alone.len - 2);
			ck_assert_mem_eq(out.data + 1, text, position);
			ck_assert_mem_eq(out.data + 1 + position, alone.data + 1, alone.len - 2);
		}
	}
	buf_free(&alone);
	buf_free(&out);
}
END_TEST

START_TEST(what_follows_broken_bytes_is_kept)
{
	struct buf out = { 0 };

	json_quote(&out, STR_LITERAL("a\xe2\x82"
	                             "b\xff\xc3\xa9"));
	ck_assert_str_eq(buf_cstr(&out), "\"a" REPLACEMENT REPLACEMENT "b" REPLACEMENT "\xc3\xa9\"");
	buf_free(&out);
}
END_TEST

START_TEST(utf8_check_looks_at_every_byte)
{
	ck_assert(json_is_utf8((struct str){ NULL, 0 }));
	ck_assert(json_is_utf8((struct str){ "a\0b", 3 }));
	ck_assert(!json_is_utf8((struct str){ "\xc3\xa9", 1 }));
	ck_assert(!json_is_utf8(STR_LITERAL("0123456789\xff")));
}
END_TEST

/* Any two bytes, and runs of noise: another implementation's parser must take what is written. */
START_TEST(any_bytes_become_valid_json)
{
	struct buf out = { 0 };
	unsigned seed = 1;

	for (unsigned i = 0; i < 70000; i++) {
		char bytes[16];
		size_t len = i < 65536 ? 2 : sizeof(bytes);

		bytes[0] = (char)(i >> 8);
		bytes[1] = (char)i;
		for (size_t at = 2; at < sizeof(bytes); at++) {
			seed = seed * 1103515245 + 12345;
			bytes[at] = (char)(seed >> 16);
		}
		buf_clear(&out);
		json_quote(&out, (struct str){ bytes, len });
		ck_assert_msg(json_oracle_takes(buf_str(&out)), "not JSON: %s", buf_cstr(&out));
	}
	buf_free(&out);
}
END_TEST

START_TEST(a_full_buffer_is_noticed)
{
	struct buf out = { .max_bytes = 8 };

	json_quote(&out, STR_LITERAL("123456"));
	ck_assert(!out.failed);
	buf_clear(&out);
	json_quote(&out, STR_LITERAL("12345\n"));
	ck_assert(out.failed);
	buf_free(&out);
}
END_TEST

Suite *suite_json(void);

Suite *suite_json(void)
{
	Suite *suite = suite_create("json");
	TCase *writer = tcase_create("writer");
	TCase *quote = tcase_create("quote");

	tcase_add_test(writer, writer_puts_the_commas);
	tcase_add_test(writer, keys_are_escaped_too);
	tcase_add_loop_test(quote, strings_are_quoted, 0, COUNT(strings));
	tcase_add_loop_test(quote, broken_bytes_are_replaced, 0, COUNT(broken));
	tcase_add_test(quote, every_byte_is_seen_at_every_place);
	tcase_add_test(quote, what_follows_broken_bytes_is_kept);
	tcase_add_test(quote, utf8_check_looks_at_every_byte);
	tcase_add_test(quote, any_bytes_become_valid_json);
	tcase_add_test(quote, a_full_buffer_is_noticed);
	suite_add_tcase(suite, writer);
	suite_add_tcase(suite, quote);
	return suite;
}
