/* SPDX-License-Identifier: ISC */
/*
 * sift.c: what stays of a text, as it was compressed. See sift.h.
 *
 * What stays are runs of bytes. Within a run, bits are copied from the input for as long as matches reach back no further than
 * its begin. Those that do are written anew:
 *
 *	source in another run      with a smaller distance, as what was between them is gone
 *	source in what is dropped  from where the matches that were dropped have these bytes from; as literals where that
 *	                           leads to none that stay
 *
 * Each byte of a block that deflate/ has made has a code, as nothing before the block serves as a source.
 */
#include "deflate/sift.h"

#include <stdlib.h>

#include "deflate/sift_private.h"

#define FLUSH_BYTES 16
#define COPIED_BYTES 7 /* at once: of eight bytes, some bits belong to the byte before */
#define COPY_SLACK 32
#define HOPS_MAX 8 /* from one dropped match to another; those that overlap themselves would have no end */
#define LENGTH_MIN 3
#define LITERALS_AT_ONCE 3 /* of at most BITS_MAX bits each, and 7 that wait */

struct deflate_sift *deflate_sift_new(void)
{
	return malloc(sizeof(struct deflate_sift));
}

void deflate_sift_free(struct deflate_sift *sift)
{
	free(sift);
}

/* What is being written. */
struct writer {
	struct deflate_sift *sift;
	const uint8_t *text;
	struct bits bits;
	uint32_t run;       /* the one that is being written, or that was last */
	uint32_t gap_first; /* the first match that ends after that */
	bool has_no_code;   /* of a literal */
};

/* Copies bits of the input, COPIED_BYTES at a time, none of which waits for the one before: the input is read from where the
 * byte would begin that is being written, which exists, as a match or a block that has others before it has as many bits. Writes
 * up to COPY_SLACK bytes too many. */
static inline void copy_bits(struct writer *writer, uint32_t begin, uint32_t end)
{
	struct bits *bits = &writer->bits;
	const uint32_t first = begin - bits->count, bytes = (end - first) / 8;
	const uint8_t *from = writer->sift->input + first / 8;
	const unsigned shift = first % 8, held = bits->count;
	uint8_t *to = bits->to;

	uint64_t next = (load_bytes(from) >> shift & ~UINT64_C(0) << held) | bits->held;
	write_bytes(to, next);
	write_bytes(to + COPIED_BYTES, load_bytes(from + COPIED_BYTES) >> shift);
	write_bytes(to + 2 * COPIED_BYTES, load_bytes(from + 2 * COPIED_BYTES) >> shift);
	for (uint32_t i = 3 * COPIED_BYTES; i < bytes; i += COPIED_BYTES)
		write_bytes(to + i, load_bytes(from + i) >> shift);
	bits->count = (end - first) % 8;
	bits->held = (bytes > 0 ? load_bytes(from + bytes) >> shift : next) & ((1U << bits->count) - 1);
	bits->to += bytes;
}

static inline void put_literal(struct writer *writer, uint8_t literal)
{
	struct code code = writer->sift->codes.literals[literal];

	writer->has_no_code |= code.count == 0;
	put_code(&writer->bits, code);
}

static void put_literals(struct writer *writer, uint32_t begin, uint32_t end)
{
	for (; begin + LITERALS_AT_ONCE <= end; begin += LITERALS_AT_ONCE) {
		for (uint32_t i = 0; i < LITERALS_AT_ONCE; i++)
			put_literal(writer, writer->text[begin + i]);
		store(&writer->bits);
	}
	for (; begin < end; begin++)
		put_literal(writer, writer->text[begin]);
	store(&writer->bits);
}

/* --- places --- */

static void set_runs(struct deflate_sift *sift, const struct str *pieces, size_t count)
{
	uint32_t dropped = 0, end = 0, place = 0;

	sift->runs_count = count;
	for (size_t i = 0; i < count; i++) {
		struct sift_run *run = &sift->runs[i];

		run->begin = (uint32_t)(pieces[i].p - sift->text);
		dropped += run->begin - end;
		end = run->end = run->begin + (uint32_t)pieces[i].len;
		run->dropped = dropped;
		for (; place << SIFT_PLACE_BITS < run->begin; place++)
			sift->run_of[place] = (uint8_t)(i > 0 ? i - 1 : 0);
	}
	for (; place << SIFT_PLACE_BITS < sift->text_len; place++)
		sift->run_of[place] = (uint8_t)(count - 1);
}

/* The last run that begins at or before a byte, which is before the end of the writer's run; the first one if none does. */
static inline uint32_t run_of(const struct writer *writer, uint32_t at)
{
	const struct deflate_sift *sift = writer->sift;
	uint32_t run = sift->run_of[at >> SIFT_PLACE_BITS];

	while (run < writer->run && sift->runs[run + 1].begin <= at)
		run++;
	return run;
}

