/* SPDX-License-Identifier: ISC */
/*
 * packed.c: answers whose body is compressed already: files that are in the program.
 */
#include <zlib.h>

#include "http/packing.h"

#define GZIP_WINDOW (15 + 16) /* inflateInit2(): the largest window, in gzip's frame */

static int unpack(struct str gzip, size_t len, struct buf *out, struct error *err)
{
	z_stream stream = { 0 };
	int status;

	if (!buf_reserve(out, len) || inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
		return error_set(err, ERROR_NOMEM, "Out of memory to unpack %zu bytes", len);
	stream.next_in = (z_const Bytef *)gzip.p;
	stream.avail_in = (uInt)gzip.len;
	stream.next_out = (Bytef *)out->data;
	stream.avail_out = (uInt)len;
	status = inflate(&stream, Z_FINISH);
	(void)inflateEnd(&stream);
	out->len = len;
	return status == Z_STREAM_END ? 0 : error_set(err, ERROR_NOMEM, "Out of memory to unpack %zu bytes", len);
}

void http_reply_packed(struct http_request *request, int status, const char *content_type, struct str gzip, size_t len)
{
	bool packed = http_packing_is_preferred(http_head_field(&request->head, "Accept-Encoding"));
	struct buf body = { 0 };
	struct error err;

	http_reply_header(request, "Vary", "Accept-Encoding");
	if (!packed && unpack(gzip, len, &body, &err) != 0) {
		buf_free(&body);
		http_reply_error(request, &err);
		return;
	}
	if (packed) {
		http_reply_header(request, "Content-Encoding", "gzip");
		buf_add_str(&body, gzip);
	}
	http_reply_uncompressed(request, status, content_type, (struct str){ NULL, 0 }, &body);
}
