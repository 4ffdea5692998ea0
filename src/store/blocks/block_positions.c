/* SPDX-License-Identifier: ISC */
/*
 * block_positions.c: times and seqs of a segment's rows in few bits. See block.h.
 *
 * Rows are in order, so times only grow: the differences are written with as many bits as the largest needs. Seqs may
 * go either way; the smallest difference is kept apart, and what is above it is written. So records that arrived in the
 * order of their times need no bits for their seqs. Times are in seconds where all of a block's are whole ones.
 *
 *	for each row but the first: time difference (time_bits), seq difference - seq_step (seq_bits); lowest bit first
 */
#include "base/clock.h"
#include "store/blocks/bits.h"
#include "store/blocks/block.h"

#define LOADED_BITS 56 /* at any place, one load of 64 has them */

void block_places_write(struct buf *out, struct block_segment *segment, const struct position *positions, bool seconds)
{
	int64_t unit = seconds ? CLOCK_US_PER_SECOND : 1;
	uint64_t time_max = 0, seq_max = 0;
	int64_t step = INT64_MAX;

	for (uint32_t i = 1; i < segment->rows; i++) {
		int64_t seq_diff = (int64_t)(positions[i].seq - positions[i - 1].seq);
		uint64_t time_diff = (uint64_t)((positions[i].time_us - positions[i - 1].time_us) / unit);

		time_max = time_diff > time_max ? time_diff : time_max;
		step = seq_diff < step ? seq_diff : step;
	}
	for (uint32_t i = 1; i < segment->rows; i++) {
		uint64_t above = (uint64_t)((int64_t)(positions[i].seq - positions[i - 1].seq) - step);

		seq_max = above > seq_max ? above : seq_max;
	}
	segment->first_us = positions[0].time_us;
	segment->first_seq = positions[0].seq;
	segment->seq_step = segment->rows > 1 ? step : 0;
	segment->time_bits = bits_width(time_max);
	segment->seq_bits = bits_width(seq_max);
	struct bit_writer w = { .out = out };
	for (uint32_t i = 1; i < segment->rows; i++) {
		bits_put(&w, (uint64_t)((positions[i].time_us - positions[i - 1].time_us) / unit), segment->time_bits);
		bits_put(&w, (uint64_t)((int64_t)(positions[i].seq - positions[i - 1].seq) - step), segment->seq_bits);
	}
	if (w.count > 0)
		buf_add_char(out, (char)(w.bits & 0xff));
}

/* `at` counts bits. The bits are within the string. */
static uint64_t get_bits(struct str bytes, size_t at, int width)
{
	uint64_t value = 0;

	if (width <= LOADED_BITS && at / 8 + sizeof(value) <= bytes.len) {
		memcpy(&value, bytes.p + at / 8, sizeof(value));
		return value >> at % 8 & ((UINT64_C(1) << width) - 1);
	}
	for (int got = 0; got < width;) {
		int shift = (int)(at % 8), take = 8 - shift;

		if (take > width - got)
			take = width - got;
		uint64_t byte = (uint8_t)bytes.p[at / 8];
		value |= (byte >> shift & ((UINT64_C(1) << take) - 1)) << got;
		at += (size_t)take;
		got += take;
	}
	return value;
}

/* The state of a walk over the positions of a segment. */
struct walk {
	const struct block_segment *segment;
	struct str bytes;
	size_t at; /* bits */
	int64_t unit;
	struct position position;
};

static bool walk_begin(struct walk *walk, const struct block_view *view, const struct block_segment *segment,
                       uint8_t direction)
{
	*walk = (struct walk){ .segment = segment, .unit = view->head.seconds ? CLOCK_US_PER_SECOND : 1 };
	walk->bytes =
		(struct str){ view->positions.p + segment->places_begin, view->positions.len - segment->places_begin };
	walk->position = (struct position){ segment->first_us, segment->first_seq, direction };
	size_t bits = (size_t)(segment->rows - 1) * (size_t)(segment->time_bits + segment->seq_bits);
	return segment->time_bits <= 64 && segment->seq_bits <= 64 && bits <= 8 * walk->bytes.len;
}

static void walk_next(struct walk *walk)
{
	const struct block_segment *segment = walk->segment;
	int time_bits = segment->time_bits, bits = time_bits + segment->seq_bits;
	uint64_t time, seq;

	if (bits <= LOADED_BITS) {
		uint64_t both = get_bits(walk->bytes, walk->at, bits);

		time = both & ((UINT64_C(1) << time_bits) - 1);
		seq = both >> time_bits;
	} else {
		time = get_bits(walk->bytes, walk->at, time_bits);
		seq = get_bits(walk->bytes, walk->at + (size_t)time_bits, segment->seq_bits);
	}
	walk->position.time_us += (int64_t)time * walk->unit;
	walk->position.seq += (uint64_t)segment->seq_step + seq;
	walk->at += (size_t)bits;
}

bool block_places_read(const struct block_view *view, const struct block_segment *segment, uint8_t direction,
                       struct position *positions)
{
	struct walk walk;

	if (!walk_begin(&walk, view, segment, direction))
		return false;
	positions[0] = walk.position;
	for (uint32_t i = 1; i < segment->rows; i++) {
		walk_next(&walk);
		positions[i] = walk.position;
	}
	return true;
}

bool block_places_read_one(const struct block_view *view, const struct block_segment *segment, uint8_t direction,
                           uint32_t row, struct position *positions)
{
	struct walk walk;

	if (!walk_begin(&walk, view, segment, direction))
		return false;
	for (uint32_t i = 0; i < row; i++)
		walk_next(&walk);
	positions[row] = walk.position;
	return true;
}

bool block_places_time(const struct block_view *view, uint32_t row, int64_t *time_us)
{
	struct block_segment segment = block_segment(view, block_segment_of(view, row));
	struct walk walk;

	if (!walk_begin(&walk, view, &segment, 0))
		return false;
	for (row -= segment.first_row; row > 0; row--)
		walk_next(&walk);
	*time_us = walk.position.time_us;
	return true;
}

/* The last segment that begins before a time, or the first one. */
static uint32_t segment_before(const struct block_view *view, int64_t time_us)
{
	uint32_t low = 0, high = view->head.segments;

	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;

		if (block_segment(view, mid).first_us < time_us)
			low = mid;
		else
			high = mid;
	}
	return low;
}

bool block_places_find(const struct block_view *view, int64_t time_us, uint32_t *row)
{
	struct block_segment segment = block_segment(view, segment_before(view, time_us));
	struct walk walk;

	if (!walk_begin(&walk, view, &segment, 0))
		return false;
	for (uint32_t i = 0; i < segment.rows; i++) {
		*row = segment.first_row + i;
		if (walk.position.time_us >= time_us)
			return true;
		if (i + 1 < segment.rows)
			walk_next(&walk);
	}
	*row = segment.first_row + segment.rows;
	return true;
}
