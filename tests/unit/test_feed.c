/* SPDX-License-Identifier: ISC */
/*
 * test_feed.c: what becomes of a file's rows and its place where commits end later.
 *
 * Most of what feeds do is tested from outside, in tests/blackbox/test_feeds.py.
 */
#include <check.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/task.h"
#include "feed/feed.h"
#include "ingest/ingest_private.h"
#include "late_engine.h"
#include "meta/accounts.h"
#include "meta/quarantine.h"
#include "store_fixture.h"

Suite *suite_feed(void);

#define ACCOUNT "abcd1234"
#define TURNS_MAX 5000 /* of the loop */

static const char mapping[] = "form = csv\n"
			      "names = kind id time\n"
			      "[record change]\n"
			      "when = {kind} is change\n"
			      "update = yes\n"
			      "product = SMS\nid = {id}\ndirection = outbound\ndate_received = {time}\n"
			      "[record]\n"
			      "product = SMS\nid = {id}\ndirection = outbound\ndate_received = {time}\n";

static struct fixture f;
static struct config config;
static struct event_base *base;
static struct tasks *tasks;
static struct ingest *ingest;
static struct mappings *mappings;
static struct feeds *feeds;
static struct error err;
static char spool[128];

#define ASSERT_OK(call) ck_assert_msg((call) == 0, "%s: %s", #call, err.message)

static void write_text(const char *name, const char *text)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%s", f.dir, name);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void setup(void)
{
	static char setting[256];
	struct config_faults faults = { .count = 0 };

	fixture_open(&f, FIXTURE_MAP_BYTES);
	ASSERT_OK(config_init(&config, &err));
	ASSERT_OK(accounts_add(f.meta, ACCOUNT, NULL, NULL, "secret secret", &err));
	base = event_base_new();
	tasks = tasks_new(base, &config);
	ck_assert_ptr_nonnull(tasks);
	fixture_stop(&f);
	f.options.engine = late_engine_begin(base);
	fixture_start(&f);
	ingest = ingest_new(tasks, &config, f.meta, f.store);
	ck_assert_ptr_nonnull(ingest);
	write_text("rows.conf", mapping);
	mappings = mappings_new();
	ck_assert_msg(mappings_load(mappings, f.dir, &faults) == 0, "%s", faults.lines.data);
	ingest_use_mappings(ingest, mappings);
	snprintf(spool, sizeof(spool), "%s/spool", f.dir);
	ck_assert_int_eq(mkdir(spool, 0700), 0);
	snprintf(setting, sizeof(setting), "%s mapping=rows account_id=" ACCOUNT, spool);
	free(config.spool);
	config.spool = strdup(setting);
}

static void end_feeds(void)
{
	feeds_free(feeds);
	ingest_free(ingest);
	feeds = NULL;
	ingest = NULL;
}

static void teardown(void)
{
	end_feeds();
	mappings_free(mappings);
	late_engine_end();
	tasks_free(tasks);
	event_base_free(base);
	config_free(&config);
	fixture_close(&f);
}

/* Moves a file in: a row that no check lets pass, one that is stored, one that the store rejects. */
static void put_file(void)
{
	struct buf text = { 0 };
	struct buf day = { 0 };

	clock_format_day(&day, clock_day_of(clock_now_us()) - 1);
	buf_addf(&text, "new,bad,never\nnew,good,%.*sT12:00:00Z\nchange,lost,%.*sT12:00:00Z\n", STR_ARGS(buf_str(&day)),
	         STR_ARGS(buf_str(&day)));
	buf_add_char(&text, '\0');
	write_text("spool/a.csv", text.data);
	buf_free(&text);
	buf_free(&day);
}

static bool is_done(void)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/done/a.csv", spool);
	return access(path, F_OK) == 0;
}

static void run_until(bool (*fn)(void))
{
	for (int turns = 0; !fn() && turns < TURNS_MAX; turns++)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert(fn());
}

static bool commit_has_ended(void)
{
	return !late_engine_commits();
}

static void get_records(void *arg, const struct feed_status *status)
{
	*(struct ingest_summary *)arg = status->records;
}

/* The commit that it was put before succeeds all the same. */
START_TEST(place_stays_before_a_row_that_was_rejected_late_and_could_not_be_held)
{
	struct ingest_summary records = { 0 };
	struct ingest_stats stats;
	size_t too_much = (size_t)64 << 20;

	config.commit_records_max = 3; /* the commit begins while rows are on their way */
	put_file();
	feeds = feeds_new(tasks, &config, f.meta, ingest, &err);
	ck_assert_msg(feeds != NULL, "%s", err.message);
	run_until(late_engine_commits);
	ck_assert_uint_eq(late_engine_puts(), 2);
	ingest->held_bytes += too_much;
	run_until(commit_has_ended);
	ingest->held_bytes -= too_much;
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 0);
	feeds_each(feeds, get_records, &records);
	ck_assert_uint_eq(records.accepted + records.rejected, 0);
	run_until(is_done);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 2);
	ck_assert_uint_eq(ingest->held_bytes, 0);
	ingest_stats(ingest, &stats);
	ck_assert_uint_eq(stats.total.rejected, 2);
	ck_assert_uint_eq(stats.total.accepted, 1);
	ck_assert_uint_eq(stats.total.duplicates, 1);
}
END_TEST

START_TEST(place_is_noted_with_what_was_rejected_late)
{
	struct ingest_stats stats;

	config.commit_records_max = 3;
	put_file();
	feeds = feeds_new(tasks, &config, f.meta, ingest, &err);
	ck_assert_msg(feeds != NULL, "%s", err.message);
	run_until(late_engine_commits);
	run_until(commit_has_ended);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 2);
	run_until(is_done);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 2);
	ingest_stats(ingest, &stats);
	ck_assert_uint_eq(stats.total.rejected, 2);
	ck_assert_uint_eq(stats.total.accepted, 1);
	ck_assert_uint_eq(stats.total.duplicates, 0);
}
END_TEST

Suite *suite_feed(void)
{
	Suite *suite = suite_create("feed");
	TCase *tcase = tcase_create("late");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, place_stays_before_a_row_that_was_rejected_late_and_could_not_be_held);
	tcase_add_test(tcase, place_is_noted_with_what_was_rejected_late);
	suite_add_tcase(suite, tcase);
	return suite;
}
