/* SPDX-License-Identifier: ISC */
/*
 * test_ids_before.c: days written by a cdrd that told the cases of UUIDs apart (day.h, day_id_hashes_as_given).
 *
 * Such a day is made by rewriting its runs of ids and its filter as they were, and by taking the note out of the catalog
 * that they are not so any more.
 */
#include <check.h>

#include "base/clock.h"
#include "base/id.h"
#include "expect.h"
#include "store/ids/ids.h"
#include "store/days_store.h"
#include "store/verify.h"
#include "store/versions.h"
#include "store_fixture.h"
#include "store_sample.h"

Suite *suite_ids_before(void);

#define DAY 20500
#define ACCOUNT "acct0001"
#define SEALED_ID "0F3C2C5E-8A51-4D3B-9C1A-AB0F6E6A0001"
#define HOT_ID "0F3C2C5E-8A51-4D3B-9C1A-AB0F6E6A0002"

static struct fixture f;
static struct error err;

static uint8_t column(const char *name)
{
	uint8_t found = catalog_column_find(sms(), (struct str){ name, strlen(name) });

	ck_assert_uint_ne(found, CATALOG_NONE);
	return found;
}

static enum store_put_result put(const char *id, const char *status, int32_t day)
{
	static const struct store_versions versions = { .merge = false, .column = CATALOG_NONE };
	struct record record = { .product = sms() };
	enum store_put_result result;

	record.values[sms()->account_column] = STR_LITERAL(ACCOUNT);
	record.values[sms()->id_column] = (struct str){ id, strlen(id) };
	record.values[column("direction")] = STR_LITERAL("outbound");
	record.values[column("status")] = (struct str){ status, strlen(status) };
	ASSERT_OK(store_put_version(f.store, &record, clock_day_start_us(day), &versions, &result, &err));
	ASSERT_OK(store_commit(f.store, &err));
	return result;
}

static uint64_t hash_as_it_was(const char *id)
{
	uint64_t owner;

	memcpy(&owner, ACCOUNT, sizeof(owner));
	return id_hash64(id, strlen(id), owner ^ (uint64_t)sms()->number << 56);
}

/* The day's only run is that of the sealed record. */
static void write_run_as_it_was(struct day *day)
{
	struct partition partition = partition_of(&(struct account_key){ ACCOUNT }, sms()->number, CATALOG_OUTBOUND);

	ids_entry entry = ids_entry_of(hash_as_it_was(SEALED_ID), 0);
	uint8_t bytes[NUMBER_KEY_LEN];
	struct buf run = { 0 };
	MDB_txn *txn = env_write(&day->env, &err);
	MDB_stat stat;

	ck_assert_ptr_nonnull(txn);
	number_key_write(bytes, &partition, 0);
	MDB_val key = env_val(bytes, sizeof(bytes)), val;
	ck_assert_int_eq(mdb_stat(txn, day->env.dbi[DAY_BLOCK_IDS], &stat), 0);
	ck_assert_uint_eq(stat.ms_entries, 1);
	ids_write(&run, 0, &(uint32_t){ 1 }, 1, &entry, 1);
	val = env_val(run.data, run.len);
	ck_assert_int_eq(mdb_put(txn, day->env.dbi[DAY_BLOCK_IDS], &key, &val, 0), 0);
	ASSERT_OK(env_commit(&day->env, &err));
	buf_free(&run);
}

static void write_filter_as_it_was(struct day *day)
{
	const char *ids[] = { SEALED_ID, HOT_ID };

	ASSERT_OK(bloom_filter_reset(day->filter, 2, &err));
	for (size_t i = 0; i < 2; i++) {
		struct bloom_filter_key key;

		bloom_filter_key_make(&key, (uint32_t)(hash_as_it_was(ids[i]) >> 32));
		ASSERT_OK(bloom_filter_add(day->filter, &key, &err));
	}
	bloom_filter_set_ready(day->filter);
}

static void forget_note(void)
{
	struct env *catalog = meta_env(f.meta);
	MDB_val key = env_val("ids_as_given_before", strlen("ids_as_given_before"));

	ck_assert_int_eq(mdb_del(env_write(catalog, &err), catalog->dbi[META_DB_VALUES], &key, NULL), 0);
	ASSERT_OK(meta_commit(f.meta, &err));
}

/* A day with a sealed and a hot record, both with capitals, as they were written then. */
static void setup(void)
{
	fixture_open(&f, FIXTURE_MAP_BYTES);
	ck_assert_int_eq(put(SEALED_ID, "submitted", DAY), STORE_ACCEPTED);
	fixture_seal(f.store);
	ck_assert_int_eq(put(HOT_ID, "submitted", DAY), STORE_ACCEPTED);
	struct day *day = store_day(f.store, DAY, false, &err);
	ck_assert_ptr_nonnull(day);
	write_run_as_it_was(day);
	write_filter_as_it_was(day);
	forget_note();
	fixture_restart(&f);
}

