/*
 * json.c: a record as a JSON object.
 *
 * Room for the whole object is made once, for the usual case that no value needs an escape; one that does is left to
 * json_quote, and then there must be room for the rest again. What stands before a value comes ready from the
 * catalogue, with a comma in front; that of the first becomes the brace.
 */
#include "base/json.h"

#include "record/copy.h"
#include "record/record.h"

#define AROUND_MAX 3 /* bytes of a column besides its name and value: the quote behind it, or {} */

static size_t room_for(const struct record *record, uint64_t columns)
{
	size_t room = AROUND_MAX;

	for (; columns != 0; columns &= columns - 1) {
		int i = __builtin_ctzll(columns);

		room += record->product->columns[i].json_before.len + record->values[i].len + AROUND_MAX;
	}
	return room;
}

/*
 * Writes a value behind its opening quote, with the closing one, in the way that may need more room; makes `room` anew.
 * NULL when there is none.
 */
static char *put_escaped(struct buf *out, char *at, struct str value, size_t room)
{
	out->len = (size_t)(at - out->data) - 1;
	json_quote(out, value);
	return buf_reserve(out, room) ? out->data + out->len : NULL;
}

static char *put_raw(char *at, struct str value)
{
	return copy_bytes(at, value.len > 0 ? value : STR_LITERAL("{}"));
}

/* NULL when out of memory. */
static inline char *put_column(struct buf *out, char *at, const struct catalog_column *column, struct str value,
                               size_t room)
{
	at = copy_bytes(at, column->json_before);
	if (column->kind == CATALOG_JSON)
		return put_raw(at, value);
	if (!copy_value(at, value, copy_json_odd))
		return put_escaped(out, at, value, room);
	at += value.len;
	*at = '"';
	return at + 1;
}

void record_write_json(struct buf *out, const struct record *record, const struct record_view *view)
{
	uint64_t columns = record_view_columns(record->product, view);
	size_t room = room_for(record, columns);
	size_t begin = out->len;
	char *at;

	if (!buf_reserve(out, room))
		return;
	at = out->data + begin;
	for (uint64_t left = columns; left != 0; left &= left - 1) {
		int i = __builtin_ctzll(left);

		at = put_column(out, at, &record->product->columns[i], record->values[i], room);
		if (!at)
			return;
	}
	if (columns == 0)
		at++;
	out->data[begin] = '{';
	*at++ = '}';
	out->len = (size_t)(at - out->data);
}

void record_write_raw_json(struct buf *out, const struct record *record)
{
	const struct catalog_product *product = record->product;
	struct json json = json_to(out);

	json_object_begin(&json);
	json_key(&json, "product");
	json_str(&json, product->name);
	for (uint8_t i = 0; i < product->columns_count; i++) {
		if (!record->values[i].p)
			continue;
		json_key_str(&json, product->columns[i].name);
		/* as text also where it is JSON: ingest takes either, and text cannot break the object */
		json_str(&json, record->values[i]);
	}
	json_object_end(&json);
}
