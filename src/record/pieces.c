/* SPDX-License-Identifier: ISC */
/*
 * pieces.c: see pieces.h. A function for each format.
 */
#include "record/pieces.h"

#include "record/parse_msgpack_token.h"

/* --- JSON --- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && is_space(*p))
		p++;
	return p;
}

/* Past the string whose opening quote is at p; NULL if it has no end. */
static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\' && p + 1 < end)
			p++;
	return p < end ? p + 1 : NULL;
}

/* To the comma or brace that ends the value at p; NULL if there is none. */
static const char *skip_value(const char *p, const char *end)
{
	size_t depth = 0;

	while (p < end) {
		if (depth == 0 && (*p == ',' || *p == '}'))
			return p;
		if (*p == '"') {
			p = skip_string(p, end);
			if (!p)
				return NULL;
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		else if ((*p == '}' || *p == ']') && depth-- == 0)
			return NULL;
		p++;
	}
	return NULL;
}

/* The member at p: past it, or NULL. */
static const char *take_member(const char *p, const char *end, pieces_fn fn, void *arg)
{
	const char *key = p, *key_end = *p == '"' ? skip_string(p, end) : NULL;
	const char *colon = key_end ? skip_space(key_end, end) : NULL;

	if (!colon || colon == end || *colon != ':')
		return NULL;
	const char *value = skip_space(colon + 1, end), *next = skip_value(value, end), *value_end = next;

	if (!next)
		return NULL;
	while (value_end > value && is_space(value_end[-1]))
		value_end--;
	struct piece piece = {
		.name = { key + 1, (size_t)(key_end - key) - 2 },
		.whole = { key, (size_t)(value_end - key) },
		.value = { value, (size_t)(value_end - value) },
	};

	fn(arg, &piece);
	return next;
}

static bool each_member(struct str raw, pieces_fn fn, void *arg)
{
	const char *end = raw.p + raw.len, *p = skip_space(raw.p, end);

	if (p == end || *p != '{')
		return false;
	p = skip_space(p + 1, end);
	if (p < end && *p == '}')
		return skip_space(p + 1, end) == end;
	while (p < end) {
		p = take_member(p, end, fn, arg);
		if (!p)
			return false;
		if (*p == '}')
			return skip_space(p + 1, end) == end;
		p = skip_space(p + 1, end);
	}
	return false;
}

/* --- CSV --- */

/* The cell at *at with its quotes; *at is then at the comma after it, or at `end`. False if its quotes are broken. */
static bool next_cell(const char **at, const char *end, struct str *cell)
{
	const char *begin = *at, *p = begin;

	if (p < end && *p == '"') {
		for (p++; p < end && (*p != '"' || (p + 1 < end && p[1] == '"')); p++)
			if (*p == '"')
				p++;
		if (p == end)
			return false;
		p++;
	} else {
		while (p < end && *p != ',' && *p != '"')
			p++;
	}
	*cell = (struct str){ begin, (size_t)(p - begin) };
	*at = p;
	return p == end || *p == ',';
}

/* Without its quotes; those that are doubled stay so. */
static struct str bare(struct str text)
{
	if (text.len >= 2 && text.p[0] == '"')
		return (struct str){ text.p + 1, text.len - 2 };
	return text;
}

static bool each_cell(struct str header, struct str raw, pieces_fn fn, void *arg)
{
	const char *name_at = header.p, *name_end = header.p + header.len;
	const char *at = raw.p, *end = raw.p + raw.len;
	struct str name, cell;

	for (; header.len > 0; name_at++, at++) {
		if (!next_cell(&name_at, name_end, &name) || !next_cell(&at, end, &cell))
			return false;
		fn(arg, &(struct piece){ .name = bare(name), .whole = cell, .value = cell });
		if ((name_at == name_end) != (at == end))
			return false; /* not as many values as names */
		if (at == end)
			return true;
	}
	return false;
}

/* --- msgpack --- */

static bool each_pair(struct str raw, pieces_fn fn, void *arg)
{
	struct msgpack_token token;
	const char *end = raw.p + raw.len, *p = msgpack_read(raw.p, end, &token);

	if (!p || token.type != MSGPACK_MAP)
		return false;
	for (uint64_t pairs = token.number; pairs > 0; pairs--) {
		const char *key = p, *text = msgpack_read(p, end, &token), *value = msgpack_skip(p, end);

		p = value ? msgpack_skip(value, end) : NULL;
		if (!text || !p)
			return false;
		struct piece piece = {
			.name = { text, token.type == MSGPACK_STR ? (size_t)token.number : 0 },
			.whole = { key, (size_t)(p - key) },
			.value = { value, (size_t)(p - value) },
		};

		fn(arg, &piece);
	}
	return p == end;
}

static struct str text_of_msgpack(struct str value)
{
	struct msgpack_token token;
	const char *text = msgpack_read(value.p, value.p + value.len, &token);

	return text && token.type == MSGPACK_STR ? (struct str){ text, (size_t)token.number } : (struct str){ "", 0 };
}

/* --- either --- */

bool pieces_each(enum parse_format format, struct str header, struct str raw, pieces_fn fn, void *arg)
{
	if (format == PARSE_CSV)
		return each_cell(header, raw, fn, arg);
	if (format == PARSE_MAPPED)
		return false;
	return format == PARSE_MSGPACK ? each_pair(raw, fn, arg) : each_member(raw, fn, arg);
}

/* The text of a value: without its quotes (escapes stay), or of a str. Empty when it is something else. */
static struct str text_of(enum parse_format format, struct str value)
{
	if (format == PARSE_MSGPACK)
		return text_of_msgpack(value);
	return format == PARSE_CSV || (value.len > 0 && value.p[0] == '"') ? bare(value) : (struct str){ "", 0 };
}

struct search {
	enum parse_format format;
	const struct str *names;
	size_t count;
	struct str *values;
};

static void look_at_piece(void *arg, const struct piece *piece)
{
	const struct search *search = arg;

	for (size_t i = 0; i < search->count; i++)
		if (piece->name.len > 0 && str_equal(piece->name, search->names[i]))
			search->values[i] = text_of(search->format, piece->value);
}

void pieces_find(enum parse_format format, struct str header, struct str raw, const struct str *names, size_t count,
                 struct str *values)
{
	struct search search = { format, names, count, values };

	for (size_t i = 0; i < count; i++)
		values[i] = (struct str){ "", 0 };
	(void)pieces_each(format, header, raw, look_at_piece, &search);
}
