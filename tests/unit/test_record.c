/* SPDX-License-Identifier: ISC */
/*
 * test_record.c: the codecs of a record: rows of the store, JSON, CSV.
 *
 * Values and rows are copied into memory of their exact size, so that AddressSanitizer sees a read past their end.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "record/record.h"

Suite *suite_record(void);

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))
#define KIB64 65536

static const struct record_view everything = { CATALOG_OUTBOUND, true, true };

static struct record record;
static struct record read_back;
static struct buf out;
static struct error err;

static void *owned[1024]; /* freed after each test */
static size_t owned_count;

static void setup(void)
{
	memset(&out, 0, sizeof(out));
	memset(&err, 0, sizeof(err));
	memset(&read_back, 0xa5, sizeof(read_back)); /* what is not filled in is noticed */
	owned_count = 0;
}

static void teardown(void)
{
	while (owned_count > 0)
		free(owned[--owned_count]);
	buf_free(&out);
}

static struct str exact(const void *bytes, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);

	ck_assert(copy && owned_count < sizeof(owned) / sizeof(owned[0]));
	owned[owned_count++] = copy;
	if (len > 0)
		memcpy(copy, bytes, len);
	return (struct str){ copy, len };
}

static struct str repeated(char c, size_t len)
{
	char *bytes = malloc(len + 1);
	struct str copy;

	ck_assert_ptr_nonnull(bytes);
	memset(bytes, c, len);
	copy = exact(bytes, len);
	free(bytes);
	return copy;
}

static void begin(const char *product)
{
	const struct catalog_product *found = catalog_product_find(str_from(product));

	ck_assert_msg(found != NULL, "no product %s", product);
	memset(&record, 0x5a, sizeof(record));
	record_clear(&record, found);
}

static void set_str(const char *column, struct str value)
{
	uint8_t position = catalog_column_find(record.product, str_from(column));

	ck_assert_msg(position != CATALOG_NONE, "no column %s", column);
	record.values[position] = value;
}

static void set(const char *column, const char *value)
{
	set_str(column, exact(value, strlen(value)));
}

/* A record of the smallest product. */
static void begin_small(void)
{
	begin("SMS-TRAFFIC-CONTROL");
	set("account_id", "abcd1234");
	set("message_id", "m1");
	set("queued_time", "2024-06-17T12:00:00+00:00");
	set("id", "i1");
}

/* Every column has a value of its own. */
static void begin_full(const struct catalog_product *product)
{
	record_clear(&record, product);
	for (uint8_t i = 0; i < product->columns_count; i++) {
		char text[512];

		snprintf(text, sizeof(text), "%.*s=%0*d", STR_ARGS(product->columns[i].name), i + 1, i);
		record.values[i] = exact(text, strlen(text));
	}
}

static void assert_bytes(struct str got, const void *wanted, size_t len, const char *what)
{
	bool same = got.len == len && (len == 0 || memcmp(got.p, wanted, len) == 0);

	ck_assert_msg(same, "%s: got %zu bytes\n%.*s\nwanted %zu bytes\n%.*s", what, got.len, STR_ARGS(got), len,
	              (int)len, (const char *)wanted);
}

static void assert_text(const char *wanted)
{
	ck_assert(!out.failed);
	assert_bytes(buf_str(&out), wanted, strlen(wanted), "text");
}

/* --- records --- */

START_TEST(cleared_record_has_no_values)
{
	begin("SMS");
	ck_assert(str_is(record.product->name, "SMS"));
	for (uint8_t i = 0; i < record.product->columns_count; i++)
		ck_assert(!record.values[i].p && record.values[i].len == 0);
	ck_assert_ptr_null(record_value(&record, CATALOG_NONE).p);
}
END_TEST

START_TEST(partition_is_the_direction_where_directions_are_kept_apart)
{
	begin("SMS");
	ck_assert_int_eq(record_partition(&record), CATALOG_NO_DIRECTION);
	set("direction", "Inbound");
	ck_assert_int_eq(record_partition(&record), CATALOG_INBOUND);
	set("direction", "outbound");
	ck_assert_int_eq(record_partition(&record), CATALOG_OUTBOUND);
	begin("VOICE-CALL");
	set("direction", "outbound");
	ck_assert_int_eq(record_partition(&record), CATALOG_NO_DIRECTION);
	begin("AMD");
	ck_assert_int_eq(record_partition(&record), CATALOG_NO_DIRECTION);
}
END_TEST

