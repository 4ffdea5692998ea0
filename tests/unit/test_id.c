/* SPDX-License-Identifier: ISC */
/*
 * test_id.c: ids, secrets, hashes and base64.
 */
#include <check.h>
#include <ctype.h>
#include <string.h>

#include "base/id.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

START_TEST(uuids_are_version_4_and_differ)
{
	char a[ID_UUID_LEN + 1];
	char b[ID_UUID_LEN + 1];

	for (int i = 0; i < 1000; i++) {
		id_uuid(a);
		id_uuid(b);
		ck_assert_uint_eq(strlen(a), ID_UUID_LEN);
		ck_assert(id_is_uuid(str_from(a)));
		ck_assert_int_eq(a[14], '4');
		ck_assert_msg(strchr("89ab", a[19]) != NULL, "variant of %s", a);
		ck_assert_msg(strcspn(a, "ABCDEF") == ID_UUID_LEN, "%s is not lower case", a);
		ck_assert_str_ne(a, b);
	}
}
END_TEST

START_TEST(uuids_from_a_pool_are_as_good)
{
	struct id_pool pool = { .left = 0 };
	char list[200][ID_UUID_LEN + 1];

	for (size_t i = 0; i < COUNT(list); i++) {
		id_uuid_from(&pool, list[i]);
		ck_assert(id_is_uuid(str_from(list[i])));
		ck_assert_int_eq(list[i][14], '4');
		ck_assert_msg(strchr("89ab", list[i][19]) != NULL, "variant of %s", list[i]);
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(list[i], list[k]);
	}
}
END_TEST

static const struct {
	const char *a;
	const char *b;
	bool equal;
} same_ids[] = {
	{ "AAAAAAAA-bbbb-4ccc-8ddd-0123456789AB", "aaaaaaaa-BBBB-4ccc-8ddd-0123456789ab", true },
	{ "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", true },
	{ "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", "aaaaaaaa-bbbb-4ccc-8ddd-0123456789aB", true },
	{ "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ac", false },
	{ "12000000E506AC66", "12000000E506AC66", true },
	{ "12000000E506AC66", "12000000e506ac66", false },
	{ "Gaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", "gaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", false },
	{ "", "", true },
};

START_TEST(uuids_are_the_same_in_either_case)
{
	struct str a = str_from(same_ids[_i].a), b = str_from(same_ids[_i].b);

	ck_assert(id_equal(a, b) == same_ids[_i].equal);
	ck_assert((id_hash64_of_id(a, 7) == id_hash64_of_id(b, 7)) == same_ids[_i].equal);
}
END_TEST

START_TEST(uuid_form_is_exact)
{
	static const char *const bad[] = {
		"",
		"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeee",
		"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeeee",
		"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeeg",
		"aaaaaaaabbbb-4ccc-8ddd-eeeeeeeeeeeee",
		"aaaaaaaa-bbbb-4ccc-8ddd_eeeeeeeeeeee",
		"{aaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeee}",
		"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeee ",
	};

	ck_assert(id_is_uuid(STR_LITERAL("aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee")));
	ck_assert(id_is_uuid(STR_LITERAL("AAAAAAAA-BBBB-4CCC-8DDD-0123456789AF")));
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(!id_is_uuid(str_from(bad[i])), "\"%s\" was taken", bad[i]);
}
END_TEST

START_TEST(account_form_is_exact)
{
	static const char *const bad[] = {
		"",
		"",
		"abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ_01234567891",
		"abcdef1.",
		"abcdef1 ",
		"abc\xc3\xa9"
		"123",
		"abcd/f12",
	};

	ck_assert(id_is_account(STR_LITERAL("abcdef12")));
	ck_assert(id_is_account(STR_LITERAL("AZaz0912")));
	ck_assert(id_is_account(STR_LITERAL("-")));
	ck_assert(id_is_account(STR_LITERAL("abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")));
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(!id_is_account(str_from(bad[i])), "\"%s\" was taken", bad[i]);
	ck_assert(!id_is_account((struct str){ "abcdef1\0", 8 }));
	ck_assert(!id_is_account((struct str){ NULL, 0 }));
}
END_TEST

