/* SPDX-License-Identifier: ISC */
/*
 * test_erased.c: the hash of numbers, and the table of those that were erased.
 */
#include <check.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/siphash.h"
#include "expect.h"
#include "store/erase.h"
#include "store/erased.h"
#include "store/days_store.h"
#include "store/number_search.h"
#include "store/putting/moves.h"
#include "store/versions.h"
#include "store_fixture.h"

Suite *suite_erased(void);

/* OpenSSL's, of 16 bytes. */
static void reference(const uint8_t *key, const uint8_t *data, size_t len, uint8_t out[16])
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
	size_t size = 16, got = 0;

	OSSL_PARAM params[] = { OSSL_PARAM_construct_size_t("size", &size), OSSL_PARAM_construct_end() };

	ck_assert(context && EVP_MAC_init(context, key, SIPHASH_KEY_BYTES, params) == 1);
	ck_assert(EVP_MAC_update(context, data, len) == 1 && EVP_MAC_final(context, out, &got, 16) == 1 && got == 16);
	EVP_MAC_CTX_free(context);
	EVP_MAC_free(mac);
}

START_TEST(siphash_is_what_openssl_says)
{
	uint8_t key[SIPHASH_KEY_BYTES], data[70], expected[16];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37 + 11);
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 3);
	for (size_t len = 0; len <= sizeof(data); len++) {
		struct siphash hash = siphash(key, data, len);
		uint8_t bytes[16];

		for (int i = 0; i < 16; i++)
			bytes[i] = (uint8_t)(hash.word[i / 8] >> (8 * (i % 8)));
		reference(key, data, len, expected);
		ck_assert_msg(memcmp(bytes, expected, 16) == 0, "of %zu bytes", len);
	}
}
END_TEST

static struct account_key account_of(int number)
{
	char id[32];

	snprintf(id, sizeof(id), "acc%05d", number);
	return account_key_of_id(id);
}

static void add(struct store *store, int account, const char *number, int64_t until_us)
{
	struct erased_entry entry = { .erased_us = 5, .until_us = until_us, .uid = 7 };
	struct error err = { 0 };
	struct account_key key = account_of(account);

	ck_assert_msg(erased_add(store, &key, 1, str_from(number), &entry, &err) == 0, "%s", err.message);
}

static bool is(struct store *store, int account, const char *number, int64_t time_us)
{
	struct account_key key = account_of(account);

	return erased_is(store, &key, str_from(number), time_us);
}

START_TEST(erased_numbers_are_known_by_account_time_and_after_a_restart)
{
	struct fixture f;
	char number[32];
	struct error err = { 0 };
	size_t count;
	struct account_key first = account_of(0), second = account_of(1), unknown = account_of(5);

	fixture_open(&f, FIXTURE_MAP_BYTES);
	ck_assert(!is(f.store, 1, "447700900999", 0));
	for (int i = 0; i < 300; i++) {
		snprintf(number, sizeof(number), "%s4477009%05d", i % 2 ? "+" : "", i / 3);
		add(f.store, i % 3, number, 1000);
	}
	add(f.store, 1, "447700900007", 500); /* earlier than it was */
	add(f.store, 2, "447700900007", ERASED_LASTS);
	ck_assert_int_eq(erased_revoke(f.store, &first, 1, STR_LITERAL("+447700900007"), &count, &err), 0);
	ck_assert_uint_eq(count, 1);
	for (int round = 0; round < 2; round++) {
		ck_assert_uint_eq(erased_count(f.store), 299);
		for (int i = 0; i < 300; i++) {
			snprintf(number, sizeof(number), "%s4477009%05d", i % 4 ? "" : "+", i / 3);
			bool revoked = i % 3 == 0 && i / 3 == 7, lasts = i % 3 == 2 && i / 3 == 7;
			ck_assert_msg(is(f.store, i % 3, number, 1000) == !revoked, "%d", i);
			ck_assert_msg(is(f.store, i % 3, number, 1001) == lasts, "%d", i);
			ck_assert(!is(f.store, 3, number, 0));
		}
		fixture_restart(&f);
	}
	ck_assert_int_eq(erased_forget_account(f.store, &second, &err), 0);
	ck_assert_int_eq(erased_forget_account(f.store, &unknown, &err), 0);
	for (int round = 0; round < 2; round++) {
		ck_assert_uint_eq(erased_count(f.store), 199);
		ck_assert(!is(f.store, 1, "447700900001", 0) && is(f.store, 2, "447700900001", 0));
		fixture_restart(&f);
	}
	fixture_close(&f);
}
END_TEST

