/* SPDX-License-Identifier: ISC */
/*
 * test_reconcile.c: pairs, differences, sums and the external sort of reconciliations.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "reconcile/class_sums.h"
#include "reconcile/pairing.h"
#include "reconcile/reconcile_request.h"
#include "reconcile/sorter.h"

Suite *suite_reconcile(void);

static struct error err;
static struct pairing pairing;
static int pairs[PAIRING_ROWS_MAX];

static struct match_row row(int seconds, const char *duration)
{
	struct match_row made = { .hash = 1, .check = 2, .time_us = seconds * CLOCK_US_PER_SECOND };

	made.texts[MATCH_DURATION] = str_from(duration);
	return made;
}

static struct pairing_rules rules_of(int tolerance_s, const char *duration_tolerance)
{
	struct pairing_rules rules = { .time_tolerance_us = tolerance_s * CLOCK_US_PER_SECOND,
		                       .compared = PAIRING_ALL };

	ck_assert(decimal_parse(str_from(duration_tolerance), &rules.duration_tolerance));
	return rules;
}

static void make_pairs(const struct pairing_rules *rules, const struct match_row *ours, size_t ours_count,
                       const struct match_row *theirs, size_t theirs_count)
{
	bool more = pairing_begin(&pairing, rules, ours, ours_count, theirs, theirs_count, pairs);

	while (more)
		more = pairing_round(&pairing);
}

/* The indexes of ours, "-" where there is none: "0 - 2". */
static const char *made(const struct pairing_rules *rules, const struct match_row *ours, size_t ours_count,
                        const struct match_row *theirs, size_t theirs_count)
{
	static char text[256];
	size_t len = 0;

	text[0] = '\0';
	make_pairs(rules, ours, ours_count, theirs, theirs_count);
	for (size_t i = 0; i < theirs_count; i++)
		len += (size_t)(pairs[i] == PAIRING_NONE ?
		                        snprintf(text + len, sizeof(text) - len, "%s-", i ? " " : "") :
		                        snprintf(text + len, sizeof(text) - len, "%s%d", i ? " " : "", pairs[i]));
	return text;
}

/* --- pairs --- */

START_TEST(one_row_of_each_side_is_a_pair_within_the_tolerance_alone)
{
	struct pairing_rules rules = rules_of(10, "0");
	struct match_row ours = row(100, "5"), theirs = row(110, "5");

	ck_assert_str_eq(made(&rules, &ours, 1, &theirs, 1), "0");
	theirs.time_us++;
	ck_assert_str_eq(made(&rules, &ours, 1, &theirs, 1), "-");
	theirs.time_us = ours.time_us;
	theirs.check++;
	ck_assert_str_eq(made(&rules, &ours, 1, &theirs, 1), "-");
}
END_TEST

START_TEST(the_nearest_rows_are_pairs_whatever_comes_first)
{
	struct pairing_rules rules = rules_of(60, "0");
	struct match_row ours[] = { row(0, "5"), row(50, "5") }, theirs[] = { row(30, "5"), row(49, "5") };

	ck_assert_str_eq(made(&rules, ours, 2, theirs, 2), "0 1");
	ck_assert_str_eq(made(&rules, ours + 1, 1, theirs, 2), "- 0");
}
END_TEST

START_TEST(durations_that_agree_are_worth_more_than_nearness)
{
	struct pairing_rules rules = rules_of(60, "1");
	struct match_row ours[] = { row(0, "60"), row(20, "5") }, theirs[] = { row(19, "61") };

	ck_assert_str_eq(made(&rules, ours, 2, theirs, 1), "0");
	theirs[0].texts[MATCH_DURATION] = STR_LITERAL("62");
	ck_assert_str_eq(made(&rules, ours, 2, theirs, 1), "1");
	theirs[0].texts[MATCH_DURATION] = STR_LITERAL("");
	ck_assert_str_eq(made(&rules, ours, 2, theirs, 1), "1");
}
END_TEST

