/* SPDX-License-Identifier: ISC */
/*
 * test_report_order.c: what the holder and a worker say to each other.
 */
#include <check.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/envelope.h"
#include "lmdb/value.h"
#include "report/order.h"

Suite *suite_report_order(void);

static struct config holder, worker;
static const uint8_t key[32] = "the key of the front ends";
static struct report_work order, read;
static struct buf sealed;
static struct report_orders taken;
static struct error err;

#define URL "https://10.0.0.5:8443"

static struct config make_config(void)
{
	struct config config = { .clickhouse_quorum = 2 };

	config.clickhouse = (char *)"a:1,b:1|c:1";
	config.clickhouse_database = (char *)"cdrd";
	config.front_end_url = (char *)URL;
	return config;
}

static void setup(void)
{
	static const struct account_key accounts[2] = { { .bytes = { 1 } }, { .bytes = { 2 } } };

	holder = worker = make_config();
	memset(&order, 0, sizeof(order));
	memset(&read, 0, sizeof(read));
	sealed = (struct buf){ 0 };
	taken = (struct report_orders){ .list = { 0 } };
	err = (struct error){ 0 };
	order.report = (struct report){ .state = REPORT_PROCESSING, .snapshot = 77, .from_us = 5, .to_us = 9 };
	strcpy(order.report.id, "00000000-0000-4000-8000-000000000001");
	strcpy(order.report.file_id, "11111111-0000-4000-8000-000000000001");
	strcpy(order.report.account, "abcd1234");
	strcpy(order.report.creator, "abcd0000");
	order.report.account_key = account_key_of(STR_LITERAL("abcd1234"), 0);
	order.report.creator_key = account_key_of(STR_LITERAL("abcd0000"), 0);
	ck_assert_int_eq(query_params_add(&order.report.params, STR_LITERAL("product"), STR_LITERAL("SMS"), &err), 0);
	buf_add(&order.accounts, accounts, sizeof(accounts));
	ck_assert_int_eq(report_order_write(&order, URL, &holder, key, &sealed, &err), 0);
}

static void teardown(void)
{
	report_free(&order.report);
	report_free(&read.report);
	buf_free(&order.accounts);
	buf_free(&read.accounts);
	buf_free(&sealed);
	report_orders_free(&taken);
}

static int read_it(const uint8_t *with)
{
	return report_order_read(&read, &worker, with, &taken, buf_str(&sealed), &err);
}

START_TEST(an_order_has_the_report_and_the_accounts)
{
	ck_assert_msg(read_it(key) == 0, "%s", err.message);
	ck_assert_str_eq(read.report.id, order.report.id);
	ck_assert_uint_eq(read.report.snapshot, 77);
	ck_assert_int_eq(read.report.to_us, 9);
	ck_assert(str_is(query_params_get(&read.report.params, "product"), "SMS"));
	ck_assert(str_equal(buf_str(&read.accounts), buf_str(&order.accounts)));
}
END_TEST

START_TEST(an_order_of_another_key_or_that_was_changed_is_refused)
{
	static const uint8_t other[32] = "another";

	ck_assert_int_eq(read_it(other), -1);
	ck_assert_int_eq(err.code, ERROR_INVALID);
	sealed.data[sealed.len / 2] ^= 1;
	ck_assert_int_eq(read_it(key), -1);
	ck_assert_int_eq(err.code, ERROR_INVALID);
}
END_TEST

START_TEST(an_order_for_other_records_is_refused)
{
	static const struct {
		const char *hosts, *database;
		int64_t quorum;
	} rows[] = { { "c:1|a:1,b:1", "cdrd", 2 }, { "a:1,b:1|c:1", "other", 2 }, { "a:1,b:1|c:1", "cdrd", 1 } };

	worker.clickhouse_quorum = rows[_i].quorum;
	worker.clickhouse = (char *)rows[_i].hosts;
	worker.clickhouse_database = (char *)rows[_i].database;
	ck_assert_int_eq(read_it(key), -1);
	ck_assert_int_eq(err.code, ERROR_CONFLICT);
}
END_TEST

START_TEST(an_order_for_another_front_end_is_refused)
{
	worker.front_end_url = (char *)"https://10.0.0.6:8443";
	ck_assert_int_eq(read_it(key), -1);
	ck_assert_int_eq(err.code, ERROR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.message, URL));
}
END_TEST

static void read_again(void)
{
	report_free(&read.report);
	buf_free(&read.accounts);
	memset(&read, 0, sizeof(read));
}

