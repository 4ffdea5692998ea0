/* SPDX-License-Identifier: ISC */
/*
 * parse_lines.c: where JSON records begin and end in lines (NDJSON), and which of lines and an array a body is.
 *
 * A line ends at its LF, which no JSON text holds inside a string, so a broken line costs only itself. If the first line
 * ends with a CR that no LF follows, lines end at each CR or LF; otherwise CR is white space.
 */
#include "record/parse_private.h"

/* --- how lines end --- */

bool parse_first_line_end(struct parser *parser, bool *cr, const char *p, const char *end, size_t at)
{
	bool lone_before = *cr && *p != '\n';

	*cr = *p == '\r';
	if (lone_before) {
		parser->line_end = '\r';
		parser->keep = at - 1;
		buf_add_char(&parser->again, '\r'); /* as if it had not been taken for the record's */
		if (parser->again.failed)
			parse_no_memory(parser);
		return true;
	}
	if (*p == '\n')
		parser->line_end = '\n';
	else if (*cr && p + 1 < end && p[1] != '\n')
		parser->line_end = '\r';
	return parser->line_end != '\0';
}

/* --- lines --- */

static const char *ndjson_between(struct parser *parser, const char *p, const char *end)
{
	for (; p < end && parse_json_is_space(*p); p++)
		parse_pass_line_end(parser, *p);
	return p;
}

/* The end of the line after its record, or NULL if that is not plainly there. */
static const char *find_line_end(struct parser *parser, const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (p < end && *p == '\r' && parser->line_end != '\r')
		p++;
	if (p == end || !parse_is_line_end(parser, *p))
		return NULL;
	if (!parser->line_end)
		parser->line_end = '\n';
	return p;
}

static const char *ndjson_direct(struct parser *parser, const char *p, const char *end)
{
	const char *after = parse_json_object(parser, p, end, false);
	const char *line_end = after ? find_line_end(parser, after, end) : NULL;

	if (!line_end || (size_t)(line_end - p) > parser->limits.line_max_bytes)
		return NULL;
	parse_deliver_read(parser, (struct str){ p, (size_t)(after - p) });
	return line_end;
}

static const char *scan_first(struct parser *parser, const char *p, const char *end, bool *whole)
{
	const char *begin = p;

	for (; p < end && !*whole; p++)
		*whole = parse_first_line_end(parser, &parser->scan.ndjson.cr, p, end,
		                              parser->size + (size_t)(p - begin));
	return *whole ? p - 1 : p;
}

static const char *ndjson_scan(struct parser *parser, const char *p, const char *end, bool *whole)
{
	const char *line_end;

	if (!parser->line_end)
		return scan_first(parser, p, end, whole);
	line_end = memchr(p, '\n', (size_t)(end - p));
	if (parser->line_end == '\r') {
		const char *cr = memchr(p, '\r', (size_t)((line_end ? line_end : end) - p));

		line_end = cr ? cr : line_end;
	}
	*whole = line_end != NULL;
	return line_end ? line_end : end;
}

static void ndjson_finish(struct parser *parser, struct str text)
{
	if (text.p)
		parse_complete(parser, text);
}

const struct parse_format_ops parse_ndjson_ops = {
	.between = ndjson_between,
	.direct = ndjson_direct,
	.scan = ndjson_scan,
	.record = parse_json_record,
	.finish = ndjson_finish,
};

/* --- an array or lines --- */

static const char *json_between(struct parser *parser, const char *p, const char *end)
{
	p = ndjson_between(parser, p, end);
	if (p == end)
		return p;
	parser->format = *p == '[' ? PARSE_JSON_ARRAY : PARSE_NDJSON;
	parser->ops = *p == '[' ? &parse_json_array_ops : &parse_ndjson_ops;
	if (*p == '[')
		parser->line = 0;
	return parser->ops->between(parser, p, end);
}

static void json_finish(struct parser *parser, struct str text)
{
	(void)parser;
	(void)text;
}

/* Before it has a record, the body has become one of the other two. */
const struct parse_format_ops parse_json_ops = { .between = json_between, .finish = json_finish };
