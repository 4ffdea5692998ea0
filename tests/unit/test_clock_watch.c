/* SPDX-License-Identifier: ISC */
/*
 * test_clock_watch.c: which clocks are believed.
 */
#include <check.h>

#include "base/clock.h"
#include "meta/change.h"
#include "store/clock_watch.h"
#include "store/days_store.h"
#include "store_fixture.h"

#define SEEN_US (INT64_C(1795000000) * CLOCK_US_PER_SECOND)

static struct clock_watch watch;

static void set_up(void)
{
	watch = (struct clock_watch){ .seen_us = SEEN_US };
}

START_TEST(a_clock_that_goes_on_is_believed_and_moves_the_last_seen_time)
{
	int64_t now_us = SEEN_US;

	for (int i = 0; i < 100; i++) {
		now_us += CLOCK_WATCH_AHEAD_MAX_US;
		ck_assert(clock_watch_look(&watch, now_us));
		ck_assert_int_eq(watch.seen_us, now_us);
	}
}
END_TEST

START_TEST(more_than_a_day_ahead_is_not_believed_and_moves_nothing)
{
	ck_assert(!clock_watch_look(&watch, SEEN_US + CLOCK_WATCH_AHEAD_MAX_US + 1));
	ck_assert(watch.held);
	ck_assert_int_eq(watch.seen_us, SEEN_US);
	ck_assert(!clock_watch_look(&watch, SEEN_US + CLOCK_WATCH_AHEAD_MAX_US + 2));
}
END_TEST

START_TEST(a_clock_that_is_back_is_believed_again)
{
	ck_assert(!clock_watch_look(&watch, SEEN_US + 800 * CLOCK_US_PER_DAY));
	ck_assert(clock_watch_look(&watch, SEEN_US + 60 * CLOCK_US_PER_SECOND));
	ck_assert(!watch.held);
	ck_assert_int_eq(watch.seen_us, SEEN_US + 60 * CLOCK_US_PER_SECOND);
}
END_TEST

START_TEST(a_clock_set_back_does_not_take_the_last_seen_time_back)
{
	ck_assert(clock_watch_look(&watch, SEEN_US - 800 * CLOCK_US_PER_DAY));
	ck_assert_int_eq(watch.seen_us, SEEN_US);
}
END_TEST

/* --- what an older version has left --- */

static void forget_seen(struct meta *meta)
{
	struct change change;
	struct error err;

	ck_assert_int_eq(change_begin(&change, meta, &err), 0);
	ck_assert_int_eq(change_remove(&change, META_DB_VALUES, STR_LITERAL("clock_seen"), &err), 1);
	ck_assert_int_eq(change_end(&change, 0, &err), 0);
}

START_TEST(without_a_last_seen_time_the_newest_day_that_is_stored_stands_for_it)
{
	static const int ages[] = { 0, 1, 2, 800 };
	struct clock_watch seen;
	struct fixture f;
	struct error err;
	int32_t today = clock_day_of(clock_now_us());

	fixture_open(&f, FIXTURE_MAP_BYTES);
	ck_assert_ptr_nonnull(store_day(f.store, today - ages[_i], true, &err));
	ck_assert_ptr_nonnull(store_day(f.store, today - 900, true, &err));
	forget_seen(f.meta);
	fixture_restart(&f);
	store_clock_watch(f.store, &seen);
	ck_assert_int_eq(seen.held, ages[_i] > 1);
	fixture_close(&f);
}
END_TEST

Suite *suite_clock_watch(void);

Suite *suite_clock_watch(void)
{
	Suite *suite = suite_create("clock_watch");
	TCase *tcase = tcase_create("clock_watch");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, a_clock_that_goes_on_is_believed_and_moves_the_last_seen_time);
	tcase_add_test(tcase, more_than_a_day_ahead_is_not_believed_and_moves_nothing);
	tcase_add_test(tcase, a_clock_that_is_back_is_believed_again);
	tcase_add_test(tcase, a_clock_set_back_does_not_take_the_last_seen_time_back);
	tcase_add_loop_test(tcase, without_a_last_seen_time_the_newest_day_that_is_stored_stands_for_it, 0, 4);
	suite_add_tcase(suite, tcase);
	return suite;
}
