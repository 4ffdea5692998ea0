/* SPDX-License-Identifier: ISC */
/*
 * row_cache.h: the sealed rows that were asked for last, as lines, so that a row which is asked for again is not inflated
 * again; private to store/.
 *
 * A row is named by its block and what that one's head says is in it, so it is right for as long as the block exists, and
 * never found once another one has taken its place. Whether the row exists, is deleted or was replaced is for the
 * caller to know. Rows are kept in a ring of ROW_CACHE_BYTES, of which only so much is used as is asked for within
 * `kept_us`: a new one overwrites the oldest.
 */
#ifndef CDRD_STORE_BLOCKS_ROW_CACHE_H
#define CDRD_STORE_BLOCKS_ROW_CACHE_H

#include "base/str.h"
#include "store/blocks/position.h"

#define ROW_CACHE_BYTES ((size_t)12 << 20) /* of rows with their keys; the table takes half a MiB more */
#define ROW_CACHE_LINE_MAX ((size_t)16 << 10)

struct row_cache;

/* All bytes count, so that none may be left to chance. */
struct row_key {
	struct partition partition;
	uint8_t columns_count; /* that the line was made of */
	uint8_t unused;
	int32_t day;
	uint32_t block;
	uint32_t row;
	uint32_t head_crc32;
	uint32_t csv_crc32;
};

/* Takes memory as it fills. Rows that were put for longer than kept_us give way to new ones. NULL when out of memory. */
struct row_cache *row_cache_new(int64_t kept_us);

/* Fills *position and *line, which dies with the next put; false if the row is not there. */
bool row_cache_get(struct row_cache *cache, const struct row_key *key, struct position *position, struct str *line);

/* Keeps a row that row_cache_get has just not found, unless its line is longer than ROW_CACHE_LINE_MAX. */
void row_cache_put(struct row_cache *cache, const struct row_key *key, const struct position *position,
                   struct str line);

/* When a row was asked for last; monotonic. */
int64_t row_cache_used_us(const struct row_cache *cache);

/* Does nothing on NULL. */
void row_cache_free(struct row_cache *cache);

#endif
