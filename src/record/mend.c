/*
 * mend.c: see mend.h. A function for each format: JSON objects, lines of CSV with their header, msgpack maps.
 */
#include "record/mend.h"

#include "base/json.h"
#include "record/parse_msgpack_token.h"

struct mending {
	const struct mend_change *changes;
	size_t count;
};

/* The change that holds for a field; NULL if there is none. */
static const struct mend_change *find_change(const struct mending *mending, struct str field)
{
	for (size_t i = mending->count; i > 0; i--)
		if (str_equal(mending->changes[i - 1].field, field))
			return &mending->changes[i - 1];
	return NULL;
}

/* Is this the change that holds for its field, and sets it? */
static bool is_to_set(const struct mending *mending, const struct mend_change *change)
{
	return !change->unset && find_change(mending, change->field) == change;
}

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

static void add_member(struct buf *out, bool *first, struct str quoted_key, struct str value)
{
	buf_add_text(out, *first ? "" : ",");
	buf_add_str(out, quoted_key);
	buf_add_char(out, ':');
	buf_add_str(out, value);
	*first = false;
}

/* Copies the member at p unless it is changed: behind it, or NULL. */
static const char *take_member(const struct mending *mending, const char *p, const char *end, struct buf *out,
                               bool *first)
{
	const char *key = p, *key_end = *p == '"' ? skip_string(p, end) : NULL;

	if (!key_end)
		return NULL;
	p = skip_space(key_end, end);
	if (p == end || *p != ':')
		return NULL;
	const char *value = skip_space(p + 1, end), *value_end = skip_value(value, end);

	if (!value_end)
		return NULL;
	p = value_end;
	while (value_end > value && is_space(value_end[-1]))
		value_end--;
	if (!find_change(mending, (struct str){ key + 1, (size_t)(key_end - key) - 2 }))
		add_member(out, first, (struct str){ key, (size_t)(key_end - key) },
		           (struct str){ value, (size_t)(value_end - value) });
	return p;
}

static bool take_members(const struct mending *mending, struct str raw, struct buf *out, bool *first)
{
	const char *end = raw.p + raw.len, *p = skip_space(raw.p, end);

	if (p == end || *p != '{')
		return false;
	p = skip_space(p + 1, end);
	if (p < end && *p == '}')
		return skip_space(p + 1, end) == end;
	while (p && p < end) {
		p = take_member(mending, p, end, out, first);
		if (!p)
			return false;
		if (*p == '}')
			return skip_space(p + 1, end) == end;
		p = skip_space(p + 1, end);
	}
	return false;
}

static bool mend_json(const struct mending *mending, struct str raw, struct buf *out)
{
	bool first = true;

	buf_add_char(out, '{');
	if (!take_members(mending, raw, out, &first))
		return false;
	for (size_t i = 0; i < mending->count; i++) {
		const struct mend_change *change = &mending->changes[i];

		if (!is_to_set(mending, change))
			continue;
		buf_add_text(out, first ? "" : ",");
		json_quote(out, change->field);
		buf_add_char(out, ':');
		json_quote(out, change->value);
		first = false;
	}
	buf_add_char(out, '}');
	return true;
}

/* --- CSV --- */

/* The cell at *at with its quotes; *at is then at the comma behind it, or at `end`. False if its quotes are broken. */
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

/* The name without its quotes; no column has one that is doubled. */
static struct str bare(struct str cell)
{
	if (cell.len >= 2 && cell.p[0] == '"')
		return (struct str){ cell.p + 1, cell.len - 2 };
	return cell;
}

static void add_quoted(struct buf *out, struct str text)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '"')
			buf_add_char(out, '"');
		buf_add_char(out, text.p[i]);
	}
	buf_add_char(out, '"');
}

static void add_cell(struct buf *out, struct str cell, const struct mend_change *change)
{
	if (!change)
		buf_add_str(out, cell);
	else if (!change->unset)
		add_quoted(out, change->value);
}

