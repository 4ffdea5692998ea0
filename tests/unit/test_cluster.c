/* SPDX-License-Identifier: ISC */
/*
 * test_cluster.c: rows of a cluster's tables, out and in, and what a scan shows of them.
 */
#include <check.h>
#include <endian.h>
#include <string.h>

#include "base/id.h"
#include "store/cluster/cluster_chunk.h"

static struct buf rows, scratch;
static struct cluster_reader reader;

static void tear_down(void)
{
	buf_free(&rows);
	buf_free(&scratch);
	cluster_reader_free(&reader);
	reader = (struct cluster_reader){ .arena = { 0 } };
}

static const struct catalog_product *sms(void)
{
	return catalog_product_find(STR_LITERAL("SMS"));
}

static void set(struct record *record, const char *column, const char *value)
{
	uint8_t at = catalog_column_find(record->product, str_from(column));

	ck_assert_uint_ne(at, CATALOG_NONE);
	record->values[at] = str_from(value);
}

static void make_record(struct record *record, const char *direction, const char *id)
{
	record_clear(record, sms());
	set(record, "account_id", "abcd1234");
	set(record, "direction", direction);
	set(record, "message_id", id);
	set(record, "id", id);
	set(record, "from", "say \"hello\", or\nnot");
	set(record, "to", "447700900100");
	set(record, "status", "delivered");
	set(record, "date_received", "2026-11-23T12:00:00.000Z");
}

static struct cluster_row place(uint64_t version, uint64_t first, int64_t time_us, const char *id)
{
	return (struct cluster_row){ .account = 17,
		                     .direction = CATALOG_OUTBOUND,
		                     .day = 20780,
		                     .time_us = time_us,
		                     .id = str_from(id),
		                     .version = version,
		                     .first = first };
}

static struct str take_text(struct str *text)
{
	size_t len = 0;

	for (unsigned shift = 0;; shift += 7) {
		unsigned char byte = (unsigned char)*text->p;

		*text = (struct str){ text->p + 1, text->len - 1 };
		len |= (size_t)(byte & 127) << shift;
		if (byte < 128)
			break;
	}
	struct str value = { text->p, len };
	ck_assert_uint_le(len, text->len);
	*text = (struct str){ text->p + len, text->len - len };
	return value;
}

/* The columns of CLUSTER_ROW_COLUMNS, of one row as it is inserted. */
static void select_row(struct buf *out, struct str row)
{
	struct str at = { row.p + 19, row.len - 19 };
	uint64_t filters = schema_filter_columns(sms());

	(void)take_text(&at);
	at = (struct str){ at.p + 17, at.len - 17 };
	buf_add(out, row.p, (size_t)(at.p - row.p));
	at = (struct str){ at.p + 8 * sms()->lookup_count, at.len - 8 * sms()->lookup_count };
	for (uint8_t i = 0; i < sms()->columns_count; i++)
		if (filters >> i & 1)
			(void)take_text(&at);
	buf_add_str(out, at);
	for (int i = 0; i < 3; i++)
		(void)take_text(&at);
	ck_assert_uint_eq(at.len, 0);
}

static void add_row(const struct record *record, const struct cluster_row *row)
{
	struct buf written = { 0 };

	cluster_row_write(&written, record, row, &scratch);
	ck_assert(!written.failed);
	select_row(&rows, buf_str(&written));
	buf_free(&written);
}

static void check_same(const struct record *record, enum catalog_direction direction)
{
	struct cluster_row row = place(9, 7, 5, "ID"), read;
	struct record back;
	struct error err;

	row.direction = (uint8_t)direction;
	buf_clear(&rows);
	add_row(record, &row);
	struct str text = buf_str(&rows);
	ck_assert(cluster_row_read(&text, &read));
	ck_assert_uint_eq(text.len, 0);
	ck_assert_uint_eq(read.account, 17);
	ck_assert_uint_eq(read.direction, direction);
	ck_assert_int_eq(read.day, 20780);
	ck_assert_int_eq(read.time_us, 5);
	ck_assert_uint_eq(read.version, 9);
	ck_assert_uint_eq(read.first, 7);
	ck_assert_msg(cluster_row_record(&reader, &read, sms(), &back, &err) == 0, "%s", err.message);
	ck_assert(record_equal(record, &back));
}

START_TEST(record_comes_back_as_it_was)
{
	static char longs[20001];
	struct record record;

	make_record(&record, "outbound", "17");
	check_same(&record, CATALOG_OUTBOUND);
	set(&record, "message_body", "a \"message\"\n");
	set(&record, "concatenated", "TRUE");
	check_same(&record, CATALOG_OUTBOUND);
	memset(longs, 'x', sizeof(longs) - 1);
	set(&record, "message_body", longs);
	longs[200] = '"';
	set(&record, "client_ref", longs + 19801);
	check_same(&record, CATALOG_OUTBOUND);
	make_record(&record, "inbound", "17");
	check_same(&record, CATALOG_INBOUND);
	set(&record, "client_ref", "that inbound lines do not have");
	check_same(&record, CATALOG_INBOUND);
}
END_TEST

