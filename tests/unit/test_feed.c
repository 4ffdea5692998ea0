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
#include <unistd.h>

#include "base/clock.h"
#include "base/task.h"
#include "expect.h"
#include "feed/feed_private.h"
#include "ingest/ingest_private.h"
#include "late_engine.h"
#include "lmdb/value.h"
#include "meta/accounts.h"
#include "meta/quarantine.h"
#include "store_fixture.h"

Suite *suite_feed(void);

#define ACCOUNT "abcd1234"
#define TURNS_MAX 5000 /* of the loop */

static const char rows_mapping[] = "form = csv\n"
				   "names = kind id time\n"
				   "[record change]\n"
				   "when = {kind} is change\n"
				   "update = yes\n"
				   "product = SMS\nid = {id}\ndirection = outbound\ndate_received = {time}\n"
				   "[record]\n"
				   "product = SMS\nid = {id}\ndirection = outbound\ndate_received = {time}\n";

static const char header_mapping[] = "form = csv\nheader = yes\n"
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

static void write_text(const char *name, const char *text)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%s", f.dir, name);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void setup_with(bool is_late, const char *mapping)
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
	if (is_late)
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

static void setup(void)
{
	setup_with(true, rows_mapping);
}

static void setup_at_once(void)
{
	setup_with(false, rows_mapping);
}

static void setup_header(void)
{
	setup_with(false, header_mapping);
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
	if (f.options.engine)
		late_engine_end();
	tasks_free(tasks);
	event_base_free(base);
	config_free(&config);
	fixture_close(&f);
}

/* Moves a file in: a row that no check lets pass, one that is stored, one that the store rejects. */
static void put_file_of(const char *id, const char *name)
{
	struct buf text = { 0 };
	struct buf day = { 0 };

	clock_format_day(&day, clock_day_of(clock_now_us()) - 1);
	buf_addf(&text, "new,bad%s,never\nnew,good%s,%.*sT12:00:00Z\nchange,lost%s,%.*sT12:00:00Z\n", id, id,
	         STR_ARGS(buf_str(&day)), id, STR_ARGS(buf_str(&day)));
	buf_add_char(&text, '\0');
	write_text(name, text.data);
	buf_free(&text);
	buf_free(&day);
}

static void put_file(void)
{
	put_file_of("", "spool/a.csv");
}

/* z.csv is not done before these, as it is the last one. */
static void put_files(int count)
{
	char id[16], name[32];

	for (int i = 0; i < count; i++) {
		(void)snprintf(id, sizeof(id), "%d", i);
		(void)snprintf(name, sizeof(name), "spool/f%03d.csv", i);
		put_file_of(id, name);
	}
	put_file_of("z", "spool/z.csv");
}

static bool is_in_done(const char *name)
{
	char path[192];

	(void)snprintf(path, sizeof(path), "%s/done/%s", spool, name);
	return access(path, F_OK) == 0;
}

static bool is_done(void)
{
	return is_in_done("a.csv");
}

