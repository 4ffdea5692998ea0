/*
 * lines.c: the quotes of CSV lines. See lines.h.
 *
 * Where no value holds a quote, quotes alternate between the begin and the end of a value, and their number tells so:
 * two for each value. Only where there are more is the text walked value by value.
 */
#include "store/lines.h"

#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#ifdef __x86_64__
/* As much of find_quotes as goes 32 bytes a step; *at says how far. */
__attribute__((target("avx2"))) static size_t find_quotes_avx2(const char *text, size_t len, uint32_t *out, size_t max,
                                                               size_t *at)
{
	const __m256i quote = _mm256_set1_epi8('"');
	size_t count = 0;
	for (; *at + 32 <= len && count + 32 <= max; *at += 32) {
		__m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)(text + *at));
		unsigned mask = (unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, quote));
		while (mask) {
			out[count++] = (uint32_t)*at + (uint32_t)__builtin_ctz(mask);
			mask &= mask - 1;
		}
	}
	return count;
}
#endif

/* Writes the offsets of the first quotes, at most `max`; returns their number. */
static size_t find_quotes(const char *text, size_t len, uint32_t *out, size_t max)
{
	size_t count = 0, at = 0;
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2"))
		count = find_quotes_avx2(text, len, out, max, &at);
#endif
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"');
	for (; at + 16 <= len && count + 16 <= max; at += 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(text + at));
		unsigned mask = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, quote));
		while (mask) {
			out[count++] = (uint32_t)at + (uint32_t)__builtin_ctz(mask);
			mask &= mask - 1;
		}
	}
#endif
	for (; at < len && count < max; at++)
		if (text[at] == '"')
			out[count++] = (uint32_t)at;
	return count;
}

/* Are the bytes between values what they must be? Turns the offset of each first quote into that of the first byte. */
static bool check_frames(struct lines *lines, size_t len)
{
	size_t values = (size_t)lines->rows * lines->fields;
	uint32_t at = 0, field = 0;
	for (size_t i = 0; i < values; i++) {
		uint32_t *edge = &lines->edges[2 * i];
		if (edge[0] != at)
			return false;
		edge[0]++;
		at = edge[1] + 2;
		char separator = ',';
		if (++field == lines->fields) {
			separator = '\n';
			field = 0;
		}
		if (at > len || lines->text[at - 1] != separator)
			return false;
	}
	return at == len;
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
	if (quotes + 16 > lines->edges_cap) {
		uint32_t *edges = realloc(lines->edges, (quotes + 16) * sizeof(*edges));
		if (!edges)
			return -1;
		lines->edges = edges;
		lines->edges_cap = quotes + 16;
	}
	return 0;
}

int lines_index(struct lines *lines, struct str text, uint32_t rows, uint32_t fields)
{
	size_t quotes = 2 * (size_t)rows * fields;
	if (edges_reserve(lines, quotes) != 0)
		return -1;
	lines->text = text.p;
	lines->rows = rows;
	lines->fields = fields;
	if (text.len > UINT32_MAX || fields == 0)
		return -1;
	size_t found = find_quotes(text.p, text.len, lines->edges, lines->edges_cap);
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

size_t lines_count_quotes(const char *text, size_t len)
{
	size_t at = 0, count = 0;
#ifdef __SSE2__
	for (; at + 16 <= len; at += 16)
		count += count_in_16(text + at);
#endif
	for (; at < len; at++)
		count += text[at] == '"';
	return count;
}

/* The offset of a quote by its number, counted from 0; `len` when there are fewer. */
static size_t find_quote(const char *text, size_t len, size_t number)
{
	size_t at = 0;
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
	size_t found = find_quotes(lines->text, text.len - begin, lines->edges, quotes);
	if (found < quotes)
		return -1;
	size_t len = (size_t)lines->edges[quotes - 1] + 2;
	return len <= text.len - begin && check_frames(lines, len) ? 0 : -1;
}

void lines_free(struct lines *lines)
{
	free(lines->edges);
	*lines = (struct lines){ 0 };
}
