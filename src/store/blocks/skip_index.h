/* SPDX-License-Identifier: ISC */
/*
 * skip_index.h: can a block hold a value? If not, a scan passes it over; private to store/.
 *
 *	u64 the columns that are in the index, a bit each
 *	u8 sets, then for each: u8 column, u8 values, then for each value: u16 length, bytes     of few distinct values
 *	u32 bits, then the bits: one Bloom filter over the values of all other filter columns
 *
 * In a block of a few rows the index says nothing, and may be passed by any filter. Letters are compared without regard to
 * case here; rows tell exactly. Columns are those that the product's filters name, without the direction where partitions
 * have it. In blocks that have a columns part (block_columns.h), the sets are its dictionaries, too: then there is also one
 * for each column that summaries group by or add up.
 */
#ifndef CDRD_STORE_BLOCKS_SKIP_INDEX_H
#define CDRD_STORE_BLOCKS_SKIP_INDEX_H

#include "record/record.h"
#include "store/blocks/block.h"
#include "store/scan.h"

#define SKIP_INDEX_ROWS_MIN 64 /* fewer are read as fast as an index of them, which would take more room than they do */
#define BLOCK_SKIP_COLUMNS_MAX 32
#define BLOCK_SET_VALUES_MAX 255
#define BLOCK_SET_BYTES_MAX 4096
#define BLOCK_SET_SLOTS 512 /* a power of two, more than the values */
#define BLOCK_RECENT_HASHES 64

/* Collects the values of a block's rows. Zero-initialised is empty; kept from block to block. */
struct skip_index_builder {
	uint32_t rows;
	struct skip_index_column {
		uint8_t column;
		bool filters; /* some filter names it */
		bool summed;  /* only added up: neither filtered nor grouped by */
		bool many;    /* too many for a set; that of the first rows stays */
		bool hashed;  /* `recent` is in use */
		uint8_t count;
		uint8_t last; /* the code of the row before: the place of its value in the set */
		uint64_t recent[BLOCK_RECENT_HASHES]; /* so that most repeats are hashed once */
		uint8_t slots[BLOCK_SET_SLOTS];       /* code + 1 by hash; 0: free */
		uint16_t lengths[BLOCK_SET_VALUES_MAX];
		uint16_t offsets[BLOCK_SET_VALUES_MAX];
		uint16_t texts_len;
		char texts[BLOCK_SET_BYTES_MAX];
		uint8_t codes[BLOCK_ROWS]; /* of each row, until there were too many */
	} columns[BLOCK_SKIP_COLUMNS_MAX];
	size_t columns_count;
	const struct catalog_product *product; /* whose the columns are */
	struct buf hashes;                     /* uint64_t of each value of columns with many */
};

void skip_index_begin(struct skip_index_builder *builder, const struct catalog_product *product);
void skip_index_add(struct skip_index_builder *builder, const struct record *record);

/* Will a column's values be a set, given all rows so far? */
bool skip_index_has_set(const struct skip_index_builder *builder, const struct skip_index_column *column);

/* Enough rows for a columns part? Otherwise there are sets for filters alone. */
static inline bool skip_index_has_columns(const struct skip_index_builder *builder)
{
	return builder->rows >= SEGMENT_ROWS;
}

static inline struct str skip_index_value(const struct skip_index_column *column, uint8_t code)
{
	return (struct str){ column->texts + column->offsets[code], column->lengths[code] };
}

/* Appends the part. Nothing may be added afterwards. Check out->failed and builder->hashes.failed. */
void skip_index_write(struct skip_index_builder *builder, struct buf *out);
void skip_index_free(struct skip_index_builder *builder);

/* False when no row of the block can pass all of the filters. A damaged skip index says true. */
bool skip_index_may_pass(struct str skip, const struct scan_filter *filters, size_t count);

/* True when every row of the block passes all of the filters: each is over a set of values that all equal that of the
 * filter. */
bool skip_index_all_pass(struct str skip, const struct scan_filter *filters, size_t count);

/* The sets as they are in the part: u16 length and bytes of each value. */
struct skip_index_set {
	uint8_t column;
	uint8_t count;
	struct str values;
};

/* Fills at most `max` of them; returns how many there are, or SIZE_MAX if the part is damaged or has more. */
size_t skip_index_sets(struct str skip, struct skip_index_set *sets, size_t max);

/* Removes the next value from the front of a set's. False if there is none. */
bool skip_index_next(struct str *values, struct str *value);

#endif
