/* SPDX-License-Identifier: ISC */
/*
 * test_hot_rows.c: the order of a partition's hot rows, rows of format 1, and the trimming of what is sealed.
 */
#include <check.h>

#include "base/clock.h"
#include "expect.h"
#include "hot_check.h"
#include "old_hot_rows.h"
#include "pick.h"
#include "scan_once.h"
#include "store/erase.h"
#include "store/purge.h"
#include "store/putting/moves_private.h"
#include "store/sealing/repack.h"
#include "store/sealing/seal.h"
#include "store/verify.h"
#include "store_check.h"
#include "store_fixture.h"

Suite *suite_hot_rows(void);

#define DAY 20500
#define ACCOUNTS 40
#define ROWS_EACH 100

static struct error err;

/* --- the order --- */

static void add(struct hot_order *order, int64_t time_us, uint64_t seq)
{
	ASSERT_OK(hot_order_add(order, &(struct position){ .time_us = time_us, .seq = seq }, &err));
}

static void assert_in_order(struct hot_order *order, uint32_t count)
{
	hot_order_settle(order);
	ck_assert_uint_eq(order->count, count);
	for (uint32_t i = 1; i < count; i++)
		expect(hot_at_is_before(&order->rows[i - 1], &order->rows[i]), "row %u is not after the one before", i);
}

START_TEST(rows_that_come_late_are_read_in_order)
{
	struct hot_order order = { 0 };
	struct pick pick = { 1 };
	uint32_t count = 0;

	for (uint64_t seq = 1; seq <= 5 * HOT_LATE_MAX; seq++) {
		bool late = pick_percent(&pick, 60);

		add(&order, late ? pick_below(&pick, 1000) : (int64_t)(1000 + seq), seq);
		count++;
		if (seq % 997 == 0)
			assert_in_order(&order, count);
	}
	assert_in_order(&order, count);
	ck_assert_uint_eq(hot_order_find(&order, &(struct position){ .time_us = -1 }), 0);
	ck_assert_uint_eq(hot_order_find(&order, &(struct position){ .time_us = INT64_MAX }), count);
	hot_order_free(&order);
}
END_TEST

START_TEST(a_row_that_is_put_again_is_in_the_order_once)
{
	struct hot_order order = { 0 };

	for (uint64_t seq = 1; seq <= 10; seq++)
		add(&order, 5, seq);
	add(&order, 5, 1);
	add(&order, 5, 7);
	add(&order, 4, 11);
	assert_in_order(&order, 11);
	hot_order_free(&order);
}
END_TEST

START_TEST(dropping_leaves_the_others)
{
	const struct hot_at gone[] = { { 0, 1 }, { 3, 3 }, { 3, 4 }, { 7, 7 }, { 9, 9 } };
	struct hot_order order = { 0 };

	for (uint64_t seq = 2; seq <= 9; seq++)
		add(&order, (int64_t)seq, seq);
	hot_order_drop(&order, gone, sizeof(gone) / sizeof(gone[0]));
	assert_in_order(&order, 5);
	ck_assert_uint_eq(hot_order_find(&order, &(struct position){ .time_us = 7, .seq = 7 }), 4);
	add(&order, 1, 1);
	assert_in_order(&order, 6);
	hot_order_free(&order);
}
END_TEST

START_TEST(any_rows_may_be_dropped)
{
	struct pick pick = { 2 };

	for (int round = 0; round < 500; round++) {
		struct hot_order order = { 0 };
		struct hot_at gone[40];
		bool is_gone[40] = { false };
		uint32_t rows = pick_below(&pick, 40), count = 0, left = 0;

		for (uint32_t i = 0; i < rows; i++)
			add(&order, i / 3, i + 1);
		for (uint32_t i = 0; i < 40; i++)
			if (pick_percent(&pick, (uint32_t)round % 101)) {
				is_gone[i] = true;
				gone[count++] = (struct hot_at){ i / 3, i + 1 };
			}
		hot_order_drop(&order, gone, count);
		for (uint32_t i = 0; i < rows; i++) {
			struct position at = { .time_us = i / 3, .seq = i + 1 };
			uint32_t found = hot_order_find(&order, &at);
			bool there = found < order.count && order.rows[found].seq == i + 1;

			ck_assert_int_eq(there, !is_gone[i]);
			left += there;
		}
		assert_in_order(&order, left);
		hot_order_drop(&order, gone, count);
		assert_in_order(&order, left);
		hot_order_free(&order);
	}
}
END_TEST

/* --- in a store --- */

static struct fixture f;
static struct model model;
static struct sampler sampler;

static void setup(void)
{
	fixture_open(&f, FIXTURE_MAP_BYTES);
	model = (struct model){ 0 };
	sampler = (struct sampler){ .pick = { 1 }, .styles = 6 };
}

static void teardown(void)
{
	model_free(&model);
	fixture_close(&f);
}

static void put(struct sample *sample)
{
	struct sample *stored;
	enum store_put_result result, wanted = model_expect(&model, sample, NULL, &stored);

	ASSERT_OK(store_put(f.store, &sample->record, sample->time_us, &result, &err));
	expect(result == wanted, "put gave %d, wanted %d", result, wanted);
	if (stored)
		model_put(&model, stored, NULL, f.store->last_seq);
	free(sample);
}

static void account_name(char out[9], uint32_t number)
{
	snprintf(out, 9, "acct%04u", number % 10000);
}

/* Of all accounts in turn. */
static void put_one(uint32_t number, int64_t time_us)
{
	char account[9];

	account_name(account, number % ACCOUNTS);
	put(sample_new(&sampler, sms(), account, number, CATALOG_OUTBOUND, time_us));
}

/* At random times. */
static void put_many(uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		put_one(i, clock_day_start_us(DAY) + pick_below(&sampler.pick, 86400) * CLOCK_US_PER_SECOND);
}

