/* SPDX-License-Identifier: ISC */
/*
 * deflate.c: sequences to blocks. See deflate.h.
 *
 * Each piece of the content becomes one block, of the kind that takes the fewest bits: with codes of its own, with the
 * fixed codes, or stored.
 */
#include "deflate/deflate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "deflate/deflate_private.h"

#define LITERAL_BITS_MAX 12 /* four literals fit the bits between two stores */
#define STORED_BYTES 5      /* of a stored block, before its content */
#define BOUND_SLACK 64      /* of a piece: a stored block, the flush, and what a store of 64 bits writes too much */

struct frequencies {
	uint32_t literals[SYMBOLS_MAX];
	uint32_t distances[DISTANCE_SYMBOLS];
};

/* The lengths of a block's codes as its head holds them: symbols, and the extra bits of those that have some. */
struct head {
	uint8_t symbols[LITERAL_SYMBOLS + DISTANCE_SYMBOLS];
	uint8_t extras[LITERAL_SYMBOLS + DISTANCE_SYMBOLS];
	size_t count;
	size_t literals_count;
	size_t distances_count;
	size_t codes_count;
	uint8_t lengths[CODE_SYMBOLS];
	uint16_t codes[CODE_SYMBOLS];
};

struct deflate {
	struct columns columns;
	struct piece piece;
	struct frequencies frequencies;
	struct head head;
	struct codes own;
	struct codes fixed;
	uint8_t length_symbols[MATCH_MAX + 1];
};

struct deflate *deflate_new(void)
{
	struct deflate *deflate = calloc(1, sizeof(*deflate));

	if (!deflate)
		return NULL;
	for (unsigned symbol = 0, length = deflate_length_bases[0]; length <= MATCH_MAX; length++) {
		if (symbol + 1 < LENGTH_SYMBOLS && length >= deflate_length_bases[symbol + 1])
			symbol++;
		deflate->length_symbols[length] = (uint8_t)symbol;
	}
	deflate_fixed_lengths(&deflate->fixed);
	deflate_fill_codes(&deflate->fixed);
	return deflate;
}

void deflate_free(struct deflate *deflate)
{
	free(deflate);
}

/* --- a block's size --- */

/* For one distance, or none, fewer than two codes would do. Not all readers accept that. */
static void ensure_two_distances(uint32_t frequencies[DISTANCE_SYMBOLS])
{
	unsigned used = 0;

	for (unsigned i = 0; i < DISTANCE_SYMBOLS; i++)
		used += frequencies[i] > 0;
	for (unsigned i = 0; used < 2; i++) {
		used += frequencies[i] == 0;
		frequencies[i]++;
	}
}

static void count_frequencies(struct deflate *deflate)
{
	const struct piece *piece = &deflate->piece;
	struct frequencies *frequencies = &deflate->frequencies;
	uint32_t second[256] = { 0 }; /* in one table, equal neighbours would wait for each other */
	size_t i = 0;

	*frequencies = (struct frequencies){ 0 };
	for (; i + 2 <= piece->literals_len; i += 2) {
		frequencies->literals[piece->literals[i]]++;
		second[piece->literals[i + 1]]++;
	}
	if (i < piece->literals_len)
		frequencies->literals[piece->literals[i]]++;
	for (i = 0; i < 256; i++)
		frequencies->literals[i] += second[i];
	for (i = 0; i < piece->sequences_count; i++) {
		frequencies->literals[FIRST_LENGTH + deflate->length_symbols[piece->sequences[i].length]]++;
		frequencies->distances[distance_symbol(piece->sequences[i].distance)]++;
	}
	frequencies->literals[END_OF_BLOCK]++;
	ensure_two_distances(frequencies->distances);
}

