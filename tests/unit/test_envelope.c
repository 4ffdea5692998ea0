/* SPDX-License-Identifier: ISC */
/*
 * test_envelope.c: what was sealed is opened with the same key for the same purpose, whole, and by nobody else.
 */
#include <check.h>

#include "base/envelope.h"

Suite *suite_envelope(void);

#define PURPOSE STR_LITERAL("a test")

static const uint8_t key[ENVELOPE_KEY_BYTES] = { 1, 2, 3 };
static const uint8_t other_key[ENVELOPE_KEY_BYTES] = { 1, 2, 4 };
static struct buf sealed, opened;
static struct error err;

static void setup(void)
{
	sealed = opened = (struct buf){ 0 };
}

static void teardown(void)
{
	buf_free(&sealed);
	buf_free(&opened);
}

static int open_it(const uint8_t *with, struct str purpose)
{
	buf_clear(&opened);
	return envelope_open(with, purpose, buf_str(&sealed), &opened, &err);
}

START_TEST(what_was_sealed_is_opened_whole)
{
	static const struct str texts[] = { { "", 0 }, { "x", 1 }, { "a\0b", 3 }, { "account:secret, and more", 24 } };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		buf_clear(&sealed);
		ck_assert_int_eq(envelope_make(key, PURPOSE, texts[i], &sealed, &err), 0);
		ck_assert_uint_eq(sealed.len, texts[i].len + ENVELOPE_NONCE_BYTES + ENVELOPE_TAG_BYTES);
		ck_assert_int_eq(open_it(key, PURPOSE), 0);
		ck_assert(str_equal(buf_str(&opened), texts[i]));
	}
}
END_TEST

START_TEST(nobody_else_opens_it)
{
	ck_assert_int_eq(envelope_make(key, PURPOSE, STR_LITERAL("secret"), &sealed, &err), 0);
	ck_assert_int_eq(open_it(other_key, PURPOSE), -1);
	ck_assert_int_eq(err.code, ERROR_INVALID);
	ck_assert_int_eq(open_it(key, STR_LITERAL("another")), -1);
	ck_assert_uint_eq(opened.len, 0);
}
END_TEST

START_TEST(no_byte_of_it_can_be_changed_or_left_out)
{
	ck_assert_int_eq(envelope_make(key, PURPOSE, STR_LITERAL("secret"), &sealed, &err), 0);
	for (size_t i = 0; i < sealed.len; i++) {
		sealed.data[i] = (char)(sealed.data[i] ^ 1);
		ck_assert_msg(open_it(key, PURPOSE) == -1, "byte %zu", i);
		sealed.data[i] = (char)(sealed.data[i] ^ 1);
	}
	ck_assert_int_eq(open_it(key, PURPOSE), 0);
	while (sealed.len > 0) {
		sealed.len--;
		ck_assert_msg(open_it(key, PURPOSE) == -1, "%zu bytes", sealed.len);
	}
}
END_TEST

START_TEST(equal_texts_are_not_sealed_equally)
{
	struct buf again = { 0 };

	ck_assert_int_eq(envelope_make(key, PURPOSE, STR_LITERAL("secret"), &sealed, &err), 0);
	ck_assert_int_eq(envelope_make(key, PURPOSE, STR_LITERAL("secret"), &again, &err), 0);
	ck_assert(!str_equal(buf_str(&sealed), buf_str(&again)));
	buf_free(&again);
}
END_TEST

Suite *suite_envelope(void)
{
	Suite *suite = suite_create("envelope");
	TCase *tc = tcase_create("envelope");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_was_sealed_is_opened_whole);
	tcase_add_test(tc, nobody_else_opens_it);
	tcase_add_test(tc, no_byte_of_it_can_be_changed_or_left_out);
	tcase_add_test(tc, equal_texts_are_not_sealed_equally);
	suite_add_tcase(suite, tc);
	return suite;
}