static bool last_is_done(void)
{
	return is_in_done("z.csv");
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

static bool all_three_are_stored(void)
{
	return ingest->stats.total.accepted + ingest->stats.total.duplicates == 3 && is_done();
}

/* Within the tick of the clock that the end was noted in. */
START_TEST(rows_that_come_to_a_file_after_its_end_are_read_before_it_is_moved)
{
	char path[192];
	struct stat before;
	struct buf day = { 0 };

	put_file();
	feeds = feeds_new(tasks, &config, f.meta, ingest, &err);
	ck_assert_msg(feeds != NULL, "%s", err.message);
	run_until(late_engine_commits);
	(void)snprintf(path, sizeof(path), "%s/a.csv", spool);
	ck_assert_int_eq(stat(path, &before), 0);
	clock_format_day(&day, clock_day_of(clock_now_us()) - 1);
	FILE *file = fopen(path, "a");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_gt(fprintf(file, "new,more,%.*sT12:00:00Z\n", STR_ARGS(buf_str(&day))), 0);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(utimensat(AT_FDCWD, path, (struct timespec[2]){ before.st_atim, before.st_mtim }, 0), 0);
	run_until(all_three_are_stored);
	ck_assert_uint_eq(ingest->stats.total.accepted, 2);
	buf_free(&day);
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

static void assert_totals(uint64_t stored, uint64_t duplicates, uint64_t rejected)
{
	struct ingest_stats stats;

	ck_assert_int_eq(fixture_count_quarantine(f.meta), (int)rejected);
	ck_assert_uint_eq(ingest->held_bytes, 0);
	ingest_stats(ingest, &stats);
	ck_assert_uint_eq(stats.total.rejected, rejected);
	ck_assert_uint_eq(stats.total.accepted, stored);
	ck_assert_uint_eq(stats.total.duplicates, duplicates);
}

#define FILES 40

START_TEST(small_files_share_commits)
{
	struct ingest_stats stats;

	put_files(FILES - 1);
	feeds = feeds_new(tasks, &config, f.meta, ingest, &err);
	ck_assert_msg(feeds != NULL, "%s", err.message);
	run_until(last_is_done);
	assert_totals(FILES, 0, 2 * FILES);
	ingest_stats(ingest, &stats);
	ck_assert_uint_le(stats.commits, FILES / 4);
}
END_TEST

/* None is moved, and all are read again. */
START_TEST(files_of_a_commit_that_fails_are_in_quarantine_once)
{
	put_files(FILES - 1);
	late_engine_fail_commit();
	feeds = feeds_new(tasks, &config, f.meta, ingest, &err);
	ck_assert_msg(feeds != NULL, "%s", err.message);
	run_until(late_engine_commits);
	run_until(commit_has_ended);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 0);
	ck_assert(!is_in_done("f000.csv"));
	run_until(last_is_done);
	assert_totals(FILES, 0, 2 * FILES);
}
END_TEST

static bool all_are_stored(void)
{
	return ingest->stats.total.accepted == FILES;
}

/* Another daemon finds them as this one has left them: with places, and not moved, as a link is in the way. */
START_TEST(files_that_were_not_moved_before_a_stop_are_moved_and_not_read_again)
{
	char done[192];

	(void)snprintf(done, sizeof(done), "%s/done", spool);
	ck_assert_int_eq(symlink("nowhere", done), 0);
	put_files(FILES - 1);
	feeds = feeds_new(tasks, &config, f.meta, ingest, &err);
	ck_assert_msg(feeds != NULL, "%s", err.message);
	run_until(all_are_stored);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 2 * FILES);
	end_feeds();
	fixture_stop(&f);
	late_engine_end();
	f.options.engine = late_engine_begin(base);
	fixture_start(&f);
	ck_assert_int_eq(unlink(done), 0);
	ingest = ingest_new(tasks, &config, f.meta, f.store);
	ck_assert_ptr_nonnull(ingest);
	ingest_use_mappings(ingest, mappings);
	feeds = feeds_new(tasks, &config, f.meta, ingest, &err);
	ck_assert_msg(feeds != NULL, "%s", err.message);
	run_until(last_is_done);
	ck_assert(is_in_done("f000.csv"));
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 2 * FILES);
	ck_assert_uint_eq(ingest->stats.total.rejected + ingest->stats.total.duplicates, 0);
}
END_TEST

static bool first_is_stored(void)
{
	return ingest->stats.total.accepted == 1 && !late_engine_commits();
}

static bool tail_is_at_end(void)
{
	return ingest->stats.total.accepted + ingest->stats.total.duplicates == FILES;
}

static bool all_are_in_quarantine(void)
{
	return fixture_count_quarantine(f.meta) >= 2 * (FILES + 1);
}

