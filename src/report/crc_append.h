/* SPDX-License-Identifier: ISC */
/*
 * crc_append.h: the CRC-32 of content with a part after it, from both CRCs: a report over small accounts has a million
 * parts, and zlib's crc32_combine takes longer than all else that is done with one.
 */
#ifndef CDRD_REPORT_CRC_APPEND_H
#define CDRD_REPORT_CRC_APPEND_H

#include <stdint.h>

#define CRC_APPEND_LENGTHS 4096 /* the blocks of small accounts are not longer */

/* What content of so many bytes does to a CRC before it; 0: not worked out yet. Zero-initialised. */
struct crc_append {
	uint32_t operators[CRC_APPEND_LENGTHS];
};

/* The CRC-32 of content whose own is `crc32` with `part_bytes` after it, whose CRC-32 is `part_crc32`. */
uint32_t crc_append(struct crc_append *append, uint32_t crc32, uint32_t part_crc32, uint64_t part_bytes);

#endif
