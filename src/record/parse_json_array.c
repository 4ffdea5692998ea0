/* SPDX-License-Identifier: ISC */
/*
 * parse_json_array.c: where the elements of a JSON array begin and end, broken ones included.
 *
 * An element ends at the bracket that closes its first one, when a comma or the array's end follows. One that is not
 * JSON must not take its neighbours with it, so the scan knows how elements break:
 *
 *	{"a":"b},{"a":"c"}     a quote is missing: the string ends with `},{`, and what follows it can follow no string
 *	                       of JSON; the next element begins with that brace
 *	{"a":"b",{"a":"c"}     a brace is missing: no field's name begins with a brace, so an element does
 *	{"a":"b"}},{"a":"c"}   there is one too many, or something else after the element: it ends at the next
 *	"a":"b"},{"a":"c"}     comma that a brace follows
 *	{"a":[1},{"a":"c"}     a brace closes all brackets within its own
 *
 * Where the scan is lenient (words, numbers, escapes, extra commas), the reader of the element is strict. Between
 * elements, missing or extra commas do no harm, and another array may follow the first.
 */
#include "record/parse_private.h"

#define EMPTY STR_LITERAL("")
#define DEPTH_KNOWN 64 /* of deeper brackets just the number is known */

/* What has been read when between elements. */
enum array_state { BEFORE_ARRAY, WITHIN_ARRAY, BEHIND_ARRAY };

/* What a string ends with, white space apart. */
enum json_tail { TAIL_NONE, TAIL_BRACE, TAIL_COMMA, TAIL_OBJECT, TAIL_ARRAY_END };

/* --- between elements --- */

/* Takes one byte that is not white space; true if an element begins with it. */
static bool array_step(struct parser *parser, char c)
{
	switch ((enum array_state)parser->state) {
	case BEFORE_ARRAY:
		if (c != '[')
			parse_stop(parser, "Not a JSON array: it must begin with [");
		parser->state = WITHIN_ARRAY;
		return false;
	case BEHIND_ARRAY:
		if (c != '[')
			parse_stop(parser, "Only another JSON array may follow a JSON array");
		parser->state = WITHIN_ARRAY;
		return false;
	case WITHIN_ARRAY:
		break;
	}
	if (c == ']')
		parser->state = BEHIND_ARRAY;
	if (c == ']' || c == ',')
		return false;
	parser->line++;
	return true;
}

static const char *array_between(struct parser *parser, const char *p, const char *end)
{
	for (p = parse_json_skip_space(p, end); p < end; p = parse_json_skip_space(p + 1, end))
		if (array_step(parser, *p) || parser->end.code != ERROR_NONE)
			break;
	return p;
}

static const char *array_direct(struct parser *parser, const char *p, const char *end)
{
	const char *after = parse_json_object(parser, p, end, true);
	const char *next = after ? parse_json_skip_space(after, end) : end;

	if (next == end || (*next != ',' && *next != ']' && *next != '{') ||
	    (size_t)(after - p) > parser->limits.line_max_bytes)
		return NULL;
	parse_deliver_read(parser, (struct str){ p, (size_t)(after - p) });
	return after;
}

/* --- within an element --- */

static void push(struct json_scan *scan, bool array)
{
	if (scan->depth < DEPTH_KNOWN) {
		scan->arrays &= ~(UINT64_C(1) << scan->depth);
		scan->arrays |= (uint64_t)array << scan->depth;
	}
	scan->depth++;
}

/* Closes the innermost bracket of the kind, and those within it; false if there is none. */
static bool pop(struct json_scan *scan, bool array)
{
	uint64_t known = scan->depth >= DEPTH_KNOWN ? UINT64_MAX : (UINT64_C(1) << scan->depth) - 1;
	uint64_t open = (array ? scan->arrays : ~scan->arrays) & known;

	if (scan->depth > DEPTH_KNOWN)
		scan->depth--;
	else if (open)
		scan->depth = (size_t)(63 - __builtin_clzll(open));
	return scan->depth >= DEPTH_KNOWN || open;
}

static bool is_in_nested_array(const struct json_scan *scan)
{
	return scan->depth > DEPTH_KNOWN || (scan->depth > 0 && scan->arrays >> (scan->depth - 1) & 1);
}

/* Has the element ended before c, which is no white space? Then parser->keep says where. */
static bool ends_before(struct parser *parser, char c)
{
	const struct json_scan *scan = &parser->scan.json;

	if (c == '{' && scan->last == ',' && !is_in_nested_array(scan)) {
		parser->keep = scan->before_comma;
		return true;
	}
	if (scan->depth > 0 || (c != ']' && !scan->complete))
		return false;
	if (c != ']' && c != ',' && (c != '{' || (scan->last != '}' && scan->last != ']')))
		return false;
	parser->keep = scan->solid;
	return true;
}

