/* SPDX-License-Identifier: ISC */
/*
 * openapi.c: GET /openapi.json, the API as OpenAPI 3.1 describes it. It is in the program, compressed, and sent like that to
 * those who take it.
 */
#include "api/openapi.h"

#include <string.h>
#include <zlib.h>

#include "api/routes.h"

#define GZIP_WINDOW (15 + 16) /* inflateInit2(): the largest window, in gzip's frame */

static int unpack(struct buf *out, struct error *err)
{
	z_stream stream = { 0 };
	int status;

	if (!buf_reserve(out, api_openapi.len) || inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
		return error_set(err, ERROR_NOMEM, "Out of memory for the API's description");
	stream.next_in = (z_const Bytef *)api_openapi.gzip;
	stream.avail_in = (uInt)api_openapi.gzip_len;
	stream.next_out = (Bytef *)out->data;
	stream.avail_out = (uInt)api_openapi.len;
	status = inflate(&stream, Z_FINISH);
	(void)inflateEnd(&stream);
	out->len = api_openapi.len;
	return status == Z_STREAM_END ? 0 : error_set(err, ERROR_NOMEM, "Out of memory for the API's description");
}

static bool has_it(const struct http_request *request)
{
	struct str tags = http_request_header(request, "If-None-Match");

	return tags.len > 0 && memmem(tags.p, tags.len, api_openapi.tag, strlen(api_openapi.tag)) != NULL;
}

/* The tag is weak, as both codings have it. Pages of other hosts may read what anybody may. */
static void add_headers(struct http_request *request)
{
	struct buf tag = { 0 };

	buf_addf(&tag, "W/%s", api_openapi.tag);
	if (buf_cstr(&tag))
		http_reply_header(request, "ETag", tag.data);
	buf_free(&tag);
	http_reply_header(request, "Cache-Control", "public, no-cache");
	http_reply_header(request, "Vary", "Accept-Encoding");
	http_reply_header(request, "Access-Control-Allow-Origin", "*");
}

void api_openapi_get(struct http_request *request, void *app)
{
	bool packed = http_request_prefers_gzip(request);
	struct buf body = { 0 };
	struct error err;

	(void)app;
	add_headers(request);
	if (has_it(request)) {
		http_reply(request, 304, NULL, NULL);
		return;
	}
	if (packed) {
		buf_add(&body, (const char *)api_openapi.gzip, api_openapi.gzip_len);
	} else if (unpack(&body, &err) != 0) {
		buf_free(&body);
		http_reply_error(request, &err);
		return;
	}
	http_reply_encoded(request, 200, "application/json", packed ? "gzip" : NULL, &body);
}
