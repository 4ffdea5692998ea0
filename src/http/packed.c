/* SPDX-License-Identifier: ISC */
/*
 * packed.c: answers whose body is compressed already: files that are in the program.
 *
 * Anybody may ask for them, on as many connections as there may be, and read slowly: so all get the same bytes, and what a
 * file unpacks to is kept from the first time on that a client wants it.
 */
#include <stdlib.h>
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

struct http_unpacked {
	SLIST_ENTRY(http_unpacked) entry;
	const char *gzip; /* which one it is */
	struct buf text;
};

void http_packed_free(struct http_server *server)
{
	struct http_unpacked *file;

	while ((file = SLIST_FIRST(&server->unpacked))) {
		SLIST_REMOVE_HEAD(&server->unpacked, entry);
		buf_free(&file->text);
		free(file);
	}
}

static int find_unpacked(struct http_server *server, struct str gzip, size_t len, struct str *text, struct error *err)
{
	struct http_unpacked *file;

	SLIST_FOREACH(file, &server->unpacked, entry)
	if (file->gzip == gzip.p)
		break;
	if (!file) {
		file = calloc(1, sizeof(*file));
		if (!file)
			return error_set(err, ERROR_NOMEM, "Out of memory to unpack %zu bytes", len);
		file->gzip = gzip.p;
		if (unpack(gzip, len, &file->text, err) != 0) {
			buf_free(&file->text);
			free(file);
			return -1;
		}
		SLIST_INSERT_HEAD(&server->unpacked, file, entry);
	}
	*text = buf_str(&file->text);
	return 0;
}

void http_reply_packed(struct http_request *request, int status, const char *content_type, struct str gzip, size_t len)
{
	bool packed = http_packing_is_preferred(http_head_field(&request->head, "Accept-Encoding"));
	struct str body = gzip;
	struct error err;

	http_reply_header(request, "Vary", "Accept-Encoding");
	if (packed) {
		http_reply_header(request, "Content-Encoding", "gzip");
	} else if (find_unpacked(request->connection->server, gzip, len, &body, &err) != 0) {
		http_reply_error(request, &err);
		return;
	}
	http_reply_shared(request, status, content_type, body);
}
