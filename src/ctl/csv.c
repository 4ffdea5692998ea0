/* SPDX-License-Identifier: ISC */
/*
 * csv.c: a result as CSV, for spreadsheets and scripts. See render.h.
 */
#include <string.h>

#include "admin/tree.h"
#include "ctl/render.h"

static const struct tree *find_table(const struct tree *value)
{
	if (tree_is(value, TREE_ARRAY))
		return value;
	TREE_EACH(member, value)
	if (member->kind == TREE_ARRAY)
		return member;
	return NULL;
}

static void add_quoted(struct buf *out, const char *text)
{
	if (!strpbrk(text, ",\"\r\n")) {
		buf_add_text(out, text);
		return;
	}
	buf_add_char(out, '"');
	for (; *text; text++) {
		if (*text == '"')
			buf_add_char(out, '"');
		buf_add_char(out, *text);
	}
	buf_add_char(out, '"');
}

static void add_value(struct buf *out, const struct tree *value)
{
	if (value->kind == TREE_TEXT)
		add_quoted(out, value->text);
	else if (value->kind == TREE_NUMBER)
		buf_add_text(out, value->text);
	else if (value->kind == TREE_TRUE || value->kind == TREE_FALSE)
		buf_add_text(out, value->kind == TREE_TRUE ? "true" : "false");
}

static void add_heading(struct buf *out, const struct table_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		add_quoted(out, keys->names[i]);
	}
	buf_add_char(out, '\n');
}

static void add_row(struct buf *out, const struct table_keys *keys, const struct tree *row)
{
	for (size_t i = 0; i < keys->count; i++) {
		const struct tree *value = tree_get(row, keys->names[i]);

		if (i > 0)
			buf_add_char(out, ',');
		if (value)
			add_value(out, value);
	}
	buf_add_char(out, '\n');
}

void render_csv(struct buf *out, const struct tree *value)
{
	const struct tree *table = find_table(value);
	struct table_keys keys;

	table_keys_collect(&keys, table);
	if (keys.count > 0)
		add_heading(out, &keys);
	TREE_EACH(row, table)
	if (row->kind == TREE_OBJECT)
		add_row(out, &keys, row);
}
