/* SPDX-License-Identifier: ISC */
/*
 * sift_read.c: raw deflate to a text and the matches that it is made of. See sift.h.
 *
 * An entry of a table is found by as many bits as the longest code has:
 *
 *	literal    IS_LITERAL, value << 8, bits of the code
 *	two        IS_LITERAL, IS_PAIR, second value << 16, first value << 8, bits of both codes
 *	length     base << 16, bits of the code << 8, bits of the code and of what follows it
 *	distance   likewise
 *	the end    IS_END, bits of the code; with WRONG_END << 16 it is a symbol that does not exist
 *	no distance  NO_DISTANCE, likewise
 */
#include "deflate/sift_private.h"

#define IS_LITERAL UINT32_C(0x80000000)
#define IS_END UINT32_C(0x40000000)
#define WRONG_END 1U
#define NO_DISTANCE UINT32_C(0x80000000)
#define COPY_BYTES 32 /* at once; most matches are no longer */
#define LITERAL_TABLE_BITS \
	12 /* at most: three entries and the bits after a length are read without a look at the input */
#define IS_PAIR UINT32_C(0x20000000)

/* The bits of the input that come next are the lowest of `held`, of which `count` are valid. */
struct reader {
	uint64_t held;
	uint8_t count; /* a byte, so that what entries have above their bits need not be masked off */
	const uint8_t *in;
};

static inline void refill(struct reader *reader)
{
	reader->held |= load_bytes(reader->in) << reader->count;
	reader->in += (63 - reader->count) >> 3;
	reader->count |= 56;
}

/* As many bits as an entry says, or a plain number. */
static inline void skip_entry(struct reader *reader, uint32_t entry)
{
	reader->held >>= entry & 63;
	reader->count = (uint8_t)(reader->count - entry);
}

static inline unsigned take(struct reader *reader, unsigned count)
{
	unsigned bits = (unsigned)(reader->held & ((UINT64_C(1) << count) - 1));

	skip_entry(reader, count);
	return bits;
}

/* Where the reader is, in bits. */
static inline uint32_t place(const struct deflate_sift *sift, const struct reader *reader)
{
	return (uint32_t)((size_t)(reader->in - sift->input) * 8 - reader->count);
}

static bool is_past_end(const struct deflate_sift *sift, const struct reader *reader)
{
	return place(sift, reader) > sift->input_len * 8;
}

/* --- tables --- */

/* Symbols in the order of the lengths of their codes; `ends` has where those of each length end. False if the codes are not
 * complete, or too many. */
static bool sort_symbols(const uint8_t *lengths, size_t count, uint16_t *symbols, uint16_t ends[BITS_MAX + 1])
{
	uint16_t of_length[BITS_MAX + 1] = { 0 };
	uint32_t used = 0;

	for (size_t i = 0; i < count; i++)
		of_length[lengths[i]]++;
	ends[0] = 0;
	for (unsigned bits = 1; bits <= BITS_MAX; bits++) {
		used += (uint32_t)of_length[bits] << (BITS_MAX - bits);
		ends[bits] = ends[bits - 1]; /* moves to the end as they are put */
		if (bits > 1)
			ends[bits] = (uint16_t)(ends[bits] + of_length[bits - 1]);
	}
	for (size_t i = 0; i < count; i++)
		if (lengths[i])
			symbols[ends[lengths[i]]++] = (uint16_t)i;
	return used == 1U << BITS_MAX;
}

static uint32_t literal_entry(unsigned symbol, unsigned bits)
{
	if (symbol < END_OF_BLOCK)
		return IS_LITERAL | symbol << 8 | bits;
	if (symbol == END_OF_BLOCK)
		return IS_END | bits;
	symbol -= FIRST_LENGTH;
	if (symbol >= LENGTH_SYMBOLS)
		return IS_END | WRONG_END << 16 | bits;
	return (uint32_t)deflate_length_bases[symbol] << 16 | bits << 8 | (bits + deflate_length_extra_bits[symbol]);
}

static uint32_t distance_entry(unsigned symbol, unsigned bits)
{
	unsigned extra = distance_extra_bits(symbol);

	if (symbol >= DISTANCE_SYMBOLS)
		return NO_DISTANCE;
	uint32_t base = symbol < 4 ? symbol + 1 : ((2U | (symbol & 1)) << extra) + 1;
	return base << 16 | bits << 8 | (bits + extra);
}

