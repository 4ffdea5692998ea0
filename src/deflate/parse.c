/* SPDX-License-Identifier: ISC */
/*
 * parse.c: CSV lines to sequences of literals and matches. See deflate_private.h.
 *
 * The ends of all values are found first, many bytes a step. Then the text is walked from where one match ends to where
 * the next begins, which is one of two places:
 *
 *	between values   The bytes "," and what follows are looked up above (the same column a line before), where the
 *	                 last match was taken from, a column on, and at the last value that began with the same bytes.
 *	in a value       which differs from the one that matched until here: the rest is looked up at the last value that
 *	                 begins alike. Else it is compared with the value above and that of the last match, until four
 *	                 bytes are the same again: digits that have changed. Texts are searched as a general
 *	                 compressor does it.
 *
 * So most bytes are only ever compared, 32 at once. The same text always gives the same sequences, as nothing is kept
 * from one piece to the next.
 */
#include <stdbool.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "deflate/deflate_private.h"

#define BETWEEN 3      /* bytes from the end of a value to the beginning of the next */
#define LITERAL_BITS 5 /* about what a literal costs */
#define HASHED_MIN 5   /* a match far away is not worth it if it is shorter */
#define TEXT_MIN 16    /* longer than numbers */

/* A possible match: `length` bytes are the same as at `source`, which belongs to `value` as the text does to the
 * next. */
struct match {
	size_t length;
	size_t source;
	size_t value;
	int saved; /* bits, about */
};

struct parse {
	struct columns *columns;
	struct piece *piece;
	const uint8_t *text;
	size_t len;
	size_t at;
	size_t value;       /* the one `at` is in or right after */
	size_t literals_at; /* from here to `at` nothing is in the piece yet */
	size_t source_value; /* what `value` is to the text, this is to where the last match was taken from; or NO_VALUE */
	bool has_places;     /* columns->places is in use */
};

/* --- bytes --- */

static uint32_t load32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint64_t load64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static size_t hash(uint64_t bytes)
{
	return (size_t)(bytes * 0x9e3779b97f4a7c15U >> (64 - TABLE_BITS));
}

/* A bit for each of VECTOR bytes that are the same. */
static inline uint32_t same_bytes(const uint8_t *a, const uint8_t *b)
{
#ifdef __SSE2__
	const __m128i *va = (const __m128i *)(const void *)a, *vb = (const __m128i *)(const void *)b;
	__m128i low = _mm_cmpeq_epi8(_mm_loadu_si128(va), _mm_loadu_si128(vb));
	__m128i high = _mm_cmpeq_epi8(_mm_loadu_si128(va + 1), _mm_loadu_si128(vb + 1));
	return (uint32_t)_mm_movemask_epi8(low) | (uint32_t)_mm_movemask_epi8(high) << 16;
#else
	uint32_t same = 0;
	for (int i = 0; i < VECTOR; i++)
		same |= (uint32_t)(a[i] == b[i]) << i;
	return same;
#endif
}

/* A bit for each of VECTOR bytes that are `byte`. */
static inline uint32_t bytes_like(const uint8_t *at, uint8_t byte)
{
	uint8_t pattern[VECTOR];

	memset(pattern, byte, sizeof(pattern));
	return same_bytes(at, pattern);
}

/* How many bytes from `at` on are the same as from `source` on, which is before it. */
static inline size_t match_length(const struct parse *parse, size_t source, size_t at)
{
	const uint8_t *a = parse->text + source, *b = parse->text + at, *end = parse->text + parse->len;

	for (; end - b >= VECTOR; a += VECTOR, b += VECTOR) {
		uint32_t same = same_bytes(a, b);

		if (same != UINT32_MAX)
			return (size_t)(b - parse->text) - at + (size_t)__builtin_ctz(~same);
	}
	while (b < end && *a == *b) {
		a++;
		b++;
	}
	return (size_t)(b - parse->text) - at;
}

/* --- columns --- */

/* Where a value begins; the first one of a piece is taken to begin with a quote. */
static inline size_t value_begin(const struct columns *columns, size_t value)
{
	return value ? columns->ends[value - 1] + (size_t)BETWEEN : 1;
}

struct rows {
	size_t begin;       /* the first value of the line */
	size_t above_begin; /* of the line before */
	size_t above_end;
};

static inline void add_value(struct columns *columns, struct rows *rows, size_t end, bool is_last)
{
	size_t value = columns->count++, above = rows->above_begin + (value - rows->begin);

	columns->ends[value] = (uint16_t)end;
	columns->above[value] = above < rows->above_end ? (uint16_t)above : NO_VALUE;
	if (is_last)
		*rows = (struct rows){ columns->count, rows->begin, columns->count };
}

/* A value ends with a quote before a comma or a LF. In values that hold such bytes it is found to end too early, which
 * is no mistake: it only makes for worse matches. */
