/* SPDX-License-Identifier: ISC */
/*
 * test_ingest.c: what a record must keep to be stored, and that nothing is acknowledged which is not on disk.
 *
 * Batches run on an event loop of the test's own, against a real store.
 */
#include <check.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/task.h"
#include "expect.h"
#include "ingest/check.h"
#include "ingest/ingest.h"
#include "ingest/ingest_private.h"
#include "ingest/repeats.h"
#include "late_engine.h"
#include "meta/accounts.h"
#include "meta/quarantine.h"
#include "store_fixture.h"

Suite *suite_ingest(void);

#define ACCOUNT "abcd1234"
#define SMALL_MAP_BYTES ((size_t)512 << 10)

static struct fixture f;
static struct config config;
static struct event_base *base;
static struct tasks *tasks;
static struct ingest *ingest;
static struct error err;
static struct check check;
static struct ingest_settings settings; /* of check */

static void begin(size_t day_map_bytes)
{
	fixture_open(&f, day_map_bytes);
	ASSERT_OK(config_init(&config, &err));
	ASSERT_OK(accounts_add(f.meta, ACCOUNT, NULL, NULL, "secret secret", &err));
	base = event_base_new();
	tasks = tasks_new(base, &config);
	ck_assert_ptr_nonnull(tasks);
	ingest = ingest_new(tasks, &config, f.meta, f.store);
	ck_assert_ptr_nonnull(ingest);
}

static void setup(void)
{
	begin(FIXTURE_MAP_BYTES);
}

static void setup_small(void)
{
	begin(SMALL_MAP_BYTES);
}

static void teardown(void)
{
	check_free(&check);
	ingest_free(ingest);
	tasks_free(tasks);
	event_base_free(base);
	config_free(&config);
	fixture_close(&f);
}

/* The same with an engine whose puts and commits end later. */
static void setup_late(void)
{
	setup();
	ingest_free(ingest);
	fixture_stop(&f);
	f.options.engine = late_engine_begin(base);
	fixture_start(&f);
	ingest = ingest_new(tasks, &config, f.meta, f.store);
}

static void teardown_late(void)
{
	ingest_free(ingest);
	ingest = NULL;
	late_engine_end();
	teardown();
}

/* --- a batch and what became of it --- */

struct outcome {
	struct ingest_batch *batch;
	int calls, rooms;
	enum error_code code;
	struct ingest_summary summary;
	char answer[4096];
};

static void on_done(void *arg, const struct ingest_summary *summary, struct buf *answer, const struct error *failure)
{
	struct outcome *outcome = arg;

	outcome->calls++;
	outcome->code = failure ? failure->code : ERROR_NONE;
	outcome->summary = *summary;
	snprintf(outcome->answer, sizeof(outcome->answer), "%.*s", STR_ARGS(buf_str(answer)));
}

static void open_batch_of(struct outcome *outcome, const char *producer)
{
	memset(outcome, 0, sizeof(*outcome));
	outcome->batch = ingest_batch_new(ingest, PARSE_NDJSON, producer, NULL, NULL, on_done, outcome, &err);
	ck_assert_msg(outcome->batch != NULL, "%s", err.message);
}

static void open_batch(struct outcome *outcome)
{
	open_batch_of(outcome, "switch-1");
}

static void feed(struct outcome *outcome, const char *text)
{
	ingest_batch_feed(outcome->batch, text, strlen(text));
}

static void feed_sms(struct outcome *outcome, const char *id, const char *status)
{
	struct buf line = { 0 };

	buf_addf(&line,
	         "{\"product\":\"SMS\",\"account_id\":\"" ACCOUNT "\",\"id\":\"%s\",\"direction\":\"outbound\","
	         "\"status\":\"%s\",\"date_received\":\"",
	         id, status);
	/* Yesterday, as a whole: the same day in every feed of a test, whenever it runs. */
	clock_format_day(&line, clock_day_of(clock_now_us()) - 1);
	buf_add_text(&line, "T12:00:00Z\"}\n");
	ingest_batch_feed(outcome->batch, line.data, line.len);
	buf_free(&line);
}

static void feed_many(struct outcome *outcome, const char *prefix, int count)
{
	char id[32];

	for (int i = 0; i < count; i++) {
		snprintf(id, sizeof(id), "%s-%d", prefix, i);
		feed_sms(outcome, id, "delivered");
	}
}

/* Runs the loop until `outcome` is there. */
static void await(struct outcome *outcome)
{
	for (int turns = 0; outcome->calls == 0 && turns < 1000; turns++)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_int_eq(outcome->calls, 1);
}

static void finish(struct outcome *outcome)
{
	ingest_batch_finish(outcome->batch);
	ck_assert_msg(outcome->calls == 0, "done was called from within finish");
}

static void assert_counts(const struct outcome *outcome, unsigned accepted, unsigned updated, unsigned duplicates,
                          unsigned rejected)
{
	const struct ingest_summary *s = &outcome->summary;

	ck_assert_msg(s->accepted == accepted && s->updated == updated && s->duplicates == duplicates &&
	                      s->rejected == rejected,
	              "got %llu accepted, %llu updated, %llu duplicates, %llu rejected; wanted %u, %u, %u, %u: %s",
	              (unsigned long long)s->accepted, (unsigned long long)s->updated,
	              (unsigned long long)s->duplicates, (unsigned long long)s->rejected, accepted, updated, duplicates,
	              rejected, outcome->answer);
}

static void assert_stored(uint64_t records)
{
	struct store_day_stats stats;
	uint64_t found = 0;
	size_t count;

	fixture_restart(&f);
	const int32_t *days = store_days(f.store, &count);
	for (size_t i = 0; i < count; i++) {
		ASSERT_OK(fixture_count_day(f.store, days[i], &stats, &err));
		found += day_stats_records(&stats);
	}
	ck_assert_uint_eq(found, records);
}

/* Ends ingest, so that the store can be looked at as after a crash. */
static void end_ingest(void)
{
	ingest_free(ingest);
	ingest = NULL;
}

/* --- batches --- */

START_TEST(acknowledged_records_are_on_disk)
{
	struct outcome outcome;

	open_batch(&outcome);
	feed_many(&outcome, "a", 3);
	finish(&outcome);
	await(&outcome);
	ck_assert_int_eq(outcome.code, ERROR_NONE);
	ck_assert_str_eq(outcome.answer,
	                 "{\"accepted\":3,\"updated\":0,\"duplicates\":0,\"outdated\":0,\"rejected\":0,\"errors\":[]}");
	ck_assert_uint_eq(store_uncommitted(f.store), 0);
	end_ingest();
	assert_stored(3);
}
END_TEST

START_TEST(same_record_is_a_duplicate_and_other_values_an_update)
{
	struct outcome outcome;

	open_batch(&outcome);
	feed_sms(&outcome, "a", "accepted");
	feed_sms(&outcome, "a", "accepted");
	feed_sms(&outcome, "a", "delivered");
	feed_sms(&outcome, "b", "delivered");
	finish(&outcome);
	await(&outcome);
	assert_counts(&outcome, 2, 1, 1, 0);
	end_ingest();
	assert_stored(2);
}
END_TEST

START_TEST(bad_line_does_not_lose_the_others)
{
	struct outcome outcome;

	open_batch(&outcome);
	feed_sms(&outcome, "a", "delivered");
	feed(&outcome, "{\"product\":\"SMS\",\"account_id\":\"nobody00\",\"id\":\"x\"}\n");
	feed_sms(&outcome, "b", "delivered");
	finish(&outcome);
	await(&outcome);
	assert_counts(&outcome, 2, 0, 0, 1);
	ck_assert_str_eq(
		outcome.answer,
		"{\"accepted\":2,\"updated\":0,\"duplicates\":0,\"outdated\":0,\"rejected\":1,\"errors\":[{\"line\":2,"
		"\"field\":\"account_id\",\"reason\":\"Unknown account \\\"nobody00\\\"\"},{\"line\":2,"
		"\"field\":\"direction\",\"reason\":\"Missing required field; must be inbound or outbound\"},"
		"{\"line\":2,\"field\":\"date_received\",\"reason\":\"Missing required field\"}]}");
}
END_TEST

