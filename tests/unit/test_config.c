/* SPDX-License-Identifier: ISC */
/*
 * test_config.c: settings by the table, from text, from files, and on reload.
 */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/config_value.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PATH "/tmp/cdrd-test-config-XXXXXX"

static struct config config;
static struct error err;
static char path[] = PATH;

static void set_up(void)
{
	memcpy(path, PATH, sizeof(path));
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	(void)close(fd);
	ck_assert_msg(config_init(&config, &err) == 0, "%s", err.message);
}

static void tear_down(void)
{
	config_free(&config);
	(void)unlink(path);
}

/* Reads `len` bytes of text as a file; what is wrong, a line each, with the path in it written FILE. */
static const char *read_bytes(const char *text, size_t len)
{
	static char message[1024];
	struct config_faults faults = { .count = 0 };
	FILE *file = fopen(path, "w");
	size_t path_len = strlen(path), at = 0;
	int result;

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, len, file), len);
	ck_assert_int_eq(fclose(file), 0);
	result = config_read_file(&config, path, &faults);
	ck_assert_int_eq(result, faults.count > 0 ? -1 : 0);
	message[0] = '\0';
	for (char *line = faults.count ? strtok(faults.lines.data, "\n") : NULL; line; line = strtok(NULL, "\n")) {
		ck_assert_msg(strncmp(line, path, path_len) == 0, "the path is not in \"%s\"", line);
		at += (size_t)snprintf(message + at, sizeof(message) - at, "%sFILE%s", at ? "\n" : "", line + path_len);
	}
	buf_free(&faults.lines);
	return message;
}

static const char *read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

static void assert_set(const char *key, const char *value)
{
	ck_assert_msg(config_set(&config, key, value, &err) == 0, "%s", err.message);
}

START_TEST(defaults_are_those_of_the_table)
{
	ck_assert_str_eq(config.listen, "127.0.0.1:8080");
	ck_assert_str_eq(config.admin_group, "");
	ck_assert_int_eq(config.sync_window_max, CLOCK_US_PER_DAY);
	ck_assert_int_eq(config.page_max, 1000);
	ck_assert_int_eq(config.value_max, 64 * 1024);
	ck_assert_int_eq(config.commit_delay, 2000);
	ck_assert_int_eq(config.ingest_body_max, 0);
	ck_assert_int_eq(config.day_map_size, INT64_C(64) << 30);
	ck_assert_str_eq(config.currency, "EUR");
	ck_assert_str_eq(config.log_level, "info");
}
END_TEST

START_TEST(every_row_has_help_and_bounds_that_can_be_set)
{
	const struct config_row *row = &config_rows[_i];

	ck_assert_msg(*row->help != '\0', "%s has no help", row->key);
	assert_set(row->key, row->fallback);
	if (row->type == CONFIG_CHOICE)
		return;
	if (*row->min)
		assert_set(row->key, row->min);
	if (*row->max)
		assert_set(row->key, row->max);
}
END_TEST

static const struct {
	const char *key;
	const char *value;
	int64_t number;
} numbers[] = {
	{ "commit_delay", "0", 0 },
	{ "commit_delay", "0ms", 0 },
	{ "commit_delay", "250ms", 250000 },
	{ "write_timeout", "30s", 30 * CLOCK_US_PER_SECOND },
	{ "write_timeout", "15m", 900 * CLOCK_US_PER_SECOND },
	{ "sync_window_max", "24h", CLOCK_US_PER_DAY },
	{ "sync_window_max", "3d", 3 * CLOCK_US_PER_DAY },
	{ "header_max", "1024", 1024 },
	{ "header_max", "2K", 2048 },
	{ "header_max", "2Ki", 2048 },
	{ "header_max", "2KB", 2048 },
	{ "header_max", "2KiB", 2048 },
	{ "line_max", "16M", 16 << 20 },
	{ "quarantine_max", "3G", INT64_C(3) << 30 },
	{ "ingest_body_max", "16T", INT64_C(16) << 40 },
	{ "page_max", "007", 7 },
};

/* The number stored for a key, found as its users do: by its row. */
static int64_t number_of(const char *key)
{
	for (size_t i = 0; i < config_rows_count; i++) {
		if (strcmp(config_rows[i].key, key) == 0)
			return *(int64_t *)(void *)((char *)&config + config_rows[i].offset);
	}
	ck_abort_msg("no key %s", key);
	return 0;
}

START_TEST(values_mean_what_they_say)
{
	assert_set(numbers[_i].key, numbers[_i].value);
	ck_assert_int_eq(number_of(numbers[_i].key), numbers[_i].number);
}
END_TEST

