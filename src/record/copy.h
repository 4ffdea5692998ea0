/*
 * copy.h: copying short values quickly; private to record/.
 *
 * Values of a record are a few to a few dozen bytes long, too short for memcpy and memchr to pay off. Here a value is
 * copied in words that overlap in its middle, so that its length costs one branch or two; where the format has bytes
 * that cannot stand as they are, each word is looked at while it is in a register. Words are compared eight bytes at a
 * time: a byte that is sought turns into one whose high bit is set.
 */
#ifndef CDRD_RECORD_COPY_H
#define CDRD_RECORD_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

#define COPY_INLINE static inline __attribute__((always_inline))

#define COPY_EVERY_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Not zero if one of the eight bytes cannot be copied as it is. */
typedef uint64_t (*copy_odd_fn)(uint64_t word);

COPY_INLINE uint64_t copy_nothing_odd(uint64_t word)
{
	(void)word;
	return 0;
}

/* A byte of CSV that must be doubled. */
COPY_INLINE uint64_t copy_csv_odd(uint64_t word)
{
	uint64_t quote = word ^ COPY_EVERY_BYTE('"');

	return (quote - COPY_EVERY_BYTE(1)) & ~quote & COPY_EVERY_BYTE(0x80);
}

/* What JSON escapes, and what must be checked to be UTF-8. Only an odd byte borrows from the one above it. */
COPY_INLINE uint64_t copy_json_odd(uint64_t word)
{
	uint64_t below_space = word - COPY_EVERY_BYTE(0x20);
	uint64_t quote = (word ^ COPY_EVERY_BYTE('"')) - COPY_EVERY_BYTE(1);
	uint64_t backslash = (word ^ COPY_EVERY_BYTE('\\')) - COPY_EVERY_BYTE(1);

	return (word | below_space | quote | backslash) & COPY_EVERY_BYTE(0x80);
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

/* Copies a value to `out`, which has room for it. False if it has an odd byte: then it must be written another way. */
COPY_INLINE bool copy_value(char *out, struct str value, copy_odd_fn is_odd)
{
	const char *from = value.p;
	size_t len = value.len;
	uint64_t odd = 0;

	if (len >= 8) {
		for (size_t at = 0; at < len - 8; at += 8)
			odd |= is_odd(copy_8(out + at, from + at));
		odd |= is_odd(copy_8(out + len - 8, from + len - 8));
	} else if (len >= 4) {
		odd = is_odd(copy_4(out, from) | copy_4(out + len - 4, from + len - 4) << 32);
	} else {
		odd = is_odd(copy_3(out, from, len));
	}
	return odd == 0;
}

/* Copies bytes as they are and returns the place behind them. */
COPY_INLINE char *copy_bytes(char *out, struct str bytes)
{
	copy_value(out, bytes, copy_nothing_odd);
	return out + bytes.len;
}

#endif