/* Takes a byte outside of strings that is no white space, at offset `at` of the element. */
static void take_byte(struct json_scan *scan, char c, size_t at)
{
	bool was_complete = scan->complete;
	bool was_atom = scan->in_atom;
	bool atom = false;
	bool stray = false;

	switch (c) {
	case '"':
		scan->in_string = true;
		scan->tail = TAIL_NONE;
		break;
	case '{':
	case '[':
		push(scan, c == '[');
		break;
	case '}':
	case ']':
		stray = !pop(scan, c == ']');
		break;
	case ',':
		scan->before_comma = scan->solid;
		break;
	case ':':
		break;
	default:
		atom = true;
	}
	scan->junk |= was_complete && !(atom && was_atom);
	scan->junk |= scan->depth == 0 && (stray || c == ':' || c == ',');
	scan->in_atom = atom;
	scan->complete = scan->depth == 0 && !scan->in_string && !scan->junk;
	scan->before_stray = stray && c == ']' ? scan->solid : 0;
	scan->last = c;
	scan->solid = at + 1;
}

/* Keeps a byte of the tail; one that grows too long is none. */
static void keep_tail(struct parser *parser, char c)
{
	buf_add_char(&parser->tail, c);
	if (parser->tail.failed && parser->tail.len < parser->tail.max_bytes)
		parse_no_memory(parser);
	if (parser->tail.failed)
		parser->scan.json.tail = TAIL_NONE;
}

static void take_tail(struct parser *parser, char c, size_t at)
{
	struct json_scan *scan = &parser->scan.json;
	enum json_tail before = (enum json_tail)scan->tail;

	if (c == '}') {
		scan->tail = TAIL_BRACE;
		scan->object_end = at + 1;
		buf_clear(&parser->tail);
		return;
	}
	if (before == TAIL_NONE)
		return;
	if (c == ',' && before == TAIL_BRACE)
		scan->tail = TAIL_COMMA;
	else if (c == '{' && before == TAIL_COMMA)
		scan->tail = TAIL_OBJECT;
	else if (c == ']' && before == TAIL_BRACE)
		scan->tail = TAIL_ARRAY_END;
	else if (!parse_json_is_space(c))
		scan->tail = TAIL_NONE;
	if (scan->tail != TAIL_NONE)
		keep_tail(parser, c);
}

static void take_string_byte(struct parser *parser, char c, size_t at)
{
	struct json_scan *scan = &parser->scan.json;

	if (scan->escaped || c == '\\') {
		scan->escaped = !scan->escaped;
		scan->tail = TAIL_NONE;
	} else if (c != '"') {
		take_tail(parser, c, at);
	} else {
		scan->in_string = false;
		scan->complete = scan->depth == 0 && !scan->junk;
		scan->last = c;
		scan->solid = at + 1;
		if (scan->tail == TAIL_OBJECT)
			keep_tail(parser, c);
	}
}

/* The string that has just ended was not closed where it should have been: c can't follow it. */
static bool tail_is_element(struct parser *parser, char c)
{
	struct json_scan *scan = &parser->scan.json;

	if (scan->tail != TAIL_OBJECT || c == ':' || c == ',' || c == '}' || c == ']')
		return false;
	parser->keep = scan->object_end;
	buf_add_str(&parser->again, buf_str(&parser->tail));
	if (parser->again.failed)
		parse_no_memory(parser);
	return true;
}

static const char *array_scan(struct parser *parser, const char *p, const char *end, bool *whole)
{
	struct json_scan *scan = &parser->scan.json;
	size_t at = parser->size;

	for (; p < end; p++, at++) {
		if (scan->in_string) {
			take_string_byte(parser, *p, at);
		} else if (parse_json_is_space(*p)) {
			scan->in_atom = false;
			if (scan->tail == TAIL_OBJECT)
				keep_tail(parser, *p);
		} else if (tail_is_element(parser, *p) || ends_before(parser, *p)) {
			*whole = true;
			return p;
		} else {
			scan->tail = TAIL_NONE;
			take_byte(scan, *p, at);
		}
	}
	return p;
}

/* --- the end of the body --- */

/* The current element, whose end was not seen: true if it has one. The array may have been closed within it. */
static bool find_end(struct parser *parser)
{
	const struct json_scan *scan = &parser->scan.json;

	parser->keep = scan->solid;
	if (!scan->in_string && scan->complete)
		return true;
	parser->keep = scan->in_string ? scan->object_end : scan->before_stray;
	if (scan->in_string ? scan->tail != TAIL_ARRAY_END : scan->before_stray == 0)
		return false;
	parser->state = BEHIND_ARRAY;
	return true;
}

static void array_finish(struct parser *parser, struct str text)
{
	if (text.p && find_end(parser)) {
		parse_complete(parser, text);
	} else if (text.p) {
		parse_fault(parser, EMPTY, "Cut off: the body ends within this element");
		parse_break(parser, parse_json_trimmed(text));
	}
	if (parser->state == WITHIN_ARRAY)
		parse_stop(parser, "Cut off: the body ends before the ] of the JSON array");
}

const struct parse_format_ops parse_json_array_ops = {
	.between = array_between,
	.direct = array_direct,
	.scan = array_scan,
	.record = parse_json_record,
	.finish = array_finish,
};
