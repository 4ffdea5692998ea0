/* SPDX-License-Identifier: ISC */
/*
 * test_billing.c: buckets, failed logins, months, accounts' plans, and counting against scanning.
 */
#include <arpa/inet.h>
#include <check.h>

#include "base/clock.h"
#include "limits/bucket.h"
#include "limits/logins.h"
#include "billing/statement.h"
#include "meta/accounts.h"
#include "store/aggregate.h"
#include "scan_once.h"
#include "store_fixture.h"

Suite *suite_billing(void);

/* --- buckets --- */

#define START_US INT64_C(1000000000)

static int take_many(struct bucket *bucket, int64_t rate, int64_t now_us, int count)
{
	int taken = 0;

	for (int i = 0; i < count; i++)
		taken += bucket_take(bucket, rate, now_us);
	return taken;
}

START_TEST(a_bucket_gives_its_rate_at_once_and_then_by_time)
{
	struct bucket bucket = { 0 };

	ck_assert_int_eq(take_many(&bucket, 10, START_US, 30), 10);
	ck_assert_int_eq(bucket_left(&bucket), 0);
	ck_assert_int_eq(take_many(&bucket, 10, START_US + 99999, 30), 0);
	ck_assert_int_eq(take_many(&bucket, 10, START_US + 100000, 30), 1);
	ck_assert_int_eq(take_many(&bucket, 10, START_US + 600000, 30), 5);
	ck_assert_int_eq(take_many(&bucket, 10, START_US + 60000000, 30), 10);
}
END_TEST

START_TEST(a_bucket_takes_a_new_rate)
{
	struct bucket bucket = { 0 };

	ck_assert_int_eq(take_many(&bucket, 1000, START_US, 500), 500);
	ck_assert_int_eq(take_many(&bucket, 5, START_US, 500), 5);
	ck_assert_int_eq(take_many(&bucket, 1, START_US + 999999, 5), 0);
	ck_assert_int_eq(take_many(&bucket, 1, START_US + 2000000, 5), 1);
	ck_assert_int_eq(take_many(&bucket, 1000000, START_US + 9000000, 5), 5);
	ck_assert_int_eq(bucket_left(&bucket), 999995);
}
END_TEST

/* --- logins --- */

#define DELAY_MAX_US INT64_C(5000000)