START_TEST(a_short_account_is_not_found_within_words)
{
	ck_assert(id_account_is_in(STR_LITERAL("{\"account_id\":\"a\"}"), "a"));
	ck_assert(id_account_is_in(STR_LITERAL("a"), "a"));
	ck_assert(id_account_is_in(STR_LITERAL("aa,a"), "a"));
	ck_assert(!id_account_is_in(STR_LITERAL("{\"account_id\":\"b-a\"}"), "a"));
	ck_assert(!id_account_is_in(STR_LITERAL(""), "a"));
	ck_assert(!id_account_is_in((struct str){ NULL, 0 }, "a"));
	/* msgpack has the length, which may be a digit, before a long one */
	ck_assert(id_account_is_in(STR_LITERAL("0north_station_1"), "north_station_1"));
}
END_TEST

START_TEST(secrets_have_the_length_asked_and_use_the_whole_alphabet)
{
	bool seen[256] = { false };
	char secret[201];
	size_t distinct = 0;

	for (int i = 0; i < 100; i++) {
		id_secret(secret, 200);
		ck_assert_uint_eq(strlen(secret), 200);
		for (size_t at = 0; at < 200; at++) {
			ck_assert(isalnum((unsigned char)secret[at]));
			distinct += !seen[(unsigned char)secret[at]];
			seen[(unsigned char)secret[at]] = true;
		}
	}
	ck_assert_uint_eq(distinct, 62);
	id_secret(secret, 0);
	ck_assert_str_eq(secret, "");
}
END_TEST

/* These are stored in data directories: a change here breaks every installation. The values are those that
 * independent implementations of XXH3 have in their tests. */
START_TEST(hashes_never_change)
{
	ck_assert_uint_eq(id_hash64("", 0, 0), UINT64_C(0x2d06800538d394c2));
	ck_assert_uint_eq(id_hash64("abc", 3, 0), UINT64_C(0x78af5f94892f3950));
	ck_assert_uint_ne(id_hash64("abc", 3, 1), id_hash64("abc", 3, 0));
}
END_TEST

static const struct {
	const char *text;
	const char *encoded;
	const char *padded;
} base64[] = {
	{ "", "", "" },
	{ "f", "Zg", "Zg==" },
	{ "fo", "Zm8", "Zm8=" },
	{ "foo", "Zm9v", "Zm9v" },
	{ "foob", "Zm9vYg", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy", "Zm9vYmFy" },
};

START_TEST(base64_has_its_letters_and_no_others)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	struct buf out = { 0 };

	for (int c = 0; c < 256; c++) {
		const char text[] = { (char)c, 'A', 'A', 'A' };
		const char *found = c ? strchr(letters, c) : NULL;
		int plain = found ? (int)(found - letters) : c == '+' ? 62 : c == '/' ? 63 : -1;
		int url = found ? plain : c == '-' ? 62 : c == '_' ? 63 : -1;

		buf_clear(&out);
		ck_assert_int_eq(id_base64_decode(&out, (struct str){ text, sizeof(text) }), plain >= 0);
		ck_assert_int_eq(plain < 0 ? 0 : (unsigned char)out.data[0] >> 2, plain < 0 ? 0 : plain);
		buf_clear(&out);
		ck_assert_int_eq(id_base64url_decode(&out, (struct str){ text, sizeof(text) }), url >= 0);
		ck_assert_int_eq(url < 0 ? 0 : (unsigned char)out.data[0] >> 2, url < 0 ? 0 : url);
	}
	buf_free(&out);
}
END_TEST

START_TEST(base64_of_the_rfc)
{
	struct buf out = { 0 };

	id_base64url_encode(&out, base64[_i].text, strlen(base64[_i].text));
	ck_assert_str_eq(buf_cstr(&out), base64[_i].encoded);
	buf_clear(&out);
	ck_assert(id_base64url_decode(&out, str_from(base64[_i].encoded)));
	ck_assert_str_eq(buf_cstr(&out), base64[_i].text);
	buf_clear(&out);
	ck_assert(id_base64_decode(&out, str_from(base64[_i].padded)));
	ck_assert(id_base64_decode(&out, str_from(base64[_i].encoded)));
	ck_assert_uint_eq(out.len, 2 * strlen(base64[_i].text));
	buf_free(&out);
}
END_TEST

