/* SPDX-License-Identifier: ISC */
/*
 * pack.c: the stored row, in the part of msgpack that it needs (github.com/msgpack/msgpack, spec.md):
 *
 *	array     9n, or dc and the count in 2 bytes      n + 1 of them: changed_seq and n values
 *	uint      00..7f, or cc cd ce cf and 1 2 4 8 bytes
 *	str       a0..bf with the length in 5 bits, or d9 da db and the length in 1 2 4 bytes
 *	nil       c0                                      an absent value
 *
 * Integers are big-endian. By hand rather than with msgpack-c: a row is written and read for every record that passes
 * through the daemon, and what a reader of exactly this accepts can be seen on one screen. Any other byte, an end in
 * the middle and bytes after the end are ERROR_CORRUPT.
 */
#include <endian.h>

#include "record/copy.h"
#include "record/record.h"

enum {
	FIXARRAY = 0x90,
	FIXARRAY_MAX = 15,
	FIXSTR = 0xa0,
	FIXSTR_MAX = 31,
	NIL = 0xc0,
	UINT_8 = 0xcc,
	UINT_16 = 0xcd,
	UINT_32 = 0xce,
	UINT_64 = 0xcf,
	STR_8 = 0xd9,
	STR_16 = 0xda,
	STR_32 = 0xdb,
	ARRAY_16 = 0xdc,
};

#define FIXINT_MAX 0x7f
#define HEAD_MAX 12 /* bytes of the array's and changed_seq's */
#define STR_HEAD_MAX 5

/* --- writing: there is room --- */

static inline char *put_8(char *at, uint64_t value)
{
	*at = (char)value;
	return at + 1;
}

static inline char *put_16(char *at, uint64_t value)
{
	uint16_t big = htobe16((uint16_t)value);

	memcpy(at, &big, sizeof(big));
	return at + sizeof(big);
}

static inline char *put_32(char *at, uint64_t value)
{
	uint32_t big = htobe32((uint32_t)value);

	memcpy(at, &big, sizeof(big));
	return at + sizeof(big);
}

static inline char *put_64(char *at, uint64_t value)
{
	uint64_t big = htobe64(value);

	memcpy(at, &big, sizeof(big));
	return at + sizeof(big);
}

static char *put_array_head(char *at, size_t count)
{
	if (count <= FIXARRAY_MAX)
		return put_8(at, FIXARRAY | count);
	return put_16(put_8(at, ARRAY_16), count);
}

static char *put_uint(char *at, uint64_t value)
{
	if (value <= FIXINT_MAX)
		return put_8(at, value);
	if (value <= UINT8_MAX)
		return put_8(put_8(at, UINT_8), value);
	if (value <= UINT16_MAX)
		return put_16(put_8(at, UINT_16), value);
	if (value <= UINT32_MAX)
		return put_32(put_8(at, UINT_32), value);
	return put_64(put_8(at, UINT_64), value);
}

static char *put_long_str_head(char *at, size_t len)
{
	if (len <= UINT8_MAX)
		return put_8(put_8(at, STR_8), len);
	if (len <= UINT16_MAX)
		return put_16(put_8(at, STR_16), len);
	return put_32(put_8(at, STR_32), len);
}

static inline char *put_value(char *at, struct str value)
{
	if (!value.p)
		return put_8(at, NIL);
	if (value.len <= FIXSTR_MAX)
		at = put_8(at, FIXSTR | value.len);
	else
		at = put_long_str_head(at, value.len);
	return copy_bytes(at, value);
}

/* How many values stand in the row, and the most bytes that it needs. */
static uint8_t measure(const struct record *record, size_t *room)
{
	uint8_t count = record->product->columns_count;

	while (count > 0 && !record->values[count - 1].p)
		count--;
	*room = HEAD_MAX;
	for (uint8_t i = 0; i < count; i++)
		*room += STR_HEAD_MAX + record->values[i].len;
	return count;
}

void record_pack(struct buf *out, const struct record *record, uint64_t changed_seq)
{
	size_t room;
	uint8_t count = measure(record, &room);
	char *at;

	if (room > UINT32_MAX) /* no value of that length is ever accepted */
		out->failed = true;
	if (!buf_reserve(out, room))
		return;
	at = put_array_head(out->data + out->len, 1U + count);
	at = put_uint(at, changed_seq);
	for (uint8_t i = 0; i < count; i++)
		at = put_value(at, record->values[i]);
	out->len = (size_t)(at - out->data);
}

