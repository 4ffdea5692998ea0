/* SPDX-License-Identifier: ISC */
/*
 * block.h: a sealed block, up to BLOCK_ROWS records of one partition in order of their positions; private to store/.
 *
 *	head      struct block_head
 *	sums      struct block_sum for each currency
 *	segments  struct block_segment for each SEGMENT_ROWS rows or so
 *	places    bit-packed: for each segment the times and seqs of its rows (block_positions.c)
 *	changed   struct block_change for each row whose values are newer than its position, in order of rows
 *	skip      what values the filter columns have (skip_index.h)
 *	columns   the columns of few values, as codes (block_columns.h)
 *	extra     zstd: for each row the columns that its line does not show, each as varint(len + 1) bytes; 0: absent
 *	deflate   raw deflate of the lines; each segment ends on a full flush, so that it can be inflated by itself
 *
 * The line of a record is what record_write_csv makes of it for its direction with neither message nor concatenated:
 * the columns that most reports show. All integers are little-endian, as on the machines that this runs on.
 *
 * Compressed bytes carry a CRC-32 for each segment, which every read checks; the lines carry one for the whole block,
 * which goes into archives; the rest has one in the head.
 */
#ifndef CDRD_STORE_BLOCKS_BLOCK_H
#define CDRD_STORE_BLOCKS_BLOCK_H

#include "base/decimal.h"
#include "store/blocks/lines.h"
#include "store/blocks/position.h"

#define BLOCK_ROWS 4096
#define BLOCK_CSV_BYTES ((size_t)4 << 20) /* lines of a block, and its extra part, give or take a segment */
#define SEGMENT_ROWS 128
#define SEGMENT_CSV_BYTES ((size_t)256 << 10)
#define BLOCK_MAGIC 0x32424443   /* CDB2 */
#define BLOCK_MAGIC_1 0x31424443 /* CDB1: the head ends before columns_bytes, and there is no such part */
#define BLOCK_SUMS_NONE 0xff     /* more currencies than fit, or a price that is no number: no sums */

struct block_head {
	uint32_t magic;
	uint32_t head_crc32; /* of everything up to `skip`, with this field zero */
	uint32_t rows;
	uint32_t segments;
	uint32_t csv_bytes;
	uint32_t csv_crc32;
	uint32_t places_bytes;
	uint32_t changed_count;
	uint32_t skip_bytes;
	uint32_t skip_crc32;
	uint32_t extra_bytes;
	uint32_t extra_crc32;
	uint32_t extra_raw_bytes;
	uint32_t deflate_bytes;
	uint8_t columns_count; /* of the product when the block was made */
	uint8_t sums_count;
	uint8_t seconds; /* times are counted in seconds, not microseconds */
	uint8_t reserved;
	uint16_t unpriced; /* rows without a price, and 1; 0: not counted, as in older blocks */
	uint8_t reserved_too[2];
	uint32_t columns_bytes;
	uint32_t columns_crc32;
};

struct block_sum {
	char currency[8];
	uint64_t rows;
	decimal_units total_price;
	decimal_units price;
};

struct block_segment {
	int64_t first_us;
	uint64_t first_seq;
	int64_t seq_step; /* smallest difference between neighbours' seqs */
	uint32_t first_row;
	uint32_t rows;
	uint32_t csv_bytes;
	uint32_t deflate_begin; /* offset in `deflate` */
	uint32_t deflate_bytes;
	uint32_t deflate_crc32;
	uint32_t places_begin; /* offset in `places` */
	uint8_t time_bits;     /* width of a difference of times */
	uint8_t seq_bits;      /* width of a difference of seqs, less seq_step */
	uint16_t has_doubled;  /* some value holds quotes, which stand doubled in the lines */
};

struct block_change {
	uint64_t row;
	uint64_t seq; /* of the change */
};

/* The parts of a block; everything points into its value. */
struct block_view {
	struct block_head head;
	const uint8_t *sums;
	const uint8_t *segments;
	struct str positions;
	const uint8_t *changed;
	struct str skip;
	struct str columns;
	struct str extra;
	struct str deflate;
};

/* How long the head of a value is that begins with this magic; 0 if it is no block. */
static inline size_t block_head_bytes(uint32_t magic)
{
	if (magic == BLOCK_MAGIC_1)
		return offsetof(struct block_head, columns_bytes);
	return magic == BLOCK_MAGIC ? sizeof(struct block_head) : 0;
}

/* Finds the parts of a value and checks the head; false if it is damaged. */
bool block_view(struct block_view *view, struct str value);

/* The same without the check: parts are within the value, and what they hold may be anything. */
bool block_view_unchecked(struct block_view *view, struct str value);

static inline struct block_segment block_segment(const struct block_view *view, uint32_t number)
{
	struct block_segment segment;

	memcpy(&segment, view->segments + number * sizeof(segment), sizeof(segment));
	return segment;
}

static inline struct block_sum block_sum(const struct block_view *view, uint32_t number)
{
	struct block_sum sum;

	memcpy(&sum, view->sums + number * sizeof(sum), sizeof(sum));
	return sum;
}

static inline struct block_change block_change(const struct block_view *view, uint32_t number)
{
	struct block_change change;

	memcpy(&change, view->changed + number * sizeof(change), sizeof(change));
	return change;
}

/* Is a row's bit set in a deleted bitmap, which may be shorter than the block? */
static inline bool block_row_is_deleted(struct str deleted, uint32_t row)
{
	return row / 8 < deleted.len && (uint8_t)deleted.p[row / 8] & 1 << row % 8;
}

/* The number of the segment that has a row. */
uint32_t block_segment_of(const struct block_view *view, uint32_t row);

/* In a value that was just made: numbers of changes from `pending` on become `first` and following. False if it is
 * none. */
bool block_number_changes(char *value, size_t len, uint64_t pending, uint64_t first);

/* The columns that a partition's lines show, of the first `columns_count`; and their number. */
uint64_t block_line_columns(const struct catalog_product *product, uint8_t direction, uint8_t columns_count);

/* block_positions.c: appends the positions of a segment's rows to `out`, packed, and fills first_us, first_seq,
 * seq_step and the widths; and back. */
void block_places_write(struct buf *out, struct block_segment *segment, const struct position *positions, bool seconds);
bool block_places_read(const struct block_view *view, const struct block_segment *segment, uint8_t direction,
                       struct position *positions);

/* As above, but only the position of one row of the segment is filled, at places[row]. */
bool block_places_read_one(const struct block_view *view, const struct block_segment *segment, uint8_t direction,
                           uint32_t row, struct position *positions);

/* The time of a row; and the first row that is not before a time, or head.rows. False if the block is damaged. */
bool block_places_time(const struct block_view *view, uint32_t row, int64_t *time_us);
bool block_places_find(const struct block_view *view, int64_t time_us, uint32_t *row);

#endif