static bool has_name(struct str header, struct str name)
{
	const char *p = header.p, *end = header.p + header.len;
	struct str cell;

	for (; next_cell(&p, end, &cell); p++) {
		if (str_equal(bare(cell), name))
			return true;
		if (p == end)
			break;
	}
	return false;
}

static bool copy_cells(const struct mending *mending, struct str header, struct str raw, struct buf *out)
{
	const char *name_at = header.p, *name_end = header.p + header.len;
	const char *at = raw.p, *end = raw.p + raw.len;
	struct str name, cell;

	for (;; name_at++, at++) {
		if (!next_cell(&name_at, name_end, &name) || !next_cell(&at, end, &cell))
			return false;
		add_cell(out, cell, find_change(mending, bare(name)));
		if ((name_at == name_end) != (at == end))
			return false; /* not as many values as names */
		if (at == end)
			return true;
		buf_add_char(out, ',');
	}
}

static bool mend_csv(const struct mending *mending, struct str header, struct str raw, struct buf *new_header,
                     struct buf *out)
{
	buf_add_str(new_header, header);
	if (header.len == 0 || !copy_cells(mending, header, raw, out))
		return false;
	for (size_t i = 0; i < mending->count; i++) {
		const struct mend_change *change = &mending->changes[i];

		if (!is_to_set(mending, change) || has_name(header, change->field))
			continue;
		buf_add_char(new_header, ',');
		add_quoted(new_header, change->field);
		buf_add_char(out, ',');
		add_quoted(out, change->value);
	}
	return true;
}

/* --- msgpack --- */

#define MSGPACK_MAP32 '\xdf'
#define MSGPACK_STR32 '\xdb'

static void add_head(struct buf *out, char type, size_t number)
{
	const char head[] = { type, (char)(number >> 24), (char)(number >> 16), (char)(number >> 8), (char)number };

	buf_add(out, head, sizeof(head));
}

static void add_text(struct buf *out, struct str text)
{
	add_head(out, MSGPACK_STR32, text.len);
	buf_add_str(out, text);
}

/* Copies the pairs that are not changed; *count of them. */
static bool copy_pairs(const struct mending *mending, const char *p, const char *end, uint64_t pairs, struct buf *out,
                       size_t *count)
{
	for (; pairs > 0; pairs--) {
		struct msgpack_token token;
		const char *key = p, *text = msgpack_read(p, end, &token), *value = msgpack_skip(p, end);

		p = value ? msgpack_skip(value, end) : NULL;
		if (!text || !p)
			return false;
		if (token.type == MSGPACK_STR && find_change(mending, (struct str){ text, token.number }))
			continue;
		buf_add(out, key, (size_t)(p - key));
		++*count;
	}
	return p == end;
}

static bool mend_msgpack(const struct mending *mending, struct str raw, struct buf *out)
{
	struct buf pairs = { 0 };
	struct msgpack_token token;
	const char *end = raw.p + raw.len, *p = msgpack_read(raw.p, end, &token);
	size_t count = 0;
	bool done = p && token.type == MSGPACK_MAP && copy_pairs(mending, p, end, token.number, &pairs, &count);

	for (size_t i = 0; done && i < mending->count; i++) {
		if (!is_to_set(mending, &mending->changes[i]))
			continue;
		add_text(&pairs, mending->changes[i].field);
		add_text(&pairs, mending->changes[i].value);
		count++;
	}
	add_head(out, MSGPACK_MAP32, count);
	buf_add_str(out, buf_str(&pairs));
	out->failed |= pairs.failed;
	buf_free(&pairs);
	return done;
}

bool mend_record(enum parse_format format, struct str header, struct str raw, const struct mend_change *changes,
                 size_t count, struct buf *new_header, struct buf *new_raw)
{
	struct mending mending = { changes, count };

	switch (format) {
	case PARSE_CSV:
		return mend_csv(&mending, header, raw, new_header, new_raw);
	case PARSE_MSGPACK:
		return mend_msgpack(&mending, raw, new_raw);
	default:
		return mend_json(&mending, raw, new_raw);
	}
}
