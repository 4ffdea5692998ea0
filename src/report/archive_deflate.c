/* SPDX-License-Identifier: ISC */
/*
 * archive_deflate.c: compresses content to raw deflate that ends on a full flush, and inflates it, with ISA-L.
 *
 * Content here is compressed once and delivered once: ISA-L takes a tenth less time than deflate/, which makes the
 * store's blocks a tenth smaller.
 *
 * Each call starts without history and ends on a whole byte, by an empty stored block (00 00 FF FF after its header) or
 * because the last block is a stored one: parts can be laid end to end.
 *
 * The same content must become the same bytes in every process. ISA-L (2.30, level 1, AVX2) does not ensure that: in
 * isal_deflate_icf_body the third hash of a fresh stream depends on the stream's address, which adds or loses a match
 * about once in 500 calls. Streams with a history avoid that code, so the first bytes are compressed in a call of their
 * own; that costs some 20 bytes a part and 6% of the time.
 */
#include "report/archive_private.h"

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>

/* Measured on SMS records, a million rows: 0.51 s and 86 MB; level 0 0.48 s and 108 MB, level 3 1.12 s and 82 MB. */
#define LEVEL 1
#define FIRST_BYTES 16 /* as many as that loop leaves to another one */

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

/* ISA-L falls back to stored blocks (5 bytes per 64 KiB) for incompressible data; the rest is for the flushes. */
static size_t bound(size_t len)
{
	return len + len / 8192 + 512;
}

/* Compresses `len` bytes at *in and moves *in past them. */
static bool compress(struct isal_zstream *stream, const char **in, size_t len, uint16_t flush)
{
	stream->flush = flush;
	stream->next_in = (uint8_t *)(uintptr_t)*in; /* ISA-L reads it only */
	stream->avail_in = (uint32_t)len;
	*in += len;
	return isal_deflate(stream) == COMP_OK && stream->avail_in == 0 && stream->avail_out > 0;
}

bool archive_deflate(void *compressor, struct str content, struct buf *out)
{
	struct deflate *deflate = compressor;
	struct isal_zstream *stream = &deflate->stream;
	size_t first = content.len > FIRST_BYTES ? FIRST_BYTES : 0;

	if (content.len > UINT32_MAX / 2 || !buf_reserve(out, bound(content.len)))
		return false;
	isal_deflate_init(stream);
	stream->level = LEVEL;
	stream->level_buf = deflate->level_buf;
	stream->level_buf_size = sizeof(deflate->level_buf);
	stream->next_out = (uint8_t *)out->data + out->len;
	stream->avail_out = (uint32_t)bound(content.len);
	if (first > 0 && !compress(stream, &content.p, first, SYNC_FLUSH))
		return false;
	if (!compress(stream, &content.p, content.len - first, FULL_FLUSH))
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
