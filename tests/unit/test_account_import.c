/* SPDX-License-Identifier: ISC */
/*
 * test_account_import.c: files of accounts: all of them are added, or none, and what is wrong is named.
 */
#include <check.h>

#include "admin/account_csv.h"
#include "base/clock.h"
#include "expect.h"
#include "meta/account_import.h"
#include "meta/accounts.h"
#include "store_fixture.h"

Suite *suite_account_import(void);

/* "correct horse", as Python's hashlib.pbkdf2_hmac hashes it. */
#define SALT "8PHy8/T19vf4.fr7/P3./w"
#define HASH "S9tmU14xjsmQModp8Wsk4oAyKuV5X69tCjuO8DWRSQc"
#define SECRET_HASH "$pbkdf2-sha256$2000$" SALT "$" HASH
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static struct fixture f;
static const char *plan; /* the only one there is */
static struct account_import *import;
static struct account_csv csv;
static struct account account;
static struct account_key key;
static struct error err;

static bool has_plan(void *arg, struct str name)
{
	(void)arg;
	return str_is(name, plan);
}

static void setup(void)
{
	fixture_open(&f, FIXTURE_MAP_BYTES);
	plan = "basic";
	import = account_import_new(f.meta, has_plan, NULL, &err);
	account_csv_init(&csv, import);
}

static void teardown(void)
{
	account_csv_free(&csv);
	account_import_free(import);
	fixture_close(&f);
}

static int read_file(const char *text)
{
	if (account_csv_feed(&csv, text, strlen(text), &err) != 0)
		return -1;
	return account_csv_end(&csv, &err);
}

static int work(void)
{
	bool done = false;
	int result = 0;

	while (result == 0 && !done)
		result = account_import_step(import, INT64_MAX, &done, &err);
	return result;
}

static bool exists(const char *id)
{
	return accounts_get(f.meta, str_from(id), &account, &err) == 0;
}

static const struct account_fault *fault(size_t at)
{
	size_t count;
	uint64_t all;
	const struct account_fault *faults = account_import_faults(import, &count, &all);

	ck_assert_msg(at < count, "only %zu faults, not %zu", count, at + 1);
	return &faults[at];
}

#define ASSERT_FAULT(at, wanted_line, wanted_column, wanted) \
	do { \
		ck_assert_uint_eq(fault(at)->line, (wanted_line)); \
		ck_assert_str_eq(fault(at)->column, (wanted_column)); \
		ck_assert_str_eq(fault(at)->message, (wanted)); \
	} while (0)

START_TEST(accounts_are_added_with_all_that_the_file_says)
{
	ASSERT_OK(read_file("\xef\xbb\xbfplan,name,parent,id,secret,secret_hash\r\n"
	                    ",\"Sub, \"\"two\"\"\",parent01,child002,,\r\n"
	                    ",Sub one,parent01,child001,clear secret,\r\n"
	                    "\r\n"
	                    "basic,,,parent01,," SECRET_HASH));
	ASSERT_OK(work());
	fixture_restart(&f);

	ck_assert(exists("parent01"));
	ck_assert_str_eq(account.plan, "basic");
	ck_assert_int_gt(account.created_us, clock_now_us() - 60 * CLOCK_US_PER_SECOND);
	ck_assert(exists("child002"));
	ck_assert_str_eq(account.name, "Sub, \"two\"");
	ck_assert_str_eq(account.parent, "parent01");
	ck_assert_int_eq(account.secrets_count, 0);
	ASSERT_OK(accounts_check(f.meta, STR_LITERAL("child001"), STR_LITERAL("clear secret"), &account, NULL, &err));
	ASSERT_OK(accounts_check(f.meta, STR_LITERAL("parent01"), STR_LITERAL("correct horse"), &account, NULL, &err));
	ck_assert_int_eq(accounts_reads(f.meta, &account, STR_LITERAL("child002"), &key, &err), 1);
	ck_assert_uint_eq(account_import_count(import), 3);
	ck_assert_uint_eq(account_import_secrets(import), 2);
}
END_TEST

