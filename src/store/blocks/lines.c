/* SPDX-License-Identifier: ISC */
/*
 * lines.c: the quotes of CSV lines. See lines.h.
 *
 * Where no value holds a quote, quotes alternate between the beginning and the end of a value, and there are exactly
 * two for each value. Only where there are more is the text walked value by value.
 */
#include "store/blocks/lines.h"

#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#define STEP 64 /* bytes; offsets are written for all of them before the next look at how many there are */

#ifdef __x86_64__
/* As much of find_bytes as goes in whole steps; *at says how far. */
__attribute__((target("avx512f,avx512bw,avx512vbmi2,popcnt"))) static size_t find_bytes_avx512(struct str text,
                                                                                               char byte, uint32_t *out,
                                                                                               size_t enough,
                                                                                               size_t *at)
{
	const __m512i wanted = _mm512_set1_epi8(byte);
	const __m512i offsets =
		_mm512_set_epi64(0x3f3e3d3c3b3a3938, 0x3736353433323130, 0x2f2e2d2c2b2a2928, 0x2726252423222120,
	                         0x1f1e1d1c1b1a1918, 0x1716151413121110, 0x0f0e0d0c0b0a0908, 0x0706050403020100);
	size_t count = 0;
	for (; *at + STEP <= text.len && count < enough; *at += STEP) {
		uint64_t mask = _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(text.p + *at), wanted);

		__m512i found = _mm512_maskz_compress_epi8(mask, offsets);
		__m512i base = _mm512_set1_epi32((int)(uint32_t)*at);
		__m128i parts[4] = { _mm512_castsi512_si128(found), _mm512_extracti32x4_epi32(found, 1),
			             _mm512_extracti32x4_epi32(found, 2), _mm512_extracti32x4_epi32(found, 3) };
		size_t end = count + (size_t)__builtin_popcountll(mask);
		for (size_t i = 0; i < 4 && count + 16 * i < end; i++)
			_mm512_storeu_si512(out + count + 16 * i,
			                    _mm512_add_epi32(base, _mm512_cvtepu8_epi32(parts[i])));
		count = end;
	}
	return count;
}

/* Likewise. Most steps have up to sixteen quotes: always writing sixteen costs less than counting them. */
__attribute__((target("avx2,bmi,popcnt"))) static size_t find_bytes_avx2(struct str text, char byte, uint32_t *out,
                                                                         size_t enough, size_t *at)
{
	const __m256i wanted = _mm256_set1_epi8(byte);
	size_t count = 0;
	for (; *at + STEP <= text.len && count < enough; *at += STEP) {
		__m256i low = _mm256_loadu_si256((const __m256i *)(const void *)(text.p + *at));
		__m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(text.p + *at + STEP / 2));
		uint64_t mask = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted)) |
		                (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted)) << (STEP / 2);
		size_t end = count + (size_t)__builtin_popcountll(mask);
		for (uint32_t *to = out + count; mask; to += 16)
			for (int i = 0; i < 16; i++, mask = _blsr_u64(mask))
				to[i] = (uint32_t)*at + (uint32_t)_tzcnt_u64(mask);
		count = end;
	}
	return count;
}
#endif

/* Writes the offsets of a byte until there are `enough`, or some more: `out` has room for STEP more. */
static size_t find_bytes(struct str text, char byte, uint32_t *out, size_t enough)
{
	size_t count = 0, at = 0;

#ifdef __x86_64__
	if (__builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512bw"))
		count = find_bytes_avx512(text, byte, out, enough, &at);
	else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi"))
		count = find_bytes_avx2(text, byte, out, enough, &at);
#endif
#ifdef __SSE2__
	const __m128i wanted = _mm_set1_epi8(byte);
	for (; at + 16 <= text.len && count < enough; at += 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(text.p + at));
		unsigned mask = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, wanted));
		while (mask) {
			out[count++] = (uint32_t)at + (uint32_t)__builtin_ctz(mask);
			mask &= mask - 1;
		}
	}
#endif
	for (; at < text.len && count < enough; at++)
		if (text.p[at] == byte)
			out[count++] = (uint32_t)at;
	return count;
}

/* Not zero unless a separator and the quote of the next value are after an edge. Both are in the text: there are
 * two more edges. */
static unsigned miss_next(const char *text, uint32_t edge, char separator)
{
	char wanted[2] = { separator, '"' };
	uint16_t got, right;

	memcpy(&got, text + edge + 1, sizeof(got));
	memcpy(&right, wanted, sizeof(right));
	return got ^ right;
}

/* Are the bytes between values what they must be? */
static bool check_frames(const struct lines *lines, size_t len)
{
	const char *text = lines->text;
	const uint32_t *after = lines->edges + 1;
	unsigned wrong = lines->edges[0];

	for (uint32_t row = 0; row < lines->rows; row++, after += 2) {
		for (uint32_t field = 1; field < lines->fields; field++, after += 2)
			wrong |= miss_next(text, *after, ',');
		if (row + 1 < lines->rows)
			wrong |= miss_next(text, *after, '\n');
	}
	return wrong == 0 && (size_t)after[-2] + 2 == len && text[len - 1] == '\n';
}

