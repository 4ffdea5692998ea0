/* SPDX-License-Identifier: ISC */
/*
 * test_spans.c: numbers of commits of several front ends: they settle in their order, and ids are locked.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "store/cluster/spans.h"

Suite *suite_spans(void);

#define SPANS 8

struct commit {
	struct span span;
	uint64_t hashes[4];
	int granted, settled, failed;
};

static struct spans spans;
static struct commit commits[SPANS];
static uint64_t last;
static bool has_no_more;

static int take(void *arg, uint64_t count, uint64_t *from, struct error *err)
{
	(void)arg;
	if (has_no_more)
		return error_set(err, ERROR_UNAVAILABLE, "no numbers");
	*from = last + 1;
	last += count;
	return 0;
}

static void on_granted(void *arg, const struct error *err)
{
	struct commit *commit = arg;

	commit->granted++;
	commit->failed += err != NULL;
}

static void on_settled(void *arg)
{
	((struct commit *)arg)->settled++;
}

static void setup(void)
{
	memset(commits, 0, sizeof(commits));
	last = 0;
	has_no_more = false;
	spans_init(&spans, take, NULL);
}

static void teardown(void)
{
	for (int i = 0; i < SPANS; i++)
		span_drop(&spans, &commits[i].span);
}

static int begin(int i, uint64_t numbers, uint64_t hash)
{
	struct error err;

	commits[i].hashes[0] = hash;
	commits[i].span = (struct span){ .hashes = commits[i].hashes,
		                         .count = hash != UINT64_MAX,
		                         .numbers_count = numbers,
		                         .granted = on_granted,
		                         .settled = on_settled,
		                         .arg = &commits[i] };
	return span_begin(&spans, &commits[i].span, &err);
}

START_TEST(numbers_follow_each_other)
{
	ck_assert_uint_eq(spans_first(&spans), 0);
	ck_assert_int_eq(begin(0, 3, 1), 1);
	ck_assert_int_eq(begin(1, 5, 2), 1);
	ck_assert_uint_eq(commits[0].span.from, 1);
	ck_assert_uint_eq(commits[0].span.to, 3);
	ck_assert_uint_eq(commits[1].span.from, 4);
	ck_assert_uint_eq(commits[1].span.to, 8);
	ck_assert_uint_eq(spans_first(&spans), 1);
}
END_TEST

START_TEST(span_settles_when_all_before_it_have)
{
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(begin(i, 2, (uint64_t)i + 1), 1);
	span_stored(&spans, &commits[1].span);
	ck_assert_int_eq(commits[1].settled, 0);
	ck_assert_uint_eq(spans_first(&spans), 1);
	span_stored(&spans, &commits[0].span);
	ck_assert_int_eq(commits[0].settled, 1);
	ck_assert_int_eq(commits[1].settled, 1);
	ck_assert_uint_eq(spans_first(&spans), 5);
	span_stored(&spans, &commits[2].span);
	ck_assert_int_eq(commits[2].settled, 1);
	ck_assert_uint_eq(spans_first(&spans), 0);
	ck_assert_int_eq(commits[0].granted, 0); /* it was told when it began */
}
END_TEST

START_TEST(span_that_is_given_up_holds_none_up)
{
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(begin(i, 2, (uint64_t)i + 1), 1);
	span_stored(&spans, &commits[1].span);
	span_stored(&spans, &commits[2].span);
	span_drop(&spans, &commits[0].span);
	ck_assert_int_eq(commits[0].settled, 0);
	ck_assert_int_eq(commits[1].settled + commits[2].settled, 2);
	span_drop(&spans, &commits[0].span);
	ck_assert_uint_eq(spans_first(&spans), 0);
}
END_TEST

START_TEST(id_of_another_one_is_waited_for)
{
	ck_assert_int_eq(begin(0, 2, 7), 1);
	ck_assert_int_eq(begin(1, 2, 7), 0);
	ck_assert_int_eq(begin(2, 2, 8), 1);
	ck_assert_int_eq(begin(3, 2, 7), 0);
	span_stored(&spans, &commits[2].span);
	ck_assert_int_eq(commits[1].granted, 0);
	span_stored(&spans, &commits[0].span);
	ck_assert_int_eq(commits[1].granted, 1);
	ck_assert_uint_eq(commits[1].span.from, 5); /* after all that it finds when it looks up */
	ck_assert_int_eq(commits[3].granted, 0);
	span_drop(&spans, &commits[1].span);
	ck_assert_int_eq(commits[3].granted, 1);
	ck_assert_int_eq(commits[3].failed, 0);
	ck_assert_int_eq(commits[3].span.state, SPAN_OPEN);
}
END_TEST

