/* SPDX-License-Identifier: ISC */
/*
 * pieces.h: the fields of a record as it was sent, as far as they can be separated.
 *
 * For records that no parser takes: what is wrong with a value, nan or a byte that is no UTF-8, does not keep the
 * others from being found. JSON objects, lines of CSV under their header, and msgpack maps have fields;
 * the rows of a mapping have none here.
 */
#ifndef CDRD_RECORD_PIECES_H
#define CDRD_RECORD_PIECES_H

#include "record/parse.h"

struct piece {
	struct str name;  /* as it was sent, without quotes; empty for a key of msgpack that is no text */
	struct str whole; /* the member, cell or pair */
	struct str value; /* of it */
};

/* Calls fn for each, in order. False, after some of them perhaps, when the record cannot be split. */
typedef void (*pieces_fn)(void *arg, const struct piece *piece);
bool pieces_each(enum parse_format format, struct str header, struct str raw, pieces_fn fn, void *arg);

/* The texts of the fields called `names`, `count` of them, into `values`; empty where there is none. Keeps what it
 * found before the point where the record cannot be split. */
void pieces_find(enum parse_format format, struct str header, struct str raw, const struct str *names, size_t count,
                 struct str *values);

#endif
