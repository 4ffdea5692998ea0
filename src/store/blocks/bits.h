/* SPDX-License-Identifier: ISC */
/*
 * bits.h: numbers packed into few bits, the lowest bit first; private to store/blocks/.
 */
#ifndef CDRD_STORE_BLOCKS_BITS_H
#define CDRD_STORE_BLOCKS_BITS_H

#include "base/buf.h"

/* How many bits a number takes; 0 takes none. */
static inline uint8_t bits_width(uint64_t largest)
{
	return largest ? (uint8_t)(64 - __builtin_clzll(largest)) : 0;
}

/* Zeroed but for `out`. */
struct bit_writer {
	struct buf *out;
	uint64_t bits;
	int count; /* that wait for a whole byte: less than 8 between calls */
};

static inline void bits_put(struct bit_writer *writer, uint64_t value, int width)
{
	while (width > 0) {
		int take = width < 8 ? width : 8;

		writer->bits |= (value & ((UINT64_C(1) << take) - 1)) << writer->count;
		writer->count += take;
		value >>= take;
		width -= take;
		while (writer->count >= 8) {
			buf_add_char(writer->out, (char)(writer->bits & 0xff));
			writer->bits >>= 8;
			writer->count -= 8;
		}
	}
}

#endif
