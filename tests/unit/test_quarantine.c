/* SPDX-License-Identifier: ISC */
/*
 * test_quarantine.c: rejected records are kept whole, in order, and go when they are too old or too many.
 */
#include <check.h>
#include <stdlib.h>

#include "base/clock.h"
#include "expect.h"
#include "meta/accounts.h"
#include "meta/change.h"
#include "meta/quarantine.h"
#include "store_fixture.h"
#include "store_sample.h"
#include "lmdb/value.h"

Suite *suite_quarantine(void);

#define NO_LIMIT UINT64_MAX

static struct fixture f;
static struct error err;
static struct buf seen;

static void setup(void)
{
	fixture_open(&f, FIXTURE_MAP_BYTES);
	seen = (struct buf){ 0 };
}

static void teardown(void)
{
	buf_free(&seen);
	fixture_close(&f);
}

static void put(int64_t time_us, const char *raw)
{
	struct quarantine_entry entry = {
		.time_us = time_us,
		.producer = STR_LITERAL("switch-1"),
		.field = STR_LITERAL("id"),
		.reason = STR_LITERAL("Missing required field"),
		.raw = str_from(raw),
	};

	ASSERT_OK(quarantine_put(f.meta, &entry, &err));
}

static void commit(void)
{
	ASSERT_OK(meta_commit(f.meta, &err));
}

static bool see(void *arg, const struct quarantine_entry *entry)
{
	(void)arg;
	buf_addf(&seen, "%llu:%.*s ", (unsigned long long)entry->number, STR_ARGS(entry->raw));
	return true;
}

/* Numbers and raw texts of all entries from `from` on. */
static const char *list(uint64_t from)
{
	buf_clear(&seen);
	ASSERT_OK(quarantine_each(f.meta, from, see, NULL, &err));
	return buf_cstr(&seen);
}

static bool check_whole(void *arg, const struct quarantine_entry *entry)
{
	*(int *)arg += 1;
	ck_assert_uint_eq(entry->number, 1);
	ck_assert_int_eq(entry->time_us, -5);
	ck_assert(str_is(entry->producer, "switch-1"));
	ck_assert(str_is(entry->field, "id"));
	ck_assert(str_is(entry->reason, "Missing required field"));
	ck_assert(str_is(entry->raw, "{\"a\":\"\xff\"}"));
	return true;
}

START_TEST(entry_comes_back_whole_after_a_restart)
{
	int entries = 0;

	put(-5, "{\"a\":\"\xff\"}");
	commit();
	fixture_restart(&f);
	ASSERT_OK(quarantine_each(f.meta, 0, check_whole, &entries, &err));
	ck_assert_int_eq(entries, 1);
}
END_TEST

static bool check_all(void *arg, const struct quarantine_entry *entry)
{
	*(int *)arg += 1;
	ck_assert(str_is(entry->account, "abcd1234"));
	ck_assert(str_is(entry->id, "x"));
	ck_assert(str_is(entry->product, "SMS"));
	ck_assert(str_is(entry->product_name, "MESSAGES"));
	ck_assert(str_is(entry->converted_from, "SHIFT_JIS"));
	ck_assert(str_is(entry->header, "a,\xff"));
	ck_assert(str_equal(entry->raw, STR_LITERAL("1\0\xff")));
	ck_assert_int_eq(entry->format, PARSE_CSV);
	ck_assert(entry->raw_cut);
	ck_assert_str_eq(entry->settings.time_zone, "Europe/Berlin");
	ck_assert_str_eq(entry->settings.encoding, "");
	return true;
}

