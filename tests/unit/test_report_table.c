/* SPDX-License-Identifier: ISC */
/*
 * test_report_table.c: jobs as rows, and the index that leads to them.
 */
#include "store_fixture.h"

#include "base/clock.h"
#include "report/table.h"

Suite *suite_report_table(void);

#define ACCOUNT "abcd1234"
#define CREATOR "abcd0000"
#define NOW_US INT64_C(1718582400123456)

static struct fixture fixture;
static struct error err;

static void setup(void)
{
	err = (struct error){ 0 };
	fixture_open(&fixture, FIXTURE_MAP_BYTES);
}

static void teardown(void)
{
	fixture_close(&fixture);
}

static void add_param(struct report *report, const char *name, const char *value)
{
	ck_assert_int_eq(query_params_add(&report->params, str_from(name), str_from(value), &err), 0);
}

/* Their keys have the numbers of their characters where they are not the ids. */
static void set_accounts(struct report *report, const char *account, const char *creator)
{
	report->account_key = account_key_of(str_from(account), strlen(account));
	report->creator_key = account_key_of(str_from(creator), strlen(creator));
	strcpy(report->account, account);
	strcpy(report->creator, creator);
}

/* `number` tells jobs apart. */
static struct report make_report(int number)
{
	struct report report = { .received_us = NOW_US + number, .from_us = 1, .to_us = 2 };

	snprintf(report.id, sizeof(report.id), "00000000-0000-4000-8000-%012d", number);
	snprintf(report.file_id, sizeof(report.file_id), "11111111-0000-4000-8000-%012d", number);
	set_accounts(&report, ACCOUNT, CREATOR);
	add_param(&report, "product", "SMS");
	add_param(&report, "direction", "outbound");
	buf_addf(&report.key, "key %d", number);
	return report;
}

static void put(const struct report *report, uint64_t body_hash)
{
	struct change change;

	ck_assert_int_eq(change_begin(&change, fixture.meta, &err), 0);
	ck_assert_msg(change_end(&change, table_add(&change, report, body_hash, &err), &err) == 0, "%s", err.message);
}

static void end(struct report *report, int64_t due_us)
{
	struct change change;

	report->state = REPORT_SUCCESS;
	report->has_file = true;
	report->ended_us = NOW_US;
	ck_assert_int_eq(change_begin(&change, fixture.meta, &err), 0);
	ck_assert_msg(change_end(&change, table_end(&change, report, due_us, &err), &err) == 0, "%s", err.message);
}

static int get(const char *id, struct report *report)
{
	int found = table_get(fixture.meta, str_from(id), report, &err);

	ck_assert_msg(found >= 0, "%s", err.message);
	return found;
}

START_TEST(row_comes_back_as_it_was_written)
{
	struct report report = make_report(1), read;
	struct buf row = { 0 };

	report.state = REPORT_TRUNCATED;
	report.started_us = NOW_US + 5;
	report.ended_us = NOW_US + 6;
	report.snapshot = 77;
	report.max_rows = 1000;
	report.has_file = true;
	report.rows = 999;
	report.bytes = 12345;
	report.share = 0.25;
	strcpy(report.sha256, "ab");
	report.sums_count = 1;
	strcpy(report.sums[0].currency, "EUR");
	ck_assert(decimal_parse(STR_LITERAL("12.345"), &report.sums[0].total_price));
	report.sums[0].rows = 998;
	buf_add_text(&report.reason, "why");
	buf_add_text(&report.base_url, "http://x");
	buf_add(&report.checkpoint, "\0\xff", 2);
	report_row_write(&row, &report);

	ck_assert_msg(report_row_read(&read, str_from(report.id), buf_str(&row), &err) == 0, "%s", err.message);
	ck_assert_str_eq(read.id, report.id);
	ck_assert_str_eq(read.file_id, report.file_id);
	ck_assert_str_eq(read.account, ACCOUNT);
	ck_assert_str_eq(read.creator, CREATOR);
	ck_assert_int_eq(read.state, REPORT_TRUNCATED);
	ck_assert_int_eq(read.started_us, NOW_US + 5);
	ck_assert_uint_eq(read.snapshot, 77);
	ck_assert_uint_eq(read.max_rows, 1000);
	ck_assert(read.has_file);
	ck_assert_uint_eq(read.rows, 999);
	ck_assert(read.share > 0.2499 && read.share < 0.2501);
	ck_assert_str_eq(read.sha256, "ab");
	ck_assert_uint_eq(read.sums_count, 1);
	ck_assert_str_eq(read.sums[0].currency, "EUR");
	ck_assert(read.sums[0].total_price.units == report.sums[0].total_price.units);
	ck_assert(str_is(buf_str(&read.reason), "why"));
	ck_assert(str_equal(buf_str(&read.checkpoint), buf_str(&report.checkpoint)));
	ck_assert(str_is(query_params_get(&read.params, "direction"), "outbound"));
	report_free(&read);
	report_free(&report);
	buf_free(&row);
}
END_TEST

