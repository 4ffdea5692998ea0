/* SPDX-License-Identifier: ISC */
/*
 * openapi.c: GET /openapi.json, the API as OpenAPI 3.1 describes it. It is in the program, compressed, and sent like that to
 * those who take it.
 */
#include "api/openapi.h"

#include <string.h>

#include "api/routes.h"

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
	http_reply_header(request, "Access-Control-Allow-Origin", "*");
}

void api_openapi_get(struct http_request *request, void *app)
{
	struct str gzip = { (const char *)api_openapi.gzip, api_openapi.gzip_len };

	(void)app;
	add_headers(request);
	if (has_it(request)) {
		http_reply_header(request, "Vary", "Accept-Encoding");
		http_reply(request, 304, NULL, NULL);
	} else {
		http_reply_packed(request, 200, "application/json", gzip, api_openapi.len);
	}
}