START_TEST(entry_keeps_all_that_a_replay_needs)
{
	int entries = 0;
	struct quarantine_entry entry = {
		.account = STR_LITERAL("abcd1234"),
		.id = STR_LITERAL("x"),
		.product = STR_LITERAL("SMS"),
		.product_name = STR_LITERAL("MESSAGES"),
		.converted_from = STR_LITERAL("SHIFT_JIS"),
		.header = STR_LITERAL("a,\xff"),
		.raw = STR_LITERAL("1\0\xff"),
		.format = PARSE_CSV,
		.raw_cut = true,
		.settings = { .time_zone = "Europe/Berlin" },
	};

	ASSERT_OK(quarantine_put(f.meta, &entry, &err));
	commit();
	fixture_restart(&f);
	ASSERT_OK(quarantine_each(f.meta, 0, check_all, &entries, &err));
	ck_assert_int_eq(entries, 1);
}
END_TEST

static bool check_old(void *arg, const struct quarantine_entry *entry)
{
	*(int *)arg += 1;
	ck_assert_int_eq(entry->time_us, 42);
	ck_assert(str_is(entry->reason, "why"));
	ck_assert(str_is(entry->raw, "{}"));
	ck_assert_int_eq(entry->format, PARSE_NDJSON);
	ck_assert_uint_eq(entry->account.len + entry->header.len + entry->product_name.len, 0);
	return true;
}

START_TEST(entry_of_the_first_layout_is_read)
{
	static const char number[8] = { 0, 0, 0, 0, 0, 0, 0, 1 };
	struct buf bytes = { 0 };
	struct value_writer w;
	struct change change;
	int entries = 0;

	value_begin(&w, &bytes, 1, 5);
	value_put_int(&w, 42);
	value_put_str(&w, STR_LITERAL("switch-1"));
	value_put_str(&w, STR_LITERAL("id"));
	value_put_str(&w, STR_LITERAL("why"));
	value_put_bytes(&w, STR_LITERAL("{}"));
	ASSERT_OK(change_begin(&change, f.meta, &err));
	ASSERT_OK(change_end(&change,
	                     change_put(&change, META_DB_QUARANTINE, (struct str){ number, 8 }, buf_str(&bytes), &err),
	                     &err));
	buf_free(&bytes);
	ASSERT_OK(quarantine_each(f.meta, 0, check_old, &entries, &err));
	ck_assert_int_eq(entries, 1);
}
END_TEST

/* To whatever does nothing while something waits, such as repacking. */
START_TEST(a_change_that_is_not_made_leaves_nothing_that_waits_and_takes_nothing_along)
{
	struct change change;

	ASSERT_OK(change_begin(&change, f.meta, &err));
	ASSERT_OK(change_put(&change, META_DB_VALUES, STR_LITERAL("any"), STR_LITERAL("1"), &err));
	change_drop(&change);
	ck_assert(!meta_is_waiting(f.meta));
	put(30, "a");
	ASSERT_OK(change_begin(&change, f.meta, &err));
	ck_assert_int_eq(change_end(&change, -1, &err), -1);
	ck_assert(meta_is_waiting(f.meta));
	commit();
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 1);
}
END_TEST

START_TEST(ends_tell_the_oldest_and_the_newest)
{
	struct quarantine_ends ends;

	ASSERT_OK(quarantine_ends(f.meta, &ends, &err));
	ck_assert_uint_eq(ends.newest, 0);
	ck_assert_int_eq(quarantine_age_us(f.meta, 100), 0);
	put(30, "a");
	put(20, "b");
	commit();
	ASSERT_OK(quarantine_ends(f.meta, &ends, &err));
	ck_assert_uint_eq(ends.newest, 2);
	ck_assert_int_eq(ends.oldest_us, 30);
	ck_assert_int_eq(quarantine_age_us(f.meta, 100), 70);
	ck_assert_int_eq(quarantine_age_us(f.meta, 10), 0);
}
END_TEST