/* New versions of some records: every second one moves to another time. */
static void update_some(void)
{
	for (size_t i = 0; i < model.count; i += 7) {
		int64_t time_us = i % 2 ? model.records[i]->now->time_us : clock_day_start_us(DAY) + (int64_t)i;

		put(sample_changed(&sampler, model.records[i]->now, CATALOG_OUTBOUND, time_us, 6));
	}
}

static void commit(void)
{
	ASSERT_OK(store_commit(f.store, &err));
	model_commit(&model);
}

static void finish_sealing(void)
{
	fixture_maintain(f.store);
	hot_check(f.store, "sealed");
}

static void seal_all(void)
{
	commit();
	begin_sealing(f.store);
	finish_sealing();
}

/* Page by page, of each account; and some by their ids. */
static void assert_all_there(const char *about)
{
	for (uint32_t i = 0; i < ACCOUNTS; i++) {
		struct check check = { .lines = i % 2 };
		char account[9];

		account_name(account, i);
		check.accounts[0] = account_key_of_id(account);
		check.query = (struct scan_query){
			.product = sms(),
			.direction = CATALOG_OUTBOUND,
			.accounts_count = 1,
			.from_us = clock_day_start_us(DAY),
			.to_us = clock_day_start_us(DAY + 2),
			.snapshot = store_snapshot(f.store),
		};
		check_begin(&check, about, f.store, &model);
		while (!check_page(&check, 30, false))
			;
		check_end(&check);
	}
	fixture_assert_sound(f.store);
}

static uint64_t entries_of(enum day_db db)
{
	struct day *day = store_day(f.store, DAY, false, &err);
	MDB_txn *txn = day ? env_read(&day->env, &err) : NULL;
	MDB_stat stat;

	expect(txn, "%s", err.message);
	ck_assert_int_eq(mdb_stat(txn, day->env.dbi[db], &stat), 0);
	ASSERT_OK(env_read_end(&day->env, txn, 0, &err));
	return stat.ms_entries;
}

static uint64_t dead_rows(void)
{
	struct store_day_stats stats;

	ASSERT_OK(fixture_count_day(f.store, DAY, &stats, &err));
	return entries_of(DAY_HOT) + entries_of(DAY_HOT_OLD) - stats.hot_rows;
}

START_TEST(rows_of_format_1_are_read_replaced_and_sealed)
{
	put_many(0, ACCOUNTS * 20);
	commit();
	ck_assert_uint_eq(old_hot_rows_make(f.store), ACCOUNTS * 20);
	fixture_restart(&f);
	assert_all_there("old rows");
	ck_assert_uint_eq(entries_of(DAY_HOT), 0);
	update_some();
	put_many(ACCOUNTS * 20, ACCOUNTS * 30);
	commit();
	assert_all_there("old and new rows");
	fixture_restart(&f);
	assert_all_there("both after a restart");
	expect(entries_of(DAY_HOT_OLD) < ACCOUNTS * 20, "what was replaced is still an old row, too");
	seal_all();
	assert_all_there("sealed");
	ck_assert_uint_eq(entries_of(DAY_HOT_OLD), 0);
}
END_TEST

static const struct hot_addresses *addresses(void)
{
	struct day *day = store_day(f.store, DAY, false, &err);

	expect(day, "%s", err.message);
	return &day->hot.addresses;
}

/* Rows are read before the new versions are committed, too: what is learned then must not outlast them. */
START_TEST(a_row_that_is_put_over_another_is_read_instead_of_it)
{
	put_many(0, ACCOUNTS * 20);
	commit();
	assert_all_there("rows whose addresses are learned");
	expect(addresses()->cap > 0, "no address was learned");
	for (int round = 0; round < 5; round++) {
		update_some();
		assert_all_there("new versions, not committed");
		commit();
		assert_all_there("new versions");
	}
}
END_TEST

/* The log is empty at first, so they are appended to it, with numbers of long ago. */
START_TEST(a_version_over_a_sealed_row_is_read_instead_of_what_was_trimmed)
{
	put_many(0, ACCOUNTS * 20);
	commit();
	for (int round = 0; round < 3; round++) {
		seal_all();
		if (round == 0)
			ck_assert_uint_eq(entries_of(DAY_HOT), 0);
		update_some();
		commit();
		assert_all_there("versions over sealed rows");
	}
}
END_TEST

START_TEST(an_address_is_believed_only_with_the_key_that_is_there)
{
	struct partition partition = partition_of(&(struct account_key){ "acct0000" }, sms()->number, CATALOG_OUTBOUND);
	uint8_t key[ROW_KEY_LEN];
	uint64_t known = 0;
	MDB_val val;

	put_many(0, ACCOUNTS * 20);
	commit();
	assert_all_there("rows whose addresses are learned");
	const struct day *day = store_day(f.store, DAY, false, &err);
	for (uint64_t seq = 1; seq <= ACCOUNTS * 20; seq++) {
		known += addresses()->offsets[seq & (addresses()->cap - 1)] != 0;
		log_key_write(key, &partition, &(struct position){ .time_us = 1, .seq = seq });
		expect(!hot_addresses_read(addresses(), &day->env, seq, key, &val), "row %llu has another key",
		       (unsigned long long)seq);
	}
	expect(known > ACCOUNTS * 10, "only %llu addresses are known", (unsigned long long)known);
}
END_TEST