START_TEST(listed_errors_are_capped_and_all_are_counted)
{
	struct outcome outcome;

	config.errors_max = 2;
	open_batch(&outcome);
	for (int i = 0; i < 5; i++)
		feed(&outcome, "{\"product\":\"SMS\",\"id\":\"x\"}\n");
	finish(&outcome);
	await(&outcome);
	ck_assert_str_eq(outcome.answer,
	                 "{\"accepted\":0,\"updated\":0,\"duplicates\":0,\"outdated\":0,\"rejected\":5,\"errors\":["
	                 "{\"line\":1,\"field\":\"account_id\",\"reason\":\"Missing required field\"},"
	                 "{\"line\":1,\"field\":\"direction\","
	                 "\"reason\":\"Missing required field; must be inbound or outbound\"}]}");
}
END_TEST

static bool check_entry(void *arg, const struct quarantine_entry *entry)
{
	*(int *)arg += 1;
	ck_assert(str_is(entry->producer, "switch-1"));
	ck_assert(str_is(entry->field, "account_id"));
	ck_assert_msg(str_is(entry->reason, "Unknown account \"nobody00\"; id: Missing required field, for which "
	                                    "message_id would do as well; direction: Missing required field; must be "
	                                    "inbound or outbound; date_received: Missing required field"),
	              "%.*s", STR_ARGS(entry->reason));
	ck_assert(str_is(entry->raw, "{\"product\":\"SMS\",\"account_id\":\"nobody00\"}"));
	return true;
}

START_TEST(rejected_record_is_kept_as_it_was_sent_with_all_faults)
{
	struct outcome outcome;
	int entries = 0;

	open_batch(&outcome);
	feed(&outcome, "{\"product\":\"SMS\",\"account_id\":\"nobody00\"}\n");
	finish(&outcome);
	await(&outcome);
	end_ingest();
	fixture_restart(&f);
	ASSERT_OK(quarantine_each(f.meta, 0, check_entry, &entries, &err));
	ck_assert_int_eq(entries, 1);
}
END_TEST

START_TEST(rejected_record_of_a_replay_is_not_kept_again)
{
	struct quarantine_stats stats;
	struct outcome outcome;

	open_batch_of(&outcome, NULL);
	feed(&outcome, "{\"product\":\"SMS\",\"account_id\":\"nobody00\"}\n");
	finish(&outcome);
	await(&outcome);
	assert_counts(&outcome, 0, 0, 0, 1);
	ASSERT_OK(quarantine_stats(f.meta, &stats, &err));
	ck_assert_uint_eq(stats.entries, 0);
}
END_TEST

/* The newest are looked at, and of those no more than so many bytes. */
static bool has_repeat(const struct repeats *repeats, const struct quarantine_entry *entry)
{
	struct repeats_print print = repeats_print_of(entry);

	return repeats_has(repeats, &print);
}

START_TEST(repeats_are_told_among_the_newest_rejects_up_to_a_size)
{
	static char big[1 << 20];
	struct quarantine_entry old = { .producer = STR_LITERAL("switch-1"), .raw = STR_LITERAL("old") }, entry = old;

	ASSERT_OK(quarantine_put(f.meta, &old, &err));
	entry.raw = (struct str){ big, sizeof(big) };
	for (size_t bytes = 0; bytes < REPEATS_BYTES; bytes += sizeof(big))
		ASSERT_OK(quarantine_put(f.meta, &entry, &err));
	ASSERT_OK(meta_commit(f.meta, &err));
	struct repeats *repeats = repeats_load(f.meta, &err);
	ck_assert_ptr_nonnull(repeats);
	ck_assert(has_repeat(repeats, &entry) && !has_repeat(repeats, &old));
	repeats_free(repeats);
	entry.raw.len--;
	ASSERT_OK(quarantine_drop(f.meta, 2, &err));
	ASSERT_OK(quarantine_put(f.meta, &entry, &err));
	ASSERT_OK(meta_commit(f.meta, &err));
	repeats = repeats_load(f.meta, &err);
	ck_assert_ptr_nonnull(repeats);
	ck_assert(has_repeat(repeats, &entry) && has_repeat(repeats, &old));
	repeats_free(repeats);
}
END_TEST

START_TEST(flood_of_rejected_records_is_counted_but_not_kept)
{
	struct quarantine_stats stats;
	struct outcome outcome;

	config.quarantine_max = 40000;
	open_batch(&outcome);
	for (int i = 0; i < 2000; i++)
		feed(&outcome, "{\"product\":\"SMS\",\"account_id\":\"nobody00\",\"id\":\"some text to fill it\"}\n");
	finish(&outcome);
	await(&outcome);
	assert_counts(&outcome, 0, 0, 0, 2000);
	ASSERT_OK(quarantine_stats(f.meta, &stats, &err));
	ck_assert_uint_gt(stats.entries, 0);
	ck_assert_uint_lt(stats.bytes, 60000);
}
END_TEST

START_TEST(what_expires_and_what_is_pushed_out_is_counted)
{
	struct ingest_stats stats;
	struct quarantine_entry old = { .time_us = 1, .producer = STR_LITERAL("switch-1") };
	struct outcome outcome;

	for (int i = 0; i < 3; i++)
		ASSERT_OK(quarantine_put(f.meta, &old, &err));
	config.quarantine_max = 40000;
	open_batch(&outcome);
	for (int i = 0; i < 2000; i++)
		feed(&outcome, "{\"product\":\"SMS\",\"account_id\":\"nobody00\",\"id\":\"some text to fill it\"}\n");
	finish(&outcome);
	await(&outcome);
	config.quarantine_max = 20000;
	ingest_on_expiry(-1, 0, ingest);
	ingest_stats(ingest, &stats);
	ck_assert_uint_eq(stats.quarantine_expired, 3);
	ck_assert_uint_gt(stats.quarantine_pushed_out, 10);
	ck_assert_uint_gt(stats.quarantine_unkept, 1000);
	struct quarantine_stats left;
	ASSERT_OK(quarantine_stats(f.meta, &left, &err));
	ck_assert_uint_eq(left.entries + stats.quarantine_pushed_out + stats.quarantine_unkept, 2000);
}
END_TEST

static void open_encoded_batch(struct outcome *outcome, const char *encoding)
{
	struct ingest_settings encoded = { 0 };

	strcpy(encoded.encoding, encoding);
	memset(outcome, 0, sizeof(*outcome));
	outcome->batch = ingest_batch_new(ingest, PARSE_NDJSON, "switch-1", NULL, &encoded, on_done, outcome, &err);
	ck_assert_msg(outcome->batch != NULL, "%s", err.message);
}

static bool see_bytes(void *arg, const struct quarantine_entry *entry)
{
	buf_add_str(arg, entry->raw);
	buf_addf(arg, " %s", entry->converted_from.len > 0 ? "converted" : entry->settings.encoding);
	return true;
}

/* A character is cut by every piece. */
START_TEST(rejects_keep_their_bytes_or_the_text_made_of_them)
{
	static const struct {
		const char *encoding, *sent, *kept;
	} cases[] = {
		{ "ISO-8859-1", "{\"smell\":\"\xfc\"}\n", "{\"smell\":\"\xfc\"} ISO-8859-1" },
		{ "WINDOWS-1252", "{\"smell\":\"\x81\x80\"}\n", "{\"smell\":\"\x81\x80\"} WINDOWS-1252" },
		{ "EUC-JP", "{\"smell\":\"\xa4\xa2\"}\n", "{\"smell\":\"\xe3\x81\x82\"} converted" },
	};
	struct buf seen = { 0 };
	struct outcome outcome;

	open_encoded_batch(&outcome, cases[_i].encoding);
	for (const char *p = cases[_i].sent; *p; p++)
		ingest_batch_feed(outcome.batch, p, 1);
	finish(&outcome);
	await(&outcome);
	assert_counts(&outcome, 0, 0, 0, 1);
	ASSERT_OK(quarantine_each(f.meta, 0, see_bytes, &seen, &err));
	ck_assert_str_eq(buf_cstr(&seen), cases[_i].kept);
	buf_free(&seen);
}
END_TEST

