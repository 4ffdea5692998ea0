/*
 * parse_json_frame.c: where JSON records begin and end, in lines (NDJSON) and in an array.
 *
 * A line ends at its LF, which no JSON text holds inside a string, so a broken line costs only itself. In an array the
 * end of an element is found by counting brackets outside strings; that holds as long as the element is JSON, so one
 * that is not ends the body: what seems to follow it may well be part of it.
 */
#include "record/parse_private.h"

#define EMPTY STR_LITERAL("")

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && is_space(*p))
		p++;
	return p;
}

static struct str trimmed(struct str text)
{
	while (text.len > 0 && is_space(text.p[text.len - 1]))
		text.len--;
	return text;
}

/* Reads and delivers a record by whichever reader takes it. False if it is not JSON; its fault is only noted. */
static bool read_record(struct parser *parser, struct str text, bool declined)
{
	const char *end = text.p + text.len;
	const char *behind = declined || parser->full_only ? NULL : parse_json_fast(parser, text.p, end, true);

	if (!behind || skip_space(behind, end) != end)
		return parse_json_full(parser, text, trimmed(text));
	parse_deliver(parser, trimmed(text));
	return true;
}

/* --- lines --- */

static const char *ndjson_between(struct parser *parser, const char *p, const char *end)
{
	for (; p < end && is_space(*p); p++)
		parser->line += *p == '\n';
	return p;
}

static const char *ndjson_direct(struct parser *parser, const char *p, const char *end)
{
	const char *behind = parse_json_fast(parser, p, end, false);
	const char *lf = behind;

	if (!behind)
		return NULL;
	while (lf < end && *lf != '\n' && is_space(*lf))
		lf++;
	if (lf == end || *lf != '\n' || (size_t)(lf - p) > parser->limits.line_max_bytes)
		return NULL;
	parse_deliver(parser, (struct str){ p, (size_t)(behind - p) });
	return lf;
}

static const char *ndjson_scan(struct parser *parser, const char *p, const char *end, bool *whole)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p));

	(void)parser;
	*whole = lf != NULL;
	return lf ? lf : end;
}

static void ndjson_record(struct parser *parser, struct str text, bool declined)
{
	if (!read_record(parser, text, declined) && parser->end.code == ERROR_NONE)
		parse_deliver_fault(parser, trimmed(text));
}

static void ndjson_finish(struct parser *parser, struct str text)
{
	if (text.p)
		ndjson_record(parser, text, false);
}

const struct parse_format_ops parse_ndjson_ops = {
	.between = ndjson_between,
	.direct = ndjson_direct,
	.scan = ndjson_scan,
	.record = ndjson_record,
	.finish = ndjson_finish,
};

/* --- an array --- */

/* What has been read when between elements. */
enum array_state { BEFORE_ARRAY, BEHIND_BRACKET, BEHIND_ELEMENT, BEHIND_COMMA, BEHIND_ARRAY };

static void array_break(struct parser *parser, const char *reason)
{
	parser->line++;
	parse_fault(parser, EMPTY, "%s", reason);
	parse_break(parser, EMPTY);
}

/* Takes one byte that is not white space; true if an element begins with it. */
static bool array_step(struct parser *parser, char c)
{
	switch ((enum array_state)parser->state) {
	case BEFORE_ARRAY:
		if (c != '[')
			array_break(parser, "Not a JSON array: it must begin with [");
		parser->state = BEHIND_BRACKET;
		return false;
	case BEHIND_ELEMENT:
		if (c != ',' && c != ']')
			array_break(parser, "Broken JSON array: , or ] must follow an element");
		parser->state = c == ',' ? BEHIND_COMMA : BEHIND_ARRAY;
		return false;
	case BEHIND_ARRAY:
		array_break(parser, "Nothing may follow the JSON array");
		return false;
	case BEHIND_BRACKET:
		if (c == ']') {
			parser->state = BEHIND_ARRAY;
			return false;
		}
		break;
	case BEHIND_COMMA:
		break;
	}
	if (c == ',' || c == ']' || c == '}' || c == ':') {
		array_break(parser, "Broken JSON array: an element is missing");
		return false;
	}
	parser->line++;
	parser->state = BEHIND_ELEMENT;
	return true;
}

static const char *array_between(struct parser *parser, const char *p, const char *end)
{
	for (p = skip_space(p, end); p < end; p = skip_space(p + 1, end))
		if (array_step(parser, *p) || parser->end.code != ERROR_NONE)
			break;
	return p;
}

static const char *array_direct(struct parser *parser, const char *p, const char *end)
{
	const char *behind = parse_json_fast(parser, p, end, true);

	if (!behind || (size_t)(behind - p) > parser->limits.line_max_bytes)
		return NULL;
	parse_deliver(parser, (struct str){ p, (size_t)(behind - p) });
	return behind;
}

/* Takes one byte of an element; true if the element ends with it. */
static bool array_scan_byte(struct json_scan *scan, char c)
{
	if (scan->escaped) {
		scan->escaped = false;
	} else if (scan->in_string) {
		scan->escaped = c == '\\';
		scan->in_string = c != '"';
		return !scan->in_string && scan->depth == 0;
	} else if (c == '"') {
		scan->in_string = true;
	} else if (c == '{' || c == '[') {
		scan->depth++;
	} else if (c == '}' || c == ']') {
		return --scan->depth == 0;
	} else if (scan->depth == 0) {
		scan->scalar = true;
	}
	return false;
}

static const char *array_scan(struct parser *parser, const char *p, const char *end, bool *whole)
{
	struct json_scan *scan = &parser->scan.json;

	for (; p < end; p++) {
		/* A scalar has no end of its own. */
		if (scan->scalar && (*p == ',' || *p == ']' || *p == '}' || is_space(*p)))
			*whole = true;
		else if (array_scan_byte(scan, *p))
			*whole = true, p++;
		if (*whole)
			return p;
	}
	return p;
}

static void array_record(struct parser *parser, struct str text, bool declined)
{
	if (!read_record(parser, text, declined))
		parse_break(parser, text);
}

static void array_finish(struct parser *parser, struct str text)
{
	if (text.p) {
		parse_fault(parser, EMPTY, "Cut off: the body ends within this element");
		parse_break(parser, trimmed(text));
	} else if (parser->state != BEFORE_ARRAY && parser->state != BEHIND_ARRAY) {
		array_break(parser, "Cut off: the body ends before the ] of the JSON array");
	}
}

const struct parse_format_ops parse_json_array_ops = {
	.between = array_between,
	.direct = array_direct,
	.scan = array_scan,
	.record = array_record,
	.finish = array_finish,
};
