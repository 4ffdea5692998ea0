/* SPDX-License-Identifier: ISC */
/*
 * parse_json_token.c: see parse_json_token.h.
 */
#include "record/parse_json_token.h"

const char *json_token_fail(struct json_source *source, const char *p, const char *why)
{
	source->why = p == source->end ? "parse error: premature EOF" : why;
	source->at = p;
	return NULL;
}

/* --- escapes --- */

/* Takes the four hexadecimal digits of a UTF-16 unit. */
static const char *hex4(struct json_source *source, const char *p, int *unit)
{
	*unit = 0;
	for (int i = 0; i < 4; i++, p++) {
		int digit = p < source->end ? str_hex_value(*p) : -1;

		if (digit < 0)
			return json_token_fail(source, p, "lexical error: \\u needs four hexadecimal digits");
		*unit = *unit << 4 | digit;
	}
	return p;
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

/* Takes the digits of a \u escape, and the second one of a pair. */
static const char *take_unit(struct json_source *source, const char *p, char **out)
{
	int c, low;

	p = hex4(source, p, &c);
	if (!p)
		return NULL;
	if (c >= 0xd800 && c <= 0xdbff && source->end - p >= 2 && p[0] == '\\' && p[1] == 'u') {
		p = hex4(source, p + 2, &low);
		if (!p)
			return NULL;
		if (low >= 0xdc00 && low <= 0xdfff)
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	source->half_pair |= c >= 0xd800 && c <= 0xdfff;
	*out = put_utf8(*out, c);
	return p;
}

/* Takes what follows a backslash at p. */
static const char *take_escape(struct json_source *source, const char *p, char **out)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *found = p < source->end && *p != '\0' ? strchr(from, *p) : NULL;

	if (p < source->end && *p == 'u')
		return take_unit(source, p + 1, out);
	if (!found)
		return json_token_fail(source, p, "lexical error: no escape has this character after its \\");
	*(*out)++ = to[found - from];
	return p + 1;
}

/* Is at `stop` the quote that ends a text? After it. */
static const char *take_quote(struct json_source *source, const char *stop)
{
	if (stop == source->end || *stop != '"')
		return json_token_fail(source, stop, "lexical error: control character in a text");
	return stop + 1;
}

__attribute__((noinline)) const char *json_token_text_odd(struct json_source *source, const char *p, const char *stop,
                                                          struct str *value)
{
	struct buf *arena = source->arena;
	bool high = false; /* of no account */
	char *begin, *out;

	*value = (struct str){ NULL, 0 };
	if (stop == source->end || *stop != '\\')
		return take_quote(source, stop);
	/* Values are no longer than as sent: with this at the first of a record, later ones never move it. */
	if (arena->len == 0 && !buf_reserve(arena, (size_t)(source->end - p)))
		return NULL;
	begin = out = arena->data + arena->len;
	for (;;) {
		memcpy(out, p, (size_t)(stop - p));
		out += stop - p;
		if (stop == source->end || *stop != '\\')
			break;
		p = take_escape(source, stop + 1, &out);
		if (!p)
			return NULL;
		stop = scan_json(p, source->end, &high);
	}
	*value = (struct str){ begin, (size_t)(out - begin) };
	arena->len = (size_t)(out - arena->data);
	return take_quote(source, stop);
}

/* --- numbers and words --- */

/* Passes one digit at least. */
static const char *take_digits(struct json_source *source, const char *p)
{
	const char *begin = p;

	while (p < source->end && *p >= '0' && *p <= '9')
		p++;
	return p > begin ? p : json_token_fail(source, p, "lexical error: a digit is missing here");
}

/* -? (0 | [1-9] digits) (. digits)? ([eE] [+-]? digits)? */
static const char *take_number(struct json_source *source, const char *p)
{
	if (*p == '-')
		p++;
	p = p < source->end && *p == '0' ? p + 1 : take_digits(source, p);
	if (p && p < source->end && *p == '.')
		p = take_digits(source, p + 1);
	if (p && p < source->end && (*p | 0x20) == 'e') {
		p++;
		if (p < source->end && (*p == '+' || *p == '-'))
			p++;
		p = take_digits(source, p);
	}
	return p;
}

static const char *take_word(struct json_source *source, const char *p)
{
	const char *word = *p == 't' ? "true" : *p == 'f' ? "false" : *p == 'n' ? "null" : "";

	if (!*word)
		return json_token_fail(source, p, "parse error: no value of JSON begins with this character");
	for (; *word; word++, p++)
		if (p == source->end || *p != *word)
			return json_token_fail(source, p, "lexical error: invalid string in json text.");
	return p;
}

const char *json_token_scalar(struct json_source *source, const char *p, struct str *value)
{
	const char *begin = p;

	if (p == source->end)
		return json_token_fail(source, p, NULL);
	p = *p == '-' || (*p >= '0' && *p <= '9') ? take_number(source, p) : take_word(source, p);
	if (p)
		*value = *begin == 'n' ? (struct str){ NULL, 0 } : (struct str){ begin, (size_t)(p - begin) };
	return p;
}

/* --- what is only passed --- */

/* A text after its opening quote. */
static const char *skip_text(struct json_source *source, const char *p)
{
	char scratch[4];
	bool high = false; /* of no account */

	for (;;) {
		const char *stop = scan_json(p, source->end, &high);
		char *out = scratch;

		if (stop == source->end || *stop != '\\')
			return take_quote(source, stop);
		p = take_escape(source, stop + 1, &out);
		if (!p)
			return NULL;
	}
}

/* A name and its colon. */
static const char *skip_name(struct json_source *source, const char *p)
{
	const char *after;

	if (p == source->end || *p != '"')
		return json_token_fail(source, p, JSON_NAME_EXPECTED);
	p = skip_text(source, p + 1);
	if (!p)
		return NULL;
	p = json_token_space(source, p);
	after = json_token_pass(source, p, ':');
	return after ? after : json_token_fail(source, p, JSON_COLON_EXPECTED);
}

/* An object or array; of those within it, `depth_max` levels. */
static const char *skip_nested(struct json_source *source, const char *p, int depth_max)
{
	bool object = *p == '{';
	char close = object ? '}' : ']';

	p = json_token_space(source, p + 1);
	if (p < source->end && *p == close)
		return p + 1;
	for (;;) {
		if (object)
			p = skip_name(source, p);
		if (p)
			p = json_token_skip(source, p, depth_max);
		if (!p)
			return NULL;
		p = json_token_space(source, p);
		if (p < source->end && *p == close)
			return p + 1;
		if (p == source->end || *p != ',')
			return json_token_fail(source, p,
			                       object ? JSON_COMMA_EXPECTED : "parse error: , or ] expected");
		p = json_token_space(source, p + 1);
	}
}

const char *json_token_skip(struct json_source *source, const char *p, int depth_max)
{
	struct str value;

	if (p < source->end && *p == '"')
		return skip_text(source, p + 1);
	if (p == source->end || (*p != '{' && *p != '['))
		return json_token_scalar(source, p, &value);
	source->too_deep = depth_max <= 0;
	return source->too_deep ? NULL : skip_nested(source, p, depth_max - 1);
}

bool json_token_is_valid(struct str text, int depth_max)
{
	struct json_source source = { .end = text.p + text.len, .lines = true };
	const char *p = json_token_skip(&source, json_token_space(&source, text.p), depth_max);

	return p && json_token_space(&source, p) == source.end && !source.half_pair;
}
