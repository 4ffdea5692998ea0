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

#define GAP 2

struct cell {
	size_t at, len; /* in grid->text */
	int columns;    /* of the terminal */
};

struct grid {
	const struct tree *array;
	struct table_keys keys;
	int widest[TABLE_KEYS_MAX];
	bool numbers[TABLE_KEYS_MAX];
	struct cell *cells; /* the heading, then a row each */
	struct buf text;
};

static void end_cell(struct grid *grid, struct cell *cell, size_t column, size_t at, int columns)
{
	*cell = (struct cell){ at, grid->text.len - at, columns };
	if (columns > grid->widest[column])
		grid->widest[column] = columns;
}

static void make_heading(struct grid *grid)
{
	for (size_t i = 0; i < grid->keys.count; i++) {
		size_t at = grid->text.len;
		int columns = text_add_label(&grid->text, grid->keys.names[i], grid->numbers[i]);

		for (size_t c = at; c < grid->text.len; c++)
			grid->text.data[c] = (char)toupper((unsigned char)grid->text.data[c]);
		end_cell(grid, &grid->cells[i], i, at, columns);
	}
}

static void make_row(struct grid *grid, const struct tree *object, struct cell *cells)
{
	for (size_t i = 0; i < grid->keys.count; i++) {
		const struct tree *value = tree_get(object, grid->keys.names[i]);
		size_t at = grid->text.len;
		int columns = text_add_value(&grid->text, grid->keys.names[i], value);

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
	for (size_t i = 0; i < grid->keys.count; i++) {
		int rest = grid->widest[i] - cells[i].columns;
		bool last = i + 1 == grid->keys.count;

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

	table_keys_collect(&grid.keys, array);
	for (size_t i = 0; i < grid.keys.count; i++)
		grid.numbers[i] = true;
	if (grid.keys.count == 0)
		return;
	grid.cells = calloc((rows + 1) * grid.keys.count, sizeof(*grid.cells));
	if (grid.cells) {
		struct cell *cells = grid.cells;

		TREE_EACH(object, array)
		make_row(&grid, object, cells += grid.keys.count);
		make_heading(&grid); /* knows now which columns are of numbers */
	}
	if (!grid.cells || grid.text.failed)
		out->failed = true;
	for (size_t row = 0; !out->failed && row <= rows; row++)
		write_row(out, &grid, &grid.cells[row * grid.keys.count], indent);
	free(grid.cells);
	buf_free(&grid.text);
}
