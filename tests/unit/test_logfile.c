/* SPDX-License-Identifier: ISC */
/*
 * test_logfile.c: files of lines that never hold up the loop, the audit log, and when a disk is low.
 */
#include <check.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/audit.h"
#include "base/disk.h"
#include "base/logfile.h"

Suite *suite_logfile(void);

static char dir[64];
static char path[128];
static struct event_base *base;
static struct config config;
static struct error err;

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/cdrd-test-logfile-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/lines", dir);
	base = event_base_new();
	ck_assert_int_eq(config_init(&config, &err), 0);
	signal(SIGPIPE, SIG_IGN);
}

static void teardown(void)
{
	char command[256];

	event_base_free(base);
	config_free(&config);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static const char *content(const char *name)
{
	static char text[4096];
	FILE *file = fopen(name, "r");
	size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	ck_assert_msg(file != NULL, "%s cannot be opened", name);
	fclose(file);
	text[len] = '\0';
	return text;
}

static void run_for(long us)
{
	struct timeval time = { us / 1000000, us % 1000000 };

	event_base_loopexit(base, &time);
	event_base_dispatch(base);
}

static void add(struct logfile *file, const char *line)
{
	struct buf *out = logfile_begin(file);

	if (!out)
		return;
	buf_add_text(out, line);
	logfile_end(file);
}

static void set(const char *key, const char *value)
{
	ck_assert_msg(config_set(&config, key, value, &err) == 0, "%s", err.message);
}

static struct logfile *open_file(const char *name)
{
	struct logfile *file = logfile_open(base, name, &err);

	ck_assert_msg(file != NULL, "%s", err.message);
	return file;
}

/* --- files of lines --- */

START_TEST(lines_gather_and_are_there_a_moment_later)
{
	struct logfile *file = open_file(path);

	add(file, "one\n");
	add(file, "two\n");
	ck_assert_str_eq(content(path), "");
	run_for(2 * LOGFILE_DELAY_US);
	ck_assert_str_eq(content(path), "one\ntwo\n");
	logfile_close(file);
}
END_TEST

START_TEST(much_is_written_at_once)
{
	struct logfile *file = open_file(path);
	struct stat st;
	char line[1025];

	memset(line, 'x', sizeof(line));
	line[1023] = '\n';
	line[1024] = '\0';
	for (size_t written = 0; written < LOGFILE_FLUSH_BYTES; written += 1024)
		add(file, line);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, (int)LOGFILE_FLUSH_BYTES);
	logfile_close(file);
}
END_TEST

START_TEST(closing_writes_what_waits)
{
	struct logfile *file = open_file(path);

	add(file, "last\n");
	logfile_close(file);
	ck_assert_str_eq(content(path), "last\n");
}
END_TEST

START_TEST(a_file_that_was_moved_away_is_made_again)
{
	struct logfile *file = open_file(path);
	char moved[160];

	snprintf(moved, sizeof(moved), "%s.1", path);
	add(file, "before\n");
	ck_assert_int_eq(rename(path, moved), 0);
	ck_assert_int_eq(logfile_reopen(file, path, &err), 0);
	add(file, "after\n");
	logfile_close(file);
	ck_assert_str_eq(content(moved), "before\n");
	ck_assert_str_eq(content(path), "after\n");
}
END_TEST

START_TEST(a_file_that_cannot_be_opened_is_named_and_leaves_the_old_one_in_use)
{
	struct logfile *file = open_file(path);

	ck_assert_int_eq(logfile_reopen(file, "/nonexistent/lines", &err), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "/nonexistent/lines"));
	add(file, "still\n");
	logfile_close(file);
	ck_assert_str_eq(content(path), "still\n");
}
END_TEST

/* A pipe that nobody reads: the loop goes on, memory stays bounded, and what is lost is counted. */
START_TEST(a_reader_that_sleeps_costs_lines_not_time)
{
	char line[1025];
	int reader;

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	ck_assert_int_ge(reader, 0);
	struct logfile *file = open_file(path);

	memset(line, 'x', sizeof(line));
	line[1023] = '\n';
	line[1024] = '\0';
	for (int i = 0; i < 3 * 1024; i++)
		add(file, line);
	ck_assert_uint_gt(logfile_dropped(file), 1024);
	ck_assert_uint_lt(logfile_dropped(file), 2 * 1024 + 512);
	close(reader);
	logfile_close(file);
}
END_TEST

/* --- the audit log --- */