/* What is stored is found, though it has not settled. */
START_TEST(id_is_locked_until_it_is_stored)
{
	ck_assert_int_eq(begin(0, 2, 1), 1);
	ck_assert_int_eq(begin(1, 2, 7), 1);
	ck_assert_int_eq(begin(2, 2, 7), 0);
	span_stored(&spans, &commits[1].span);
	ck_assert_int_eq(commits[1].settled, 0);
	ck_assert_int_eq(commits[2].granted, 1);
}
END_TEST

START_TEST(one_that_waits_can_go)
{
	ck_assert_int_eq(begin(0, 2, 7), 1);
	ck_assert_int_eq(begin(1, 2, 7), 0);
	span_drop(&spans, &commits[1].span);
	span_stored(&spans, &commits[0].span);
	ck_assert_int_eq(commits[1].granted, 0);
	ck_assert_uint_eq(spans_first(&spans), 0);
}
END_TEST

START_TEST(hash_of_zero_and_none_are_no_exception)
{
	ck_assert_int_eq(begin(0, 2, 0), 1);
	ck_assert_int_eq(begin(1, 2, 0), 0);
	ck_assert_int_eq(begin(2, 1, UINT64_MAX), 1); /* of no record */
}
END_TEST

START_TEST(lack_of_numbers_is_told)
{
	ck_assert_int_eq(begin(0, 2, 7), 1);
	ck_assert_int_eq(begin(1, 2, 7), 0);
	has_no_more = true;
	ck_assert_int_eq(begin(2, 2, 8), -1);
	ck_assert_int_eq(commits[2].span.state, SPAN_NONE);
	span_stored(&spans, &commits[0].span);
	ck_assert_int_eq(commits[1].granted, 1);
	ck_assert_int_eq(commits[1].failed, 1);
	ck_assert_int_eq(commits[1].span.state, SPAN_NONE);
}
END_TEST

/* Of any order of beginning, storing and giving up: what has settled was stored, and all before it is stored or given up. */
START_TEST(snapshot_passes_over_nothing_that_is_open)
{
	unsigned seed = (unsigned)_i + 1;
	uint64_t snapshot = 0;

	for (int step = 0; step < 400; step++) {
		int i = rand_r(&seed) % SPANS;
		struct commit *commit = &commits[i];

		if (commit->span.state == SPAN_NONE) {
			commit->settled = commit->granted = 0;
			ck_assert_int_ge(begin(i, 1 + (uint64_t)rand_r(&seed) % 5, (uint64_t)rand_r(&seed) % 6), 0);
		} else if (commit->span.state == SPAN_OPEN && rand_r(&seed) % 4) {
			span_stored(&spans, &commit->span);
		} else if (rand_r(&seed) % 2) {
			span_drop(&spans, &commit->span);
		}
		uint64_t first = spans_first(&spans), now = first ? first - 1 : last;
		ck_assert_uint_ge(now, snapshot);
		snapshot = now;
		for (int k = 0; k < SPANS; k++) {
			const struct span *span = &commits[k].span;

			ck_assert(span->state < SPAN_OPEN || span->from > snapshot);
			for (int other = 0; other < k; other++)
				ck_assert(span->state != SPAN_OPEN || commits[other].span.state != SPAN_OPEN ||
				          commits[k].hashes[0] != commits[other].hashes[0]);
		}
	}
}
END_TEST

Suite *suite_spans(void)
{
	Suite *suite = suite_create("spans");
	TCase *order = tcase_create("spans");

	tcase_add_checked_fixture(order, setup, teardown);
	tcase_add_test(order, numbers_follow_each_other);
	tcase_add_test(order, span_settles_when_all_before_it_have);
	tcase_add_test(order, span_that_is_given_up_holds_none_up);
	tcase_add_test(order, id_of_another_one_is_waited_for);
	tcase_add_test(order, id_is_locked_until_it_is_stored);
	tcase_add_test(order, one_that_waits_can_go);
	tcase_add_test(order, hash_of_zero_and_none_are_no_exception);
	tcase_add_test(order, lack_of_numbers_is_told);
	tcase_add_loop_test(order, snapshot_passes_over_nothing_that_is_open, 0, 20);
	suite_add_tcase(suite, order);
	return suite;
}
