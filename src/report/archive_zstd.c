/* SPDX-License-Identifier: ISC */
/*
 * archive_zstd.c: zstd frames (RFC 8878), one a part, each with its size and a checksum.
 *
 * Every reader treats consecutive frames as one stream. The format holds neither a name nor a time.
 */
#include "report/archive_private.h"

#include <zstd.h>

#define LEVEL 1

static void *compressor_new(void)
{
	ZSTD_CCtx *context = ZSTD_createCCtx();

	if (!context)
		return NULL;
	ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, LEVEL);
	ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
	return context;
}

static void compressor_free(void *compressor)
{
	ZSTD_freeCCtx(compressor);
}

static bool compress(void *compressor, struct str content, struct buf *out)
{
	size_t len;

	if (!buf_reserve(out, ZSTD_compressBound(content.len)))
		return false;
	len = ZSTD_compress2(compressor, out->data + out->len, out->cap - out->len, content.p, content.len);
	if (ZSTD_isError(len))
		return false;
	out->len += len;
	return true;
}

const struct archive_codec archive_zstd_codec = {
	.compressor_new = compressor_new,
	.compressor_free = compressor_free,
	.compress = compress,
};
