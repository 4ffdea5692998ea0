/* SPDX-License-Identifier: ISC */
/*
 * rows_body.h: rows of an insert as the body of a request, of which a server takes all or nothing.
 *
 * A server takes a body that breaks off, as when this process is killed, for one that ends there, if that is between two rows:
 * it stores those before. So rows are sent as gzip, whose end cannot be mistaken, and which need not compress:
 *
 *	1F 8B 08 00  time:4  00  FF     then blocks:  00, or 01 of the last   length:2  ~length:2  bytes     then  crc32:4  length:4
 *
 * Pure.
 */
#ifndef CDRD_CLICKHOUSE_ROWS_BODY_H
#define CDRD_CLICKHOUSE_ROWS_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct rows_body {
	struct str rows;
	size_t at;         /* of them, so many are in blocks that have begun */
	size_t block_left; /* bytes of the current block */
	uint32_t crc32;    /* of those that were read */
	bool has_begun, has_last, has_ended;
	uint8_t piece[10]; /* what is not rows */
	size_t piece_len, piece_at;
};

/* The rows must outlive it. */
void rows_body_begin(struct rows_body *body, struct str rows);

/* How many bytes it has, all in all. */
uint64_t rows_body_size(struct str rows);

/* The next ones: `room`, or fewer at the end, then 0. */
size_t rows_body_read(struct rows_body *body, char *out, size_t room);

#endif
