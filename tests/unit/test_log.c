/* SPDX-License-Identifier: ISC */
/*
 * test_log.c: what reaches stderr. Check runs every test in a process of its own, so the log's state is fresh.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static char captured[16384];
static int saved_stderr;
static FILE *capture_file;

static void capture_begin(void)
{
	capture_file = tmpfile();
	ck_assert_ptr_nonnull(capture_file);
	saved_stderr = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(fileno(capture_file), STDERR_FILENO), 0);
}

/* Returns what was written since capture_begin. */
static const char *capture_end(void)
{
	ssize_t len = pread(STDERR_FILENO, captured, sizeof(captured) - 1, 0);

	ck_assert_int_ge(dup2(saved_stderr, STDERR_FILENO), 0);
	(void)close(saved_stderr);
	(void)fclose(capture_file);
	ck_assert_int_ge(len, 0);
	captured[len] = '\0';
	return captured;
}

static void plain(void)
{
	(void)unsetenv("JOURNAL_STREAM");
	log_init();
}

static void journal(void)
{
	(void)setenv("JOURNAL_STREAM", "8:1234", 1);
	log_init();
}

START_TEST(line_has_time_level_and_topic)
{
	const char *line;

	plain();
	capture_begin();
	log_info("store", "text %d", 7);
	line = capture_end();
	ck_assert_uint_eq(strlen(line), strlen("2026-11-24T14:20:11.123Z info store: text 7\n"));
	ck_assert_msg(line[10] == 'T' && line[19] == '.' && line[23] == 'Z', "time of %s", line);
	ck_assert_str_eq(line + 24, " info store: text 7\n");
}
END_TEST

START_TEST(journal_lines_have_a_priority)
{
	journal();
	log_set_level(LOG_LEVEL_DEBUG);
	capture_begin();
	log_error("a", "e");
	log_warn("a", "w");
	log_info("a", "i");
	log_debug("a", "d");
	ck_assert_str_eq(capture_end(), "<3>a: e\n<4>a: w\n<6>a: i\n<7>a: d\n");
}
END_TEST

START_TEST(lines_above_the_level_are_dropped)
{
	journal();
	log_set_level(LOG_LEVEL_WARN);
	ck_assert_int_eq(log_level(), LOG_LEVEL_WARN);
	capture_begin();
	log_error("a", "e");
	log_warn("a", "w");
	log_info("a", "i");
	log_debug("a", "d");
	ck_assert_str_eq(capture_end(), "<3>a: e\n<4>a: w\n");
}
END_TEST

START_TEST(topics_choose_debug_lines_alone)
{
	char topics[] = "http, store,,in";

	journal();
	log_set_level(LOG_LEVEL_DEBUG);
	log_set_topics(topics);
	memset(topics, 'x', sizeof(topics) - 1); /* the text must have been copied */
	capture_begin();
	log_debug("http", "1");
	log_debug("store", "2");
	log_debug("ingest", "3");
	log_debug("in", "4");
	log_debug("stor", "5");
	log_info("ingest", "6");
	log_set_topics("");
	log_debug("ingest", "7");
	log_set_topics("none");
	log_set_topics(NULL);
	log_debug("ingest", "8");
	ck_assert_str_eq(capture_end(),
	                 "<7>http: 1\n<7>store: 2\n<7>in: 4\n<6>ingest: 6\n<7>ingest: 7\n<7>ingest: 8\n");
}
END_TEST

START_TEST(nothing_can_forge_a_line)
{
	journal();
	capture_begin();
	log_info("http", "GET %s", "/\n<3>store: disk lost\r\t\x1b[31m\x7f\xc3\xa9");
	ck_assert_str_eq(capture_end(), "<6>http: GET /\\x0a<3>store: disk lost\\x0d\\x09\\x1b[31m\\x7f\xc3\xa9\n");
}
END_TEST

START_TEST(nothing_misleads_a_terminal)
{
	journal();
	capture_begin();
	log_info("a", "%s",
	         "\xff\xc3|\xc2\x9b[31m|\xe2\x80\xae"
	         "evil|\xe2\x80\xa8|\xed\xa0\x80|\xf0\x9f\x98\x80|\xe2\x82\xac|\xe2\x82");
	ck_assert_str_eq(capture_end(),
	                 "<6>a: \\xff\\xc3|\\xc2\\x9b[31m|\\xe2\\x80\\xaeevil|\\xe2\\x80\\xa8|\\xed\\xa0\\x80|"
	                 "\xf0\x9f\x98\x80|\xe2\x82\xac|\\xe2\\x82\n");
}
END_TEST

START_TEST(texts_are_cut_at_2_kib)
{
	char *text = malloc(5001);
	const char *line;

	ck_assert_ptr_nonnull(text);
	memset(text, 'x', 5000);
	text[5000] = '\0';
	journal();
	capture_begin();
	log_info("a", "%s", text);
	line = capture_end();
	ck_assert_uint_eq(strlen(line), strlen("<6>a: \n") + 2048);
	memset(text, '\n', 5000);
	capture_begin();
	log_info("a", "%s", text);
	line = capture_end();
	ck_assert_uint_eq(strlen(line), strlen("<6>a: \n") + 2048 * 4);
	free(text);
}
END_TEST

START_TEST(a_very_long_topic_is_cut)
{
	char topic[500];

	memset(topic, 't', sizeof(topic) - 1);
	topic[sizeof(topic) - 1] = '\0';
	journal();
	capture_begin();
	log_info(topic, "x");
	ck_assert_uint_eq(strlen(capture_end()), 127 + strlen("x\n"));
}
END_TEST

START_TEST(logging_leaves_errno_alone)
{
	plain();
	capture_begin();
	(void)close(STDERR_FILENO);
	errno = ENOSPC;
	log_error("a", "this cannot be written");
	ck_assert_int_eq(errno, ENOSPC);
	ck_assert_int_ge(dup2(fileno(capture_file), STDERR_FILENO), 0);
	ck_assert_str_eq(capture_end(), "");
}
END_TEST

START_TEST(levels_have_names_both_ways)
{
	for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
		enum log_level level = LOG_LEVEL_ERROR;

		ck_assert(log_level_parse(log_level_name((enum log_level)i), &level));
		ck_assert_int_eq(level, i);
	}
	for (size_t i = 0; i < 4; i++) {
		static const char *const bad[] = { "", "INFO", "warning", "info " };
		enum log_level level = LOG_LEVEL_WARN;

		ck_assert_msg(!log_level_parse(bad[i], &level), "\"%s\" was taken", bad[i]);
		ck_assert_int_eq(level, LOG_LEVEL_WARN);
	}
}
END_TEST

Suite *suite_log(void);

Suite *suite_log(void)
{
	Suite *suite = suite_create("log");
	TCase *log = tcase_create("log");

	tcase_add_test(log, line_has_time_level_and_topic);
	tcase_add_test(log, journal_lines_have_a_priority);
	tcase_add_test(log, lines_above_the_level_are_dropped);
	tcase_add_test(log, topics_choose_debug_lines_alone);
	tcase_add_test(log, nothing_can_forge_a_line);
	tcase_add_test(log, nothing_misleads_a_terminal);
	tcase_add_test(log, texts_are_cut_at_2_kib);
	tcase_add_test(log, a_very_long_topic_is_cut);
	tcase_add_test(log, logging_leaves_errno_alone);
	tcase_add_test(log, levels_have_names_both_ways);
	suite_add_tcase(suite, log);
	return suite;
}