static struct logins_address address(const char *text)
{
	struct sockaddr_in four = { .sin_family = AF_INET };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
		return logins_address_of((const struct sockaddr *)&four);
	ck_assert_int_eq(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
	return logins_address_of((const struct sockaddr *)&six);
}

START_TEST(delays_double_up_to_the_maximum)
{
	static const int64_t delays_ms[] = { 0, 0, 0, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000 };
	struct logins *logins = logins_new();
	struct logins_address from = address("192.0.2.1"), other = address("192.0.2.2");

	for (size_t i = 0; i < sizeof(delays_ms) / sizeof(delays_ms[0]); i++)
		ck_assert_int_eq(logins_failed(logins, &from, START_US, DELAY_MAX_US), delays_ms[i] * 1000);
	ck_assert_int_eq(logins_failed(logins, &other, START_US, DELAY_MAX_US), 0);
	logins_free(logins);
}
END_TEST

START_TEST(failures_are_forgiven_with_time)
{
	struct logins *logins = logins_new();
	struct logins_address from = address("192.0.2.1");

	for (int i = 0; i < 6; i++)
		logins_failed(logins, &from, START_US, DELAY_MAX_US);
	ck_assert_int_eq(logins_failed(logins, &from, START_US + LOGINS_FORGIVE_US, DELAY_MAX_US), 400000);
	ck_assert_int_eq(logins_failed(logins, &from, START_US + 100 * LOGINS_FORGIVE_US, DELAY_MAX_US), 0);
	logins_free(logins);
}
END_TEST

START_TEST(an_address_with_many_answers_kept_back_must_wait)
{
	struct logins *logins = logins_new();
	struct logins_address from = address("2001:db8::1"), same = address("2001:db8::ffff:2"),
			      other = address("2001:db8:0:1::1");

	ck_assert(!logins_any_waiting(logins));
	for (int i = 0; i < LOGINS_FREE + LOGINS_WAITING_MAX; i++) {
		ck_assert(logins_may_try(logins, &same, START_US));
		logins_failed(logins, i % 2 ? &from : &same, START_US, DELAY_MAX_US);
	}
	ck_assert(logins_any_waiting(logins));
	ck_assert(!logins_may_try(logins, &from, START_US));
	ck_assert(logins_may_try(logins, &other, START_US));
	logins_answered(logins, &from);
	ck_assert(logins_may_try(logins, &same, START_US));
	for (int i = 1; i < LOGINS_WAITING_MAX; i++)
		logins_answered(logins, &from);
	ck_assert(!logins_any_waiting(logins));
	logins_answered(logins, &from); /* once too often */
	ck_assert(!logins_any_waiting(logins));
	logins_free(logins);
}
END_TEST

START_TEST(an_answer_that_nobody_waited_for_counts_until_it_would_have_been_sent)
{
	struct logins *logins = logins_new();
	struct logins_address from = address("192.0.2.1"), other = address("192.0.2.2");

	for (int i = 0; i < LOGINS_FREE + LOGINS_WAITING_MAX; i++)
		logins_failed(logins, &from, START_US, DELAY_MAX_US);
	for (int i = 0; i < LOGINS_WAITING_MAX; i++)
		logins_left(logins, &from, START_US + i);
	ck_assert(logins_any_waiting(logins));
	ck_assert(!logins_may_try(logins, &from, START_US + LOGINS_WAITING_MAX - 2));
	ck_assert(logins_may_try(logins, &other, START_US));
	logins_left(logins, &from, START_US + DELAY_MAX_US); /* once too often */
	logins_answered(logins, &from);                      /* and again */
	ck_assert(!logins_may_try(logins, &from, START_US + LOGINS_WAITING_MAX - 2));
	ck_assert(logins_may_try(logins, &other, START_US + LOGINS_WAITING_MAX - 1)); /* whoever asks then */
	ck_assert(!logins_any_waiting(logins));
	logins_free(logins);
}
END_TEST

START_TEST(answers_to_others_that_left_do_not_keep_an_address_waiting)
{
	struct logins *logins = logins_new();
	struct logins_address from = address("192.0.2.1"), other = address("192.0.2.2");

	for (int i = 0; i < LOGINS_FREE + LOGINS_WAITING_MAX; i++) {
		logins_failed(logins, &from, START_US, DELAY_MAX_US);
		logins_failed(logins, &other, START_US, DELAY_MAX_US);
	}
	for (int i = 0; i < LOGINS_WAITING_MAX; i++) {
		logins_left(logins, &from, START_US + 1);
		logins_left(logins, &other, START_US + 2);
	}
	ck_assert(logins_may_try(logins, &from, START_US + 1));
	ck_assert(!logins_may_try(logins, &other, START_US + 1));
	ck_assert(logins_may_try(logins, &other, START_US + 2));
	ck_assert(!logins_any_waiting(logins));
	logins_free(logins);
}
END_TEST

START_TEST(ipv4_is_the_same_in_both_forms)
{
	struct logins_address four = address("192.0.2.1"), six = address("::ffff:192.0.2.1"),
			      other = address("::ffff:192.0.2.2");

	ck_assert_mem_eq(&four, &six, sizeof(four));
	ck_assert_mem_ne(&four, &other, sizeof(four));
}
END_TEST

START_TEST(more_addresses_than_fit_are_forgotten_not_kept)
{
	struct logins *logins = logins_new();

	for (int i = 0; i < 100000; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
		struct logins_address from = address(text);

		for (int k = 0; k < 5; k++)
			logins_failed(logins, &from, START_US + i, DELAY_MAX_US);
		logins_answered(logins, &from);
		if (i % 2)
			logins_answered(logins, &from);
		else
			logins_left(logins, &from, START_US + i);
	}
	ck_assert(logins_may_try(logins, &(struct logins_address){ { 0 } }, START_US + 100000));
	ck_assert(!logins_any_waiting(logins));
	logins_free(logins);
}
END_TEST

/* --- months --- */

START_TEST(months_have_their_bounds)
{
	int64_t from_us, to_us, now_us = INT64_C(1795824000) * CLOCK_US_PER_SECOND; /* 2026-11-28 */

	ck_assert(statement_month("2024-02", now_us, &from_us, &to_us));
	ck_assert_int_eq(to_us - from_us, 29 * CLOCK_US_PER_DAY);
	ck_assert(statement_month("2026-12", now_us, &from_us, &to_us));
	ck_assert_int_eq(to_us - from_us, 31 * CLOCK_US_PER_DAY);
	ck_assert(statement_month(NULL, now_us, &from_us, &to_us));
	ck_assert(from_us <= now_us && now_us < to_us);
	ck_assert_int_eq(to_us - from_us, 30 * CLOCK_US_PER_DAY);
}
END_TEST

START_TEST(what_is_no_month_is_refused)
{
	static const char *const texts[] = { "",         "2026",    "2026-13", "2026-00", "2026-1",
		                             "2026-011", "1969-12", "2026/11", "20a6-11", "2026-11 " };
	int64_t from_us, to_us;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(!statement_month(texts[i], 0, &from_us, &to_us), "\"%s\" was taken", texts[i]);
}
END_TEST

/* --- with a store --- */

static struct fixture f;
static struct error err;

static void setup(void)
{
	fixture_open(&f, FIXTURE_MAP_BYTES);
}

static void teardown(void)
{
	fixture_close(&f);
}

static void add_account(const char *id, const char *parent)
{
	ck_assert_msg(accounts_add(f.meta, id, parent, NULL, "correct-horse", &err) == 0, "%s", err.message);
}

START_TEST(a_plan_survives_a_restart_and_other_changes)
{
	struct account account;
	uint32_t number;

	add_account("abcd1234", NULL);
	ck_assert_int_eq(accounts_get(f.meta, STR_LITERAL("abcd1234"), &account, &err), 0);
	ck_assert_str_eq(account.plan, "");
	ck_assert_int_eq(accounts_set_plan(f.meta, "abcd1234", "gold", &err), 0);
	ck_assert_int_eq(accounts_secret_add(f.meta, "abcd1234", "another-secret", &number, &err), 0);
	fixture_restart(&f);
	ck_assert_int_eq(accounts_check(f.meta, STR_LITERAL("abcd1234"), STR_LITERAL("another-secret"), &account, NULL,
	                                &err),
	                 0);
	ck_assert_str_eq(account.plan, "gold");
	ck_assert_int_eq(accounts_set_plan(f.meta, "nobody12", "gold", &err), -1);
	ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
}
END_TEST

START_TEST(the_newest_plans_are_remembered)
{
	struct account_plan plans[ACCOUNT_PLANS_MAX];
	char name[16];
	int count;

	add_account("abcd1234", NULL);
	for (int i = 0; i < ACCOUNT_PLANS_MAX + 3; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		ck_assert_int_eq(accounts_set_plan(f.meta, "abcd1234", name, &err), 0);
		ck_assert_int_eq(accounts_set_plan(f.meta, "abcd1234", name, &err), 0); /* no change */
	}
	ck_assert_int_eq(accounts_plans(f.meta, "abcd1234", plans, &count, &err), 0);
	ck_assert_int_eq(count, ACCOUNT_PLANS_MAX);
	ck_assert_str_eq(plans[0].name, "p3");
	ck_assert_str_eq(plans[count - 1].name, name);
	ck_assert_int_le(plans[0].since_us, plans[count - 1].since_us);
}
END_TEST

START_TEST(a_change_makes_a_new_generation)
{
	uint64_t before = accounts_generation(f.meta);

	add_account("abcd1234", NULL);
	ck_assert_uint_gt(accounts_generation(f.meta), before);
}
END_TEST

static struct decimal fee_of(const char *account, int64_t from_us, int64_t to_us, int64_t now_us)
{
	static struct plans plans;
	struct decimal sum = { 0 };
	size_t count;

