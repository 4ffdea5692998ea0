/* SPDX-License-Identifier: ISC */
/*
 * mend.c: see mend.h. What is kept of a record is copied piece by piece (pieces.h), and what is set is put after it; in
 * CSV it replaces the cell.
 */
#include "record/mend.h"

#include "base/json.h"
#include "record/pieces.h"

struct mending {
	const struct mend_change *changes;
	size_t count;
	struct buf *out;
	size_t written; /* pieces */
};

/* The change that applies to a field; NULL if there is none. */
static const struct mend_change *find_change(const struct mending *mending, struct str field)
{
	for (size_t i = mending->count; i > 0; i--)
		if (str_equal(mending->changes[i - 1].field, field))
			return &mending->changes[i - 1];
	return NULL;
}

/* Is this the change that applies to its field, and does it set it? */
static bool is_to_set(const struct mending *mending, const struct mend_change *change)
{
	return !change->unset && find_change(mending, change->field) == change;
}

/* Calls fn for each change that sets a field. */
static void set_each(struct mending *mending, void (*fn)(struct mending *mending, const struct mend_change *change))
{
	for (size_t i = 0; i < mending->count; i++)
		if (is_to_set(mending, &mending->changes[i]))
			fn(mending, &mending->changes[i]);
}

static void add_comma(struct mending *mending)
{
	if (mending->written++ > 0)
		buf_add_char(mending->out, ',');
}

/* --- JSON --- */

static void keep_member(void *arg, const struct piece *piece)
{
	struct mending *mending = arg;

	if (find_change(mending, piece->name))
		return;
	add_comma(mending);
	buf_add_str(mending->out, piece->whole);
}

static void set_member(struct mending *mending, const struct mend_change *change)
{
	add_comma(mending);
	json_quote(mending->out, change->field);
	buf_add_char(mending->out, ':');
	json_quote(mending->out, change->value);
}

static bool mend_json(struct mending *mending, enum parse_format format, struct str raw)
{
	buf_add_char(mending->out, '{');
	bool done = pieces_each(format, STR_LITERAL(""), raw, keep_member, mending);

	set_each(mending, set_member);
	buf_add_char(mending->out, '}');
	return done;
}

/* --- CSV --- */

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

static void take_cell(void *arg, const struct piece *piece)
{
	struct mending *mending = arg;
	const struct mend_change *change = find_change(mending, piece->name);

	add_comma(mending);
	if (!change)
		buf_add_str(mending->out, piece->whole);
	else if (!change->unset)
		add_quoted(mending->out, change->value);
}

struct column {
	struct str name;
	bool found;
};

static void look_for_column(void *arg, const struct piece *piece)
{
	struct column *column = arg;

	column->found |= str_equal(piece->name, column->name);
}

static bool mend_csv(struct mending *mending, struct str header, struct str raw, struct buf *new_header)
{
	buf_add_str(new_header, header);
	if (!pieces_each(PARSE_CSV, header, raw, take_cell, mending))
		return false;
	for (size_t i = 0; i < mending->count; i++) {
		const struct mend_change *change = &mending->changes[i];
		struct column column = { change->field, !is_to_set(mending, change) };

		if (!column.found)
			(void)pieces_each(PARSE_CSV, header, header, look_for_column, &column);
		if (column.found)
			continue;
		buf_add_char(new_header, ',');
		add_quoted(new_header, change->field);
		add_comma(mending);
		add_quoted(mending->out, change->value);
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

static void keep_pair(void *arg, const struct piece *piece)
{
	struct mending *mending = arg;

	if (piece->name.len > 0 && find_change(mending, piece->name))
		return;
	mending->written++;
	buf_add_str(mending->out, piece->whole);
}

static void set_pair(struct mending *mending, const struct mend_change *change)
{
	mending->written++;
	add_head(mending->out, MSGPACK_STR32, change->field.len);
	buf_add_str(mending->out, change->field);
	add_head(mending->out, MSGPACK_STR32, change->value.len);
	buf_add_str(mending->out, change->value);
}

static bool mend_msgpack(struct mending *mending, struct str raw)
{
	struct buf *out = mending->out, pairs = { 0 };

	/* NOLINTNEXTLINE(autoVariables): mend_record ends with this call. */
	mending->out = &pairs;
	bool done = pieces_each(PARSE_MSGPACK, STR_LITERAL(""), raw, keep_pair, mending);

	set_each(mending, set_pair);
	add_head(out, MSGPACK_MAP32, mending->written);
	buf_add_str(out, buf_str(&pairs));
	out->failed |= pairs.failed;
	buf_free(&pairs);
	return done;
}

bool mend_record(enum parse_format format, struct str header, struct str raw, const struct mend_change *changes,
                 size_t count, struct buf *new_header, struct buf *new_raw)
{
	struct mending mending = { .changes = changes, .count = count, .out = new_raw };

	switch (format) {
	case PARSE_CSV:
		return mend_csv(&mending, header, raw, new_header);
	case PARSE_MSGPACK:
		return mend_msgpack(&mending, raw);
	case PARSE_MAPPED:
		return false;
	default:
		return mend_json(&mending, format, raw);
	}
}