START_TEST(a_file_may_come_in_any_pieces)
{
	static const char text[] = "id,name\r\nabcd1234,\"One, two\"\r\nefgh5678,\n";

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		ASSERT_OK(account_csv_feed(&csv, text + i, 1, &err));
	ASSERT_OK(account_csv_end(&csv, &err));
	ASSERT_OK(work());
	ck_assert(exists("efgh5678"));
	ck_assert(exists("abcd1234"));
	ck_assert_str_eq(account.name, "One, two");
}
END_TEST

/* Rows under the header id,parent,name,plan,secret,secret_hash. */
static const struct {
	const char *row, *column, *message;
} faulty[] = {
	{ "a b,,,,,", "id", "id \"a b\": must be 1 to 64 letters, digits, - or _" },
	{ "x" X64 ",,,,,", "id", "id \"" X64 "\": must be 1 to 64 letters, digits, - or _" },
	{ ",,,,,", "id", "id \"\": must be 1 to 64 letters, digits, - or _" },
	{ "known001,,,,,", "id", "id known001: such an account exists already" },
	{ "abcd1234,x.y,,,,", "parent", "parent \"x.y\": must be 1 to 64 letters, digits, - or _" },
	{ "abcd1234,nobody01,,,,", "parent", "parent nobody01: no such account, neither in this file nor before" },
	{ "abcd1234,abcd1234,,,,", "parent", "parent abcd1234: is the account itself" },
	{ "abcd1234,sub00001,,,,", "parent", "parent sub00001: is itself a subaccount of known001" },
	{ "abcd1234,gone0001,,,,", "parent", "parent gone0001: is deleted" },
	{ "abcd1234,,a\tb,,,", "name", "name: control character at byte 2" },
	{ "abcd1234,,\xff,,,", "name", "name: not valid UTF-8" },
	{ "abcd1234,," X64 X64 "x,,,", "name", "name: 129 bytes, at most 128 allowed" },
	{ "abcd1234,,,gold,,", "plan", "plan gold: none of the plans that the setting plans has" },
	{ "abcd1234,,," X64 ",,", "plan",
	  "plan xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: none of the plans that the setting plans has" },
	{ "abcd1234,,,,short,", "secret", "secret: 5 bytes, must be 8 to 128" },
	{ "abcd1234,,,,long enough," SECRET_HASH, "secret_hash",
	  "secret_hash: may not be given together with a secret" },
	{ "abcd1234,,,,,plain", "secret_hash", "secret_hash: must be $pbkdf2-sha256$ITERATIONS$SALT$HASH" },
	{ "abcd1234,,,,,$pbkdf2-sha256$999$" SALT "$" HASH, "secret_hash",
	  "secret_hash: 999 iterations, must be 1000 to 10000" },
	{ "abcd1234,,,,,$pbkdf2-sha256$99999999999999999999$" SALT "$" HASH, "secret_hash",
	  "secret_hash: 99999999999999999999 iterations, must be 1000 to 10000" },
	{ "abcd1234,,,,,$pbkdf2-sha256$2e3$" SALT "$" HASH, "secret_hash",
	  "secret_hash: iterations are no number; must be $pbkdf2-sha256$ITERATIONS$SALT$HASH" },
	{ "abcd1234,,,,,$pbkdf2-sha256$2000$c2FsdA$" HASH, "secret_hash",
	  "secret_hash: the salt is not 16 bytes in base64" },
	{ "abcd1234,,,,,$pbkdf2-sha256$2000$" SALT, "secret_hash", "secret_hash: the hash is not 32 bytes in base64" },
	{ "abcd1234,,,,", "row", "5 values, but the header line has 6 names" },
	{ "abcd1234,,,,,,,,,", "row", "10 values, but the header line has 6 names" },
	{ "abcd1234,,\"open,,,", "row",
	  "broken quotes, or a NUL: a quoted value must be whole, in one line, with its quotes doubled" },
};

