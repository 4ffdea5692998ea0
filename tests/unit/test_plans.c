/* SPDX-License-Identifier: ISC */
/*
 * test_plans.c: plans are read as they are written, and prices are exact.
 */
#include <check.h>

#include "billing/plans.h"

Suite *suite_plans(void);

static struct plans plans;
static struct error err;

static const struct plan *plan(const char *text, const char *name)
{
	err = (struct error){ 0 };
	ck_assert_msg(plans_read(&plans, text, name, "EUR", &err) == 0, "%s: %s", text, err.message);
	return plans_find(&plans, str_from(name));
}

static const char *total(const struct plan *of, uint64_t volume, uint64_t items)
{
	static struct buf text;
	struct decimal unit, sum;

	buf_clear(&text);
	plan_price(of, volume, items, &unit, &sum);
	decimal_format(&text, sum);
	buf_add_char(&text, '@');
	decimal_format(&text, unit);
	return buf_cstr(&text);
}

START_TEST(pay_as_you_go_is_exact)
{
	const struct plan *payg = plan("payg: record 0.0004 | unlimited: month 450", "payg");

	ck_assert_str_eq(total(payg, 0, 300), "0.12@0.0004");
	ck_assert_str_eq(total(payg, 12345, 10000), "4@0.0004");
	ck_assert_str_eq(total(payg, 0, 0), "0@0.0004");
	ck_assert_str_eq(total(payg, 0, UINT64_C(1000000000000)), "400000000@0.0004");
	ck_assert_str_eq(payg->currency, "EUR");
	ck_assert_int_eq(payg->month.units == 0, 1);
}
END_TEST

START_TEST(unlimited_costs_a_fee_and_nothing_else)
{
	const struct plan *unlimited = plan("payg: record 0.0004 | unlimited: month 450", "unlimited");

	ck_assert_str_eq(total(unlimited, 5, 1000000), "0@0");
	ck_assert_int_eq(unlimited->month.units == (decimal_units)450 * 1000000000000, 1);
	ck_assert_uint_eq(plans.fallback, 1);
}
END_TEST

#define TIERED "big: free 1000, record 0.0004 to 100000, record 0.0003 to 200000, record 0.0001, currency USD"

START_TEST(tiers_are_priced_record_by_record)
{
	static const struct {
		uint64_t volume;
		uint64_t items;
		const char *total;
	} rows[] = {
		{ 0, 1000, "0@0" },
		{ 0, 1001, "0.0004@0.0004" },
		{ 999, 2, "0.0004@0.0004" },
		{ 1000, 99000, "39.6@0.0004" },
		{ 0, 100000, "39.6@0.0004" },
		{ 0, 100001, "39.6003@0.0003" },
		{ 99999, 2, "0.0007@0.0003" },
		{ 0, 300000, "79.6@0.0001" }, /* 39.6 + 30 + 10 */
		{ 200000, 1, "0.0001@0.0001" },
		{ 100000, 0, "0@0.0003" }, /* the next record's price */
	};
	const struct plan *big = plan(TIERED, "big");

	ck_assert_str_eq(big->currency, "USD");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_str_eq(total(big, rows[i].volume, rows[i].items), rows[i].total);
}
END_TEST

START_TEST(parts_of_a_volume_cost_what_the_whole_costs)
{
	const struct plan *big = plan(TIERED, "big");
	struct decimal unit, sum = { 0 }, part, whole;
	uint64_t volume = 0;

	for (uint64_t items = 1; volume + items <= 300000; items = items * 7 % 1009 + 1) {
		plan_price(big, volume, items, &unit, &part);
		ck_assert(decimal_add(&sum, part));
		volume += items;
	}
	plan_price(big, 0, volume, &unit, &whole);
	ck_assert(sum.units == whole.units);
}
END_TEST

START_TEST(limits_of_a_plan_are_its_own)
{
	const struct plan *gold = plan(" gold : sync 50 , async 0, downloads 3, queued 7 |a:", "gold");

	ck_assert_int_eq(gold->limits[PLAN_SYNC], 50);
	ck_assert_int_eq(gold->limits[PLAN_ASYNC], 0);
	ck_assert_int_eq(gold->limits[PLAN_DOWNLOADS], 3);
	ck_assert_int_eq(gold->limits[PLAN_QUEUED], 7);
	ck_assert_int_eq(plans_find(&plans, STR_LITERAL("a"))->limits[PLAN_SYNC], -1);
	ck_assert_ptr_null(plans_find(&plans, STR_LITERAL("b")));
}
END_TEST

