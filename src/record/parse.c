/* SPDX-License-Identifier: ISC */
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

#define NOWHERE UINT64_MAX
#define TAIL_MAX 256
#define JSON_DEPTH_SHOWN 64 /* the most that json_depth_max may be */

static const struct parse_format_ops *const formats[] = {
	[PARSE_NDJSON] = &parse_ndjson_ops,   [PARSE_JSON_ARRAY] = &parse_json_array_ops,
	[PARSE_MSGPACK] = &parse_msgpack_ops, [PARSE_CSV] = &parse_csv_ops,
	[PARSE_JSON] = &parse_json_ops,
};

/* --- items --- */

static void deliver(struct parser *parser, struct str raw)
{
	struct parse_item item = {
		.line = parser->line,
		.record = &parser->record,
		.raw = raw,
		.size = raw.len,
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

void parse_faults_clear(struct parser *parser)
{
	parser->faults_count = 0;
	parser->columns_at_fault = 0;
	parser->partial = false;
}

/* Calls back with the faults noted. Does nothing when memory has run out: the record is not to blame. */
static void deliver_fault(struct parser *parser, struct str raw)
{
	struct parse_item item = {
		.line = parser->line,
		.record = parser->partial ? &parser->record : NULL,
		.faults = parser->faults,
		.faults_count = parser->faults_count,
		.columns_at_fault = parser->columns_at_fault,
		.raw = raw,
		.size = parse_is_too_long(parser) ? parser->size : raw.len,
		.raw_cut = parse_is_too_long(parser),
		.format = parser->format,
		.header = parser->header,
	};

	if (item.raw.len > parser->limits.line_max_bytes)
		item.raw.len = parser->limits.line_max_bytes;
	if (parser->end.code != ERROR_NOMEM)
		parser->on_item(parser->arg, &item);
	parse_faults_clear(parser);
}

void parse_deliver_read(struct parser *parser, struct str raw)
{
	if (parser->faults_count == 0)
		deliver(parser, raw);
	else
		deliver_fault(parser, raw);
}

/* Where the current record begins, if there is one: otherwise only the loop below knows how far reading has got. */
static void set_end(struct parser *parser)
{
	parser->end_at = parser->begun ? parser->begun_at : NOWHERE;
}

void parse_stop(struct parser *parser, const char *format, ...)
{
	char reason[PARSE_REASON_MAX];
	va_list args;

	if (parser->end.code != ERROR_NONE)
		return;
	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	error_set(&parser->end, ERROR_INVALID, "%s", reason);
	set_end(parser);
}

void parse_break(struct parser *parser, struct str raw)
{
	parse_stop(parser, "%s", parser->faults[0].reason);
	deliver_fault(parser, raw);
}

void parse_no_memory(struct parser *parser)
{
	error_set(&parser->end, ERROR_NOMEM, "Out of memory");
	set_end(parser);
}

/* --- a record, from piece to piece --- */

void parse_complete(struct parser *parser, struct str text)
{
	if (parser->size > parser->keep) {
		parser->size = parser->keep;
		text.len = text.len < parser->keep ? text.len : parser->keep;
	}
	if (parse_is_too_long(parser)) {
		parse_fault(parser, STR_LITERAL(""), "Longer than the %zu bytes allowed",
		            parser->limits.line_max_bytes);
		deliver_fault(parser, text);
	} else {
		parser->ops->record(parser, text);
	}
	buf_clear(&parser->carry);
	parser->begun = false;
	parser->size = 0;
}

/* Adds bytes to the current record and keeps one more than allowed: none is lost before the record is known to be too
 * long. */
static void carry_over(struct parser *parser, const char *p, size_t len)
{
	size_t room = parser->limits.line_max_bytes + 1 - parser->carry.len;

	buf_add(&parser->carry, p, len < room ? len : room);
	if (parser->carry.failed)
		parse_no_memory(parser);
}

/* What was scanned after the record's own bytes is read again: from the piece (`begin` is the record's beginning) or,
 * if a part was carried over, from a copy. Returns where reading the piece resumes. */
static const char *give_back(struct parser *parser, const char *begin, const char *next, bool carried)
{
	struct str carry = buf_str(&parser->carry);

	parser->reread = false;
	if (!carried)
		return begin + parser->keep;
	buf_add(&parser->again, carry.p + parser->keep, carry.len - parser->keep);
	if (parser->again.failed)
		parse_no_memory(parser);
	return next;
}

/* Resumes the record that has begun, after what was taken. */
static const char *extend(struct parser *parser, const char *p, const char *end)
{
	/* Not past the byte that makes it too long, so that `scan` always stops at the same byte. */
	size_t step = parse_is_too_long(parser) ? SIZE_MAX : parser->limits.line_max_bytes + 1 - parser->size;
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
	if (!whole || parser->end.code != ERROR_NONE)
		/* NOLINTNEXTLINE(returnDanglingLifetime): `scan` returns a place in the text, not in `whole`. */
		return next;
	if (parser->reread)
		next = give_back(parser, p, next, carried);
	if (parser->end.code == ERROR_NONE)
		parse_complete(parser, text);
	return next;
}

static void begin_record(struct parser *parser, const char *p)
{
	parser->begun = true;
	parser->begun_at = parser->piece_at + (uint64_t)(p - parser->piece);
	parser->size = 0;
	parser->keep = SIZE_MAX;
	memset(&parser->scan, 0, sizeof(parser->scan));
}

static const char *take(struct parser *parser, const char *p, const char *end)
{
	const char *next;

	if (!parser->begun) {
		p = parser->ops->between(parser, p, end);
		if (p == end || parser->end.code != ERROR_NONE)
			return p;
		next = parser->ops->direct(parser, p, end);
		if (next)
			return next;
		parse_faults_clear(parser);
		begin_record(parser, p);
	}
	return extend(parser, p, end);
}

/* --- pieces --- */

static void read_again(struct parser *parser, uint64_t end_at);

/* Reads a piece that begins at `at` in the body. */
static void read_piece(struct parser *parser, const char *data, size_t len, uint64_t at)
{
	const char *p = data;
	const char *end = data + len;

	parser->piece = data;
	parser->piece_at = at;
	while (p < end && parser->end.code == ERROR_NONE) {
		p = take(parser, p, end);
		if (parser->again.len > 0) {
			read_again(parser, at + (uint64_t)(p - data));
			parser->piece = data;
			parser->piece_at = at;
		}
	}
	if (parser->end.code != ERROR_NONE && parser->end_at == NOWHERE)
		parser->end_at = at + (uint64_t)(p - data);
}

/* What was returned is never returned again as a copy: the record that it begins with has no other bytes. */
static void read_again(struct parser *parser, uint64_t end_at)
{
	struct buf bytes = parser->again;

	parser->again = (struct buf){ 0 };
	read_piece(parser, bytes.data, bytes.len, end_at - bytes.len);
	buf_free(&bytes);
}

static bool is_utf16(struct str beginning)
{
	const unsigned char *b = (const unsigned char *)beginning.p;

	if (beginning.len < 2)
		return false;
	return (b[0] == 0xff && b[1] == 0xfe) || (b[0] == 0xfe && b[1] == 0xff) || (b[0] == 0) != (b[1] == 0);
}

/* The body's first bytes are there: without a byte order mark they are like any others. */
static void open_body(struct parser *parser)
{
	static const char mark[] = "\xef\xbb\xbf";
	struct str beginning = { parser->beginning, parser->beginning_len };

	parser->opened = true;
	if (str_is(beginning, mark)) {
		parser->fed += beginning.len;
	} else if (is_utf16(beginning)) {
		parse_stop(parser, "The body is encoded in UTF-16: send it in UTF-8, or name its encoding");
		parser->end_at = 0;
	} else {
		read_piece(parser, beginning.p, beginning.len, 0);
		parser->fed += beginning.len;
	}
}

/* Takes bytes of the beginning; returns how many. */
static size_t take_beginning(struct parser *parser, const char *data, size_t len)
{
	size_t room = PARSE_BEGINNING_MAX - parser->beginning_len;
	size_t count = len < room ? len : room;

	memcpy(parser->beginning + parser->beginning_len, data, count);
	parser->beginning_len += count;
	if (parser->beginning_len == PARSE_BEGINNING_MAX)
		open_body(parser);
	return count;
}

/* Most bodies begin with a byte that is no part of a mark and are read where they are. */
static bool begins_plainly(const char *data, size_t len)
{
	return len >= 2 && data[0] > ' ' && data[1] != '\0';
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
	parser->line = format == PARSE_JSON_ARRAY || format == PARSE_MSGPACK ? 0 : 1;
	parser->opened = format == PARSE_MSGPACK; /* which is no text */
	parser->begun_at = NOWHERE;
	parser->end_at = NOWHERE;
	parser->carry.max_bytes = limits->line_max_bytes + 1;
	parser->tail.max_bytes = TAIL_MAX;
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
	size_t at = 0;

	if (!parser->opened && parser->beginning_len == 0 && begins_plainly(data, len))
		parser->opened = true;
	while (!parser->opened && at < len)
		at += take_beginning(parser, data + at, len - at);
	if (parser->end.code == ERROR_NONE && at < len)
		read_piece(parser, data + at, len - at, parser->fed);
	parser->fed += len - at;
	return result(parser, err);
}

int parser_finish(struct parser *parser, struct error *err)
{
	bool more = true;

	if (!parser->opened)
		open_body(parser);
	while (more && parser->end.code == ERROR_NONE) {
		parser->ops->finish(parser, parser->begun ? buf_str(&parser->carry) : (struct str){ NULL, 0 });
		more = parser->again.len > 0;
		if (more)
			read_again(parser, parser->fed);
	}
	if (parser->end.code != ERROR_NONE && parser->end_at == NOWHERE)
		parser->end_at = parser->fed;
	return result(parser, err);
}

void parser_position(const struct parser *parser, struct parse_position *position)
{
	bool lines = parser->format != PARSE_JSON_ARRAY && parser->format != PARSE_MSGPACK;

	position->unit = lines ? "line" : "element";
	position->line = parser->line;
	if (parser->end.code != ERROR_NONE)
		position->byte = parser->end_at;
	else
		position->byte = parser->begun ? parser->begun_at : parser->fed;
	if (!lines && position->byte != parser->begun_at)
		position->line++;
}

void parser_free(struct parser *parser)
{
	if (!parser)
		return;
	free(parser->product_name);
	free(parser->csv);
	buf_free(&parser->carry);
	buf_free(&parser->tail);
	buf_free(&parser->again);
	buf_free(&parser->arena);
	buf_free(&parser->nested);
	free(parser);
}

/* --- a record that was kept --- */

void parse_write_body(struct buf *out, enum parse_format format, struct str header, struct str raw)
{
	static const struct str around[][2] = {
		/* The line's end before it says that a CR in it is none. */
		[PARSE_NDJSON] = { { "\n", 1 }, { "\n", 1 } },
		[PARSE_JSON_ARRAY] = { { "[", 1 }, { "]", 1 } },
		/* Without the head, an array would be taken for one of records. */
		[PARSE_MSGPACK] = { { "\x91", 1 }, { "", 0 } },
		[PARSE_CSV] = { { "\n", 1 }, { "\n", 1 } },
		[PARSE_JSON] = { { "", 0 }, { "", 0 } },
		[PARSE_MAPPED] = { { "\n", 1 }, { "\n", 1 } },
	};

	buf_add_str(out, header);
	buf_add_str(out, around[format][0]);
	buf_add_str(out, raw);
	/* One CR before the line's end is taken off: one that is the row's own needs another. */
	if (format == PARSE_CSV && raw.len > 0 && raw.p[raw.len - 1] == '\r')
		buf_add_char(out, '\r');
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
	case PARSE_MAPPED:
		return false;
	default:
		buf_add_str(out, raw);
		return true;
	}
}
