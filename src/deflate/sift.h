/* SPDX-License-Identifier: ISC */
/*
 * sift.h: parts of a text that is compressed, compressed as they were.
 *
 * To leave some lines out of a segment, nothing has to be compressed again: the codes of its blocks will do for what
 * stays, and most of what stays is copied bit by bit. Only the matches that reach back over what is left out change.
 *
 *	sift = deflate_sift_new();
 *	if (deflate_sift_read(sift, compressed, text, len))
 *		if (deflate_sift_write(sift, pieces, count, &out)) ...
 */
#ifndef CDRD_DEFLATE_SIFT_H
#define CDRD_DEFLATE_SIFT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

#define DEFLATE_SIFT_TEXT_MAX ((size_t)128 << 10)
#define DEFLATE_SIFT_SLACK 320 /* room after a text that is read */
#define DEFLATE_SIFT_PIECES_MAX 64

struct deflate_sift;

/* The working memory, 1 MiB of which a usual segment touches a tenth; reusable. NULL when out of memory. */
struct deflate_sift *deflate_sift_new(void);

void deflate_sift_free(struct deflate_sift *sift);

/*
 * Inflates what deflate_add() has made of `len` bytes into `text`, which has room for DEFLATE_SIFT_SLACK more, and keeps how
 * they are compressed. Any bytes may be given. False where they are not `len` bytes of raw deflate that end on an empty
 * stored block, or of a kind that is not taken on: too long, stored, of many blocks or with an incomplete code.
 */
bool deflate_sift_read(struct deflate_sift *sift, struct str compressed, char *text, size_t len);

/*
 * Appends the raw deflate of the pieces, which are parts of the text that was read last, in its order, at most
 * DEFLATE_SIFT_PIECES_MAX, with other bytes between any two. As of deflate_add: it ends on an empty stored block at a whole byte.
 * False when out of memory, or where a block has no code for a byte that stays; `out` is then as before, but may have failed.
 */
bool deflate_sift_write(struct deflate_sift *sift, const struct str *pieces, size_t count, struct buf *out);

#endif
