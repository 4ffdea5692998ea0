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

static void add_row(struct buf *out, const struct tree *row, bool keys)
{
	TREE_EACH(member, row)
	{
		if (member != row->first)
			buf_add_char(out, ',');
		if (keys)
			add_quoted(out, member->name);
		else
			add_value(out, member);
	}
	buf_add_char(out, '\n');
}

void render_csv(struct buf *out, const struct tree *value)
{
	const struct tree *table = find_table(value);

	TREE_EACH(row, table)
	{
		if (row->kind != TREE_OBJECT)
			continue;
		if (row == table->first)
			add_row(out, row, true);
		add_row(out, row, false);
	}
}
