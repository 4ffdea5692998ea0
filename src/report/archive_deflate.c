/*
 * archive_deflate.c: content to raw deflate that ends on a full flush, and back, with ISA-L.
 *
 * Each call starts without history and ends on a whole byte, by an empty stored block (00 00 FF FF behind its header)
 * or because the last block is a stored one: parts can be laid end to end.
 */
#include "report/archive_private.h"

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>

#define LEVEL 1

struct deflate {
	struct isal_zstream stream;
	uint8_t level_buf[ISAL_DEF_LVL1_DEFAULT];
};

void *archive_deflate_new(void)
{
	return malloc(sizeof(struct deflate));
}

void archive_deflate_free(void *compressor)
{
	free(compressor);
}

/* ISA-L falls back to stored blocks (5 bytes each 64 KiB) where nothing can be saved; the rest is for the flush. */
static size_t bound(size_t len)
{
	return len + len / 8192 + 512;
}

bool archive_deflate(void *compressor, struct str content, struct buf *out)
{
	struct deflate *deflate = compressor;
	struct isal_zstream *stream = &deflate->stream;

	if (content.len > UINT32_MAX / 2 || !buf_reserve(out, bound(content.len)))
		return false;
	isal_deflate_stateless_init(stream);
	stream->level = LEVEL;
	stream->level_buf = deflate->level_buf;
	stream->level_buf_size = sizeof(deflate->level_buf);
	stream->flush = FULL_FLUSH;
	stream->next_in = (uint8_t *)(uintptr_t)content.p; /* ISA-L reads it only */
	stream->avail_in = (uint32_t)content.len;
	stream->next_out = (uint8_t *)out->data + out->len;
	stream->avail_out = (uint32_t)bound(content.len);
	if (isal_deflate_stateless(stream) != COMP_OK || stream->avail_in != 0)
		return false;
	out->len += stream->total_out;
	return true;
}

static bool inflate_into(struct inflate_state *state, const struct archive_part *part, uint8_t *to)
{
	isal_inflate_init(state);
	state->next_in = (uint8_t *)(uintptr_t)part->deflate.p;
	state->avail_in = (uint32_t)part->deflate.len;
	state->next_out = to;
	state->avail_out = part->content_bytes;
	return isal_inflate(state) == ISAL_DECOMP_OK && state->total_out == part->content_bytes &&
	       crc32_gzip_refl(0, to, part->content_bytes) == part->content_crc32;
}

bool archive_inflate(const struct archive_part *part, struct buf *out)
{
	struct inflate_state *state;
	bool right;

	if (part->deflate.len > UINT32_MAX || !buf_reserve(out, part->content_bytes))
		return false;
	state = malloc(sizeof(*state));
	if (!state) {
		out->failed = true;
		return false;
	}
	right = inflate_into(state, part, (uint8_t *)out->data + out->len);
	if (right)
		out->len += part->content_bytes;
	free(state);
	return right;
}