START_TEST(records_are_equal_when_their_values_are)
{
	struct record other;

	begin_small();
	other = record;
	ck_assert(record_equal(&record, &other));
	set("id", "i1"); /* the same in other memory */
	ck_assert(record_equal(&record, &other));
	set("status", ""); /* empty and absent are the same */
	ck_assert(record_equal(&record, &other) && record_equal(&other, &record));
	set("status", "x");
	ck_assert(!record_equal(&record, &other) && !record_equal(&other, &record));
	begin("SMS");
	other = record;
	other.product = catalog_product_find(STR_LITERAL("MESSAGES"));
	record_clear(&other, other.product);
	ck_assert(!record_equal(&record, &other));
}
END_TEST

START_TEST(view_columns_are_bits)
{
	const struct catalog_product *sms = catalog_product_find(STR_LITERAL("SMS"));
	uint64_t all = record_view_columns(sms, &everything);
	uint64_t plain = record_view_columns(sms, &(struct record_view){ CATALOG_OUTBOUND, false, false });

	uint64_t hidden = UINT64_C(1) << sms->version_column;

	ck_assert_uint_eq(all, ((UINT64_C(1) << sms->columns_count) - 1) & ~hidden);
	ck_assert_uint_eq(all & ~plain, UINT64_C(1) << catalog_column_find(sms, STR_LITERAL("message_body")) |
	                                        UINT64_C(1) << catalog_column_find(sms, STR_LITERAL("concatenated")));
}
END_TEST

/* --- rows --- */

static int unpack(const struct catalog_product *product, struct str row, uint64_t *seq)
{
	return record_unpack(&read_back, product, exact(row.p, row.len), seq, &err);
}

/* Packs the record, unpacks it from a copy, and checks that nothing changed: absent and empty are told apart. */
static void assert_round_trip(uint64_t seq)
{
	uint64_t seq_back = ~seq;
	size_t begin_at = out.len;

	record_pack(&out, &record, seq);
	ck_assert(!out.failed);
	ck_assert_msg(unpack(record.product, (struct str){ out.data + begin_at, out.len - begin_at }, &seq_back) == 0,
	              "%s", err.message);
	ck_assert_uint_eq(seq_back, seq);
	ck_assert_ptr_eq(read_back.product, record.product);
	for (uint8_t i = 0; i < record.product->columns_count; i++) {
		ck_assert_int_eq(!read_back.values[i].p, !record.values[i].p);
		assert_bytes(read_back.values[i], record.values[i].p, record.values[i].len,
		             record.product->columns[i].name.p);
	}
}

START_TEST(row_has_the_layout_that_stores_hold)
{
	static const char row[] = "\x97\x07\xa8"
				  "abcd1234"
				  "\xa2m1"
				  "\xb9"
				  "2024-06-17T12:00:00+00:00"
				  "\xc0\xa0"
				  "\xa2i1";

	begin_small();
	set("status", "");
	record_pack(&out, &record, 7);
	assert_bytes(buf_str(&out), row, sizeof(row) - 1, "row");
}
END_TEST

START_TEST(row_leaves_out_absent_values_at_the_end)
{
	begin("SMS");
	record_pack(&out, &record, 1);
	assert_bytes(buf_str(&out), "\x91\x01", 2, "row without values");
	buf_clear(&out);
	set("account_id", "a");
	record_pack(&out, &record, 1);
	assert_bytes(buf_str(&out),
	             "\x92\x01\xa1"
	             "a",
	             4, "row of one value");
	assert_round_trip(1);
}
END_TEST

START_TEST(every_product_comes_back_from_its_row)
{
	begin_full(&catalog_products[_i]);
	assert_round_trip(123456789);
	for (uint8_t i = 0; i < record.product->columns_count; i += 2)
		record.values[i] = (struct str){ NULL, 0 };
	assert_round_trip(123456790);
	for (uint8_t i = 0; i < record.product->columns_count; i += 3)
		record.values[i] = STR_LITERAL("");
	assert_round_trip(123456791);
}
END_TEST

START_TEST(any_bytes_come_back_from_a_row)
{
	static const char odd[] = "say \"yes\",\r\n\0\x01\x7f\xff\xfe Zo\xc3\xab \xf0\x9f\x91\x8d\\";

	begin_small();
	set_str("status", exact(odd, sizeof(odd)));
	assert_round_trip(1);
}
END_TEST