START_TEST(a_text_is_searched_for_words_and_whole_values)
{
	struct fixture f;
	struct str unknown = { NULL, 0 };

	fixture_open(&f, FIXTURE_MAP_BYTES);
	struct str account = STR_LITERAL("acc00001");
	add(f.store, 1, "447700900999", 1000);
	add(f.store, 1, "zoe@example.com", 1000);
	static const struct {
		const char *text;
		bool found;
	} rows[] = {
		{ "{\"account_id\":\"acc00001\",\"to\":\"447700900999\"}", true },
		{ "{\"account_id\":\"acc00001\",\"to\":\"+447700900999\"}", true },
		{ "{\"account_id\":\"acc00001\",\"to\":447700900999}", true },
		{ "{\"account_id\":\"acc00002\",\"to\":\"447700900999\"}", false },
		{ "{\"account_id\":\"acc00001\",\"to\":\"1447700900999\"}", false },
		{ "{\"account_id\":\"acc00001\",\"to\":\"zoe@example.com\"}", true },
		{ "outbound,447700900999,x", true },
		{ "outbound,zoe@example.com", true },
		{ "outbound,chloe@example.com", false },
		{ "", false },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_msg(erased_is_in_text(f.store, unknown, INT64_MIN, str_from(rows[i].text)) == rows[i].found,
		              "%s", rows[i].text);
	ck_assert(erased_is_in_text(f.store, account, 1000, STR_LITERAL("x,447700900999")));
	ck_assert(!erased_is_in_text(f.store, account, 1001, STR_LITERAL("x,447700900999")));
	ck_assert(!erased_is_in_text(f.store, STR_LITERAL("acc00002"), 1000, STR_LITERAL("x,447700900999")));
	fixture_close(&f);
}
END_TEST

static void set(struct record *record, const char *column, const char *value)
{
	uint8_t at = catalog_column_find(record->product, str_from(column));

	ck_assert_uint_ne(at, CATALOG_NONE);
	record->values[at] = str_from(value);
}

static struct str get(const struct record *record, const char *column)
{
	return record->values[catalog_column_find(record->product, str_from(column))];
}

START_TEST(merging_brings_no_message_back)
{
	struct record stored = { .product = catalog_product_find(STR_LITERAL("SMS")) }, came = stored, merged;

	set(&stored, "to", ERASE_TEXT);
	set(&came, "message_body", "come again");
	set(&came, "status", "delivered");
	versions_merge(&merged, &came, &stored);
	ck_assert(get(&merged, "message_body").len == 0 && str_is(get(&merged, "status"), "delivered"));
	ck_assert(versions_fill(&merged, &came, &stored));
	ck_assert(get(&merged, "message_body").len == 0 && str_is(get(&merged, "to"), ERASE_TEXT));

	/* the message was there first, and the number was taken out of what has come */
	versions_merge(&merged, &stored, &came);
	ck_assert(get(&merged, "message_body").len == 0);
	set(&stored, "to", "447700900123");
	versions_merge(&merged, &came, &stored);
	ck_assert(str_is(get(&merged, "message_body"), "come again"));
}
END_TEST

/* --- what comes while a number is erased, and after that --- */

#define PERSON "447700900999"
#define FIRST_DAY 20500

static struct fixture stored;

static int64_t at(int32_t day, int64_t us)
{
	return clock_day_start_us(day) + us;
}

/* A version of a record, or a part of one. */
static void fill_record(struct record *record, const char *id, const char *to, const char *status)
{
	record_clear(record, catalog_product_find(STR_LITERAL("SMS")));
	set(record, "account_id", "acc00001");
	set(record, "id", id);
	set(record, "message_id", id);
	set(record, "direction", "outbound");
	set(record, "status", status);
	if (to)
		set(record, "to", to);
}

static void put_version(const char *id, int64_t time_us, const char *to, const char *status,
                        const struct store_versions *versions)
{
	struct record record;
	enum store_put_result result;
	struct error err = { 0 };

	fill_record(&record, id, to, status);
	ck_assert_msg(store_put_version(stored.store, &record, time_us, versions, &result, &err) == 0, "%s",
	              err.message);
	ck_assert_msg(store_commit(stored.store, &err) == 0, "%s", err.message);
}

static struct erase *begin_erasing(int64_t until_us)
{
	static const struct account_key accounts[1] = { { "acc00001" } };
	struct erase_scope scope = { .accounts = accounts, .accounts_count = 1, .number = STR_LITERAL(PERSON) };
	struct error err = { 0 };
	struct erase *erase = erase_new(stored.store, &scope, &err);

	ck_assert_msg(erase, "%s", err.message);
	add(stored.store, 1, PERSON, until_us);
	return erase;
}

/* Until so many days are done; 0: all of it. */
static void erase_days(struct erase *erase, uint64_t days)
{
	struct erase_counts counts = { 0 };
	struct error err = { 0 };
	bool dirty, done = false;

	while (!done && (days == 0 || counts.days_done < days)) {
		ck_assert_msg(erase_step(erase, 0, &dirty, &done, &err) == 0, "%s", err.message);
		ck_assert_msg(!dirty || store_commit(stored.store, &err) == 0, "%s", err.message);
		erase_counts(erase, &counts);
	}
}

static bool count_number(void *arg, const struct record *record, int64_t time_us, uint64_t columns)
{
	(void)record;
	(void)time_us;
	*(int *)arg += columns != 0;
	return true;
}

/* How many records hold a number, or what it became. */
static int records_with(const char *number)
{
	struct error err = { 0 };
	int count = 0;
	bool done = false;
	struct account_key account = account_of(1);
	struct number_search *search =
		number_search_new(stored.store, &account, str_from(number), count_number, NULL, &count, &err);

	ck_assert_msg(search, "%s", err.message);
	while (!done)
		ck_assert_msg(number_search_step(search, INT64_MAX, &done, &err) == 0, "%s", err.message);
	number_search_free(search);
	return count;
}

/* A part that lacks the number takes a record from a day that is still to be looked at to one that was. */
START_TEST(what_moves_while_it_is_erased_is_erased)
{
	const struct store_versions merges = { .merge = true, .column = CATALOG_NONE };

	fixture_open(&stored, FIXTURE_MAP_BYTES);
	put_version("one", at(FIRST_DAY + 1, 1000), PERSON, "submitted", NULL);
	put_version("other", at(FIRST_DAY, 1000), "447700900123", "submitted", NULL);
	if (_i)
		fixture_seal(stored.store);
	struct erase *erase = begin_erasing(at(FIRST_DAY + 10, 0));
	erase_days(erase, 1);
	put_version("one", at(FIRST_DAY, 2000), NULL, "delivered", &merges);
	erase_days(erase, 0);
	erase_free(erase);
	ck_assert_int_eq(records_with(PERSON), 0);
	fixture_close(&stored);
}
END_TEST

/* It has a time of its own, after the erasure, and the record's number. */
START_TEST(an_update_of_what_was_erased_brings_no_number_back)
{
	const struct store_versions updates = { .updates = true, .column = CATALOG_NONE };

	fixture_open(&stored, FIXTURE_MAP_BYTES);
	put_version("one", at(FIRST_DAY, 1000), PERSON, "submitted", NULL);
	if (_i)
		fixture_seal(stored.store);
	struct erase *erase = begin_erasing(at(FIRST_DAY, 2000));
	erase_days(erase, 0);
	erase_free(erase);
	put_version("one", at(FIRST_DAY, 3000), PERSON, "delivered", &updates);
	ck_assert_int_eq(records_with(PERSON), 0);
	fixture_close(&stored);
}
END_TEST

/* A commit that has failed half way has left it in the file of moves alone, where it stays until that is finished. */
START_TEST(a_torn_move_that_is_finished_after_the_erasure_brings_no_number_back)
{
	const struct store_versions replaces = { .column = CATALOG_NONE };
	struct record record;
	enum store_put_result result;
	struct error err = { 0 };
	bool more, dirty;

	fixture_open(&stored, FIXTURE_MAP_BYTES);
	put_version("one", at(FIRST_DAY, 1000), PERSON, "submitted", NULL);
	fill_record(&record, "one", PERSON, "delivered");
	ck_assert_int_eq(store_put_version(stored.store, &record, at(FIRST_DAY + 1, 1000), &replaces, &result, &err),
	                 0);
	ck_assert_int_eq(moves_write(stored.store, &err), 0);
	ck_assert_int_eq(env_commit(&stored.store->days[0]->env, &err), 0);
	store_abort(stored.store);
	struct erase *erase = begin_erasing(at(FIRST_DAY + 10, 0));
	erase_days(erase, 0);
	erase_free(erase);
	ck_assert_int_eq(store_maintain(stored.store, INT64_MAX, &more, &dirty, &err), 0);
	ck_assert(!moves_are_left(stored.store));
	ck_assert_int_eq(records_with(PERSON), 0);
	fixture_close(&stored);
}
END_TEST

Suite *suite_erased(void)
{
	Suite *suite = suite_create("erased");
	TCase *tcase = tcase_create("erased");

	tcase_add_test(tcase, siphash_is_what_openssl_says);
	tcase_add_test(tcase, erased_numbers_are_known_by_account_time_and_after_a_restart);
	tcase_add_test(tcase, a_text_is_searched_for_words_and_whole_values);
	tcase_add_test(tcase, merging_brings_no_message_back);
	tcase_add_loop_test(tcase, what_moves_while_it_is_erased_is_erased, 0, 2);
	tcase_add_loop_test(tcase, an_update_of_what_was_erased_brings_no_number_back, 0, 2);
	tcase_add_test(tcase, a_torn_move_that_is_finished_after_the_erasure_brings_no_number_back);
	suite_add_tcase(suite, tcase);
	return suite;
}
