/* SPDX-License-Identifier: ISC */
/*
 * deflate.h: CSV lines to raw deflate (RFC 1951).
 *
 * Blocks of the store are lines of quoted values in columns. A general compressor has to find out that a line resembles
 * the one above it; this one knows. On SMS records it makes a tenth less than ISA-L's level 1 in a tenth more time, and
 * that is inflated in a fifth less (docs/DESIGN.md has the figures). The same content always becomes the same bytes.
 * Other text is compressed too, if not as well.
 */
#ifndef CDRD_DEFLATE_DEFLATE_H
#define CDRD_DEFLATE_DEFLATE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

struct deflate;

/* What a compression works in, some 310 KiB, to be used again and again. NULL when memory is out. */
struct deflate *deflate_new(void);

void deflate_free(struct deflate *deflate);

/*
 * Appends the content's raw deflate: blocks of which none is the last, without history, and then an empty stored block
 * (00 00 FF FF at a whole byte), so that several can be laid end to end. False when memory is out; `out` is as before
 * then, but failed.
 */
bool deflate_add(struct deflate *deflate, struct str content, struct buf *out);

/* As deflate_add, in stored blocks: a little larger than the content. False when memory is out; `out` has failed then. */
bool deflate_add_stored(struct str content, struct buf *out);

#endif
