/* SPDX-License-Identifier: ISC */
/*
 * render.c: see render.h; tables are grid.c's.
 */
#include "ctl/render.h"

#include "base/json.h"
#include "ctl/text.h"

#define INDENT 2

static void render_object(struct buf *out, yajl_val object, int indent);

static bool is_table(yajl_val value)
{
	return YAJL_IS_ARRAY(value) && value->u.array.len > 0 && YAJL_IS_OBJECT(value->u.array.values[0]);
}

static bool is_section(yajl_val value)
{
	return is_table(value) || (YAJL_IS_OBJECT(value) && value->u.object.len > 0);
}

static void pad(struct buf *out, int columns)
{
	for (; columns > 0; columns--)
		buf_add_char(out, ' ');
}

/* Of the labels that have their value on the same line. */
static int widest_label(yajl_val object)
{
	struct buf scratch = { 0 };
	int widest = 0;
	for (size_t i = 0; i < object->u.object.len; i++) {
		yajl_val value = object->u.object.values[i];
		if (is_section(value))
			continue;
		int columns = text_add_label(&scratch, object->u.object.keys[i], YAJL_IS_NUMBER(value));
		widest = columns > widest ? columns : widest;
	}
	buf_free(&scratch);
	return widest;
}

static void render_section(struct buf *out, yajl_val value, int indent)
{
	buf_add_text(out, ":\n");
	if (is_table(value))
		render_grid(out, value, indent);
	else
		render_object(out, value, indent);
}

static void render_object(struct buf *out, yajl_val object, int indent)
{
	int widest = widest_label(object);
	for (size_t i = 0; i < object->u.object.len; i++) {
		const char *key = object->u.object.keys[i];
		yajl_val value = object->u.object.values[i];
		pad(out, indent);
		int columns = text_add_label(out, key, YAJL_IS_NUMBER(value));
		if (is_section(value)) {
			render_section(out, value, indent + INDENT);
			continue;
		}
		buf_add_char(out, ':');
		pad(out, widest - columns + 2);
		text_add_value(out, key, value);
		buf_add_char(out, '\n');
	}
}

static void render_lines(struct buf *out, yajl_val array)
{
	for (size_t i = 0; i < array->u.array.len; i++) {
		text_add_value(out, "", array->u.array.values[i]);
		buf_add_char(out, '\n');
	}
}

void render(struct buf *out, yajl_val value)
{
	if (YAJL_IS_OBJECT(value)) {
		render_object(out, value, 0);
	} else if (is_table(value)) {
		render_grid(out, value, 0);
	} else if (YAJL_IS_ARRAY(value)) {
		render_lines(out, value);
	} else if (value && !YAJL_IS_NULL(value)) {
		text_add_value(out, "", value);
		buf_add_char(out, '\n');
	}
}