START_TEST(errors_that_are_equal_are_told_once)
{
	struct outcome outcome;

	config.errors_max = 2;
	open_batch(&outcome);
	ingest_batch_fold_errors(outcome.batch);
	for (int i = 0; i < 3; i++)
		feed(&outcome, "{\"product\":\"a\"}\n{\"product\":\"b\"}\n{\"product\":\"c\"}\n");
	finish(&outcome);
	await(&outcome);
	ck_assert_str_eq(outcome.answer,
	                 "{\"accepted\":0,\"updated\":0,\"duplicates\":0,\"outdated\":0,\"rejected\":9,\"errors\":["
	                 "{\"line\":1,\"field\":\"product\",\"reason\":\"Unknown product \\\"a\\\"\",\"times\":3},"
	                 "{\"line\":2,\"field\":\"product\",\"reason\":\"Unknown product \\\"b\\\"\",\"times\":3}],"
	                 "\"errors_unlisted\":3}");
}
END_TEST

START_TEST(batches_of_one_turn_share_a_commit)
{
	struct outcome a, b;
	struct ingest_stats stats;

	open_batch(&a);
	open_batch(&b);
	feed_many(&a, "a", 2);
	feed_many(&b, "b", 3);
	finish(&a);
	finish(&b);
	await(&a);
	await(&b);
	assert_counts(&a, 2, 0, 0, 0);
	assert_counts(&b, 3, 0, 0, 0);
	ingest_stats(ingest, &stats);
	ck_assert_uint_eq(stats.commits, 1);
	ck_assert_uint_eq(stats.total.accepted, 5);
}
END_TEST

START_TEST(large_body_is_committed_on_the_way)
{
	struct outcome small, large;

	config.commit_records_max = 10;
	config.commit_delay = 60 * CLOCK_US_PER_SECOND;
	open_batch(&small);
	feed_many(&small, "small", 3);
	finish(&small);
	open_batch(&large);
	feed_many(&large, "large", 25);
	ck_assert_uint_eq(store_uncommitted(f.store), 8);
	ck_assert_int_eq(small.calls, 0);
	await(&small); /* at once, not after a minute */
	assert_counts(&small, 3, 0, 0, 0);
	ck_assert_int_eq(large.calls, 0);
	config.commit_delay = 0;
	finish(&large);
	await(&large);
	assert_counts(&large, 25, 0, 0, 0);
}
END_TEST

START_TEST(abandoned_batch_is_not_answered_and_its_records_are_committed)
{
	struct outcome gone, gone_waiting, other;

	open_batch(&gone);
	open_batch(&gone_waiting);
	open_batch(&other);
	feed_many(&gone, "gone", 2);
	feed_many(&gone_waiting, "waiting", 2);
	finish(&gone_waiting);
	ingest_batch_abandon(gone.batch);
	ingest_batch_abandon(gone_waiting.batch);
	finish(&other);
	await(&other);
	ck_assert_int_eq(gone.calls, 0);
	ck_assert_int_eq(gone_waiting.calls, 0);
	end_ingest();
	assert_stored(4);
}
END_TEST

START_TEST(end_of_ingest_commits_and_answers_what_waits)
{
	struct outcome outcome;

	config.commit_delay = 60 * CLOCK_US_PER_SECOND;
	open_batch(&outcome);
	feed_many(&outcome, "a", 2);
	finish(&outcome);
	end_ingest();
	ck_assert_int_eq(outcome.calls, 1);
	assert_counts(&outcome, 2, 0, 0, 0);
	assert_stored(2);
}
END_TEST

START_TEST(empty_body_is_answered)
{
	struct outcome outcome;

	open_batch(&outcome);
	finish(&outcome);
	await(&outcome);
	ck_assert_int_eq(outcome.code, ERROR_NONE);
	assert_counts(&outcome, 0, 0, 0, 0);
}
END_TEST

/* --- with a store that ends puts and commits later --- */

/* No record of it is stored, so it cannot do without a direction. */
static const char lacks_direction[] = "{\"product\":\"SMS\",\"account_id\":\"" ACCOUNT
				      "\",\"id\":\"lost\",\"date_received\":\"2026-01-02T12:00:00Z\"}\n";

static bool count_entry(void *arg, const struct quarantine_entry *entry)
{
	ck_assert(str_is(entry->field, "direction"));
	ck_assert_uint_eq(entry->raw.len, sizeof(lacks_direction) - 2);
	ck_assert_mem_eq(entry->raw.p, lacks_direction, entry->raw.len);
	ck_assert(str_is(entry->id, "lost"));
	*(int *)arg += 1;
	return true;
}

START_TEST(late_rejection_is_told_and_kept)
{
	struct ingest_settings merging = { .mode = "merge" };
	struct outcome outcome = { 0 };
	int entries = 0;

	outcome.batch = ingest_batch_new(ingest, PARSE_NDJSON, "switch-1", NULL, &merging, on_done, &outcome, &err);
	ck_assert_ptr_nonnull(outcome.batch);
	feed_sms(&outcome, "a", "delivered");
	feed(&outcome, lacks_direction);
	feed_sms(&outcome, "b", "delivered");
	ck_assert_uint_eq(late_engine_puts(), 3);
	finish(&outcome);
	await(&outcome);
	assert_counts(&outcome, 2, 0, 0, 1);
	ck_assert_msg(strstr(outcome.answer, "{\"line\":2,\"field\":\"direction\"") != NULL, "%s", outcome.answer);
	end_ingest();
	fixture_restart(&f);
	ASSERT_OK(quarantine_each(f.meta, 0, count_entry, &entries, &err));
	ck_assert_int_eq(entries, 1);
}
END_TEST

/* Any other change of the catalog would commit it before its neighbours are stored. */
START_TEST(late_commit_keeps_what_was_rejected_and_nothing_before_does)
{
	struct outcome outcome;

	open_batch(&outcome);
	feed_sms(&outcome, "a", "delivered");
	feed(&outcome, "{\"product\":\"SMS\"}\n");
	ASSERT_OK(meta_set_number(f.meta, "any", 1, &err));
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 0);
	finish(&outcome);
	await(&outcome);
	assert_counts(&outcome, 1, 0, 0, 1);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 1);
}
END_TEST

/* Numbers of changes are reserved by a commit of the catalog. It would be in quarantine twice after a crash. */
START_TEST(first_record_after_a_rejected_one_does_not_commit_it)
{
	struct outcome outcome;

	open_batch(&outcome);
	feed(&outcome, "{\"product\":\"SMS\"}\n");
	feed_sms(&outcome, "a", "delivered");
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 0);
	finish(&outcome);
	await(&outcome);
	assert_counts(&outcome, 1, 0, 0, 1);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 1);
}
END_TEST

START_TEST(change_of_the_catalog_does_not_commit_what_was_rejected)
{
	struct outcome outcome;

	open_batch(&outcome);
	feed(&outcome, "{\"product\":\"SMS\"}\n");
	ASSERT_OK(meta_set_number(f.meta, "any", 1, &err));
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 0);
	finish(&outcome);
	await(&outcome);
	assert_counts(&outcome, 0, 0, 0, 1);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 1);
}
END_TEST

static int note_quarantine(void *arg, struct error *error)
{
	(void)error;
	*(int *)arg = fixture_count_quarantine(f.meta);
	return 0;
}

/* Listing the day would, with a commit of its own. */
START_TEST(first_record_of_a_day_does_not_commit_what_was_rejected_before_the_place_is_put)
{
	struct outcome source;
	int entries = -1;
	struct ingest_watch watch = { .on_stored = note_quarantine, .arg = &entries };

	ingest_watch_commits(ingest, &watch);
	open_batch(&source);
	feed(&source, "{\"product\":\"SMS\"}\n");
	feed_sms(&source, "a", "delivered");
	finish(&source);
	await(&source);
	ck_assert_int_eq(entries, 0);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 1);
	ingest_unwatch_commits(ingest, &watch);
}
END_TEST

START_TEST(late_source_that_is_given_up_leaves_nothing_in_quarantine)
{
	struct outcome source, other;
	struct ingest_stats stats;

	config.commit_delay = 0;
	open_batch(&source);
	ingest_batch_hold(source.batch);
	feed(&source, "{\"product\":\"SMS\"}\n");
	open_batch(&other);
	feed(&other, "{\"product\":\"MMS?\"}\n");
	ingest_batch_abandon(source.batch);
	finish(&other);
	await(&other);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 1);
	ingest_stats(ingest, &stats);
	ck_assert_uint_eq(stats.total.rejected, 1);
}
END_TEST

/* Runs the loop until a commit is under way. */
static void await_commit(void)
{
	for (int turns = 0; !late_engine_commits() && turns < 1000; turns++)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert(late_engine_commits());
}