static const struct {
	const char *key;
	const char *value;
	const char *message;
} refused[] = {
	{ "page_max", "abc", "page_max: \"abc\" is not a number; 1 to 10000 allowed" },
	{ "page_max", "", "page_max: \"\" is not a number; 1 to 10000 allowed" },
	{ "page_max", "-1", "page_max: \"-1\" is not a number; 1 to 10000 allowed" },
	{ "page_max", "1K", "page_max: \"1K\" is not a number; 1 to 10000 allowed" },
	{ "page_max", "1 ", "page_max: \"1 \" is not a number; 1 to 10000 allowed" },
	{ "page_max", "0", "page_max: \"0\" is not within bounds; 1 to 10000 allowed" },
	{ "page_max", "10001", "page_max: \"10001\" is not within bounds; 1 to 10000 allowed" },
	{ "page_max", "99999999999999999999",
	  "page_max: \"99999999999999999999\" is not a number; 1 to 10000 allowed" },
	{ "commit_delay", "5",
	  "commit_delay: \"5\" is not a duration such as 250ms, 30s, 15m, 24h or 3d; 0 to 1s allowed" },
	{ "commit_delay", "5us",
	  "commit_delay: \"5us\" is not a duration such as 250ms, 30s, 15m, 24h or 3d; 0 to 1s allowed" },
	{ "commit_delay", "1001ms", "commit_delay: \"1001ms\" is not within bounds; 0 to 1s allowed" },
	{ "commit_delay", "9223372036854775807d",
	  "commit_delay: \"9223372036854775807d\" is not a duration such as 250ms, 30s, 15m, 24h or 3d; "
	  "0 to 1s allowed" },
	{ "value_max", "64k", "value_max: \"64k\" is not a size such as 512, 64K, 16M, 64G or 1T; 1K to 1M allowed" },
	{ "value_max", "1.5K", "value_max: \"1.5K\" is not a size such as 512, 64K, 16M, 64G or 1T; 1K to 1M allowed" },
	{ "value_max", "1023", "value_max: \"1023\" is not within bounds; 1K to 1M allowed" },
	{ "log_level", "loud", "log_level: \"loud\" is not one of the words allowed: error|warn|info|debug" },
	{ "log_level", "", "log_level: \"\" is not one of the words allowed: error|warn|info|debug" },
	{ "log_level", "error|warn",
	  "log_level: \"error|warn\" is not one of the words allowed: error|warn|info|debug" },
	{ "pagemax", "5", "pagemax: no such setting, did you mean page_max?" },
	{ "log-level", "info", "log-level: no such setting, did you mean log_level?" },
	{ "", "x", ": no such setting; cdrd.conf(5) lists them" },
};

START_TEST(booleans_are_six_words)
{
	static const char *const yes[] = { "yes", "true", "on" };
	static const char *const no[] = { "no", "false", "off" };
	static const char *const neither[] = { "", "1", "0", "Yes", "y", "onn" };

	decimal_units number;

	for (size_t i = 0; i < COUNT(yes); i++)
		ck_assert_msg(config_value_parse(CONFIG_BOOL, yes[i], &number) && number == 1, "%s", yes[i]);
	for (size_t i = 0; i < COUNT(no); i++)
		ck_assert_msg(config_value_parse(CONFIG_BOOL, no[i], &number) && number == 0, "%s", no[i]);
	for (size_t i = 0; i < COUNT(neither); i++)
		ck_assert_msg(!config_value_parse(CONFIG_BOOL, neither[i], &number), "\"%s\" was taken", neither[i]);
}
END_TEST