static const size_t lengths[] = { 0,  1,  2,  3,  4,  5,  7,   8,   9,   15,    16,    17,    24,    30,
	                          31, 32, 33, 63, 64, 65, 255, 256, 257, 65534, 65535, 65536, 65537, 200000 };

START_TEST(values_of_any_length_come_back_from_a_row)
{
	begin_small();
	set_str("status", repeated('x', lengths[_i]));
	assert_round_trip(1);
}
END_TEST

static const uint64_t seqs[] = { 0,         1,         127, 128, 255, 256, 65535, 65536, UINT32_MAX, UINT64_C(1) << 32,
	                         INT64_MAX, UINT64_MAX };

START_TEST(numbers_of_changes_come_back_from_a_row)
{
	begin_small();
	assert_round_trip(seqs[_i]);
}
END_TEST

START_TEST(rows_are_appended)
{
	begin_small();
	buf_add_text(&out, "before");
	assert_round_trip(5);
	assert_round_trip(6);
	ck_assert_int_eq(memcmp(out.data, "before\x97\x05", 8), 0);
}
END_TEST

START_TEST(older_row_reads_as_absent_in_appended_columns)
{
	struct str row = STR_LITERAL("\x93\x01\xa1"
	                             "a\xa1"
	                             "b");
	uint64_t seq;

	ck_assert_int_eq(unpack(catalog_product_find(STR_LITERAL("SMS")), row, &seq), 0);
	ck_assert(str_is(read_back.values[1], "b"));
	for (uint8_t i = 2; i < read_back.product->columns_count; i++)
		ck_assert_ptr_null(read_back.values[i].p);
}
END_TEST

static void assert_corrupt(const struct catalog_product *product, struct str row)
{
	uint64_t seq;

	err.code = ERROR_NONE;
	ck_assert_int_eq(unpack(product, row, &seq), -1);
	ck_assert_int_eq(err.code, ERROR_CORRUPT);
	ck_assert_msg(strstr(err.message, "row of "), "%s", err.message);
}

START_TEST(row_cut_anywhere_is_corrupt)
{
	begin_full(catalog_product_find(STR_LITERAL("SMS")));
	record.values[3] = (struct str){ NULL, 0 };
	record.values[4] = repeated('x', 40);
	record.values[5] = repeated('y', 300);
	record_pack(&out, &record, UINT64_MAX);
	for (size_t len = 0; len < out.len; len++) {
		assert_corrupt(record.product, (struct str){ out.data, len });
		free(owned[--owned_count]);
	}
}
END_TEST

#define ROW(bytes) \
	{ \
		bytes, sizeof(bytes) - 1 \
	}

/* What is no row of SMS-TRAFFIC-CONTROL, which has 7 columns. */
static const struct str garbage[] = {
	ROW(""),
	ROW("\x90"),     /* not even the number of the change */
	ROW("\x91\xc0"), /* which is no nil */
	ROW("\x95\xc0\xcf\0\0\0\0\0\0\0\1\1\xcf\0\0\0\0\0\0\0\1\xcf\0\0\0\0\0\0\0\2"), /* a tombstone of store/days/day.h */
	ROW("\x91\xa1"
	    "1"),                        /* nor a text */
	ROW("\x91\xe0"),                 /* nor negative */
	ROW("\x91\xd3\0\0\0\0\0\0\0\1"), /* nor an int64 */
	ROW("\x91\x01\x01"),             /* bytes after it */
	ROW("\x91\x01\xc0"),
	ROW("\x92\x01\x05"), /* a number for a value */
	ROW("\x92\x01\xc2"), /* a boolean */
	ROW("\x92\x01\xc4\x01"
	    "a"), /* bin 8 */
	ROW("\x92\x01\x81\xa1"
	    "a\xa1"
	    "b"), /* a map */
	ROW("\x92\x01\x91\xa1"
	    "a"), /* an array */
	ROW("\x92\x01\xa2"
	    "a"), /* cut short */
	ROW("\x92\x01\xd9\xff"
	    "a"),
	ROW("\x92\x01\xda\xff\xff"
	    "a"),
	ROW("\x92\x01\xdb\xff\xff\xff\xff"
	    "a"),
	ROW("\x92\x01\xd9"),
	ROW("\x92\x01\xdb\0\0\0"),
	ROW("\x99\x01\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0"), /* more values than columns */
	ROW("\xdc\xff\xff\x01\xc0"),
	ROW("\xdc\x00\x00"),
	ROW("\xdc\x00"),
	ROW("\xdd\x00\x00\x00\x02\x01\xc0"), /* array 32 is never written */
	ROW("\x81\x01\xc0"),
	ROW("\xc0"),
	ROW("\xff"),
	ROW("{\"id\":1}"),
};

