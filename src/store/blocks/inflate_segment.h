/* SPDX-License-Identifier: ISC */
/*
 * inflate_segment.h: inflates a segment's lines; private to store/blocks/.
 */
#ifndef CDRD_STORE_BLOCKS_INFLATE_SEGMENT_H
#define CDRD_STORE_BLOCKS_INFLATE_SEGMENT_H

#include "base/str.h"

struct inflate_state;

/* The working memory of inflating, for the caller to free(); NULL when out of memory. */
struct inflate_state *inflate_segment_new(void);

/* Inflates the first `len` bytes of a segment into `out`. Returns how many there were, at most `len`, and in *left the
 * compressed bytes that were not used. Only a checksum or a comparison can tell whether the bytes are right. */
size_t inflate_segment(struct inflate_state *state, struct str compressed, char *out, size_t len, size_t *left);

#endif