START_TEST(numbers_are_written_with_the_largest_unit_that_fits)
{
	static const struct {
		enum config_type type;
		int64_t number;
		const char *text;
	} cases[] = {
		{ CONFIG_BOOL, 1, "yes" },
		{ CONFIG_BOOL, 0, "no" },
		{ CONFIG_COUNT, 0, "0" },
		{ CONFIG_COUNT, 1024, "1024" },
		{ CONFIG_SIZE, 0, "0" },
		{ CONFIG_SIZE, 1023, "1023" },
		{ CONFIG_SIZE, 1536, "1536" },
		{ CONFIG_SIZE, 1 << 20, "1M" },
		{ CONFIG_SIZE, INT64_C(16) << 40, "16T" },
		{ CONFIG_DURATION, 0, "0" },
		{ CONFIG_DURATION, 1500000, "1500ms" },
		{ CONFIG_DURATION, 36 * CLOCK_US_PER_HOUR, "36h" },
		{ CONFIG_DURATION, 48 * CLOCK_US_PER_HOUR, "2d" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf out = { 0 };

		config_value_format(&out, cases[i].type, cases[i].number);
		ck_assert_str_eq(buf_cstr(&out), cases[i].text);
		buf_free(&out);
	}
}
END_TEST

START_TEST(refusals_name_key_value_and_what_is_allowed)
{
	int result = config_set(&config, refused[_i].key, refused[_i].value, &err);

	ck_assert_int_eq(result, -1);
	ck_assert_int_eq(err.code, ERROR_INVALID);
	ck_assert_str_eq(err.message, refused[_i].message);
}
END_TEST

START_TEST(a_refused_value_changes_nothing)
{
	ck_assert_int_eq(config_set(&config, "page_max", "0", &err), -1);
	ck_assert_int_eq(config.page_max, 1000);
	ck_assert_int_eq(config_set(&config, "log_level", "loud", &err), -1);
	ck_assert_str_eq(config.log_level, "info");
}
END_TEST

START_TEST(text_that_a_file_could_not_hold_is_refused)
{
	static const char *const bad[] = { " x", "x ", "a\nb", "a\tb", "x\x7f", "#x", ";x", "a #b", "a ;b" };
	static const char *const good[] = { "", "a#b;c", "a b", "\xc3\xa9" };
	char *long_text = malloc(4098);

	ck_assert_ptr_nonnull(long_text);
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(config_set(&config, "public_url", bad[i], &err) == -1, "\"%s\" was taken", bad[i]);
	for (size_t i = 0; i < COUNT(good); i++)
		assert_set("public_url", good[i]);
	memset(long_text, 'x', 4097);
	long_text[4097] = '\0';
	ck_assert_int_eq(config_set(&config, "public_url", long_text, &err), -1);
	assert_set("public_url", long_text + 1);
	free(long_text);
}
END_TEST

START_TEST(very_long_keys_and_values_are_cut_in_the_error)
{
	char *text = malloc(100001);

	ck_assert_ptr_nonnull(text);
	memset(text, 'k', 100000);
	text[100000] = '\0';
	ck_assert_int_eq(config_set(&config, text, "1", &err), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "no such setting"));
	ck_assert_int_eq(config_set(&config, "page_max", text, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "1 to 10000 allowed"));
	free(text);
}
END_TEST

START_TEST(file_is_read_with_comments_and_blanks)
{
	ck_assert_str_eq(read_text("# a comment\n; another\n\n  page_max = 5  # why\nids_max=7 ; why\r\n"
	                           "\tpublic_url =\tHTTPS://x/a#b;c=d:e\ncurrency = \nlog_level : warn"),
	                 "");
	ck_assert_int_eq(config.page_max, 5);
	ck_assert_int_eq(config.ids_max, 7);
	ck_assert_str_eq(config.public_url, "HTTPS://x/a#b;c=d:e");
	ck_assert_str_eq(config.currency, "");
	ck_assert_str_eq(config.log_level, "warn");
	ck_assert_str_eq(read_text(""), "");
	ck_assert_int_eq(config.page_max, 5);
}
END_TEST

START_TEST(file_errors_name_file_and_line)
{
	ck_assert_str_eq(read_text("page_max = 5\n\nids_max = 0\npage_max = 7\n"),
	                 "FILE:3: ids_max: \"0\" is not within bounds; 1 to 1000 allowed");
	ck_assert_str_eq(read_text("\npagemax = 5\n"), "FILE:2: pagemax: no such setting, did you mean page_max?");
	ck_assert_str_eq(read_text("page_max = 5\npage_max\nids_max = 0\npage_max\nbad_key_of_no_kind = 1\n"),
	                 "FILE:2: not of the form \"key = value\"\n"
	                 "FILE:3: ids_max: \"0\" is not within bounds; 1 to 1000 allowed\n"
	                 "FILE:4: not of the form \"key = value\"\n"
	                 "FILE:5: bad_key_of_no_kind: no such setting; cdrd.conf(5) lists them");
	ck_assert_str_eq(read_text("[store]\npage_max = 5\n"), "FILE:2: a key in a section, but there are no sections");
	ck_assert_str_eq(read_text("page_max = 5\n  ids_max = 0"),
	                 "FILE:2: ids_max: \"0\" is not within bounds; 1 to 1000 allowed");
}
END_TEST

