/*
 * parse.c: a body in pieces to records, whatever the format. See parse_private.h for how the work is divided.
 *
 * Memory: only a record that a piece cuts is carried over, up to line_max_bytes of it; of a longer one the rest is
 * skipped to its end. Whether a record is too long depends on its bytes alone, never on how the body was cut.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "record/parse_msgpack_token.h"
#include "record/parse_private.h"

#define JSON_DEPTH_SHOWN 64 /* the most that json_depth_max may be */

static const struct parse_format_ops *const formats[] = {
	[PARSE_NDJSON] = &parse_ndjson_ops,
	[PARSE_JSON_ARRAY] = &parse_json_array_ops,
	[PARSE_MSGPACK] = &parse_msgpack_ops,
	[PARSE_CSV] = &parse_csv_ops,
};

/* --- items --- */

static bool is_too_long(const struct parser *parser)
{
	return parser->size > parser->limits.line_max_bytes;
}

void parse_deliver(struct parser *parser, struct str raw)
{
	struct parse_item item = {
		.line = parser->line,
		.record = &parser->record,
		.raw = raw,
		.format = parser->format,
		.header = parser->header,
	};

	parser->on_item(parser->arg, &item);
}

bool parse_fault(struct parser *parser, struct str field, const char *format, ...)
{
	size_t at = parser->faults_count;
	va_list args;

	if (at == PARSE_FAULTS_MAX)
		return false;
	snprintf(parser->told[at].field, sizeof(parser->told[at].field), "%.*s", PARSE_SHOWN(field));
	va_start(args, format);
	vsnprintf(parser->told[at].reason, sizeof(parser->told[at].reason), format, args);
	va_end(args);
	parser->faults[at] = (struct parse_fault){ parser->told[at].field, parser->told[at].reason };
	parser->faults_count++;
	return false;
}

void parse_deliver_fault(struct parser *parser, struct str raw)
{
	struct parse_item item = {
		.line = parser->line,
		.record = parser->partial ? &parser->record : NULL,
		.faults = parser->faults,
		.faults_count = parser->faults_count,
		.columns_at_fault = parser->columns_at_fault,
		.raw = raw,
		.raw_cut = is_too_long(parser),
		.format = parser->format,
		.header = parser->header,
	};

	if (item.raw.len > parser->limits.line_max_bytes)
		item.raw.len = parser->limits.line_max_bytes;
	parser->on_item(parser->arg, &item);
	parser->faults_count = 0;
	parser->columns_at_fault = 0;
	parser->partial = false;
}

void parse_break(struct parser *parser, struct str raw)
{
	if (parser->end.code != ERROR_NONE)
		return;
	error_set(&parser->end, ERROR_INVALID, "record %llu: %s", (unsigned long long)parser->line,
	          parser->faults[0].reason);
	parse_deliver_fault(parser, raw);
}

void parse_no_memory(struct parser *parser)
{
	error_set(&parser->end, ERROR_NOMEM, "record %llu: out of memory", (unsigned long long)parser->line);
}

/* --- the driver --- */

/* The record at hand is whole, or as much of it as is kept. */
static void complete(struct parser *parser, struct str text, bool declined)
{
	if (is_too_long(parser)) {
		parse_fault(parser, STR_LITERAL(""), "Longer than the %zu bytes allowed",
		            parser->limits.line_max_bytes);
		parse_deliver_fault(parser, text);
	} else {
		parser->ops->record(parser, text, declined);
	}
	buf_clear(&parser->carry);
	parser->begun = false;
	parser->size = 0;
}

/* Adds bytes to the record at hand, of which no more than allowed are kept. */
static void carry_over(struct parser *parser, const char *p, size_t len)
{
	size_t room = parser->limits.line_max_bytes - parser->carry.len;

	buf_add(&parser->carry, p, len < room ? len : room);
	if (parser->carry.failed)
		parse_no_memory(parser);
}

/* Goes on with the record that has begun: behind what was taken. */
static const char *extend(struct parser *parser, const char *p, const char *end)
{
	/* Not past the byte that makes it too long, so that `scan` sees it becoming so at the same byte every time. */
	size_t step = is_too_long(parser) ? SIZE_MAX : parser->limits.line_max_bytes + 1 - parser->size;
	const char *stop = (size_t)(end - p) < step ? end : p + step;
	bool carried = parser->size > 0;
	bool whole = false;
	const char *next = parser->ops->scan(parser, p, stop, &whole);
	struct str text = { p, (size_t)(next - p) };

	parser->size += text.len;
	if (!whole || carried) {
		carry_over(parser, text.p, text.len);
		text = buf_str(&parser->carry);
	}
	if (whole && parser->end.code == ERROR_NONE)
		complete(parser, text, !carried && !parser->full_only);
	return next;
}

