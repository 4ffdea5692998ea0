/* SPDX-License-Identifier: ISC */
/*
 * test_hot_memory.c: what is kept in memory of hot rows leads to the right rows, and is given back.
 */
#include <check.h>

#include "base/clock.h"
#include "base/id.h"
#include "expect.h"
#include "store/blocks/block_reader.h"
#include "store/days_store.h"
#include "store/sealing/seal_private.h"
#include "store_fixture.h"
#include "store_sample.h"

Suite *suite_hot_memory(void);

#define DAY 20500
#define ACCOUNTS 300
#define RECORDS 900

static struct error err;
static struct fixture f;
static struct sampler sampler;
static struct sample *samples[RECORDS];

static void setup(void)
{
	fixture_open(&f, FIXTURE_MAP_BYTES);
	sampler = (struct sampler){ .pick = { 1 }, .styles = 6 };
	for (uint32_t i = 0; i < RECORDS; i++) {
		char account[9];

		snprintf(account, sizeof(account), "acct%04u", i % ACCOUNTS);
		samples[i] = sample_new(&sampler, catalog_product_find(STR_LITERAL("SMS")), account, i,
		                        CATALOG_OUTBOUND, clock_day_start_us(DAY) + pick_below(&sampler.pick, 86400));
	}
}

static void teardown(void)
{
	for (uint32_t i = 0; i < RECORDS; i++)
		free(samples[i]);
	fixture_close(&f);
}

static void put_all(enum store_put_result wanted)
{
	for (uint32_t i = 0; i < RECORDS; i++) {
		enum store_put_result result;

		ASSERT_OK(store_put(f.store, &samples[i]->record, samples[i]->time_us, &result, &err));
		expect(result == wanted, "put of record %u gave %d, wanted %d", i, result, wanted);
	}
	ASSERT_OK(store_commit(f.store, &err));
}

static struct day *the_day(void)
{
	struct day *day = store_day(f.store, DAY, false, &err);

	expect(day, "%s", err.message);
	return day;
}

/* --- ids --- */

START_TEST(ids_whose_hashes_begin_alike_lead_to_all_of_their_rows)
{
	const uint64_t hash = UINT64_C(0x0123456700000000);
	struct hot hot = { 0 };
	uint64_t seq, sum = 0;
	size_t iterator = 0;

	for (uint64_t i = 1; i <= 100; i++)
		ASSERT_OK(hot_add_id(&hot, hash + i, i << 32 | i, &err));
	ASSERT_OK(hot_add_id(&hot, hash + (UINT64_C(1) << 32), 1, &err));
	while (hot_next(&hot, hash, &iterator, &seq))
		sum += seq;
	ck_assert_uint_eq(sum, UINT64_C(5050) << 32 | 5050);
	hot_free(&hot);
}
END_TEST

START_TEST(a_row_is_not_found_for_another_account_or_product)
{
	put_all(STORE_ACCEPTED);
	struct day *day = the_day();
	struct partition partition = partition_of_record(&samples[0]->record), other = partition;
	uint64_t seq = f.store->last_seq - RECORDS + 1;
	struct position position;
	MDB_val row;
	MDB_txn *txn = env_read(&day->env, &err);

	partition.direction = CATALOG_NO_DIRECTION;
	ck_assert_int_eq(day_row_find(day, txn, &partition, seq, &position, &row, &err), 1);
	ck_assert_int_eq(position.time_us, samples[0]->time_us);
	ck_assert_int_eq(position.direction, CATALOG_OUTBOUND);
	other.product++;
	ck_assert_int_eq(day_row_find(day, txn, &other, seq, &position, &row, &err), 0);
	other = partition_of_record(&samples[1]->record);
	ck_assert_int_eq(day_row_find(day, txn, &other, seq, &position, &row, &err), 0);
	ck_assert_int_eq(day_row_find(day, txn, &partition, f.store->last_seq + 1, &position, &row, &err), 0);
	ASSERT_OK(env_read_end(&day->env, txn, 0, &err));
}
END_TEST

/* --- what is given back --- */

