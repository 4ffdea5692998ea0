/* SPDX-License-Identifier: ISC */
/*
 * deflate.h: CSV lines to raw deflate (RFC 1951).
 *
 * Blocks of the store are lines of quoted values in columns. A general compressor has to find out that a line resembles
 * the one above it; this one knows. On SMS records its output is a tenth smaller than that of ISA-L's level 1, takes a
 * tenth more time to make and a fifth less to inflate (docs/DESIGN.md has the figures). The same content always gives
 * the same bytes. Other text is compressed too, if not as well.
 */
#ifndef CDRD_DEFLATE_DEFLATE_H
#define CDRD_DEFLATE_DEFLATE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

struct deflate;

/* The working memory of a compression, some 310 KiB, reusable. NULL when out of memory. */
struct deflate *deflate_new(void);

void deflate_free(struct deflate *deflate);

/*
 * Appends the content's raw deflate: blocks of which none is the last, without history, and then an empty stored block
 * (00 00 FF FF at a whole byte), so that several can be concatenated. False when out of memory; `out` is then as
 * before, but failed.
 */
bool deflate_add(struct deflate *deflate, struct str content, struct buf *out);

/* As deflate_add, in stored blocks: a little larger than the content. False when out of memory; `out` has then
 * failed. */
bool deflate_add_stored(struct str content, struct buf *out);

#endif
