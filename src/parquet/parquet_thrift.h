/* SPDX-License-Identifier: ISC */
/*
 * parquet_thrift.h: the compact protocol of Apache Thrift, as much of it as Parquet's metadata needs; private to
 * parquet/. Pure.
 *
 *	field    one byte: (id - last id) << 4 | type, or 0 << 4 | type and the id as zigzag varint; its value
 *	i32, i64 zigzag varint
 *	binary   length as varint, bytes
 *	bool     in the field's type
 *	list     size << 4 | type of the elements, or 15 << 4 | type and the size as varint; the elements
 *	struct   its fields, 0
 *
 * Source: "Thrift Compact protocol encoding" in Thrift's doc/specs.
 */
#ifndef CDRD_PARQUET_PARQUET_THRIFT_H
#define CDRD_PARQUET_PARQUET_THRIFT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

enum thrift_type {
	THRIFT_STOP = 0,
	THRIFT_TRUE = 1,
	THRIFT_FALSE = 2,
	THRIFT_BYTE = 3,
	THRIFT_I16 = 4,
	THRIFT_I32 = 5,
	THRIFT_I64 = 6,
	THRIFT_DOUBLE = 7,
	THRIFT_BINARY = 8,
	THRIFT_LIST = 9,
	THRIFT_SET = 10,
	THRIFT_MAP = 11,
	THRIFT_STRUCT = 12,
};

/* --- writing: check out->failed at the end --- */

/* Begins as { out }, which is in a struct of its own. Ids must ascend. */
struct thrift_writer {
	struct buf *out;
	int last; /* id of the field before */
};

void thrift_put_varint(struct buf *out, uint64_t number);

void thrift_bool(struct thrift_writer *w, int id, bool value);
void thrift_byte(struct thrift_writer *w, int id, int8_t value);
void thrift_i32(struct thrift_writer *w, int id, int32_t value);
void thrift_i64(struct thrift_writer *w, int id, int64_t value);
void thrift_binary(struct thrift_writer *w, int id, struct str value);

/* As many elements must follow: nested structs, or those below. */
void thrift_list(struct thrift_writer *w, int id, enum thrift_type type, size_t count);
void thrift_element_i32(struct thrift_writer *w, int32_t value);
void thrift_element_binary(struct thrift_writer *w, struct str value);

/* A struct as a field, or as an element where the id is 0: its fields go to what is returned, until thrift_end. */
struct thrift_writer thrift_begin(struct thrift_writer *w, int id);
void thrift_end(struct thrift_writer *w);

/* --- reading --- */

/* A reader of a struct's fields. `bad` stays set: what follows reads as nothing. */
struct thrift_reader {
	const char *p, *end;
	int id; /* of the field read last */
	enum thrift_type type;
	bool bad;
};

/* Goes to the next field; false at the end of the struct. */
bool thrift_next(struct thrift_reader *r);

/* The value of the field, which must be of such a type; thrift_skip for one that nobody wants. */
int64_t thrift_int(struct thrift_reader *r);
void thrift_skip(struct thrift_reader *r);

/* Of a field of type THRIFT_STRUCT: call thrift_next for its fields, to the end, and then thrift_leave(r, this). */
int thrift_enter(struct thrift_reader *r);
void thrift_leave(struct thrift_reader *r, int entered);

#endif