static void get_place(void *arg, const struct feed_status *status)
{
	*(bool *)arg |= strcmp(status->kind, "tail") == 0 && status->place > 0 && status->unread == 0;
}

/* The last one, to its end. */
static bool tail_is_read(void)
{
	bool is_read = false;

	feeds_each(feeds, get_place, &is_read);
	return is_read && commit_has_ended() && ingest->stats.total.accepted + ingest->stats.total.duplicates >= FILES;
}

/* log.001 is the oldest one, log the one that grows. */
static void put_rotated_files(void)
{
	char id[16], name[32], path[192];

	for (int i = 1; i <= FILES; i++) {
		struct timespec times[2] = { { .tv_sec = 1000 + i }, { .tv_sec = 1000 + i } };

		(void)snprintf(id, sizeof(id), "%d", i);
		(void)snprintf(name, sizeof(name), i == FILES ? "log" : "log.%03d", i);
		put_file_of(id, name);
		(void)snprintf(path, sizeof(path), "%s/%s", f.dir, name);
		ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
	}
}

/* A daemon before this one has found the oldest file as the current one. */
static void begin_tail(void)
{
	char before[192], after[192];
	char setting[256];

	(void)snprintf(before, sizeof(before), "%s/log", f.dir);
	(void)snprintf(setting, sizeof(setting), "%s mapping=rows account_id=" ACCOUNT, before);
	free(config.tail);
	config.tail = strdup(setting);
	put_file_of("0", "log");
	feeds = feeds_new(tasks, &config, f.meta, ingest, &err);
	ck_assert_msg(feeds != NULL, "%s", err.message);
	run_until(first_is_stored);
	feeds_free(feeds);
	(void)snprintf(after, sizeof(after), "%s/log.000", f.dir);
	ck_assert_int_eq(rename(before, after), 0);
	ck_assert_int_eq(utimensat(AT_FDCWD, after, (struct timespec[2]){ { .tv_sec = 1000 }, { .tv_sec = 1000 } }, 0),
	                 0);
	put_rotated_files();
	ingest->stats.total = (struct ingest_summary){ 0 };
	ingest->stats.commits = 0;
	feeds = feeds_new(tasks, &config, f.meta, ingest, &err);
	ck_assert_msg(feeds != NULL, "%s", err.message);
}

START_TEST(rotated_files_share_commits)
{
	begin_tail();
	run_until(tail_is_at_end);
	ck_assert_uint_le(ingest->stats.commits, FILES / 4);
	ck_assert_uint_eq(ingest->stats.total.duplicates, 0);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 2 * (FILES + 1));
}
END_TEST

/* None of them is passed, and all are read again. */
START_TEST(rotated_files_of_a_commit_that_fails_are_in_quarantine_once)
{
	begin_tail();
	late_engine_fail_commit();
	run_until(late_engine_commits);
	run_until(commit_has_ended);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 2);
	run_until(tail_is_at_end);
	run_until(commit_has_ended);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 2 * (FILES + 1));
}
END_TEST

/* The commit that decides about all of them succeeds, but the first one is not stored as a whole. */
START_TEST(place_stays_in_a_rotated_file_before_a_row_that_could_not_be_held)
{
	size_t too_much = (size_t)64 << 20;

	begin_tail();
	run_until(late_engine_commits);
	ingest->held_bytes += too_much;
	run_until(commit_has_ended);
	ingest->held_bytes -= too_much;
	ck_assert_int_lt(fixture_count_quarantine(f.meta), 2 * (FILES + 1));
	run_until(all_are_in_quarantine);
	run_until(commit_has_ended);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 2 * (FILES + 1));
}
END_TEST

static bool one_has_failed(void)
{
	const struct ingest_batch *batch;

	TAILQ_FOREACH(batch, &ingest->deciding, link)
		if (batch->failure.code != ERROR_NONE)
			return true;
	return false;
}