static uint32_t code_entry(unsigned symbol, unsigned bits)
{
	return symbol << 16 | bits;
}

/* The code after one of `bits` bits, as it is read: its first bit is the lowest. After the last one comes 0. */
static uint32_t next_code(uint32_t code, unsigned bits)
{
	uint32_t bit = 1U << (bits - 1);

	while (code & bit) {
		code ^= bit;
		bit >>= 1;
	}
	return code | bit;
}

/* Symbols by the lengths of their codes; and the codes, as they are read. */
struct sorted {
	uint16_t symbols[SYMBOLS_MAX];
	uint16_t codes[SYMBOLS_MAX];
	uint16_t ends[BITS_MAX + 1];     /* where those of each length end */
	uint16_t literals[BITS_MAX + 1]; /* where its literals end, which come first */
	unsigned longest;
};

/* False if the codes are not complete. */
static bool sort_codes(struct sorted *sorted, const uint8_t *lengths, size_t count)
{
	uint32_t code = 0;

	if (!sort_symbols(lengths, count, sorted->symbols, sorted->ends))
		return false;
	sorted->longest = BITS_MAX;
	while (sorted->ends[sorted->longest] == sorted->ends[sorted->longest - 1])
		sorted->longest--;
	for (unsigned bits = 1, next = 0; bits <= sorted->longest; bits++) {
		sorted->literals[bits] = (uint16_t)next;
		for (; next < sorted->ends[bits]; next++) {
			sorted->literals[bits] =
				(uint16_t)(sorted->literals[bits] + (sorted->symbols[next] < END_OF_BLOCK));
			sorted->codes[next] = (uint16_t)code;
			code = next_code(code, bits);
		}
	}
	return true;
}

/* Entries for two literals whose codes have `bits` bits together. */
static void add_pairs(uint32_t *table, const struct sorted *sorted, unsigned bits)
{
	for (unsigned first_bits = 1; first_bits < bits; first_bits++) {
		unsigned second_bits = bits - first_bits;

		for (unsigned i = sorted->ends[first_bits - 1]; i < sorted->literals[first_bits]; i++) {
			uint32_t first = IS_LITERAL | IS_PAIR | (uint32_t)sorted->symbols[i] << 8 | bits;

			for (unsigned k = sorted->ends[second_bits - 1]; k < sorted->literals[second_bits]; k++)
				table[sorted->codes[i] | (uint32_t)sorted->codes[k] << first_bits] =
					first | (uint32_t)sorted->symbols[k] << 16;
		}
	}
}

/* A table of as many bits as the longest code has, doubled from one length to the next. How many bits; 0 if the codes are not
 * complete. With `pairs`, of literals. */
static unsigned fill_table(uint32_t *table, const uint8_t *lengths, size_t count,
                           uint32_t (*entry_of)(unsigned symbol, unsigned bits), bool pairs)
{
	struct sorted sorted;

	if (!sort_codes(&sorted, lengths, count))
		return 0;
	for (unsigned bits = 1; bits <= sorted.longest; bits++) {
		for (unsigned i = sorted.ends[bits - 1]; i < sorted.ends[bits]; i++)
			table[sorted.codes[i]] = entry_of(sorted.symbols[i], bits);
		if (pairs)
			add_pairs(table, &sorted, bits);
		if (bits < sorted.longest)
			memcpy(table + (1U << bits), table, sizeof(*table) << bits);
	}
	return sorted.longest;
}

/* --- the head of a block --- */

static bool read_lengths(struct deflate_sift *sift, struct reader *reader, unsigned codes_bits, size_t count,
                         uint8_t *lengths)
{
	for (size_t i = 0; i < count;) {
		refill(reader);
		if (is_past_end(sift, reader))
			return false;
		uint32_t entry = sift->distances[reader->held & ((1U << codes_bits) - 1)];
		unsigned symbol = entry >> 16;
		skip_entry(reader, entry);
		if (symbol < 16) {
			lengths[i++] = (uint8_t)symbol;
			continue;
		}
		size_t repeat = symbol == 16 ? 3 + take(reader, 2) :
		                symbol == 17 ? 3 + take(reader, 3) :
		                               11 + take(reader, 7);
		if (repeat > count - i || (symbol == 16 && i == 0))
			return false;
		memset(lengths + i, symbol == 16 ? lengths[i - 1] : 0, repeat);
		i += repeat;
	}
	return true;
}

