/* SPDX-License-Identifier: ISC */
/*
 * parse_json_fast.c: the common form of a JSON record in one pass: a flat object of texts, numbers, booleans and nulls.
 *
 * Nothing is copied: values point into the body, but for those with escapes, which are resolved into the arena.
 * Whatever is not plainly right (a nested value, an unknown or repeated field, a value too long, text that is cut off)
 * is declined by returning NULL, and the full reader says what it is. What was put into parser->record by then is void.
 */
#include "base/json.h"
#include "record/parse_private.h"
#include "record/parse_scan.h"

struct object {
	struct parser *parser;
	const char *end;
	bool lines; /* white space may hold line ends */
	struct parse_attempt attempt;
};

static inline const char *skip_space(const struct object *object, const char *p)
{
	while (p < object->end && (*p == ' ' || *p == '\t' || (object->lines && (*p == '\n' || *p == '\r'))))
		p++;
	return p;
}

/* Behind `c` and the white space around it, or NULL. */
static inline const char *pass(const struct object *object, const char *p, char c)
{
	if (p < object->end && *p != c)
		p = skip_space(object, p);
	if (p == object->end || *p != c)
		return NULL;
	p++;
	return p < object->end && (unsigned char)*p <= ' ' ? skip_space(object, p) : p;
}

/* --- texts with escapes --- */

