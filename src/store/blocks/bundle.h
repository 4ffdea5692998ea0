/* SPDX-License-Identifier: ISC */
/*
 * bundle.h: where the bytes of blocks are: large ones by themselves, small ones in bundles; private to store/.
 *
 *	block_data    partition(10) block(4) -> a block, or struct bundle_ref: which bundle has it, and where
 *	bundles       bundle(4) -> magic(4), then each block, preceded by its key in block_data (14) and its length (4)
 *	bundles_dead  bundle(4) -> how many of its bytes (4) nothing refers to any more
 *
 * LMDB gives a value of more than half a page whole pages of its own, and a commit writes every page that it has touched.
 * A day of many small accounts has a block of a few rows for each, so those that are sealed one after the other share a
 * value. Each block in it is complete: readers see no difference.
 *
 * The bundle that is being filled is in memory, in the day, and becomes a value when it is full or the transaction is
 * committed; within that transaction its blocks can be read. As a value takes whole pages, one that is full is filled on
 * until its last page is, too.
 *
 * A block that is removed leaves dead bytes. When they are half of a bundle, or before a file is packed, the living
 * blocks are copied into the bundle that is being filled, and the old one is removed. A bundle that is damaged stays as it
 * is: a file with dead bytes in such a one is not packed.
 */
#ifndef CDRD_STORE_BLOCKS_BUNDLE_H
#define CDRD_STORE_BLOCKS_BUNDLE_H

#include "store/days/day.h"

#define BUNDLE_MAGIC 0x42424443              /* CDBB */
#define BUNDLE_REF_MAGIC 0x52424443          /* CDBR */
#define BUNDLE_BLOCK_MAX ((size_t)32 << 10)  /* larger blocks are values of their own */
#define BUNDLE_BYTES ((size_t)64 << 10)      /* of a full bundle, */
#define BUNDLE_BYTES_MAX ((size_t)128 << 10) /* at most, give or take a block */

struct bundle_ref {
	uint32_t magic;
	uint32_t bundle;
	uint32_t offset; /* of the block */
	uint32_t bytes;
};

/* Where blocks were found last, for blocks that are got one after the other in order of keys, within a transaction. Begins
 * with zeros. */
struct bundle_walk {
	struct env_walk data; /* of block_data */
	uint32_t number;      /* of the bundle, if it is not empty */
	MDB_val bundle;
};

/* Gets a block's bytes. 1 with *val, which lives as values of `txn` do, 0 when there is no such block, -1. With a walk,
 * unless it is NULL, this costs little where the block follows the one before it. */
MUST_CHECK int bundle_get_block(struct bundle_walk *walk, struct day *day, MDB_txn *txn, MDB_val key, MDB_val *val,
                                struct error *err);

/* Before the transaction ends. */
void bundle_walk_end(struct bundle_walk *walk);

/* In the open write transaction: puts a new block; and removes one, if it is there. */
MUST_CHECK int bundle_put_block(struct day *day, const struct partition *partition, uint32_t number, struct str block,
                                struct error *err);
MUST_CHECK int bundle_remove_block(struct day *day, const struct partition *partition, uint32_t number,
                                   struct error *err);

/* Puts the bundle that is being filled, before the open write transaction is committed; or forgets it, after it has ended
 * without effect. */
MUST_CHECK int bundle_flush(struct day *day, struct error *err);
void bundle_forget(struct day *day);

/* A slice of removing all dead bytes, before a day's file is packed. 1 when there are none, 0 when it is to be committed
 * and called again, -1 after which the transaction is to be aborted; ERROR_CORRUPT where a bundle is damaged. */
MUST_CHECK int bundle_trim_step(struct day *day, struct error *err);

/* A block in a bundle. */
struct bundle_part {
	MDB_val key;
	struct str block;
	uint32_t offset; /* of the block */
};

/* The first part after *part, which begins with zeros. 1, 0 at the end, -1 if the value is not a bundle. */
int bundle_next(MDB_val bundle, struct bundle_part *part);

/* Is a bundle whole, and has it as many dead bytes as are counted? 0 with *fault, or NULL if it is right; -1. */
MUST_CHECK int bundle_check(struct day *day, MDB_txn *txn, uint32_t number, MDB_val bundle, const char **fault,
                            struct error *err);

/* How many bytes a block takes in a bundle. */
static inline uint32_t bundle_bytes_of(size_t block)
{
	return (uint32_t)(NUMBER_KEY_LEN + sizeof(uint32_t) + block);
}

static inline uint32_t bundle_number_read(MDB_val key)
{
	uint32_t big = 0;

	if (key.mv_size == sizeof(big))
		memcpy(&big, key.mv_data, sizeof(big));
	return be32toh(big);
}

#endif
