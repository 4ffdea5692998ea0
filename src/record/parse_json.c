/* SPDX-License-Identifier: ISC */
/*
 * parse_json.c: the full reader of a JSON record, on yajl: what is JSON, is for yajl to say.
 *
 * Fields of the record's own object become a list; of what is nested in it only begin and end are noted, for its text
 * is kept as it was sent. Three things yajl is lax about are looked after here: escapes of half a surrogate pair, which
 * it replaces (and swallows the character behind), UTF-8, which parse_fields.c checks, and the white space it takes.
 */
#include <yajl/yajl_parse.h>

#include "record/parse_private.h"

struct reading {
	struct parser *parser;
	yajl_handle yajl;
	struct str text;
	struct parse_fields *fields;
	int depth;
	bool too_deep;
	size_t nested_begin;
	struct str name; /* of the field at hand */
};

/* --- what yajl calls --- */

/* The text lives in yajl's memory or the body; the arena has room, since decoded text is no longer than as sent. */
static struct str kept(struct reading *reading, const void *text, size_t len)
{
	struct buf *arena = &reading->parser->arena;
	struct str copy = { arena->data + arena->len, len };

	buf_add(arena, text, len);
	return copy;
}

static int add(struct reading *reading, enum parse_kind kind, struct str value)
{
	struct parse_field field = { .name = reading->name, .value = value, .kind = kind };

	if (reading->depth == 1)
		parse_fields_add(reading->fields, &field);
	return 1;
}

static int on_null(void *arg)
{
	return add(arg, PARSE_ABSENT, (struct str){ NULL, 0 });
}

static int on_boolean(void *arg, int value)
{
	return add(arg, PARSE_TEXT, value ? STR_LITERAL("true") : STR_LITERAL("false"));
}

static int on_number(void *arg, const char *text, size_t len)
{
	struct reading *reading = arg;

	return add(reading, PARSE_TEXT, reading->depth == 1 ? kept(reading, text, len) : STR_LITERAL(""));
}

static int on_string(void *arg, const unsigned char *text, size_t len)
{
	struct reading *reading = arg;

	return add(reading, PARSE_TEXT, reading->depth == 1 ? kept(reading, text, len) : STR_LITERAL(""));
}

static int on_key(void *arg, const unsigned char *text, size_t len)
{
	struct reading *reading = arg;

	if (reading->depth == 1)
		reading->name = kept(reading, text, len);
	return 1;
}

/* yajl stands behind the bracket. */
static int enter(void *arg)
{
	struct reading *reading = arg;

	if (++reading->depth == 2)
		reading->nested_begin = yajl_get_bytes_consumed(reading->yajl) - 1;
	reading->too_deep = reading->depth > reading->parser->limits.depth_max;
	return !reading->too_deep;
}

static int leave(struct reading *reading, enum parse_kind kind)
{
	struct str nested = { reading->text.p + reading->nested_begin,
		              yajl_get_bytes_consumed(reading->yajl) - reading->nested_begin };

	reading->depth--;
	return add(reading, kind, nested);
}

static int end_object(void *arg)
{
	return leave(arg, PARSE_OBJECT);
}

static int end_array(void *arg)
{
	return leave(arg, PARSE_ARRAY);
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_map_key = on_key,
	.yajl_start_map = enter,
	.yajl_end_map = end_object,
	.yajl_start_array = enter,
	.yajl_end_array = end_array,
};

static yajl_status run(yajl_handle yajl, struct str text)
{
	yajl_status status;

	yajl_config(yajl, yajl_dont_validate_strings, 1);
	status = yajl_parse(yajl, (const unsigned char *)text.p, text.len);
	return status == yajl_status_ok ? yajl_complete_parse(yajl) : status;
}

/* --- escapes of surrogates: \uD800 to \uDBFF, then \uDC00 to \uDFFF, or neither --- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
}

/* The unit that the escape at p names; -1 if there is no \u escape. */
static int escaped_unit(const char *p, const char *end)
{
	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	return hex_digit(p[2]) << 12 | hex_digit(p[3]) << 8 | hex_digit(p[4]) << 4 | hex_digit(p[5]);
}

/* `text` is JSON. */
static bool surrogates_are_paired(struct str text)
{
	const char *end_of_text = text.p + text.len;
	const char *p = text.p;

	while ((p = memchr(p, '\\', (size_t)(end_of_text - p))) != NULL) {
		int unit = escaped_unit(p, end_of_text);

		if (unit >= 0xdc00 && unit <= 0xdfff)
			return false;
		p += unit < 0 ? 2 : 6;
		if (unit < 0xd800 || unit > 0xdfff)
			continue;
		unit = escaped_unit(p, end_of_text);
		if (unit < 0xdc00 || unit > 0xdfff)
			return false;
		p += 6;
	}
	return true;
}

