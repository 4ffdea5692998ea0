/* SPDX-License-Identifier: ISC */
/*
 * test_encoding.c: text in other encodings becomes UTF-8 whatever the pieces, and single bytes come back as they were.
 */
#include <check.h>
#include <stdlib.h>

#include "base/json.h"
#include "record/encoding.h"

Suite *suite_encoding(void);

static struct buf out;
static struct error err;

static void setup(void)
{
	out = (struct buf){ 0 };
}

static void teardown(void)
{
	buf_free(&out);
}

static void assert_out(struct str wanted)
{
	ck_assert_msg(str_equal(buf_str(&out), wanted), "\"%.*s\", not \"%.*s\"", STR_ARGS(buf_str(&out)),
	              STR_ARGS(wanted));
}

/* In pieces of `step` bytes. */
static void convert(const char *name, struct str text, size_t step)
{
	struct encoding *encoding = encoding_new(name, &err);

	ck_assert_msg(encoding != NULL, "%s: %s", name, err.message);
	buf_clear(&out);
	for (size_t at = 0; at < text.len; at += step)
		encoding_convert(encoding, (struct str){ text.p + at, text.len - at < step ? text.len - at : step },
		                 &out);
	encoding_end(encoding, &out);
	encoding_free(encoding);
}

#define TEXT(text) \
	{ \
		(text), sizeof(text) - 1 \
	}

static const struct {
	const char *name;
	struct str sent, read;
} texts[] = {
	{ "ISO-8859-1", TEXT("Zo\xeb \x80,\n"), TEXT("Zo\xc3\xab \xc2\x80,\n") },
	{ "latin1", TEXT("\xfc"), TEXT("\xc3\xbc") },
	{ "WINDOWS-1252", TEXT("\x80 5 \x81!"),
	  TEXT("\xe2\x82\xac 5 \xff"
	       "81!") },
	{ "US-ASCII", TEXT("\xc3\xa9"),
	  TEXT("\xff"
	       "c3\xff"
	       "a9") },
	{ "SHIFT_JIS", TEXT("\x82\xa0{\x83\x5c}"), TEXT("\xe3\x81\x82{\xe3\x82\xbd}") },
	{ "SHIFT_JIS", TEXT("a\x82"),
	  TEXT("a\xff"
	       "82") },
	{ "UTF-16",
	  TEXT("\xff\xfe"
	       "A\0\xac\x20"),
	  TEXT("A\xe2\x82\xac") },
	{ "UTF-16LE",
	  TEXT("A\0\x0a\xdc"
	       "B\0\x3d\xd8\x00\xde"),
	  TEXT("A\xff"
	       "0a\xff"
	       "dc"
	       "B\xf0\x9f\x98\x80") },
	{ "UTF-8", TEXT("\xe2\x82\xac\xff\xc3"),
	  TEXT("\xe2\x82\xac\xff"
	       "ff\xff"
	       "c3") },
	{ "UTF-8", TEXT("a\xf4\x90\x80\x80z"),
	  TEXT("a\xff"
	       "f4\xff"
	       "90\xff"
	       "80\xff"
	       "80z") },
	{ "UTF-8", TEXT("\xfb\x96\x80\x9f\x98\xc3\xbc"),
	  TEXT("\xff"
	       "fb\xff"
	       "96\xff"
	       "80\xff"
	       "9f\xff"
	       "98\xc3\xbc") },
	{ "UCS-4", TEXT("\0\0\0A\0\x11\0\0\0\0\0B"),
	  TEXT("A\xff"
	       "f4\xff"
	       "90\xff"
	       "80\xff"
	       "80B") },
	{ "IBM037", TEXT("\xc0\x7f\x81\xcb"), TEXT("{\"a\xc3\xb4") },
	{ "CP1255", TEXT("\xf9\xd1\xe5"), TEXT("\xd7\xa9\xd7\x81\xd7\x95") },
};

START_TEST(text_becomes_utf8_whatever_the_pieces)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (size_t step = 1; step < 8; step++) {
			convert(texts[i].name, texts[i].sent, step);
			assert_out(texts[i].read);
		}
}
END_TEST

START_TEST(what_has_no_meaning_is_never_utf8)
{
	for (int byte = 0x80; byte < 0x100; byte++) {
		char sent[] = { 'a', (char)byte, (char)0xa9, 'b' };

		convert("US-ASCII", (struct str){ sent, sizeof(sent) }, 2);
		ck_assert_msg(!json_is_utf8(buf_str(&out)), "%02x", (unsigned)byte);
	}
}
END_TEST

START_TEST(single_bytes_come_back_as_they_were_sent)
{
	static const char *const names[] = { "ISO-8859-1", "ISO-8859-15", "WINDOWS-1252", "WINDOWS-1251",
		                             "KOI8-R",     "CP437",       "US-ASCII",     "MACINTOSH" };
	char sent[256];
	struct buf back = { 0 };

	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (char)(255 - i);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct encoding *encoding = encoding_new(names[i], &err);

		buf_clear(&out);
		buf_clear(&back);
		encoding_convert(encoding, (struct str){ sent, sizeof(sent) }, &out);
		ck_assert_msg(encoding_restore(encoding, buf_str(&out), &back), "%s", names[i]);
		ck_assert_msg(str_equal(buf_str(&back), (struct str){ sent, sizeof(sent) }), "%s", names[i]);
		encoding_free(encoding);
	}
	buf_free(&back);
}
END_TEST

START_TEST(what_cannot_be_told_for_sure_is_not_restored)
{
	struct encoding *encoding = encoding_new("SHIFT_JIS", &err);

	ck_assert(!encoding_restore(encoding, STR_LITERAL("abc"), &out));
	encoding_free(encoding);
	encoding = encoding_new("ISO-8859-1", &err);
	ck_assert(!encoding_restore(encoding, STR_LITERAL("abc\xc3"), &out));
	ck_assert(!encoding_restore(encoding, STR_LITERAL("\xe2\x82\xac"), &out));
	ck_assert_uint_eq(out.len, 0);
	encoding_free(encoding);
}
END_TEST

START_TEST(encoding_with_states_is_refused)
{
	static const char *const names[] = { "UTF-7", "ISO-2022-JP", "ISO-2022-KR", "CSISO2022JP" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ck_assert_msg(encoding_new(names[i], &err) == NULL, "%s", names[i]);
		ck_assert_ptr_nonnull(strstr(err.message, "states"));
	}
}
END_TEST

START_TEST(unknown_encoding_is_an_error_that_names_it)
{
	ck_assert_ptr_null(encoding_new("KLINGON", &err));
	ck_assert_int_eq(err.code, ERROR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.message, "KLINGON"));
	ck_assert(!encoding_convert_all("KLINGON", STR_LITERAL("a"), &out));
	ck_assert(encoding_convert_all("", STR_LITERAL("a\xff"), &out));
	assert_out(STR_LITERAL("a\xff"));
}
END_TEST

Suite *suite_encoding(void)
{
	Suite *suite = suite_create("encoding");
	TCase *tcase = tcase_create("encoding");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, text_becomes_utf8_whatever_the_pieces);
	tcase_add_test(tcase, what_has_no_meaning_is_never_utf8);
	tcase_add_test(tcase, single_bytes_come_back_as_they_were_sent);
	tcase_add_test(tcase, what_cannot_be_told_for_sure_is_not_restored);
	tcase_add_test(tcase, encoding_with_states_is_refused);
	tcase_add_test(tcase, unknown_encoding_is_an_error_that_names_it);
	suite_add_tcase(suite, tcase);
	return suite;
}
