/* SPDX-License-Identifier: ISC */
/*
 * csv.c: a result as CSV, for spreadsheets and scripts. See render.h.
 */
#include <string.h>

#include "ctl/render.h"

static yajl_val find_table(yajl_val value)
{
	if (YAJL_IS_ARRAY(value))
		return value;
	for (size_t i = 0; YAJL_IS_OBJECT(value) && i < value->u.object.len; i++)
		if (YAJL_IS_ARRAY(value->u.object.values[i]))
			return value->u.object.values[i];
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

static void add_value(struct buf *out, yajl_val value)
{
	if (YAJL_IS_STRING(value))
		add_quoted(out, value->u.string);
	else if (YAJL_IS_NUMBER(value))
		buf_add_text(out, value->u.number.r);
	else if (YAJL_IS_TRUE(value) || YAJL_IS_FALSE(value))
		buf_add_text(out, YAJL_IS_TRUE(value) ? "true" : "false");
}

static void add_row(struct buf *out, yajl_val row, bool keys)
{
	for (size_t i = 0; i < row->u.object.len; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		if (keys)
			add_quoted(out, row->u.object.keys[i]);
		else
			add_value(out, row->u.object.values[i]);
	}
	buf_add_char(out, '\n');
}

void render_csv(struct buf *out, yajl_val value)
{
	yajl_val table = find_table(value);

	for (size_t i = 0; table && i < table->u.array.len; i++) {
		yajl_val row = table->u.array.values[i];

		if (!YAJL_IS_OBJECT(row))
			continue;
		if (i == 0)
			add_row(out, row, true);
		add_row(out, row, false);
	}
}
