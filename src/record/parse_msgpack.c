/* SPDX-License-Identifier: ISC */
/*
 * parse_msgpack.c: records in msgpack, a sequence of maps or one array of maps.
 *
 * An array at the very beginning of the body is taken for the array of records; a sequence goes on behind its end. Any
 * other array is an element that is no record. Framing is exact: an element that is not a map of texts costs only
 * itself, and only a byte that msgpack does not have (c1) or the end of the body in an element ends the body.
 */
#include "base/json.h"
#include "record/parse_msgpack_token.h"
#include "record/parse_private.h"
#include "record/parse_scan.h"

#define NUMBERS_BYTES (PARSE_FIELDS_MAX * MSGPACK_NUMBER_MAX) /* of a record, in the arena */
#define EMPTY STR_LITERAL("")
#define BROKEN "Broken msgpack: no value begins with byte c1"

/* What has been read when between elements. */
enum sequence_state { BEFORE_ELEMENTS, WITHIN_ARRAY_LENGTH, WITHIN_ELEMENTS };

/* --- the fast reader --- */

struct map {
	struct parser *parser;
	const char *end;
	struct parse_attempt attempt;
};

/* Takes a str; msgpack_read, with its most common forms first. */
static inline const char *take_str(const struct map *map, const char *p, struct str *text)
{
	struct msgpack_token token;
	unsigned char first;

	if (p == map->end)
		return NULL;
	first = (unsigned char)*p;
	if ((first & 0xe0) == 0xa0 && map->end - p > (first & 0x1f)) {
		*text = (struct str){ p + 1, first & 0x1f };
		return p + 1 + text->len;
	}
	p = msgpack_read(p, map->end, &token);
	if (!p || token.type != MSGPACK_STR)
		return NULL;
	*text = (struct str){ p, (size_t)token.number };
	return p + text->len;
}

static const char *take_number(struct map *map, const char *p, struct str *value)
{
	struct buf *arena = &map->parser->arena;
	size_t before = arena->len;
	struct msgpack_token token;

	p = msgpack_read(p, map->end, &token);
	if (!p || token.type > MSGPACK_FLOAT64 || !msgpack_is_finite(&token))
		return NULL;
	if (token.type == MSGPACK_NIL) {
		*value = (struct str){ NULL, 0 };
		return p;
	}
	msgpack_write_number(arena, &token);
	*value = (struct str){ arena->data + before, arena->len - before };
	return p;
}

static inline bool is_str(unsigned char first)
{
	return (first & 0xe0) == 0xa0 || (first >= 0xd9 && first <= 0xdb);
}

static inline const char *take_value(struct map *map, const char *p, struct str *value)
{
	if (p == map->end)
		return NULL;
	if (!is_str((unsigned char)*p))
		return take_number(map, p, value);
	p = take_str(map, p, value);
	if (!p)
		return NULL;
	if (scan_is_plain(value->p, value->len))
		return p;
	return !memchr(value->p, '\0', value->len) && json_is_utf8(*value) ? p : NULL;
}

static inline const char *take_name(struct map *map, const char *p, uint8_t *place)
{
	struct parser *parser = map->parser;
	struct parse_attempt *attempt = &map->attempt;
	struct str name, guess;

	p = take_str(map, p, &name);
	if (!p)
		return NULL;
	*place = parser->follows[attempt->place];
	guess = parse_place_name(attempt->product, *place);
	if (guess.len == name.len && name.len > 0 && scan_same(name.p, guess.p, name.len))
		return p;
	*place = parse_place_find(parser, attempt->product, attempt->place, name);
	return *place == CATALOG_NONE ? NULL : p;
}

static inline const char *take_pair(struct map *map, const char *p)
{
	struct parser *parser = map->parser;
	struct parse_attempt *attempt = &map->attempt;
	struct str value;
	uint8_t place;

	p = take_name(map, p, &place);
	if (!p)
		return NULL;
	p = take_value(map, p, &value);
	if (!p)
		return NULL;
	attempt->place = place;
	if (place == PLACE_PRODUCT)
		return value.p && parse_attempt_product(parser, attempt, value) ? p : NULL;
	if (attempt->seen >> place & 1 || value.len > parser->limits.value_max_bytes ||
	    attempt->product->columns[place].kind == CATALOG_JSON)
		return NULL;
	attempt->seen |= UINT64_C(1) << place;
	parser->record.values[place] = value;
	return p;
}

static const char *attempt(struct map *map, const char *p)
{
	struct parser *parser = map->parser;
	struct msgpack_token token;

	p = msgpack_read(p, map->end, &token);
	if (!p || token.type != MSGPACK_MAP || token.number > PARSE_FIELDS_MAX)
		return NULL;
	buf_clear(&parser->arena);
	if (!buf_reserve(&parser->arena, NUMBERS_BYTES))
		return NULL;
	parse_attempt_begin(parser, &map->attempt);
	for (uint64_t i = 0; i < token.number && p; i++)
		p = take_pair(map, p);
	return p && parse_attempt_end(parser, &map->attempt) ? p : NULL;
}

