/* SPDX-License-Identifier: ISC */
/*
 * router.c: walks the table of routes. Comparing a dozen rows is faster than setting up anything clever.
 *
 * Paths are compared segment by segment after percent-decoding, so that an encoded slash never splits a segment. One
 * trailing slash makes no difference.
 */
#include "http/router.h"

#include "http/parser.h"

static const char *const method_names[HTTP_METHODS] = {
	[HTTP_GET] = "GET",
	[HTTP_POST] = "POST",
	[HTTP_DELETE] = "DELETE",
	[HTTP_HEAD] = "HEAD",
};

static const char *const other_methods[] = { "PUT", "PATCH", "OPTIONS", "TRACE", "CONNECT" };

static enum http_method parse_method(struct str name)
{
	int method = 0;

	while (method < HTTP_METHODS && !str_is(name, method_names[method]))
		method++;
	return (enum http_method)method;
}

bool http_router_knows(struct str method)
{
	if (parse_method(method) != HTTP_METHODS)
		return true;
	for (size_t i = 0; i < sizeof(other_methods) / sizeof(other_methods[0]); i++)
		if (str_is(method, other_methods[i]))
			return true;
	return false;
}

/* --- paths --- */

/* Cuts "/segment" off *path; false when nothing is left. */
static bool next_segment(struct str *path, struct str *segment)
{
	if (path->len == 0 || path->p[0] != '/')
		return false;
	const char *slash = memchr(path->p + 1, '/', path->len - 1);
	size_t len = slash ? (size_t)(slash - path->p) - 1 : path->len - 1;

	*segment = (struct str){ path->p + 1, len };
	path->p += len + 1;
	path->len -= len + 1;
	return true;
}

/* The next character, %xx decoded, or -1 for a broken escape and for NUL, which none of our paths has. */
static int next_char(struct str *text)
{
	size_t used = 1;
	int c = (unsigned char)text->p[0];

	if (c == '%') {
		c = str_hex_byte(text->p + 1, text->p + text->len);
		if (c < 0)
			return -1;
		used = 3;
	}
	text->p += used;
	text->len -= used;
	return c != 0 ? c : -1;
}

static bool segment_is(struct str segment, struct str literal)
{
	size_t i = 0;

	while (segment.len > 0) {
		if (i == literal.len || next_char(&segment) != (unsigned char)literal.p[i])
			return false;
		i++;
	}
	return i == literal.len;
}

static bool decode_segment(struct str segment, struct buf *out)
{
	buf_clear(out);
	while (segment.len > 0) {
		int c = next_char(&segment);

		if (c < 0)
			return false;
		buf_add_char(out, (char)c);
	}
	return out->len > 0;
}

static bool path_matches(const char *pattern, struct str path, struct buf *segment)
{
	struct str rest = str_from(pattern);
	struct str want, got;

	while (next_segment(&rest, &want)) {
		if (!next_segment(&path, &got))
			return false;
		bool same = want.len > 0 && want.p[0] == '{' ? decode_segment(got, segment) : segment_is(got, want);
		if (!same)
			return false;
	}
	return path.len == 0 || str_is(path, "/");
}

/* --- routes --- */

/* Is there a route of exactly this path, without braces? It takes precedence over those with braces. */
static bool is_literal(const struct http_route *routes, struct str path, struct buf *segment)
{
	for (const struct http_route *route = routes; route->path; route++)
		if (!strchr(route->path, '{') && path_matches(route->path, path, segment))
			return true;
	return false;
}

const struct http_route *http_router_find(const struct http_route *routes, struct str method, struct str path,
                                          struct buf *segment, unsigned *allowed)
{
	enum http_method asked = parse_method(method);
	enum http_method served = asked == HTTP_HEAD ? HTTP_GET : asked;

	*allowed = 0;
	buf_clear(segment);
	if (!buf_reserve(segment, path.len)) /* a name that has no room would match nothing */
		return NULL;
	bool literal = is_literal(routes, path, segment);
	for (const struct http_route *route = routes; route->path; route++) {
		if (strcmp(route->path, HTTP_ANY_PATH) == 0)
			return route;
		if ((literal && strchr(route->path, '{')) || !path_matches(route->path, path, segment))
			continue;
		if (route->method == served)
			return route;
		*allowed |= 1U << route->method;
		if (route->method == HTTP_GET)
			*allowed |= 1U << HTTP_HEAD;
	}
	return NULL;
}

void http_router_allow(struct buf *out, unsigned allowed)
{
	const char *separator = "";

	for (int method = 0; method < HTTP_METHODS; method++) {
		if (!(allowed & 1U << method))
			continue;
		buf_add_text(out, separator);
		buf_add_text(out, method_names[method]);
		separator = ", ";
	}
}