/* The commit succeeds, but what is rejected of the files after the one that is not stored would come again. */
START_TEST(rows_rejected_after_a_rotated_file_that_is_not_stored_are_in_quarantine_once)
{
	size_t too_much = (size_t)64 << 20;

	begin_tail();
	run_until(late_engine_commits);
	ingest->held_bytes += too_much;
	run_until(one_has_failed);
	ingest->held_bytes -= too_much;
	run_until(commit_has_ended);
	run_until(all_are_in_quarantine);
	run_until(tail_is_read);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 2 * (FILES + 1));
	ck_assert_uint_eq(ingest->held_bytes, 0);
}
END_TEST

static bool refuses;

static int refuse(void *arg, struct error *why)
{
	(void)arg;
	if (!refuses)
		return 0;
	refuses = false;
	return error_set(why, ERROR_IO, "The catalog is not committed");
}

static bool was_refused(void)
{
	return !refuses;
}

/* The records are stored, the places put, and the commit of the catalog fails. */
START_TEST(spool_is_read_again_from_places_that_are_on_disk)
{
	struct ingest_watch watch = { .on_stored = refuse };

	ingest_watch_commits(ingest, &watch);
	refuses = true;
	put_file();
	feeds = feeds_new(tasks, &config, f.meta, ingest, &err);
	ck_assert_msg(feeds != NULL, "%s", err.message);
	run_until(was_refused);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 0);
	run_until(is_done);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 2);
	ingest_unwatch_commits(ingest, &watch);
}
END_TEST

static bool tail_waits(void)
{
	const struct feed *feed;
	bool waits = false;

	LIST_FOREACH(feed, &feeds->list, link)
		waits |= feed->kind == FEED_TAIL && feed->file;
	return waits;
}

static bool has_problem(void)
{
	const struct feed *feed;
	bool has = false;

	LIST_FOREACH(feed, &feeds->list, link)
		has |= feed->told;
	return has;
}

static bool both_are_stored(void)
{
	return ingest->stats.total.accepted == 2;
}

/* A place is stored with the header line that the rows after it need, or not at all. */
START_TEST(place_is_not_stored_without_its_header)
{
	struct feed *feed;
	struct buf day = { 0 };
	char text[128], setting[256];

	clock_format_day(&day, clock_day_of(clock_now_us()) - 1);
	(void)snprintf(setting, sizeof(setting), "%s/log mapping=rows account_id=" ACCOUNT, f.dir);
	free(config.tail);
	config.tail = strdup(setting);
	write_text("log", "");
	feeds = feeds_new(tasks, &config, f.meta, ingest, &err);
	ck_assert_msg(feeds != NULL, "%s", err.message);
	run_until(tail_waits);
	LIST_FOREACH(feed, &feeds->list, link)
		if (feed->kind == FEED_TAIL)
			feed->file->place.header.failed = true; /* as if memory had run out */
	(void)snprintf(text, sizeof(text), "id,time\na,%.*sT12:00:00Z\n", STR_ARGS(buf_str(&day)));
	write_text("log", text);
	run_until(has_problem);
	(void)snprintf(text, sizeof(text), "id,time\na,%.*sT12:00:00Z\nb,%.*sT12:00:00Z\n", STR_ARGS(buf_str(&day)),
	               STR_ARGS(buf_str(&day)));
	write_text("log", text);
	run_until(both_are_stored);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 0);
	buf_free(&day);
}
END_TEST

/* All are read, and none is stored yet. */
static bool tail_waits_for_its_commit(void)
{
	const struct feed *feed;
	bool waits = false;

	LIST_FOREACH(feed, &feeds->list, link)
		waits |= feed->kind == FEED_TAIL && feed->files_count == FILES + 1 && feed->file &&
		         feed->file->place.offset > 0;
	return waits;
}

static bool rotated_are_in_quarantine(void)
{
	return fixture_count_quarantine(f.meta) >= 2 * FILES;
}