static const char *read_fast(struct parser *parser, const char *p, const char *end)
{
	struct map map = { .parser = parser, .end = end };
	const struct catalog_product *assumed = parser->assumed;
	const char *behind = attempt(&map, p);

	if (!behind && parser->assumed != assumed)
		behind = attempt(&map, p); /* it named another product behind its first field */
	return behind;
}

/* --- the full reader; the text is a whole element, as msgpack_scan found it --- */

static const char *name_of_type(enum msgpack_type type)
{
	static const char *const names[] = {
		[MSGPACK_NIL] = "nil",         [MSGPACK_BOOLEAN] = "a boolean", [MSGPACK_STR] = "a text",
		[MSGPACK_BIN] = "binary data", [MSGPACK_EXT] = "an extension",  [MSGPACK_ARRAY] = "an array",
	};

	return (size_t)type < sizeof(names) / sizeof(names[0]) && names[type] ? names[type] : "a number";
}

/* Its JSON text into the arena, unless it is too long for a value. */
static void take_nested(struct parser *parser, const char *p, const char *behind, struct parse_field *field)
{
	struct buf *json = &parser->nested;

	buf_clear(json);
	msgpack_write_json(json, p, behind, parser->limits.depth_max);
	field->value = (struct str){ "", json->len };
	if (json->failed && json->len <= parser->limits.value_max_bytes)
		field->value.len = parser->limits.value_max_bytes + 1;
	if (field->value.len > parser->limits.value_max_bytes)
		return;
	field->in_arena = true;
	field->arena_at = parser->arena.len;
	buf_add_str(&parser->arena, buf_str(json));
}

static void take_scalar(struct parser *parser, const char *payload, const struct msgpack_token *token,
                        struct parse_field *field)
{
	switch (token->type) {
	case MSGPACK_STR:
		field->value = (struct str){ payload, (size_t)token->number };
		return;
	case MSGPACK_NIL:
		field->kind = PARSE_ABSENT;
		return;
	case MSGPACK_BIN:
	case MSGPACK_EXT:
		field->kind = PARSE_BINARY;
		return;
	default:
		break;
	}
	if (!msgpack_is_finite(token)) {
		field->kind = PARSE_NOT_FINITE;
		return;
	}
	field->in_arena = true;
	field->arena_at = parser->arena.len;
	msgpack_write_number(&parser->arena, token);
	field->value.len = parser->arena.len - field->arena_at;
}

/* Takes a pair: behind it, or NULL with a fault noted. */
static const char *take_field(struct parser *parser, const char *p, const char *end, struct parse_fields *fields)
{
	struct parse_field field = { .kind = PARSE_TEXT };
	struct msgpack_token token;
	const char *name = msgpack_read(p, end, &token);
	const char *payload, *behind;

	if (!name || token.type != MSGPACK_STR) {
		parse_fault(parser, EMPTY, "The name of a field must be a text");
		return NULL;
	}
	field.name = (struct str){ name, (size_t)token.number };
	p = name + field.name.len;
	payload = msgpack_read(p, end, &token);
	behind = msgpack_skip(p, end);
	if (!payload || !behind) {
		parse_fault(parser, EMPTY, "Cut off");
		return NULL;
	}
	if (fields->count == PARSE_FIELDS_MAX && !str_is(field.name, "product"))
		return behind;
	if (token.type == MSGPACK_MAP || token.type == MSGPACK_ARRAY) {
		field.kind = token.type == MSGPACK_MAP ? PARSE_OBJECT : PARSE_ARRAY;
		take_nested(parser, p, behind, &field);
	} else {
		take_scalar(parser, payload, &token, &field);
	}
	parse_fields_add(fields, &field);
	return behind;
}

static bool read_full(struct parser *parser, struct str text)
{
	struct parse_fields fields = { .count = 0 };
	const char *end = text.p + text.len;
	struct msgpack_token token;
	const char *p = msgpack_read(text.p, end, &token);

	if (!p || token.type != MSGPACK_MAP)
		return parse_fault(parser, EMPTY, "Must be a map, not %s", name_of_type(token.type));
	if (msgpack_depth(text.p, end, parser->limits.depth_max) > parser->limits.depth_max)
		return parse_fault(parser, EMPTY, "Nested deeper than the %d levels allowed", parser->limits.depth_max);
	buf_clear(&parser->arena);
	for (uint64_t i = 0; i < token.number; i++) {
		p = take_field(parser, p, end, &fields);
		if (!p)
			return false;
	}
	if (parser->arena.failed) {
		parse_no_memory(parser);
		return false;
	}
	return parse_fields_take(parser, &fields);
}

/* --- framing --- */

