/*
 * test_clock_watch.c: which clocks are believed.
 */
#include <check.h>

#include "base/clock.h"
#include "store/clock_watch.h"

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
	suite_add_tcase(suite, tcase);
	return suite;
}
