/* SPDX-License-Identifier: ISC */
/*
 * fuzz_deflate.c: any content to deflate and back, with ISA-L.
 *
 * An input is the content. What must hold: it comes back, it takes no more than stored blocks would, and the next
 * content does not depend on it.
 */
#include <isa-l/igzip_lib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "deflate/deflate.h"

#define BLOCK_BYTES 10 /* of a block's head, and of the flush */
#define PIECE_LEAST 16000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
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
	free(to);
	buf_free(&out);
	buf_free(&again);
	return 0;
}