START_TEST(nothing_is_kept_of_a_day_whose_rows_are_all_sealed)
{
	put_all(STORE_ACCEPTED);
	ck_assert_uint_ge(the_day()->hot.partitions_used, ACCOUNTS);
	fixture_seal(f.store);
	const struct hot *hot = &the_day()->hot;

	expect(hot->loaded, "hot rows are to be loaded again");
	ck_assert_uint_eq(hot->partitions_cap, 0);
	for (int i = 0; i < HOT_PARTS; i++)
		ck_assert_uint_eq(hot->parts[i].cap, 0);
	ck_assert_ptr_null(hot->marks);
	put_all(STORE_DUPLICATE);
}
END_TEST

#define IDS 32768
#define IDS_LEFT 100
#define IDS_AT_ONCE 64

static uint64_t hash_of(uint64_t number)
{
	return id_hash64(&number, sizeof(number), 0);
}

/* As each commit does. */
static void drop_ids(struct hot *hot, uint64_t first, uint64_t count)
{
	struct buf gone = { 0 }, removed = { 0 }, kept = { 0 };

	for (uint64_t i = first; i < first + count; i++)
		buf_add(&gone, &(struct hot_gone){ hash_of(i), i }, sizeof(struct hot_gone));
	hot_drop(hot, buf_str(&gone), &removed, &kept);
	buf_free(&gone);
}

START_TEST(a_table_of_ids_is_as_large_as_the_rows_that_are_left_need)
{
	struct hot hot = { 0 };
	size_t most = 0, slots = 0;

	for (uint64_t i = 1; i <= IDS; i++)
		ASSERT_OK(hot_add_id(&hot, hash_of(i), i, &err));
	for (int i = 0; i < HOT_PARTS; i++)
		most += hot.parts[i].cap;
	for (uint64_t i = IDS_LEFT + 1; i <= IDS; i += IDS_AT_ONCE)
		drop_ids(&hot, i, i + IDS_AT_ONCE > IDS ? IDS + 1 - i : IDS_AT_ONCE);
	for (int i = 0; i < HOT_PARTS; i++)
		slots += hot.parts[i].cap;
	ck_assert_uint_eq(hot.entries_used, IDS_LEFT);
	expect(slots < most / 16, "%zu slots are kept for %d ids, of %zu", slots, IDS_LEFT, most);
	for (uint64_t i = 1; i <= IDS; i++) {
		size_t iterator = 0;
		uint64_t seq;
		bool is_there = hot_next(&hot, hash_of(i), &iterator, &seq);

		expect(is_there == (i <= IDS_LEFT) && (!is_there || seq == i), "id %llu", (unsigned long long)i);
	}
	hot_free(&hot);
}
END_TEST

START_TEST(marks_are_kept_of_one_day)
{
	put_all(STORE_ACCEPTED);
	for (uint32_t i = 0; i < RECORDS; i++) {
		enum store_put_result result;
		struct sample *sample = sample_new(&sampler, samples[i]->record.product, "acct0001", RECORDS + i,
		                                   CATALOG_OUTBOUND, clock_day_start_us(DAY + 1 + (int32_t)i % 5));

		ASSERT_OK(store_put(f.store, &sample->record, sample->time_us, &result, &err));
		free(sample);
	}
	ASSERT_OK(store_commit(f.store, &err));
	begin_sealing(f.store);
	for (bool more = true, dirty; more;) {
		unsigned kept = 0;

		ASSERT_OK(store_maintain(f.store, 0, &more, &dirty, &err)); /* the shortest slices that there are */
		for (size_t i = 0; i < f.store->days_count; i++)
			kept += f.store->days[i]->hot.marks != NULL;
		ck_assert_uint_le(kept, 1);
		ASSERT_OK(store_commit(f.store, &err));
	}
}
END_TEST

static void rest(void)
{
	the_day()->changed_us -= 3600 * CLOCK_US_PER_SECOND;
	days_rest(f.store);
}

START_TEST(a_day_that_has_rested_is_read_and_written_as_before)
{
	put_all(STORE_ACCEPTED);
	days_rest(f.store);
	expect(!the_day()->env.is_rested, "it rests although it was just written to");
	rest();
	expect(the_day()->env.is_rested, "it does not rest");
	put_all(STORE_DUPLICATE);
	fixture_seal(f.store);
	rest();
	expect(the_day()->env.is_rested, "it does not rest when it is sealed");
	put_all(STORE_DUPLICATE);
	fixture_restart(&f);
	put_all(STORE_DUPLICATE);
}
END_TEST