static size_t content_bits(const struct frequencies *frequencies, const struct codes *codes)
{
	size_t bits = 0;

	for (size_t i = 0; i < LITERAL_SYMBOLS; i++)
		bits += frequencies->literals[i] *
		        (codes->literal_lengths[i] +
		         (size_t)(i >= FIRST_LENGTH ? deflate_length_extra_bits[i - FIRST_LENGTH] : 0));
	for (unsigned i = 0; i < DISTANCE_SYMBOLS; i++)
		bits += frequencies->distances[i] * (codes->distance_lengths[i] + (size_t)distance_extra_bits(i));
	return bits;
}

static void add_to_head(struct head *head, unsigned symbol, size_t extra)
{
	head->symbols[head->count] = (uint8_t)symbol;
	head->extras[head->count++] = (uint8_t)extra;
}

/* `count` times the same length, at least once. */
static void add_run_to_head(struct head *head, unsigned length, size_t count)
{
	size_t part;

	if (length != 0) {
		add_to_head(head, length, 0);
		count--;
	}
	for (; count >= 3; count -= part) {
		if (length != 0) {
			part = count < 6 ? count : 6;
			add_to_head(head, 16, part - 3);
		} else if (count <= 10) {
			part = count;
			add_to_head(head, 17, part - 3);
		} else {
			part = count < 138 ? count : 138;
			add_to_head(head, 18, part - 11);
		}
	}
	while (count-- > 0)
		add_to_head(head, length, 0);
}

static unsigned code_extra_bits(unsigned symbol)
{
	return symbol < 16 ? 0 : symbol == 16 ? 2 : symbol == 17 ? 3 : 7;
}

/* How many lengths there are without the zeros at the end, at least `min`. */
static size_t count_lengths(const uint8_t *lengths, size_t count, size_t min)
{
	while (count > min && !lengths[count - 1])
		count--;
	return count;
}

/* Encodes the lengths of a block's own codes; returns how many bits they take. */
static size_t make_head(struct head *head, const struct codes *codes)
{
	uint8_t all[LITERAL_SYMBOLS + DISTANCE_SYMBOLS];
	uint32_t frequencies[CODE_SYMBOLS] = { 0 };

	head->count = 0;
	head->literals_count = count_lengths(codes->literal_lengths, LITERAL_SYMBOLS, FIRST_LENGTH);
	head->distances_count = count_lengths(codes->distance_lengths, DISTANCE_SYMBOLS, 1);
	size_t count = head->literals_count + head->distances_count, bits = 5 + 5 + 4;
	memcpy(all, codes->literal_lengths, head->literals_count);
	memcpy(all + head->literals_count, codes->distance_lengths, head->distances_count);
	for (size_t i = 0, end; i < count; i = end) {
		for (end = i + 1; end < count && all[end] == all[i]; end++)
			;
		add_run_to_head(head, all[i], end - i);
	}
	for (size_t i = 0; i < head->count; i++)
		frequencies[head->symbols[i]]++;
	deflate_code_lengths(frequencies, CODE_SYMBOLS, CODE_BITS_MAX, head->lengths);
	deflate_codes(head->lengths, CODE_SYMBOLS, head->codes);
	head->codes_count = CODE_SYMBOLS;
	while (head->codes_count > 4 && !head->lengths[deflate_code_order[head->codes_count - 1]])
		head->codes_count--;
	for (unsigned i = 0; i < CODE_SYMBOLS; i++)
		bits += frequencies[i] * (head->lengths[i] + (size_t)code_extra_bits(i));
	return bits + 3 * head->codes_count;
}

/* --- writing --- */

static void write_head(struct bits *bits, const struct head *head)
{
	put(bits, head->literals_count - FIRST_LENGTH, 5);
	put(bits, head->distances_count - 1, 5);
	put(bits, head->codes_count - 4, 4);
	for (size_t i = 0; i < head->codes_count; i++) {
		store(bits);
		put(bits, head->lengths[deflate_code_order[i]], 3);
	}
	for (size_t i = 0; i < head->count; i++) {
		unsigned symbol = head->symbols[i];

		store(bits);
		put(bits, head->codes[symbol], head->lengths[symbol]);
		put(bits, head->extras[i], code_extra_bits(symbol));
	}
	store(bits);
}

