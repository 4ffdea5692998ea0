/* SPDX-License-Identifier: ISC */
/*
 * inflate.c: gzip and zstd bodies. One row per coding in `codecs`; each keeps its own state after the common one.
 *
 * Both formats may be concatenated: `cat a.gz b.gz` and `cat a.zst b.zst` are valid bodies, and log shippers send them.
 * libzstd continues by itself; ISA-L must be reset between members. ISA-L could read gzip's header by itself too
 * (ISAL_GZIP), but then forgets the header's flags when the header arrives in two pieces; so it is read separately.
 */
#include "http/inflate.h"

#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define WINDOW_LOG_MAX 23 /* 8 MiB: what RFC 9659 asks a decoder of Content-Encoding zstd to take, and no more */

static const char broken[] = "cannot be decompressed";
static const char large_window[] = "needs a zstd window of more than 8 MiB";
static const char old_zstd[] = "is of a format that zstd had before 0.8";

struct gzip {
	bool in_header;
	struct isal_gzip_header header;
	struct inflate_state state;
};

struct http_inflate {
	const struct codec *codec;
	bool complete;
	bool in_frame; /* of zstd: past its first byte */
	union {
		struct gzip *gzip;
		ZSTD_DCtx *zstd;
	};
};

struct codec {
	const char *names[2];
	bool (*begin)(struct http_inflate *inflate);
	const char *(*step)(struct http_inflate *inflate, struct str *in, char *out, size_t size, size_t *made);
	void (*end)(struct http_inflate *inflate);
};

/* --- gzip --- */

static void gzip_begin_member(struct gzip *gzip)
{
	isal_inflate_reset(&gzip->state);
	isal_gzip_header_init(&gzip->header);
	gzip->state.crc_flag = ISAL_GZIP_NO_HDR_VER; /* what follows the header, its checksum verified */
	gzip->in_header = true;
}

static bool gzip_begin(struct http_inflate *inflate)
{
	inflate->gzip = malloc(sizeof(*inflate->gzip));
	if (!inflate->gzip)
		return false;
	isal_inflate_init(&inflate->gzip->state);
	gzip_begin_member(inflate->gzip);
	return true;
}

/* Consumes the input that the state holds: the header first, then the data. */
static bool gzip_advance(struct gzip *gzip)
{
	if (gzip->in_header) {
		int result = isal_read_gzip_header(&gzip->state, &gzip->header);

		if (result != ISAL_DECOMP_OK)
			return result == ISAL_END_INPUT;
		gzip->in_header = false;
	}
	return isal_inflate(&gzip->state) == ISAL_DECOMP_OK;
}

/* Zeros after a member pad a tape's or device's block. */
static void skip_padding(struct str *in)
{
	while (in->len > 0 && in->p[0] == '\0') {
		in->p++;
		in->len--;
	}
}

static const char *gzip_step(struct http_inflate *inflate, struct str *in, char *out, size_t size, size_t *made)
{
	struct inflate_state *state = &inflate->gzip->state;

	if (inflate->complete)
		skip_padding(in);
	if (inflate->complete && in->len == 0)
		return NULL;
	if (inflate->complete)
		gzip_begin_member(inflate->gzip);
	state->next_in = (uint8_t *)(uintptr_t)in->p; /* ISA-L reads it only */
	state->avail_in = (uint32_t)(in->len < UINT32_MAX ? in->len : UINT32_MAX);
	state->next_out = (uint8_t *)out;
	state->avail_out = (uint32_t)size;
	if (!gzip_advance(inflate->gzip))
		return broken;
	size_t taken = (size_t)(state->next_in - (const uint8_t *)in->p);
	in->p += taken;
	in->len -= taken;
	*made = size - state->avail_out;
	inflate->complete = state->block_state == ISAL_BLOCK_FINISH;
	return NULL;
}

static void gzip_end(struct http_inflate *inflate)
{
	free(inflate->gzip);
}

/* --- zstd --- */

static bool zstd_begin(struct http_inflate *inflate)
{
	inflate->zstd = ZSTD_createDCtx();
	if (!inflate->zstd)
		return false;
	return !ZSTD_isError(ZSTD_DCtx_setParameter(inflate->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX));
}

/* libzstd also reads the formats of its first year (from 0.2 on as far as their magic numbers go, which are today's but for
 * the first byte), with other code: it reserves what a frame asks for, whatever the limit of the window, and what it makes
 * of one depends on how the bytes arrive. */
static bool is_old_zstd(unsigned char first)
{
	return first >= 0x22 && first <= 0x27;
}

static const char *zstd_step(struct http_inflate *inflate, struct str *in, char *out, size_t size, size_t *made)
{
	if (!inflate->in_frame && in->len > 0 && is_old_zstd((unsigned char)in->p[0]))
		return old_zstd;
	ZSTD_inBuffer from = { in->p, in->len, 0 };
	ZSTD_outBuffer to = { out, size, 0 };
	size_t hint = ZSTD_decompressStream(inflate->zstd, &to, &from);

	if (ZSTD_isError(hint))
		return ZSTD_getErrorCode(hint) == ZSTD_error_frameParameter_windowTooLarge ? large_window : broken;
	in->p += from.pos;
	in->len -= from.pos;
	*made = to.pos;
	inflate->complete = hint == 0;
	inflate->in_frame = hint > 0 && (inflate->in_frame || from.pos > 0);
	return NULL;
}

static void zstd_end(struct http_inflate *inflate)
{
	ZSTD_freeDCtx(inflate->zstd);
}

/* --- either --- */

static const struct codec codecs[] = {
	[HTTP_CODING_IDENTITY] = { .names = { "", "identity" } },
	[HTTP_CODING_GZIP] = { { "gzip", "x-gzip" }, gzip_begin, gzip_step, gzip_end },
	[HTTP_CODING_ZSTD] = { { "zstd", "zstd" }, zstd_begin, zstd_step, zstd_end },
};

bool http_coding_parse(struct str value, enum http_coding *coding)
{
	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++)
		for (size_t n = 0; n < 2; n++)
			if (str_equal_nocase(value, str_from(codecs[i].names[n]))) {
				*coding = (enum http_coding)i;
				return true;
			}
	return false;
}

struct http_inflate *http_inflate_new(enum http_coding coding)
{
	struct http_inflate *inflate = calloc(1, sizeof(*inflate));

	if (!inflate)
		return NULL;
	inflate->codec = &codecs[coding];
	if (inflate->codec->begin(inflate))
		return inflate;
	http_inflate_free(inflate);
	return NULL;
}

const char *http_inflate_step(struct http_inflate *inflate, struct str *in, char *out, size_t size, size_t *made)
{
	*made = 0;
	/* Without this check libzstd would take the call as the start of another frame. */
	if (inflate->complete && in->len == 0)
		return NULL;
	size_t before = in->len;
	const char *fault = inflate->codec->step(inflate, in, out, size, made);

	if (fault)
		return fault;
	/* A decoder that makes no progress would be called for ever. */
	return *made > 0 || in->len < before || before == 0 ? NULL : broken;
}

bool http_inflate_complete(const struct http_inflate *inflate)
{
	return inflate->complete;
}

void http_inflate_free(struct http_inflate *inflate)
{
	if (!inflate)
		return;
	inflate->codec->end(inflate);
	free(inflate);
}
