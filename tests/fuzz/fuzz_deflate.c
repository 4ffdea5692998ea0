/* SPDX-License-Identifier: ISC */
/*
 * fuzz_deflate.c: any content to deflate and back, with ISA-L and with zlib.
 *
 * An input is the content. What must hold: both bring it back, it takes no more than stored blocks would, the next
 * content does not depend on it, and one after the other they are a stream of both. Parts of it are sifted, of lengths that its
 * bytes say: zlib brings back just these; likewise of what zlib makes of it, two blocks of which the second reaches back into
 * the first. As deflate itself, an input is sifted or refused, and harms nothing.
 */
#include <isa-l/igzip_lib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "deflate/deflate.h"
#include "deflate/sift.h"

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

/* What parts of the text that is in `read` become, against zlib unless it is not known whether the deflate was right. */
static void check_parts(struct deflate_sift *sift, const char *read, size_t size, bool is_right)
{
	struct str pieces[DEFLATE_SIFT_PIECES_MAX];
	struct buf content = { 0 }, out = { 0 };
	size_t count = 0;

	for (size_t at = 0; at < size && count < DEFLATE_SIFT_PIECES_MAX; count++) {
		size_t len = 1 + (uint8_t)read[at] * (size_t)(1 + count % 5);

		len = len < size - at ? len : size - at;
		pieces[count] = (struct str){ read + at, len };
		buf_add_str(&content, pieces[count]);
		at += len + 1 + (uint8_t)read[at] % 64 * (count % 3);
	}
	must(!content.failed);
	bool written = count > 0 && deflate_sift_write(sift, pieces, count, &out);
	must(written || !is_right || count == 0);
	if (written)
		check_zlib(buf_str(&out), buf_str(&content));
	buf_free(&content);
	buf_free(&out);
}

static struct deflate_sift *the_sift(void)
{
	static struct deflate_sift *sift;

	if (!sift)
		sift = deflate_sift_new();
	must(sift);
	return sift;
}

/* Stored blocks and codes of one symbol alone are refused, which is for the caller to deal with. */
static void check_sift(struct str deflated, struct str content)
{
	struct deflate_sift *sift = the_sift();
	char *to = malloc(content.len + DEFLATE_SIFT_SLACK);

	must(to);
	if (deflate_sift_read(sift, deflated, to, content.len)) {
		must(content.len == 0 || memcmp(to, content.p, content.len) == 0);
		check_parts(sift, to, content.len, true);
	}
	for (size_t len = 0; len <= content.len; len = 2 * len + 1)
		if (deflate_sift_read(sift, content, to, len))
			check_parts(sift, to, len, false);
	free(to);
}

/* A block of zlib's may have no code for a byte that stays: that is refused. */
static void check_foreign(struct str content)
{
	struct z_stream_s state = { .next_in = (Bytef *)(uintptr_t)content.p, .avail_in = (uInt)(content.len / 2) };
	size_t room = 2 * content.len + 1000;
	char *to = malloc(room), *read = malloc(content.len + DEFLATE_SIFT_SLACK);

	must(to && read);
	must(deflateInit2(&state, 1 + (int)(content.len % 9), Z_DEFLATED, -MAX_WBITS, 9,
	                  content.len % 5 ? Z_DEFAULT_STRATEGY : Z_FIXED) == Z_OK);
	state.next_out = (Bytef *)to;
	state.avail_out = (uInt)room;
	must(content.len < 2 || deflate(&state, Z_BLOCK) == Z_OK);
	state.avail_in = (uInt)(content.len - content.len / 2);
	must(deflate(&state, Z_FULL_FLUSH) == Z_OK);
	if (deflate_sift_read(the_sift(), (struct str){ to, state.total_out }, read, content.len)) {
		must(content.len == 0 || memcmp(read, content.p, content.len) == 0);
		check_parts(the_sift(), read, content.len, false);
	}
	(void)deflateEnd(&state);
	free(read);
	free(to);
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
	check_sift(buf_str(&out), content);
	check_foreign(content);
	free(to);
	buf_free(&out);
	buf_free(&again);
	return 0;
}