static const char *take_array_length(struct parser *parser, const char *p, const char *end)
{
	struct buf *head = &parser->carry;
	struct msgpack_token token;
	unsigned bytes;

	do {
		buf_add_char(head, *p++);
		msgpack_first((unsigned char)head->data[0], &bytes);
	} while (p < end && head->len < 1 + bytes);
	if (head->len < 1 + bytes)
		return p;
	msgpack_read(head->data, head->data + head->len, &token);
	buf_clear(head);
	parser->elements_left = token.number;
	parser->state = WITHIN_ELEMENTS;
	return p;
}

static const char *msgpack_between(struct parser *parser, const char *p, const char *end)
{
	unsigned bytes;

	/* It was in an element that was too long, which was told. */
	if (parser->scan.msgpack.invalid)
		parse_stop(parser, BROKEN);
	if (parser->state == BEFORE_ELEMENTS) {
		bool array = msgpack_first((unsigned char)*p, &bytes).type == MSGPACK_ARRAY;

		parser->state = array ? WITHIN_ARRAY_LENGTH : WITHIN_ELEMENTS;
	}
	if (parser->state == WITHIN_ARRAY_LENGTH)
		p = take_array_length(parser, p, end);
	if (p == end)
		return p;
	parser->line++;
	if (parser->elements_left > 0)
		parser->elements_left--;
	return p;
}

static const char *msgpack_direct(struct parser *parser, const char *p, const char *end)
{
	const char *behind = read_fast(parser, p, end);

	if (!behind || (size_t)(behind - p) > parser->limits.line_max_bytes)
		return NULL;
	parse_deliver(parser, (struct str){ p, (size_t)(behind - p) });
	return behind;
}

/* A value is behind us; true if the element is. */
static bool scan_next(struct msgpack_scan *scan)
{
	if (scan->open == 0)
		return true;
	scan->open--;
	return false;
}

/* A value's head is there; true if it ends the element. */
static bool scan_head(struct msgpack_scan *scan, enum msgpack_type type, uint64_t number)
{
	uint64_t within = type == MSGPACK_MAP ? 2 * number : type == MSGPACK_ARRAY ? number : 0;

	if (type == MSGPACK_STR || type == MSGPACK_BIN || type == MSGPACK_EXT)
		scan->skip = number;
	if (scan->open < UINT64_MAX / 2) /* no body has so many values */
		scan->open += within;
	return scan->skip == 0 && scan_next(scan);
}

/* The first byte of a value; true if it ends the element. */
static bool scan_first(struct msgpack_scan *scan, unsigned char byte)
{
	unsigned bytes;
	struct msgpack_token token = msgpack_first(byte, &bytes);

	scan->invalid = token.type == MSGPACK_INVALID;
	if (bytes == 0)
		return scan->invalid || scan_head(scan, token.type, token.number);
	if (token.type <= MSGPACK_FLOAT64) {
		scan->skip = bytes;
	} else {
		scan->length = 0;
		scan->length_bytes = bytes;
		scan->type = (int)token.type;
	}
	return false;
}

static bool scan_length(struct msgpack_scan *scan, unsigned char byte)
{
	scan->length = scan->length << 8 | byte;
	if (--scan->length_bytes > 0)
		return false;
	/* The type of an ext is not counted by its length. */
	return scan_head(scan, (enum msgpack_type)scan->type, scan->length + (scan->type == MSGPACK_EXT));
}

static const char *msgpack_scan(struct parser *parser, const char *p, const char *end, bool *whole)
{
	struct msgpack_scan *scan = &parser->scan.msgpack;

	while (p < end && !*whole) {
		if (scan->skip > 0) {
			size_t step = (uint64_t)(end - p) < scan->skip ? (size_t)(end - p) : (size_t)scan->skip;

			p += step;
			scan->skip -= step;
			*whole = scan->skip == 0 && scan_next(scan);
		} else if (scan->length_bytes > 0) {
			*whole = scan_length(scan, (unsigned char)*p++);
		} else {
			*whole = scan_first(scan, (unsigned char)*p++);
		}
	}
	return p;
}

static void msgpack_record(struct parser *parser, struct str text, bool declined)
{
	const char *end = text.p + text.len;

	if (parser->scan.msgpack.invalid) {
		parse_fault(parser, EMPTY, BROKEN);
		parse_break(parser, text);
	} else if (!declined && !parser->full_only && read_fast(parser, text.p, end) == end) {
		parse_deliver(parser, text);
	} else if (read_full(parser, text)) {
		parse_deliver(parser, text);
	} else if (parser->end.code == ERROR_NONE) {
		parse_deliver_fault(parser, text);
	}
}

static void msgpack_finish(struct parser *parser, struct str text)
{
	if (text.p) {
		parse_fault(parser, EMPTY, "Cut off: the body ends within this element");
		parse_break(parser, text);
	} else if (parser->elements_left > 0 || parser->state == WITHIN_ARRAY_LENGTH) {
		parse_stop(parser, "Cut off: the body ends before the end of its array");
	}
}

const struct parse_format_ops parse_msgpack_ops = {
	.between = msgpack_between,
	.direct = msgpack_direct,
	.scan = msgpack_scan,
	.record = msgpack_record,
	.finish = msgpack_finish,
};
