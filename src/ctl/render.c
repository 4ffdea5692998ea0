/* SPDX-License-Identifier: ISC */
/*
 * render.c: see render.h; tables are grid.c's.
 */
#include "ctl/render.h"

#include "admin/tree.h"
#include "ctl/text.h"

#define INDENT 2

static void render_object(struct buf *out, const struct tree *object, int indent);

static bool is_table(const struct tree *value)
{
	return tree_is(tree_first(tree_array(value)), TREE_OBJECT);
}

static bool is_section(const struct tree *value)
{
	return is_table(value) || (tree_is(value, TREE_OBJECT) && value->count > 0);
}

static void pad(struct buf *out, int columns)
{
	for (; columns > 0; columns--)
		buf_add_char(out, ' ');
}

/* Among the labels that have their value on the same line. */
static int widest_label(const struct tree *object)
{
	struct buf scratch = { 0 };
	int widest = 0;

	TREE_EACH(member, object)
	{
		if (is_section(member))
			continue;
		int columns = text_add_label(&scratch, member->name, member->kind == TREE_NUMBER);
		widest = columns > widest ? columns : widest;
	}
	buf_free(&scratch);
	return widest;
}

static void render_section(struct buf *out, const struct tree *value, int indent)
{
	buf_add_text(out, ":\n");
	if (is_table(value))
		render_grid(out, value, indent);
	else
		render_object(out, value, indent);
}

static void render_object(struct buf *out, const struct tree *object, int indent)
{
	int widest = widest_label(object);

	TREE_EACH(member, object)
	{
		pad(out, indent);
		int columns = text_add_label(out, member->name, member->kind == TREE_NUMBER);
		if (is_section(member)) {
			render_section(out, member, indent + INDENT);
			continue;
		}
		buf_add_char(out, ':');
		pad(out, widest - columns + 2);
		text_add_value(out, member->name, member);
		buf_add_char(out, '\n');
	}
}

static void render_lines(struct buf *out, const struct tree *array)
{
	TREE_EACH(element, array)
	{
		text_add_value(out, "", element);
		buf_add_char(out, '\n');
	}
}

void render(struct buf *out, const struct tree *value)
{
	if (tree_is(value, TREE_OBJECT)) {
		render_object(out, value, 0);
	} else if (is_table(value)) {
		render_grid(out, value, 0);
	} else if (tree_is(value, TREE_ARRAY)) {
		render_lines(out, value);
	} else if (value && value->kind != TREE_NULL) {
		text_add_value(out, "", value);
		buf_add_char(out, '\n');
	}
}