/* The four hexadecimal digits at p; -1 if they are not. */
static int hex4(const char *p, const char *end)
{
	int value = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		int digit;

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (c | 0x20) - 'a' + 10;
		else
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

static char *put_utf8(char *out, int c)
{
	if (c < 0x80) {
		*out++ = (char)c;
		return out;
	}
	if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*out++ = (char)(0xe0 | c >> 12);
		} else {
			*out++ = (char)(0xf0 | c >> 18);
			*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*out++ = (char)(0x80 | (c & 0x3f));
	return out;
}

/* Takes the digits of a \u escape, and of the second one of a pair; NULL also for NUL and half a pair. */
static const char *take_unit(const char *p, const char *end, char **out)
{
	int c = hex4(p, end);
	int low;

	if (c <= 0 || (c >= 0xdc00 && c <= 0xdfff))
		return NULL;
	p += 4;
	if (c >= 0xd800 && c <= 0xdbff) {
		if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
			return NULL;
		low = hex4(p + 2, end);
		if (low < 0xdc00 || low > 0xdfff)
			return NULL;
		p += 6;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	*out = put_utf8(*out, c);
	return p;
}

/* Takes what follows a backslash at p. */
static const char *take_escape(const char *p, const char *end, char **out)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *found;

	if (p == end)
		return NULL;
	if (*p == 'u')
		return take_unit(p + 1, end, out);
	found = *p != '\0' ? strchr(from, *p) : NULL;
	if (!found)
		return NULL;
	*(*out)++ = to[found - from];
	return p + 1;
}

/* Takes a text that begins at p and has its first backslash at `stop`. */
static __attribute__((noinline)) const char *take_escaped(struct object *object, const char *p, const char *stop,
                                                          struct str *value)
{
	struct buf *arena = &object->parser->arena;
	bool high = false;
	char *begin, *out;

	/* Values are no longer than as sent: with this at the first of a record, later ones never move it. */
	if (arena->len == 0 && !buf_reserve(arena, (size_t)(object->end - p)))
		return NULL;
	begin = out = arena->data + arena->len;
	for (;;) {
		memcpy(out, p, (size_t)(stop - p));
		out += stop - p;
		if (stop == object->end || *stop != '\\')
			break;
		p = take_escape(stop + 1, object->end, &out);
		if (!p)
			return NULL;
		stop = scan_json(p, object->end, &high);
	}
	*value = (struct str){ begin, (size_t)(out - begin) };
	arena->len = (size_t)(out - arena->data);
	if (stop == object->end || *stop != '"' || !json_is_utf8(*value))
		return NULL;
	return stop + 1;
}

/* --- values --- */

/* Takes the text behind its opening quote. */
static inline const char *take_text(struct object *object, const char *p, struct str *value)
{
	bool high = false;
	const char *stop = scan_json(p, object->end, &high);

	if (stop == object->end)
		return NULL;
	if (*stop != '"')
		return *stop == '\\' ? take_escaped(object, p, stop, value) : NULL;
	*value = (struct str){ p, (size_t)(stop - p) };
	if (high && !json_is_utf8(*value))
		return NULL;
	return stop + 1;
}

static const char *skip_digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* -? (0 | [1-9] digits) (. digits)? ([eE] [+-]? digits)?; NULL if it is none, or the end was reached. */
static const char *take_number(const struct object *object, const char *p, struct str *value)
{
	const char *end = object->end;
	const char *begin = p;
	const char *digits;

	if (*p == '-')
		p++;
	digits = p;
	p = skip_digits(p, end);
	if (p == digits || (*digits == '0' && p - digits > 1))
		return NULL;
	if (p < end && *p == '.') {
		digits = ++p;
		p = skip_digits(p, end);
		if (p == digits)
			return NULL;
	}
	if (p < end && (*p | 0x20) == 'e') {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		digits = p;
		p = skip_digits(p, end);
		if (p == digits)
			return NULL;
	}
	*value = (struct str){ begin, (size_t)(p - begin) };
	return p < end ? p : NULL;
}

static const char *take_word(const struct object *object, const char *p, struct str *value)
{
	static const struct str words[] = { { "true", 4 }, { "false", 5 }, { "null", 4 } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct str word = words[i];

		if ((size_t)(object->end - p) > word.len && memcmp(p, word.p, word.len) == 0) {
			*value = word.p[0] == 'n' ? (struct str){ NULL, 0 } : word;
			return p + word.len;
		}
	}
	return NULL;
}

static inline const char *take_value(struct object *object, const char *p, struct str *value)
{
	if (p == object->end)
		return NULL;
	if (*p == '"')
		return take_text(object, p + 1, value);
	if (*p == '-' || (*p >= '0' && *p <= '9'))
		return take_number(object, p, value);
	return take_word(object, p, value);
}

/* --- fields --- */

/* Takes the name behind its opening quote, and its closing quote. */
static inline const char *take_name(struct object *object, const char *p, uint8_t *place)
{
	struct parser *parser = object->parser;
	struct parse_attempt *attempt = &object->attempt;
	struct str name;
	bool high = false;
	const char *stop;

	*place = parser->follows[attempt->place];
	name = parse_place_name(attempt->product, *place);
	if (name.len > 0 && (size_t)(object->end - p) > name.len && p[name.len] == '"' &&
	    scan_same(p, name.p, name.len))
		return p + name.len + 1;
	stop = scan_json(p, object->end, &high);
	if (stop == object->end || *stop != '"' || high)
		return NULL;
	*place = parse_place_find(parser, attempt->product, attempt->place, (struct str){ p, (size_t)(stop - p) });
	return *place == CATALOG_NONE ? NULL : stop + 1;
}

/* Puts a value in its place, if it is plainly right for it. */
static inline bool put_value(struct object *object, uint8_t place, struct str value)
{
	struct parser *parser = object->parser;
	struct parse_attempt *attempt = &object->attempt;

	attempt->place = place;
	if (place == PLACE_PRODUCT)
		return value.p && parse_attempt_product(parser, attempt, value);
	if (attempt->seen >> place & 1 || value.len > parser->limits.value_max_bytes ||
	    attempt->product->columns[place].kind == CATALOG_JSON)
		return false;
	attempt->seen |= UINT64_C(1) << place;
	parser->record.values[place] = value;
	return true;
}

static inline const char *take_field(struct object *object, const char *p)
{
	struct str value;
	uint8_t place;

	if (p == object->end || *p != '"')
		return NULL;
	p = take_name(object, p + 1, &place);
	if (!p)
		return NULL;
	p = pass(object, p, ':');
	if (!p)
		return NULL;
	p = take_value(object, p, &value);
	return p && put_value(object, place, value) ? p : NULL;
}

static const char *attempt(struct object *object, const char *p)
{
	struct parser *parser = object->parser;

	parse_attempt_begin(parser, &object->attempt);
	buf_clear(&parser->arena);
	for (p = pass(object, p, '{'); p; p = pass(object, p, ',')) {
		p = take_field(object, p);
		if (!p)
			return NULL;
		if (p < object->end && *p != ',')
			p = skip_space(object, p);
		if (p < object->end && *p == '}')
			return parse_attempt_end(parser, &object->attempt) ? p + 1 : NULL;
	}
	return NULL;
}

const char *parse_json_fast(struct parser *parser, const char *p, const char *end, bool lines)
{
	struct object object = { .parser = parser, .end = end, .lines = lines };
	const struct catalog_product *assumed = parser->assumed;
	const char *behind;

	behind = attempt(&object, p);
	if (!behind && parser->assumed != assumed)
		behind = attempt(&object, p); /* it named another product behind its first field */
	return behind;
}
