/* SPDX-License-Identifier: ISC */
/*
 * block_index.h: the sealed blocks of one partition of a day, in memory and in order; private to store/.
 *
 * Blocks of a partition may overlap in time (late records, resurrected ones); `last_before` still makes it
 * possible to begin in the middle. A day keeps the ones used last (day_blocks.h).
 */
#ifndef CDRD_STORE_BLOCKS_BLOCK_INDEX_H
#define CDRD_STORE_BLOCKS_BLOCK_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "store/blocks/position.h"

/* The value of the database `blocks`, little-endian as the machine is. */
struct day_block {
	int64_t first_us;
	uint64_t first_seq;
	int64_t last_us;
	uint64_t last_seq;
	uint64_t seq_max;     /* newest of its rows: a snapshot from there on sees them all */
	uint64_t changed_min; /* of the changes that made the rows what they are */
	uint64_t changed_max;
	uint32_t run; /* the seal it came from, of block_ids */
	uint32_t rows;
	uint32_t deleted; /* of the rows */
	uint32_t csv_bytes;
	uint32_t value_bytes; /* in block_data */
};

struct block_index_entry {
	uint32_t number;
	struct day_block block;
	struct position last_before; /* the latest position of this block and all before it */
};

struct block_index {
	struct partition partition; /* product 0 for an empty slot */
	uint64_t seals;             /* of the day when it was read */
	uint64_t used;
	size_t count;
	size_t cap;
	struct block_index_entry *entries; /* by first position */
};

/* False if the value is not one. */
bool day_block_read(MDB_val val, struct day_block *block);

/* Adds a block; block_index_sort puts all of them in order afterwards. ERROR_NOMEM. */
MUST_CHECK int block_index_add(struct block_index *block_index, uint32_t number, const struct day_block *block,
                               struct error *err);
void block_index_sort(struct block_index *block_index);

/* The first entry that may hold positions after this one. */
size_t block_index_find(const struct block_index *block_index, const struct position *position);

/* The number of entries that begin before a time. */
size_t block_index_end(const struct block_index *block_index, int64_t time_us);

void block_index_free(struct block_index *block_index);

static inline struct position day_block_first(const struct day_block *block, uint8_t direction)
{
	return (struct position){ block->first_us, block->first_seq, direction };
}

static inline struct position day_block_last(const struct day_block *block, uint8_t direction)
{
	return (struct position){ block->last_us, block->last_seq, direction };
}

#endif