START_TEST(a_clock_that_is_off_shifts_no_series_of_calls)
{
	struct pairing_rules rules = rules_of(10, "0");
	struct match_row ours[5], theirs[5];
	static const char *const durations[] = { "3", "4", "5", "6", "7" };

	for (int i = 0; i < 5; i++) {
		ours[i] = row(10 * i, durations[i]);
		theirs[i] = row(10 * i + 7, durations[i]);
	}
	ck_assert_str_eq(made(&rules, ours, 5, theirs, 5), "0 1 2 3 4");
}
END_TEST

START_TEST(a_burst_of_equal_rows_is_paired_whole)
{
	static struct match_row ours[PAIRING_ROWS_MAX], theirs[PAIRING_ROWS_MAX];

	for (int skew = -5; skew <= 5; skew += 5) {
		struct pairing_rules rules = rules_of(5, "0");
		bool taken[PAIRING_ROWS_MAX] = { false };

		for (int i = 0; i < PAIRING_ROWS_MAX; i++) {
			ours[i] = row(100, "1");
			theirs[i] = row(100 + skew, "1");
		}
		make_pairs(&rules, ours, PAIRING_ROWS_MAX, theirs, PAIRING_ROWS_MAX);
		for (int i = 0; i < PAIRING_ROWS_MAX; i++) {
			ck_assert_msg(pairs[i] != PAIRING_NONE && !taken[pairs[i]], "skew %d, row %d: %d", skew, i,
			              pairs[i]);
			taken[pairs[i]] = true;
		}
	}
}
END_TEST

static size_t pairs_made(void)
{
	size_t count = 0;

	for (size_t i = 0; i < PAIRING_ROWS_MAX; i++)
		count += pairs[i] != PAIRING_NONE;
	return count;
}

/* The carrier's are all later than ours, so that each is nearest to the same few. */
START_TEST(rows_that_take_long_are_paired_in_rounds_between_which_others_have_their_turn)
{
	static struct match_row ours[PAIRING_ROWS_MAX], theirs[PAIRING_ROWS_MAX];
	struct pairing_rules rules = rules_of(60, "0");
	size_t before = 0;

	for (int i = 0; i < PAIRING_ROWS_MAX; i++) {
		ours[i] = row(100, "1");
		theirs[i] = row(101, "1");
		theirs[i].time_us += i;
	}
	ck_assert(pairing_begin(&pairing, &rules, ours, PAIRING_ROWS_MAX, theirs, PAIRING_ROWS_MAX, pairs));
	while (pairing_round(&pairing)) {
		ck_assert_msg(pairs_made() > before && pairs_made() <= before + PAIRING_NEAREST, "%zu pairs after %zu",
		              pairs_made(), before);
		before = pairs_made();
	}
	ck_assert_uint_eq(pairs_made(), PAIRING_ROWS_MAX);
}
END_TEST

/* Compared with all that is possible: no row without a pair could have one with another that has none. */
START_TEST(no_two_rows_that_could_be_a_pair_are_left_over)
{
	struct match_row ours[40], theirs[40];
	struct pairing_rules rules = rules_of(3, "0");

	srand(7);
	for (int round = 0; round < 300; round++) {
		size_t ours_count = (size_t)rand() % 40, theirs_count = (size_t)rand() % 40;
		bool taken[40] = { false };
		int at = 0;

		for (size_t i = 0; i < ours_count; i++)
			ours[i] = row(at += rand() % 3, rand() % 2 ? "1" : "2");
		at = 0;
		for (size_t i = 0; i < theirs_count; i++)
			theirs[i] = row(at += rand() % 3, rand() % 2 ? "1" : "2");
		make_pairs(&rules, ours, ours_count, theirs, theirs_count);
		for (size_t i = 0; i < theirs_count; i++)
			if (pairs[i] != PAIRING_NONE) {
				ck_assert(!taken[pairs[i]]);
				taken[pairs[i]] = true;
			}
		for (size_t i = 0; i < theirs_count; i++)
			for (size_t k = 0; k < ours_count && pairs[i] == PAIRING_NONE; k++)
				ck_assert_msg(taken[k] || llabs(ours[k].time_us - theirs[i].time_us) >
				                                  rules.time_tolerance_us,
				              "round %d: %zu and %zu", round, i, k);
	}
}
END_TEST

/* --- differences --- */