START_TEST(what_is_no_row_is_corrupt)
{
	assert_corrupt(catalog_product_find(STR_LITERAL("SMS-TRAFFIC-CONTROL")), garbage[_i]);
}
END_TEST

START_TEST(absent_memory_is_no_row)
{
	uint64_t seq;

	ck_assert_int_eq(record_unpack(&read_back, &catalog_products[0], (struct str){ NULL, 0 }, &seq, &err), -1);
	ck_assert_int_eq(err.code, ERROR_CORRUPT);
}
END_TEST

/* xorshift: the same bytes in every run */
static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Every value that is there lies within the row. */
static void assert_within(struct str row)
{
	for (uint8_t i = 0; i < read_back.product->columns_count; i++) {
		struct str value = read_back.values[i];

		ck_assert(!value.p || (value.p >= row.p && value.p + value.len <= row.p + row.len));
	}
}

START_TEST(damaged_row_is_corrupt_or_another_row)
{
	uint32_t state = 2463534242;
	int corrupt = 0;

	begin_full(catalog_product_find(STR_LITERAL("SMS-TRAFFIC-CONTROL")));
	record_pack(&out, &record, 70000);
	for (int i = 0; i < 50000; i++) {
		struct str row = exact(out.data, out.len);
		uint64_t seq;

		for (uint32_t changes = 1 + next_random(&state) % 3; changes > 0; changes--)
			((char *)owned[owned_count - 1])[next_random(&state) % out.len] = (char)next_random(&state);
		if (record_unpack(&read_back, record.product, row, &seq, &err) == 0) {
			assert_within(row);
		} else {
			ck_assert_int_eq(err.code, ERROR_CORRUPT);
			corrupt++;
		}
		free(owned[--owned_count]);
	}
	ck_assert_int_gt(corrupt, 1000);
}
END_TEST

/* --- JSON --- */

START_TEST(json_has_the_columns_in_order)
{
	begin_small();
	set("status", "released");
	record_write_json(&out, &record, &everything);
	assert_text("{\"account_id\":\"abcd1234\",\"message_id\":\"m1\",\"queued_time\":\"2024-06-17T12:00:00+00:00\","
	            "\"queue_duration\":\"\",\"status\":\"released\",\"id\":\"i1\"}");
}
END_TEST

START_TEST(json_is_appended)
{
	begin_small();
	buf_add_text(&out, "[1,");
	record_write_json(&out, &record, &everything);
	ck_assert_int_eq(memcmp(out.data, "[1,{\"account_id\"", 16), 0);
}
END_TEST

/* The object by the plain writer, which has tests of its own. */
static void write_plainly(struct buf *plain, const struct record_view *view)
{
	struct json json = json_to(plain);

	json_object_begin(&json);
	for (uint8_t i = 0; i < record.product->columns_count; i++) {
		const struct catalog_column *column = &record.product->columns[i];

		if (!catalog_column_shown(column, view->direction, view->include_message, view->show_concatenated))
			continue;
		json_key_str(&json, column->name);
		if (column->kind == CATALOG_JSON)
			json_raw(&json, record.values[i].len > 0 ? record.values[i] : STR_LITERAL("{}"));
		else
			json_str(&json, record.values[i]);
	}
	json_object_end(&json);
}

static void assert_json_as_plain(const struct record_view *view)
{
	struct buf plain = { 0 };

	write_plainly(&plain, view);
	buf_clear(&out);
	record_write_json(&out, &record, view);
	assert_bytes(buf_str(&out), plain.data, plain.len, "JSON");
	buf_free(&plain);
}

