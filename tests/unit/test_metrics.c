/* SPDX-License-Identifier: ISC */
/*
 * test_metrics.c: the exposition format, and what every row of the metrics' table must keep to.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/table.h"
#include "metrics/text.h"

Suite *suite_metrics(void);

static struct buf out;

static void teardown(void)
{
	buf_free(&out);
}

static const char *text(void)
{
	const char *whole = buf_cstr(&out);

	ck_assert_ptr_nonnull(whole);
	return whole;
}

/* The number on the first line that begins with `sample` and a space. */
static double value_of(const char *sample)
{
	const char *line = strstr(text(), sample);

	ck_assert_msg(line && line[strlen(sample)] == ' ', "%s is not in:\n%s", sample, text());
	return strtod(line + strlen(sample), NULL);
}

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);

	return len > end_len && strcmp(name + len - end_len, end) == 0;
}

/* --- lines --- */

START_TEST(samples_have_labels_in_braces_and_values_after_a_space)
{
	text_begin(&out, TEXT_COUNTER, "cdrd_things_total", "Things.");
	text_uint(&out, "cdrd_things_total", str_from("kind=\"a\""), 18446744073709551615u);
	text_uint(&out, "cdrd_things_total", str_from(""), 0);
	text_seconds(&out, "cdrd_time_seconds", str_from(""), 1500001);
	text_seconds(&out, "cdrd_time_seconds", str_from(""), -1500001);
	text_seconds(&out, "cdrd_time_seconds", str_from(""), -1);
	text_ratio(&out, "cdrd_share_ratio", str_from(""), 0.25);
	ck_assert_str_eq(text(), "# HELP cdrd_things_total Things.\n"
	                         "# TYPE cdrd_things_total counter\n"
	                         "cdrd_things_total{kind=\"a\"} 18446744073709551615\n"
	                         "cdrd_things_total 0\n"
	                         "cdrd_time_seconds 1.500001\n"
	                         "cdrd_time_seconds -1.500001\n"
	                         "cdrd_time_seconds -0.000001\n"
	                         "cdrd_share_ratio 0.250000\n");
}
END_TEST

START_TEST(label_values_are_escaped)
{
	text_label(&out, "path", "/v2/{id}");
	text_label(&out, "odd", "a\"b\\c\nd");
	ck_assert_str_eq(text(), "path=\"/v2/{id}\",odd=\"a\\\"b\\\\c d\"");
}
END_TEST

/* --- histograms --- */

START_TEST(histogram_counts_every_value_in_the_buckets_that_hold_it)
{
	struct histogram histogram = { 0 };

	histogram_add(&histogram, 255);
	histogram_add(&histogram, 256);
	histogram_add(&histogram, 1000000);
	histogram_add(&histogram, INT64_C(3600) * 1000000);
	text_histogram(&out, "h_seconds", str_from("a=\"b\""), &histogram);
	ck_assert_double_eq(value_of("h_seconds_bucket{a=\"b\",le=\"0.000255\"}"), 1);
	ck_assert_double_eq(value_of("h_seconds_bucket{a=\"b\",le=\"0.000511\"}"), 2);
	ck_assert_double_eq(value_of("h_seconds_bucket{a=\"b\",le=\"0.524287\"}"), 2);
	ck_assert_double_eq(value_of("h_seconds_bucket{a=\"b\",le=\"1.048575\"}"), 3);
	ck_assert_double_eq(value_of("h_seconds_bucket{a=\"b\",le=\"33.554431\"}"), 3);
	ck_assert_double_eq(value_of("h_seconds_bucket{a=\"b\",le=\"+Inf\"}"), 4);
	ck_assert_double_eq(value_of("h_seconds_count{a=\"b\"}"), 4);
	ck_assert_double_eq(value_of("h_seconds_sum{a=\"b\"}"), 3601.000511);
}
END_TEST

/* A counter that goes back looks like a restart to Prometheus: a longer value must not move what was counted before. */
START_TEST(bucket_counts_never_go_back)
{
	struct histogram histogram = { 0 };
	double before[32] = { 0 };

	for (int64_t us = 1; us < INT64_C(100) * 1000000; us += us / 3 + 1) {
		const char *line;
		int i = 0;

		histogram_add(&histogram, us);
		buf_clear(&out);
		text_histogram(&out, "h", str_from(""), &histogram);
		for (line = strstr(text(), "h_bucket"); line; line = strstr(line + 1, "h_bucket"), i++) {
			double now = strtod(strchr(line, ' '), NULL);

			ck_assert_msg(now >= before[i], "bucket %d: %f after %f, with %lld us", i, now, before[i],
			              (long long)us);
			before[i] = now;
		}
		ck_assert_int_eq(i, 19);
	}
}
END_TEST

/* --- the table --- */

START_TEST(names_keep_to_prometheus_conventions)
{
	for (size_t i = 0; i < table_rows_count; i++) {
		const struct table_row *row = &table_rows[i];

		ck_assert_msg(strncmp(row->name, "cdrd_", 5) == 0 || strncmp(row->name, "process_", 8) == 0, "%s",
		              row->name);
		ck_assert_msg((row->type == TEXT_COUNTER) == ends_with(row->name, "_total"), "%s", row->name);
		ck_assert_msg(row->type != TEXT_HISTOGRAM || ends_with(row->name, "_seconds"), "%s", row->name);
		ck_assert_msg(row->value != TABLE_RATIO || ends_with(row->name, "_ratio"), "%s", row->name);
		ck_assert_msg(ends_with(row->help, "."), "%s: %s", row->name, row->help);
	}
}
END_TEST

START_TEST(rows_of_a_metric_are_neighbours_and_differ_in_labels_alone)
{
	for (size_t i = 0; i < table_rows_count; i++)
		for (size_t j = i + 1; j < table_rows_count; j++) {
			const struct table_row *a = &table_rows[i], *b = &table_rows[j];

			if (strcmp(a->name, b->name) != 0)
				continue;
			ck_assert_msg(strcmp(table_rows[j - 1].name, b->name) == 0, "%s: rows apart", a->name);
			ck_assert_msg(a->type == b->type && strcmp(a->help, b->help) == 0, "%s", a->name);
			ck_assert_msg(strcmp(a->labels, b->labels) != 0, "%s{%s} twice", a->name, a->labels);
		}
}
END_TEST

Suite *suite_metrics(void)
{
	Suite *suite = suite_create("metrics");
	TCase *lines = tcase_create("lines");
	TCase *table = tcase_create("table");

	tcase_add_checked_fixture(lines, NULL, teardown);
	tcase_add_test(lines, samples_have_labels_in_braces_and_values_after_a_space);
	tcase_add_test(lines, label_values_are_escaped);
	tcase_add_test(lines, histogram_counts_every_value_in_the_buckets_that_hold_it);
	tcase_add_test(lines, bucket_counts_never_go_back);
	suite_add_tcase(suite, lines);
	tcase_add_test(table, names_keep_to_prometheus_conventions);
	tcase_add_test(table, rows_of_a_metric_are_neighbours_and_differ_in_labels_alone);
	suite_add_tcase(suite, table);
	return suite;
}