START_TEST(row_that_is_cut_anywhere_is_refused)
{
	struct report report = make_report(1), read;
	struct buf row = { 0 };

	report_row_write(&row, &report);
	for (size_t len = 0; len < row.len; len++) {
		ck_assert_int_eq(report_row_read(&read, str_from(report.id), (struct str){ row.data, len }, &err), -1);
		ck_assert_int_eq(err.code, ERROR_CORRUPT);
	}
	report_free(&report);
	buf_free(&row);
}
END_TEST

START_TEST(job_is_found_by_id_file_and_key_after_a_restart)
{
	struct report report = make_report(1), read;
	char id[ID_UUID_LEN + 1];
	uint64_t hash;

	put(&report, 42);
	fixture_restart(&fixture);
	ck_assert_int_eq(get(report.id, &read), 1);
	report_free(&read);
	ck_assert_int_eq(table_find_file(fixture.meta, str_from(report.file_id), id, &err), 1);
	ck_assert_str_eq(id, report.id);
	ck_assert_int_eq(table_find_key(fixture.meta, &(struct account_key){ CREATOR }, STR_LITERAL("key 1"), id, &hash,
	                                &err),
	                 1);
	ck_assert_str_eq(id, report.id);
	ck_assert_uint_eq(hash, 42);
	ck_assert_int_eq(table_find_key(fixture.meta, &(struct account_key){ ACCOUNT }, STR_LITERAL("key 1"), id, &hash,
	                                &err),
	                 0);
	ck_assert_int_eq(table_find_key(fixture.meta, &(struct account_key){ CREATOR }, STR_LITERAL("key 2"), id, &hash,
	                                &err),
	                 0);
	report_free(&report);
}
END_TEST

struct listed {
	struct buf text; /* the last digit of each id */
	size_t max;
};

static bool list_report(void *arg, const struct report *report)
{
	struct listed *listed = arg;

	buf_add_char(&listed->text, report->id[ID_UUID_LEN - 1]);
	return listed->text.len < listed->max;
}

static bool list_queued(void *arg, struct str id)
{
	struct listed *listed = arg;

	buf_add_char(&listed->text, id.p[id.len - 1]);
	return true;
}

static void assert_listed(const char *id, int64_t from_us, int64_t to_us, size_t max, const char *wanted)
{
	struct listed listed = { .max = max };
	struct account_key account = account_key_of_id(id ? id : ACCOUNT);

	ck_assert_int_eq(table_each(fixture.meta, id ? &account : NULL, from_us, to_us, list_report, &listed, &err), 0);
	ck_assert_msg(str_is(buf_str(&listed.text), wanted), "got %.*s, wanted %s", STR_ARGS(buf_str(&listed.text)),
	              wanted);
	buf_free(&listed.text);
}