START_TEST(a_table_of_addresses_is_as_large_as_the_log_needs)
{
	size_t most;

	put_many(0, ACCOUNTS * 20);
	commit();
	assert_all_there("rows whose addresses are learned");
	struct day *day = store_day(f.store, DAY, false, &err);
	MDB_txn *txn = env_read(&day->env, &err);
	struct partition partition;
	struct position position;
	MDB_cursor *cursor;
	MDB_val key, val;

	ck_assert_int_eq(mdb_cursor_open(txn, day->env.dbi[DAY_HOT], &cursor), 0);
	ck_assert_int_eq(mdb_cursor_get(cursor, &key, &val, MDB_FIRST), 0);
	expect(log_key_read(key, &partition, &position), "a key of the log cannot be read");
	/* as if there had been more */
	ck_assert_uint_ne(hot_addresses_learn(&day->hot.addresses, &day->env, txn, val, 1 << 20), 0);
	most = addresses()->cap;
	ck_assert_uint_ge(most, 1 << 20);
	ck_assert_uint_ne(hot_addresses_learn(&day->hot.addresses, &day->env, txn, val, (1 << 20) / 4), 0);
	ck_assert_uint_eq(addresses()->cap, most);
	ck_assert_uint_ne(hot_addresses_learn(&day->hot.addresses, &day->env, txn, val, ACCOUNTS * 20), 0);
	ck_assert_uint_lt(addresses()->cap, most / 8);
	ck_assert_uint_ge(addresses()->cap, ACCOUNTS * 20);
	expect(hot_addresses_has(addresses(), &day->env, key), "what is learned is not known");
	mdb_cursor_close(cursor);
	ASSERT_OK(env_read_end(&day->env, txn, 0, &err));
	assert_all_there("rows whose addresses were forgotten");
}
END_TEST

START_TEST(what_an_abort_takes_back_of_old_rows_is_there)
{
	put_many(0, ACCOUNTS * 5);
	commit();
	old_hot_rows_make(f.store);
	fixture_restart(&f);
	update_some();
	store_abort(f.store);
	model_abort(&model);
	assert_all_there("after an abort");
	ck_assert_uint_eq(entries_of(DAY_HOT_OLD), ACCOUNTS * 5);
}
END_TEST

/* The rows of each account stand among those of all others. */
START_TEST(sealed_rows_are_trimmed_as_others_are_sealed)
{
	bool more = true, dirty;
	uint64_t most = 0;

	f.options.seal_age_us = 1;
	fixture_restart(&f);
	put_many(0, ACCOUNTS * ROWS_EACH);
	commit();
	while (more) {
		struct store_day_stats stats;

		ASSERT_OK(store_maintain(f.store, 0, &more, &dirty, &err));
		ASSERT_OK(store_commit(f.store, &err));
		ASSERT_OK(fixture_count_day(f.store, DAY, &stats, &err));
		ck_assert_uint_eq(stats.hot_rows + stats.sealed_rows - stats.deleted_rows, ACCOUNTS * ROWS_EACH);
		uint64_t dead = dead_rows();
		most = dead > most ? dead : most;
	}
	expect(most > 0 && most <= ACCOUNTS * ROWS_EACH * 3 / 4, "%llu dead rows", (unsigned long long)most);
	ck_assert_uint_eq(entries_of(DAY_HOT), 0);
	ck_assert_uint_eq(entries_of(DAY_HOT_SEALED), 0);
	assert_all_there("trimmed");
}
END_TEST

/* The rows of one account, which one job seals. Storing them begins if any time is left, and leaves none. */
/* How many slices remove rows of a seal of 10,000, none of them more than so many. */
static unsigned slices_that_trim(uint64_t most)
{
	const uint32_t rows = 10000;
	uint64_t left = rows;
	unsigned slices = 0;
	int64_t slice_us = 0;
	bool more = true, dirty;

	for (uint32_t i = 0; i < rows; i++)
		put_one(i * ACCOUNTS, clock_day_start_us(DAY) + i);
	commit();
	begin_sealing(f.store);
	while (more) {
		slice_us = left == rows ? slice_us % 200 + 10 : 0;
		ASSERT_OK(store_maintain(f.store, clock_monotonic_us() + slice_us, &more, &dirty, &err));
		ASSERT_OK(store_commit(f.store, &err));
		uint64_t now = entries_of(DAY_HOT);
		expect(left - now <= most, "%llu rows removed at once", (unsigned long long)(left - now));
		slices += now < left;
		left = now;
	}
	ck_assert_uint_eq(left, 0);
	assert_all_there("trimmed");
	return slices;
}

/* Some rows of a wild sampler have pages of their own. */
START_TEST(a_slice_removes_no_more_than_some_of_the_rows_of_a_large_seal)
{
	sampler.wild = true;
	ck_assert_uint_ge(slices_that_trim(2048), 5);
}
END_TEST

/* For sealing, from now on: was something put into the day just now, or not for long? */
static void set_rested(int32_t number, bool rested)
{
	struct day *day = store_day(f.store, number, false, &err);

	ck_assert_ptr_nonnull(day);
	day->put_us = rested ? 0 : INT64_MAX;
}

static uint64_t hot_rows_of(int32_t number)
{
	struct store_day_stats stats;

	ASSERT_OK(fixture_count_day(f.store, number, &stats, &err));
	return stats.hot_rows;
}

/* Seals what is due; no more rows between two commits than so many. Returns how many were sealed. */
static uint64_t seal_due(uint32_t most)
{
	uint64_t begin = hot_rows_of(DAY), left = begin;
	bool more = true, dirty;

	while (more) {
		ASSERT_OK(store_maintain(f.store, 0, &more, &dirty, &err));
		ASSERT_OK(store_commit(f.store, &err));
		uint64_t now = hot_rows_of(DAY);
		expect(left - now <= most, "%llu rows at once", (unsigned long long)(left - now));
		left = now;
	}
	return begin - left;
}

static struct partition own_partition(uint32_t account)
{
	char name[9];

	account_name(name, account);
	struct partition partition = partition_of(&(struct account_key){ 0 }, sms()->number, CATALOG_OUTBOUND);
	partition.account = account_key_of_id(name);
	return partition;
}

static const struct hot_partition *hot_partition_of(uint32_t account)
{
	struct partition partition = own_partition(account);
	const struct hot_partition *own = hot_partition_find(&store_day(f.store, DAY, false, &err)->hot, &partition);

	ck_assert_ptr_nonnull(own);
	return own;
}

