/* SPDX-License-Identifier: ISC */
/*
 * test_lag.c: a loop that is blocked is seen to be late, once for each request that would have waited.
 */
#include <check.h>
#include <event2/event.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lag.h"

#define BLOCK_US 100000

static struct event_base *base;
static struct lag *lag;

static void set_up(void)
{
	struct event_config *config = event_config_new();

	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	base = event_base_new_with_config(config);
	event_config_free(config);
	ck_assert_ptr_nonnull(base);
	lag = lag_new(base);
	ck_assert_ptr_nonnull(lag);
}

static void tear_down(void)
{
	lag_free(lag);
	event_base_free(base);
}

static void run_for(int64_t us)
{
	struct timeval time = { 0, us };

	event_base_loopexit(base, &time);
	event_base_dispatch(base);
}

static void block(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	usleep(BLOCK_US);
}

/* On a busy machine an idle loop is late, too, as it does not run: one quiet moment out of many will do. */
START_TEST(idle_loop_is_sampled_and_not_late)
{
	int64_t median_us = INT64_MAX;

	for (int i = 0; i < 20 && median_us >= 5000; i++) {
		tear_down();
		set_up();
		run_for(200000);
		ck_assert_uint_ge(lag_histogram(lag)->total, 20);
		median_us = histogram_quantile_us(lag_histogram(lag), 500);
	}
	ck_assert_int_lt(median_us, 5000);
}
END_TEST

START_TEST(blocked_loop_counts_every_due_time_that_it_missed)
{
	static const struct timeval soon = { 0, 12000 };
	int64_t begin_us = clock_monotonic_us();
	uint64_t late, due;

	event_base_once(base, -1, EV_TIMEOUT, block, NULL, &soon);
	run_for(200000);
	late = lag_histogram(lag)->total - histogram_count_to(lag_histogram(lag), BLOCK_US / 2);
	due = (uint64_t)((clock_monotonic_us() - begin_us) / LAG_PERIOD_US);
	ck_assert_msg(late >= 8 && late <= due, "%llu of %llu due times were late by half of the block",
	              (unsigned long long)late, (unsigned long long)due);
	ck_assert_int_ge(lag_recent_max_us(lag), BLOCK_US - 2 * LAG_PERIOD_US);
}
END_TEST

Suite *suite_lag(void);

Suite *suite_lag(void)
{
	Suite *suite = suite_create("lag");
	TCase *tcase = tcase_create("lag");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, idle_loop_is_sampled_and_not_late);
	tcase_add_test(tcase, blocked_loop_counts_every_due_time_that_it_missed);
	suite_add_tcase(suite, tcase);
	return suite;
}