static void await_end_of_commit(void)
{
	for (int turns = 0; late_engine_commits() && turns < 1000; turns++)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert(!late_engine_commits());
}

/* A batch of `count` records that are rejected, each of its own reason, which stays open. */
static void hold_many(struct outcome *outcome, bool may_repeat, int count)
{
	struct buf text = { 0 };

	open_batch(outcome);
	if (may_repeat)
		ingest_batch_may_repeat(outcome->batch);
	for (int i = 0; i < count; i++)
		buf_addf(&text, "{\"product\":\"none%d\"}\n", i);
	buf_add_char(&text, '\0');
	feed(outcome, text.data);
	buf_free(&text);
}

/* To compare each with all would take 400 million comparisons. */
START_TEST(late_rejections_that_come_again_are_known_among_many)
{
	enum { COUNT = 20000 };
	struct outcome first, again, more;

	config.commit_records_max = 1000000;
	hold_many(&first, false, COUNT);
	size_t bytes = ingest->held_bytes;
	double begun = (double)clock() / CLOCKS_PER_SEC;
	hold_many(&again, true, COUNT);
	double took = (double)clock() / CLOCKS_PER_SEC - begun;
	ck_assert_uint_eq(ingest->held_bytes, bytes);
	hold_many(&more, true, COUNT + 1);
	ck_assert_uint_gt(ingest->held_bytes, bytes);
	ck_assert_msg(took < 5, "%.1f seconds", took);
	ingest_batch_abandon(more.batch);
	finish(&first);
	finish(&again);
	await(&first);
	await(&again);
	assert_counts(&again, 0, 0, 0, COUNT);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), COUNT + 1);
	ck_assert_uint_eq(ingest->held_bytes, 0);
}
END_TEST

/* The same while the commit of what was rejected is under way. */
static void commit_rejected_of(struct outcome *source)
{
	config.commit_delay = 0;
	open_batch(source);
	ingest_batch_hold(source->batch);
	feed(source, "{\"product\":\"SMS\"}\n");
	feed_sms(source, "a", "delivered");
	while (late_engine_puts() > 0)
		event_base_loop(base, EVLOOP_ONCE);
	ingest_commit_held(ingest, true);
	await_commit();
}

static void assert_rejected_goes(void)
{
	struct ingest_stats stats;

	await_end_of_commit();
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 0);
	ck_assert_uint_eq(ingest->held_bytes, 0);
	ingest_stats(ingest, &stats);
	ck_assert_uint_eq(stats.total.rejected, 0);
	ck_assert_uint_eq(stats.total.accepted, 1);
}

START_TEST(late_source_that_is_given_up_during_a_commit_leaves_nothing_in_quarantine)
{
	struct outcome source;

	commit_rejected_of(&source);
	ingest_batch_abandon(source.batch);
	assert_rejected_goes();
}
END_TEST

START_TEST(late_source_whose_open_round_fails_during_a_commit_leaves_nothing_in_quarantine)
{
	struct outcome source;

	commit_rejected_of(&source);
	feed_sms(&source, "b", "delivered");
	error_set(&err, ERROR_IO, "The disk is dead");
	ingest_fail(ingest, &err);
	assert_rejected_goes();
	finish(&source);
	ingest_commit_held(ingest, true);
	await(&source);
	ck_assert_int_eq(source.code, ERROR_IO);
	assert_counts(&source, 1, 0, 0, 0);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 0);
}
END_TEST

START_TEST(late_commit_that_fails_keeps_nothing_of_what_was_rejected)
{
	struct outcome outcome;

	config.commit_delay = 0;
	open_batch(&outcome);
	feed_sms(&outcome, "a", "delivered");
	feed(&outcome, "{\"product\":\"SMS\"}\n");
	finish(&outcome);
	late_engine_fail_commit();
	await(&outcome);
	ck_assert_int_eq(outcome.code, ERROR_IO);
	assert_counts(&outcome, 0, 0, 0, 0);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 0);
}
END_TEST

START_TEST(late_failure_of_a_commit_fails_what_was_put_meanwhile_too)
{
	struct outcome first, meanwhile, later;

	config.commit_delay = 0;
	open_batch(&first);
	feed_many(&first, "a", 3);
	finish(&first);
	open_batch(&meanwhile);
	late_engine_fail_commit();
	await_commit();
	feed_sms(&meanwhile, "a-1", "delivered"); /* a duplicate of what is then lost */
	await(&first);
	ck_assert_int_eq(first.code, ERROR_IO);
	assert_counts(&first, 0, 0, 0, 0);
	finish(&meanwhile);
	await(&meanwhile);
	ck_assert_int_eq(meanwhile.code, ERROR_IO);
	open_batch(&later);
	feed_many(&later, "a", 3);
	finish(&later);
	await(&later);
	assert_counts(&later, 3, 0, 0, 0);
	end_ingest();
	assert_stored(3);
}
END_TEST

static void on_room(void *arg)
{
	struct outcome *outcome = arg;

	outcome->rooms++;
}

/* More than may wait while a commit is under way. */
static void fill(struct outcome *outcome)
{
	enum { BYTES = 9 << 20 };
	char *lines = malloc(BYTES);

	ck_assert_ptr_nonnull(lines);
	memset(lines, '\n', BYTES);
	ingest_batch_feed(outcome->batch, lines, BYTES);
	free(lines);
}

START_TEST(late_commit_that_ends_tells_who_waits_for_room)
{
	struct outcome first, second;

	config.commit_delay = 0;
	open_batch(&first);
	open_batch(&second);
	feed_sms(&first, "a", "delivered");
	fill(&first);
	ck_assert_msg(!ingest_batch_must_wait(first.batch, on_room), "no commit is under way");
	finish(&first);
	if (_i == 1)
		late_engine_fail_commit();
	await_commit();
	feed_sms(&second, "b", "delivered");
	ck_assert(!ingest_batch_must_wait(second.batch, on_room));
	fill(&second);
	ck_assert(ingest_batch_must_wait(second.batch, on_room));
	ck_assert_int_eq(second.rooms, 0);
	await_end_of_commit();
	ck_assert_int_eq(second.rooms, 1);
	ck_assert(!ingest_batch_must_wait(second.batch, on_room));
	await(&first);
	finish(&second);
	await(&second);
	ck_assert_int_eq(second.rooms, 1);
	ck_assert_int_eq(second.code, _i == 1 ? ERROR_IO : ERROR_NONE);
}
END_TEST

START_TEST(records_put_while_a_commit_is_under_way_wait_for_the_next)
{
	struct outcome first, second;

	config.commit_delay = 0;
	open_batch(&first);
	open_batch(&second);
	feed_many(&first, "a", 2);
	feed_many(&second, "b", 2);
	finish(&first);
	await_commit();
	feed_many(&second, "c", 1);
	await(&first);
	assert_counts(&first, 2, 0, 0, 0);
	ck_assert_int_eq(second.calls, 0);
	finish(&second);
	await(&second);
	ck_assert_int_eq(second.code, ERROR_NONE);
	ck_assert_uint_eq(second.summary.accepted, 3);
	end_ingest();
	assert_stored(5);
}
END_TEST

START_TEST(batch_may_go_while_its_records_are_on_their_way)
{
	struct outcome gone, other;

	open_batch(&gone);
	feed_many(&gone, "gone", 3);
	ingest_batch_abandon(gone.batch);
	open_batch(&other);
	feed_many(&other, "a", 1);
	finish(&other);
	await(&other);
	ck_assert_int_eq(gone.calls, 0);
	end_ingest();
	assert_stored(4);
}
END_TEST

START_TEST(end_of_ingest_does_not_acknowledge_what_is_on_its_way)
{
	struct outcome outcome;

	open_batch(&outcome);
	feed_many(&outcome, "a", 2);
	finish(&outcome);
	end_ingest();
	ck_assert_int_eq(outcome.calls, 1);
	ck_assert_int_eq(outcome.code, ERROR_IO);
	assert_counts(&outcome, 0, 0, 0, 0);
}
END_TEST