START_TEST(differences_are_exact_and_leave_out_what_the_carrier_does_not_say)
{
	struct pairing_rules rules = rules_of(0, "0.5");
	struct match_row ours = row(0, "60"), theirs = row(0, "60.5");

	ours.texts[MATCH_PRICE] = STR_LITERAL("0.10");
	ours.texts[MATCH_CURRENCY] = STR_LITERAL("EUR");
	ours.texts[MATCH_STATUS] = STR_LITERAL("answered");
	ck_assert_uint_eq(pairing_differences(&rules, &ours, &theirs), 0);
	theirs.texts[MATCH_DURATION] = STR_LITERAL("60.500000000001");
	ck_assert_uint_eq(pairing_differences(&rules, &ours, &theirs), PAIRING_DURATION);
	theirs.texts[MATCH_DURATION] = STR_LITERAL("");
	theirs.texts[MATCH_PRICE] = STR_LITERAL("0.1");
	theirs.texts[MATCH_STATUS] = STR_LITERAL("ANSWERED");
	ck_assert_uint_eq(pairing_differences(&rules, &ours, &theirs), 0);
	theirs.texts[MATCH_PRICE] = STR_LITERAL("0.100000000001");
	ck_assert_uint_eq(pairing_differences(&rules, &ours, &theirs), PAIRING_PRICE);
	rules.price_tolerance.units = 1;
	ck_assert_uint_eq(pairing_differences(&rules, &ours, &theirs), 0);
	theirs.texts[MATCH_CURRENCY] = STR_LITERAL("USD");
	ck_assert_uint_eq(pairing_differences(&rules, &ours, &theirs), PAIRING_PRICE);
	theirs.texts[MATCH_STATUS] = STR_LITERAL("failed");
	rules.compared = PAIRING_STATUS;
	ck_assert_uint_eq(pairing_differences(&rules, &ours, &theirs), PAIRING_STATUS);
}
END_TEST

START_TEST(what_we_lack_and_the_carrier_bills_differs)
{
	struct pairing_rules rules = rules_of(0, "0");
	struct match_row ours = row(0, ""), theirs = row(0, "1");

	theirs.texts[MATCH_PRICE] = STR_LITERAL("0");
	ck_assert_uint_eq(pairing_differences(&rules, &ours, &theirs), PAIRING_PRICE | PAIRING_DURATION);
}
END_TEST

/* --- sums --- */

START_TEST(sums_beyond_the_most_are_counted_as_unsummed)
{
	struct class_sums *sums = calloc(1, sizeof(*sums));
	struct buf out = { 0 };
	struct json json = json_to(&out);
	char country[8];

	for (int i = 0; i < CLASS_SUMS_MAX + 5; i++) {
		(void)snprintf(country, sizeof(country), "%d", i);
		class_sums_add(sums, CLASS_OURS, STR_LITERAL("EUR"), str_from(country), STR_LITERAL("1"));
	}
	class_sums_add(sums, CLASS_OURS, STR_LITERAL("EUR"), STR_LITERAL("1"), STR_LITERAL("free"));
	ck_assert_uint_eq(sums->unsummed, 6);
	class_sums_write(sums, &json);
	ck_assert(strstr(buf_cstr(&out), "\"country\":\"1\",\"rows_ours\":2,\"rows_theirs\":0,\"sum_ours\":\"1\""));
	buf_free(&out);
	free(sums);
}
END_TEST

/* --- the sort --- */

static void add(struct sorter *sorter, uint64_t serial, uint64_t hash, const char *id)
{
	struct match_row made_row = { .serial = serial, .hash = hash, .time_us = (int64_t)(hash % 7) };
	struct buf packed = { 0 };

	made_row.texts[MATCH_ID] = str_from(id);
	match_row_pack(&packed, &made_row);
	ck_assert_int_eq(sorter_add(sorter, buf_str(&packed), &err), 0);
	buf_free(&packed);
}

static uint64_t check_sorted(struct sorter *sorter)
{
	struct match_order last = { 0 };
	const char *packed;
	uint64_t count = 0;
	int result;

	ck_assert_int_eq(sorter_end(sorter, &err), 0);
	while ((result = sorter_open(sorter, &err)) == 0)
		;
	ck_assert_int_eq(result, 1);
	while ((result = sorter_next(sorter, &packed, &err)) == 1) {
		struct match_order order = match_row_order(packed);
		struct match_row unpacked;

		ck_assert(count == 0 || match_order_compare(&last, &order) < 0);
		match_row_unpack(packed, &unpacked);
		ck_assert_uint_eq(unpacked.texts[MATCH_ID].len, unpacked.serial % 900);
		last = order;
		count++;
	}
	ck_assert_int_eq(result, 0);
	return count;
}

