/* SPDX-License-Identifier: ISC */
/*
 * test_bundles.c: the blocks of many small accounts, which share values.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "expect.h"
#include "meta/accounts.h"
#include "meta/meta_env.h"
#include "store/blocks/bundle.h"
#include "store/days_store.h"
#include "store/purge.h"
#include "store/sealing/repack.h"
#include "store/verify.h"
#include "store_check.h"
#include "store_fixture.h"

Suite *suite_bundles(void);

#define DAY 20500
#define ACCOUNTS 200
#define ROWS 12 /* of an account */

static struct fixture f;
static struct model model;
static struct sampler sampler;
static struct error err;
static uint32_t ids;

static void setup(void)
{
	fixture_open(&f, FIXTURE_MAP_BYTES);
	model = (struct model){ 0 };
	sampler = (struct sampler){ .pick = { 1 }, .styles = 6 };
	ids = 0;
}

static void teardown(void)
{
	model_free(&model);
	fixture_close(&f);
}

static const char *account(unsigned number)
{
	static char text[9];

	snprintf(text, sizeof(text), "acct%04u", number % 10000);
	return text;
}

static void put(struct sample *sample)
{
	struct sample *stored;
	enum store_put_result result;

	(void)model_expect(&model, sample, NULL, &stored);
	ASSERT_OK(store_put(f.store, &sample->record, sample->time_us, &result, &err));
	if (stored)
		model_put(&model, stored, NULL, f.store->last_seq);
	free(sample);
}

static void put_many_into(int32_t day, const char *of, uint32_t count)
{
	for (; count > 0; count--)
		put(sample_new(&sampler, sms(), of, ++ids, CATALOG_OUTBOUND,
		               clock_day_start_us(day) +
		                       (int64_t)pick_below(&sampler.pick, 86400) * CLOCK_US_PER_SECOND));
}

static void put_many(const char *of, uint32_t count)
{
	put_many_into(DAY, of, count);
}

static void commit(void)
{
	ASSERT_OK(store_commit(f.store, &err));
	model_commit(&model);
}

static void seal_small_accounts(void)
{
	for (uint32_t row = 0; row < ROWS; row++)
		for (unsigned i = 0; i < ACCOUNTS; i++)
			put_many(account(i), 1);
	commit();
	fixture_seal(f.store);
}

/* All of an account's records are what the model says. */
static void check_account(const char *of)
{
	struct check check = { .spans = true, .lines = true };

	check.accounts[0] = account_key_of_id(of);
	check.query = (struct scan_query){
		.product = sms(),
		.direction = CATALOG_OUTBOUND,
		.accounts_count = 1,
		.from_us = clock_day_start_us(DAY),
		.to_us = clock_day_start_us(DAY + 1),
		.snapshot = store_snapshot(f.store),
	};
	check_begin(&check, "query", f.store, &model);
	while (!check_page(&check, SIZE_MAX, false))
		;
	check_end(&check);
}

/* The last fault that is found, or "". */
static const char *verify_all(void)
{
	static struct fixture_faults faults;

	faults = fixture_verify(f.store);
	return faults.last;
}

static struct day *the_day(void)
{
	struct day *day = store_day(f.store, DAY, false, &err);

	ck_assert_ptr_nonnull(day);
	return day;
}

static MDB_stat stat_of(enum day_db db)
{
	struct day *day = the_day();
	MDB_txn *txn = env_read(&day->env, &err);
	MDB_stat stat;

	ck_assert_int_eq(mdb_stat(txn, day->env.dbi[db], &stat), 0);
	ASSERT_OK(env_read_end(&day->env, txn, 0, &err));
	return stat;
}

/* What block_data has of an account's first block; and the block. Appends a copy. */
static void get_stored(const char *of, struct buf *stored, struct buf *block)
{
	struct day *day = the_day();
	struct account_key key_of = account_key_of_id(of);
	struct partition partition = partition_of(&key_of, sms()->number, CATALOG_OUTBOUND);
	uint8_t bytes[NUMBER_KEY_LEN];
	MDB_val key = env_val(bytes, sizeof(bytes)), val;
	MDB_txn *txn = env_read(&day->env, &err);

	number_key_write(bytes, &partition, 0);
	ck_assert_int_eq(mdb_get(txn, day->env.dbi[DAY_BLOCK_DATA], &key, &val), 0);
	buf_add(stored, val.mv_data, val.mv_size);
	ck_assert_int_eq(bundle_get_block(NULL, day, txn, key, &val, &err), 1);
	buf_add(block, val.mv_data, val.mv_size);
	ASSERT_OK(env_read_end(&day->env, txn, 0, &err));
}

