/* SPDX-License-Identifier: ISC */
/*
 * deflate_private.h: a piece of content as literals and matches; private to deflate/.
 */
#ifndef CDRD_DEFLATE_PRIVATE_H
#define CDRD_DEFLATE_PRIVATE_H

#include "deflate/codes.h"

#define PIECE_MAX 65535 /* positions fit 16 bits, and so does a stored block's length */
#define MATCH_MIN 4
#define LITERALS_SLACK VECTOR /* after the literals, for copies of whole vectors */

#define TABLE_BITS 12
#define NO_VALUE UINT16_MAX
#define VECTOR 32 /* bytes that are compared in one step */

/* Some literals and then what stood `distance` bytes before, `length` bytes of it. */
struct sequence {
	uint16_t literals;
	uint16_t length;
	uint16_t distance;
};

/* A piece of content, parsed: sequences, and the literals of all of them and of the end, one after the other. */
struct piece {
	struct sequence sequences[PIECE_MAX / MATCH_MIN + 1];
	size_t sequences_count;
	uint8_t literals[PIECE_MAX + LITERALS_SLACK];
	size_t literals_len;
};

/* What parsing works in. Values are numbered through the piece. */
struct columns {
	uint16_t ends[PIECE_MAX / 2 + 2];  /* the quote after each value; then the piece's end */
	uint16_t above[PIECE_MAX / 2 + 2]; /* the value of the same column a line before, or NO_VALUE */
	size_t count;
	uint16_t values[1 << TABLE_BITS]; /* by hash of their beginning, the last such value, or 0 */
	uint16_t places[1 << TABLE_BITS]; /* likewise of bytes in long values: where they are, or 0 */
};

/* Finds the sequences of at most PIECE_MAX bytes. Pure, but for the memory in `columns`. */
void deflate_parse(struct columns *columns, const uint8_t *text, size_t len, struct piece *piece);

#endif
