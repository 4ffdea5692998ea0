/* SPDX-License-Identifier: ISC */
/*
 * rows_body.c: see rows_body.h.
 */
#include "clickhouse/rows_body.h"

#include <isa-l/crc.h>
#include <string.h>

#define BLOCK_MAX 65535
#define HEAD_BYTES 10
#define BLOCK_HEAD_BYTES 5
#define END_BYTES 8

void rows_body_begin(struct rows_body *body, struct str rows)
{
	*body = (struct rows_body){ .rows = rows };
}

uint64_t rows_body_size(struct str rows)
{
	uint64_t blocks = rows.len == 0 ? 1 : (rows.len + BLOCK_MAX - 1) / BLOCK_MAX;

	return HEAD_BYTES + blocks * BLOCK_HEAD_BYTES + rows.len + END_BYTES;
}

static void add_number(struct rows_body *body, uint32_t number, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		body->piece[body->piece_len++] = (uint8_t)(number >> 8 * i);
}

static void begin_block(struct rows_body *body)
{
	size_t left = body->rows.len - body->at;
	uint32_t len = left < BLOCK_MAX ? (uint32_t)left : BLOCK_MAX;

	body->has_last = len == left;
	add_number(body, body->has_last, 1);
	add_number(body, len, 2);
	add_number(body, ~len, 2);
	body->block_left = len;
}

/* What comes after what has been read; false if that was all. */
static bool begin_piece(struct rows_body *body)
{
	static const uint8_t head[HEAD_BYTES] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff };

	body->piece_len = body->piece_at = 0;
	if (!body->has_begun) {
		memcpy(body->piece, head, sizeof(head));
		body->piece_len = sizeof(head);
		body->has_begun = true;
	} else if (!body->has_last) {
		begin_block(body);
	} else if (!body->has_ended) {
		add_number(body, body->crc32, 4);
		add_number(body, (uint32_t)body->rows.len, 4);
		body->has_ended = true;
	}
	return body->piece_len > 0;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Of the piece, then of the block that it begins. */
static size_t read_some(struct rows_body *body, char *out, size_t room)
{
	size_t len;

	if (body->piece_at < body->piece_len) {
		len = smaller(room, body->piece_len - body->piece_at);
		memcpy(out, body->piece + body->piece_at, len);
		body->piece_at += len;
		return len;
	}
	len = smaller(room, body->block_left);
	if (len == 0)
		return 0;
	memcpy(out, body->rows.p + body->at, len);
	body->crc32 = crc32_gzip_refl(body->crc32, (const unsigned char *)out, len);
	body->at += len;
	body->block_left -= len;
	return len;
}

size_t rows_body_read(struct rows_body *body, char *out, size_t room)
{
	size_t given = 0;

	while (given < room) {
		size_t len = read_some(body, out + given, room - given);

		if (len == 0 && !begin_piece(body))
			break;
		given += len;
	}
	return given;
}