static void purge_account(const char *of)
{
	struct account_key key_of = account_key_of_id(of);
	struct purge *purge = purge_new(f.store, &key_of);
	bool done = false, dirty;

	ck_assert_ptr_nonnull(purge);
	while (!done) {
		ASSERT_OK(purge_step(purge, INT64_MAX, &dirty, &done, &err));
		ASSERT_OK(store_commit(f.store, &err));
	}
	purge_free(purge);
}

START_TEST(blocks_of_small_accounts_share_values)
{
	struct buf stored = { 0 }, block = { 0 };

	put_many("bigacct1", 3000);
	seal_small_accounts();
	MDB_stat bundles = stat_of(DAY_BUNDLES);
	expect(bundles.ms_entries > 0 && bundles.ms_entries <= ACCOUNTS / 10, "%zu bundles", bundles.ms_entries);
	get_stored(account(7), &stored, &block);
	ck_assert_uint_eq(stored.len, sizeof(struct bundle_ref));
	buf_clear(&stored);
	buf_clear(&block);
	get_stored("bigacct1", &stored, &block);
	expect(stored.len > BUNDLE_BLOCK_MAX && stored.len == block.len, "%zu and %zu", stored.len, block.len);
	buf_free(&stored);
	buf_free(&block);
	fixture_assert_sound(f.store);
	for (unsigned i = 0; i < ACCOUNTS; i++)
		check_account(account(i));
	check_account("bigacct1");
}
END_TEST

/* A value takes whole pages. */
START_TEST(full_bundles_leave_little_of_their_last_pages_free)
{
	size_t full = 0, cut = 0;
	MDB_cursor *cursor;
	MDB_val key, val;

	for (uint32_t row = 0; row < ROWS; row++)
		for (unsigned i = 0; i < 6 * ACCOUNTS; i++)
			put_many(account(i), 1);
	commit();
	fixture_seal(f.store);
	MDB_stat stat = stat_of(DAY_BUNDLES);
	MDB_txn *txn = env_read(&the_day()->env, &err);
	ck_assert_int_eq(mdb_cursor_open(txn, the_day()->env.dbi[DAY_BUNDLES], &cursor), 0);
	while (mdb_cursor_get(cursor, &key, &val, MDB_NEXT) == 0) {
		size_t over = (val.mv_size + 16) % stat.ms_psize;

		if (val.mv_size < BUNDLE_BYTES)
			continue; /* a commit came before */
		full++;
		/* Numbers of bundles rise: the last is what the commit at the end has cut. */
		expect(cut == 0, "a bundle that leaves %zu bytes free is not the last", cut);
		if (over != 0 && stat.ms_psize - over > 256 && val.mv_size < BUNDLE_BYTES_MAX)
			cut = stat.ms_psize - over;
	}
	mdb_cursor_close(cursor);
	ASSERT_OK(env_read_end(&the_day()->env, txn, 0, &err));
	expect(full > 2, "%zu full bundles", full);
	fixture_assert_sound(f.store);
}
END_TEST

/* Checks that a walk finds the block of an account, or that it finds none. */
static void check_walk(struct bundle_walk *walk, struct day *day, MDB_txn *txn, const char *of, bool there)
{
	struct account_key key_of = account_key_of_id(of);
	struct partition partition = partition_of(&key_of, sms()->number, CATALOG_OUTBOUND);
	uint8_t bytes[NUMBER_KEY_LEN];
	MDB_val key = env_val(bytes, sizeof(bytes)), val, walked;

	number_key_write(bytes, &partition, 0);
	ck_assert_int_eq(bundle_get_block(NULL, day, txn, key, &val, &err), there);
	expect(bundle_get_block(walk, day, txn, key, &walked, &err) == there, "account %s: there is %s", of,
	       there ? "none" : "one");
	expect(!there || (walked.mv_data == val.mv_data && walked.mv_size == val.mv_size), "account %s: another block",
	       of);
}

