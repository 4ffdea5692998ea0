/* SPDX-License-Identifier: ISC */
/*
 * read_back.h: does a block still hold what it was made from? Private to store/blocks/.
 *
 * Once a block is stored, what it was made from goes. So each part that is encoded is decoded again first, the way that
 * readers do it, and compared with the original. Checksums cannot tell: they cover what the encoder made.
 */
#ifndef CDRD_STORE_BLOCKS_READ_BACK_H
#define CDRD_STORE_BLOCKS_READ_BACK_H

#include "base/buf.h"
#include "store/blocks/block.h"

struct inflate_state;

/* Memory to decode into, some 300 KiB, used again and again. Zeroed at first. */
struct read_back {
	struct inflate_state *inflate;
	struct ZSTD_DCtx_s *zstd;
	struct buf text;
	struct position positions[SEGMENT_ROWS];
};

/* What was found. */
enum read_back_result { READ_BACK_SAME, READ_BACK_DIFFERENT, READ_BACK_NOMEM };

/* A segment's compressed bytes: exactly its lines, and an end to which others can be appended. */
enum read_back_result read_back_lines(struct read_back *read_back, struct str compressed, struct str lines);

/* A block's compressed extra part. */
enum read_back_result read_back_extra(struct read_back *read_back, struct str compressed, struct str extra);

/* All parts of a finished block can be found, and its rows are at `places`. Needs no memory. */
enum read_back_result read_back_places(struct read_back *read_back, struct str value, const struct position *positions);

void read_back_free(struct read_back *read_back);

#endif
