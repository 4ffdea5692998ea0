/* SPDX-License-Identifier: ISC */
/*
 * moves_private.h: what moves.c, which keeps the file, and move_finish.c, which finishes what is in it, share.
 */
#ifndef CDRD_STORE_PUTTING_MOVES_PRIVATE_H
#define CDRD_STORE_PUTTING_MOVES_PRIVATE_H

#include "base/buf.h"
#include "base/error.h"
#include "store/putting/moves.h"

#define MOVES_MAGIC 0x31564f4d /* MOV1 */

/* Before each row. Little-endian, as on the machines that this runs on. */
struct move_head {
	uint32_t magic;
	uint32_t crc32; /* of the head with this field zero, and the row */
	uint32_t row_bytes;
	int32_t from_day;
	struct account_key account;
	uint8_t product;
	uint8_t to_direction;
	uint8_t reserved[6];
	int64_t to_us;
	uint64_t to_seq;
};

struct moves {
	int fd;
	struct buf path;
	struct buf noted;  /* by what is not committed */
	bool written;      /* `noted` is in the file, after what is left */
	size_t left_bytes; /* of the file: to be finished */
	size_t kept_bytes; /* after them: done, and kept for a backup */
	bool keeps;
	int64_t again_us; /* monotonic: not before */
	bool finishing;
	uint64_t began_seq; /* the last change before finishing began */
};

/* The checksum that a head should have. */
uint32_t moves_crc(const struct move_head *head, const char *row);

/* Writes into the file, and truncates it after what is left and kept. */
MUST_CHECK int moves_write_at(struct moves *moves, struct str bytes, size_t offset, struct error *err);
void moves_cut(struct moves *moves);

#endif
