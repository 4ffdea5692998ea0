/* SPDX-License-Identifier: ISC */
/*
 * fuzz_row_binary.c: rows of a cluster's tables, as a server of ClickHouse answers with them.
 *
 *	input = how, product; then rows, or for odd ways values to make one of, a length before each
 *	how = 1 + 2 * numbers of its past, which are the values' first bytes
 *
 * What must hold: what is read of a row lies within it, reading comes to an end, and a record that was written is read as it
 * was.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/cluster/cluster_private.h"

#define HEAD 2
#define FIXED (8 + 1 + 2 + 8) /* bytes of a row before its id */
#define FAULTS 2              /* unpriced, unreadable */
#define AFTER_ID (8 + 1 + 8)  /* and between that and what is only searched by */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void within(struct str value, struct str all)
{
	must(value.len == 0 || (value.p >= all.p && value.p + value.len <= all.p + all.len));
}

static void read_rows(const struct catalog_product *product, struct str rows)
{
	struct str rest = rows;
	struct cluster_reader reader = { 0 };
	struct cluster_row row;
	struct record record;
	struct error err;

	for (size_t before = rest.len; cluster_row_read(&rest, &row); before = rest.len) {
		must(rest.len < before && row.direction <= CATALOG_INBOUND);
		within(row.id, rows);
		within(row.line, rows);
		within(row.rest, rows);
		within(row.body, rows);
		if (cluster_row_record(&reader, &row, product, &record, &err) != 0)
			must(err.code == ERROR_CORRUPT);
		else
			for (uint8_t i = 0; i < product->columns_count; i++)
				must(record.values[i].len <= row.line.len + row.rest.len + row.body.len);
	}
	cluster_reader_free(&reader);
}

static void skip_text(struct str *text)
{
	size_t len = 0;

	for (unsigned shift = 0;; shift += 7) {
		uint8_t byte = (uint8_t)*text->p;

		*text = (struct str){ text->p + 1, text->len - 1 };
		len |= (size_t)(byte & 127) << shift;
		if (byte < 128)
			break;
	}
	*text = (struct str){ text->p + len, text->len - len };
}

/* A row as a query answers with it: without the columns that are only searched by. */
static void add_answered(struct buf *out, const struct catalog_product *product, struct str row)
{
	struct str rest = { row.p + FIXED, row.len - FIXED };
	uint64_t values = schema_value_columns(product);
	uint8_t amounts[SCHEMA_AMOUNTS_MAX];
	size_t numbers = 16 * schema_amounts(product, amounts) + FAULTS;

	skip_text(&rest);
	rest = (struct str){ rest.p + AFTER_ID, rest.len - AFTER_ID };
	size_t past = 1 + 8 * (size_t)(uint8_t)*rest.p;
	rest = (struct str){ rest.p + past, rest.len - past };
	buf_add(out, row.p, (size_t)(rest.p - row.p));
	rest = (struct str){ rest.p + 8 * (size_t)product->lookup_count, rest.len - 8 * (size_t)product->lookup_count };
	for (uint8_t i = 0; i < product->columns_count; i++)
		if (values >> i & 1)
			skip_text(&rest);
	rest = (struct str){ rest.p + numbers, rest.len - numbers };
	buf_add_str(out, rest);
	must(!out->failed);
}

static void make_row(const struct catalog_product *product, struct str bytes, size_t past)
{
	struct cluster_row row = {
		.account = 1,
		.direction = bytes.len % 2,
		.version = bytes.len,
		.id = STR_LITERAL("a"),
		.past = { bytes.p, past < bytes.len / 8 ? 8 * past : bytes.len / 8 * 8 },
	};
	struct cluster_row again;
	struct cluster_reader reader = { 0 };
	struct buf whole = { 0 }, answered = { 0 }, scratch = { 0 };
	struct record record, found;
	struct account_key key;
	struct error err;

	record_clear(&record, product);
	for (uint8_t i = 0; i < product->columns_count && bytes.len > 0; i++) {
		size_t len = (uint8_t)bytes.p[0];

		bytes = (struct str){ bytes.p + 1, bytes.len - 1 };
		len = len < bytes.len ? len : bytes.len;
		record.values[i] = (struct str){ bytes.p, len };
		bytes = (struct str){ bytes.p + len, bytes.len - len };
	}
	memset(&key, 0, sizeof(key));
	key.bytes[sizeof(key.bytes) - 1] = 1;
	record_set_account_key(&record, &key);
	cluster_row_write(&whole, &record, &row, &scratch);
	must(!whole.failed);
	add_answered(&answered, product, buf_str(&whole));
	struct str rest = buf_str(&answered);
	must(cluster_row_read(&rest, &again) && rest.len == 0 && again.version == row.version);
	must(str_equal(again.past, row.past));
	must(cluster_row_record(&reader, &again, product, &found, &err) == 0);
	must(record_equal(&record, &found));
	cluster_reader_free(&reader);
	buf_free(&whole);
	buf_free(&answered);
	buf_free(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < HEAD)
		return 0;
	const struct catalog_product *product = &catalog_products[data[1] % catalog_products_count];
	struct str rest = { (const char *)data + HEAD, size - HEAD };

	if (data[0] % 2 == 0)
		read_rows(product, rest);
	else
		make_row(product, rest, data[0] / 2 % (CLUSTER_PAST_NUMBERS + 1));
	return 0;
}