START_TEST(an_order_is_taken_once)
{
	ck_assert_int_eq(read_it(key), 0);
	read_again();
	ck_assert_int_eq(read_it(key), -1);
	ck_assert_int_eq(err.code, ERROR_INVALID);
	ck_assert_str_eq(err.message, "an order was taken before");
	read_again();
	buf_clear(&sealed);
	ck_assert_int_eq(report_order_write(&order, URL, &holder, key, &sealed, &err), 0);
	ck_assert_msg(read_it(key) == 0, "%s", err.message);
}
END_TEST

/* Its first fields: when, and the rest is not read. */
START_TEST(an_order_of_another_time_says_by_how_much)
{
	static const struct {
		int64_t seconds;
		const char *says;
	} rows[] = { { -400, "400 seconds ago" }, { 500, "499 seconds from now" } };
	struct value_writer w;
	struct buf plain = { 0 };

	value_begin(&w, &plain, 2, 9);
	value_put_int(&w, clock_now_us() + rows[_i].seconds * CLOCK_US_PER_SECOND);
	for (int i = 0; i < 4; i++)
		value_put_str(&w, STR_LITERAL("x"));
	value_put_int(&w, 1);
	value_put_str(&w, str_from(order.report.id));
	value_put_str(&w, STR_LITERAL("row"));
	value_put_bytes(&w, buf_str(&order.accounts));
	buf_clear(&sealed);
	ck_assert_int_eq(envelope_make(key, STR_LITERAL("an order of a report"), buf_str(&plain), &sealed, &err), 0);
	ck_assert_int_eq(read_it(key), -1);
	ck_assert_msg(strstr(err.message, rows[_i].says), "%s", err.message);
	buf_free(&plain);
}
END_TEST

START_TEST(frames_are_taken_when_they_are_whole)
{
	struct buf out = { 0 };
	enum report_frame kind;
	struct str bytes;

	report_frame_add(&out, REPORT_FRAME_DATA, STR_LITERAL("abc"));
	for (size_t len = 0; len < out.len; len++)
		ck_assert_int_eq(report_frame_look((struct str){ out.data, len }, &kind, &bytes), 0);
	report_frame_add(&out, REPORT_FRAME_FAILED, STR_LITERAL(""));
	ck_assert_int_eq(report_frame_look(buf_str(&out), &kind, &bytes), 1);
	ck_assert_int_eq(kind, REPORT_FRAME_DATA);
	ck_assert(str_is(bytes, "abc"));
	buf_drain(&out, REPORT_FRAME_HEAD + 3);
	ck_assert_int_eq(report_frame_look(buf_str(&out), &kind, &bytes), 1);
	ck_assert_int_eq(kind, REPORT_FRAME_FAILED);
	ck_assert_uint_eq(bytes.len, 0);
	buf_free(&out);
}
END_TEST

START_TEST(what_is_no_frame_is_seen_at_once)
{
	enum report_frame kind;
	struct str bytes;

	ck_assert_int_eq(report_frame_look(STR_LITERAL("HTTP/1.1"), &kind, &bytes), -1);
	ck_assert_int_eq(report_frame_look(STR_LITERAL("d\xff\xff\xff\xff"), &kind, &bytes), -1);
	ck_assert_int_eq(report_frame_look(STR_LITERAL("\0\0\0\0\0"), &kind, &bytes), -1);
}
END_TEST

START_TEST(progress_comes_as_it_was)
{
	const struct maker_progress progress = { .rows = 7, .bytes = UINT64_C(1) << 40, .share = 0.25 };
	struct maker_progress seen;
	struct buf out = { 0 };

	report_progress_write(&out, &progress);
	ck_assert(report_progress_read(buf_str(&out), &seen));
	ck_assert_uint_eq(seen.rows, 7);
	ck_assert_uint_eq(seen.bytes, UINT64_C(1) << 40);
	ck_assert(seen.share == 0.25);
	ck_assert(!report_progress_read(STR_LITERAL("abc"), &seen));
	buf_free(&out);
}
END_TEST

Suite *suite_report_order(void)
{
	Suite *suite = suite_create("report_order");
	TCase *tests = tcase_create("report_order");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, an_order_has_the_report_and_the_accounts);
	tcase_add_test(tests, an_order_of_another_key_or_that_was_changed_is_refused);
	tcase_add_loop_test(tests, an_order_for_other_records_is_refused, 0, 3);
	tcase_add_test(tests, an_order_for_another_front_end_is_refused);
	tcase_add_test(tests, an_order_is_taken_once);
	tcase_add_loop_test(tests, an_order_of_another_time_says_by_how_much, 0, 2);
	tcase_add_test(tests, frames_are_taken_when_they_are_whole);
	tcase_add_test(tests, what_is_no_frame_is_seen_at_once);
	tcase_add_test(tests, progress_comes_as_it_was);
	suite_add_tcase(suite, tests);
	return suite;
}
