/* SPDX-License-Identifier: ISC */
/*
 * parse_msgpack_token.h: reading msgpack, a value's head at a time, and writing it as JSON; private to record/.
 *
 * A head is the first byte, then big-endian bytes whose number the first byte tells:
 *
 *	00-7f, e0-ff   the number itself     c0, c2, c3  nil, false, true      cc-cf, d0-d3  uint, int of 1 to 8 bytes
 *	80-8f, de, df  map of n pairs        ca, cb      float of 4, 8 bytes   a0-bf, d9-db  str of n bytes
 *	90-9f, dc, dd  array of n values     c4-c6       bin of n bytes        d4-d8, c7-c9  ext: a type and n bytes
 *
 * https://github.com/msgpack/msgpack/blob/master/spec.md
 */
#ifndef CDRD_RECORD_PARSE_MSGPACK_TOKEN_H
#define CDRD_RECORD_PARSE_MSGPACK_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum msgpack_type {
	MSGPACK_INVALID, /* c1 */
	MSGPACK_NIL,
	MSGPACK_BOOLEAN,
	MSGPACK_UINT,
	MSGPACK_INT, /* negative, or written as signed */
	MSGPACK_FLOAT32,
	MSGPACK_FLOAT64,
	MSGPACK_STR,
	MSGPACK_BIN,
	MSGPACK_EXT,
	MSGPACK_ARRAY,
	MSGPACK_MAP,
};

struct msgpack_token {
	enum msgpack_type type;
	/* Bits of a number; bytes of a str, bin or ext (with its type); values of an array, pairs of a map. */
	uint64_t number;
};

/* What a first byte says: the type, and how many bytes of a number (0: `number` is in the byte itself) follow. */
struct msgpack_token msgpack_first(unsigned char byte, unsigned *number_bytes);

/* Reads a head and returns its end, after the bytes of a str, bin or ext; NULL if it is cut or MSGPACK_INVALID. */
const char *msgpack_read(const char *p, const char *end, struct msgpack_token *token);

/* The end of the value at p, whatever is nested in it; NULL if it is cut or invalid. */
const char *msgpack_skip(const char *p, const char *end);

/* Appends a number, boolean or float (finite) as its shortest exact decimal text, without exponent; at most
 * MSGPACK_NUMBER_MAX bytes. */
#define MSGPACK_NUMBER_MAX 352
void msgpack_write_number(struct buf *out, const struct msgpack_token *token);

/* Is it not a float, or a finite one? */
bool msgpack_is_finite(const struct msgpack_token *token);

/*
 * Appends the value at p as JSON; returns its end, or NULL with what there was if it is cut. Keys that are no text are
 * written as text, as are bin and ext (bytes that are not UTF-8 replaced); what is nested deeper than `depth_max`
 * levels and numbers that are not finite are null.
 */
const char *msgpack_write_json(struct buf *out, const char *p, const char *end, int depth_max);

/* How deep the value at p is nested: 0 for a scalar; stops counting above `most`. */
int msgpack_depth(const char *p, const char *end, int most);

#endif
