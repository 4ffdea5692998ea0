/* SPDX-License-Identifier: ISC */
/*
 * report_unpack.h: report files read back, with other code than wrote them: zlib and libzstd.
 *
 * unpack_zip goes by the zip's end, as most readers do, and checks what streaming readers go by as well.
 */
#ifndef CDRD_TESTS_UNIT_REPORT_UNPACK_H
#define CDRD_TESTS_UNIT_REPORT_UNPACK_H

#include <check.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"

static inline void unpack_read_file(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "rb");
	char piece[65536];
	size_t got;

	buf_clear(out);
	ck_assert_msg(file != NULL, "cannot open %s", path);
	while ((got = fread(piece, 1, sizeof(piece), file)) > 0)
		buf_add(out, piece, got);
	fclose(file);
}

static inline uint64_t unpack_number(const struct buf *file, size_t at, int size)
{
	uint64_t number = 0;

	ck_assert_uint_le(at + (size_t)size, file->len);
	for (int i = 0; i < size; i++)
		number |= (uint64_t)(uint8_t)file->data[at + (size_t)i] << (8 * i);
	return number;
}

/* Appends what the `len` bytes of raw deflate (window_bits -15) or gzip (31) hold. */
static inline void unpack_inflate(struct str bytes, int window_bits, struct buf *out)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)bytes.p, .avail_in = (uInt)bytes.len };
	int rc = Z_OK;

	ck_assert_int_eq(inflateInit2(&z, window_bits), Z_OK);
	while (rc == Z_OK) {
		ck_assert(buf_reserve(out, 65536));
		z.next_out = (Bytef *)out->data + out->len;
		z.avail_out = 65536;
		rc = inflate(&z, Z_NO_FLUSH);
		out->len += 65536 - z.avail_out;
	}
	ck_assert_msg(rc == Z_STREAM_END, "inflate: %d %s", rc, z.msg ? z.msg : "");
	ck_assert_uint_eq(z.avail_in, 0);
	inflateEnd(&z);
}

static inline void unpack_zip(const struct buf *file, struct buf *out)
{
	size_t end = file->len - 22;
	size_t central = unpack_number(file, end + 16, 4);
	size_t compressed = unpack_number(file, central + 20, 4);
	size_t name_len = unpack_number(file, central + 28, 2);
	size_t content_at = 30 + name_len, descriptor = content_at + compressed;

	ck_assert_uint_eq(unpack_number(file, end, 4), 0x06054b50);
	ck_assert_uint_eq(unpack_number(file, central, 4), 0x02014b50);
	ck_assert_uint_eq(unpack_number(file, 0, 4), 0x04034b50);
	ck_assert_uint_eq(central + unpack_number(file, end + 12, 4), end);
	unpack_inflate((struct str){ file->data + content_at, compressed }, -15, out);
	ck_assert_uint_eq(unpack_number(file, central + 24, 4), out->len);
	ck_assert_uint_eq(unpack_number(file, central + 16, 4), crc32(0, (const Bytef *)out->data, (uInt)out->len));
	ck_assert_uint_eq(unpack_number(file, descriptor, 4), 0x08074b50);
	ck_assert_uint_eq(descriptor + 16, central);
	ck_assert_mem_eq(file->data + descriptor + 4, file->data + central + 16, 12);
}

static inline void unpack_zstd(const struct buf *file, struct buf *out)
{
	ZSTD_DCtx *context = ZSTD_createDCtx();
	ZSTD_inBuffer in = { file->data, file->len, 0 };
	size_t left = 0;

	while (in.pos < in.size) {
		ck_assert(buf_reserve(out, 65536));
		ZSTD_outBuffer to = { out->data + out->len, 65536, 0 };
		left = ZSTD_decompressStream(context, &to, &in);
		ck_assert_msg(!ZSTD_isError(left), "zstd: %s", ZSTD_getErrorName(left));
		out->len += to.pos;
	}
	ck_assert_uint_eq(left, 0);
	ZSTD_freeDCtx(context);
}

static inline void unpack_sha256(const struct buf *file, char hex[65])
{
	unsigned char sum[32];

	ck_assert_int_eq(EVP_Digest(file->data, file->len, sum, NULL, EVP_sha256(), NULL), 1);
	for (int i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
}

#endif