START_TEST(rows_of_many_runs_come_in_order_and_whole)
{
	char path[] = "/tmp/cdrd-sorter-XXXXXX", id[1024];
	int fd = mkstemp(path);
	struct sorter *sorter = sorter_new(path, &err);
	uint64_t rows = 20000;

	memset(id, 'x', sizeof(id));
	srand(3);
	for (uint64_t i = 0; i < rows; i++) {
		id[i % 900] = '\0';
		add(sorter, i, (uint64_t)rand() % 5000, id);
		id[i % 900] = 'x';
	}
	ck_assert_uint_eq(sorter_rows(sorter), rows);
	ck_assert_uint_eq(check_sorted(sorter), rows);
	sorter_free(sorter);
	close(fd);
	unlink(path);
}
END_TEST

START_TEST(nothing_sorted_is_nothing)
{
	char path[] = "/tmp/cdrd-sorter-XXXXXX";
	int fd = mkstemp(path);
	struct sorter *sorter = sorter_new(path, &err);

	ck_assert_uint_eq(check_sorted(sorter), 0);
	sorter_free(sorter);
	close(fd);
	unlink(path);
}
END_TEST

/* --- what is asked for --- */

static void add_param(struct query_params *params, const char *name, const char *value)
{
	ck_assert_int_eq(query_params_add(params, str_from(name), str_from(value), &err), 0);
}

START_TEST(the_month_is_that_of_the_time_zone)
{
	struct query_params params = { 0 };
	struct query_problems problems;
	struct reconcile_request request;
	struct buf text = { 0 };

	query_problems_clear(&problems);
	add_param(&params, "product", "SMS");
	add_param(&params, "account_id", "abcd1234");
	add_param(&params, "month", "2026-03");
	add_param(&params, "mapping", "kannel-access");
	add_param(&params, "time_zone", "Europe/Berlin");
	ck_assert(reconcile_request_read(&params, false, &request, &problems));
	clock_format_record(&text, request.from_us);
	buf_add_char(&text, ' ');
	clock_format_record(&text, request.to_us);
	ck_assert_str_eq(buf_cstr(&text), "2026-02-28T23:00:00+00:00 2026-03-31T22:00:00+00:00");
	ck_assert_int_eq(request.direction, CATALOG_OUTBOUND);
	ck_assert(request.rules.time_tolerance_us == INT64_MAX);
	buf_free(&text);
	query_params_free(&params);
}
END_TEST

Suite *suite_reconcile(void)
{
	Suite *suite = suite_create("reconcile");
	TCase *tcase = tcase_create("reconcile");

	tcase_add_test(tcase, one_row_of_each_side_is_a_pair_within_the_tolerance_alone);
	tcase_add_test(tcase, the_nearest_rows_are_pairs_whatever_comes_first);
	tcase_add_test(tcase, durations_that_agree_are_worth_more_than_nearness);
	tcase_add_test(tcase, a_clock_that_is_off_shifts_no_series_of_calls);
	tcase_add_test(tcase, a_burst_of_equal_rows_is_paired_whole);
	tcase_add_test(tcase, rows_that_take_long_are_paired_in_rounds_between_which_others_have_their_turn);
	tcase_add_test(tcase, no_two_rows_that_could_be_a_pair_are_left_over);
	tcase_add_test(tcase, differences_are_exact_and_leave_out_what_the_carrier_does_not_say);
	tcase_add_test(tcase, what_we_lack_and_the_carrier_bills_differs);
	tcase_add_test(tcase, sums_beyond_the_most_are_counted_as_unsummed);
	tcase_add_test(tcase, rows_of_many_runs_come_in_order_and_whole);
	tcase_add_test(tcase, nothing_sorted_is_nothing);
	tcase_add_test(tcase, the_month_is_that_of_the_time_zone);
	suite_add_tcase(suite, tcase);
	return suite;
}
