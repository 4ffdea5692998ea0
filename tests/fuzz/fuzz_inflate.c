/* SPDX-License-Identifier: ISC */
/*
 * fuzz_inflate.c: compressed bodies, held against zlib and zstd's own one-call functions.
 *
 *	input = coding, size of pieces, members, flip's place (2), flip; then the content, or the compressed bytes themselves
 *
 * What must hold: what was compressed comes back, in whatever pieces it arrives; and where bytes are no such stream, or are
 * after a flip, the reader and zlib agree on what they are, but for gzip's header, which both read leniently.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "http/inflate.h"

#define HEAD 6
#define MADE_MAX ((size_t)1 << 20) /* of bytes that somebody thought up */

enum how { MAKE_GZIP, MAKE_ZSTD, TAKE_GZIP, TAKE_ZSTD, HOWS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void add_gzip(struct buf *out, struct str content)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)content.p, .avail_in = (uInt)content.len };

	must(deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	size_t room = deflateBound(&z, (uLong)content.len);
	must(buf_reserve(out, room));
	z.next_out = (Bytef *)out->data + out->len;
	z.avail_out = (uInt)room;
	must(deflate(&z, Z_FINISH) == Z_STREAM_END);
	out->len += room - z.avail_out;
	must(deflateEnd(&z) == Z_OK);
}

static void add_zstd(struct buf *out, struct str content)
{
	size_t room = ZSTD_compressBound(content.len);

	must(buf_reserve(out, room));
	size_t made = ZSTD_compress(out->data + out->len, room, content.p, content.len, 1);
	must(!ZSTD_isError(made));
	out->len += made;
}

/* 1 for a stream that is whole, 0 for one that is cut off, -1 for none. */
static int read_back(enum http_coding coding, struct str bytes, size_t piece, struct buf *content)
{
	struct http_inflate *inflate = http_inflate_new(coding);
	char out[512];
	int result = 0;

	must(inflate != NULL);
	while (result == 0 && bytes.len > 0 && content->len < MADE_MAX) {
		struct str in = { bytes.p, bytes.len < piece ? bytes.len : piece };
		size_t given = in.len, made;

		do {
			if (http_inflate_step(inflate, &in, out, sizeof(out), &made))
				result = -1;
			else if (made > 0)
				buf_add(content, out, made);
		} while (result == 0 && (made == sizeof(out) || in.len > 0) && content->len < MADE_MAX);
		bytes = (struct str){ bytes.p + given - in.len, bytes.len - given + in.len };
	}
	if (result == 0 && http_inflate_complete(inflate))
		result = 1;
	http_inflate_free(inflate);
	must(!content->failed);
	return result;
}

/* What zlib makes of a member that begins as the plainest do, without any option of the header. */
static void check_zlib(struct str bytes, int result, struct str content)
{
	static const char plain[] = { 0x1f, (char)0x8b, 8, 0 };
	uint8_t out[512];

	z_stream z = { .next_in = (Bytef *)(uintptr_t)bytes.p, .avail_in = (uInt)bytes.len };
	size_t made = 0;
	int ended;

	if (bytes.len < 10 || memcmp(bytes.p, plain, sizeof(plain)) != 0 || content.len >= MADE_MAX)
		return;
	must(inflateInit2(&z, MAX_WBITS + 16) == Z_OK);
	do {
		z.next_out = out;
		z.avail_out = sizeof(out);
		ended = inflate(&z, Z_NO_FLUSH);
		size_t some = sizeof(out) - z.avail_out;

		must(result < 0 ||
		     (made + some <= content.len && (some == 0 || memcmp(content.p + made, out, some) == 0)));
		made += some;
	} while (ended == Z_OK && made < MADE_MAX);
	if (result == 1)
		must(ended == Z_STREAM_END);
	else if (ended == Z_STREAM_END) /* then what follows it is none */
		must(z.avail_in > 0);
	must(inflateEnd(&z) == Z_OK);
}

static void check_taken(enum http_coding coding, struct str bytes, size_t piece)
{
	struct buf whole = { 0 }, pieces = { 0 };
	int result = read_back(coding, bytes, bytes.len, &whole), again = read_back(coding, bytes, piece, &pieces);

	/* libzstd looks whether a frame whose last block is empty is as long as it says only where it is whole in the input. */
	must(result == again || (coding == HTTP_CODING_ZSTD && result < 0) || whole.len >= MADE_MAX);
	must(result < 0 || whole.len >= MADE_MAX || str_equal(buf_str(&whole), buf_str(&pieces)));
	if (coding == HTTP_CODING_GZIP)
		check_zlib(bytes, result, buf_str(&whole));
	buf_free(&whole);
	buf_free(&pieces);
}

static void check_made(enum http_coding coding, const uint8_t *data, struct str content)
{
	struct buf bytes = { 0 }, back = { 0 }, expected = { 0 };
	size_t piece = 1 + data[1], members = 1 + data[2] % 3, at = (size_t)data[3] | (size_t)data[4] << 8;

	for (size_t i = 0; i < members; i++) {
		if (coding == HTTP_CODING_GZIP)
			add_gzip(&bytes, content);
		else
			add_zstd(&bytes, content);
		buf_add_str(&expected, content);
	}
	must(read_back(coding, buf_str(&bytes), piece, &back) == 1);
	must(expected.len >= MADE_MAX || str_equal(buf_str(&back), buf_str(&expected)));
	bytes.data[at % bytes.len] ^= (char)data[5];
	check_taken(coding, buf_str(&bytes), piece);
	buf_free(&bytes);
	buf_free(&back);
	buf_free(&expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < HEAD)
		return 0;
	struct str rest = { (const char *)data + HEAD, size - HEAD };
	enum how how = data[0] % HOWS;
	enum http_coding coding = how == MAKE_GZIP || how == TAKE_GZIP ? HTTP_CODING_GZIP : HTTP_CODING_ZSTD;

	if (how == MAKE_GZIP || how == MAKE_ZSTD)
		check_made(coding, data, rest);
	else
		check_taken(coding, rest, 1 + data[1]);
	return 0;
}
