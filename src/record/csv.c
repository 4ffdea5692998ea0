/* SPDX-License-Identifier: ISC */
/*
 * csv.c: a record as a line of a report file (RFC 4180, but every value quoted and lines that end with LF):
 *
 *	"account_id","message_id",...
 *	"abcd1234","0b4a5a6e-...",...
 *
 * Room for the whole line is made once, for the usual case that no value has a quote; one that has is written another
 * way, and then there must be room for the rest again.
 */
#include "record/copy.h"
#include "record/record.h"

#define AROUND 3 /* bytes besides a value: its quotes, and the comma or LF after it */

static size_t room_for(const struct record *record, uint64_t columns)
{
	size_t room = 0;

	for (; columns != 0; columns &= columns - 1)
		room += record->values[__builtin_ctzll(columns)].len + AROUND;
	return room + 1;
}

/* Writes a value with its quotes doubled and makes `room` again; NULL when out of memory. */
static char *put_doubled(struct buf *out, char *at, struct str value, size_t room)
{
	size_t from = 0;

	out->len = (size_t)(at - out->data);
	while (from < value.len) {
		const char *quote = memchr(value.p + from, '"', value.len - from);
		size_t end = quote ? (size_t)(quote - value.p) + 1 : value.len;

		buf_add(out, value.p + from, end - from);
		if (quote)
			buf_add_char(out, '"');
		from = end;
	}
	return buf_reserve(out, room) ? out->data + out->len : NULL;
}

/* Writes a value in quotes; `room` is what must be free after it. NULL when out of memory. */
COPY_INLINE char *put_value(struct buf *out, char *at, struct str value, size_t room)
{
	*at++ = '"';
	if (copy_value(at, value, COPY_CSV))
		at += value.len;
	else if (!(at = put_doubled(out, at, value, room)))
		return NULL;
	*at++ = '"';
	return at;
}

void record_write_csv_value(struct buf *out, struct str value)
{
	char *at = buf_reserve(out, value.len + AROUND) ? out->data + out->len : NULL;

	if (at)
		at = put_value(out, at, value, AROUND);
	if (at)
		out->len = (size_t)(at - out->data);
}

bool record_write_csv(struct buf *out, const struct record *record, const struct record_view *view)
{
	uint64_t columns = record_view_columns(record->product, view);
	size_t room = room_for(record, columns), begin = out->len;
	char *at;

	if (!buf_reserve(out, room))
		return false;
	at = out->data + out->len;
	for (uint64_t left = columns; left != 0; left &= left - 1) {
		at = put_value(out, at, record->values[__builtin_ctzll(left)], room);
		if (!at)
			return false;
		*at++ = ',';
	}
	if (columns == 0)
		at++;
	at[-1] = '\n'; /* in place of the last comma */
	out->len = (size_t)(at - out->data);
	return columns == 0 || out->len - begin == room - 1;
}

void record_write_csv_header(struct buf *out, const struct catalog_product *product, const struct record_view *view)
{
	struct record names = { .product = product };

	for (uint8_t i = 0; i < product->columns_count; i++)
		names.values[i] = product->columns[i].name;
	(void)record_write_csv(out, &names, view);
}
