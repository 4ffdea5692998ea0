/* SPDX-License-Identifier: ISC */
/*
 * fuzz_deflate.c: any content to deflate and back, with ISA-L and with zlib.
 *
 * An input is the content. What must hold: both bring it back, it takes no more than stored blocks would, the next
 * content does not depend on it, and one after the other they are a stream of both.
 */
#include <isa-l/igzip_lib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "deflate/deflate.h"

#define BLOCK_BYTES 10 /* of a block's head, and of the flush */
#define PIECE_LEAST 16000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* As tools do that know nothing of ISA-L. */
static void check_zlib(struct str deflated, struct str content)
{
	struct z_stream_s state = { .next_in = (Bytef *)(uintptr_t)deflated.p, .avail_in = (uInt)deflated.len };
	char *to = malloc(content.len + 1);

	must(to && inflateInit2(&state, -MAX_WBITS) == Z_OK);
	state.next_out = (Bytef *)to;
	state.avail_out = (uInt)content.len + 1;
	int result = inflate(&state, Z_SYNC_FLUSH);
	must(result == Z_OK || (result == Z_BUF_ERROR && content.len == 0));
	must(state.avail_in == 0 && state.total_out == content.len);
	must(content.len == 0 || memcmp(to, content.p, content.len) == 0);
	(void)inflateEnd(&state);
	free(to);
}

static void check_both(struct str deflated, struct str content)
{
	struct buf twice = { 0 }, content_twice = { 0 };

	buf_add_str(&twice, deflated);
	buf_add_str(&twice, deflated);
	buf_add_str(&content_twice, content);
	buf_add_str(&content_twice, content);
	must(!twice.failed && !content_twice.failed);
	check_zlib(buf_str(&twice), buf_str(&content_twice));
	buf_free(&twice);
	buf_free(&content_twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct deflate *deflate;
	struct str content = { (const char *)data, size };
	struct buf out = { 0 }, again = { 0 };
	struct inflate_state state;
	uint8_t *to = malloc(size + 1);

	if (!deflate)
		deflate = deflate_new();
	must(to && deflate && deflate_add(deflate, content, &out) && deflate_add(deflate, content, &again));
	must(str_equal(buf_str(&out), buf_str(&again)));
	must(out.len <= size + (size / PIECE_LEAST + 2) * BLOCK_BYTES);
	isal_inflate_init(&state);
	state.next_in = (uint8_t *)out.data;
	state.avail_in = (uint32_t)out.len;
	state.next_out = to;
	state.avail_out = (uint32_t)size + 1;
	must(isal_inflate(&state) == ISAL_DECOMP_OK && state.total_out == size);
	must(size == 0 || memcmp(to, data, size) == 0);
	check_zlib(buf_str(&out), content);
	check_both(buf_str(&out), content);
	free(to);
	buf_free(&out);
	buf_free(&again);
	return 0;
}