/* Those that came after the job had begun wait for their own time. */
START_TEST(what_is_due_is_sealed_a_part_at_a_time_and_nothing_of_it_is_left)
{
	f.options.seal_rows = 100;
	f.options.seal_part_rows = 30;
	fixture_restart(&f);
	for (uint32_t i = 0; i < 107; i++)
		put_one(i * ACCOUNTS, clock_day_start_us(DAY) + i);
	commit();
	int64_t since_us = hot_partition_of(0)->since_us;
	ck_assert_uint_eq(seal_due(30), 100);
	expect(hot_partition_of(0)->since_us > since_us, "what is left is as old as what was sealed");
	ck_assert_uint_eq(seal_due(30), 0);
	f.store->options.seal_age_us = 1;
	ck_assert_uint_eq(seal_due(30), 7);
	assert_all_there("sealed");
}
END_TEST

START_TEST(what_is_old_enough_is_sealed_a_part_at_a_time_and_nothing_of_it_is_left)
{
	f.options.seal_part_rows = 30;
	f.options.seal_age_us = 1;
	fixture_restart(&f);
	for (uint32_t i = 0; i < 60 + (uint32_t)_i; i++)
		put_one(i * ACCOUNTS, clock_day_start_us(DAY) + i);
	commit();
	ck_assert_uint_eq(seal_due(30), 60 + (uint64_t)_i);
	assert_all_there("sealed");
}
END_TEST

/* Of a partition's runs on the day. */
static uint32_t rows_of_smallest_run(void)
{
	uint32_t rows[64] = { 0 }, least = UINT32_MAX;
	struct block_index entries = { 0 };
	struct partition partition = own_partition(0);
	struct day *day = store_day(f.store, DAY, false, &err);
	MDB_txn *txn = env_read(&day->env, &err);

	ck_assert_ptr_nonnull(txn);
	ASSERT_OK(block_index_read(day, txn, &partition, &entries, &err));
	for (size_t i = 0; i < entries.count; i++) {
		ck_assert_uint_lt(entries.entries[i].block.run, 64);
		rows[entries.entries[i].block.run] += entries.entries[i].block.rows;
	}
	for (size_t i = 0; i < 64; i++)
		least = rows[i] > 0 && rows[i] < least ? rows[i] : least;
	block_index_free(&entries);
	ASSERT_OK(env_read_end(&day->env, txn, 0, &err));
	return least;
}

/* Of more rows than a part takes, none is left with so few that its run is to be merged again. */
START_TEST(parts_leave_no_small_run)
{
	f.options.seal_rows = 100;
	f.options.seal_part_rows = 30;
	f.options.seal_age_us = 1;
	fixture_restart(&f);
	for (uint32_t i = 0; i < (uint32_t)_i; i++)
		put_one(i * ACCOUNTS, clock_day_start_us(DAY) + i);
	commit();
	ck_assert_uint_eq(seal_due(30), (uint64_t)_i);
	ck_assert_uint_ge(rows_of_smallest_run(), 15);
	assert_all_there("sealed");
}
END_TEST

/* Between two parts, some of either are replaced, and others come before them. */
START_TEST(what_changes_between_two_parts_is_there)
{
	bool more = true, dirty;

	f.options.seal_rows = 100;
	f.options.seal_part_rows = 30;
	f.options.seal_age_us = 1;
	fixture_restart(&f);
	for (uint32_t i = 0; i < 100; i++)
		put_one(i * ACCOUNTS, clock_day_start_us(DAY) + 1000 + i);
	commit();
	for (uint32_t step = 0; more; step++) {
		ASSERT_OK(store_maintain(f.store, 0, &more, &dirty, &err));
		if (step < 20) {
			put(sample_changed(&sampler, model.records[5 * step]->now, CATALOG_OUTBOUND,
			                   model.records[5 * step]->now->time_us, 6));
			put_one((1000 + step) * ACCOUNTS, clock_day_start_us(DAY) + step);
		}
		if (step % 3 == (uint32_t)_i)
			commit();
		assert_all_there("between parts");
	}
	commit();
	seal_all();
	assert_all_there("sealed");
}
END_TEST

/* 640 may be hot, and 60 may be due. */
START_TEST(only_rows_that_are_due_make_sealing_lag)
{
	bool more, dirty;

	f.options.seal_rows = 20;
	fixture_restart(&f);
	put_many(0, ACCOUNTS * 14);
	commit();
	ASSERT_OK(store_maintain(f.store, 0, &more, &dirty, &err));
	expect(!store_is_behind(f.store), "rows that are not due make sealing lag");
	for (uint32_t i = 100; i < 120; i++)
		for (uint32_t account = 0; account < 3; account++)
			put_one(i * ACCOUNTS + account, clock_day_start_us(DAY) + i);
	commit();
	ASSERT_OK(store_maintain(f.store, 0, &more, &dirty, &err));
	expect(store_is_behind(f.store), "three accounts with %u rows are due", hot_partition_of(0)->rows);
	fixture_maintain(f.store);
	expect(!store_is_behind(f.store), "all that was due is sealed");
	int64_t age_us = f.store->options.seal_age_us;
	f.store->options.seal_age_us = 0;
	ASSERT_OK(store_maintain(f.store, 0, &more, &dirty, &err));
	expect(store_is_behind(f.store), "%llu rows are old enough", (unsigned long long)hot_rows_of(DAY));
	fixture_maintain(f.store);
	expect(!store_is_behind(f.store), "all that was old enough is sealed");
	f.store->options.seal_age_us = age_us;
	put_many(ACCOUNTS * 200, ACCOUNTS * 217);
	commit();
	expect(store_is_behind(f.store), "%llu rows are more than memory is for", (unsigned long long)hot_rows_of(DAY));
	set_rested(DAY, false);
	fixture_maintain(f.store);
	expect(!store_is_behind(f.store), "%llu rows are hot", (unsigned long long)hot_rows_of(DAY));
}
END_TEST

