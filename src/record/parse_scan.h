/* SPDX-License-Identifier: ISC */
/*
 * parse_scan.h: finding the end of a run of text, 16 bytes at a time; private to record/.
 *
 * With SSE2, which every x86-64 has, a block is a handful of instructions; elsewhere the same in a loop of bytes, which
 * compilers vectorise as they can. Nothing is read after `end`.
 */
#ifndef CDRD_RECORD_PARSE_SCAN_H
#define CDRD_RECORD_PARSE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SCAN_BLOCK 16

/* Bit n for byte n of a block. */
struct scan_masks {
	unsigned stop; /* ends the run */
	unsigned high; /* is not ASCII */
};

static inline bool scan_stops_json(unsigned char byte)
{
	return byte == '"' || byte == '\\' || byte < 0x20;
}

static inline bool scan_stops_csv(unsigned char byte)
{
	return byte == '"' || byte == '\0';
}

#ifdef __SSE2__
#include <emmintrin.h>

static inline __m128i scan_load(const char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline __m128i scan_equals(__m128i block, char byte)
{
	return _mm_cmpeq_epi8(block, _mm_set1_epi8(byte));
}

static inline struct scan_masks scan_block_json(const char *p)
{
	__m128i block = scan_load(p);
	__m128i control = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);
	__m128i stop = _mm_or_si128(control, _mm_or_si128(scan_equals(block, '"'), scan_equals(block, '\\')));

	return (struct scan_masks){ (unsigned)_mm_movemask_epi8(stop), (unsigned)_mm_movemask_epi8(block) };
}

static inline struct scan_masks scan_block_csv(const char *p)
{
	__m128i block = scan_load(p);
	__m128i stop = _mm_or_si128(scan_equals(block, '"'), scan_equals(block, '\0'));

	return (struct scan_masks){ (unsigned)_mm_movemask_epi8(stop), (unsigned)_mm_movemask_epi8(block) };
}

#else

static inline struct scan_masks scan_block(const char *p, bool (*stops)(unsigned char))
{
	struct scan_masks masks = { 0, 0 };

	for (unsigned i = 0; i < SCAN_BLOCK; i++) {
		unsigned char byte = (unsigned char)p[i];

		masks.stop |= (unsigned)stops(byte) << i;
		masks.high |= (unsigned)(byte >> 7) << i;
	}
	return masks;
}

static inline struct scan_masks scan_block_json(const char *p)
{
	return scan_block(p, scan_stops_json);
}

static inline struct scan_masks scan_block_csv(const char *p)
{
	return scan_block(p, scan_stops_csv);
}

#endif

/* The first byte that ends the run, or `end`; *high is set if a byte before it is not ASCII. */
static inline __attribute__((always_inline)) const char *scan_run(const char *p, const char *end, bool *high,
                                                                  struct scan_masks (*block)(const char *),
                                                                  bool (*stops)(unsigned char))
{
	unsigned seen = 0;

	for (; end - p >= SCAN_BLOCK; p += SCAN_BLOCK) {
		struct scan_masks masks = block(p);

		if (masks.stop) {
			unsigned at = (unsigned)__builtin_ctz(masks.stop);

			seen |= masks.high & ((1U << at) - 1);
			*high |= seen != 0;
			return p + at;
		}
		seen |= masks.high;
	}
	for (; p < end && !stops((unsigned char)*p); p++)
		seen |= (unsigned char)*p & 0x80;
	*high |= seen != 0;
	return p;
}

/* What stands in a JSON string as it is: to the next quote, backslash or control character. */
static inline const char *scan_json(const char *p, const char *end, bool *high)
{
	return scan_run(p, end, high, scan_block_json, scan_stops_json);
}

/* What stands in a quoted CSV value as it is: to the next quote or NUL. */
static inline const char *scan_csv(const char *p, const char *end, bool *high)
{
	return scan_run(p, end, high, scan_block_csv, scan_stops_csv);
}

/* Are all bytes ASCII and none of them NUL? */
static inline bool scan_is_plain(const char *p, size_t len)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	const uint64_t highs = UINT64_C(0x8080808080808080);
	uint64_t word, bad = 0;

	/* A byte that is NUL or high sets its place's high bit in (word - ones) | word; no plain byte does but by a
	 * borrow from a NUL. */
	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		bad |= (word - ones) | word;
	}
	for (; len > 0; p++, len--)
		bad |= (uint64_t)(unsigned char)(((unsigned char)*p - 1) | (unsigned char)*p);
	return (bad & highs) == 0;
}

/* Equality of two short runs, without a call. */
static inline bool scan_same(const char *a, const char *b, size_t len)
{
	uint64_t a8, b8;
	uint32_t a4, b4;

	if (len >= sizeof(a8)) {
		for (size_t at = 0; at + sizeof(a8) < len; at += sizeof(a8)) {
			memcpy(&a8, a + at, sizeof(a8));
			memcpy(&b8, b + at, sizeof(b8));
			if (a8 != b8)
				return false;
		}
		memcpy(&a8, a + len - sizeof(a8), sizeof(a8));
		memcpy(&b8, b + len - sizeof(b8), sizeof(b8));
		return a8 == b8;
	}
	if (len >= sizeof(a4)) {
		memcpy(&a4, a, sizeof(a4));
		memcpy(&b4, b, sizeof(b4));
		if (a4 != b4)
			return false;
		memcpy(&a4, a + len - sizeof(a4), sizeof(a4));
		memcpy(&b4, b + len - sizeof(b4), sizeof(b4));
		return a4 == b4;
	}
	for (size_t i = 0; i < len; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

#endif
