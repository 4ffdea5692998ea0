/*
 * archive_deflate.c: content to raw deflate that ends on a full flush (deflate.h), and back, with ISA-L.
 */
#include "report/archive_private.h"

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>

#include "deflate/deflate.h"

void *archive_deflate_new(void)
{
	return deflate_new();
}

void archive_deflate_free(void *compressor)
{
	deflate_free(compressor);
}

bool archive_deflate(void *compressor, struct str content, struct buf *out)
{
	return deflate_add(compressor, content, out);
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