START_TEST(rows_that_need_no_look_are_removed_at_once_where_all_are_dead)
{
	ck_assert_uint_eq(slices_that_trim(10000), 1);
}
END_TEST

START_TEST(dead_rows_are_not_seen_after_a_restart)
{
	bool more, dirty;

	put_many(0, ACCOUNTS * ROWS_EACH);
	commit();
	begin_sealing(f.store);
	for (int i = 0; i < 1000 && entries_of(DAY_HOT_SEALED) <= 1; i++) {
		ASSERT_OK(store_maintain(f.store, 0, &more, &dirty, &err));
		ASSERT_OK(store_commit(f.store, &err));
	}
	expect(entries_of(DAY_HOT_SEALED) > 1, "nothing is sealed");
	fixture_restart(&f);
	assert_all_there("restarted");
	update_some();
	commit();
	fixture_restart(&f);
	assert_all_there("updated and restarted");
}
END_TEST

/* --- what must be gone --- */

#define NUMBER "447700900777"

static void put_with_number(const char *account, uint32_t id)
{
	struct sample *sample =
		sample_new(&sampler, sms(), account, id, CATALOG_OUTBOUND, clock_day_start_us(DAY) + id);
	enum store_put_result result;

	sample->record.values[catalog_column_find(sms(), STR_LITERAL("to"))] = STR_LITERAL(NUMBER);
	ASSERT_OK(store_put(f.store, &sample->record, sample->time_us, &result, &err));
	free(sample);
}

/* How often the number stands in the day's file; not in blocks, whose lines are compressed. */
static size_t in_file(void)
{
	struct buf path = { 0 };
	size_t found = 0, len = 0;

	buf_addf(&path, "%s/days/", f.dir);
	clock_format_day(&path, DAY);
	buf_add_text(&path, "/data.mdb");
	FILE *file = fopen(buf_cstr(&path), "rb");
	ck_assert_ptr_nonnull(file);
	char *bytes = malloc(FIXTURE_MAP_BYTES);
	len = fread(bytes, 1, FIXTURE_MAP_BYTES, file);
	for (char *at = bytes; (at = memmem(at, len - (size_t)(at - bytes), NUMBER, sizeof(NUMBER) - 1)); at++)
		found++;
	free(bytes);
	fclose(file);
	buf_free(&path);
	return found;
}

/* Rows of acct0001 with the number are sealed, and dead among those of the others, which are hot. */
static void make_dead_rows(void)
{
	f.options.seal_rows = 50;
	fixture_restart(&f);
	for (uint32_t i = 0; i < 600; i++) {
		char account[9];

		account_name(account, i % 60 < 5 ? 1 : i % ACCOUNTS + 2);
		put_with_number(account, i);
	}
	ASSERT_OK(store_commit(f.store, &err));
	fixture_maintain(f.store);
	struct store_day_stats stats;
	ASSERT_OK(fixture_count_day(f.store, DAY, &stats, &err));
	ck_assert_uint_eq(stats.sealed_rows, 50);
	ck_assert_uint_eq(entries_of(DAY_HOT), 600);
}

START_TEST(a_number_is_erased_from_dead_rows_too)
{
	struct account_key accounts[ACCOUNTS + 2];
	struct erase_scope scope = { .accounts = accounts,
		                     .accounts_count = ACCOUNTS + 2,
		                     .number = STR_LITERAL(NUMBER) };
	bool done = false, dirty;

	for (uint32_t i = 0; i < ACCOUNTS + 2; i++) {
		char account[9];

		account_name(account, i);
		accounts[i] = account_key_of_id(account);
	}
	make_dead_rows();
	ck_assert_uint_ge(in_file(), 600);
	struct erase *erase = erase_new(f.store, &scope, &err);
	ck_assert_ptr_nonnull(erase);
	while (!done) {
		ASSERT_OK(erase_step(erase, INT64_MAX, &dirty, &done, &err));
		ASSERT_OK(store_commit(f.store, &err));
	}
	erase_free(erase);
	ck_assert_uint_eq(in_file(), 0);
	fixture_assert_sound(f.store);
}
END_TEST

START_TEST(a_purged_account_leaves_no_dead_rows)
{
	struct purge *purge = NULL;
	bool done = false, dirty;

	make_dead_rows();
	size_t before = in_file();
	purge = purge_new(f.store, &(struct account_key){ "acct0001" });
	while (!done) {
		ASSERT_OK(purge_step(purge, INT64_MAX, &dirty, &done, &err));
		ASSERT_OK(store_commit(f.store, &err));
	}
	purge_free(purge);
	fixture_maintain(f.store);
	expect(in_file() <= before - 50, "%zu of %zu are there", in_file(), before);
	ck_assert_uint_eq(entries_of(DAY_HOT), 550);
	fixture_assert_sound(f.store);
}
END_TEST

/* --- memory --- */

/* 320 may be hot. */
START_TEST(of_more_rows_than_may_be_hot_those_of_days_at_rest_are_sealed_whole)
{
	f.options.seal_rows = 10;
	fixture_restart(&f);
	put_many(0, ACCOUNTS * 2);
	for (uint32_t i = ACCOUNTS * 2; i < ACCOUNTS * 8; i++)
		put_one(i, clock_day_start_us(DAY + 1) + i);
	commit();
	set_rested(DAY, true);
	set_rested(DAY + 1, false);
	fixture_maintain(f.store);
	ck_assert_uint_eq(hot_rows_of(DAY), ACCOUNTS * 2);
	put_one(ACCOUNTS * 8, clock_day_start_us(DAY + 1));
	commit();
	set_rested(DAY + 1, false);
	fixture_maintain(f.store);
	ck_assert_uint_eq(hot_rows_of(DAY), 0);
	ck_assert_uint_eq(hot_rows_of(DAY + 1), ACCOUNTS * 6 + 1);
}
END_TEST

