/* SPDX-License-Identifier: ISC */
/*
 * block_reader.h: the records of a sealed block, read segment by segment; private to store/.
 *
 * A reader borrows the block from a transaction and keeps one inflated segment. Readers are reused: what they allocate
 * stays with them. Every compressed byte is checked against its CRC before it is used; a row that is in the reader's row
 * cache is not read from the block again.
 */
#ifndef CDRD_STORE_BLOCKS_BLOCK_READER_H
#define CDRD_STORE_BLOCKS_BLOCK_READER_H

#include "store/blocks/block.h"
#include "store/blocks/block_columns.h"
#include "store/days/day.h"

struct bundle_walk;
struct deflate_sift;
struct inflate_state;
struct row_cache;

/* What inflates, of 180 KiB: readers that work one after the other can share it. */
struct block_tools {
	struct inflate_state *inflate;
	struct ZSTD_DCtx_s *zstd; /* once some row asked for the extra part */
};

void block_tools_free(struct block_tools *tools);

struct block_reader {
	struct block_reader *next; /* for lists of readers */
	struct block_tools *tools; /* the caller's; or NULL, which takes `own` */
	struct block_tools own;
	int64_t given_us;  /* monotonic: when it was given back to the store */
	struct meta *meta; /* for messages; or NULL */
	const struct catalog_product *product;
	struct partition partition;
	uint32_t number;
	int32_t day;
	struct str value; /* the whole block */
	struct block_view view;
	const struct catalog_product *fields_product; /* whose fields they are, with the next two */
	uint8_t fields_direction, fields_made_with;
	uint64_t line_columns;
	uint8_t fields[CATALOG_COLUMNS_MAX]; /* the field of each column, or CATALOG_NONE */
	uint8_t fields_count;
	bool lines_are_whole; /* they show all columns that the product's lines show now */
	struct str deleted;   /* bitmap, or empty */

	uint32_t segment_number;      /* loaded, or UINT32_MAX */
	uint32_t loaded_row;          /* the row that `lines` begin with */
	uint32_t loaded_rows;         /* the segment's, or one */
	uint32_t lone_segment;        /* of which a row was loaded by itself last, or UINT32_MAX */
	struct block_segment segment; /* loaded, or whose positions are */
	uint32_t places_number;       /* the segment all of whose positions are loaded, or UINT32_MAX */
	struct row_cache *rows;       /* the caller's: of rows that are loaded by themselves; or NULL */
	struct deflate_sift *sift;    /* once a text was loaded to be sifted */
	struct buf text;
	struct lines lines;
	struct position positions[SEGMENT_ROWS];

	struct buf extra; /* raw, once some row asked for it */
	bool extra_loaded;
	uint32_t extra_row; /* the row that extra_at stands at */
	size_t extra_at;
	struct buf unescaped;
	struct block_columns columns; /* once block_reader_columns has been called */
	bool columns_loaded;
};

/* Takes a block; it must live in `txn` until the next begin. Returns 1, 0 when there is no such block, -1. Where it is
 * the block that the reader had before, what was loaded stays. */
MUST_CHECK int block_reader_begin(struct block_reader *reader, struct day *day, MDB_txn *txn,
                                  const struct catalog_product *product, const struct partition *partition,
                                  uint32_t number, struct error *err);

/*
 * The same for a row alone: where the reader's row cache has it, it is loaded, and block_reader_record() and what tells of the
 * row are all that may be called before the next begin.
 */
MUST_CHECK int block_reader_begin_row(struct block_reader *reader, struct day *day, MDB_txn *txn,
                                      const struct catalog_product *product, const struct partition *partition,
                                      uint32_t number, uint32_t row, struct error *err);

/* The same of a block of which no row is deleted; `walk` as in bundle_get_block. */
MUST_CHECK int block_reader_begin_whole(struct block_reader *reader, struct bundle_walk *walk, struct day *day,
                                        MDB_txn *txn, const struct catalog_product *product,
                                        const struct partition *partition, uint32_t number, struct error *err);