START_TEST(bytes_that_inih_would_misread_are_refused)
{
	char *text = malloc(20000);
	size_t key_len = strlen("public_url=");

	ck_assert_ptr_nonnull(text);
	ck_assert_str_eq(read_bytes("page_max = 5\nids_max = 7\0garbage\n", 33), "FILE:2: a NUL byte");
	ck_assert_str_eq(read_bytes("\0", 1), "FILE:1: a NUL byte");
	(void)strcpy(text, "public_url=");
	memset(text + key_len, 'x', 10000);
	(void)strcpy(text + key_len + 10000, "\n");
	ck_assert_str_eq(read_text(text), "FILE:1: line too long, at most 8190 bytes allowed");
	(void)strcpy(text + key_len + 4096, "\n");
	ck_assert_str_eq(read_text(text), "");
	ck_assert_uint_eq(strlen(config.public_url), 4096);
	/* a comment may fill a line to its last byte */
	memset(text, '#', 8190);
	(void)strcpy(text + 8190, "\npage_max = 9\n");
	ck_assert_str_eq(read_text(text), "");
	ck_assert_int_eq(config.page_max, 9);
	free(text);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_an_error)
{
	struct config_faults faults = { .count = 0 };

	ck_assert_int_eq(config_read_file(&config, "/nonexistent/cdrd.conf", &faults), -1);
	ck_assert_int_eq(config_read_file(&config, "/tmp", &faults), -1);
	ck_assert_str_eq(buf_cstr(&faults.lines),
	                 "/nonexistent/cdrd.conf: No such file or directory\n/tmp: Is a directory\n");
	buf_free(&faults.lines);
}
END_TEST

START_TEST(dump_reads_back_the_same)
{
	struct buf first = { 0 };
	struct buf second = { 0 };

	assert_set("public_url", "https://x/#a;b");
	assert_set("commit_delay", "0");
	assert_set("sync_window_max", "90m");
	assert_set("line_max", "5000");
	config_dump(&config, &first);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&first), "sync_window_max = 90m\n"));
	ck_assert_ptr_nonnull(strstr(first.data, "commit_delay = 0\n"));
	ck_assert_ptr_nonnull(strstr(first.data, "day_map_size = 64G\n"));
	ck_assert_ptr_nonnull(strstr(first.data, "line_max = 5000\n"));
	config_free(&config);
	ck_assert_int_eq(config_init(&config, &err), 0);
	ck_assert_str_eq(read_text(first.data), "");
	config_dump(&config, &second);
	ck_assert_str_eq(buf_cstr(&second), first.data);
	buf_free(&first);
	buf_free(&second);
}
END_TEST

START_TEST(reload_takes_what_may_change_and_names_the_rest)
{
	struct buf ignored = { 0 };
	struct config fresh;

	ck_assert_int_eq(config_init(&fresh, &err), 0);
	ck_assert_int_eq(config_set(&fresh, "page_max", "5", &err), 0);
	ck_assert_int_eq(config_set(&fresh, "log_level", "debug", &err), 0);
	ck_assert_int_eq(config_set(&fresh, "listen", "*:80", &err), 0);
	ck_assert_int_eq(config_set(&fresh, "days_open_max", "8", &err), 0);
	ck_assert_int_eq(config_reload(&config, &fresh, &ignored, &err), 0);
	ck_assert_str_eq(buf_cstr(&ignored), "listen, days_open_max");
	config_free(&fresh);
	ck_assert_int_eq(config.page_max, 5);
	ck_assert_str_eq(config.log_level, "debug");
	ck_assert_str_eq(config.listen, "127.0.0.1:8080");
	ck_assert_int_eq(config.days_open_max, 500);
	buf_free(&ignored);
}
END_TEST

Suite *suite_config(void);

Suite *suite_config(void)
{
	Suite *suite = suite_create("config");
	TCase *values = tcase_create("values");
	TCase *files = tcase_create("files");

	tcase_add_checked_fixture(values, set_up, tear_down);
	tcase_add_checked_fixture(files, set_up, tear_down);
	tcase_add_test(values, defaults_are_those_of_the_table);
	tcase_add_loop_test(values, every_row_has_help_and_bounds_that_can_be_set, 0, (int)config_rows_count);
	tcase_add_loop_test(values, values_mean_what_they_say, 0, COUNT(numbers));
	tcase_add_test(values, booleans_are_six_words);
	tcase_add_test(values, numbers_are_written_with_the_largest_unit_that_fits);
	tcase_add_loop_test(values, refusals_name_key_value_and_what_is_allowed, 0, COUNT(refused));
	tcase_add_test(values, a_refused_value_changes_nothing);
	tcase_add_test(values, text_that_a_file_could_not_hold_is_refused);
	tcase_add_test(values, very_long_keys_and_values_are_cut_in_the_error);
	tcase_add_test(files, file_is_read_with_comments_and_blanks);
	tcase_add_test(files, file_errors_name_file_and_line);
	tcase_add_test(files, bytes_that_inih_would_misread_are_refused);
	tcase_add_test(files, a_file_that_cannot_be_read_is_an_error);
	tcase_add_test(files, dump_reads_back_the_same);
	tcase_add_test(files, reload_takes_what_may_change_and_names_the_rest);
	suite_add_tcase(suite, values);
	suite_add_tcase(suite, files);
	return suite;
}