/* The lengths of the codes of a block that has its own. */
static bool read_codes(struct deflate_sift *sift, struct reader *reader, struct sift_block *block)
{
	uint8_t all[LITERAL_SYMBOLS + DISTANCE_SYMBOLS], codes[CODE_SYMBOLS] = { 0 };
	size_t literals = FIRST_LENGTH + take(reader, 5), distances = 1 + take(reader, 5), count = 4 + take(reader, 4);

	if (literals > LITERAL_SYMBOLS || distances > DISTANCE_SYMBOLS)
		return false;
	for (size_t i = 0; i < count; i++) {
		refill(reader);
		codes[deflate_code_order[i]] = (uint8_t)take(reader, 3);
	}
	unsigned bits = fill_table(sift->distances, codes, CODE_SYMBOLS, code_entry, false);
	if (bits == 0 || !read_lengths(sift, reader, bits, literals + distances, all))
		return false;
	memset(block->literal_lengths, 0, sizeof(block->literal_lengths));
	memset(block->distance_lengths, 0, sizeof(block->distance_lengths));
	memcpy(block->literal_lengths, all, literals);
	memcpy(block->distance_lengths, all + literals, distances);
	return block->literal_lengths[END_OF_BLOCK] > 0;
}

static void take_fixed_codes(struct deflate_sift *sift, struct sift_block *block)
{
	deflate_fixed_lengths(&sift->codes);
	memcpy(block->literal_lengths, sift->codes.literal_lengths, sizeof(block->literal_lengths));
	memcpy(block->distance_lengths, sift->codes.distance_lengths, sizeof(block->distance_lengths));
}

/* --- its content --- */

/* There is room for COPY_BYTES more. */
static inline void copy_match(uint8_t *to, size_t distance, size_t length)
{
	const uint8_t *from = to - distance;

	if (distance >= COPY_BYTES) {
		memcpy(to, from, COPY_BYTES);
		for (size_t done = COPY_BYTES; done < length; done += COPY_BYTES)
			memcpy(to + done, from + done, COPY_BYTES);
		return;
	}
	for (size_t i = 0; i < length; i++)
		to[i] = from[i];
}

/* What an entry stands for, with the bits that follow its code. */
static inline unsigned value_of(uint32_t entry, uint64_t held)
{
	unsigned code = entry >> 8 & 0xff, all = entry & 0xff;

	return (entry >> 16) + (unsigned)((held & ((UINT64_C(1) << all) - 1)) >> code);
}

/* The distance of a match whose length has been read, after `before` bytes of the text; false if it is none. */
static inline bool read_distance(const struct deflate_sift *sift, struct reader *reader, uint64_t mask, size_t before,
                                 struct sift_match *match)
{
	if (reader->count < BITS_MAX + 13)
		refill(reader);
	uint32_t entry = sift->distances[reader->held & mask];
	unsigned distance = value_of(entry, reader->held);
	if (entry & NO_DISTANCE || distance > before)
		return false;
	skip_entry(reader, entry);
	match->bits_end = place(sift, reader);
	match->distance = (uint16_t)distance;
	return true;
}

/* One literal, or two; there is room for two. What comes next. */
static inline uint32_t take_literals(const struct deflate_sift *sift, struct reader *reader, uint64_t mask,
                                     uint32_t entry, uint8_t **to)
{
	uint16_t literals = htole16((uint16_t)(entry >> 8));

	memcpy(*to, &literals, sizeof(literals));
	*to += 1 + (entry / IS_PAIR & 1);
	skip_entry(reader, entry);
	return sift->literals[reader->held & mask];
}

/* Content up to the end of the block. False if it is not right, or more than `end`. What comes next is looked up before the input
 * is read on or a match is copied, as each look-up waits for the one before, and the rest need not. */