/* The next commit, which stores a place, succeeds. */
START_TEST(place_stays_before_rotated_files_when_the_last_one_is_cut_and_their_commit_fails)
{
	struct ingest_watch watch = { .on_stored = refuse };
	char path[192];

	begin_tail();
	config.commit_delay = 600 * CLOCK_US_PER_SECOND; /* none before it is seen that the last one was cut */
	run_until(tail_waits_for_its_commit);
	ingest_watch_commits(ingest, &watch);
	refuses = true;
	(void)snprintf(path, sizeof(path), "%s/log", f.dir);
	ck_assert_int_eq(truncate(path, 10), 0);
	run_until(was_refused);
	config.commit_delay = 0;
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 2);
	run_until(rotated_are_in_quarantine);
	ck_assert_int_eq(fixture_count_quarantine(f.meta), 2 * FILES);
	ingest_unwatch_commits(ingest, &watch);
}
END_TEST

/* Of a version before, which counted bytes of the text: it tells no time, as later ones do. */
static void put_old_place(const char *path)
{
	struct buf key = { 0 }, value = { 0 };
	struct value_writer w;
	struct stat found;

	ck_assert_int_eq(stat(path, &found), 0);
	buf_addf(&key, "tail:%s", path);
	value_begin(&w, &value, 1, 13);
	value_put_int(&w, (int64_t)found.st_ino);
	value_put_bytes(&w, str_from(""));
	value_put_int(&w, found.st_size - 10);
	value_put_int(&w, 3);
	for (int i = 0; i < 3; i++)
		value_put_int(&w, 0);
	value_put_bytes(&w, str_from(""));
	for (int i = 0; i < 5; i++)
		value_put_int(&w, 1);
	ASSERT_OK(meta_put(f.meta, META_DB_FEEDS, buf_str(&key), buf_str(&value), &err));
	ASSERT_OK(meta_commit(f.meta, &err));
	buf_free(&key);
	buf_free(&value);
}

static bool file_is_stored(void)
{
	return ingest->stats.total.accepted == 1 && fixture_count_quarantine(f.meta) == 2;
}

START_TEST(file_with_an_encoding_whose_place_is_of_a_version_before_is_read_from_its_beginning)
{
	char path[192], setting[256];

	(void)snprintf(path, sizeof(path), "%s/log", f.dir);
	(void)snprintf(setting, sizeof(setting), "%s mapping=rows encoding=ISO-8859-1 account_id=" ACCOUNT, path);
	free(config.tail);
	config.tail = strdup(setting);
	put_file_of("", "log");
	put_old_place(path);
	feeds = feeds_new(tasks, &config, f.meta, ingest, &err);
	ck_assert_msg(feeds != NULL, "%s", err.message);
	run_until(file_is_stored);
}
END_TEST

