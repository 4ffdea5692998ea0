/* SPDX-License-Identifier: ISC */
/*
 * inflate_segment.c: see inflate_segment.h.
 */
#include "store/blocks/inflate_segment.h"

#include <isa-l/igzip_lib.h>
#include <stdlib.h>

struct inflate_state *inflate_segment_new(void)
{
	return malloc(sizeof(struct inflate_state));
}

/* In one go from the beginning: igzip's streaming way keeps a window and fills it with 64 KiB before it looks at how
 * much is wanted. */
size_t inflate_segment(struct inflate_state *state, struct str compressed, char *out, size_t len, size_t *left)
{
	isal_inflate_init(state);
	state->next_in = (uint8_t *)(uintptr_t)compressed.p;
	state->avail_in = (uint32_t)compressed.len;
	state->next_out = (uint8_t *)out;
	state->avail_out = (uint32_t)len;
	/* What it says is of no use: a segment ends on a flush and not on a stream's last block, which igzip misses,
	 * and near a limit that is not the end it can take a good match for one that goes back too far. */
	(void)isal_inflate_stateless(state);
	*left = state->avail_in;
	return len - state->avail_out;
}
