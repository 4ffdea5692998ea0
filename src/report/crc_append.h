/* SPDX-License-Identifier: ISC */
/*
 * crc_append.h: the CRC-32 of content with a part after it, from both CRCs: a report over small accounts has a million
 * parts, and zlib's crc32_combine takes longer than all else that is done with one.
 */
#ifndef CDRD_REPORT_CRC_APPEND_H
#define CDRD_REPORT_CRC_APPEND_H

#include <stdbool.h>
#include <stdint.h>

#define CRC_APPEND_DIGITS 3 /* of a length, to the base 256; blocks are not longer */

/* What content does to a CRC before it: powers[i][k] where it has k * 256^i bytes. Zero-initialised. */
struct crc_append {
	bool is_ready;
	uint32_t powers[CRC_APPEND_DIGITS][256];
};

/* The CRC-32 of content whose own is `crc32` with `part_bytes` after it, whose CRC-32 is `part_crc32`. */
uint32_t crc_append(struct crc_append *append, uint32_t crc32, uint32_t part_crc32, uint64_t part_bytes);

#endif