/* The same of a block whose bytes are at hand; they must live until the next begin. 0, -1 with ERROR_CORRUPT. */
MUST_CHECK int block_reader_begin_value(struct block_reader *reader, const struct day *day,
                                        const struct catalog_product *product, const struct partition *partition,
                                        uint32_t number, struct str value, struct error *err);

/* Loads the segment of a row, unless it is loaded. */
MUST_CHECK int block_reader_load(struct block_reader *reader, uint32_t row, struct error *err);

/* Loads the positions of the rows of a row's segment, and not yet the rows. */
MUST_CHECK int block_reader_load_places(struct block_reader *reader, uint32_t row, struct error *err);

/*
 * Loads the text of a row's segment, in which lines are told apart, but no values: block_reader_text alone may be called
 * for its rows, and all must be loaded anew for what else may be. *sift: are parts of it wanted as deflate? Then it says whether
 * block_reader_sift may be called until the next load. 1; 0 where lines cannot be told apart, as values hold LF or a line is
 * missing, and when out of memory for that; -1.
 */
MUST_CHECK int block_reader_load_text(struct block_reader *reader, uint32_t row, bool *sift, struct error *err);

/* Appends the raw deflate of lines of the text, of which no two are neighbours, as deflate_sift_write. */
bool block_reader_sift(struct block_reader *reader, const struct str *lines, size_t count, struct buf *out);

/* The lines of rows [row, end) of the segment. */
struct str block_reader_text(const struct block_reader *reader, uint32_t row, uint32_t end);

/* Loads a row, and perhaps no other: the segment is inflated only up to it, unless its rows are asked for one after the
 * other. */
MUST_CHECK int block_reader_load_row(struct block_reader *reader, uint32_t row, struct error *err);

static inline bool block_reader_is_deleted(const struct block_reader *reader, uint32_t row)
{
	return block_row_is_deleted(reader->deleted, row);
}

/* The position of a row that is loaded, or whose position is. */
static inline const struct position *block_reader_position(const struct block_reader *reader, uint32_t row)
{
	return &reader->positions[row - reader->segment.first_row];
}

/* The number of the change that gave a row its values; `seq` is that of its position. */
uint64_t block_reader_changed(const struct block_reader *reader, uint32_t row, uint64_t seq);

/* The line of a loaded row. */
static inline struct str block_reader_line(const struct block_reader *reader, uint32_t row)
{
	return lines_row(&reader->lines, row - reader->loaded_row);
}

/*
 * Appends the line of a loaded row with more columns in their places: `columns`, none of which is in it, as `record`
 * has them. That is what record_write_csv makes of the row in a view of all of them. Check out->failed.
 */
void block_reader_weave(const struct block_reader *reader, uint32_t row, uint64_t columns, const struct record *record,
                        struct buf *out);

/*
 * Fills the values of `columns` of a loaded row, which die with the next call; others are absent. May
 * read the extra part, for columns that lines do not show.
 */
MUST_CHECK int block_reader_record(struct block_reader *reader, uint32_t row, uint64_t columns, struct record *record,
                                   struct error *err);

/* The first row whose position is not before `position`, or view.head.rows. Loads the positions of its segment, and not
 * its rows. -1 with *err. */
MUST_CHECK int block_reader_seek(struct block_reader *reader, const struct position *position, uint32_t *row,
                                 struct error *err);

/* All of the deflate part is what was written: ERROR_CORRUPT if not. */
MUST_CHECK int block_reader_check(struct block_reader *reader, struct error *err);

/* As above, the skip index: one that is damaged might hide records. */
MUST_CHECK int block_reader_check_skip(struct block_reader *reader, struct error *err);

/* Takes the columns part apart, into reader->columns. 1, 0 if the block has none, -1 with ERROR_CORRUPT if it or the skip
 * index is damaged. */
MUST_CHECK int block_reader_columns(struct block_reader *reader, struct error *err);

/* Frees the room of an extra part, which is all of a block's; the next record that needs it loads it again. */
void block_reader_drop_extra(struct block_reader *reader);

void block_reader_free(struct block_reader *reader);

#endif