/* --- reading --- */

struct reader {
	const char *at;
	const char *end;
};

static inline size_t left_of(const struct reader *reader)
{
	return (size_t)(reader->end - reader->at);
}

/* The next `bytes` (1, 2, 4 or 8) as a number; false if the row ends before. */
static bool get_number(struct reader *reader, size_t bytes, uint64_t *value)
{
	if (left_of(reader) < bytes)
		return false;
	*value = 0;
	for (size_t i = 0; i < bytes; i++)
		*value = *value << 8 | (unsigned char)*reader->at++;
	return true;
}

static bool get_array_head(struct reader *reader, uint64_t *count)
{
	uint64_t head;

	if (!get_number(reader, 1, &head))
		return false;
	if (head == ARRAY_16)
		return get_number(reader, 2, count);
	*count = head & FIXARRAY_MAX;
	return (head & ~(uint64_t)FIXARRAY_MAX) == FIXARRAY;
}

static bool get_uint(struct reader *reader, uint64_t *value)
{
	uint64_t head;

	if (!get_number(reader, 1, &head))
		return false;
	if (head >= UINT_8 && head <= UINT_64)
		return get_number(reader, (size_t)1 << (head - UINT_8), value);
	*value = head;
	return head <= FIXINT_MAX;
}

/* Of a head that is no fixstr. */
static bool get_long_value(struct reader *reader, unsigned char head, struct str *value)
{
	uint64_t len;

	if (head == NIL) {
		*value = (struct str){ NULL, 0 };
		return true;
	}
	if (head < STR_8 || head > STR_32 || !get_number(reader, (size_t)1 << (head - STR_8), &len) ||
	    left_of(reader) < len)
		return false;
	*value = (struct str){ reader->at, (size_t)len };
	reader->at += len;
	return true;
}

static inline bool get_value(struct reader *reader, struct str *value)
{
	unsigned char head;
	size_t len;

	if (reader->at == reader->end)
		return false;
	head = (unsigned char)*reader->at++;
	len = head & FIXSTR_MAX;
	if ((head & ~FIXSTR_MAX) != FIXSTR)
		return get_long_value(reader, head, value);
	if (left_of(reader) < len)
		return false;
	*value = (struct str){ reader->at, len };
	reader->at += len;
	return true;
}

static int corrupt(const struct catalog_product *product, const char *what, struct error *err)
{
	return error_set(err, ERROR_CORRUPT, "row of %.*s: %s", STR_ARGS(product->name), what);
}

bool record_changed_seq(struct str row, uint64_t *changed_seq)
{
	struct reader reader = { row.p, row.len > 0 ? row.p + row.len : row.p };
	uint64_t count;

	return get_array_head(&reader, &count) && count > 0 && get_uint(&reader, changed_seq);
}

int record_unpack(struct record *record, const struct catalog_product *product, struct str row, uint64_t *changed_seq,
                  struct error *err)
{
	struct reader reader = { row.p, row.len > 0 ? row.p + row.len : row.p };
	uint64_t count;

	if (!get_array_head(&reader, &count))
		return corrupt(product, "not an array", err);
	if (count == 0 || !get_uint(&reader, changed_seq))
		return corrupt(product, "the number of the change is missing", err);
	if (--count > product->columns_count)
		return error_set(err, ERROR_CORRUPT, "row of %.*s: %u values, the product has %u columns",
		                 STR_ARGS(product->name), (unsigned)count, (unsigned)product->columns_count);
	record->product = product;
	record->account_number = 0;
	for (size_t i = 0; i < count; i++)
		if (!get_value(&reader, &record->values[i]))
			return error_set(err, ERROR_CORRUPT, "row of %.*s: %s is neither text nor nil, or cut short",
			                 STR_ARGS(product->name), product->columns[i].name.p);
	for (uint8_t i = (uint8_t)count; i < product->columns_count; i++)
		record->values[i] = (struct str){ NULL, 0 };
	if (reader.at != reader.end)
		return corrupt(product, "bytes after its end", err);
	return 0;
}