START_TEST(every_product_is_written_as_json)
{
	static const enum catalog_direction directions[] = { CATALOG_NO_DIRECTION, CATALOG_OUTBOUND, CATALOG_INBOUND };

	begin_full(&catalog_products[_i]);
	for (int switches = 0; switches < 4; switches++)
		for (int i = 0; i < COUNT(directions); i++)
			assert_json_as_plain(&(struct record_view){ directions[i], switches & 1, switches & 2 });
}
END_TEST

/* Each byte, alone and at every place of values of every short length: all the ways through the copying. */
START_TEST(json_escapes_any_byte_anywhere)
{
	static const char bytes[] = { '"',  '\\', '\0', '\n', 0x1f,       ' ',        0x21,
		                      0x23, 0x5b, 0x5d, 0x7f, (char)0x80, (char)0xc3, (char)0xff };

	begin_small();
	for (size_t len = 1; len <= 26; len++) {
		struct str value = repeated('a', len);
		char *changed = owned[owned_count - 1];

		set_str("status", value);
		for (size_t at = 0; at < len; at++) {
			for (int i = 0; i < COUNT(bytes); i++) {
				changed[at] = bytes[i];
				assert_json_as_plain(&everything);
			}
			changed[at] = 'a';
		}
	}
}
END_TEST

START_TEST(json_keeps_utf8_and_mends_what_is_not)
{
	begin_small();
	set("status", "Zo\xc3\xab \xf0\x9f\x91\x8d \xff");
	record_write_json(&out, &record, &everything);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "\"Zo\xc3\xab \xf0\x9f\x91\x8d \xef\xbf\xbd\""));
}
END_TEST

START_TEST(json_of_long_values_with_escapes_everywhere)
{
	begin_full(catalog_product_find(STR_LITERAL("SMS")));
	for (uint8_t i = 0; i < record.product->columns_count; i++)
		record.values[i] = repeated(i % 3 == 0 ? '\1' : '"', i == 10 ? KIB64 : 100U * i);
	assert_json_as_plain(&everything);
}
END_TEST

START_TEST(json_column_is_raw_and_an_object_when_absent)
{
	begin("REPORTS-USAGE");
	set("request_params", "{\"a\":[1,\"b\"]}");
	record_write_json(&out, &record, &everything);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "\"request_params\":{\"a\":[1,\"b\"]},\"id\":\"\"}"));
	buf_clear(&out);
	set_str("request_params", (struct str){ NULL, 0 });
	record_write_json(&out, &record, &everything);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "\"request_params\":{},\"id\":\"\"}"));
	set("request_params", "");
	assert_json_as_plain(&everything);
}
END_TEST

START_TEST(inbound_view_leaves_out_what_inbound_records_do_not_have)
{
	begin("MESSAGES");
	set("message_body", "hi");
	record_write_json(&out, &record, &(struct record_view){ CATALOG_INBOUND, true, false });
	assert_text("{\"account_id\":\"\",\"message_id\":\"\",\"direction\":\"\",\"from\":\"\",\"to\":\"\","
	            "\"message_body\":\"hi\",\"provider\":\"\",\"network\":\"\",\"network_name\":\"\","
	            "\"date_received\":\"\",\"currency\":\"\",\"total_price\":\"\",\"id\":\"\",\"tier_volume\":\"\"}");
}
END_TEST

START_TEST(raw_json_has_the_product_and_the_values_that_are_there)
{
	begin("REPORTS-USAGE");
	set("account_id", "abcd1234");
	set("status", "");
	set("acc", "a\"b");
	set("request_params", "{\"a\":1");
	record_write_raw_json(&out, &record);
	assert_text("{\"product\":\"REPORTS-USAGE\",\"account_id\":\"abcd1234\",\"acc\":\"a\\\"b\",\"status\":\"\","
	            "\"request_params\":\"{\\\"a\\\":1\"}");
}
END_TEST

/* --- CSV --- */

START_TEST(csv_line_has_every_value_quoted)
{
	begin_small();
	record_write_csv_header(&out, record.product, &everything);
	record_write_csv(&out, &record, &everything);
	assert_text("\"account_id\",\"message_id\",\"queued_time\",\"queue_duration\",\"status\",\"id\"\n"
	            "\"abcd1234\",\"m1\",\"2024-06-17T12:00:00+00:00\",\"\",\"\",\"i1\"\n");
}
END_TEST

