/* SPDX-License-Identifier: ISC */
/*
 * codes.c: see codes.h.
 */
#include "deflate/codes.h"

const uint16_t deflate_length_bases[LENGTH_SYMBOLS] = { 3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
	                                                31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258 };
const uint8_t deflate_length_extra_bits[LENGTH_SYMBOLS] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
	                                                    2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0 };
const uint8_t deflate_code_order[CODE_SYMBOLS] = { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 };

/* Of all lengths of matches that a symbol stands for. */
static void fill_matches(struct codes *codes, unsigned symbol)
{
	const struct code code = codes->literals[FIRST_LENGTH + symbol];
	unsigned first = deflate_length_bases[symbol];
	unsigned end = symbol + 1 < LENGTH_SYMBOLS ? deflate_length_bases[symbol + 1] : MATCH_MAX + 1;

	for (unsigned length = first; length < end; length++)
		codes->matches[length] = (struct code){
			.count = (code.count + deflate_length_extra_bits[symbol]) & 0xff,
			.bits = (code.bits | (length - first) << code.count) & 0xffffff,
		};
}

void deflate_fill_codes(struct codes *codes)
{
	uint16_t literals[LITERAL_SYMBOLS + 2];

	deflate_codes(codes->literal_lengths, SYMBOLS_MAX, literals);
	deflate_codes(codes->distance_lengths, DISTANCE_SYMBOLS, codes->distances);
	for (size_t i = 0; i < LITERAL_SYMBOLS; i++)
		codes->literals[i] = (struct code){ codes->literal_lengths[i], literals[i] };
	for (unsigned symbol = 0; symbol < LENGTH_SYMBOLS; symbol++)
		if (codes->literal_lengths[FIRST_LENGTH + symbol])
			fill_matches(codes, symbol);
}

void deflate_fixed_lengths(struct codes *codes)
{
	for (int i = 0; i < SYMBOLS_MAX; i++)
		codes->literal_lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
	for (int i = 0; i < 32; i++)
		codes->distance_lengths[i] = 5;
}