/* Makes the first hot row of the day one that cannot be read. */
static void damage_first_row(void)
{
	struct day *day = store_day(f.store, DAY, false, &err);
	MDB_txn *txn = day ? env_write(&day->env, &err) : NULL;
	MDB_val key, val = env_val("?", 1);
	MDB_cursor *cursor;

	expect(txn, "%s", err.message);
	ck_assert_int_eq(mdb_cursor_open(txn, day->env.dbi[DAY_HOT], &cursor), 0);
	ck_assert_int_eq(mdb_cursor_get(cursor, &key, NULL, MDB_FIRST), 0);
	ck_assert_int_eq(mdb_cursor_put(cursor, &key, &val, MDB_CURRENT), 0);
	mdb_cursor_close(cursor);
	ASSERT_OK(env_commit(&day->env, &err));
}

/* As after blocks that were not stored as they could not be read back. */
static void let_all_wait(void)
{
	const struct hot *hot = &store_day(f.store, DAY, false, &err)->hot;

	for (size_t i = 0; i < hot->partitions_cap; i++)
		hot->partitions[i].wait_us = INT64_MAX;
}

/* As maintenance goes on after jobs that have failed. */
static void maintain_damaged(void)
{
	bool more, dirty;

	for (int i = 0; i < 300; i++) {
		if (store_maintain(f.store, INT64_MAX, &more, &dirty, &err) != 0)
			ck_assert_int_eq(err.code, ERROR_CORRUPT);
		ASSERT_OK(store_commit(f.store, &err));
	}
}

/* 0: it is damaged, and left alone; 1: all that is left of it waits. */
START_TEST(day_at_rest_that_cannot_be_sealed_keeps_no_other_from_it)
{
	f.options.seal_rows = 10;
	fixture_restart(&f);
	put_many(0, ACCOUNTS);
	for (uint32_t i = ACCOUNTS; i < ACCOUNTS * 9; i++)
		put_one(i, clock_day_start_us(DAY + 1) + i);
	commit();
	if (_i == 0)
		damage_first_row();
	else
		let_all_wait();
	set_rested(DAY, true);
	set_rested(DAY + 1, false);
	maintain_damaged();
	expect(hot_rows_of(DAY) >= ACCOUNTS, "%llu are left", (unsigned long long)hot_rows_of(DAY));
	expect(hot_rows_of(DAY) + hot_rows_of(DAY + 1) <= 320, "%llu hot rows",
	       (unsigned long long)hot_rows_of(DAY + 1));
}
END_TEST

START_TEST(more_rows_than_may_be_hot_are_sealed_before_their_time)
{
	struct store_day_stats stats;

	f.options.seal_rows = 10;
	fixture_restart(&f);
	put_many(0, ACCOUNTS * 8);
	commit();
	for (int turn = 0; turn < 2; turn++) {
		set_rested(DAY, false);
		fixture_maintain(f.store);
		ASSERT_OK(fixture_count_day(f.store, DAY, &stats, &err));
		if (turn == 0) {
			ck_assert_uint_eq(stats.hot_rows, ACCOUNTS * 8);
			put_many(ACCOUNTS * 8, ACCOUNTS * 9);
			commit();
		}
	}
	expect(stats.hot_rows <= 320 && stats.hot_rows > 200, "%llu hot rows", (unsigned long long)stats.hot_rows);
	assert_all_there("sealed in part");
}
END_TEST

static void put_of(uint32_t account, uint32_t rows)
{
	char name[9];

	account_name(name, account);
	for (uint32_t i = 0; i < rows; i++)
		put(sample_new(&sampler, sms(), name, 1000 * account + i, CATALOG_OUTBOUND,
		               clock_day_start_us(DAY) + i));
}

/* 960 may be hot, and an eighth fewer are left. */
START_TEST(sealing_goes_on_where_the_largest_partitions_were_too_few)
{
	f.options.seal_rows = 30;
	fixture_restart(&f);
	for (uint32_t account = 0; account < 49; account++)
		put_of(account, account < 6 ? 29 : 20);
	commit();
	set_rested(DAY, false);
	fixture_maintain(f.store);
	expect(hot_rows_of(DAY) <= 840, "%llu hot rows", (unsigned long long)hot_rows_of(DAY));
}
END_TEST

START_TEST(the_log_is_dropped_whole_where_all_of_it_is_sealed)
{
	bool more = true, dirty;

	put_many(0, ACCOUNTS * ROWS_EACH);
	commit();
	begin_sealing(f.store);
	while (hot_rows_of(DAY) > 0) {
		ck_assert_uint_eq(entries_of(DAY_HOT), ACCOUNTS * ROWS_EACH);
		ASSERT_OK(store_maintain(f.store, 0, &more, &dirty, &err));
		ASSERT_OK(store_commit(f.store, &err));
	}
	finish_sealing();
	ck_assert_uint_eq(entries_of(DAY_HOT), 0);
	assert_all_there("sealed");
}
END_TEST

START_TEST(a_file_that_is_written_to_when_all_is_sealed_is_packed_afterwards)
{
	bool more = true, dirty;

	put_many(0, ACCOUNTS * 50);
	commit();
	begin_sealing(f.store);
	struct day *day = store_day(f.store, DAY, false, &err);
	ck_assert_ptr_nonnull(day);
	while (hot_rows_of(DAY) > 0 || day->blocks_changed) {
		ASSERT_OK(store_maintain(f.store, 0, &more, &dirty, &err));
		ASSERT_OK(store_commit(f.store, &err));
	}
	expect(!repack_is_running(f.store), "it is being packed already");
	for (int i = 0; i < 10; i++) {
		ck_assert_ptr_nonnull(env_write(&day->env, &err));
		ASSERT_OK(store_maintain(f.store, 0, &more, &dirty, &err));
	}
	ASSERT_OK(store_commit(f.store, &err));
	for (int i = 0; i < 10 && !repack_is_running(f.store); i++) {
		ASSERT_OK(store_maintain(f.store, 0, &more, &dirty, &err));
		ASSERT_OK(store_commit(f.store, &err));
	}
	expect(repack_is_running(f.store), "it is not packed");
	finish_sealing();
	assert_all_there("packed");
}
END_TEST