static int readers_count(void)
{
	int count = 0;

	for (const struct block_reader *reader = f.store->readers; reader; reader = reader->next)
		count++;
	return count;
}

START_TEST(readers_that_no_more_are_in_use_at_once_are_freed)
{
	struct block_reader *readers[5];

	for (int i = 0; i < 5; i++)
		ck_assert_ptr_nonnull(readers[i] = store_reader_take(f.store, &err));
	for (int i = 0; i < 5; i++)
		store_reader_give(f.store, readers[i]);
	days_rest(f.store);
	ck_assert_int_eq(readers_count(), 5);
	for (int i = 0; i < 3; i++) /* which were given back first */
		readers[i]->given_us -= 3600 * CLOCK_US_PER_SECOND;
	days_rest(f.store);
	ck_assert_int_eq(readers_count(), 2);
	ck_assert(f.store->readers == readers[4] && f.store->readers->next == readers[3]);
}
END_TEST

START_TEST(readers_share_what_inflates)
{
	struct block_reader *one, *other;

	ck_assert_ptr_nonnull(one = store_reader_take(f.store, &err));
	ck_assert_ptr_nonnull(other = store_reader_take(f.store, &err));
	ck_assert(one->tools == other->tools && one->tools == &f.store->tools);
	store_reader_give(f.store, one);
	store_reader_give(f.store, other);
}
END_TEST

START_TEST(what_sealing_builds_with_is_freed_when_it_rests)
{
	put_all(STORE_ACCEPTED);
	fixture_seal(f.store);
	ck_assert_ptr_nonnull(f.store->seal->builder);
	days_rest(f.store);
	expect(f.store->seal->builder != NULL, "it rests although a job was just done");
	f.store->seal->ended_us -= 3600 * CLOCK_US_PER_SECOND;
	days_rest(f.store);
	ck_assert_ptr_null(f.store->seal->builder);
	fixture_restart(&f);
	put_all(STORE_DUPLICATE);
}
END_TEST

START_TEST(sealing_goes_on_after_a_rest)
{
	put_all(STORE_ACCEPTED);
	fixture_seal(f.store);
	ck_assert(seal_rest(f.store, INT64_MAX) && !seal_rest(f.store, INT64_MAX));
	put_all(STORE_DUPLICATE);
	fixture_seal(f.store);
	fixture_restart(&f);
	put_all(STORE_DUPLICATE);
}
END_TEST

START_TEST(a_day_that_is_in_use_does_not_rest)
{
	put_all(STORE_ACCEPTED);
	struct day *day = the_day();
	MDB_txn *txn = env_read(&day->env, &err);

	rest();
	expect(!day->env.is_rested, "it rests while it is read");
	ASSERT_OK(env_read_end(&day->env, txn, 0, &err));
	day->pins++;
	rest();
	expect(!day->env.is_rested, "it rests while it is pinned");
	day->pins--;
	expect(env_write(&day->env, &err), "%s", err.message);
	rest();
	expect(!day->env.is_rested, "it rests while it is written to");
	ASSERT_OK(store_commit(f.store, &err));
	rest();
	expect(day->env.is_rested, "it does not rest");
}
END_TEST

Suite *suite_hot_memory(void)
{
	Suite *suite = suite_create("hot_memory");
	TCase *cases = tcase_create("hot_memory");

	tcase_set_timeout(cases, 60);
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, ids_whose_hashes_begin_alike_lead_to_all_of_their_rows);
	tcase_add_test(cases, a_row_is_not_found_for_another_account_or_product);
	tcase_add_test(cases, nothing_is_kept_of_a_day_whose_rows_are_all_sealed);
	tcase_add_test(cases, a_table_of_ids_is_as_large_as_the_rows_that_are_left_need);
	tcase_add_test(cases, marks_are_kept_of_one_day);
	tcase_add_test(cases, a_day_that_has_rested_is_read_and_written_as_before);
	tcase_add_test(cases, readers_that_no_more_are_in_use_at_once_are_freed);
	tcase_add_test(cases, readers_share_what_inflates);
	tcase_add_test(cases, what_sealing_builds_with_is_freed_when_it_rests);
	tcase_add_test(cases, sealing_goes_on_after_a_rest);
	tcase_add_test(cases, a_day_that_is_in_use_does_not_rest);
	suite_add_tcase(suite, cases);
	return suite;
}