static inline const uint8_t *write_literals(struct bits *bits, const struct codes *codes, const uint8_t *at,
                                            size_t count)
{
	const uint8_t *end = at + count;

	for (; end - at >= 4; at += 4) {
		for (int i = 0; i < 4; i++)
			put_code(bits, codes->literals[at[i]]);
		store(bits);
	}
	while (at < end)
		put_code(bits, codes->literals[*at++]);
	store(bits);
	return at;
}

static void write_content(struct bits *out, const struct piece *piece, const struct codes *codes)
{
	const uint8_t *literals = piece->literals;
	struct bits own = *out,
		    *bits = &own; /* a local copy: for all the compiler knows, the stores could change *out */

	for (size_t i = 0; i < piece->sequences_count; i++) {
		const struct sequence *sequence = &piece->sequences[i];

		literals = write_literals(bits, codes, literals, sequence->literals);
		write_match(bits, codes, sequence->length, sequence->distance);
	}
	write_literals(bits, codes, literals, piece->literals_len - (size_t)(literals - piece->literals));
	put_code(bits, codes->literals[END_OF_BLOCK]);
	store(bits);
	*out = own;
}

static void write_piece(struct deflate *deflate, const uint8_t *content, size_t len, struct bits *bits)
{
	struct codes *own = &deflate->own;
	size_t own_bits, fixed_bits;

	deflate_parse(&deflate->columns, content, len, &deflate->piece);
	count_frequencies(deflate);
	deflate_code_lengths(deflate->frequencies.literals, LITERAL_SYMBOLS, LITERAL_BITS_MAX, own->literal_lengths);
	deflate_code_lengths(deflate->frequencies.distances, DISTANCE_SYMBOLS, BITS_MAX, own->distance_lengths);
	own_bits = make_head(&deflate->head, own) + content_bits(&deflate->frequencies, own);
	fixed_bits = content_bits(&deflate->frequencies, &deflate->fixed);
	if ((own_bits < fixed_bits ? own_bits : fixed_bits) > 8 * (len + STORED_BYTES)) {
		write_stored(bits, content, len);
	} else if (own_bits < fixed_bits) {
		deflate_fill_codes(own);
		put(bits, BLOCK_DYNAMIC << 1, 3);
		write_head(bits, &deflate->head);
		write_content(bits, &deflate->piece, own);
	} else {
		put(bits, BLOCK_FIXED << 1, 3);
		store(bits);
		write_content(bits, &deflate->piece, &deflate->fixed);
	}
}

/* Where to end a piece that is to have about `wanted` bytes: after a line, if one ends in its second half. */
static size_t piece_len(const uint8_t *content, size_t wanted)
{
	for (size_t len = wanted; len > wanted / 2; len--)
		if (content[len - 1] == '\n')
			return len;
	return wanted;
}

static size_t bound(size_t len)
{
	return len + (2 * len / PIECE_MAX + 2) * BOUND_SLACK;
}

bool deflate_add(struct deflate *deflate, struct str content, struct buf *out)
{
	const uint8_t *at = (const uint8_t *)content.p;
	size_t left = content.len;

	if (!buf_reserve(out, bound(content.len)))
		return false;
	struct bits bits = { .to = (uint8_t *)out->data + out->len };
	while (left > 0) {
		size_t len =
			left <= PIECE_MAX ? left : piece_len(at, left <= (size_t)2 * PIECE_MAX ? left / 2 : PIECE_MAX);

		write_piece(deflate, at, len, &bits);
		at += len;
		left -= len;
	}
	write_stored(&bits, at, 0);
	out->len = (size_t)(bits.to - (uint8_t *)out->data);
	return true;
}