static void find_values(struct columns *columns, const uint8_t *text, size_t len)
{
	struct rows rows = { 0 };
	uint32_t quote_before = 0;
	size_t at = 0;

	columns->count = 0;
	for (; at + VECTOR <= len; at += VECTOR) {
		uint32_t quotes = bytes_like(text + at, '"');
		uint32_t commas = bytes_like(text + at, ','), feeds = bytes_like(text + at, '\n');
		uint32_t after = (commas | feeds) & (quotes << 1 | quote_before);

		quote_before = quotes >> (VECTOR - 1);
		for (; after; after &= after - 1) {
			unsigned bit = (unsigned)__builtin_ctz(after);

			add_value(columns, &rows, at + bit - 1, feeds >> bit & 1);
		}
	}
	for (at = at ? at : 1; at < len; at++)
		if (text[at - 1] == '"' && (text[at] == ',' || text[at] == '\n'))
			add_value(columns, &rows, at - 1, text[at] == '\n');
	columns->ends[columns->count] = (uint16_t)len;
	columns->above[columns->count] = NO_VALUE;
}

/* The last value that began with the same bytes as this one does, which becomes the last; or NO_VALUE. */
static inline size_t look_up(struct parse *parse, size_t value)
{
	size_t begin = value_begin(parse->columns, value);

	if (begin + sizeof(uint64_t) > parse->len)
		return NO_VALUE;
	uint16_t *last = &parse->columns->values[hash(load64(parse->text + begin))];
	size_t found = *last;
	*last = (uint16_t)value;
	return found && found < value ? found : NO_VALUE;
}

/* --- matches --- */

static int log2_of(size_t n)
{
	return 31 - __builtin_clz((unsigned)n);
}

/* Where another value has the part that corresponds to `at` in this one. A match need not be possible there. */
static inline size_t source_of(const struct parse *parse, size_t own, size_t other)
{
	return value_begin(parse->columns, other) + parse->at - value_begin(parse->columns, own);
}

/* A source before the text, at its first value, wraps round and so is out of reach, too. */
static inline bool is_within_reach(const struct parse *parse, size_t source)
{
	return source < parse->at && parse->at - source <= DISTANCE_MAX;
}

/* Makes *best the match at another value if that is better. */
static inline void try_value(const struct parse *parse, size_t own, size_t other, struct match *best)
{
	if (other == NO_VALUE)
		return;
	size_t source = source_of(parse, own, other);
	if (!is_within_reach(parse, source))
		return;
	size_t length = match_length(parse, source, parse->at);
	int saved = (int)length * LITERAL_BITS - log2_of(parse->at - source);
	if (length >= MATCH_MIN && saved > best->saved)
		*best = (struct match){ length, source, other, saved };
}

static inline void copy_literals(struct parse *parse, size_t count)
{
	uint8_t *to = parse->piece->literals + parse->piece->literals_len;
	const uint8_t *from = parse->text + parse->literals_at;

	if (count <= VECTOR && parse->literals_at + VECTOR <= parse->len)
		memcpy(to, from, VECTOR);
	else
		memcpy(to, from, count);
	parse->piece->literals_len += count;
}

/* Moves to the value that what follows is in or right after. */
static inline void find_own(struct parse *parse)
{
	while (parse->columns->ends[parse->value] < parse->at && parse->value < parse->columns->count)
		parse->value++;
}

/* Moves to after a match that begins at parse->at; `own` is to the text what match->value is to the source. */
static inline void take(struct parse *parse, size_t own, const struct match *match)
{
	struct piece *piece = parse->piece;
	size_t literals = parse->at - parse->literals_at, length = match->length;

	copy_literals(parse, literals);
	while (length > 0) {
		/* so that no rest is too short */
		size_t part = length <= MATCH_MAX            ? length :
		              length < MATCH_MAX + MATCH_MIN ? length - MATCH_MIN :
		                                               MATCH_MAX;

		piece->sequences[piece->sequences_count++] = (struct sequence){
			(uint16_t)literals,
			(uint16_t)part,
			(uint16_t)(parse->at - match->source),
		};
		literals = 0;
		length -= part;
	}
	parse->at += match->length;
	parse->literals_at = parse->at;
	find_own(parse);
	parse->source_value = match->value + (parse->value - own);
}

/* --- the two places --- */

/* At the quote after a value. */
static void parse_between(struct parse *parse)
{
	struct match best = { 0 };
	size_t next = parse->value + 1;

	size_t above = parse->columns->above[next], seen = look_up(parse, next);
	size_t onward = parse->source_value == NO_VALUE ? above : parse->source_value + 1;
	try_value(parse, next, above, &best);
	if (seen != above)
		try_value(parse, next, seen, &best);
	if (onward != above && onward != seen)
		try_value(parse, next, onward, &best);
	if (best.length) {
		take(parse, next, &best);
		return;
	}
	parse->at = parse->at + BETWEEN < parse->len ? parse->at + BETWEEN : parse->len;
	find_own(parse);
	parse->source_value = parse->columns->above[parse->value];
}