static void teardown(void)
{
	fixture_close(&f);
}

struct seen {
	int count;
	char status[16];
};

static bool see(void *arg, const struct scan_row *row)
{
	struct seen *seen = arg;
	struct str status = row->record->values[column("status")];

	seen->count++;
	snprintf(seen->status, sizeof(seen->status), "%.*s", STR_ARGS(status));
	return true;
}

/* In either case it is found once, with this status. */
static void check_found(const char *id, const char *status)
{
	char lower[ID_UUID_LEN];
	struct str forms[] = { { id, ID_UUID_LEN }, { lower, ID_UUID_LEN } };

	id_uuid_lower(lower, id);
	for (size_t i = 0; i < 2; i++) {
		struct seen seen = { 0 };
		struct scan_find find = { .product = sms(),
			                  .account = &(struct account_key){ ACCOUNT },
			                  .id = forms[i],
			                  .first_day = INT32_MIN,
			                  .max = 100 };
		struct scan_sink sink = { .on_record = see, .arg = &seen };
		struct scan *scan = scan_start_find(f.store, &find, &sink, &err);
		enum scan_end end;

		ck_assert_ptr_nonnull(scan);
		ASSERT_OK(scan_step(scan, INT64_MAX, &end, &err));
		scan_cancel(scan);
		expect(seen.count == 1 && strcmp(seen.status, status) == 0, "%.*s: found %d times, %s",
		       STR_ARGS(forms[i]), seen.count, seen.status);
	}
}

START_TEST(ids_of_before_are_found_in_either_case)
{
	fixture_assert_sound(f.store);
	check_found(SEALED_ID, "submitted");
	check_found(HOT_ID, "submitted");
	fixture_seal(f.store);
	fixture_assert_sound(f.store);
	check_found(SEALED_ID, "submitted");
	check_found(HOT_ID, "submitted");
}
END_TEST

START_TEST(a_record_of_before_that_comes_again_is_not_stored_twice)
{
	char lower[ID_UUID_LEN + 1] = "";

	ck_assert_int_eq(put(SEALED_ID, "submitted", DAY), STORE_DUPLICATE);
	ck_assert_int_eq(put(HOT_ID, "submitted", DAY), STORE_DUPLICATE);
	ck_assert_int_eq(put(SEALED_ID, "delivered", DAY), STORE_UPDATED);
	id_uuid_lower(lower, HOT_ID);
	ck_assert_int_eq(put(lower, "delivered", DAY), STORE_UPDATED);
	check_found(SEALED_ID, "delivered");
	check_found(HOT_ID, "delivered");
	fixture_restart(&f);
	fixture_seal(f.store);
	fixture_assert_sound(f.store);
	check_found(SEALED_ID, "delivered");
	check_found(HOT_ID, "delivered");
}
END_TEST

START_TEST(a_record_of_before_moves_to_the_day_beside)
{
	ck_assert_int_eq(put(SEALED_ID, "delivered", DAY + 1), STORE_UPDATED);
	ck_assert_int_eq(put(HOT_ID, "delivered", DAY - 1), STORE_UPDATED);
	check_found(SEALED_ID, "delivered");
	check_found(HOT_ID, "delivered");
	fixture_assert_sound(f.store);
}
END_TEST

START_TEST(only_days_of_before_are_searched_by_more_hashes)
{
	ck_assert_int_eq(f.store->ids_as_given_before, DAY + 1);
	put("0F3C2C5E-8A51-4D3B-9C1A-AB0F6E6A0003", "submitted", DAY + 5);
	fixture_restart(&f);
	ck_assert_int_eq(f.store->ids_as_given_before, DAY + 1);
	teardown();
	fixture_open(&f, FIXTURE_MAP_BYTES);
	put(HOT_ID, "submitted", DAY);
	fixture_restart(&f);
	ck_assert_int_eq(f.store->ids_as_given_before, 1);
}
END_TEST

Suite *suite_ids_before(void)
{
	Suite *suite = suite_create("ids_before");
	TCase *tests = tcase_create("ids_before");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, ids_of_before_are_found_in_either_case);
	tcase_add_test(tests, a_record_of_before_that_comes_again_is_not_stored_twice);
	tcase_add_test(tests, a_record_of_before_moves_to_the_day_beside);
	tcase_add_test(tests, only_days_of_before_are_searched_by_more_hashes);
	suite_add_tcase(suite, tests);
	return suite;
}
