/* SPDX-License-Identifier: ISC */
/*
 * skip_index.h: can a block hold a value? If not, a scan passes it over; private to store/.
 *
 *	u64 the columns that are in the index, a bit each
 *	u8 sets, then for each: u8 column, u8 values, then for each value: u16 length, bytes     of few distinct values
 *	u32 bits, then the bits: one Bloom filter over the values of all other filter columns
 *
 * Letters are compared without regard to case here; rows tell exactly. Columns are those that the product's filters
 * name, without the direction where partitions have it.
 */
#ifndef CDRD_STORE_BLOCKS_SKIP_INDEX_H
#define CDRD_STORE_BLOCKS_SKIP_INDEX_H

#include "record/record.h"
#include "store/scan.h"

#define BLOCK_SKIP_COLUMNS_MAX 32
#define BLOCK_SET_VALUES_MAX 16
#define BLOCK_SET_BYTES_MAX 512
#define BLOCK_RECENT_HASHES 64

/* Collects the values of a block's rows. Zero-initialised is empty; kept from block to block. */
struct skip_index_builder {
	struct skip_index_column {
		uint8_t column;
		bool many; /* too many for a set */
		uint8_t count;
		uint64_t recent[BLOCK_RECENT_HASHES]; /* so that most repeats are hashed once */
		uint16_t lengths[BLOCK_SET_VALUES_MAX];
		char texts[BLOCK_SET_BYTES_MAX];
	} columns[BLOCK_SKIP_COLUMNS_MAX];
	size_t columns_count;
	struct buf hashes; /* uint64_t of each value of columns with many */
};

void skip_index_begin(struct skip_index_builder *builder, const struct catalog_product *product);
void skip_index_add(struct skip_index_builder *builder, const struct record *record);
void skip_index_write(struct skip_index_builder *builder, struct buf *out);
void skip_index_free(struct skip_index_builder *builder);

/* False when no row of the block can pass all of the filters. A damaged skip index says true. */
bool skip_index_may_pass(struct str skip, const struct scan_filter *filters, size_t count);

/* True when every row of the block passes all of the filters: each is over a set of values that all equal that of the
 * filter. */
bool skip_index_all_pass(struct str skip, const struct scan_filter *filters, size_t count);

#endif
