/* SPDX-License-Identifier: ISC */
/*
 * json.c: a record as a JSON object.
 *
 * A value that needs an escape is left to json_quote. The text before a value comes ready-made from the catalog, with a
 * leading comma; the first one's becomes the brace.
 */
#include "base/json.h"

#include "record/copy.h"
#include "record/record.h"

#define AROUND 3 /* bytes of a column besides its name and value: the quote after it, or {} */

/* Makes room for `more` bytes from `at` on, and one; NULL when out of memory. */
static inline char *with_room(struct buf *out, char *at, size_t more)
{
	if ((size_t)(out->data + out->cap - at) > more)
		return at;
	out->len = (size_t)(at - out->data);
	return buf_reserve(out, more + 1) ? out->data + out->len : NULL;
}

/* Writes a value that needs escapes, after its opening quote, and the closing one. NULL when out of memory. */
static char *put_escaped(struct buf *out, char *at, struct str value)
{
	out->len = (size_t)(at - out->data) - 1;
	json_quote(out, value);
	return out->failed ? NULL : out->data + out->len;
}

static char *put_raw(char *at, struct str value)
{
	return copy_bytes(at, value.len > 0 ? value : STR_LITERAL("{}"));
}

/* NULL when out of memory. */
static inline char *put_column(struct buf *out, char *at, const struct catalog_column *column, struct str value)
{
	at = with_room(out, at, column->json_before.len + value.len + AROUND);
	if (!at)
		return NULL;
	at = copy_bytes(at, column->json_before);
	if (column->kind == CATALOG_JSON)
		return put_raw(at, value);
	if (!copy_value(at, value, COPY_JSON))
		return put_escaped(out, at, value);
	at += value.len;
	*at = '"';
	return at + 1;
}

void record_write_json_columns(struct buf *out, const struct record *record, uint64_t columns)
{
	size_t begin = out->len;
	char *at;

	if (!buf_reserve(out, AROUND))
		return;
	at = out->data + begin;
	for (uint64_t left = columns; left != 0; left &= left - 1) {
		int i = __builtin_ctzll(left);

		at = put_column(out, at, &record->product->columns[i], record->values[i]);
		if (!at)
			return;
	}
	if (columns == 0)
		at++;
	at = with_room(out, at, 1);
	if (!at)
		return;
	out->data[begin] = '{';
	*at++ = '}';
	out->len = (size_t)(at - out->data);
}

void record_write_json(struct buf *out, const struct record *record, const struct record_view *view)
{
	record_write_json_columns(out, record, record_view_columns(record->product, view));
}

void record_write_raw_json(struct buf *out, const struct record *record)
{
	const struct catalog_product *product = record->product;
	struct json json = json_to(out);

	json_object_begin(&json);
	json_member_str(&json, "product", product->name);
	for (uint8_t i = 0; i < product->columns_count; i++) {
		if (!record->values[i].p)
			continue;
		json_key_str(&json, product->columns[i].name);
		/* as text also where it is JSON: ingest takes either, and text cannot break the object */
		json_str(&json, record->values[i]);
	}
	json_object_end(&json);
}