static inline bool is_in(const struct sift_run *run, uint32_t at)
{
	return at >= run->begin && at < run->end;
}

/* --- matches that are written anew --- */

/* The longest length up to this one that has a code; 0 if none has. */
static uint32_t length_with_code(const struct codes *codes, uint32_t length)
{
	for (uint32_t found = length < MATCH_MAX ? length : MATCH_MAX; found >= LENGTH_MIN; found--)
		if (codes->matches[found].count)
			return found;
	return 0;
}

/* Writes `length` bytes that stand at `from` in `run`, too, and stay there. */
static void put_copy(struct writer *writer, uint32_t at, uint32_t from, const struct sift_run *run, uint32_t length)
{
	const struct codes *codes = &writer->sift->codes;
	uint32_t distance = at - writer->sift->runs[writer->run].dropped - (from - run->dropped), part;

	if (distance <= DISTANCE_MAX && codes->distance_lengths[distance_symbol(distance)])
		for (; (part = length_with_code(codes, length)) > 0; at += part, length -= part)
			write_match(&writer->bits, codes, part, distance);
	put_literals(writer, at, at + length);
}

/* Of the matches of what is dropped before a run, the last one that begins at or before a byte, or the first; it takes the same
 * steps whatever they are. */
static const struct sift_match *find_dropped(const struct deflate_sift *sift, const struct sift_run *run, uint32_t at)
{
	const struct sift_match *match = &sift->matches[run->gap_first];

	for (uint32_t count = run->gap_end - run->gap_first; count > 1;) {
		uint32_t half = count / 2;

		match += match[half].at <= at ? half : 0;
		count -= half;
	}
	return match;
}

/* Writes bytes that stand at `from`, too, which is before `at`: as many of `length` as come from one place. How many. */
static uint32_t put_first(struct writer *writer, uint32_t at, uint32_t from, uint32_t length)
{
	const struct deflate_sift *sift = writer->sift;

	for (unsigned hops = 0; hops < HOPS_MAX; hops++) {
		uint32_t number = run_of(writer, from);
		const struct sift_run *run = &sift->runs[number];

		if (is_in(run, from)) {
			if (number != writer->run && length > run->end - from)
				length = run->end - from;
			put_copy(writer, at, from, run, length);
			return length;
		}
		run += from >= run->begin;
		const struct sift_match *match = find_dropped(sift, run, from);
		bool is_match = from >= match->at && from < match->at + match->length;
		uint32_t end = is_match ? match->at + match->length : from < match->at ? match->at : match[1].at;
		if (end > run->begin)
			end = run->begin;
		if (length > end - from)
			length = end - from;
		if (!is_match)
			break;
		from -= match->distance;
	}
	put_literals(writer, at, at + length);
	return length;
}

static void put_match(struct writer *writer, uint32_t at, uint32_t from, uint32_t length)
{
	for (uint32_t part; length > 0; at += part, from += part, length -= part)
		part = put_first(writer, at, from, length);
}

/* Writes a match whose source is before the writer's run. Most are whole in another run, and take a code of the same length. */
static inline void put_far_match(struct writer *writer, uint32_t at, uint32_t from, uint32_t length)
{
	const struct codes *codes = &writer->sift->codes;
	const struct sift_run *own = &writer->sift->runs[writer->run], *run = &writer->sift->runs[run_of(writer, from)];
	uint32_t distance = at - own->dropped - (from - run->dropped);

	/* A length of 258 that was written as 227 and the rest has no code where symbol 285 has none. */
	if (from >= run->begin && from + length <= run->end && codes->matches[length].count &&
	    codes->distance_lengths[distance_symbol(distance)])
		write_match(&writer->bits, codes, length, distance);
	else
		put_match(writer, at, from, length);
}

/* Passes over the matches of what is dropped before a run. */
static void drop_before(const struct writer *writer, struct sift_run *run)
{
	struct deflate_sift *sift = writer->sift;
	const struct sift_match *match = &sift->matches[sift->at_match];

	while (match->length > 0 && match->at + match->length <= run->begin)
		match++;
	sift->at_match = (uint32_t)(match - sift->matches);
	run->gap_first = writer->gap_first;
	run->gap_end = sift->at_match + 1;
}

/* --- what stays --- */

/* From the match that comes next, the first that is not copied as it is in a run which begins and ends so. */
static uint32_t find_changed(const struct deflate_sift *sift, uint32_t begin, uint32_t end)
{
	uint32_t number = sift->at_match;
	const struct sift_match *match = &sift->matches[number];

	while (match->length > 0 && match->at + match->length <= end && match->at - match->distance >= begin)
		match = &sift->matches[++number];
	return number;
}