	ck_assert_int_eq(plans_read(&plans, "payg: record 1 | flat: month 450 | big: month 900", "payg", "EUR", &err),
	                 0);
	struct statement *statement = statement_begin(f.meta, f.store, &plans, from_us, to_us, account, now_us, &err);

	ck_assert_msg(statement != NULL, "%s", err.message);
	ck_assert_int_eq(statement_step(statement, INT64_MAX, &err), STATEMENT_DONE);
	const struct statement_line *lines = statement_lines(statement, &count);

	for (size_t i = 0; i < count; i++) {
		ck_assert(lines[i].is_fee);
		ck_assert(decimal_add(&sum, lines[i].total));
	}
	statement_free(statement);
	return sum;
}

#define MONTH_US (30 * CLOCK_US_PER_DAY)
#define WHOLE(sum) ((int)((sum).units / INT64_C(1000000000000)))

START_TEST(fees_are_owed_for_plans_of_the_month)
{
	int64_t now_us;

	add_account("abcd1234", NULL);
	add_account("child123", "abcd1234");
	ck_assert_int_eq(accounts_set_plan(f.meta, "abcd1234", "flat", &err), 0);
	ck_assert_int_eq(accounts_set_plan(f.meta, "abcd1234", "payg", &err), 0);
	ck_assert_int_eq(accounts_set_plan(f.meta, "abcd1234", "flat", &err), 0);
	now_us = clock_now_us();
	ck_assert_int_eq(WHOLE(fee_of("abcd1234", now_us - MONTH_US, now_us + MONTH_US, now_us)), 450); /* once */
	ck_assert_int_eq(WHOLE(fee_of("child123", now_us - MONTH_US, now_us + MONTH_US, now_us)), 0); /* its parent's */
	ck_assert_int_eq(WHOLE(fee_of("abcd1234", now_us - 2 * MONTH_US, now_us - MONTH_US, now_us)),
	                 0); /* before it */
	ck_assert_int_eq(WHOLE(fee_of("abcd1234", now_us + MONTH_US, now_us + 2 * MONTH_US, now_us)), 0); /* to come */
	ck_assert_int_eq(accounts_set_plan(f.meta, "abcd1234", "big", &err), 0);
	now_us = clock_now_us();
	ck_assert_int_eq(WHOLE(fee_of("abcd1234", now_us - MONTH_US, now_us + MONTH_US, now_us)), 1350); /* both */
	/* next month, the one that it has then */
	ck_assert_int_eq(WHOLE(fee_of("abcd1234", now_us + 1, now_us + MONTH_US, now_us + MONTH_US)), 900);
}
END_TEST

START_TEST(each_of_many_accounts_owes_its_own_fee_once)
{
	char id[16];

	for (int i = 0; i < 150; i++) { /* more than a statement's first table of lines has room for */
		snprintf(id, sizeof(id), "acct%04d", i);
		add_account(id, NULL);
		ck_assert_int_eq(accounts_set_plan(f.meta, id, i % 2 ? "flat" : "big", &err), 0);
	}
	int64_t now_us = clock_now_us();

	ck_assert_int_eq(WHOLE(fee_of(NULL, now_us - MONTH_US, now_us + MONTH_US, now_us)), 75 * 450 + 75 * 900);
	ck_assert_int_eq(WHOLE(fee_of("acct0149", now_us - MONTH_US, now_us + MONTH_US, now_us)), 450);
}
END_TEST

START_TEST(a_statement_of_nobody_is_an_error)
{
	static struct plans plans;

	ck_assert_int_eq(plans_read(&plans, "payg:", "payg", "EUR", &err), 0);
	ck_assert_ptr_null(statement_begin(f.meta, f.store, &plans, 0, 1, "nobody12", 0, &err));
	ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
}
END_TEST

/* --- counting --- */

#define DAY_US (INT64_C(20000) * CLOCK_US_PER_DAY)
#define RECORDS 3000

static const struct catalog_product *sms;

static void put_sms(const char *account, int number, int64_t time_us, const char *status)
{
	struct buf id = { 0 }, date = { 0 };
	struct record record;
	enum store_put_result result;

	sms = catalog_product_find(STR_LITERAL("SMS"));
	buf_addf(&id, "00000000-0000-4000-8000-%012d", number);
	clock_format_record(&date, time_us);
	record_clear(&record, sms);
	record.values[sms->account_column] = str_from(account);
	record.values[sms->id_column] = buf_str(&id);
	record.values[sms->time_column] = buf_str(&date);
	record.values[sms->direction_column] = STR_LITERAL("outbound");
	record.values[catalog_column_find(sms, STR_LITERAL("status"))] = str_from(status);
	ck_assert_msg(store_put(f.store, &record, time_us, &result, &err) == 0, "%s", err.message);
	buf_free(&id);
	buf_free(&date);
}

static const char *status_of(int number)
{
	return number % 10 == 0 ? "failed" : "delivered";
}

static void commit(void)
{
	ck_assert_msg(store_commit(f.store, &err) == 0, "%s", err.message);
}

static void seal_all(void)
{
	bool more = true, dirty;

	begin_sealing(f.store);
	for (int i = 0; i < 10000 && more; i++) {
		ck_assert_msg(store_maintain(f.store, clock_monotonic_us() + 50000, &more, &dirty, &err) == 0, "%s",
		              err.message);
		if (dirty)
			commit();
	}
}

static bool add_one(void *arg, const struct scan_row *row)
{
	(void)row;
	++*(uint64_t *)arg;
	return true;
}

static uint64_t scan_count(struct scan_query *query)
{
	struct scan_position position = { 0 };
	uint64_t rows = 0;
	struct scan_sink sink = { .on_record = add_one, .arg = &rows };
	enum scan_end end;

	query->snapshot = store_snapshot(f.store);
	do
		ck_assert_msg(scan_once(f.store, query, &position, INT64_MAX, &sink, &end, &err) == 0, "%s",
		              err.message);
	while (end == SCAN_PAUSED);
	return rows;
}

/* `late`: a deadline that has passed, so that each call does the least it can. */
static uint64_t fast_count(const struct scan_query *query, bool late, bool rough, uint64_t *seen)
{
	struct aggregate *aggregate = aggregate_start(f.store, &(struct aggregate_query){ .scan = *query }, &err);
	struct aggregate_counts counts;
	enum scan_end end;

	if (rough)
		aggregate_hurry(aggregate);
	do
		ck_assert_msg(aggregate_step(aggregate, late ? 0 : INT64_MAX, &end, &err) == 0, "%s", err.message);
	while (end == SCAN_PAUSED);
	aggregate_counts(aggregate, &counts);
	aggregate_cancel(aggregate);
	ck_assert_double_eq(counts.share, 1);
	*seen = counts.seen;
	return rough ? counts.rough : counts.rows;
}

static void assert_counts_agree(const char *when)
{
	static const struct account_key accounts[2] = { { "abcd1234" }, { "child123" } };
	const struct scan_filter filter = { catalog_column_find(sms, STR_LITERAL("status")), false,
		                            STR_LITERAL("failed") };
	static const int64_t ranges[][2] = {
		{ DAY_US, DAY_US + 2 * CLOCK_US_PER_DAY },
		{ DAY_US + CLOCK_US_PER_HOUR, DAY_US + 5 * CLOCK_US_PER_HOUR },
		{ DAY_US + 23 * CLOCK_US_PER_HOUR, DAY_US + 30 * CLOCK_US_PER_HOUR },
		{ DAY_US - CLOCK_US_PER_DAY, DAY_US },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		for (size_t filters = 0; filters < 2; filters++) {
			struct scan_query query = {
				.product = sms,
				.direction = CATALOG_OUTBOUND,
				.accounts = accounts,
				.accounts_count = 2,
				.from_us = ranges[i][0],
				.to_us = ranges[i][1],
				.filters = &filter,
				.filters_count = filters,
			};
			uint64_t seen, rows = scan_count(&query), total;

			ck_assert_msg(fast_count(&query, false, false, &seen) == rows, "%s, range %zu, %zu filters",
			              when, i, filters);
			ck_assert_msg(fast_count(&query, true, false, &total) == rows,
			              "%s, late, range %zu, %zu filters", when, i, filters);
			ck_assert_uint_eq(seen, total);
			query.filters_count = 0;
			ck_assert_uint_eq(seen, scan_count(&query));
		}
	}
}

START_TEST(a_count_is_what_a_scan_finds)
{
	for (int i = 0; i < RECORDS; i++)
		put_sms(i % 3 ? "abcd1234" : "child123", i, DAY_US + i * (2 * CLOCK_US_PER_DAY / RECORDS),
		        status_of(i));
	commit();
	assert_counts_agree("hot");
	seal_all();
	assert_counts_agree("sealed");
	/* a newer version at its place, one at another time, and a new record between sealed ones */
	for (int i = 0; i < 200; i++) {
		int64_t time_us = DAY_US + i * (2 * CLOCK_US_PER_DAY / RECORDS);

		put_sms(i % 3 ? "abcd1234" : "child123", i, time_us + (i % 2 ? 1000 : 0), "failed");
		put_sms("abcd1234", 10000 + i, time_us + 7, "delivered");
	}
	commit();
	assert_counts_agree("sealed and hot");
	seal_all();
	assert_counts_agree("sealed again");
}
END_TEST

START_TEST(a_rough_count_is_near)
{
	struct scan_query query = { .accounts_count = 1, .direction = CATALOG_OUTBOUND };
	static const struct account_key accounts[1] = { { "abcd1234" } };
	uint64_t seen;

	for (int i = 0; i < RECORDS; i++)
		put_sms("abcd1234", i, DAY_US + i * (CLOCK_US_PER_DAY / RECORDS), status_of(i));
	commit();
	seal_all();
	query.product = sms;
	query.accounts = accounts;
	query.from_us = DAY_US + 6 * CLOCK_US_PER_HOUR;
	query.to_us = DAY_US + 18 * CLOCK_US_PER_HOUR;
	uint64_t rows = fast_count(&query, false, true, &seen);

	ck_assert_uint_ge(rows, RECORDS / 2 - 10);
	ck_assert_uint_le(rows, RECORDS / 2 + 10);
}
END_TEST

Suite *suite_billing(void)
{
	Suite *suite = suite_create("billing");
	TCase *pure = tcase_create("pure"), *store = tcase_create("store");

	tcase_add_test(pure, a_bucket_gives_its_rate_at_once_and_then_by_time);
	tcase_add_test(pure, a_bucket_takes_a_new_rate);
	tcase_add_test(pure, delays_double_up_to_the_maximum);
	tcase_add_test(pure, failures_are_forgiven_with_time);
	tcase_add_test(pure, an_address_with_many_answers_kept_back_must_wait);
	tcase_add_test(pure, an_answer_that_nobody_waited_for_counts_until_it_would_have_been_sent);
	tcase_add_test(pure, answers_to_others_that_left_do_not_keep_an_address_waiting);
	tcase_add_test(pure, ipv4_is_the_same_in_both_forms);
	tcase_add_test(pure, more_addresses_than_fit_are_forgotten_not_kept);
	tcase_add_test(pure, months_have_their_bounds);
	tcase_add_test(pure, what_is_no_month_is_refused);
	suite_add_tcase(suite, pure);
	tcase_add_checked_fixture(store, setup, teardown);
	tcase_set_timeout(store, 60);
	tcase_add_test(store, a_plan_survives_a_restart_and_other_changes);
	tcase_add_test(store, the_newest_plans_are_remembered);
	tcase_add_test(store, a_change_makes_a_new_generation);
	tcase_add_test(store, fees_are_owed_for_plans_of_the_month);
	tcase_add_test(store, each_of_many_accounts_owes_its_own_fee_once);
	tcase_add_test(store, a_statement_of_nobody_is_an_error);
	tcase_add_test(store, a_count_is_what_a_scan_finds);
	tcase_add_test(store, a_rough_count_is_near);
	suite_add_tcase(suite, store);
	return suite;
}