START_TEST(csv_doubles_quotes_and_keeps_everything_else)
{
	static const char wanted[] = "\"\"\"\",\"\"\"\"\"\"\"\",\"a \"\"b\"\" c\",\"line\r\nbreak, comma; Zo\xc3\xab\","
				     "\"ends with \"\"\",\"a\0b\"\n";

	begin_small();
	set("account_id", "\"");
	set("message_id", "\"\"\"");
	set("queued_time", "a \"b\" c");
	set("queue_duration", "line\r\nbreak, comma; Zo\xc3\xab");
	set("status", "ends with \"");
	set_str("id", exact("a\0b", 3));
	record_write_csv(&out, &record, &everything);
	assert_bytes(buf_str(&out), wanted, sizeof(wanted) - 1, "CSV");
}
END_TEST

START_TEST(csv_doubles_a_quote_anywhere)
{
	begin("SMS-TRAFFIC-CONTROL");
	for (size_t len = 1; len <= 26; len++) {
		struct str value = repeated('a', len);

		set_str("id", value);
		for (size_t at = 0; at < len; at++) {
			char wanted[80];

			((char *)owned[owned_count - 1])[at] = '"';
			/* up to the quote, and then from it on once more */
			snprintf(wanted, sizeof(wanted), "\"\",\"\",\"\",\"\",\"\",\"%.*s%.*s\"\n", (int)at + 1,
			         value.p, (int)(len - at), value.p + at);
			buf_clear(&out);
			record_write_csv(&out, &record, &everything);
			assert_text(wanted);
			((char *)owned[owned_count - 1])[at] = 'a';
		}
	}
}
END_TEST

START_TEST(csv_value_stands_alone_as_in_a_line)
{
	static const struct {
		const char *value, *wanted;
	} values[] = {
		{ NULL, "\"\"" },
		{ "", "\"\"" },
		{ "a", "\"a\"" },
		{ "a,b\nc", "\"a,b\nc\"" },
		{ "\"", "\"\"\"\"" },
		{ "\"\"", "\"\"\"\"\"\"" },
		{ "a \"quoted\" word", "\"a \"\"quoted\"\" word\"" },
		{ "as long as it takes, \"", "\"as long as it takes, \"\"\"" },
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct str value = values[i].value ? str_from(values[i].value) : (struct str){ NULL, 0 };

		buf_clear(&out);
		buf_add_char(&out, '<');
		record_write_csv_value(&out, value);
		ck_assert_str_eq(buf_cstr(&out) + 1, values[i].wanted);
	}
}
END_TEST

START_TEST(csv_shows_the_columns_of_the_view)
{
	const struct catalog_product *sms = catalog_product_find(STR_LITERAL("SMS"));

	record_write_csv_header(&out, sms, &(struct record_view){ CATALOG_INBOUND, false, true });
	assert_text("\"account_id\",\"message_id\",\"direction\",\"from\",\"to\",\"network\",\"network_name\","
	            "\"country\",\"country_name\",\"date_received\",\"currency\","
	            "\"total_price\",\"id\",\"tier_volume\"\n");
}
END_TEST

START_TEST(csv_has_json_as_its_text)
{
	begin("REPORTS-USAGE");
	set("request_params", "{\"a\":1}");
	record_write_csv(&out, &record, &everything);
	ck_assert_ptr_nonnull(strstr(buf_cstr(&out), ",\"{\"\"a\"\":1}\",\"\"\n"));
}
END_TEST

START_TEST(csv_of_long_values_with_quotes_everywhere)
{
	size_t bytes = 0;

	begin_full(catalog_product_find(STR_LITERAL("SMS")));
	for (uint8_t i = 0; i < record.product->columns_count; i++) {
		record.values[i] = repeated('"', i == 10 ? KIB64 : 100U * i);
		if (i != record.product->version_column)
			bytes += 3 + 2 * record.values[i].len;
	}
	record_write_csv(&out, &record, &everything);
	ck_assert(!out.failed);
	ck_assert_uint_eq(out.len, bytes);
}
END_TEST

/* --- no memory --- */

static void pack_it(void)
{
	record_pack(&out, &record, 1);
}

static void write_json(void)
{
	record_write_json(&out, &record, &everything);
}

static void write_raw_json(void)
{
	record_write_raw_json(&out, &record);
}

static void write_csv(void)
{
	record_write_csv(&out, &record, &everything);
}

static void write_csv_value(void)
{
	record_write_csv_value(&out, record.values[catalog_column_find(record.product, STR_LITERAL("status"))]);
}