START_TEST(a_walk_finds_blocks_in_any_order_and_none_where_there_is_none)
{
	static const unsigned numbers[] = { 0, 1, 2, 9, 10, 100, 3, 3, ACCOUNTS - 1, 0, 50, 57, 58 };
	struct bundle_walk walk = { .number = 0 };

	put_many("bigacct1", 3000);
	seal_small_accounts();
	struct day *day = the_day();
	MDB_txn *txn = env_read(&day->env, &err);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		check_walk(&walk, day, txn, account(numbers[i]), true);
		check_walk(&walk, day, txn, i % 2 ? "acct000/" : "zzzzzzzz", false);
	}
	check_walk(&walk, day, txn, "bigacct1", true);
	check_walk(&walk, day, txn, account(8), true);
	bundle_walk_end(&walk);
	ASSERT_OK(env_read_end(&day->env, txn, 0, &err));
}
END_TEST

START_TEST(a_bundle_is_read_after_a_restart)
{
	seal_small_accounts();
	fixture_restart(&f);
	fixture_assert_sound(f.store);
	check_account(account(0));
	check_account(account(ACCOUNTS - 1));
}
END_TEST

START_TEST(a_bundle_half_of_which_is_dead_is_copied)
{
	seal_small_accounts();
	size_t before = stat_of(DAY_BUNDLES).ms_overflow_pages;
	for (unsigned i = 0; i < ACCOUNTS; i++)
		if (i % 4 != 0)
			purge_account(account(i));
	fixture_assert_sound(f.store);
	size_t after = stat_of(DAY_BUNDLES).ms_overflow_pages;
	expect(after <= before * 5 / 8, "%zu pages of %zu are left", after, before);
	for (unsigned i = 0; i < ACCOUNTS; i += 4)
		check_account(account(i));
}
END_TEST

/* Whether the day's file holds some bytes. */
static bool is_in_file(struct str wanted)
{
	struct buf path = { 0 }, content = { 0 };
	char part[65536];
	size_t len;

	buf_addf(&path, "%s/data.mdb", the_day()->env.path);
	FILE *file = fopen(buf_cstr(&path) ? path.data : "", "rb");
	ck_assert_ptr_nonnull(file);
	while ((len = fread(part, 1, sizeof(part), file)) > 0)
		buf_add(&content, part, len);
	fclose(file);
	bool found = memmem(content.data, content.len, wanted.p, wanted.len) != NULL;
	buf_free(&content);
	buf_free(&path);
	return found;
}

/* Of the few dead ones in a bundle that is far from half dead, nothing is left. */
START_TEST(what_is_purged_out_of_a_bundle_is_gone_from_the_file)
{
	struct buf stored = { 0 }, block = { 0 };

	seal_small_accounts();
	get_stored(account(42), &stored, &block);
	struct str bytes = { block.data + block.len / 2, block.len / 2 };
	expect(is_in_file(bytes), "the block is not where it is looked for");
	purge_account(account(42));
	ck_assert_uint_gt(stat_of(DAY_BUNDLES_DEAD).ms_entries, 0);
	fixture_seal(f.store); /* which packs, as that was demanded */
	ck_assert_uint_eq(stat_of(DAY_BUNDLES_DEAD).ms_entries, 0);
	expect(!is_in_file(bytes), "the block is still there");
	fixture_assert_sound(f.store);
	check_account(account(41));
	buf_free(&stored);
	buf_free(&block);
}
END_TEST

#define COUNTED 600 /* accounts, so that their blocks are counted in three slices */

START_TEST(what_is_sealed_while_a_day_is_counted_is_counted_once)
{
	struct day_count count = { .stats = { .day = DAY } };
	int result;

	for (unsigned i = 0; i < COUNTED; i++)
		put_many(account(i), 2);
	commit();
	fixture_seal(f.store);
	for (unsigned i = 0; i < COUNTED; i++)
		put_many(account(i), 3);
	commit();
	ck_assert_int_eq(store_count_day(f.store, &count, 0, &err), 0);
	fixture_seal(f.store);
	while ((result = store_count_day(f.store, &count, 0, &err)) == 0)
		;
	ck_assert_int_eq(result, 1);
	ck_assert_uint_eq(day_stats_records(&count.stats), COUNTED * 5);
	ck_assert_uint_eq(count.stats.hot_rows, 0);
}
END_TEST

