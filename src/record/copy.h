/* SPDX-License-Identifier: ISC */
/*
 * copy.h: copying short values quickly; private to record/.
 *
 * Values of a record are a few to a few dozen bytes long, too short for memcpy and memchr to pay off. Here a value is
 * copied in words that overlap in its middle, so that its length costs one branch or two; where the format has bytes
 * that cannot stand as they are, each word is checked while it is in a register. Words are compared eight bytes at a
 * time: a byte that is sought turns into one whose high bit is set.
 */
#ifndef CDRD_RECORD_COPY_H
#define CDRD_RECORD_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/str.h"

#define COPY_INLINE static inline __attribute__((always_inline))

#define COPY_EVERY_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* What cannot be copied as it is, an odd byte. */
enum copy_check {
	COPY_ANY,  /* nothing */
	COPY_CSV,  /* what must be doubled */
	COPY_JSON, /* what is escaped, and what must be checked to be UTF-8 */
};

/* Not zero if one of the eight bytes is odd. Of JSON's only an odd byte borrows from the one above it. */
COPY_INLINE uint64_t copy_odd_in_8(uint64_t word, enum copy_check check)
{
	uint64_t quote = word ^ COPY_EVERY_BYTE('"');
	uint64_t backslash = word ^ COPY_EVERY_BYTE('\\');

	if (check == COPY_ANY)
		return 0;
	if (check == COPY_CSV)
		return (quote - COPY_EVERY_BYTE(1)) & ~quote & COPY_EVERY_BYTE(0x80);
	return (word | (word - COPY_EVERY_BYTE(0x20)) | (quote - COPY_EVERY_BYTE(1)) |
	        (backslash - COPY_EVERY_BYTE(1))) &
	       COPY_EVERY_BYTE(0x80);
}

COPY_INLINE uint64_t copy_8(char *out, const char *from)
{
	uint64_t word;

	memcpy(&word, from, sizeof(word));
	memcpy(out, &word, sizeof(word));
	return word;
}

COPY_INLINE uint64_t copy_4(char *out, const char *from)
{
	uint32_t word;

	memcpy(&word, from, sizeof(word));
	memcpy(out, &word, sizeof(word));
	return word;
}

/* At most 3 bytes; the rest of the word is spaces, which nothing finds odd. */
COPY_INLINE uint64_t copy_3(char *out, const char *from, size_t len)
{
	uint64_t first, middle, last;

	if (len == 0)
		return COPY_EVERY_BYTE(' ');
	first = (unsigned char)from[0];
	middle = (unsigned char)from[len / 2];
	last = (unsigned char)from[len - 1];
	out[0] = (char)first;
	out[len / 2] = (char)middle;
	out[len - 1] = (char)last;
	return (COPY_EVERY_BYTE(' ') & ~UINT64_C(0xffffff)) | first | middle << 8 | last << 16;
}

#ifdef __SSE2__
/* Copies 16 bytes; the result is not zero where a byte is odd. */
COPY_INLINE __m128i copy_16(char *out, const char *from, enum copy_check check)
{
	__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)from);
	__m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
	__m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));

	_mm_storeu_si128((__m128i *)(void *)out, bytes);
	if (check == COPY_ANY)
		return _mm_setzero_si128();
	if (check == COPY_CSV)
		return quote;
	/* as signed numbers, bytes from 0x80 on are below a space, too */
	return _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(' ')), _mm_or_si128(quote, backslash));
}

/* At least 16 bytes. */
COPY_INLINE bool copy_long(char *out, const char *from, size_t len, enum copy_check check)
{
	__m128i odd = copy_16(out + len - 16, from + len - 16, check);

	for (size_t at = 0; at < len - 16; at += 16)
		odd = _mm_or_si128(odd, copy_16(out + at, from + at, check));
	return check == COPY_ANY || _mm_movemask_epi8(odd) == 0;
}
#else
COPY_INLINE bool copy_long(char *out, const char *from, size_t len, enum copy_check check)
{
	uint64_t odd = copy_odd_in_8(copy_8(out + len - 8, from + len - 8), check);

	for (size_t at = 0; at < len - 8; at += 8)
		odd |= copy_odd_in_8(copy_8(out + at, from + at), check);
	return odd == 0;
}
#endif

/* Copies a value to `out`, which has room for it. False if it has an odd byte: then it must be written another way. */
COPY_INLINE bool copy_value(char *out, struct str value, enum copy_check check)
{
	const char *from = value.p;
	size_t len = value.len;
	uint64_t odd;

	if (len >= 16)
		return copy_long(out, from, len, check);
	if (len >= 8) {
		odd = copy_odd_in_8(copy_8(out, from), check);
		odd |= copy_odd_in_8(copy_8(out + len - 8, from + len - 8), check);
	} else if (len >= 4) {
		odd = copy_odd_in_8(copy_4(out, from) | copy_4(out + len - 4, from + len - 4) << 32, check);
	} else {
		odd = copy_odd_in_8(copy_3(out, from, len), check);
	}
	return odd == 0;
}

/* Copies bytes as they are and returns the end of the copy. */
COPY_INLINE char *copy_bytes(char *out, struct str bytes)
{
	copy_value(out, bytes, COPY_ANY);
	return out + bytes.len;
}

#endif