START_TEST(base64url_takes_any_bytes_and_length)
{
	unsigned char bytes[70];
	struct buf text = { 0 };
	struct buf back = { 0 };

	for (size_t len = 0; len <= sizeof(bytes); len++) {
		id_random(bytes, len);
		buf_clear(&text);
		buf_clear(&back);
		id_base64url_encode(&text, bytes, len);
		ck_assert_uint_eq(text.len, (len * 4 + 2) / 3);
		ck_assert(id_base64url_decode(&back, buf_str(&text)));
		ck_assert_uint_eq(back.len, len);
		if (len > 0)
			ck_assert_mem_eq(back.data, bytes, len);
	}
	buf_free(&text);
	buf_free(&back);
}
END_TEST

START_TEST(alphabets_are_told_apart)
{
	struct buf out = { 0 };

	id_base64url_encode(&out, "\xfb\xff", 2);
	ck_assert_str_eq(buf_cstr(&out), "-_8");
	buf_clear(&out);
	ck_assert(id_base64_decode(&out, STR_LITERAL("+/8=")));
	ck_assert_mem_eq(out.data, "\xfb\xff", 2);
	ck_assert(!id_base64_decode(&out, STR_LITERAL("-_8=")));
	ck_assert(!id_base64url_decode(&out, STR_LITERAL("+/8")));
	ck_assert_uint_eq(out.len, 2);
	buf_free(&out);
}
END_TEST

START_TEST(broken_base64_is_refused_and_leaves_out_alone)
{
	static const char *const bad_url[] = {
		"A",
		"AAAAA",
		"Zg==",
		"Zm8=",
		"Zm 8",
		"Zm8\n",
		"Zh",
		"Zm9",
		"\xc3\xa9"
		"AA",
		"====",
	};
	static const char *const bad[] = {
		"A", "A===", "Zg=", "Zg===", "=", "==", "====", "Zg==Zg==", "Z=g=", "Zm9v=", "Zh==", "Zm9v==",
	};
	struct buf out = { 0 };

	buf_add_text(&out, "kept");
	for (size_t i = 0; i < COUNT(bad_url); i++)
		ck_assert_msg(!id_base64url_decode(&out, str_from(bad_url[i])), "url \"%s\" was taken", bad_url[i]);
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(!id_base64_decode(&out, str_from(bad[i])), "\"%s\" was taken", bad[i]);
	ck_assert(!id_base64_decode(&out, (struct str){ "Zm\0v", 4 }));
	ck_assert_str_eq(buf_cstr(&out), "kept");
	buf_free(&out);
}
END_TEST

Suite *suite_id(void);

Suite *suite_id(void)
{
	Suite *suite = suite_create("id");
	TCase *ids = tcase_create("ids");
	TCase *codec = tcase_create("base64");

	tcase_add_test(ids, uuids_are_version_4_and_differ);
	tcase_add_test(ids, uuids_from_a_pool_are_as_good);
	tcase_add_test(ids, uuid_form_is_exact);
	tcase_add_loop_test(ids, uuids_are_the_same_in_either_case, 0, COUNT(same_ids));
	tcase_add_test(ids, account_form_is_exact);
	tcase_add_test(ids, a_short_account_is_not_found_within_words);
	tcase_add_test(ids, secrets_have_the_length_asked_and_use_the_whole_alphabet);
	tcase_add_test(ids, hashes_never_change);
	tcase_add_test(codec, base64_has_its_letters_and_no_others);
	tcase_add_loop_test(codec, base64_of_the_rfc, 0, COUNT(base64));
	tcase_add_test(codec, base64url_takes_any_bytes_and_length);
	tcase_add_test(codec, alphabets_are_told_apart);
	tcase_add_test(codec, broken_base64_is_refused_and_leaves_out_alone);
	suite_add_tcase(suite, ids);
	suite_add_tcase(suite, codec);
	return suite;
}