/* By what it is known in a copy is that of the file as it was read. */
START_TEST(place_in_a_file_that_is_emptied_before_it_is_noted_is_found_in_a_copy)
{
	static const char text[] = "one,1\ntwo,2\nthree,3\n";
	struct feed_bytes read = { text, 0, sizeof(text) - 1 };
	struct place place = { .offset = 12 };
	struct stat stats[2];
	char paths[2][192];
	int fds[2];

	for (int i = 0; i < 2; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/rows%d", f.dir, i);
		write_text(i == 0 ? "rows0" : "rows1", text);
		fds[i] = open(paths[i], O_RDONLY | O_CLOEXEC);
		ck_assert_int_ge(fds[i], 0);
		ck_assert_int_eq(fstat(fds[i], &stats[i]), 0);
	}
	place.inode = (uint64_t)stats[0].st_ino;
	ck_assert_int_eq(truncate(paths[0], 0), 0);
	ASSERT_OK(place_mark(&place, fds[0], &stats[0], &read, paths[0], &err));
	ck_assert_int_eq(place_is_in(&place, fds[0], &stats[0], paths[0], &err), 0);
	ck_assert_int_eq(place_is_copied(&place, fds[1], &stats[1], paths[1], &err), 1);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

static bool takes_all(const struct feed *feed, const char *name)
{
	(void)feed;
	(void)name;
	return true;
}

START_TEST(scan_of_a_tail_finds_files_that_are_renamed_meanwhile)
{
	static const struct feed_filter all = { .takes_name = takes_all };
	struct feed feed = { .kind = FEED_TAIL };
	char name[16], from[192], to[192];
	int through, turns = 0;

	(void)snprintf(feed.path, sizeof(feed.path), "%s/log", spool);
	for (int i = 0; i < 9; i++) {
		(void)snprintf(name, sizeof(name), "spool/log.%d", i);
		write_text(name, "");
	}
	int directory = open(spool, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(directory, 0);
	ck_assert_int_eq(usleep(20000), 0); /* the next tick of the clock */
	ASSERT_OK(feed_scan_step(&feed, directory, &all, 0, &err));
	for (int i = 0; i < 9; i++) {
		(void)snprintf(from, sizeof(from), "%s/log.%d", spool, i);
		(void)snprintf(to, sizeof(to), "%s/log.1%d", spool, i);
		ck_assert_int_eq(rename(from, to), 0);
	}
	while ((through = feed_scan_step(&feed, directory, &all, 0, &err)) == 0)
		ck_assert_int_lt(turns++, 100);
	ck_assert_int_eq(through, 1);
	ck_assert_uint_eq(feed.scan.count, 9);
	for (size_t i = 0; i < feed.scan.count; i++)
		ck_assert_int_eq(strncmp(feed.scan.files[i].name, "log.1", 5), 0);
	feed_scan_end(&feed.scan);
	ck_assert_int_eq(close(directory), 0);
}
END_TEST

Suite *suite_feed(void)
{
	Suite *suite = suite_create("feed");
	TCase *tcase = tcase_create("late"), *at_once = tcase_create("at once"), *header = tcase_create("header");

	tcase_add_checked_fixture(at_once, setup_at_once, teardown);
	tcase_add_test(at_once, place_stays_before_rotated_files_when_the_last_one_is_cut_and_their_commit_fails);
	tcase_add_test(at_once, file_with_an_encoding_whose_place_is_of_a_version_before_is_read_from_its_beginning);
	tcase_add_test(at_once, place_in_a_file_that_is_emptied_before_it_is_noted_is_found_in_a_copy);
	tcase_add_test(at_once, scan_of_a_tail_finds_files_that_are_renamed_meanwhile);
	suite_add_tcase(suite, at_once);
	tcase_add_checked_fixture(header, setup_header, teardown);
	tcase_add_test(header, place_is_not_stored_without_its_header);
	suite_add_tcase(suite, header);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, place_stays_before_a_row_that_was_rejected_late_and_could_not_be_held);
	tcase_add_test(tcase, rows_that_come_to_a_file_after_its_end_are_read_before_it_is_moved);
	tcase_add_test(tcase, place_is_noted_with_what_was_rejected_late);
	tcase_add_test(tcase, small_files_share_commits);
	tcase_add_test(tcase, files_of_a_commit_that_fails_are_in_quarantine_once);
	tcase_add_test(tcase, files_that_were_not_moved_before_a_stop_are_moved_and_not_read_again);
	tcase_add_test(tcase, rotated_files_share_commits);
	tcase_add_test(tcase, rotated_files_of_a_commit_that_fails_are_in_quarantine_once);
	tcase_add_test(tcase, place_stays_in_a_rotated_file_before_a_row_that_could_not_be_held);
	tcase_add_test(tcase, rows_rejected_after_a_rotated_file_that_is_not_stored_are_in_quarantine_once);
	tcase_add_test(tcase, spool_is_read_again_from_places_that_are_on_disk);
	suite_add_tcase(suite, tcase);
	return suite;
}