/* --- a record --- */

static bool fault_not_json(struct parser *parser, yajl_handle yajl, struct str text)
{
	static const char early[] = "parse error: premature EOF"; /* at a byte that yajl has added */
	unsigned char *message = yajl_get_error(yajl, 0, NULL, 0);
	size_t len = message ? strcspn((const char *)message, "\n") : 0;
	bool at_end = message && strncmp((const char *)message, early, strlen(early)) == 0;
	size_t at = at_end ? text.len : yajl_get_bytes_consumed(yajl);

	parse_fault(parser, STR_LITERAL(""), "Not JSON at byte %zu: %.*s", at, (int)len,
	            message ? (const char *)message : "");
	if (message)
		yajl_free_error(yajl, message);
	return false;
}

static const char *name_of_value(char first)
{
	switch (first) {
	case '[':
		return "an array";
	case '"':
		return "a text";
	case 't':
	case 'f':
		return "a boolean";
	case 'n':
		return "null";
	default:
		return "a number";
	}
}

/* The text is JSON: is it a record? */
static bool take_fields(struct reading *reading)
{
	struct parser *parser = reading->parser;

	if (reading->too_deep)
		return parse_fault(parser, STR_LITERAL(""), "Nested deeper than the %d levels allowed",
		                   parser->limits.depth_max);
	if (reading->text.p[0] != '{')
		return parse_fault(parser, STR_LITERAL(""), "Must be an object, not %s",
		                   name_of_value(reading->text.p[0]));
	if (!surrogates_are_paired(reading->text))
		return parse_fault(parser, STR_LITERAL(""), "Escape of half a surrogate pair");
	return parse_fields_take(parser, reading->fields);
}

static bool read_object(struct reading *reading, struct str raw)
{
	struct parser *parser = reading->parser;
	yajl_status status = run(reading->yajl, reading->text);

	if (status != yajl_status_ok && !reading->too_deep)
		return fault_not_json(parser, reading->yajl, reading->text);
	if (take_fields(reading))
		parse_deliver(parser, raw);
	else
		parse_deliver_fault(parser, raw);
	return true;
}

bool parse_json_full(struct parser *parser, struct str text, struct str raw)
{
	struct parse_fields fields = { .count = 0 };
	struct reading reading = { .parser = parser, .text = text, .fields = &fields };
	bool json = false;

	buf_clear(&parser->arena);
	if (buf_reserve(&parser->arena, text.len))
		reading.yajl = yajl_alloc(&callbacks, NULL, &reading);
	if (reading.yajl) {
		json = read_object(&reading, raw);
		yajl_free(reading.yajl);
	} else {
		parse_no_memory(parser);
	}
	return json;
}

struct str parse_json_trimmed(struct str text)
{
	while (text.len > 0 && parse_json_is_space(text.p[text.len - 1]))
		text.len--;
	return text;
}

void parse_json_record(struct parser *parser, struct str text, bool declined)
{
	const char *end = text.p + text.len;
	const char *behind = declined || parser->full_only ? NULL : parse_json_fast(parser, text.p, end, true);
	struct str raw = parse_json_trimmed(text);

	if (behind && parse_json_skip_space(behind, end) == end)
		parse_deliver(parser, raw);
	else if (!parse_json_full(parser, text, raw) && parser->end.code == ERROR_NONE)
		parse_deliver_fault(parser, raw);
}

/* --- the text of a JSON column --- */

struct nesting {
	int depth;
	int depth_max;
};

static int nest(void *arg)
{
	struct nesting *nesting = arg;

	return ++nesting->depth <= nesting->depth_max;
}

static int unnest(void *arg)
{
	struct nesting *nesting = arg;

	nesting->depth--;
	return 1;
}

/* White space by RFC 8259; yajl also takes form feeds and the like. */
static bool has_other_controls(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.p[i] < 0x20 && text.p[i] != '\t' && text.p[i] != '\n' && text.p[i] != '\r')
			return true;
	return false;
}

bool parse_json_valid(struct str text, int depth_max, bool *no_memory)
{
	static const yajl_callbacks counting = {
		.yajl_start_map = nest,
		.yajl_end_map = unnest,
		.yajl_start_array = nest,
		.yajl_end_array = unnest,
	};
	struct nesting nesting = { 0, depth_max };
	yajl_handle yajl = yajl_alloc(&counting, NULL, &nesting);
	bool valid;

	*no_memory = !yajl;
	if (!yajl)
		return false;
	valid = run(yajl, text) == yajl_status_ok && surrogates_are_paired(text) && !has_other_controls(text);
	yajl_free(yajl);
	return valid;
}
