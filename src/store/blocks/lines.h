/* SPDX-License-Identifier: ISC */
/*
 * lines.h: where the values are in a run of CSV lines as record_write_csv writes them; private to store/.
 *
 *	"a","b ""c""",""LF      every value quoted, quotes doubled, LF at the end; a value may hold LF
 *
 * Finding the quotes is most of the cost of reading a block, so it is done for a whole run at once, many bytes a
 * step. Pure.
 */
#ifndef CDRD_STORE_BLOCKS_LINES_H
#define CDRD_STORE_BLOCKS_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct lines {
	const char *text;
	uint32_t rows;
	uint32_t fields;  /* of a row */
	bool has_doubled; /* some value holds doubled quotes */
	bool no_memory;   /* the last call failed for want of it, which says nothing about the text */
	uint32_t *edges;  /* offsets of the quotes around each value */
	size_t edges_cap;
};

/*
 * Finds the values of `rows` lines of `fields` values each. `edges` is kept and grown from call to call. 0, or -1 when
 * the text is not such lines or when out of memory.
 */
int lines_index(struct lines *lines, struct str text, uint32_t rows, uint32_t fields);

/*
 * As above for one line of a text that begins with whole lines of which no value holds quotes: lines before it are
 * counted, not parsed. The line becomes row 0. -1 when the text ends before the line does, too.
 */
int lines_index_one(struct lines *lines, struct str text, uint32_t row, uint32_t fields);

/*
 * Finds the LF that each of `rows` lines ends with; `edges` then has their offsets. 0, or -1 where the text does not have just
 * so many, as values hold some, or when out of memory.
 */
int lines_ends(struct lines *lines, struct str text, uint32_t rows);

void lines_free(struct lines *lines);

/* A value as it stands, quotes in it still doubled. */
static inline struct str lines_value(const struct lines *lines, uint32_t row, uint32_t field)
{
	const uint32_t *edge = &lines->edges[2 * ((size_t)row * lines->fields + field)];

	return (struct str){ lines->text + edge[0] + 1, edge[1] - edge[0] - 1 };
}

/* The whole line with its LF. */
static inline struct str lines_row(const struct lines *lines, uint32_t row)
{
	const uint32_t *first = &lines->edges[2 * (size_t)row * lines->fields];
	const uint32_t *last = first + 2 * ((size_t)lines->fields - 1);

	return (struct str){ lines->text + first[0], last[1] - first[0] + 2 };
}

#endif
