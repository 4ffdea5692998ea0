/* SPDX-License-Identifier: ISC */
/*
 * test_heavy_hitters.c: the accounts with the most of something today.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/heavy_hitters.h"

Suite *suite_heavy_hitters(void);

#define NOON (INT64_C(20000) * CLOCK_US_PER_DAY + CLOCK_US_PER_DAY / 2)

static struct heavy_hitters table;

static void setup(void)
{
	memset(&table, 0, sizeof(table));
	heavy_hitters_begin_day(&table, NOON);
}

static void add_number(int number, decimal_units more)
{
	char id[16];

	(void)snprintf(id, sizeof(id), "a%07d", number);
	heavy_hitters_add(&table, str_from(id), "", more);
}

static void expect(const struct heavy_hitter *hitter, const char *id, int64_t sum)
{
	ck_assert_str_eq(hitter->id, id);
	ck_assert_int_eq((int64_t)hitter->sum, sum);
}

START_TEST(sums_are_exact_and_in_order_while_all_accounts_fit)
{
	const struct heavy_hitter *top[3];

	for (int round = 0; round < 3; round++)
		for (int i = 0; i < HEAVY_HITTERS_MAX; i++)
			add_number(i, i);
	ck_assert_uint_eq(heavy_hitters_top(&table, top, 3), 3);
	expect(top[0], "a0001023", 3 * 1023);
	expect(top[1], "a0001022", 3 * 1022);
	ck_assert_uint_eq(top[0]->count, 3);
	ck_assert(table.reduced == 0);
}
END_TEST

START_TEST(sums_of_two_kinds_are_not_added)
{
	const struct heavy_hitter *top[3];

	heavy_hitters_add(&table, STR_LITERAL("abcd1234"), "EUR", 5);
	heavy_hitters_add(&table, STR_LITERAL("abcd1234"), "USD", 7);
	heavy_hitters_add(&table, STR_LITERAL("abcd1234"), "EUR", 5);
	ck_assert_uint_eq(heavy_hitters_top(&table, top, 3), 2);
	expect(top[0], "abcd1234", 10);
	ck_assert_str_eq(top[0]->kind, "EUR");
	expect(top[1], "abcd1234", 7);
}
END_TEST

/* A hundred accounts have most of what a hundred thousand add. */
START_TEST(the_greatest_stay_when_more_accounts_come_than_fit)
{
	const struct heavy_hitter *top[100];
	int64_t sent = 0;

	for (int i = 0; i < 100000; i++) {
		add_number(1000 + i, 1);
		add_number(i % 100, 20);
		sent += i % 100 == 7 ? 20 : 0;
	}
	ck_assert_uint_eq(heavy_hitters_top(&table, top, 100), 100);
	for (size_t i = 0; i < 100; i++) {
		ck_assert_msg(strcmp(top[i]->id, "a0000100") < 0, "place %zu: %s", i, top[i]->id);
		ck_assert_int_le((int64_t)top[i]->sum, sent);
		ck_assert_int_ge((int64_t)(top[i]->sum + table.reduced), sent);
	}
}
END_TEST

START_TEST(accounts_without_a_sum_make_room)
{
	const struct heavy_hitter *top[2];

	for (int i = 0; i < 3 * HEAVY_HITTERS_MAX; i++)
		add_number(i, 0);
	add_number(5, 2);
	ck_assert_uint_ge(heavy_hitters_top(&table, top, 2), 1);
	expect(top[0], "a0000005", 2);
}
END_TEST

START_TEST(a_new_day_begins_with_nothing)
{
	const struct heavy_hitter *top[2];

	ck_assert_int_eq(table.since_us, NOON);
	add_number(1, 2);
	heavy_hitters_begin_day(&table, NOON + 3600 * CLOCK_US_PER_SECOND);
	ck_assert_uint_eq(heavy_hitters_top(&table, top, 2), 1);
	heavy_hitters_begin_day(&table, NOON + CLOCK_US_PER_DAY);
	ck_assert_uint_eq(heavy_hitters_top(&table, top, 2), 0);
	ck_assert_int_eq(table.since_us, NOON + CLOCK_US_PER_DAY / 2);
	add_number(1, 3);
	ck_assert_uint_eq(heavy_hitters_top(&table, top, 2), 1);
	expect(top[0], "a0000001", 3);
}
END_TEST

START_TEST(what_has_no_id_or_too_long_a_one_is_not_counted)
{
	const struct heavy_hitter *top[1];
	char id[HEAVY_HITTERS_ID_MAX + 1];

	memset(id, 'x', sizeof(id));
	heavy_hitters_add(&table, (struct str){ NULL, 0 }, "", 1);
	heavy_hitters_add(&table, (struct str){ id, sizeof(id) }, "", 1);
	ck_assert_uint_eq(heavy_hitters_top(&table, top, 1), 0);
	heavy_hitters_add(&table, (struct str){ id, sizeof(id) - 1 }, "", 1);
	ck_assert_uint_eq(heavy_hitters_top(&table, top, 1), 1);
}
END_TEST

Suite *suite_heavy_hitters(void)
{
	Suite *suite = suite_create("heavy_hitters");
	TCase *tc = tcase_create("heavy_hitters");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, sums_are_exact_and_in_order_while_all_accounts_fit);
	tcase_add_test(tc, sums_of_two_kinds_are_not_added);
	tcase_add_test(tc, the_greatest_stay_when_more_accounts_come_than_fit);
	tcase_add_test(tc, accounts_without_a_sum_make_room);
	tcase_add_test(tc, a_new_day_begins_with_nothing);
	tcase_add_test(tc, what_has_no_id_or_too_long_a_one_is_not_counted);
	suite_add_tcase(suite, tc);
	return suite;
}