static void (*const writers[])(void) = { pack_it, write_json, write_raw_json, write_csv, write_csv_value };

/* With escapes and without: room is made in two places. */
START_TEST(writer_without_room_marks_the_buffer_failed)
{
	begin_small();
	for (int escapes = 0; escapes < 2; escapes++) {
		set_str("status", repeated(escapes ? '"' : 'a', 1000));
		out = (struct buf){ .max_bytes = escapes ? 1200 : 500 };
		if (writers[_i] == pack_it && escapes)
			out.max_bytes = 900;
		writers[_i]();
		ck_assert_msg(out.failed, "%zu bytes were written, at most %zu allowed", out.len, out.max_bytes);
		ck_assert_uint_le(out.len, out.max_bytes);
		buf_free(&out);
	}
	out = (struct buf){ 0 };
}
END_TEST

static void add_rows(Suite *suite)
{
	TCase *tc = tcase_create("rows");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, row_has_the_layout_that_stores_hold);
	tcase_add_test(tc, row_leaves_out_absent_values_at_the_end);
	tcase_add_loop_test(tc, every_product_comes_back_from_its_row, 0, (int)catalog_products_count);
	tcase_add_test(tc, any_bytes_come_back_from_a_row);
	tcase_add_loop_test(tc, values_of_any_length_come_back_from_a_row, 0, COUNT(lengths));
	tcase_add_loop_test(tc, numbers_of_changes_come_back_from_a_row, 0, COUNT(seqs));
	tcase_add_test(tc, rows_are_appended);
	tcase_add_test(tc, older_row_reads_as_absent_in_appended_columns);
	tcase_add_test(tc, row_cut_anywhere_is_corrupt);
	tcase_add_loop_test(tc, what_is_no_row_is_corrupt, 0, COUNT(garbage));
	tcase_add_test(tc, absent_memory_is_no_row);
	tcase_add_test(tc, damaged_row_is_corrupt_or_another_row);
	suite_add_tcase(suite, tc);
}

static void add_json(Suite *suite)
{
	TCase *tc = tcase_create("json");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, json_has_the_columns_in_order);
	tcase_add_test(tc, json_is_appended);
	tcase_add_loop_test(tc, every_product_is_written_as_json, 0, (int)catalog_products_count);
	tcase_add_test(tc, json_escapes_any_byte_anywhere);
	tcase_add_test(tc, json_keeps_utf8_and_mends_what_is_not);
	tcase_add_test(tc, json_of_long_values_with_escapes_everywhere);
	tcase_add_test(tc, json_column_is_raw_and_an_object_when_absent);
	tcase_add_test(tc, inbound_view_leaves_out_what_inbound_records_do_not_have);
	tcase_add_test(tc, raw_json_has_the_product_and_the_values_that_are_there);
	suite_add_tcase(suite, tc);
}

static void add_csv(Suite *suite)
{
	TCase *tc = tcase_create("csv");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, csv_line_has_every_value_quoted);
	tcase_add_test(tc, csv_doubles_quotes_and_keeps_everything_else);
	tcase_add_test(tc, csv_doubles_a_quote_anywhere);
	tcase_add_test(tc, csv_value_stands_alone_as_in_a_line);
	tcase_add_test(tc, csv_shows_the_columns_of_the_view);
	tcase_add_test(tc, csv_has_json_as_its_text);
	tcase_add_test(tc, csv_of_long_values_with_quotes_everywhere);
	suite_add_tcase(suite, tc);
}

Suite *suite_record(void)
{
	Suite *suite = suite_create("record");
	TCase *records = tcase_create("records");
	TCase *memory = tcase_create("memory");

	tcase_add_checked_fixture(records, setup, teardown);
	tcase_add_test(records, cleared_record_has_no_values);
	tcase_add_test(records, partition_is_the_direction_where_directions_are_kept_apart);
	tcase_add_test(records, records_are_equal_when_their_values_are);
	tcase_add_test(records, view_columns_are_bits);
	suite_add_tcase(suite, records);
	add_rows(suite);
	add_json(suite);
	add_csv(suite);
	tcase_add_checked_fixture(memory, setup, teardown);
	tcase_add_loop_test(memory, writer_without_room_marks_the_buffer_failed, 0, COUNT(writers));
	suite_add_tcase(suite, memory);
	return suite;
}
