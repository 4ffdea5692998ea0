/* SPDX-License-Identifier: ISC */
/*
 * block_builder.h: records to sealed blocks; private to store/.
 *
 * Records of one partition are added in order of their positions; whenever a block is full its value is ready to be
 * stored. Memory is that of one block, about 2 MiB, kept from block to block.
 *
 * All that is compressed is decoded again and compared with the original. A part that differs is kept uncompressed
 * instead; where that does not help, adding or finishing fails with ERROR_CORRUPT, and no block is made.
 */
#ifndef CDRD_STORE_BLOCKS_BLOCK_BUILDER_H
#define CDRD_STORE_BLOCKS_BLOCK_BUILDER_H

#include "store/blocks/block.h"
#include "store/blocks/block_index.h"

struct block_builder;

/* NULL when out of memory. */
struct block_builder *block_builder_new(void);

/* Drops what was added and takes records of another partition, about rows_max of them at most (or UINT32_MAX): where these
 * are too few for a skip index and columns, none are prepared. */
void block_builder_begin(struct block_builder *builder, const struct catalog_product *product, uint8_t direction,
                         uint32_t rows_max);

/* Adds a record; `changed_seq` is the number of the change that gave it its values. *full says that
 * block_builder_finish must be called before the next. */
MUST_CHECK int block_builder_add(struct block_builder *builder, const struct record *record,
                                 const struct position *position, uint64_t changed_seq, bool *full, struct error *err);

/* Records in the block so far. */
uint32_t block_builder_rows(const struct block_builder *builder);

/* Ends the block: appends its value to *out and fills *entry, but for `run`; the next block may begin. There is at
 * least one record in it. */
MUST_CHECK int block_builder_finish(struct block_builder *builder, struct buf *out, struct day_block *entry,
                                    struct error *err);

/* Of the block that was finished last: parts that failed to read back and are kept uncompressed. */
uint32_t block_builder_misread(const struct block_builder *builder);

/* Does nothing on NULL. */
void block_builder_free(struct block_builder *builder);

#endif
