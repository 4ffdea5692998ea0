/* SPDX-License-Identifier: ISC */
/*
 * test_histogram.c: durations fall into the right buckets, and quantiles come out of them.
 */
#include <check.h>
#include <stddef.h>

#include "base/histogram.h"

#define MINUTE_US INT64_C(60000000)

static struct histogram histogram;

static void set_up(void)
{
	histogram = (struct histogram){ 0 };
}

START_TEST(empty_one_has_no_quantiles)
{
	ck_assert_int_eq(histogram_quantile_us(&histogram, 999), 0);
	ck_assert_uint_eq(histogram_count_to(&histogram, MINUTE_US), 0);
}
END_TEST

START_TEST(a_duration_comes_back_within_an_eighth)
{
	for (int64_t us = 0; us < MINUTE_US; us = us < 1000 ? us + 1 : us + us / 100) {
		set_up();
		histogram_add(&histogram, us);
		histogram_add(&histogram, 2 * MINUTE_US); /* so that the longest does not help */
		int64_t told = histogram_quantile_us(&histogram, 500);
		ck_assert_msg(told >= us && told <= us + us / 8, "%lld us came back as %lld", (long long)us,
		              (long long)told);
	}
}
END_TEST

START_TEST(quantiles_split_what_was_counted)
{
	for (int64_t us = 1; us <= 1000; us++)
		histogram_add(&histogram, us);
	ck_assert_uint_eq(histogram.total, 1000);
	ck_assert_int_eq(histogram.sum_us, 500500);
	ck_assert_int_eq(histogram.max_us, 1000);
	ck_assert_int_ge(histogram_quantile_us(&histogram, 500), 500);
	ck_assert_int_le(histogram_quantile_us(&histogram, 500), 562);
	ck_assert_int_eq(histogram_quantile_us(&histogram, 1000), 1000);
	ck_assert_uint_eq(histogram_count_to(&histogram, 1000), 1000);
	ck_assert_uint_eq(histogram_count_to(&histogram, 511), 511);
}
END_TEST

START_TEST(what_is_beyond_the_buckets_counts_too)
{
	histogram_add(&histogram, INT64_C(1) << 60);
	histogram_add(&histogram, -5);
	ck_assert_uint_eq(histogram.total, 2);
	ck_assert_int_eq(histogram_quantile_us(&histogram, 500), 0);
	ck_assert_int_eq(histogram_quantile_us(&histogram, 1000), INT64_C(1) << 60);
	ck_assert_uint_eq(histogram_count_to(&histogram, MINUTE_US), 1);
}
END_TEST

Suite *suite_histogram(void);

Suite *suite_histogram(void)
{
	Suite *suite = suite_create("histogram");
	TCase *tcase = tcase_create("histogram");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, empty_one_has_no_quantiles);
	tcase_add_test(tcase, a_duration_comes_back_within_an_eighth);
	tcase_add_test(tcase, quantiles_split_what_was_counted);
	tcase_add_test(tcase, what_is_beyond_the_buckets_counts_too);
	suite_add_tcase(suite, tcase);
	return suite;
}
