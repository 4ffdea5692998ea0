/* SPDX-License-Identifier: ISC */
/*
 * codes.h: the codes of a block's literals, lengths and distances, and the bits that they are written as; private to
 * deflate/.
 */
#ifndef CDRD_DEFLATE_CODES_H
#define CDRD_DEFLATE_CODES_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MATCH_MAX 258
#define DISTANCE_MAX 32768
#define SYMBOLS_MAX 288
#define BITS_MAX 15

#define LITERAL_SYMBOLS 286
#define DISTANCE_SYMBOLS 30
#define LENGTH_SYMBOLS 29
#define CODE_SYMBOLS 19
#define END_OF_BLOCK 256
#define FIRST_LENGTH 257
#define CODE_BITS_MAX 7

enum { BLOCK_STORED, BLOCK_FIXED, BLOCK_DYNAMIC };

extern const uint16_t deflate_length_bases[LENGTH_SYMBOLS];
extern const uint8_t deflate_length_extra_bits[LENGTH_SYMBOLS];
extern const uint8_t deflate_code_order[CODE_SYMBOLS];

/* A code, or a code with the extra bits that follow it, as it is written. */
struct code {
	uint32_t count : 8;
	uint32_t bits : 24;
};

/* The codes of a block. */
struct codes {
	uint8_t literal_lengths[SYMBOLS_MAX];
	uint8_t distance_lengths[SYMBOLS_MAX];
	struct code literals[LITERAL_SYMBOLS];
	struct code matches[MATCH_MAX + 1]; /* by length */
	uint16_t distances[SYMBOLS_MAX];
};

/*
 * Lengths of at most `bits_max` bits of a Huffman code of `count` symbols, 0 for those of frequency 0; bits_max is
 * large enough for all symbols. A lone symbol gets 1 bit. And the codes, as they are written: the first bit is the
 * lowest.
 */
void deflate_code_lengths(const uint32_t *frequencies, size_t count, unsigned bits_max, uint8_t *lengths);
void deflate_codes(const uint8_t *lengths, size_t count, uint16_t *codes);

/* Fills the codes from their lengths. Those of symbols that have none stay as they were. */
void deflate_fill_codes(struct codes *codes);

/* The lengths of the fixed codes, of which nothing is filled but them. */
void deflate_fixed_lengths(struct codes *codes);

/* Of a distance; from 4 on, two symbols for each power of two. */
static inline unsigned distance_symbol(unsigned distance)
{
	unsigned less = distance - 1;

	if (less < 4)
		return less;
	unsigned log2 = 31 - (unsigned)__builtin_clz(less);
	return 2 * log2 + (less >> (log2 - 1) & 1);
}

static inline unsigned distance_extra_bits(unsigned symbol)
{
	return symbol < 4 ? 0 : symbol / 2 - 1;
}

/* Bits on their way out. */
struct bits {
	uint64_t held;
	unsigned count;
	uint8_t *to;
};

static inline void put(struct bits *bits, uint64_t value, unsigned count)
{
	bits->held |= value << bits->count;
	bits->count += count;
}

/* The first bit is the lowest of the first of 8 bytes. */
static inline uint64_t load_bytes(const uint8_t *from)
{
	uint64_t bytes;

	memcpy(&bytes, from, sizeof(bytes));
	return le64toh(bytes);
}

static inline void write_bytes(uint8_t *to, uint64_t bytes)
{
	bytes = htole64(bytes);
	memcpy(to, &bytes, sizeof(bytes));
}

/* Leaves fewer than 8 bits. Always writes 8 bytes, however few of them are valid. */
static inline void store(struct bits *bits)
{
	write_bytes(bits->to, bits->held);
	bits->to += bits->count / 8;
	bits->held >>= bits->count & ~7U;
	bits->count &= 7;
}

static inline void put_code(struct bits *bits, struct code code)
{
	put(bits, code.bits, code.count);
}

/* A match: its length's code with what follows it, and its distance's. Both have codes. */
static inline void write_match(struct bits *bits, const struct codes *codes, unsigned length, unsigned distance)
{
	unsigned symbol = distance_symbol(distance), extra = distance_extra_bits(symbol);

	put_code(bits, codes->matches[length]);
	put(bits, codes->distances[symbol], codes->distance_lengths[symbol]);
	put(bits, (distance - 1) & ((1U << extra) - 1), extra);
	store(bits);
}

/* A stored block begins at a whole byte, after its 3 bits. */
static inline void write_stored(struct bits *bits, const uint8_t *content, size_t len)
{
	put(bits, BLOCK_STORED << 1, 3);
	bits->count = (bits->count + 7) & ~7U;
	put(bits, len, 16);
	put(bits, ~len & 0xffff, 16);
	store(bits);
	if (len > 0)
		memcpy(bits->to, content, len);
	bits->to += len;
}

#endif