static bool syncs_commits(const struct env *env)
{
	unsigned flags = MDB_NOSYNC;

	ck_assert_int_eq(mdb_env_get_flags(env->mdb, &flags), 0);
	return !(flags & MDB_NOSYNC);
}

/* A copy that is being made is not synced at each commit. */
START_TEST(what_is_committed_to_a_packed_file_lasts_at_once)
{
	const struct env *catalog = meta_env(f.meta);
	MDB_env *before = catalog->mdb;

	seal_small_accounts();
	ASSERT_OK(repack_demand(f.store, NULL, &err));
	purge_account(account(42));
	fixture_seal(f.store);
	ck_assert_ptr_ne(catalog->mdb, before);
	expect(syncs_commits(catalog), "commits to the catalog are not synced");
	expect(syncs_commits(&store_day(f.store, DAY, false, &err)->env), "commits to the day are not synced");
}
END_TEST

START_TEST(an_aborted_seal_leaves_no_bundle)
{
	bool more = true, dirty = false;

	for (unsigned i = 0; i < ACCOUNTS; i++)
		put_many(account(i), ROWS);
	commit();
	begin_sealing(f.store);
	while (!dirty)
		ASSERT_OK(store_maintain(f.store, INT64_MAX, &more, &dirty, &err));
	store_abort(f.store);
	ck_assert_uint_eq(stat_of(DAY_BUNDLES).ms_entries, 0);
	check_account(account(3));
	fixture_seal(f.store);
	fixture_assert_sound(f.store);
	for (unsigned i = 0; i < ACCOUNTS; i++)
		check_account(account(i));
}
END_TEST

/* A version that replaces a sealed record is put in the transaction that has the seal. */
START_TEST(a_block_of_the_bundle_that_is_being_filled_is_found)
{
	bool more = true, dirty = false;

	for (unsigned i = 0; i < ACCOUNTS; i++)
		put_many(account(i), ROWS);
	commit();
	begin_sealing(f.store);
	while (!dirty)
		ASSERT_OK(store_maintain(f.store, INT64_MAX, &more, &dirty, &err));
	for (size_t i = 0; i < model.count; i++)
		put(sample_changed(&sampler, model.records[i]->now, CATALOG_OUTBOUND, model.records[i]->now->time_us,
		                   6));
	commit();
	fixture_seal(f.store);
	fixture_assert_sound(f.store);
	for (unsigned i = 0; i < ACCOUNTS; i++)
		check_account(account(i));
}
END_TEST

/* Puts a value of the first key of a database, whose byte at `at` is another one. */
static void damage_first(enum day_db db, size_t at)
{
	struct day *day = the_day();
	MDB_txn *txn = env_write(&day->env, &err);
	MDB_cursor *cursor;
	MDB_val key, val;
	struct buf copy = { 0 };

	ck_assert_int_eq(mdb_cursor_open(txn, day->env.dbi[db], &cursor), 0);
	ck_assert_int_eq(mdb_cursor_get(cursor, &key, &val, MDB_FIRST), 0);
	buf_add(&copy, val.mv_data, val.mv_size);
	copy.data[at] ^= 1;
	val = env_val(copy.data, copy.len);
	ck_assert_int_eq(mdb_cursor_put(cursor, &key, &val, MDB_CURRENT), 0);
	mdb_cursor_close(cursor);
	ASSERT_OK(env_commit(&day->env, &err));
	buf_free(&copy);
}

START_TEST(damage_of_bundles_is_told)
{
	seal_small_accounts();
	damage_first(DAY_BUNDLES, 0);
	expect(strstr(verify_all(), "a bundle of blocks is damaged"), "%s", verify_all());
	damage_first(DAY_BUNDLES, 0);
	purge_account(account(0));
	damage_first(DAY_BUNDLES_DEAD, 0);
	expect(strstr(verify_all(), "dead bytes"), "%s", verify_all());
	damage_first(DAY_BUNDLES_DEAD, 0);
	damage_first(DAY_BLOCK_DATA, offsetof(struct bundle_ref, bundle) + 1);
	expect(strlen(verify_all()) > 0, "a wrong reference is not found");
	damage_first(DAY_BLOCK_DATA, offsetof(struct bundle_ref, bundle) + 1);
	damage_first(DAY_BLOCK_DATA, offsetof(struct bundle_ref, offset) + 3);
	expect(strlen(verify_all()) > 0, "a wrong reference is not found");
	damage_first(DAY_BLOCK_DATA, offsetof(struct bundle_ref, offset) + 3);
	fixture_assert_sound(f.store);
}
END_TEST

