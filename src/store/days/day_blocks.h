/* SPDX-License-Identifier: ISC */
/*
 * day_blocks.h: the block indexes of a day's partitions, read from its environment; private to store/.
 *
 * A day keeps those used last, until a commit changes its blocks.
 */
#ifndef CDRD_STORE_DAYS_DAY_BLOCKS_H
#define CDRD_STORE_DAYS_DAY_BLOCKS_H

#include "store/days/day.h"

/* Reads all blocks of a partition into *block_index, which the caller frees with block_index_free. */
MUST_CHECK int block_index_read(struct day *day, MDB_txn *txn, const struct partition *partition,
                                struct block_index *block_index, struct error *err);

/* The committed block index of a partition; it lives until the next call for the same day. NULL with *err. */
MUST_CHECK const struct block_index *block_index_get(struct day *day, MDB_txn *txn, const struct partition *partition,
                                                     struct error *err);

/* A walk over the blocks of one partition after the other, in order of keys, within a transaction. Begins with zeros. */
struct block_walk {
	struct env_walk blocks;
	struct partition before; /* read last, if has_before: what `blocks` is at comes after it */
	bool has_before;
};

/* As block_index_read; costs little where partitions are read in order. After -1 the walk is to be ended. */
MUST_CHECK int block_index_walk(struct block_walk *walk, struct day *day, MDB_txn *txn,
                                const struct partition *partition, struct block_index *block_index, struct error *err);

/* Before the transaction ends. */
void block_walk_end(struct block_walk *walk);

#endif