/* Nor does a commit of records carry it: the day is listed by the first, and numbers are reserved. */
START_TEST(committing_records_leaves_what_waits_in_meta)
{
	struct sampler sampler = { .pick = { 1 } };

	for (uint32_t i = 1; i <= 2; i++) {
		struct sample *sample = sample_new(&sampler, catalog_product_find(STR_LITERAL("SMS")), "acct0001", i,
		                                   CATALOG_OUTBOUND, clock_day_start_us(20000));
		enum store_put_result result;

		ck_assert_int_eq(store_put(f.store, &sample->record, sample->time_us, &result, &err), 0);
		free(sample);
		if (i == 2)
			put(1, "a");
		ck_assert_int_eq(store_commit(f.store, &err), 0);
	}
	ck_assert(meta_is_waiting(f.meta));
	meta_abort(f.meta);
	ck_assert_str_eq(list(0), "");
}
END_TEST

START_TEST(entry_that_was_not_committed_is_gone)
{
	put(1, "a");
	commit();
	put(2, "b");
	fixture_restart(&f);
	ck_assert_str_eq(list(0), "1:a ");
}
END_TEST

START_TEST(entries_are_listed_from_a_number_on)
{
	put(1, "a");
	put(2, "b");
	put(3, "c");
	commit();
	ck_assert_str_eq(list(0), "1:a 2:b 3:c ");
	ck_assert_str_eq(list(2), "2:b 3:c ");
	ck_assert_str_eq(list(4), "");
}
END_TEST

START_TEST(numbers_are_never_used_again)
{
	put(1, "a");
	put(2, "b");
	put(3, "c");
	commit();
	ASSERT_OK(quarantine_drop(f.meta, 3, &err));
	ASSERT_OK(quarantine_drop(f.meta, 2, &err));
	put(4, "d");
	commit();
	ck_assert_str_eq(list(0), "1:a 4:d ");
	ASSERT_OK(quarantine_drop(f.meta, 4, &err));
	ASSERT_OK(quarantine_drop(f.meta, 1, &err));
	fixture_restart(&f);
	put(5, "e");
	commit();
	ck_assert_str_eq(list(0), "5:e ");
}
END_TEST

START_TEST(drop_of_what_is_not_there_is_an_error)
{
	put(1, "a");
	commit();
	ck_assert_int_eq(quarantine_drop(f.meta, 7, &err), -1);
	ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
	ck_assert_str_eq(err.message, "quarantine 7: no such entry");
	ck_assert_str_eq(list(0), "1:a ");
}
END_TEST

START_TEST(many_are_dropped_in_one_change)
{
	static const uint64_t numbers[] = { 1, 3, 7 };

	put(1, "a");
	put(2, "b");
	put(3, "c");
	commit();
	ASSERT_OK(quarantine_drop_each(f.meta, numbers, 3, &err));
	fixture_restart(&f);
	put(4, "d");
	commit();
	ck_assert_str_eq(list(0), "2:b 4:d ");
}
END_TEST

START_TEST(failed_change_of_the_catalog_leaves_waiting_entries_alone)
{
	put(1, "a");
	ck_assert_int_eq(accounts_set_disabled(f.meta, "nobody00", true, &err), -1);
	ck_assert_int_eq(quarantine_drop(f.meta, 7, &err), -1);
	commit();
	ck_assert_str_eq(list(0), "1:a ");
}
END_TEST

START_TEST(old_entries_expire_in_slices)
{
	static const struct quarantine_limits older_than_41 = { 41, INT64_MAX, NO_LIMIT };

	for (int i = 1; i <= 5; i++)
		put(i * 10, "x");
	commit();
	ck_assert_int_eq(quarantine_expire(f.meta, &older_than_41, 3, NULL, &err), 3);
	ck_assert_str_eq(list(0), "4:x 5:x ");
	ck_assert_int_eq(quarantine_expire(f.meta, &older_than_41, 3, NULL, &err), 1);
	ck_assert_int_eq(quarantine_expire(f.meta, &older_than_41, 3, NULL, &err), 0);
	fixture_restart(&f);
	ck_assert_str_eq(list(0), "5:x ");
}
END_TEST