START_TEST(jobs_are_listed_newest_first_by_account_and_time)
{
	for (int i = 1; i <= 5; i++) {
		struct report report = make_report(i);

		set_accounts(&report, i == 3 ? "zzzzzzzz" : ACCOUNT, CREATOR);
		put(&report, 0);
		report_free(&report);
	}
	assert_listed(ACCOUNT, INT64_MIN, INT64_MAX, 9, "5421");
	assert_listed(NULL, INT64_MIN, INT64_MAX, 9, "54321");
	assert_listed("zzzzzzzz", INT64_MIN, INT64_MAX, 9, "3");
	assert_listed("aaaaaaaa", INT64_MIN, INT64_MAX, 9, "");
	assert_listed(ACCOUNT, NOW_US + 2, NOW_US + 5, 9, "42");
	assert_listed(ACCOUNT, INT64_MIN, INT64_MAX, 2, "54");
}
END_TEST

START_TEST(queue_holds_what_has_not_ended_oldest_first)
{
	struct listed listed = { .max = 9 };

	for (int i = 1; i <= 3; i++) {
		struct report report = make_report(i);

		put(&report, 0);
		if (i == 2)
			end(&report, NOW_US);
		report_free(&report);
	}
	ck_assert_int_eq(table_each_queued(fixture.meta, list_queued, &listed, &err), 0);
	ck_assert_msg(str_is(buf_str(&listed.text), "13"), "got %.*s", STR_ARGS(buf_str(&listed.text)));
	buf_free(&listed.text);
}
END_TEST

START_TEST(ended_jobs_come_due_in_order_and_leave_nothing)
{
	struct table_due due[4];
	struct change change;
	char id[ID_UUID_LEN + 1];
	uint64_t hash;
	struct report reports[3], read;

	for (int i = 0; i < 3; i++) {
		reports[i] = make_report(i);
		put(&reports[i], 0);
		end(&reports[i], NOW_US + 10 - i);
	}
	ck_assert_int_eq(table_find_due(fixture.meta, NOW_US + 7, due, 4, &err), 0);
	ck_assert_int_eq(table_find_due(fixture.meta, NOW_US + 9, due, 4, &err), 2);
	ck_assert_str_eq(due[0].id, reports[2].id);
	ck_assert_int_eq(due[0].at_us, NOW_US + 8);
	ck_assert_int_eq(table_find_due(fixture.meta, INT64_MAX, due, 2, &err), 2);

	ck_assert_int_eq(change_begin(&change, fixture.meta, &err), 0);
	reports[2].has_file = false;
	ck_assert_int_eq(table_drop_file(&change, &reports[2], NOW_US + 8, NOW_US + 20, &err), 0);
	ck_assert_int_eq(table_remove(&change, &reports[1], NOW_US + 9, &err), 0);
	ck_assert_int_eq(change_end(&change, 0, &err), 0);
	ck_assert_int_eq(table_find_file(fixture.meta, str_from(reports[2].file_id), id, &err), 0);
	ck_assert_int_eq(get(reports[1].id, &read), 0);
	ck_assert_int_eq(table_find_key(fixture.meta, &(struct account_key){ CREATOR }, STR_LITERAL("key 1"), id, &hash,
	                                &err),
	                 0);
	ck_assert_int_eq(table_find_due(fixture.meta, INT64_MAX, due, 4, &err), 2);
	ck_assert_str_eq(due[1].id, reports[2].id);
	assert_listed(ACCOUNT, INT64_MIN, INT64_MAX, 9, "20");
	for (int i = 0; i < 3; i++)
		report_free(&reports[i]);
}
END_TEST

Suite *suite_report_table(void)
{
	Suite *suite = suite_create("report_table");
	TCase *tc = tcase_create("table");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, row_comes_back_as_it_was_written);
	tcase_add_test(tc, row_that_is_cut_anywhere_is_refused);
	tcase_add_test(tc, job_is_found_by_id_file_and_key_after_a_restart);
	tcase_add_test(tc, jobs_are_listed_newest_first_by_account_and_time);
	tcase_add_test(tc, queue_holds_what_has_not_ended_oldest_first);
	tcase_add_test(tc, ended_jobs_come_due_in_order_and_leave_nothing);
	suite_add_tcase(suite, tc);
	return suite;
}