/* --- marks --- */

/* Its place in the new day is of before the seal began, its change of after that. */
START_TEST(a_record_whose_move_is_finished_while_its_new_day_is_sealed_is_there_once)
{
	static const struct store_versions versions = { .merge = false, .column = CATALOG_NONE };
	enum store_put_result result;
	struct sample *stored;
	bool more, dirty;

	put_one(0, clock_day_start_us(DAY));
	for (uint32_t i = 1; i <= ROWS_EACH; i++)
		put_one(i * ACCOUNTS, clock_day_start_us(DAY + 1) + i);
	commit();
	struct sample *moved = sample_changed(&sampler, model.records[0]->now, CATALOG_OUTBOUND,
	                                      clock_day_start_us(DAY + 1) + CLOCK_US_PER_HOUR, 0);
	ck_assert_int_eq(model_expect(&model, moved, &versions, &stored), STORE_UPDATED);
	ASSERT_OK(store_put_version(f.store, &moved->record, moved->time_us, &versions, &result, &err));
	model_put(&model, stored, &versions, f.store->last_seq);
	/* The commit fails once what moves is on disk. */
	ASSERT_OK(moves_write(f.store, &err));
	store_abort(f.store);
	f.store->moves->again_us = INT64_MAX;
	put_one((ROWS_EACH + 1) * ACCOUNTS, clock_day_start_us(DAY + 1));
	commit();
	begin_sealing(f.store);
	for (int i = 0; i < 10 && !seal_is_under_way(f.store, INT64_MAX); i++)
		ASSERT_OK(store_maintain(f.store, 0, &more, &dirty, &err));
	expect(seal_is_under_way(f.store, INT64_MAX), "nothing is sealed");
	f.store->moves->again_us = 0;
	commit();
	ck_assert_uint_eq(f.store->moves->left_bytes, 0);
	finish_sealing();
	fixture_restart(&f);
	assert_all_there("moved and sealed");
	free(moved);
}
END_TEST

/* Else they would have to be removed one by one, which takes three times as long. */
START_TEST(rows_before_one_that_was_sealed_early_are_dead_when_they_are_sealed)
{
	uint64_t most = 0;
	bool more = true, dirty;

	for (uint32_t i = 0; i < ACCOUNTS; i++)
		put_one(i, clock_day_start_us(DAY + 1) - 1);
	commit();
	put(sample_changed(&sampler, model.records[0]->now, CATALOG_OUTBOUND, clock_day_start_us(DAY + 1) - 2, 6));
	seal_all();
	expect(entries_of(DAY_HOT_SEALED) > ACCOUNTS, "there are no marks");
	put_many(ACCOUNTS, ACCOUNTS * ROWS_EACH);
	commit();
	begin_sealing(f.store);
	while (more) {
		uint64_t dead;

		ASSERT_OK(store_maintain(f.store, 0, &more, &dirty, &err));
		ASSERT_OK(store_commit(f.store, &err));
		dead = dead_rows();
		most = dead > most ? dead : most;
	}
	expect(most > ROWS_EACH, "%llu dead rows", (unsigned long long)most);
	assert_all_there("sealed early");
}
END_TEST

static int count_row(void *arg, const struct hot_place *place, MDB_val val, struct error *row_err)
{
	uint64_t *rows = arg;

	(void)place;
	(void)val;
	(void)row_err;
	++*rows;
	return 0;
}

/* Of a slice of a walk that meets dead rows only. */
START_TEST(a_walk_pauses_among_many_dead_rows)
{
	struct hot_place place = { 0 };
	struct hot_mark mark = { UINT64_MAX, { INT64_MAX, UINT64_MAX } };
	unsigned pauses = 0;
	uint64_t rows = 0;
	int result;

	for (uint32_t i = 0; i < 10000; i++)
		put_one(i * ACCOUNTS, clock_day_start_us(DAY) + i);
	put_one(1, clock_day_start_us(DAY));
	commit();
	struct day *day = store_day(f.store, DAY, false, &err);
	ck_assert_ptr_nonnull(env_write(&day->env, &err));
	struct partition partition = partition_of(&(struct account_key){ "acct0000" }, sms()->number, CATALOG_OUTBOUND);
	ck_assert_int_eq(hot_mark_set(day, &partition, &mark, false, &err), 1);
	while ((result = hot_rows_each(day, day->env.write, &place, count_row, &rows, &err)) == 0)
		pauses++;
	expect(result == 1, "%s", err.message);
	ck_assert_uint_eq(rows, 1);
	ck_assert_uint_eq(pauses, 2);
	rows = 0;
	ASSERT_OK(hot_rows_all(day, day->env.write, count_row, &rows, &err));
	ck_assert_uint_eq(rows, 1);
	store_abort(f.store);
}
END_TEST

/* --- verifying meanwhile --- */

/* Seals that grow join their runs of ids; a merge of the blocks of the first ones cuts them off. */
START_TEST(a_run_that_is_cut_while_it_is_verified_is_no_fault)
{
	struct fixture_faults faults = { 0 };
	struct verify *verify;
	bool done = false;
	uint32_t id = 0;

	for (uint32_t until = 20; until <= 620; until = 2 * until + 20) {
		for (; id < until; id++)
			put_one(id * ACCOUNTS, clock_day_start_us(DAY) + id);
		seal_all();
	}
	ck_assert_uint_eq(entries_of(DAY_BLOCK_IDS), 1);
	verify = verify_new(f.store, NULL, fixture_take_fault, &faults, &err);
	for (int i = 0; i < _i; i++)
		ASSERT_OK(verify_step(verify, 0, &done, &err));
	for (size_t i = 0; i < 300; i += 2)
		put(sample_changed(&sampler, model.records[i]->now, CATALOG_OUTBOUND, model.records[i]->now->time_us,
		                   6));
	seal_all();
	expect(entries_of(DAY_BLOCK_IDS) > 1, "the run is not cut");
	while (!done)
		ASSERT_OK(verify_step(verify, 0, &done, &err));
	verify_free(verify);
	expect(faults.count == 0, "%s", faults.last);
}
END_TEST