/* Puts a value of a length that it never has for the first count of dead bytes. */
static void damage_count(void)
{
	struct day *day = the_day();
	MDB_txn *txn = env_write(&day->env, &err);
	MDB_cursor *cursor;
	MDB_val key, val;

	ck_assert_int_eq(mdb_cursor_open(txn, day->env.dbi[DAY_BUNDLES_DEAD], &cursor), 0);
	ck_assert_int_eq(mdb_cursor_get(cursor, &key, &val, MDB_FIRST), 0);
	mdb_cursor_close(cursor);
	uint32_t number;
	memcpy(&number, key.mv_data, sizeof(number));
	key = env_val(&number, sizeof(number));
	val = env_val("?", 1);
	ck_assert_int_eq(mdb_put(txn, day->env.dbi[DAY_BUNDLES_DEAD], &key, &val, 0), 0);
	ASSERT_OK(env_commit(&day->env, &err));
}

START_TEST(a_count_of_dead_bytes_that_cannot_be_read_is_told_and_made_anew)
{
	seal_small_accounts();
	purge_account(account(0));
	damage_count();
	expect(strstr(verify_all(), "how many bytes of a bundle of blocks are dead cannot be read"), "%s",
	       verify_all());
	purge_account(account(1));
	fixture_assert_sound(f.store);
	for (unsigned i = 2; i < ACCOUNTS; i++)
		check_account(account(i));
}
END_TEST

/* 0: it cannot be read; 1: it is wrong. */
START_TEST(a_damaged_count_of_dead_bytes_does_not_keep_a_file_from_being_packed)
{
	struct buf stored = { 0 }, block = { 0 };

	seal_small_accounts();
	get_stored(account(42), &stored, &block);
	struct str bytes = { block.data + block.len / 2, block.len / 2 };
	purge_account(account(42));
	if (_i == 0)
		damage_count();
	else
		damage_first(DAY_BUNDLES_DEAD, 0);
	expect(strlen(verify_all()) > 0, "the damage is not told");
	fixture_seal(f.store);
	expect(!is_in_file(bytes), "the block is still there");
	fixture_assert_sound(f.store);
	check_account(account(41));
	buf_free(&stored);
	buf_free(&block);
}
END_TEST

START_TEST(damage_of_a_block_names_the_account_by_its_id)
{
	ASSERT_OK(accounts_add(f.meta, "x", NULL, "", "long-enough-secret", &err));
	put_many("x", ROWS);
	commit();
	fixture_seal(f.store);
	damage_first(DAY_BUNDLES, 100 + sizeof(uint32_t) + bundle_bytes_of(0));
	expect(strstr(verify_all(), "account x, SMS, block 0"), "%s", verify_all());
}
END_TEST

/* The first block of the second bundle is where a reference to the first one's would be. */
START_TEST(a_wrong_reference_never_leads_to_another_block)
{
	struct account_key of = account_key_of_id(account(0));
	struct partition partition = partition_of(&of, sms()->number, CATALOG_OUTBOUND);
	uint8_t bytes[NUMBER_KEY_LEN];
	MDB_val val;

	seal_small_accounts();
	damage_first(DAY_BLOCK_DATA, offsetof(struct bundle_ref, bundle));
	number_key_write(bytes, &partition, 0);
	struct day *day = the_day();
	MDB_txn *txn = env_read(&day->env, &err);
	ck_assert_int_eq(bundle_get_block(NULL, day, txn, env_val(bytes, sizeof(bytes)), &val, &err), -1);
	ck_assert_int_eq(err.code, ERROR_CORRUPT);
	ASSERT_OK(env_read_end(&day->env, txn, 0, &err));
}
END_TEST