/* Ids, numbers and times have the length that they have in all lines. (A value that is found to begin after its own
 * end is a text, too.) */
static bool is_text(const struct columns *columns, size_t value)
{
	size_t len = columns->ends[value] - value_begin(columns, value), above = columns->above[value];

	return len >= TEXT_MIN && (above == NO_VALUE || columns->ends[above] - value_begin(columns, above) != len);
}

/* Every byte of a text is looked up. */
static void parse_text(struct parse *parse, size_t end)
{
	struct match match = { .value = NO_VALUE };
	uint16_t *places = parse->columns->places;

	if (!parse->has_places)
		memset(places, 0, sizeof(parse->columns->places));
	parse->has_places = true;
	for (; parse->at < end && parse->at + sizeof(uint64_t) <= parse->len; parse->at++) {
		uint16_t *last = &places[hash(load64(parse->text + parse->at) << (64 - 8 * HASHED_MIN))];

		match.source = *last;
		*last = (uint16_t)parse->at;
		if (!match.source || parse->at - match.source > DISTANCE_MAX)
			continue;
		match.length = match_length(parse, match.source, parse->at);
		if (match.length >= HASHED_MIN) {
			take(parse, parse->value, &match);
			parse->source_value = NO_VALUE;
			return;
		}
	}
	parse->at = end;
}

/* Bits for those of VECTOR bytes from which on MATCH_MIN are the same. */
static inline uint32_t same_runs(const uint8_t *a, const uint8_t *b)
{
	uint32_t same = same_bytes(a, b);

	same &= same >> 1;
	return same & same >> 2;
}

/* The first of the bytes up to `end` from which on four are the same as at either source, or `end`. */
static size_t find_same(const struct parse *parse, size_t at, size_t end, size_t a, size_t b, bool *is_a)
{
	const size_t step = VECTOR - (MATCH_MIN - 1);

	for (; at < end && at + VECTOR <= parse->len; at += step, a += step, b += step) {
		uint32_t same_a = same_runs(parse->text + a, parse->text + at);
		uint32_t same_b = b == a ? 0 : same_runs(parse->text + b, parse->text + at);

		if (same_a | same_b) {
			unsigned bit = (unsigned)__builtin_ctz(same_a | same_b);

			*is_a = same_a >> bit & 1;
			return at + bit < end ? at + bit : end;
		}
	}
	for (; at < end && at + MATCH_MIN <= parse->len; at++, a++, b++) {
		*is_a = load32(parse->text + a) == load32(parse->text + at);
		if (*is_a || load32(parse->text + b) == load32(parse->text + at))
			return at;
	}
	return end;
}

/* In a value that is not the one above, nor the one of the last match: skips what differs. */
static void parse_changed(struct parse *parse, size_t end)
{
	size_t sources[2], values[2], count = 0;
	size_t candidates[2] = { parse->columns->above[parse->value], parse->source_value };

	for (int i = 0; i < 2; i++) {
		if (candidates[i] == NO_VALUE)
			continue;
		size_t source = source_of(parse, parse->value, candidates[i]);
		if (!is_within_reach(parse, source))
			continue;
		sources[count] = source;
		values[count++] = candidates[i];
	}
	if (count == 0) {
		parse->at = end;
		return;
	}
	bool is_first = true;
	size_t other = count - 1, same = find_same(parse, parse->at, end, sources[0], sources[other], &is_first);
	size_t which = is_first ? 0 : other;
	struct match match = { .source = sources[which] + (same - parse->at), .value = values[which] };
	parse->at = same;
	if (same == end)
		return;
	match.length = match_length(parse, match.source, same);
	take(parse, parse->value, &match);
}

/* After a match that ends in a value. */
static void parse_within(struct parse *parse, size_t end)
{
	struct match best = { 0 };
	size_t value = parse->value;

	if (parse->at >= value_begin(parse->columns, value))
		try_value(parse, value, look_up(parse, value), &best);
	if (best.length >= HASHED_MIN)
		take(parse, value, &best);
	else if (is_text(parse->columns, value))
		parse_text(parse, end);
	else
		parse_changed(parse, end);
}

void deflate_parse(struct columns *columns, const uint8_t *text, size_t len, struct piece *piece)
{
	struct parse parse = { .columns = columns, .piece = piece, .text = text, .len = len, .source_value = NO_VALUE };

	find_values(columns, text, len);
	memset(columns->values, 0, sizeof(columns->values));
	piece->sequences_count = piece->literals_len = 0;
	while (parse.at < len) {
		size_t end = columns->ends[parse.value];

		if (parse.at < end)
			parse_within(&parse, end);
		else
			parse_between(&parse);
	}
	copy_literals(&parse, len - parse.literals_at);
}