/* Writes a part of a match; moves to the next one if it is the end of it. Where the part ends. */
static uint32_t put_part(struct writer *writer, uint32_t begin, uint32_t end)
{
	struct deflate_sift *sift = writer->sift;
	const struct sift_match *match = &sift->matches[sift->at_match];
	uint32_t match_end = match->at + match->length, stop = match_end < end ? match_end : end;

	put_match(writer, begin, begin - match->distance, stop - begin);
	sift->at_match += stop == match_end;
	return stop;
}

/* Bytes of a block that are next to each other, of the run that begins at `run_begin`. */
static void keep(struct writer *writer, uint32_t run_begin, uint32_t begin, uint32_t end)
{
	struct deflate_sift *sift = writer->sift;
	const struct sift_match *match = &sift->matches[sift->at_match];

	if (match->at < begin && match->length > 0)
		begin = put_part(writer, begin, end);
	while (begin < end) {
		match = &sift->matches[sift->at_match];
		uint32_t literals_end = match->at < end ? match->at : end;
		put_literals(writer, begin, literals_end);
		begin = literals_end;
		if (begin == end)
			return;
		uint32_t bits = match->bits_begin;
		for (;;) {
			uint32_t changed = find_changed(sift, run_begin, end);

			match = &sift->matches[changed];
			sift->at_match = changed;
			if (match->at > end) {
				match--;
				copy_bits(writer, bits, match->bits_end);
				begin = match->at + match->length;
				break;
			}
			copy_bits(writer, bits, match->bits_begin);
			begin = match->at;
			if (begin == end)
				return;
			bits = match->bits_end;
			if (begin + match->length > end) {
				put_part(writer, begin, end);
				return;
			}
			put_far_match(writer, begin, begin - match->distance, match->length);
			begin += match->length;
			sift->at_match++;
			if (begin == end)
				return;
		}
	}
}

static void begin_block(struct writer *writer, const struct sift_block *block)
{
	struct codes *codes = &writer->sift->codes;

	memcpy(codes->literal_lengths, block->literal_lengths, sizeof(codes->literal_lengths));
	memcpy(codes->distance_lengths, block->distance_lengths, sizeof(codes->distance_lengths));
	memset(codes->matches, 0, sizeof(codes->matches));
	deflate_fill_codes(codes);
	copy_bits(writer, block->head_begin, block->head_end);
}

/* A block, if something of it stays. */
static void write_block(struct writer *writer, const struct sift_block *block)
{
	struct deflate_sift *sift = writer->sift;
	uint32_t at = block->text_begin;
	bool begun = false;

	if (at == block->text_end)
		return; /* which may be the end of all */
	sift->at_match = block->first_match;
	for (uint32_t number = run_of(writer, at); at < block->text_end && number < sift->runs_count; number++) {
		struct sift_run *run = &sift->runs[number];
		uint32_t begin = run->begin > at ? run->begin : at, end = run->end;

		if (end <= at)
			continue;
		if (begin >= block->text_end)
			break;
		if (end > block->text_end)
			end = block->text_end;
		if (begin == run->begin)
			drop_before(writer, run);
		if (!begun)
			begin_block(writer, block);
		begun = true;
		writer->run = number;
		keep(writer, run->begin, begin, end);
		writer->gap_first = sift->at_match;
		at = end;
	}
	if (begun)
		put_code(&writer->bits, sift->codes.literals[END_OF_BLOCK]);
	store(&writer->bits);
}

/* Room for what may be written: no byte takes more than a code, nothing is longer than literals. */
static size_t bound(const struct deflate_sift *sift)
{
	return sift->input_len + 2 * sift->text_len + FLUSH_BYTES + COPY_SLACK;
}

bool deflate_sift_write(struct deflate_sift *sift, const struct str *pieces, size_t count, struct buf *out)
{
	if (count == 0 || count > DEFLATE_SIFT_PIECES_MAX || !buf_reserve(out, bound(sift)))
		return false;
	struct writer writer = { .sift = sift,
		                 .text = (const uint8_t *)sift->text,
		                 .bits = { .to = (uint8_t *)out->data + out->len } };

	set_runs(sift, pieces, count);
	for (size_t i = 0; i < sift->blocks_count; i++)
		write_block(&writer, &sift->blocks[i]);
	write_stored(&writer.bits, NULL, 0);
	if (writer.has_no_code)
		return false;
	out->len = (size_t)(writer.bits.to - (uint8_t *)out->data);
	return true;
}
