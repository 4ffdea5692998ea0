/* SPDX-License-Identifier: ISC */
/*
 * test_cursor.c: cursors open for whom they were sealed, whole, and for nobody else; their key outlives the daemon.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "query/cursor.h"

Suite *suite_cursor(void);

static const struct cursor sample = {
	.fingerprint = UINT64_C(0xfedcba9876543210),
	.from_us = -5,
	.to_us = INT64_MAX,
	.snapshot = 42,
	.position = { { (uint64_t)-3, UINT32_MAX, (uint64_t)INT64_MIN, UINT64_MAX } },
};

static struct cursor_key key;
static struct buf token;
static struct buf iv;
static struct cursor opened;
static struct error err;
static char dir[64];
static char path[96];

static void setup(void)
{
	memset(&key, 7, sizeof(key));
	memset(&opened, 0, sizeof(opened));
	memset(&token, 0, sizeof(token));
	memset(&iv, 0, sizeof(iv));
	snprintf(dir, sizeof(dir), "/tmp/cdrd-test-cursor-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/cursor.key", dir);
}

static void teardown(void)
{
	buf_free(&token);
	buf_free(&iv);
	unlink(path);
	rmdir(dir);
}

static const struct account_key account = { "abcd1234" };

static void seal(void)
{
	ck_assert_int_eq(cursor_seal(&key, &account, &sample, &token, &iv, &err), 0);
}

static int open_as(const char *id)
{
	struct account_key as = account_key_of_id(id);

	return cursor_open(&key, &as, buf_str(&token), buf_str(&iv), &opened, &err);
}

START_TEST(opens_to_what_was_sealed)
{
	seal();
	ck_assert_int_eq(open_as("abcd1234"), 0);
	ck_assert_uint_eq(opened.fingerprint, sample.fingerprint);
	ck_assert_int_eq(opened.from_us, sample.from_us);
	ck_assert_int_eq(opened.to_us, sample.to_us);
	ck_assert_uint_eq(opened.snapshot, sample.snapshot);
	for (int i = 0; i < SCAN_POSITION_WORDS; i++)
		ck_assert_uint_eq(opened.position.words[i], sample.position.words[i]);
}
END_TEST

START_TEST(is_sealed_with_another_nonce_each_time)
{
	struct buf token2 = { 0 }, iv2 = { 0 };

	seal();
	ck_assert_int_eq(cursor_seal(&key, &account, &sample, &token2, &iv2, &err), 0);
	ck_assert(!str_equal(buf_str(&iv), buf_str(&iv2)));
	ck_assert(!str_equal(buf_str(&token), buf_str(&token2)));
	buf_free(&token2);
	buf_free(&iv2);
}
END_TEST

static void assert_every_change_is_refused(struct buf *text)
{
	static const char others[] = "AZaz09-_+=% ";

	for (size_t i = 0; i < text->len; i++) {
		char was = text->data[i];

		for (const char *other = others; *other; other++) {
			if (*other == was)
				continue;
			text->data[i] = *other;
			ck_assert_msg(open_as("abcd1234") == -1, "opened with %c for %c at %zu", *other, was, i);
			ck_assert_int_eq(err.code, ERROR_INVALID);
		}
		text->data[i] = was;
	}
	ck_assert_int_eq(open_as("abcd1234"), 0);
}

START_TEST(is_refused_when_any_character_is_changed)
{
	seal();
	assert_every_change_is_refused(&token);
	assert_every_change_is_refused(&iv);
}
END_TEST

START_TEST(is_refused_at_any_other_length)
{
	struct str whole;

	seal();
	whole = buf_str(&token);
	for (size_t len = 0; len < whole.len; len++) {
		struct str cut = { whole.p, len };

		ck_assert_int_eq(cursor_open(&key, &account, cut, buf_str(&iv), &opened, &err), -1);
	}
	buf_add_char(&token, 'A');
	ck_assert_int_eq(open_as("abcd1234"), -1);
}
END_TEST

START_TEST(is_refused_for_another_account)
{
	seal();
	ck_assert_int_eq(open_as("abcd1235"), -1);
	ck_assert_int_eq(err.code, ERROR_INVALID);
}
END_TEST

START_TEST(is_refused_under_another_key)
{
	seal();
	key.bytes[31] ^= 1;
	ck_assert_int_eq(open_as("abcd1234"), -1);
}
END_TEST

START_TEST(survives_a_restart)
{
	ck_assert_int_eq(cursor_key_load(&key, dir, &err), 0);
	seal();
	memset(&key, 0, sizeof(key));
	ck_assert_int_eq(cursor_key_load(&key, dir, &err), 0);
	ck_assert_int_eq(open_as("abcd1234"), 0);
}
END_TEST

START_TEST(key_is_for_its_owner_alone)
{
	struct stat status;

	ck_assert_int_eq(cursor_key_load(&key, dir, &err), 0);
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_uint_eq(status.st_mode & 0777, 0600);
	ck_assert_int_eq(status.st_size, 32);
}
END_TEST

/* Lengths of key files that are not keys. */
static const int wrong_lengths[] = { 0, 31, 33 };

START_TEST(key_of_another_length_is_refused_not_replaced)
{
	int length = wrong_lengths[_i];
	FILE *file = fopen(path, "w");
	struct stat status;

	fprintf(file, "%*s", length, "");
	fclose(file);
	ck_assert_int_eq(cursor_key_load(&key, dir, &err), -1);
	ck_assert_int_eq(err.code, ERROR_CORRUPT);
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_int_eq(status.st_size, length);
}
END_TEST

START_TEST(key_is_made_over_the_remains_of_a_crash)
{
	char rest[112];

	snprintf(rest, sizeof(rest), "%s.new", path);
	ck_assert_int_eq(close(open(rest, O_CREAT | O_WRONLY | O_CLOEXEC, 0644)), 0);
	ck_assert_int_eq(cursor_key_load(&key, dir, &err), 0);
	ck_assert_int_eq(access(rest, F_OK), -1);
}
END_TEST

START_TEST(key_without_directory_is_an_error_that_names_it)
{
	ck_assert_int_eq(cursor_key_load(&key, "/nonexistent/cdrd", &err), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "/nonexistent/cdrd"));
}
END_TEST

Suite *suite_cursor(void)
{
	Suite *suite = suite_create("cursor");
	TCase *tc = tcase_create("cursor");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, opens_to_what_was_sealed);
	tcase_add_test(tc, is_sealed_with_another_nonce_each_time);
	tcase_add_test(tc, is_refused_when_any_character_is_changed);
	tcase_add_test(tc, is_refused_at_any_other_length);
	tcase_add_test(tc, is_refused_for_another_account);
	tcase_add_test(tc, is_refused_under_another_key);
	tcase_add_test(tc, survives_a_restart);
	tcase_add_test(tc, key_is_for_its_owner_alone);
	tcase_add_loop_test(tc, key_of_another_length_is_refused_not_replaced, 0,
	                    (int)(sizeof(wrong_lengths) / sizeof(wrong_lengths[0])));
	tcase_add_test(tc, key_is_made_over_the_remains_of_a_crash);
	tcase_add_test(tc, key_without_directory_is_an_error_that_names_it);
	suite_add_tcase(suite, tc);
	return suite;
}