START_TEST(audit_lines_are_json_and_only_appended)
{
	set("audit_log", path);
	struct audit *audit = audit_new(&config, &err);
	const char *text;

	ck_assert_msg(audit != NULL, "%s", err.message);
	audit_write(audit, &(struct audit_entry){ .action = "daemon start", .text = "cdrd \"x\"" });
	audit_free(audit);
	audit = audit_new(&config, &err);
	audit_write(audit, &(struct audit_entry){ .action = "secret revoke",
	                                          .text = "gone",
	                                          .has_peer = true,
	                                          .uid = 1000,
	                                          .pid = 42,
	                                          .args = STR_LITERAL("{\"number\":\"2\"}") });
	audit_free(audit);
	text = content(path);
	ck_assert_ptr_nonnull(strstr(text, "\"action\":\"daemon start\",\"text\":\"cdrd \\\"x\\\"\"}\n{\"time\":\"20"));
	ck_assert_ptr_nonnull(strstr(text, "\"action\":\"secret revoke\",\"text\":\"gone\",\"uid\":1000,\"pid\":42,"
	                                   "\"args\":{\"number\":\"2\"}}\n"));
}
END_TEST

START_TEST(an_audit_log_that_cannot_be_opened_is_an_error_that_names_it)
{
	set("audit_log", "/nonexistent/audit");
	ck_assert_ptr_null(audit_new(&config, &err));
	ck_assert_ptr_nonnull(strstr(err.message, "audit_log: /nonexistent/audit"));
}
END_TEST

START_TEST(an_audit_line_that_cannot_be_written_is_counted)
{
	set("audit_log", "/dev/full");
	struct audit *audit = audit_new(&config, &err);

	ck_assert_msg(audit != NULL, "%s", err.message);
	audit_write(audit, &(struct audit_entry){ .action = "test", .text = "lost" });
	ck_assert_uint_eq(audit_failures(audit), 1);
	audit_free(audit);
}
END_TEST

/* --- the disk --- */

START_TEST(a_disk_is_low_when_less_is_free_than_the_larger_limit)
{
	struct disk_room room;

	set("data_dir", dir);
	set("disk_min_free", "0");
	struct disk *disk = disk_new(base, &config, &err);

	ck_assert_msg(disk != NULL, "%s", err.message);
	disk_room(disk, &room);
	ck_assert(!disk_is_low(disk));
	ck_assert_uint_gt(room.free_bytes, 0);
	ck_assert_uint_le(room.free_bytes, room.total_bytes);
	set("disk_min_free", "1000T");
	disk_look(disk);
	ck_assert(disk_is_low(disk));
	ck_assert_int_eq(disk_fail_low(disk, &err), -1);
	ck_assert_int_eq(err.code, ERROR_FULL);
	ck_assert_msg(strstr(err.message, "at least 1099511627776000 are kept free") != NULL, "%s", err.message);
	set("disk_min_free", "1K");
	disk_look(disk);
	ck_assert(!disk_is_low(disk));
	set("disk_min_free_percent", "50");
	disk_look(disk);
	disk_room(disk, &room);
	ck_assert_uint_eq(room.limit_bytes, room.total_bytes / 100 * 50);
	disk_free(disk);
}
END_TEST

START_TEST(no_disk_is_never_low)
{
	ck_assert(!disk_is_low(NULL));
}
END_TEST

Suite *suite_logfile(void)
{
	Suite *suite = suite_create("logfile");
	TCase *tcase = tcase_create("logfile");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, lines_gather_and_are_there_a_moment_later);
	tcase_add_test(tcase, much_is_written_at_once);
	tcase_add_test(tcase, closing_writes_what_waits);
	tcase_add_test(tcase, a_file_that_was_moved_away_is_made_again);
	tcase_add_test(tcase, a_file_that_cannot_be_opened_is_named_and_leaves_the_old_one_in_use);
	tcase_add_test(tcase, a_reader_that_sleeps_costs_lines_not_time);
	tcase_add_test(tcase, audit_lines_are_json_and_only_appended);
	tcase_add_test(tcase, an_audit_log_that_cannot_be_opened_is_an_error_that_names_it);
	tcase_add_test(tcase, an_audit_line_that_cannot_be_written_is_counted);
	tcase_add_test(tcase, a_disk_is_low_when_less_is_free_than_the_larger_limit);
	tcase_add_test(tcase, no_disk_is_never_low);
	suite_add_tcase(suite, tcase);
	return suite;
}
