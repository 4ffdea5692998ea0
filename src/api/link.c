/* SPDX-License-Identifier: ISC */
/*
 * link.c: URLs with other parameters. See link.h.
 */
#include "api/link.h"

static bool is_unreserved(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

static void add_encoded(struct buf *url, struct str text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (is_unreserved(text.p[i])) {
			buf_add_char(url, text.p[i]);
		} else {
			char escape[3] = { '%', digits[c >> 4], digits[c & 15] };

			buf_add(url, escape, sizeof(escape));
		}
	}
}

void api_link_add(struct buf *url, struct str name, struct str value)
{
	if (url->len > 0 && url->data[url->len - 1] != '?')
		buf_add_char(url, '&');
	add_encoded(url, name);
	buf_add_char(url, '=');
	add_encoded(url, value);
}

static bool is_among(struct str name, const char *const *names)
{
	while (*names && !str_is(name, *names))
		names++;
	return *names != NULL;
}

void api_link_begin(struct buf *url, const struct http_request *request, const struct query_params *params,
                    const char *const *without)
{
	http_request_base_url(request, url);
	buf_add_str(url, http_request_path(request));
	buf_add_char(url, '?');
	for (size_t i = 0; i < params->count; i++) {
		const struct query_param *param = &params->list[i];

		if (!is_among(param->name, without))
			api_link_add(url, param->name, param->value);
	}
}

void api_link_write(struct json *json, const char *name, const struct buf *url)
{
	json_key(json, name);
	json_object_begin(json);
	json_member_str(json, "href", buf_str(url));
	json_object_end(json);
}

void api_link_header(struct http_request *request, const char *rel, const struct buf *url)
{
	struct buf header = { 0 };

	buf_add_char(&header, '<');
	buf_add_str(&header, buf_str(url));
	buf_addf(&header, ">; rel=\"%s\"", rel);
	http_reply_header(request, "Link", buf_cstr(&header));
	buf_free(&header);
}