START_TEST(a_faulty_row_is_named_and_nothing_is_added)
{
	char text[1024];

	ASSERT_OK(accounts_add(f.meta, "known001", NULL, NULL, "long enough", &err));
	ASSERT_OK(accounts_add(f.meta, "sub00001", "known001", NULL, "long enough", &err));
	ASSERT_OK(accounts_add(f.meta, "gone0001", NULL, NULL, "long enough", &err));
	ASSERT_OK(accounts_set_deleted(f.meta, "gone0001", 1, &err));
	snprintf(text, sizeof(text), "id,parent,name,plan,secret,secret_hash\ngood0001,,,,,\n%s\ngood0002,,,,,\n",
	         faulty[_i].row);
	ASSERT_OK(read_file(text));
	ck_assert_int_eq(work(), -1);
	ck_assert_str_eq(err.message, "1 fault: no account was added");
	ASSERT_FAULT(0, 3, faulty[_i].column, faulty[_i].message);
	ck_assert(!exists("good0001"));
	ck_assert(!exists("good0002"));
}
END_TEST

START_TEST(ids_of_any_length_get_keys_that_differ)
{
	static const char *const ids[] = { "a", "a-", "a-bcdef", "a-bcdefg", "a-bcdefgh", X64 };
	struct account_key keys[6];
	char id[ACCOUNT_ID_MAX + 1];

	ASSERT_OK(read_file("id,parent\n" X64 ",a\na-bcdefg,a\na,\na-,a-bcdefgh\na-bcdefgh,\na-bcdef,a\n"));
	ASSERT_OK(work());
	for (size_t i = 0; i < 6; i++) {
		ck_assert_int_eq(accounts_look_up(f.meta, str_from(ids[i]), &keys[i], &err), 1);
		ck_assert_int_eq(accounts_id_of_key(f.meta, &keys[i], id, &err), 1);
		ck_assert_str_eq(id, ids[i]);
		for (size_t k = 0; k < i; k++)
			ck_assert(!account_key_equal(&keys[k], &keys[i]));
	}
	ck_assert_int_eq(memcmp(keys[3].bytes, "a-bcdefg", 8), 0);
	ck_assert(exists("a"));
	ck_assert_int_eq(accounts_reads(f.meta, &account, STR_LITERAL(X64), &key, &err), 1);
	ck_assert_int_eq(accounts_reads(f.meta, &account, STR_LITERAL("a-"), &key, &err), 0);
	ck_assert_int_eq(accounts_reads(f.meta, &account, STR_LITERAL("a-bcdefgh"), &key, &err), 0);
}
END_TEST

START_TEST(a_hash_is_shown_as_it_was_imported)
{
	struct buf hash = { 0 };

	ASSERT_OK(read_file("id,secret_hash\nabcd1234," SECRET_HASH "\nefgh5678,\n"));
	ASSERT_OK(work());
	ASSERT_OK(accounts_secret_hash(f.meta, "efgh5678", &hash, &err));
	ck_assert_uint_eq(hash.len, 0);
	ASSERT_OK(accounts_secret_hash(f.meta, "abcd1234", &hash, &err));
	ck_assert_str_eq(buf_cstr(&hash), SECRET_HASH);
	ck_assert_int_eq(accounts_secret_hash(f.meta, "nobody01", &hash, &err), -1);
	ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
	buf_free(&hash);
}
END_TEST

START_TEST(an_account_that_is_in_the_file_twice_is_named)
{
	ASSERT_OK(read_file("id\nabcd1234\nefgh5678\nabcd1234\n"));
	ck_assert_int_eq(work(), -1);
	ASSERT_FAULT(0, 4, "id", "id abcd1234: also in line 2");
}
END_TEST

