/* SPDX-License-Identifier: ISC */
/*
 * parquet_thrift.c: see parquet_thrift.h.
 */
#include "parquet/parquet_thrift.h"

#define SHORT_MAX 15 /* deltas of ids up to it, sizes of lists below it */
#define DEPTH_MAX 16 /* of what is skipped */

static uint64_t zigzag(int64_t number)
{
	return (uint64_t)number << 1 ^ (number < 0 ? UINT64_MAX : 0);
}

void thrift_put_varint(struct buf *out, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		buf_add_char(out, (char)(number | 0x80));
	buf_add_char(out, (char)number);
}

static void put_field(struct thrift_writer *w, int id, enum thrift_type type)
{
	int delta = id - w->last;

	if (delta > 0 && delta <= SHORT_MAX) {
		buf_add_char(w->out, (char)(delta << 4 | (int)type));
	} else {
		buf_add_char(w->out, (char)type);
		thrift_put_varint(w->out, zigzag(id));
	}
	w->last = id;
}

void thrift_bool(struct thrift_writer *w, int id, bool value)
{
	put_field(w, id, value ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift_byte(struct thrift_writer *w, int id, int8_t value)
{
	put_field(w, id, THRIFT_BYTE);
	buf_add_char(w->out, (char)value);
}

void thrift_i32(struct thrift_writer *w, int id, int32_t value)
{
	put_field(w, id, THRIFT_I32);
	thrift_put_varint(w->out, zigzag(value));
}

void thrift_i64(struct thrift_writer *w, int id, int64_t value)
{
	put_field(w, id, THRIFT_I64);
	thrift_put_varint(w->out, zigzag(value));
}

void thrift_binary(struct thrift_writer *w, int id, struct str value)
{
	put_field(w, id, THRIFT_BINARY);
	thrift_element_binary(w, value);
}

void thrift_list(struct thrift_writer *w, int id, enum thrift_type type, size_t count)
{
	put_field(w, id, THRIFT_LIST);
	if (count < SHORT_MAX) {
		buf_add_char(w->out, (char)(count << 4 | (size_t)type));
	} else {
		buf_add_char(w->out, (char)(SHORT_MAX << 4 | (int)type));
		thrift_put_varint(w->out, count);
	}
}

void thrift_element_i32(struct thrift_writer *w, int32_t value)
{
	thrift_put_varint(w->out, zigzag(value));
}

void thrift_element_binary(struct thrift_writer *w, struct str value)
{
	thrift_put_varint(w->out, value.len);
	buf_add_str(w->out, value);
}

struct thrift_writer thrift_begin(struct thrift_writer *w, int id)
{
	if (id > 0)
		put_field(w, id, THRIFT_STRUCT);
	return (struct thrift_writer){ w->out, 0 };
}

void thrift_end(struct thrift_writer *w)
{
	buf_add_char(w->out, (char)THRIFT_STOP);
}

/* --- reading --- */

static uint8_t read_byte(struct thrift_reader *r)
{
	if (r->p >= r->end) {
		r->bad = true;
		return 0;
	}
	return (uint8_t)*r->p++;
}

static uint64_t read_varint(struct thrift_reader *r)
{
	uint64_t number = 0;

	for (int shift = 0; shift < 64; shift += 7) {
		uint8_t byte = read_byte(r);

		number |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return number;
	}
	r->bad = true;
	return 0;
}

static int64_t read_zigzag(struct thrift_reader *r)
{
	uint64_t number = read_varint(r);

	return (int64_t)(number >> 1 ^ (0 - (number & 1)));
}

bool thrift_next(struct thrift_reader *r)
{
	uint8_t byte = read_byte(r);

	r->type = (enum thrift_type)(byte & 0xf);
	if (r->bad || r->type == THRIFT_STOP)
		return false;
	r->id = byte >> 4 ? r->id + (byte >> 4) : (int)(int16_t)read_zigzag(r);
	return !r->bad;
}

int64_t thrift_int(struct thrift_reader *r)
{
	switch (r->type) {
	case THRIFT_I16:
	case THRIFT_I32:
	case THRIFT_I64:
		return read_zigzag(r);
	default:
		r->bad = true;
		return 0;
	}
}

int thrift_enter(struct thrift_reader *r)
{
	int id = r->id;

	if (r->type != THRIFT_STRUCT)
		r->bad = true;
	r->id = 0;
	return id;
}

void thrift_leave(struct thrift_reader *r, int entered)
{
	r->id = entered;
}

static void skip_bytes(struct thrift_reader *r, uint64_t count)
{
	if (count > (uint64_t)(r->end - r->p))
		r->bad = true;
	else
		r->p += count;
}

static void skip_value(struct thrift_reader *r, enum thrift_type type, int depth);

static void skip_struct(struct thrift_reader *r, int depth)
{
	int id = r->id;

	r->id = 0;
	while (thrift_next(r))
		skip_value(r, r->type, depth + 1);
	r->id = id;
}

static void skip_list(struct thrift_reader *r, int depth)
{
	uint8_t byte = read_byte(r);
	uint64_t count = byte >> 4 == SHORT_MAX ? read_varint(r) : byte >> 4;
	enum thrift_type type = (enum thrift_type)(byte & 0xf);

	for (uint64_t i = 0; i < count && !r->bad; i++) {
		if (type == THRIFT_TRUE || type == THRIFT_FALSE)
			skip_bytes(r, 1);
		else
			skip_value(r, type, depth + 1);
	}
}

static void skip_value(struct thrift_reader *r, enum thrift_type type, int depth)
{
	if (depth > DEPTH_MAX)
		r->bad = true;
	if (r->bad)
		return;
	switch (type) {
	case THRIFT_TRUE:
	case THRIFT_FALSE:
		return;
	case THRIFT_BYTE:
		skip_bytes(r, 1);
		return;
	case THRIFT_I16:
	case THRIFT_I32:
	case THRIFT_I64:
		(void)read_varint(r);
		return;
	case THRIFT_DOUBLE:
		skip_bytes(r, 8);
		return;
	case THRIFT_BINARY:
		skip_bytes(r, read_varint(r));
		return;
	case THRIFT_LIST:
	case THRIFT_SET:
		skip_list(r, depth);
		return;
	case THRIFT_STRUCT:
		skip_struct(r, depth);
		return;
	default: /* maps: Parquet's headers have none */
		r->bad = true;
	}
}

void thrift_skip(struct thrift_reader *r)
{
	skip_value(r, r->type, 0);
}