static const char *take(struct parser *parser, const char *p, const char *end)
{
	const char *behind;

	if (!parser->begun) {
		p = parser->ops->between(parser, p, end);
		if (p == end || parser->end.code != ERROR_NONE)
			return p;
		behind = parser->full_only ? NULL : parser->ops->direct(parser, p, end);
		if (behind)
			return behind;
		parser->begun = true;
		parser->size = 0;
		memset(&parser->scan, 0, sizeof(parser->scan));
	}
	return extend(parser, p, end);
}

static int result(const struct parser *parser, struct error *err)
{
	if (parser->end.code == ERROR_NONE)
		return 0;
	*err = parser->end;
	return -1;
}

/* --- the public functions --- */

struct parser *parser_new(enum parse_format format, const struct parse_limits *limits, const char *product_name,
                          parse_item_fn on_item, void *arg)
{
	struct parser *parser = calloc(1, sizeof(*parser));

	if (!parser)
		return NULL;
	parser->ops = formats[format];
	parser->format = format;
	parser->limits = *limits;
	parser->on_item = on_item;
	parser->arg = arg;
	parser->line = format == PARSE_NDJSON || format == PARSE_CSV ? 1 : 0;
	parser->carry.max_bytes = limits->line_max_bytes;
	parser->nested.max_bytes = limits->line_max_bytes;
	for (uint8_t i = 0; i < PLACES; i++)
		parser->follows[i] = (uint8_t)(i + 1);
	parser->follows[PLACE_BEGIN] = PLACE_PRODUCT;
	parser->follows[PLACE_PRODUCT] = 0;
	if (product_name) {
		parser->product_name = strdup(product_name);
		if (!parser->product_name) {
			free(parser);
			return NULL;
		}
		parser->product_default = catalog_product_find(str_from(product_name));
		parser->assumed = parser->product_default;
	}
	return parser;
}

int parser_feed(struct parser *parser, const char *data, size_t len, struct error *err)
{
	const char *p = data;
	const char *end = len > 0 ? data + len : data;

	while (p < end && parser->end.code == ERROR_NONE)
		p = take(parser, p, end);
	return result(parser, err);
}

int parser_finish(struct parser *parser, struct error *err)
{
	if (parser->end.code != ERROR_NONE)
		return result(parser, err);
	if (parser->begun && is_too_long(parser))
		complete(parser, buf_str(&parser->carry), false);
	else
		parser->ops->finish(parser, parser->begun ? buf_str(&parser->carry) : (struct str){ NULL, 0 });
	return result(parser, err);
}

void parser_free(struct parser *parser)
{
	if (!parser)
		return;
	free(parser->product_name);
	free(parser->csv);
	buf_free(&parser->carry);
	buf_free(&parser->arena);
	buf_free(&parser->nested);
	free(parser);
}

/* --- a record that was kept --- */

void parse_write_body(struct buf *out, enum parse_format format, struct str header, struct str raw)
{
	static const struct str around[][2] = {
		[PARSE_NDJSON] = { { "", 0 }, { "\n", 1 } },
		[PARSE_JSON_ARRAY] = { { "[", 1 }, { "]", 1 } },
		/* Without the head, an array would be taken for one of records. */
		[PARSE_MSGPACK] = { { "\x91", 1 }, { "", 0 } },
		[PARSE_CSV] = { { "\n", 1 }, { "\n", 1 } },
	};

	buf_add_str(out, header);
	buf_add_str(out, around[format][0]);
	buf_add_str(out, raw);
	buf_add_str(out, around[format][1]);
}

bool parse_write_json(struct buf *out, enum parse_format format, struct str header, struct str raw,
                      const char *product_name)
{
	switch (format) {
	case PARSE_MSGPACK:
		msgpack_write_json(out, raw.p, raw.p + raw.len, JSON_DEPTH_SHOWN);
		return true;
	case PARSE_CSV:
		return parse_csv_write_json(out, header, raw, product_name);
	default:
		buf_add_str(out, raw);
		return true;
	}
}

enum parse_format parse_format_of_json(struct str beginning)
{
	size_t at = 0;

	while (at < beginning.len && strchr(" \t\r\n", beginning.p[at]) && beginning.p[at] != '\0')
		at++;
	return at < beginning.len && beginning.p[at] == '[' ? PARSE_JSON_ARRAY : PARSE_NDJSON;
}