/* Feeds until the day's map is full, which fails the batch without a call. */
static void feed_until_full(struct outcome *outcome)
{
	struct ingest_summary before, after;
	char id[32];

	for (int i = 0; i < 100000; i++) {
		ingest_batch_summary(outcome->batch, &before);
		snprintf(id, sizeof(id), "full-%d", i);
		feed_sms(outcome, id, "delivered");
		ingest_batch_summary(outcome->batch, &after);
		if (before.accepted == after.accepted)
			return;
	}
	ck_abort_msg("100000 records did not fill a map of %zu bytes", SMALL_MAP_BYTES);
}

START_TEST(full_store_fails_every_batch_of_the_round_and_no_other)
{
	struct outcome before, sharing, filling, after;

	config.commit_records_max = 1000000;
	open_batch(&before);
	feed_many(&before, "before", 2);
	finish(&before);
	await(&before);
	open_batch(&sharing);
	open_batch(&filling);
	feed_many(&sharing, "sharing", 2);
	finish(&sharing);
	feed_until_full(&filling);
	feed_many(&filling, "ignored", 2);
	ck_assert_int_eq(filling.calls, 0);
	finish(&filling);
	await(&sharing);
	await(&filling);
	ck_assert_int_eq(before.code, ERROR_NONE);
	ck_assert_int_eq(sharing.code, ERROR_FULL);
	ck_assert_int_eq(filling.code, ERROR_FULL);
	assert_counts(&filling, 0, 0, 0, 0);
	ck_assert_str_eq(filling.answer,
	                 "{\"accepted\":0,\"updated\":0,\"duplicates\":0,\"outdated\":0,\"rejected\":0,\"errors\":[]}");
	open_batch(&after);
	feed_many(&after, "after", 2);
	finish(&after);
	await(&after);
	assert_counts(&after, 2, 0, 0, 0);
	end_ingest();
	assert_stored(4);
}
END_TEST

static void feed_of_another_day(struct outcome *outcome)
{
	struct buf line = { 0 };

	buf_add_text(&line, "{\"product\":\"SMS\",\"account_id\":\"" ACCOUNT
	                    "\",\"id\":\"victim\",\"direction\":\"outbound\",\"status\":\"delivered\","
	                    "\"date_received\":\"");
	clock_format_day(&line, clock_day_of(clock_now_us()) - 3);
	buf_add_text(&line, "T12:00:00Z\"}\n");
	ingest_batch_feed(outcome->batch, line.data, line.len);
	buf_free(&line);
}

/* Commits so many records that sealing them does not fit the day's map. */
static void fill_day(void)
{
	struct outcome fill;
	struct ingest_summary summary;

	config.commit_records_max = 1000000;
	open_batch(&fill);
	feed_until_full(&fill);
	ingest_batch_summary(fill.batch, &summary);
	ingest_batch_abandon(fill.batch);
	open_batch(&fill);
	feed_many(&fill, "full", (int)summary.accepted * 98 / 100);
	finish(&fill);
	await(&fill);
	ck_assert_int_eq(fill.code, ERROR_NONE);
}

/* A round has failed, but its record is still in the open transaction; a client that sends it again is told of a
 * duplicate. If sealing then loses that transaction, nothing of it may be acknowledged. */
START_TEST(duplicate_of_a_record_that_maintenance_lost_is_not_acknowledged)
{
	struct outcome first, second;

	fill_day();
	open_batch(&first);
	feed_of_another_day(&first);
	error_set(&err, ERROR_FULL, "The catalog is full");
	ingest_fail(ingest, &err);
	open_batch(&second);
	feed_of_another_day(&second);
	finish(&second);
	begin_sealing(f.store);
	for (int i = 0; i < 1000 && ingest->stats.maintenance_failed == 0; i++)
		ingest_on_maintenance(ingest, clock_monotonic_us() + 1000000);
	ck_assert_uint_eq(ingest->stats.maintenance_failed, 1);
	await(&second);
	ck_assert_int_ne(second.code, ERROR_NONE);
	ingest_batch_abandon(first.batch);
}
END_TEST

START_TEST(duplicate_of_a_record_that_was_lost_is_not_acknowledged)
{
	struct outcome first, second, filling;

	config.commit_records_max = 1000000;
	open_batch(&first);
	open_batch(&second);
	open_batch(&filling);
	feed_sms(&first, "a", "delivered");
	feed_sms(&second, "a", "delivered");
	finish(&second);
	feed_until_full(&filling);
	await(&second);
	ck_assert_int_eq(second.code, ERROR_FULL);
	ingest_batch_abandon(first.batch);
	ingest_batch_abandon(filling.batch);
}
END_TEST

/* Makes every write fail that would grow a file past `bytes`; RLIM_INFINITY ends it. */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(sealing_rests_after_a_commit_that_failed)
{
	struct timeval second = { 1, 0 };
	struct outcome fill;

	open_batch(&fill);
	feed_many(&fill, "x", 20000);
	finish(&fill);
	await(&fill);
	limit_files(16384);
	begin_sealing(f.store);
	event_base_loopexit(base, &second);
	event_base_dispatch(base);
	limit_files(RLIM_INFINITY);
	ck_assert_uint_ge(ingest->stats.commits_failed, 1);
	ck_assert_uint_le(ingest->stats.commits_failed, 2);
}
END_TEST

START_TEST(commit_that_fails_acknowledges_nothing_and_can_be_repeated)
{
	struct outcome outcome;

	open_batch(&outcome);
	feed_many(&outcome, "a", 500);
	limit_files(16384);
	finish(&outcome);
	await(&outcome);
	limit_files(RLIM_INFINITY);
	ck_assert_int_eq(outcome.code, ERROR_IO);
	assert_counts(&outcome, 0, 0, 0, 0);
	open_batch(&outcome);
	feed_many(&outcome, "a", 500);
	finish(&outcome);
	await(&outcome);
	assert_counts(&outcome, 500, 0, 0, 0);
	end_ingest();
	assert_stored(500);
}
END_TEST

static uint64_t quarantined(void)
{
	struct quarantine_stats stats;

	ASSERT_OK(quarantine_stats(f.meta, &stats, &err));
	return stats.entries;
}

/* What a batch reports as rejected is in quarantine, even if another's change of the catalog failed meanwhile. */
START_TEST(rejects_outlast_the_failure_of_another_change)
{
	struct outcome outcome;

	open_batch(&outcome);
	feed_many(&outcome, "a", 3);
	feed(&outcome, "nonsense\n");
	meta_abort(f.meta);
	finish(&outcome);
	await(&outcome);
	assert_counts(&outcome, 3, 0, 0, 1);
	ck_assert_uint_eq(quarantined(), 1);
}
END_TEST

/* Those of another batch of the round stay. */
START_TEST(batch_that_fails_alone_gives_its_rejects_up)
{
	struct outcome outcome, other;

	ASSERT_OK(config_set(&config, "data_dir", f.dir, &err));
	ASSERT_OK(config_set(&config, "disk_min_free", "1000T", &err));
	struct disk *disk = disk_new(base, &config, &err);
	ck_assert_ptr_nonnull(disk);
	open_batch(&other);
	feed(&other, "nonsense of another\n");
	open_batch(&outcome);
	feed_many(&outcome, "a", 3);
	feed(&outcome, "nonsense\n");
	ingest_watch_disk(ingest, disk);
	feed(&outcome, "more\n");
	finish(&outcome);
	finish(&other);
	await(&outcome);
	await(&other);
	ck_assert_int_eq(outcome.code, ERROR_FULL);
	assert_counts(&outcome, 3, 0, 0, 0);
	assert_counts(&other, 0, 0, 0, 1);
	ck_assert_uint_eq(quarantined(), 1);
	ingest_watch_disk(ingest, NULL);
	disk_free(disk);
}
END_TEST

/* They are in memory until a commit, and more bytes of them than may wait begin one. */
START_TEST(body_of_nothing_but_rejects_takes_bounded_memory)
{
	const size_t line_bytes = 200 << 10, most = (size_t)32 << 20;
	struct outcome outcome;
	size_t peak = 0;

	config.commit_records_max = INT32_MAX;
	char *line = malloc(line_bytes + 1);
	ck_assert_ptr_nonnull(line);
	memset(line, 'x', line_bytes);
	memcpy(line + line_bytes - 1, "\n", 2);
	open_batch(&outcome);
	for (int i = 0; i < 200; i++) {
		feed(&outcome, line);
		peak = ingest->held_bytes > peak ? ingest->held_bytes : peak;
	}
	free(line);
	ck_assert_uint_gt(quarantined(), 0);
	finish(&outcome);
	await(&outcome);
	ck_assert_uint_le(peak, most);
	ck_assert_uint_gt(peak, most / 4);
	ck_assert_uint_eq(ingest->held_bytes, 0);
	assert_counts(&outcome, 0, 0, 0, 200);
}
END_TEST