START_TEST(an_entry_from_the_future_holds_up_no_other)
{
	struct quarantine_limits limits = { 20, 100, NO_LIMIT };

	put(1000, "x");
	put(1000, "x2");
	put(10, "y");
	put(1000, "x3");
	commit();
	ck_assert_int_eq(quarantine_expire(f.meta, &limits, 5, NULL, &err), 0);
	ck_assert_str_eq(list(0), "1:x 2:x2 3:y 4:x3 ");
	limits = (struct quarantine_limits){ 101, 200, NO_LIMIT };
	ck_assert_int_eq(quarantine_expire(f.meta, &limits, 5, NULL, &err), 4);
	ck_assert_str_eq(list(0), "");
}
END_TEST

START_TEST(oldest_go_when_there_are_too_many_bytes)
{
	struct quarantine_stats stats;
	char raw[5000];

	memset(raw, 'r', sizeof(raw) - 1);
	raw[sizeof(raw) - 1] = '\0';
	for (int i = 1; i <= 100; i++)
		put(i, raw);
	commit();
	ASSERT_OK(quarantine_stats(f.meta, &stats, &err));
	ck_assert_uint_eq(stats.entries, 100);
	ck_assert_uint_ge(stats.bytes, 100 * 5000);
	uint64_t pushed_out;
	static const struct quarantine_limits limits = { 3, INT64_MAX, 200000 };
	int dropped = quarantine_expire(f.meta, &limits, 1000, &pushed_out, &err);
	ck_assert_uint_eq(pushed_out, (uint64_t)dropped - 2); /* the first two are old */
	ck_assert_int_gt(dropped, 50);
	ck_assert_int_lt(dropped, 100);
	ASSERT_OK(quarantine_stats(f.meta, &stats, &err));
	ck_assert_uint_eq(stats.entries, 100 - (uint64_t)dropped);
	ck_assert_uint_le(stats.bytes, 200000);
	buf_clear(&seen);
	ASSERT_OK(quarantine_each(f.meta, 0, see, NULL, &err));
	ck_assert_int_eq(atoi(buf_cstr(&seen)), dropped + 1);
}
END_TEST

START_TEST(stats_count_what_waits_for_a_commit)
{
	struct quarantine_stats stats;

	ASSERT_OK(quarantine_stats(f.meta, &stats, &err));
	ck_assert_uint_eq(stats.entries, 0);
	ck_assert_uint_eq(stats.bytes, 0);
	put(1, "a");
	ASSERT_OK(quarantine_stats(f.meta, &stats, &err));
	ck_assert_uint_eq(stats.entries, 1);
}
END_TEST

Suite *suite_quarantine(void)
{
	Suite *suite = suite_create("quarantine");
	TCase *tcase = tcase_create("quarantine");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, entry_comes_back_whole_after_a_restart);
	tcase_add_test(tcase, entry_keeps_all_that_a_replay_needs);
	tcase_add_test(tcase, entry_of_the_first_layout_is_read);
	tcase_add_test(tcase, a_change_that_is_not_made_leaves_nothing_that_waits_and_takes_nothing_along);
	tcase_add_test(tcase, ends_tell_the_oldest_and_the_newest);
	tcase_add_test(tcase, committing_records_leaves_what_waits_in_meta);
	tcase_add_test(tcase, entry_that_was_not_committed_is_gone);
	tcase_add_test(tcase, entries_are_listed_from_a_number_on);
	tcase_add_test(tcase, numbers_are_never_used_again);
	tcase_add_test(tcase, drop_of_what_is_not_there_is_an_error);
	tcase_add_test(tcase, many_are_dropped_in_one_change);
	tcase_add_test(tcase, failed_change_of_the_catalog_leaves_waiting_entries_alone);
	tcase_add_test(tcase, old_entries_expire_in_slices);
	tcase_add_test(tcase, oldest_go_when_there_are_too_many_bytes);
	tcase_add_test(tcase, an_entry_from_the_future_holds_up_no_other);
	tcase_add_test(tcase, stats_count_what_waits_for_a_commit);
	suite_add_tcase(suite, tcase);
	return suite;
}
