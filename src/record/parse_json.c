/* SPDX-License-Identifier: ISC */
/*
 * parse_json.c: a record in JSON: one object of texts, numbers, booleans and nulls, in one pass.
 *
 * Values go to their columns as they are met; of nested ones just the text is kept. Faults of fields are noted, and
 * dropped if the text turns out not to be JSON: then that is the fault.
 */
#include "record/parse_json_token.h"
#include "record/parse_private.h"

#define EMPTY STR_LITERAL("")

struct object {
	struct parser *parser;
	struct json_source text;
	struct parse_attempt attempt;
	bool again; /* with another product assumed */
};

/* --- fields --- */

/* Takes the name after its opening quote, and its closing quote; *name just of one that has no place. */
static inline const char *take_name(struct object *object, const char *p, uint8_t *place, struct str *name)
{
	struct parser *parser = object->parser;
	struct parse_attempt *attempt = &object->attempt;
	struct str guess;
	bool odd = false;

	*place = parser->follows[attempt->place];
	guess = parse_place_name(attempt->product, *place);
	if (guess.len > 0 && (size_t)(object->text.end - p) > guess.len && p[guess.len] == '"' &&
	    scan_same(p, guess.p, guess.len))
		return p + guess.len + 1;
	p = json_token_text(&object->text, p, name, &odd);
	if (p)
		*place = parse_place_find(parser, attempt->product, attempt->place, *name);
	return p;
}

/* Takes the value that is no text of a field. */
static const char *take_other(struct object *object, const char *p, uint8_t place, struct str name)
{
	struct parse_field field = { .name = name, .place = place };
	const char *begin = p;

	if (p < object->text.end && (*p == '{' || *p == '[')) {
		field.kind = *p == '{' ? PARSE_OBJECT : PARSE_ARRAY;
		p = json_token_skip(&object->text, p, object->parser->limits.depth_max - 1);
		if (p)
			field.value = (struct str){ begin, (size_t)(p - begin) };
	} else {
		p = json_token_scalar(&object->text, p, &field.value);
		field.kind = field.value.p ? PARSE_TEXT : PARSE_ABSENT;
	}
	object->again = p && !parse_attempt_field(object->parser, &object->attempt, &field);
	return object->again ? NULL : p;
}

static inline __attribute__((always_inline)) const char *take_field(struct object *object, const char *p)
{
	struct str name = { NULL, 0 }, value;
	const char *after;
	bool odd = false;
	uint8_t place;

	if (p == object->text.end || *p != '"')
		return json_token_fail(&object->text, p, JSON_NAME_EXPECTED);
	p = take_name(object, p + 1, &place, &name);
	if (!p)
		return NULL;
	after = json_token_pass(&object->text, p, ':');
	if (!after)
		return json_token_fail(&object->text, json_token_space(&object->text, p), JSON_COLON_EXPECTED);
	if (after == object->text.end || *after != '"')
		return take_other(object, after, place, name);
	p = json_token_text(&object->text, after + 1, &value, &odd);
	if (!p)
		return NULL;
	if (!parse_attempt_text(object->parser, &object->attempt, place, name, value, !odd || parse_is_text(value))) {
		object->again = true;
		return NULL;
	}
	return p;
}

/* --- the object --- */

/* Takes fields up to the closing brace. */
static inline const char *take_fields(struct object *object, const char *p)
{
	const struct json_source *text = &object->text;

	for (;;) {
		p = take_field(object, p);
		if (p && p < text->end && *p != ',')
			p = json_token_space(text, p);
		if (!p || p == text->end || *p != ',')
			return p;
		p = json_token_pass(text, p, ',');
	}
}

static const char *attempt(struct object *object, const char *p)
{
	struct json_source *text = &object->text;

	parse_attempt_begin(object->parser, &object->attempt);
	buf_clear(&object->parser->arena);
	object->again = false;
	text->half_pair = false;
	p = json_token_space(text, p + 1);
	if (p == text->end || *p != '}')
		p = take_fields(object, p);
	if (!p)
		return NULL;
	if (p == text->end || *p != '}')
		return json_token_fail(text, p, JSON_COMMA_EXPECTED);
	object->again = !parse_attempt_end(object->parser, &object->attempt);
	return object->again ? NULL : p + 1;
}

static struct object begin(struct parser *parser, const char *end, bool lines)
{
	struct object object = { .parser = parser };

	object.text = (struct json_source){ .end = end, .arena = &parser->arena, .lines = lines };
	return object;
}

static const char *read_object(struct object *object, const char *p)
{
	const char *after;

	do {
		after = attempt(object, p);
	} while (object->again);
	if (after && object->text.half_pair) {
		parse_faults_clear(object->parser);
		parse_fault(object->parser, EMPTY, "Escape of half a surrogate pair");
	}
	return after;
}

const char *parse_json_object(struct parser *parser, const char *p, const char *end, bool lines)
{
	struct object object = begin(parser, end, lines);

	return *p == '{' ? read_object(&object, p) : NULL;
}

/* --- a whole text --- */

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

struct str parse_json_trimmed(struct str text)
{
	while (text.len > 0 && parse_json_is_space(text.p[text.len - 1]))
		text.len--;
	return text;
}

static void fault_not_json(struct object *object, struct str text)
{
	struct parser *parser = object->parser;

	parse_faults_clear(parser);
	if (object->text.too_deep)
		parse_fault(parser, EMPTY, "Nested deeper than the %d levels allowed", parser->limits.depth_max);
	else
		parse_fault(parser, EMPTY, "Not JSON at byte %zu: %s", (size_t)(object->text.at - text.p),
		            object->text.why);
}

void parse_json_record(struct parser *parser, struct str text)
{
	struct object object = begin(parser, text.p + text.len, true);
	const char *end = object.text.end;

	bool is_object = text.len > 0 && *text.p == '{';
	const char *p = is_object ? read_object(&object, text.p) :
	                            json_token_skip(&object.text, text.p, parser->limits.depth_max);

	if (parser->arena.failed) {
		parse_no_memory(parser);
		return;
	}
	if (p)
		p = json_token_space(&object.text, p);
	if (p && p < end)
		p = json_token_fail(&object.text, p, "parse error: only white space may follow");
	if (!p)
		fault_not_json(&object, text);
	else if (!is_object)
		parse_fault(parser, EMPTY, "Must be an object, not %s", name_of_value(*text.p));
	parse_deliver_read(parser, parse_json_trimmed(text));
}