START_TEST(a_damaged_bundle_stays_as_it_is)
{
	static const size_t damages[] = { 0, sizeof(uint32_t), sizeof(uint32_t) + NUMBER_KEY_LEN };

	seal_small_accounts();
	damage_first(DAY_BUNDLES, damages[_i]);
	for (unsigned i = 0; i < ACCOUNTS; i++)
		if (i % 4 != 0)
			purge_account(account(i));
	damage_first(DAY_BUNDLES, damages[_i]); /* mends it */
	fixture_assert_sound(f.store);
	for (unsigned i = 0; i < ACCOUNTS; i += 4)
		check_account(account(i));
}
END_TEST

START_TEST(a_damaged_bundle_that_is_to_be_packed_lets_other_days_be_sealed)
{
	bool more, dirty;
	unsigned failed = 0;

	seal_small_accounts();
	damage_first(DAY_BUNDLES, 0);
	purge_account(account(0));
	put_many_into(DAY + 1, account(1), ROWS);
	commit();
	begin_sealing(f.store);
	for (int i = 0; i < 50; i++) {
		failed += store_maintain(f.store, INT64_MAX, &more, &dirty, &err) != 0;
		ASSERT_OK(store_commit(f.store, &err));
	}
	expect(strstr(err.message, "bundle 0 of blocks is damaged"), "%s", err.message);
	ck_assert_uint_eq(failed, 1);
	ck_assert_uint_eq(store_day(f.store, DAY + 1, false, &err)->hot.rows, 0);
}
END_TEST

/* Packing copies bundles as they are when it meets them. */
START_TEST(what_is_purged_while_the_file_is_packed_is_gone_from_it)
{
	struct buf stored = { 0 }, block = { 0 };
	bool more = true, dirty;

	seal_small_accounts();
	get_stored(account(42), &stored, &block);
	struct str bytes = { block.data + block.len / 2, block.len / 2 };
	purge_account(account(120));
	while (!repack_is_running(f.store)) {
		ASSERT_OK(store_maintain(f.store, 0, &more, &dirty, &err));
		ASSERT_OK(store_commit(f.store, &err));
	}
	purge_account(account(42));
	fixture_seal(f.store);
	expect(!is_in_file(bytes), "the block is still there");
	fixture_assert_sound(f.store);
	check_account(account(41));
	buf_free(&stored);
	buf_free(&block);
}
END_TEST

Suite *suite_bundles(void)
{
	Suite *suite = suite_create("bundles");
	TCase *tests = tcase_create("bundles");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, blocks_of_small_accounts_share_values);
	tcase_add_test(tests, full_bundles_leave_little_of_their_last_pages_free);
	tcase_add_test(tests, a_walk_finds_blocks_in_any_order_and_none_where_there_is_none);
	tcase_add_test(tests, a_bundle_is_read_after_a_restart);
	tcase_add_test(tests, a_bundle_half_of_which_is_dead_is_copied);
	tcase_add_test(tests, what_is_purged_out_of_a_bundle_is_gone_from_the_file);
	tcase_add_test(tests, what_is_sealed_while_a_day_is_counted_is_counted_once);
	tcase_add_test(tests, what_is_committed_to_a_packed_file_lasts_at_once);
	tcase_add_test(tests, an_aborted_seal_leaves_no_bundle);
	tcase_add_test(tests, a_block_of_the_bundle_that_is_being_filled_is_found);
	tcase_add_test(tests, damage_of_bundles_is_told);
	tcase_add_test(tests, a_count_of_dead_bytes_that_cannot_be_read_is_told_and_made_anew);
	tcase_add_loop_test(tests, a_damaged_count_of_dead_bytes_does_not_keep_a_file_from_being_packed, 0, 2);
	tcase_add_test(tests, damage_of_a_block_names_the_account_by_its_id);
	tcase_add_test(tests, a_wrong_reference_never_leads_to_another_block);
	tcase_add_loop_test(tests, a_damaged_bundle_stays_as_it_is, 0, 3);
	tcase_add_test(tests, a_damaged_bundle_that_is_to_be_packed_lets_other_days_be_sealed);
	tcase_add_test(tests, what_is_purged_while_the_file_is_packed_is_gone_from_it);
	tcase_set_timeout(tests, 120);
	suite_add_tcase(suite, tests);
	return suite;
}