START_TEST(line_is_that_of_reports)
{
	const struct record_view view = { .direction = CATALOG_OUTBOUND };
	struct cluster_row row = place(1, 1, 5, "17"), read;
	struct record record;
	struct buf line = { 0 };

	make_record(&record, "outbound", "17");
	add_row(&record, &row);
	struct str text = buf_str(&rows);
	ck_assert(cluster_row_read(&text, &read));
	(void)record_write_csv(&line, &record, &view);
	ck_assert(str_equal(read.line, buf_str(&line)));
	ck_assert_uint_eq(read.rest.len + read.body.len, 0);
	buf_free(&line);
}
END_TEST

START_TEST(uuid_is_kept_in_lower_case)
{
	struct cluster_row row = place(1, 1, 5, "AAAAAAAA-0000-4000-8000-00000000000B"), read;
	struct record record;

	make_record(&record, "outbound", "x");
	add_row(&record, &row);
	struct str text = buf_str(&rows);
	ck_assert(cluster_row_read(&text, &read));
	ck_assert(str_is(read.id, "aaaaaaaa-0000-4000-8000-00000000000b"));
}
END_TEST

START_TEST(row_that_is_cut_is_none)
{
	struct cluster_row row = place(1, 1, 5, "17"), read;
	struct record record;

	make_record(&record, "outbound", "17");
	add_row(&record, &row);
	for (size_t len = 0; len < rows.len; len++) {
		struct str text = { rows.data, len };

		ck_assert(!cluster_row_read(&text, &read));
	}
}
END_TEST

/* What a scan at the snapshot shows: the versions. */
static void check_shown(uint64_t snapshot, const uint64_t *versions, size_t count)
{
	struct cluster_chunk_rows shown = { .text = { 0 } };
	struct buf answer = { 0 };
	struct error err;

	buf_add_str(&answer, buf_str(&rows));
	ck_assert_msg(cluster_chunk_take(&shown, &answer, snapshot, &err) == 0, "%s", err.message);
	ck_assert_uint_eq(shown.count, count);
	for (size_t i = 0; i < count; i++)
		ck_assert_uint_eq(shown.list[i].version, versions[i]);
	cluster_chunk_rows_free(&shown);
}

START_TEST(newest_of_a_key_is_shown_and_what_came_later_is_not)
{
	struct record record;
	struct cluster_row list[] = { place(9, 3, 5, "a"), place(3, 3, 5, "a"), place(4, 4, 5, "b"),
		                      place(8, 2, 5, "c"), place(2, 2, 5, "c"), place(7, 7, 6, "d"),
		                      place(6, 6, 6, "e") };

	list[3].is_dead = true; /* left at the change 8 */
	make_record(&record, "outbound", "x");
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		add_row(&record, &list[i]);
	check_shown(10, (const uint64_t[]){ 9, 4, 6, 7 }, 4);
	check_shown(7, (const uint64_t[]){ 8, 9, 4, 6, 7 }, 5);
	check_shown(3, (const uint64_t[]){ 8, 9 }, 2);
	check_shown(1, NULL, 0);
}
END_TEST

START_TEST(answer_that_is_cut_is_an_error)
{
	struct cluster_chunk_rows shown = { .text = { 0 } };
	struct cluster_row row = place(1, 1, 5, "17");
	struct record record;
	struct error err;

	make_record(&record, "outbound", "17");
	add_row(&record, &row);
	rows.len--;
	ck_assert_int_ne(cluster_chunk_take(&shown, &rows, 10, &err), 0);
	ck_assert_int_eq(err.code, ERROR_CORRUPT);
	cluster_chunk_rows_free(&shown);
}
END_TEST

Suite *suite_cluster(void);

Suite *suite_cluster(void)
{
	Suite *suite = suite_create("cluster");
	TCase *tcase = tcase_create("rows");

	tcase_add_checked_fixture(tcase, NULL, tear_down);
	tcase_add_test(tcase, record_comes_back_as_it_was);
	tcase_add_test(tcase, line_is_that_of_reports);
	tcase_add_test(tcase, uuid_is_kept_in_lower_case);
	tcase_add_test(tcase, row_that_is_cut_is_none);
	tcase_add_test(tcase, newest_of_a_key_is_shown_and_what_came_later_is_not);
	tcase_add_test(tcase, answer_that_is_cut_is_an_error);
	suite_add_tcase(suite, tcase);
	return suite;
}