static const struct {
	const char *text;
	const char *fallback;
	const char *currency;
	const char *says; /* part of the message */
} wrong[] = {
	{ "", "a", "EUR", "plans: \"\" is not NAME:" },
	{ "a", "a", "EUR", "plans: \"a\" is not NAME:" },
	{ "a b: record 1", "a", "EUR", "\"a b\" is not a name of 1 to 32" },
	{ "a: | a:", "a", "EUR", "plan a: is given twice" },
	{ "a: record free", "a", "EUR", "plan a: record: \"free\" is not an amount" },
	{ "a: record -1", "a", "EUR", "\"-1\" is not an amount" },
	{ "a: record 1000001", "a", "EUR", "from 0 to 1000000" },
	{ "a: record 1 per 5", "a", "EUR", "must be \"record PRICE\" or" },
	{ "a: record 1 to 0", "a", "EUR", "must be more than the one before, 0" },
	{ "a: record 2 to 10, record 1 to 10, record 0", "a", "EUR", "to 10: must be more than the one before, 10" },
	{ "a: record 2, record 1", "a", "EUR", "after one without \"to COUNT\"" },
	{ "a: record 2 to 10", "a", "EUR", "the last record price must have no" },
	{ "a: free many", "a", "EUR", "free: \"many\" is not a number from 0 to 1000000000000000" },
	{ "a: free 1 2", "a", "EUR", "free: \"1 2\" is not a number" },
	{ "a: month", "a", "EUR", "month: \"\" is not an amount" },
	{ "a: currency euro", "a", "EUR", "plan a: currency: \"euro\" is not 1 to 7 upper case" },
	{ "a: sync 1000001", "a", "EUR", "sync: \"1000001\" is not a number from 0 to 1000000" },
	{ "a: speed 7", "a", "EUR", "\"speed 7\" is not one of: record, free, month, currency, sync" },
	{ "a:", "b", "EUR", "plan_default: \"b\" is none of the plans" },
	{ "a:", "a", "", "currency: \"\" is not 1 to 7 upper case" },
};

START_TEST(what_is_wrong_is_named)
{
	err = (struct error){ 0 };
	ck_assert_int_eq(plans_check(wrong[_i].text, wrong[_i].fallback, wrong[_i].currency, &err), -1);
	ck_assert_int_eq(err.code, ERROR_INVALID);
	ck_assert_msg(strstr(err.message, wrong[_i].says) != NULL, "%s: \"%s\", not \"%s\"", wrong[_i].text,
	              err.message, wrong[_i].says);
}
END_TEST

START_TEST(too_many_are_refused)
{
	struct buf text = { 0 };

	for (int i = 0; i <= PLANS_MAX; i++)
		buf_addf(&text, "%sp%d:", i > 0 ? "|" : "", i);
	ck_assert_int_eq(plans_check(buf_cstr(&text), "p0", "EUR", &err), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "more than 64 plans"));
	buf_clear(&text);
	buf_add_text(&text, "a:");
	for (int i = 1; i <= PLAN_TIERS_MAX + 1; i++)
		buf_addf(&text, "%srecord 1 to %d", i > 1 ? "," : "", i);
	ck_assert_int_eq(plans_check(buf_cstr(&text), "a", "EUR", &err), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "more than 16 record prices"));
	buf_free(&text);
}
END_TEST

Suite *suite_plans(void)
{
	Suite *suite = suite_create("plans");
	TCase *tc = tcase_create("billing_plans");

	tcase_add_test(tc, pay_as_you_go_is_exact);
	tcase_add_test(tc, unlimited_costs_a_fee_and_nothing_else);
	tcase_add_test(tc, tiers_are_priced_record_by_record);
	tcase_add_test(tc, parts_of_a_volume_cost_what_the_whole_costs);
	tcase_add_test(tc, limits_of_a_plan_are_its_own);
	tcase_add_loop_test(tc, what_is_wrong_is_named, 0, (int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_test(tc, too_many_are_refused);
	suite_add_tcase(suite, tc);
	return suite;
}