START_TEST(a_subaccount_of_the_file_is_no_parent)
{
	ASSERT_OK(read_file("id,parent\ngrandkid,child001\nchild001,parent01\nparent01,\n"));
	ck_assert_int_eq(work(), -1);
	ASSERT_FAULT(0, 2, "parent", "parent child001: is itself a subaccount of parent01");
}
END_TEST

START_TEST(faults_of_the_first_lines_are_kept_and_all_are_counted)
{
	char row[32];
	size_t count;
	uint64_t all;

	/* Found with the catalog at hand, and so after those of the form. */
	ASSERT_OK(account_csv_feed(&csv, "id,parent\nabcd1234,nobody01\n", 28, &err));
	for (int i = 0; i < 2 * ACCOUNT_IMPORT_FAULTS; i++) {
		snprintf(row, sizeof(row), "bad.%d,\n", i);
		ASSERT_OK(account_csv_feed(&csv, row, strlen(row), &err));
	}
	ck_assert_int_eq(work(), -1);
	const struct account_fault *faults = account_import_faults(import, &count, &all);
	ck_assert_uint_eq(count, ACCOUNT_IMPORT_FAULTS);
	ck_assert_uint_eq(all, 2 * ACCOUNT_IMPORT_FAULTS + 1);
	for (size_t i = 0; i < count; i++)
		ck_assert_uint_eq(faults[i].line, i + 2);
}
END_TEST

static const struct {
	const char *text, *message;
} headers[] = {
	{ "", "the file is empty; its first line must name the columns, id at least" },
	{ "\n\n", "the file is empty; its first line must name the columns, id at least" },
	{ "name,plan\n", "line 1: must be a header that names the columns, id at least" },
	{ "id,name,id\n", "line 1: the column id is there twice" },
	{ "id,colour\n", "line 1: \"colour\": no such column; may be id, parent, name, plan, secret and secret_hash" },
	{ "abcd1234,,\n",
	  "line 1: \"abcd1234\": no such column; may be id, parent, name, plan, secret and secret_hash" },
};

START_TEST(a_header_that_cannot_be_used_is_refused)
{
	ck_assert_int_eq(read_file(headers[_i].text), -1);
	ck_assert_str_eq(err.message, headers[_i].message);
}
END_TEST

START_TEST(a_line_that_is_too_long_is_a_fault_of_its_own)
{
	ASSERT_OK(account_csv_feed(&csv, "id,name\n", 8, &err));
	for (int i = 0; i < 100; i++)
		ASSERT_OK(account_csv_feed(&csv, X64, 64, &err));
	ASSERT_OK(account_csv_feed(&csv, "\nabcd1234,\n", 11, &err));
	ck_assert_int_eq(work(), -1);
	ASSERT_FAULT(0, 2, "row", "longer than the 4096 bytes that a line may have");
	ck_assert_uint_eq(account_import_count(import), 1);
}
END_TEST

START_TEST(an_import_of_more_accounts_than_are_allowed_is_refused)
{
	struct account_new row = { .line = 1, .id = STR_LITERAL("abcd1234") };

	for (row.line = 1; row.line <= ACCOUNT_IMPORT_MAX; row.line++)
		if (account_import_take(import, &row, &err) != 0)
			ck_abort_msg("%s", err.message);
	ck_assert_int_eq(account_import_take(import, &row, &err), -1);
	ck_assert_int_eq(err.code, ERROR_LIMIT);
	ck_assert_str_eq(err.message, "line 250001: more than the 250000 accounts that one import may have");
}
END_TEST

START_TEST(a_step_ends_at_its_deadline)
{
	bool done = false;
	int steps = 0;

	ASSERT_OK(read_file("id,secret\nabcd1234,a secret\nefgh5678,a secret\nijkl9012,a secret\n"));
	for (; !done; steps++) {
		ck_assert(!exists("abcd1234"));
		ASSERT_OK(account_import_step(import, 0, &done, &err));
	}
	/* To sort them, to check and to write each, to add them all. */
	ck_assert_int_eq(steps, 8);
	ck_assert(exists("abcd1234"));
}
END_TEST

