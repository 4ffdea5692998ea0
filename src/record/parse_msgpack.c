/* SPDX-License-Identifier: ISC */
/*
 * parse_msgpack.c: records in msgpack, a sequence of maps or one array of maps.
 *
 * An array at the very beginning of the body is taken for the array of records; a sequence may follow it. Any
 * other array is an element that is no record. Framing is exact: an element that is not a map of texts costs only
 * itself, and only a byte that msgpack does not have (c1) or the end of the body in an element ends the body.
 */
#include "record/parse_msgpack_token.h"
#include "record/parse_private.h"

#define EMPTY STR_LITERAL("")
#define BROKEN "Broken msgpack: no value begins with byte c1"

/* What has been read when between elements. */
enum sequence_state { BEFORE_ELEMENTS, WITHIN_ARRAY_LENGTH, WITHIN_ELEMENTS };

/* --- values --- */

struct map {
	struct parser *parser;
	const char *end;
	struct parse_attempt attempt;
	bool again; /* with another product assumed */
	bool odd;   /* a name is no text, or a value is nested too deep */
};

/* Makes room in the arena. Of what is in it, the record's values move with it; false when out of memory. */
static bool make_room(struct map *map, size_t bytes)
{
	struct buf *arena = &map->parser->arena, more = { 0 };
	const struct catalog_product *product = map->attempt.product;

	if (arena->cap - arena->len >= bytes)
		return true;
	if (!buf_reserve(&more, 2 * arena->len + bytes)) {
		arena->failed = true;
		return false;
	}
	buf_add_str(&more, buf_str(arena));
	for (uint8_t i = 0; arena->len > 0 && product && i < product->columns_count; i++) {
		struct str *value = &map->parser->record.values[i];

		if (value->p && value->p >= arena->data && value->p < arena->data + arena->len)
			value->p = more.data + (value->p - arena->data);
	}
	buf_free(arena);
	*arena = more;
	return true;
}

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

static inline bool is_str(unsigned char first)
{
	return (first & 0xe0) == 0xa0 || (first >= 0xd9 && first <= 0xdb);
}

/* The JSON text of the value from p to `after` into the arena, unless it is too long for a value. */
static bool keep_json(struct map *map, const char *p, const char *after, struct str *value)
{
	size_t max = map->parser->limits.value_max_bytes;
	struct buf *arena = &map->parser->arena;
	struct buf *json = &map->parser->nested;

	buf_clear(json);
	msgpack_write_json(json, p, after, map->parser->limits.depth_max);
	*value = (struct str){ "", json->failed && json->len <= max ? max + 1 : json->len };
	if (value->len > max)
		return true;
	if (!make_room(map, json->len))
		return false;
	value->p = arena->data + arena->len;
	buf_add_str(arena, buf_str(json));
	return true;
}

static const char *take_nested(struct map *map, const char *p, bool object, struct parse_field *field)
{
	int depth_max = map->parser->limits.depth_max - 1;
	const char *after = msgpack_skip(p, map->end);

	field->kind = object ? PARSE_OBJECT : PARSE_ARRAY;
	field->value = (struct str){ "", 0 };
	if (!after)
		return NULL;
	map->odd = msgpack_depth(p, after, depth_max) > depth_max;
	if (map->odd)
		return NULL;
	if (field->place < CATALOG_COLUMNS_MAX && map->attempt.product->columns[field->place].kind == CATALOG_JSON &&
	    !keep_json(map, p, after, &field->value))
		return NULL;
	return after;
}

static const char *take_number(struct map *map, const char *after, const struct msgpack_token *token,
                               struct parse_field *field)
{
	struct buf *arena = &map->parser->arena;
	size_t before = arena->len;

	if (!make_room(map, MSGPACK_NUMBER_MAX))
		return NULL;
	msgpack_write_number(arena, token);
	field->value = (struct str){ arena->data + before, arena->len - before };
	return after;
}

/* Takes what is no str. */
static const char *take_other(struct map *map, const char *p, struct parse_field *field)
{
	struct msgpack_token token;
	const char *payload = msgpack_read(p, map->end, &token);

	if (!payload)
		return NULL;
	field->value = (struct str){ NULL, 0 };
	switch (token.type) {
	case MSGPACK_NIL:
		field->kind = PARSE_ABSENT;
		return payload;
	case MSGPACK_BIN:
	case MSGPACK_EXT:
		field->kind = PARSE_BINARY;
		return payload + token.number;
	case MSGPACK_MAP:
	case MSGPACK_ARRAY:
		return take_nested(map, p, token.type == MSGPACK_MAP, field);
	default:
		break;
	}
	field->kind = msgpack_is_finite(&token) ? PARSE_TEXT : PARSE_NOT_FINITE;
	return field->kind == PARSE_TEXT ? take_number(map, payload, &token, field) : payload;
}

/* --- fields --- */

