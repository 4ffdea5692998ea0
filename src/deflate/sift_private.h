/* SPDX-License-Identifier: ISC */
/*
 * sift_private.h: what reading and writing share of a compressed text; private to deflate/.
 */
#ifndef CDRD_DEFLATE_SIFT_PRIVATE_H
#define CDRD_DEFLATE_SIFT_PRIVATE_H

#include "deflate/codes.h"
#include "deflate/sift.h"

#define SIFT_INPUT_MAX ((size_t)128 << 10)
#define SIFT_INPUT_SLACK 32 /* zeros after the input: bits are read eight bytes at a time */
#define SIFT_BLOCKS_MAX 8
#define SIFT_MATCHES_MAX \
	(DEFLATE_SIFT_TEXT_MAX / 3 + 2 + SIFT_BLOCKS_MAX) /* one passes the end, and each block has an end */
#define SIFT_PLACE_BITS 6 /* the bytes of the text are looked up by as many as that at once */

/* A match, and where its code is in the input, in bits. After the last one of a block comes one of length 0, which is the code
 * that ends the block. */
struct sift_match {
	uint32_t bits_begin;
	uint32_t bits_end;
	uint32_t at; /* in the text */
	uint16_t length;
	uint16_t distance;
};

struct sift_block {
	uint32_t head_begin; /* its kind and codes, in bits of the input */
	uint32_t head_end;
	uint32_t text_begin;
	uint32_t text_end;
	uint32_t first_match;
	uint8_t literal_lengths[SYMBOLS_MAX];
	uint8_t distance_lengths[SYMBOLS_MAX];
};

/* A part of the text that stays. */
struct sift_run {
	uint32_t begin;
	uint32_t end;
	uint32_t dropped;   /* bytes before it that do not */
	uint32_t gap_first; /* the matches of what is dropped right before it, and more that are not */
	uint32_t gap_end;
};

struct deflate_sift {
	uint8_t input[SIFT_INPUT_MAX + SIFT_INPUT_SLACK];
	size_t input_len;
	const char *text;
	size_t text_len;
	struct sift_block blocks[SIFT_BLOCKS_MAX];
	size_t blocks_count;
	struct sift_match matches[SIFT_MATCHES_MAX];
	size_t matches_count;

	/* of reading: by the bits that come next, what they are (sift_read.c) */
	uint32_t literals[1 << BITS_MAX];
	uint32_t distances[1 << BITS_MAX];

	/* of writing */
	struct sift_run runs[DEFLATE_SIFT_PIECES_MAX];
	size_t runs_count;
	uint8_t run_of[DEFLATE_SIFT_TEXT_MAX >>
	               SIFT_PLACE_BITS]; /* the last run that begins at or before these bytes */
	uint32_t at_match;               /* what comes next of the matches */
	struct codes codes;
};

#endif