START_TEST(accounts_that_changed_meanwhile_are_checked_again)
{
	bool done = false;
	uint64_t total;

	ASSERT_OK(read_file("id,parent\nabcd1234,parent01\nparent01,\n"));
	while (account_import_progress(import, &total) < total || total == 0)
		ASSERT_OK(account_import_step(import, 0, &done, &err));
	ck_assert(!done);
	ASSERT_OK(accounts_add(f.meta, "abcd1234", NULL, "Of another", "long enough", &err));
	ck_assert_int_eq(work(), -1);
	ASSERT_FAULT(0, 2, "id", "id abcd1234: such an account exists already");
	ck_assert(!exists("parent01"));
	ck_assert(exists("abcd1234"));
	ck_assert_str_eq(account.name, "Of another");
}
END_TEST

START_TEST(a_plan_that_was_taken_away_meanwhile_is_a_fault)
{
	bool done = false;
	uint64_t total;

	ASSERT_OK(read_file("id,plan\nabcd1234,basic\n"));
	while (account_import_progress(import, &total) < total)
		ASSERT_OK(account_import_step(import, 0, &done, &err));
	plan = "other";
	ck_assert_int_eq(work(), -1);
	ASSERT_FAULT(0, 2, "plan", "plan basic: none of the plans that the setting plans has");
	ck_assert(!exists("abcd1234"));
}
END_TEST

START_TEST(accounts_that_changed_meanwhile_without_harm_do_not_end_it)
{
	bool done = false;
	uint64_t total;

	ASSERT_OK(read_file("id,parent\nabcd1234,parent01\nparent01,\n"));
	while (account_import_progress(import, &total) < total)
		ASSERT_OK(account_import_step(import, 0, &done, &err));
	ASSERT_OK(accounts_add(f.meta, "efgh5678", NULL, NULL, "long enough", &err));
	ASSERT_OK(work());
	ck_assert(exists("abcd1234"));
}
END_TEST

Suite *suite_account_import(void)
{
	Suite *suite = suite_create("account_import");
	TCase *tcase = tcase_create("account_import");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, accounts_are_added_with_all_that_the_file_says);
	tcase_add_test(tcase, a_file_may_come_in_any_pieces);
	tcase_add_loop_test(tcase, a_faulty_row_is_named_and_nothing_is_added, 0, sizeof(faulty) / sizeof(faulty[0]));
	tcase_add_test(tcase, ids_of_any_length_get_keys_that_differ);
	tcase_add_test(tcase, a_hash_is_shown_as_it_was_imported);
	tcase_add_test(tcase, an_account_that_is_in_the_file_twice_is_named);
	tcase_add_test(tcase, a_subaccount_of_the_file_is_no_parent);
	tcase_add_test(tcase, faults_of_the_first_lines_are_kept_and_all_are_counted);
	tcase_add_loop_test(tcase, a_header_that_cannot_be_used_is_refused, 0, sizeof(headers) / sizeof(headers[0]));
	tcase_add_test(tcase, a_line_that_is_too_long_is_a_fault_of_its_own);
	tcase_add_test(tcase, an_import_of_more_accounts_than_are_allowed_is_refused);
	tcase_add_test(tcase, a_step_ends_at_its_deadline);
	tcase_add_test(tcase, accounts_that_changed_meanwhile_are_checked_again);
	tcase_add_test(tcase, a_plan_that_was_taken_away_meanwhile_is_a_fault);
	tcase_add_test(tcase, accounts_that_changed_meanwhile_without_harm_do_not_end_it);
	suite_add_tcase(suite, tcase);
	return suite;
}