/* A client that sends a failed body again must not have its rejects stand twice. */
START_TEST(round_that_fails_leaves_nothing_in_quarantine)
{
	struct outcome outcome;

	open_batch(&outcome);
	feed_many(&outcome, "a", 500); /* the first has numbers of changes reserved, which commits what waits */
	feed(&outcome, "nonsense\n");
	limit_files(16384);
	finish(&outcome);
	await(&outcome);
	limit_files(RLIM_INFINITY);
	ck_assert_int_eq(outcome.code, ERROR_IO);
	open_batch(&outcome);
	feed(&outcome, "nonsense\n");
	feed_many(&outcome, "a", 500);
	finish(&outcome);
	await(&outcome);
	assert_counts(&outcome, 500, 0, 0, 1);
	ck_assert_uint_eq(quarantined(), 1);
}
END_TEST

START_TEST(commit_that_fails_on_the_way_fails_the_whole_body)
{
	struct outcome large;

	config.commit_records_max = 400;
	open_batch(&large);
	feed_many(&large, "a", 500); /* 400 are committed */
	limit_files(16384);
	feed_many(&large, "b", 500);
	limit_files(RLIM_INFINITY);
	feed_many(&large, "c", 500); /* ignored */
	ck_assert_int_eq(large.calls, 0);
	finish(&large);
	await(&large);
	ck_assert_int_eq(large.code, ERROR_IO);
	assert_counts(&large, 400, 0, 0, 0); /* what is on disk is told all the same */
	end_ingest();
	assert_stored(400);
}
END_TEST

START_TEST(body_that_stops_is_answered_with_what_was_taken)
{
	struct outcome outcome;
	struct error why;

	open_batch(&outcome);
	feed_many(&outcome, "a", 3);
	feed(&outcome, "nonsense\n{\"product\":");
	error_set(&why, ERROR_LIMIT, "Too long");
	ingest_batch_stop(outcome.batch, &why);
	await(&outcome);
	ck_assert_int_eq(outcome.code, ERROR_LIMIT);
	assert_counts(&outcome, 3, 0, 0, 1);
	ck_assert_msg(strstr(outcome.answer, ",\"line\":5,\"byte\":") != NULL, "%s", outcome.answer);
	end_ingest();
	assert_stored(3);
}
END_TEST

/* --- checks of a record --- */

#define NOW_US INT64_C(1718627949000000) /* 2024-06-17T12:39:09Z */

static struct record sent;
static struct record checked; /* its values borrow from `check` */
static int64_t time_us;

static void set(const char *column, const char *value)
{
	uint8_t at = catalog_column_find(sent.product, str_from(column));

	ck_assert_msg(at != CATALOG_NONE, "no column %s", column);
	sent.values[at] = str_from(value);
}

static void begin_record(const char *product)
{
	memset(&sent, 0, sizeof(sent));
	sent.product = catalog_product_find(str_from(product));
	ck_assert_msg(sent.product != NULL, "no product %s", product);
}

static void begin_sms(void)
{
	begin_record("SMS");
	set("account_id", ACCOUNT);
	set("id", "0b4a5a6e-0000-4000-8000-000000000001");
	set("direction", "outbound");
	set("date_received", "2024-06-17T12:00:00Z");
}

/* "" if the record is right, "field: reason" if not. */
static const char *fault_of_record(void)
{
	static char text[4096];
	struct parse_item item = { .record = &sent };
	size_t at = 0;

	text[0] = '\0';
	check_free(&check);
	ASSERT_OK(check_init(&check, &config, f.meta, f.store, &err));
	ASSERT_OK(check_set_batch(&check, &settings, NOW_US, NOW_US, &err));
	if (!check_item(&check, &item, &checked, &time_us))
		for (size_t i = 0; i < check.faults_count; i++)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s: %s", i > 0 ? "; " : "",
			                       check.faults[i].field, check.faults[i].reason);
	return text;
}

static const struct {
	const char *column, *value, *fault;
} faults[] = {
	{ "account_id", NULL, "account_id: Missing required field" },
	{ "account_id", "", "account_id: Missing required field" },
	{ "account_id", "nobody00", "account_id: Unknown account \"nobody00\"" },
	{ "account_id", ACCOUNT "5", "account_id: Unknown account \"" ACCOUNT "5\"" },
	{ "id", NULL, "id: Missing required field, for which message_id would do as well" },
	{ "direction", NULL, "direction: Missing required field; must be inbound or outbound" },
	{ "direction", "sideways", "direction: \"sideways\": must be inbound or outbound" },
	{ "date_received", NULL, "date_received: Missing required field" },
	{ "date_received", "yesterday", "date_received: \"yesterday\": must be a time such as 2026-11-24T14:20:11Z" },
	{ "date_received", "2024-06-17 12:00:00",
	  "date_received: \"2024-06-17 12:00:00\": has no offset from UTC, and no time_zone is given or set" },
	{ "date_finalized", "20240617120000",
	  "date_finalized: \"20240617120000\": must be a time such as 2026-11-24T14:20:11Z" },
	{ "date_finalized", "0", "date_finalized: \"0\": must be a time such as 2026-11-24T14:20:11Z" },
	{ "total_price", "0,02", "total_price: \"0,02\": must be a number such as 0.0325" },
	{ "total_price", "abc", "total_price: \"abc\": must be a number such as 0.0325" },
	{ "total_price", "$1", "total_price: \"$1\": must be a number such as 0.0325" },
	{ "total_price", "nan", "total_price: \"nan\": must be a number such as 0.0325" },
	{ "total_price", "inf", "total_price: \"inf\": must be a number such as 0.0325" },
	{ "total_price", "0x10", "total_price: \"0x10\": must be a number such as 0.0325" },
	{ "total_price", "1 000", "total_price: \"1 000\": must be a number such as 0.0325" },
	{ "total_price", "-", "total_price: \"-\": must be a number such as 0.0325" },
	{ "total_price", "1e19", "total_price: \"1e19\": at most 18 digits before the point allowed" },
	{ "total_price", "1e-13", "total_price: \"1e-13\": at most 12 digits after the point allowed" },
	{ "latency", "3 min", "latency: \"3 min\": must be a number such as 0.0325" },
	{ "currency", "E1", "currency: \"E1\": must be letters, such as EUR" },
	{ "currency", "EUROCENT", "currency: \"EUROCENT\": at most 7 letters allowed" },
	{ "date_received", "2023-05-17T12:39:08Z",
	  "date_received: time outside retention: 2023-05-17T12:39:08+00:00 is before 2023-05-17T12:39:09+00:00 "
	  "(retention_months 13)" },
	{ "date_received", "2024-06-18T12:39:10Z",
	  "date_received: time outside retention: 2024-06-18T12:39:10+00:00 is after 2024-06-18T12:39:09+00:00 "
	  "(future_max)" },
	/* not faults */
	{ "date_received", "2023-05-17T12:39:09Z", "" },
	{ "date_received", "2024-06-18T12:39:09Z", "" },
	{ "direction", "inbound", "" },
	{ "date_finalized", "", "" },
	{ "total_price", "", "" },
	{ "latency", "", "" },
	{ "currency", "", "" },
	{ "status", "a status of its own", "" },
};

START_TEST(fault_names_field_value_and_limit)
{
	begin_sms();
	set(faults[_i].column, faults[_i].value);
	ck_assert_str_eq(fault_of_record(), faults[_i].fault);
}
END_TEST

