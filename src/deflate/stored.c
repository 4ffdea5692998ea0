/* SPDX-License-Identifier: ISC */
/*
 * stored.c: content as stored blocks. It shares nothing with the compressor on purpose: it is the fallback when the
 * compressor has made a mistake.
 *
 *	00  len  ~len  content     for each 65535 bytes or less; len in two bytes, low one first
 *	00  00 00  FF FF           the empty block at the end
 */
#include "deflate/deflate.h"

#include <stdint.h>

#define STORED_MAX UINT16_MAX

static void add_block(struct str content, struct buf *out)
{
	const uint8_t low = (uint8_t)content.len, high = (uint8_t)(content.len >> 8);
	const uint8_t head[] = { 0, low, high, (uint8_t)~low, (uint8_t)~high };

	buf_add(out, head, sizeof(head));
	buf_add_str(out, content);
}

bool deflate_add_stored(struct str content, struct buf *out)
{
	while (content.len > 0) {
		struct str block = { content.p, content.len < STORED_MAX ? content.len : STORED_MAX };

		add_block(block, out);
		content.p += block.len;
		content.len -= block.len;
	}
	add_block((struct str){ "", 0 }, out);
	return !out->failed;
}
