/* SPDX-License-Identifier: ISC */
/*
 * grid.c: an array of objects as a table. See render.h.
 *
 * Cells are made once, one after another in one buffer, and laid out when the width of each column is known. Columns of
 * numbers are right-aligned; the last column is not padded.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "admin/tree.h"
#include "ctl/render.h"
#include "ctl/text.h"

#define COLUMNS_MAX 64
#define GAP 2

struct cell {
	size_t at, len; /* in grid->text */
	int columns;    /* of the terminal */
};

struct grid {
	const struct tree *array;
	size_t keys_count;
	const char *keys[COLUMNS_MAX];
	int widest[COLUMNS_MAX];
	bool numbers[COLUMNS_MAX];
	struct cell *cells; /* the heading, then a row each */
	struct buf text;
};

static bool has_key(const struct grid *grid, const char *key)
{
	for (size_t i = 0; i < grid->keys_count; i++)
		if (strcmp(grid->keys[i], key) == 0)
			return true;
	return false;
}

static void collect_keys(struct grid *grid)
{
	TREE_EACH(object, grid->array)
	{
		if (object->kind != TREE_OBJECT)
			continue;
		TREE_EACH(member, object)
		if (grid->keys_count < COLUMNS_MAX && !has_key(grid, member->name)) {
			grid->numbers[grid->keys_count] = true;
			grid->keys[grid->keys_count++] = member->name;
		}
	}
}

static void end_cell(struct grid *grid, struct cell *cell, size_t column, size_t at, int columns)
{
	*cell = (struct cell){ at, grid->text.len - at, columns };
	if (columns > grid->widest[column])
		grid->widest[column] = columns;
}

static void make_heading(struct grid *grid)
{
	for (size_t i = 0; i < grid->keys_count; i++) {
		size_t at = grid->text.len;
		int columns = text_add_label(&grid->text, grid->keys[i], grid->numbers[i]);

		for (size_t c = at; c < grid->text.len; c++)
			grid->text.data[c] = (char)toupper((unsigned char)grid->text.data[c]);
		end_cell(grid, &grid->cells[i], i, at, columns);
	}
}

static void make_row(struct grid *grid, const struct tree *object, struct cell *cells)
{
	for (size_t i = 0; i < grid->keys_count; i++) {
		const struct tree *value = tree_get(object, grid->keys[i]);
		size_t at = grid->text.len;
		int columns = text_add_value(&grid->text, grid->keys[i], value);

		if (value && value->kind != TREE_NUMBER && value->kind != TREE_NULL)
			grid->numbers[i] = false;
		end_cell(grid, &cells[i], i, at, columns);
	}
}

static void pad(struct buf *out, int columns)
{
	for (; columns > 0; columns--)
		buf_add_char(out, ' ');
}

static void write_row(struct buf *out, const struct grid *grid, const struct cell *cells, int indent)
{
	pad(out, indent);
	for (size_t i = 0; i < grid->keys_count; i++) {
		int rest = grid->widest[i] - cells[i].columns;
		bool last = i + 1 == grid->keys_count;

		if (grid->numbers[i])
			pad(out, rest);
		buf_add(out, grid->text.data + cells[i].at, cells[i].len);
		if (!last)
			pad(out, (grid->numbers[i] ? 0 : rest) + GAP);
	}
	buf_add_char(out, '\n');
}

void render_grid(struct buf *out, const struct tree *array, int indent)
{
	struct grid grid = { .array = array };
	size_t rows = array->count;

	collect_keys(&grid);
	if (grid.keys_count == 0)
		return;
	grid.cells = calloc((rows + 1) * grid.keys_count, sizeof(*grid.cells));
	if (grid.cells) {
		struct cell *cells = grid.cells;

		TREE_EACH(object, array)
		make_row(&grid, object, cells += grid.keys_count);
		make_heading(&grid); /* knows now which columns are of numbers */
	}
	if (!grid.cells || grid.text.failed)
		out->failed = true;
	for (size_t row = 0; !out->failed && row <= rows; row++)
		write_row(out, &grid, &grid.cells[row * grid.keys_count], indent);
	free(grid.cells);
	buf_free(&grid.text);
}