START_TEST(long_value_is_cut_in_the_reason)
{
	char value[4096];

	memset(value, '9', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	begin_sms();
	set("date_received", value);
	ck_assert_uint_lt(strlen(fault_of_record()), 200);
}
END_TEST

START_TEST(daemons_own_records_are_refused)
{
	begin_record("REPORTS-USAGE");
	ck_assert_str_eq(fault_of_record(), "product: REPORTS-USAGE records are written by the daemon alone");
}
END_TEST

static void begin_call(const char *direction)
{
	begin_record("VOICE-CALL");
	set("account_id", ACCOUNT);
	set("id", "call-1");
	set("date_start", "2024-06-17T12:00:00Z");
	set("direction", direction);
}

START_TEST(direction_may_be_absent_but_not_another_where_it_keeps_nothing_apart)
{
	begin_call(NULL);
	ck_assert_str_eq(fault_of_record(), "");
	begin_call("sideways");
	ck_assert_str_eq(fault_of_record(), "direction: \"sideways\": must be inbound or outbound");
}
END_TEST

START_TEST(all_faults_of_a_record_are_told_at_once)
{
	begin_sms();
	set("account_id", "nobody00");
	set("date_received", "yesterday");
	set("total_price", "0,02");
	set("currency", "E1");
	ck_assert_str_eq(fault_of_record(),
	                 "account_id: Unknown account \"nobody00\"; "
	                 "date_received: \"yesterday\": must be a time such as 2026-11-24T14:20:11Z; "
	                 "total_price: \"0,02\": must be a number such as 0.0325; "
	                 "currency: \"E1\": must be letters, such as EUR");
}
END_TEST

/* What a value is stored as; `zone` is the producer's. */
static const struct {
	const char *column, *zone, *sent, *stored;
} forms[] = {
	{ "total_price", "", "0.0325", "0.0325" },
	{ "total_price", "", "0.04010", "0.04010" }, /* the digits that were sent stay */
	{ "total_price", "", "-0.50", "-0.50" },
	{ "total_price", "", "5e-05", "0.00005" },
	{ "total_price", "", "5E-5", "0.00005" },
	{ "total_price", "", "1.50e-3", "0.0015" },
	{ "total_price", "", "1e17", "100000000000000000" },
	{ "total_price", "", "1e+2", "100" },
	{ "total_price", "", "+0.5", "0.5" },
	{ "total_price", "", ".5", "0.5" },
	{ "total_price", "", "5.", "5" },
	{ "total_price", "", "007.50", "7.5" },
	{ "total_price", "", "-0", "0" },
	{ "total_price", "", " 1.5 ", "1.5" },
	{ "total_price", "", "0.1000000000000000", "0.1" },
	{ "latency", "", "3.0e3", "3000" },
	{ "currency", "", "eur", "EUR" },
	{ "currency", "", "Eur", "EUR" },
	{ "direction", "", "OutBound", "outbound" },
	{ "date_received", "", "2024-06-17T14:00:00.5+0200", "2024-06-17T12:00:00.500+00:00" },
	{ "date_received", "", "2024-06-17T11:59:60+00:00", "2024-06-17T12:00:00+00:00" },
	{ "date_finalized", "", "2024-06-17t12:00:01z", "2024-06-17T12:00:01+00:00" },
	{ "status", "", "2024-06-17T14:00:00+0200", "2024-06-17T14:00:00+0200" }, /* no time column */
	{ "date_received", "", "1718625600", "2024-06-17T12:00:00+00:00" },
	{ "date_received", "", "1718625600.5", "2024-06-17T12:00:00.500+00:00" },
	{ "date_received", "", "1718625600000", "2024-06-17T12:00:00+00:00" },
	{ "date_received", "", "1718625600000.25", "2024-06-17T12:00:00.000250+00:00" },
	{ "date_received", "", "1.7186256e9", "2024-06-17T12:00:00+00:00" },
	{ "date_finalized", "", "1718625601123", "2024-06-17T12:00:01.123+00:00" },
	{ "date_received", "Europe/Berlin", "2024-06-17 14:00:00", "2024-06-17T12:00:00+00:00" },
	{ "date_received", "Europe/Berlin", "2024-06-17T14:00:00.250", "2024-06-17T12:00:00.250+00:00" },
	{ "date_received", "Europe/Berlin", "2024-06-17T14:00:00Z", "2024-06-17T14:00:00+00:00" },
	{ "date_received", "Europe/Berlin", "2024-01-17 13:00:00", "2024-01-17T12:00:00+00:00" },
	{ "date_received", "-05:00", "2024-06-17 07:00:00", "2024-06-17T12:00:00+00:00" },
	{ "date_finalized", "Europe/Berlin", "2024-06-17 14:00:01", "2024-06-17T12:00:01+00:00" },
	{ "date_received", "Europe/Berlin", "2023-10-29 01:59:59", "2023-10-28T23:59:59+00:00" },
	{ "date_received", "Europe/Berlin", "2023-10-29 02:30:00", "2023-10-29T00:30:00+00:00" }, /* twice: the first */
	{ "date_received", "Europe/Berlin", "2023-10-29 03:00:00", "2023-10-29T02:00:00+00:00" },
	{ "date_received", "Europe/Berlin", "2024-03-31 01:59:59", "2024-03-31T00:59:59+00:00" },
	{ "date_received", "Europe/Berlin", "2024-03-31 03:00:00", "2024-03-31T01:00:00+00:00" },
};

START_TEST(value_is_stored_in_one_form)
{
	int64_t stored_us;

	begin_sms();
	strcpy(settings.time_zone, forms[_i].zone);
	set(forms[_i].column, forms[_i].sent);
	ck_assert_str_eq(fault_of_record(), "");
	uint8_t column = catalog_column_find(sent.product, str_from(forms[_i].column));
	struct str stored = checked.values[column];
	ck_assert_msg(str_is(stored, forms[_i].stored), "%s \"%s\" became \"%.*s\", not \"%s\"", forms[_i].column,
	              forms[_i].sent, STR_ARGS(stored), forms[_i].stored);
	if (column == sent.product->time_column) {
		ck_assert(clock_parse_iso8601(stored, &stored_us));
		ck_assert_int_eq(time_us, stored_us);
	}
}
END_TEST

START_TEST(local_time_that_never_was_is_refused)
{
	begin_sms();
	strcpy(settings.time_zone, "Europe/Berlin");
	set("date_received", "2024-03-31 02:30:00");
	ck_assert_str_eq(fault_of_record(),
	                 "date_received: \"2024-03-31 02:30:00\": no such time in Europe/Berlin, where "
	                 "clocks were set forward past it");
	set("date_received", "2024-06-17 14:00:00");
	set("date_finalized", "1999-06-17 14:00:00");
	ck_assert_str_eq(fault_of_record(), "date_finalized: \"1999-06-17 14:00:00\": too long ago or ahead for a time "
	                                    "without an offset from UTC");
}
END_TEST

START_TEST(zones_of_many_producers_take_turns)
{
	static const char *const names[] = { "Europe/Berlin", "Europe/London",   "America/New_York", "Asia/Kolkata",
		                             "Asia/Tokyo",    "Australia/Perth", "+01:00",           "+02:00",
		                             "+03:00",        "+04:00" };
	static const char *const hours[] = { "14", "13", "08", "17", "21", "20", "13", "14", "15", "16" };
	size_t count = sizeof(names) / sizeof(names[0]);
	struct zones zones = { 0 };

	for (size_t i = 0; i < 3 * count; i++) {
		char text[32];
		int64_t local_us, found_us;

		snprintf(text, sizeof(text), "2024-06-17 %s:%s:00", hours[i % count],
		         strcmp(names[i % count], "Asia/Kolkata") == 0 ? "30" : "00");
		struct zones_slot *slot = zones_get(&zones, names[i % count], NOW_US, NOW_US, &err);
		ck_assert_msg(slot != NULL, "%s: %s", names[i % count], err.message);
		ck_assert(clock_parse_local(str_from(text), &local_us) &&
		          zone_find_moment(&slot->zone, local_us, &found_us));
		ck_assert_int_eq(found_us, INT64_C(1718625600000000));
	}
	ck_assert_ptr_null(zones_get(&zones, "Europe/Nowhere", NOW_US, NOW_US, &err));
	zones_free(&zones);
}
END_TEST

static const struct {
	const char *product, *column;
} stand_ins[] = {
	{ "SMS", "message_id" },
	{ "MESSAGES", "message_id" },
	{ "VOICE-CALL", "call_id" },
	{ "VERIFY-API", "request_id" },
	{ "CONVERSATION-MESSAGE", "from_message_id" },
};

START_TEST(id_of_its_own_serves_where_there_is_no_id)
{
	begin_record(stand_ins[_i].product);
	set("account_id", ACCOUNT);
	if (sent.product->partition_direction)
		set("direction", "inbound");
	sent.values[sent.product->time_column] = STR_LITERAL("2024-06-17T12:00:00Z");
	set(stand_ins[_i].column, "one-of-its-own");
	ck_assert_str_eq(fault_of_record(), "");
	ck_assert(str_is(checked.values[sent.product->id_column], "one-of-its-own"));
	set("id", "given");
	ck_assert_str_eq(fault_of_record(), "");
	ck_assert(str_is(checked.values[sent.product->id_column], "given"));
}
END_TEST

START_TEST(id_that_records_share_serves_for_none)
{
	begin_record("VIDEO-API");
	set("account_id", ACCOUNT);
	set("date_start", "2024-06-17T12:00:00Z");
	set("session_id", "a session of many");
	ck_assert_str_eq(fault_of_record(), "id: Missing required field");
}
END_TEST

static uint64_t unknown_count(const char *product, const char *column)
{
	for (size_t i = 0; i < catalog_listed_count; i++)
		if (str_is(catalog_listed[i].product->name, product) && str_is(catalog_listed[i].filter->name, column))
			return check.unknown_values[i];
	ck_abort_msg("%s has no list for %s", product, column);
}

START_TEST(value_beside_the_known_ones_is_taken_and_counted)
{
	static const struct {
		const char *status;
		uint64_t unknown;
	} rows[] = {
		{ "delivered", 0 }, { "", 0 }, { "DELIVERED", 1 }, { "deliveredx", 1 }, { "d", 1 }, { "parked", 1 }
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_sms();
		set("status", rows[i].status);
		ck_assert_str_eq(fault_of_record(), "");
		ck_assert_msg(unknown_count("SMS", "status") == rows[i].unknown, "status %s", rows[i].status);
	}
	begin_call("inbound");
	set("status", "answered"); /* a list that knows no case */
	ck_assert_str_eq(fault_of_record(), "");
	ck_assert_uint_eq(unknown_count("VOICE-CALL", "status"), 0);
}
END_TEST

Suite *suite_ingest(void)
{
	Suite *suite = suite_create("ingest");
	TCase *batches = tcase_create("batches");

	tcase_add_checked_fixture(batches, setup, teardown);
	tcase_add_test(batches, acknowledged_records_are_on_disk);
	tcase_add_test(batches, same_record_is_a_duplicate_and_other_values_an_update);
	tcase_add_test(batches, bad_line_does_not_lose_the_others);
	tcase_add_test(batches, first_record_after_a_rejected_one_does_not_commit_it);
	tcase_add_test(batches, change_of_the_catalog_does_not_commit_what_was_rejected);
	tcase_add_test(batches, first_record_of_a_day_does_not_commit_what_was_rejected_before_the_place_is_put);
	tcase_add_test(batches, listed_errors_are_capped_and_all_are_counted);
	tcase_add_test(batches, rejected_record_is_kept_as_it_was_sent_with_all_faults);
	tcase_add_test(batches, rejected_record_of_a_replay_is_not_kept_again);
	tcase_add_test(batches, repeats_are_told_among_the_newest_rejects_up_to_a_size);
	tcase_add_test(batches, flood_of_rejected_records_is_counted_but_not_kept);
	tcase_add_test(batches, what_expires_and_what_is_pushed_out_is_counted);
	tcase_add_loop_test(batches, rejects_keep_their_bytes_or_the_text_made_of_them, 0, 3);
	tcase_add_test(batches, errors_that_are_equal_are_told_once);
	tcase_add_test(batches, batches_of_one_turn_share_a_commit);
	tcase_add_test(batches, large_body_is_committed_on_the_way);
	tcase_add_test(batches, abandoned_batch_is_not_answered_and_its_records_are_committed);
	tcase_add_test(batches, end_of_ingest_commits_and_answers_what_waits);
	tcase_add_test(batches, empty_body_is_answered);
	suite_add_tcase(suite, batches);

	TCase *late = tcase_create("late store");
	tcase_add_checked_fixture(late, setup_late, teardown_late);
	tcase_add_test(late, acknowledged_records_are_on_disk);
	tcase_add_test(late, same_record_is_a_duplicate_and_other_values_an_update);
	tcase_add_test(late, bad_line_does_not_lose_the_others);
	tcase_add_test(late, listed_errors_are_capped_and_all_are_counted);
	tcase_add_test(late, rejected_record_is_kept_as_it_was_sent_with_all_faults);
	tcase_add_test(late, batches_of_one_turn_share_a_commit);
	tcase_add_test(late, abandoned_batch_is_not_answered_and_its_records_are_committed);
	tcase_add_test(late, empty_body_is_answered);
	tcase_add_test(late, late_rejection_is_told_and_kept);
	tcase_add_test(late, late_commit_keeps_what_was_rejected_and_nothing_before_does);
	tcase_add_test(late, late_source_that_is_given_up_leaves_nothing_in_quarantine);
	tcase_add_test(late, late_rejections_that_come_again_are_known_among_many);
	tcase_add_test(late, late_source_that_is_given_up_during_a_commit_leaves_nothing_in_quarantine);
	tcase_add_test(late, late_source_whose_open_round_fails_during_a_commit_leaves_nothing_in_quarantine);
	tcase_add_test(late, late_commit_that_fails_keeps_nothing_of_what_was_rejected);
	tcase_add_test(late, late_failure_of_a_commit_fails_what_was_put_meanwhile_too);
	tcase_add_loop_test(late, late_commit_that_ends_tells_who_waits_for_room, 0, 2);
	tcase_add_test(late, records_put_while_a_commit_is_under_way_wait_for_the_next);
	tcase_add_test(late, batch_may_go_while_its_records_are_on_their_way);
	tcase_add_test(late, end_of_ingest_does_not_acknowledge_what_is_on_its_way);
	suite_add_tcase(suite, late);

	TCase *full = tcase_create("full store");
	tcase_add_checked_fixture(full, setup_small, teardown);
	tcase_add_test(full, full_store_fails_every_batch_of_the_round_and_no_other);
	tcase_add_test(full, duplicate_of_a_record_that_maintenance_lost_is_not_acknowledged);
	tcase_add_test(full, duplicate_of_a_record_that_was_lost_is_not_acknowledged);
	suite_add_tcase(suite, full);

	TCase *failing = tcase_create("failing disk");
	tcase_add_checked_fixture(failing, setup, teardown);
	tcase_add_test(failing, sealing_rests_after_a_commit_that_failed);
	tcase_add_test(failing, commit_that_fails_acknowledges_nothing_and_can_be_repeated);
	tcase_add_test(failing, rejects_outlast_the_failure_of_another_change);
	tcase_add_test(failing, batch_that_fails_alone_gives_its_rejects_up);
	tcase_add_test(failing, body_of_nothing_but_rejects_takes_bounded_memory);
	tcase_add_test(failing, round_that_fails_leaves_nothing_in_quarantine);
	tcase_add_test(failing, commit_that_fails_on_the_way_fails_the_whole_body);
	tcase_add_test(failing, body_that_stops_is_answered_with_what_was_taken);
	suite_add_tcase(suite, failing);

	TCase *checks = tcase_create("checks");
	tcase_add_checked_fixture(checks, setup, teardown);
	tcase_add_loop_test(checks, fault_names_field_value_and_limit, 0, (int)(sizeof(faults) / sizeof(faults[0])));
	tcase_add_test(checks, long_value_is_cut_in_the_reason);
	tcase_add_test(checks, daemons_own_records_are_refused);
	tcase_add_test(checks, direction_may_be_absent_but_not_another_where_it_keeps_nothing_apart);
	tcase_add_test(checks, all_faults_of_a_record_are_told_at_once);
	tcase_add_loop_test(checks, value_is_stored_in_one_form, 0, (int)(sizeof(forms) / sizeof(forms[0])));
	tcase_add_test(checks, local_time_that_never_was_is_refused);
	tcase_add_test(checks, zones_of_many_producers_take_turns);
	tcase_add_loop_test(checks, id_of_its_own_serves_where_there_is_no_id, 0,
	                    (int)(sizeof(stand_ins) / sizeof(stand_ins[0])));
	tcase_add_test(checks, id_that_records_share_serves_for_none);
	tcase_add_test(checks, value_beside_the_known_ones_is_taken_and_counted);
	suite_add_tcase(suite, checks);
	return suite;
}
