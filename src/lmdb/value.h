/* SPDX-License-Identifier: ISC */
/*
 * value.h: the values of the catalog environment as msgpack.
 *
 * A value is one flat array whose first element is the version of its layout. A reader refuses a version that it does
 * not know and any element that is not of the type asked for; it says so once, at the end, so that a row can be read
 * from top to bottom without a check a line.
 *
 *	struct value_writer w;                        struct value_reader r;
 *	value_begin(&w, &buf, 1, 2);                  value_open(&r, bytes, 1);
 *	value_put_int(&w, row->created_us);           row->created_us = value_int(&r);
 *	value_put_str(&w, row->name);                 row->name = value_str(&r);
 *	                                              if (!value_close(&r)) ...
 */
#ifndef CDRD_LMDB_VALUE_H
#define CDRD_LMDB_VALUE_H

#include <msgpack.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

struct value_writer {
	msgpack_packer packer;
};

/* Begins an array of the version and `count` elements after it. Check out->failed when all are put. */
void value_begin(struct value_writer *w, struct buf *out, int version, size_t count);
void value_put_int(struct value_writer *w, int64_t number);
void value_put_str(struct value_writer *w, struct str text);
void value_put_bytes(struct value_writer *w, struct str bytes); /* what need not be UTF-8 */

struct value_reader {
	msgpack_zone zone;
	const msgpack_object *next;
	uint32_t left;
	bool bad;
	bool no_memory;
};

/* Reads borrow from `bytes`. Every open is followed by a close. */
void value_open(struct value_reader *r, struct str bytes, int version);

/* The next element; 0, or the empty text, when it is not a number within the bounds, or not a text of the length. */
int64_t value_int(struct value_reader *r, int64_t min, int64_t max);
struct str value_str(struct value_reader *r, size_t len_min, size_t len_max);

/* The next element as value_str() has it, copied into `out`, which is zeroed and longer than `len_max`. */
void value_text(struct value_reader *r, char *out, size_t len_min, size_t len_max);

/* The elements that are left; 0 once anything was not valid. */
uint32_t value_left(const struct value_reader *r);

/* Was everything that was read present and valid? */
bool value_close(struct value_reader *r);

/* After a close that returned false: ERROR_CORRUPT, or ERROR_NOMEM where memory ran out, which says nothing about the
 * value. */
enum error_code value_error(const struct value_reader *r);

#endif