static bool read_content(struct deflate_sift *sift, struct reader *from, unsigned literal_bits, unsigned distance_bits,
                         uint8_t *begin, uint8_t **at, const uint8_t *end)
{
	const uint64_t literal_mask = (UINT64_C(1) << literal_bits) - 1;
	const uint64_t distance_mask = (UINT64_C(1) << distance_bits) - 1;
	struct sift_match *match = sift->matches + sift->matches_count;
	const uint8_t *input_end = sift->input + sift->input_len + sizeof(uint64_t);
	struct reader reader = *from;
	uint8_t *to = *at;

	refill(&reader);
	uint32_t entry = sift->literals[reader.held & literal_mask];
	for (;;) {
		if (reader.in > input_end || to > end)
			return false;
		if (entry & IS_LITERAL) {
			entry = take_literals(sift, &reader, literal_mask, entry, &to);
			if (entry & IS_LITERAL) {
				entry = take_literals(sift, &reader, literal_mask, entry, &to);
				if (entry & IS_LITERAL) {
					entry = take_literals(sift, &reader, literal_mask, entry, &to);
					refill(&reader);
					if (entry & IS_LITERAL)
						continue;
				}
			}
		}
		match->bits_begin = place(sift, &reader);
		match->at = (uint32_t)(to - begin);
		if (entry & IS_END)
			break;
		match->length = (uint16_t)value_of(entry, reader.held);
		skip_entry(&reader, entry);
		if (!read_distance(sift, &reader, distance_mask, (size_t)(to - begin), match))
			return false;
		refill(&reader);
		entry = sift->literals[reader.held & literal_mask];
		copy_match(to, match->distance, match->length);
		to += match->length;
		match++;
	}
	skip_entry(&reader, entry);
	match->bits_end = place(sift, &reader);
	match->length = match->distance = 0;
	sift->matches_count = (size_t)(match + 1 - sift->matches);
	*at = to;
	*from = reader;
	return entry >> 16 == IS_END >> 16 && to <= end && !is_past_end(sift, &reader);
}

/* A block with codes. */
static bool read_block(struct deflate_sift *sift, struct reader *reader, unsigned kind, uint32_t head_begin,
                       uint8_t *begin, uint8_t **at, const uint8_t *end)
{
	struct sift_block *block = &sift->blocks[sift->blocks_count];

	if (sift->blocks_count == SIFT_BLOCKS_MAX)
		return false;
	if (kind == BLOCK_FIXED)
		take_fixed_codes(sift, block);
	else if (kind != BLOCK_DYNAMIC || !read_codes(sift, reader, block))
		return false;
	block->head_begin = head_begin;
	block->head_end = place(sift, reader);
	block->text_begin = (uint32_t)(*at - begin);
	block->first_match = (uint32_t)sift->matches_count;
	unsigned literal_bits = fill_table(sift->literals, block->literal_lengths, SYMBOLS_MAX, literal_entry, true);
	unsigned distance_bits = fill_table(sift->distances, block->distance_lengths, 32, distance_entry, false);
	if (literal_bits == 0 || literal_bits > LITERAL_TABLE_BITS || distance_bits == 0)
		return false;
	if (!read_content(sift, reader, literal_bits, distance_bits, begin, at, end))
		return false;
	block->text_end = (uint32_t)(*at - begin);
	sift->blocks_count++;
	return true;
}

/* After the kind of a stored block: is it empty, and the end of the input? */
static bool is_end(const struct deflate_sift *sift, const struct reader *reader)
{
	static const uint8_t empty[] = { 0, 0, 0xff, 0xff };
	size_t bytes = ((size_t)place(sift, reader) + 7) / 8;

	return bytes + sizeof(empty) == sift->input_len && memcmp(sift->input + bytes, empty, sizeof(empty)) == 0;
}

bool deflate_sift_read(struct deflate_sift *sift, struct str compressed, char *text, size_t len)
{
	uint8_t *begin = (uint8_t *)text, *at = begin;

	sift->blocks_count = sift->matches_count = 0;
	if (len > DEFLATE_SIFT_TEXT_MAX || compressed.len > SIFT_INPUT_MAX || compressed.len == 0)
		return false;
	memcpy(sift->input, compressed.p, compressed.len);
	memset(sift->input + compressed.len, 0, SIFT_INPUT_SLACK);
	sift->input_len = compressed.len;
	sift->text = text;
	sift->text_len = len;
	struct reader reader = { .in = sift->input };
	for (;;) {
		refill(&reader);
		if (is_past_end(sift, &reader))
			return false;
		uint32_t head_begin = place(sift, &reader);
		if (take(&reader, 1))
			return false;
		unsigned kind = take(&reader, 2);
		if (kind == BLOCK_STORED)
			return is_end(sift, &reader) && (size_t)(at - begin) == len;
		if (!read_block(sift, &reader, kind, head_begin, begin, &at, begin + len))
			return false;
	}
}