static inline const char *take_name(struct map *map, const char *p, uint8_t *place, struct str *name)
{
	struct parser *parser = map->parser;
	struct parse_attempt *attempt = &map->attempt;
	struct str guess;

	if (p < map->end && !is_str((unsigned char)*p)) {
		map->odd = true;
		return NULL;
	}
	p = take_str(map, p, name);
	if (!p)
		return NULL;
	*place = parser->follows[attempt->place];
	guess = parse_place_name(attempt->product, *place);
	if (guess.len != name->len || guess.len == 0 || !scan_same(name->p, guess.p, guess.len))
		*place = parse_place_find(parser, attempt->product, attempt->place, *name);
	return p;
}

/* Takes the value that is no str of a field. What the arena has of one that did not come into the record is dropped: so
 * it holds one value a column at most. */
static const char *take_field(struct map *map, const char *p, uint8_t place, struct str name)
{
	struct parse_field field = { .name = name, .place = place };
	struct parser *parser = map->parser;
	size_t arena_len = parser->arena.len;

	p = take_other(map, p, &field);
	if (!p)
		return NULL;
	map->again = !parse_attempt_field(parser, &map->attempt, &field);
	if (place >= CATALOG_COLUMNS_MAX || parser->record.values[place].p != field.value.p)
		parser->arena.len = arena_len;
	return map->again ? NULL : p;
}

static inline const char *take_pair(struct map *map, const char *p)
{
	struct str name, value;
	uint8_t place;

	p = take_name(map, p, &place, &name);
	if (!p || p == map->end)
		return NULL;
	if (!is_str((unsigned char)*p))
		return take_field(map, p, place, name);
	p = take_str(map, p, &value);
	if (!p)
		return NULL;
	if (!parse_attempt_text(map->parser, &map->attempt, place, name, value, parse_is_likely_text(value))) {
		map->again = true;
		return NULL;
	}
	return p;
}

static const char *attempt(struct map *map, const char *p, uint64_t pairs)
{
	map->again = false;
	buf_clear(&map->parser->arena);
	parse_attempt_begin(map->parser, &map->attempt);
	for (uint64_t i = 0; i < pairs && p; i++)
		p = take_pair(map, p);
	if (p)
		map->again = !parse_attempt_end(map->parser, &map->attempt);
	return map->again ? NULL : p;
}

/* --- an element --- */

static const char *name_of_type(enum msgpack_type type)
{
	static const char *const names[] = {
		[MSGPACK_NIL] = "nil",         [MSGPACK_BOOLEAN] = "a boolean", [MSGPACK_STR] = "a text",
		[MSGPACK_BIN] = "binary data", [MSGPACK_EXT] = "an extension",  [MSGPACK_ARRAY] = "an array",
	};

	return (size_t)type < sizeof(names) / sizeof(names[0]) && names[type] ? names[type] : "a number";
}

/* What is wrong with the element at p that is no map of texts: after it, or NULL if it is cut. */
static const char *fault_element(struct parser *parser, const char *p, const char *end, enum msgpack_type type)
{
	int depth_max = parser->limits.depth_max;
	const char *after = msgpack_skip(p, end);

	if (!after)
		return NULL;
	parse_faults_clear(parser);
	if (type != MSGPACK_MAP)
		parse_fault(parser, EMPTY, "Must be a map, not %s", name_of_type(type));
	else if (msgpack_depth(p, after, depth_max) > depth_max)
		parse_fault(parser, EMPTY, "Nested deeper than the %d levels allowed", depth_max);
	else
		parse_fault(parser, EMPTY, "The name of a field must be a text");
	return after;
}

/* Reads the element at p into parser->record, or notes what is wrong with it: after it. NULL if it is cut or invalid,
 * or when out of memory. */
static const char *read_element(struct parser *parser, const char *p, const char *end)
{
	struct map map = { .parser = parser, .end = end };
	struct msgpack_token token;
	const char *pairs = msgpack_read(p, end, &token);
	const char *after;

	if (!pairs)
		return NULL;
	if (token.type != MSGPACK_MAP)
		return fault_element(parser, p, end, token.type);
	do {
		after = attempt(&map, pairs, token.number);
	} while (map.again);
	return !after && map.odd ? fault_element(parser, p, end, token.type) : after;
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

	/* It was in an element that was too long, which was reported. */
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
	const char *after = read_element(parser, p, end);

	if (!after || (size_t)(after - p) > parser->limits.line_max_bytes)
		return NULL;
	parse_deliver_read(parser, (struct str){ p, (size_t)(after - p) });
	return after;
}

/* A value has ended; true if the element has, too. */
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

static void msgpack_record(struct parser *parser, struct str text)
{
	if (parser->scan.msgpack.invalid) {
		parse_fault(parser, EMPTY, BROKEN);
		parse_break(parser, text);
	} else if (read_element(parser, text.p, text.p + text.len)) {
		parse_deliver_read(parser, text);
	} else {
		parse_no_memory(parser);
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