/* --- damage --- */

static bool count_record(void *arg, const struct scan_row *row)
{
	(void)row;
	++*(unsigned *)arg;
	return true;
}

/* All of an account's, in one step. */
static int scan_account(uint32_t number, unsigned *rows)
{
	char account[9];
	struct scan_query query = { .product = sms(),
		                    .direction = CATALOG_OUTBOUND,
		                    .accounts = (const struct account_key *)account,
		                    .accounts_count = 1,
		                    .from_us = clock_day_start_us(DAY),
		                    .to_us = clock_day_start_us(DAY + 1),
		                    .snapshot = store_snapshot(f.store) };
	struct scan_sink sink = { .on_record = count_record, .arg = rows };
	struct scan_position position = { 0 };
	enum scan_end end;

	account_name(account, number);
	*rows = 0;
	return scan_once(f.store, &query, &position, INT64_MAX, &sink, &end, &err);
}

START_TEST(a_hot_row_that_cannot_be_read_fails_scans_of_its_account_only)
{
	enum store_put_result result;
	unsigned rows;

	put_many(0, 2 * ACCOUNTS);
	commit();
	damage_first_row();
	fixture_restart(&f);
	for (uint32_t i = 1; i < ACCOUNTS; i++) {
		ASSERT_OK(scan_account(i, &rows));
		ck_assert_uint_eq(rows, 2);
	}
	ck_assert_int_eq(scan_account(0, &rows), -1);
	ck_assert_int_eq(err.code, ERROR_CORRUPT);
	/* Is it there already? That cannot be said. */
	struct sample *sample =
		sample_new(&sampler, sms(), "acct0001", 7777, CATALOG_OUTBOUND, clock_day_start_us(DAY));
	ck_assert_int_eq(store_put(f.store, &sample->record, sample->time_us, &result, &err), -1);
	ck_assert_int_eq(err.code, ERROR_CORRUPT);
	free(sample);
}
END_TEST

Suite *suite_hot_rows(void)
{
	Suite *suite = suite_create("hot_rows");
	TCase *order = tcase_create("order"), *stored = tcase_create("stored");

	tcase_add_test(order, rows_that_come_late_are_read_in_order);
	tcase_add_test(order, a_row_that_is_put_again_is_in_the_order_once);
	tcase_add_test(order, dropping_leaves_the_others);
	tcase_add_test(order, any_rows_may_be_dropped);
	suite_add_tcase(suite, order);
	tcase_set_timeout(stored, 120);
	tcase_add_checked_fixture(stored, setup, teardown);
	tcase_add_test(stored, rows_of_format_1_are_read_replaced_and_sealed);
	tcase_add_test(stored, a_row_that_is_put_over_another_is_read_instead_of_it);
	tcase_add_test(stored, a_version_over_a_sealed_row_is_read_instead_of_what_was_trimmed);
	tcase_add_test(stored, an_address_is_believed_only_with_the_key_that_is_there);
	tcase_add_test(stored, a_table_of_addresses_is_as_large_as_the_log_needs);
	tcase_add_test(stored, what_an_abort_takes_back_of_old_rows_is_there);
	tcase_add_test(stored, sealed_rows_are_trimmed_as_others_are_sealed);
	tcase_add_test(stored, a_slice_removes_no_more_than_some_of_the_rows_of_a_large_seal);
	tcase_add_test(stored, rows_that_need_no_look_are_removed_at_once_where_all_are_dead);
	tcase_add_test(stored, what_is_due_is_sealed_a_part_at_a_time_and_nothing_of_it_is_left);
	tcase_add_loop_test(stored, what_is_old_enough_is_sealed_a_part_at_a_time_and_nothing_of_it_is_left, 0, 2);
	tcase_add_loop_test(stored, parts_leave_no_small_run, 31, 101);
	tcase_add_loop_test(stored, what_changes_between_two_parts_is_there, 0, 3);
	tcase_add_test(stored, only_rows_that_are_due_make_sealing_lag);
	tcase_add_test(stored, dead_rows_are_not_seen_after_a_restart);
	tcase_add_test(stored, a_number_is_erased_from_dead_rows_too);
	tcase_add_test(stored, a_purged_account_leaves_no_dead_rows);
	tcase_add_test(stored, more_rows_than_may_be_hot_are_sealed_before_their_time);
	tcase_add_loop_test(stored, day_at_rest_that_cannot_be_sealed_keeps_no_other_from_it, 0, 2);
	tcase_add_test(stored, of_more_rows_than_may_be_hot_those_of_days_at_rest_are_sealed_whole);
	tcase_add_test(stored, sealing_goes_on_where_the_largest_partitions_were_too_few);
	tcase_add_test(stored, the_log_is_dropped_whole_where_all_of_it_is_sealed);
	tcase_add_test(stored, a_file_that_is_written_to_when_all_is_sealed_is_packed_afterwards);
	tcase_add_test(stored, a_record_whose_move_is_finished_while_its_new_day_is_sealed_is_there_once);
	tcase_add_test(stored, rows_before_one_that_was_sealed_early_are_dead_when_they_are_sealed);
	tcase_add_test(stored, a_walk_pauses_among_many_dead_rows);
	tcase_add_loop_test(stored, a_run_that_is_cut_while_it_is_verified_is_no_fault, 0, 8);
	tcase_add_test(stored, a_hot_row_that_cannot_be_read_fails_scans_of_its_account_only);
	suite_add_tcase(suite, stored);
	return suite;
}