static bool walk(struct lines *lines, size_t len)
{
	const char *text = lines->text;
	size_t values = (size_t)lines->rows * lines->fields, at = 0;

	for (size_t i = 0; i < values; i++) {
		if (at >= len || text[at] != '"')
			return false;
		lines->edges[2 * i] = (uint32_t)at++;
		for (;;) {
			const char *quote = at < len ? memchr(text + at, '"', len - at) : NULL;

			if (!quote)
				return false;
			at = (size_t)(quote - text);
			if (at + 1 >= len || text[at + 1] != '"')
				break;
			at += 2;
		}
		lines->edges[2 * i + 1] = (uint32_t)at;
		at += 2;
	}
	return true;
}

static int edges_reserve(struct lines *lines, size_t quotes)
{
	lines->no_memory = false;
	if (quotes + STEP > lines->edges_cap) {
		uint32_t *edges = realloc(lines->edges, (quotes + STEP) * sizeof(*edges));

		lines->no_memory = !edges;
		if (!edges)
			return -1;
		lines->edges = edges;
		lines->edges_cap = quotes + STEP;
	}
	return 0;
}

int lines_index(struct lines *lines, struct str text, uint32_t rows, uint32_t fields)
{
	size_t quotes = 2 * (size_t)rows * fields;

	if (quotes == 0 || text.len > UINT32_MAX || edges_reserve(lines, quotes + 1) != 0)
		return -1;
	lines->text = text.p;
	lines->rows = rows;
	lines->fields = fields;
	size_t found = find_bytes(text, '"', lines->edges, quotes + 1);
	lines->has_doubled = found != quotes;
	if (found < quotes || (lines->has_doubled && !walk(lines, text.len)))
		return -1;
	return check_frames(lines, text.len) ? 0 : -1;
}

#ifdef __SSE2__
/* How many of sixteen bytes are quotes. (Counting the bits of a mask would be a call where POPCNT may not be used.) */
static size_t count_in_16(const char *text)
{
	__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)text);
	__m128i ones = _mm_and_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_set1_epi8(1));
	__m128i sums = _mm_sad_epu8(ones, _mm_setzero_si128());
	return (size_t)_mm_cvtsi128_si32(sums) + (size_t)_mm_extract_epi16(sums, 4);
}
#endif

#ifdef __x86_64__
/* As much of find_quote as goes 64 bytes a step; subtracts the quotes passed from *number. */
__attribute__((target("avx2,popcnt"))) static size_t pass_quotes_avx2(const char *text, size_t len, size_t *number)
{
	const __m256i quote = _mm256_set1_epi8('"');
	size_t at = 0;
	for (; at + STEP <= len; at += STEP) {
		__m256i low = _mm256_loadu_si256((const __m256i *)(const void *)(text + at));
		__m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(text + at + STEP / 2));
		uint64_t mask = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, quote)) |
		                (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, quote)) << (STEP / 2);
		size_t count = (size_t)__builtin_popcountll(mask);
		if (count > *number)
			break;
		*number -= count;
	}
	return at;
}
#endif

/* The offset of a quote by its number, counted from 0; `len` when there are fewer. */
static size_t find_quote(const char *text, size_t len, size_t number)
{
	size_t at = 0;

#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt"))
		at = pass_quotes_avx2(text, len, &number);
#endif
#ifdef __SSE2__
	for (; at + 16 <= len; at += 16) {
		size_t count = count_in_16(text + at);

		if (count > number)
			break;
		number -= count;
	}
#endif
	for (; at < len; at++)
		if (text[at] == '"' && number-- == 0)
			break;
	return at;
}

int lines_index_one(struct lines *lines, struct str text, uint32_t row, uint32_t fields)
{
	size_t quotes = 2 * (size_t)fields;

	if (fields == 0 || text.len > UINT32_MAX || edges_reserve(lines, quotes) != 0)
		return -1;
	size_t begin = find_quote(text.p, text.len, quotes * row);
	lines->text = text.p + begin;
	lines->rows = 1;
	lines->fields = fields;
	lines->has_doubled = false;
	size_t found = find_bytes((struct str){ lines->text, text.len - begin }, '"', lines->edges, quotes);
	if (found < quotes)
		return -1;
	size_t len = (size_t)lines->edges[quotes - 1] + 2;
	return len <= text.len - begin && check_frames(lines, len) ? 0 : -1;
}

int lines_ends(struct lines *lines, struct str text, uint32_t rows)
{
	if (rows == 0 || text.len == 0 || text.len > UINT32_MAX || edges_reserve(lines, (size_t)rows + 1) != 0)
		return -1;
	lines->text = text.p;
	lines->rows = rows;
	lines->fields = 0;
	size_t found = find_bytes(text, '\n', lines->edges, (size_t)rows + 1);
	return found == rows && lines->edges[rows - 1] == text.len - 1 ? 0 : -1;
}

void lines_free(struct lines *lines)
{
	free(lines->edges);
	*lines = (struct lines){ 0 };
}
