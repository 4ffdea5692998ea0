/* SPDX-License-Identifier: ISC */
/*
 * parse_csv_frame.c: where rows of CSV begin and end, those with broken quotes included.
 *
 * A row whose quotes are wrong costs itself up to its line's end. A quoted value may hold line ends; so a quote that is
 * never closed would swallow all the rows after it, up to the next quote at least. When a row that spans a line's end
 * turns out to be broken (its quotes, its number of values, its length), it is cut at that first line's end,
 * and what follows is read again. It is taken for broken as well if a value holds a line that is a row by itself, of a
 * width that is no accident.
 */
#include "record/parse_csv.h"

#define ROW_WITHIN_MIN 8 /* columns; a line of a text has as many commas now and then, but not as many as this */

enum csv_state { CELL_BEGIN = 0, PLAIN_CELL, QUOTED_CELL, BEHIND_QUOTE, BEHIND_CR, TO_LINE_END };

static const char *csv_between(struct parser *parser, const char *p, const char *end)
{
	/* Line ends within the last record. */
	parser->line += parser->scan.csv.line_ends;
	parser->scan.csv.line_ends = 0;
	for (; p < end && (*p == '\n' || *p == '\r'); p++)
		parse_pass_line_end(parser, *p);
	return p;
}

/* --- within a row --- */

static enum csv_state next_state(enum csv_state state, char c)
{
	switch (state) {
	case CELL_BEGIN:
		return c == '"' ? QUOTED_CELL : c == ',' ? CELL_BEGIN : PLAIN_CELL;
	case PLAIN_CELL:
		return c == ',' ? CELL_BEGIN : c == '"' ? TO_LINE_END : PLAIN_CELL;
	case QUOTED_CELL:
		return c == '"' ? BEHIND_QUOTE : QUOTED_CELL;
	case BEHIND_QUOTE:
		return c == '"' ? QUOTED_CELL : c == ',' ? CELL_BEGIN : c == '\r' ? BEHIND_CR : TO_LINE_END;
	case BEHIND_CR:
	case TO_LINE_END:
		break;
	}
	return TO_LINE_END;
}

static bool ends_cell(int state, char c)
{
	return c == ',' && (state == CELL_BEGIN || state == PLAIN_CELL || state == BEHIND_QUOTE);
}

/* A line ends within a quoted value, at offset `at`. */
static void take_inner_end(struct parser *parser, size_t at)
{
	struct csv_scan *scan = &parser->scan.csv;

	if (scan->first_end == 0)
		scan->first_end = at;
	else if (scan->inner_state != QUOTED_CELL && scan->inner_state != TO_LINE_END &&
	         scan->inner_cells + 1 == parser->csv->names_count)
		scan->row_within = true;
	scan->inner_state = CELL_BEGIN;
	scan->inner_cells = 0;
	scan->line_ends++;
}

static void take_byte(struct parser *parser, char c, size_t at)
{
	struct csv_scan *scan = &parser->scan.csv;
	bool inner = scan->first_end > 0;

	if (scan->state == CELL_BEGIN && c == '"')
		scan->value_begin = at;
	if (scan->state == QUOTED_CELL && parser->csv && parse_is_line_end(parser, c)) {
		take_inner_end(parser, at);
		return;
	}
	scan->line_ends += parse_is_line_end(parser, c);
	scan->cells += ends_cell(scan->state, c);
	scan->state = (int)next_state((enum csv_state)scan->state, c);
	if (!inner)
		return;
	scan->inner_cells += ends_cell(scan->inner_state, c);
	scan->inner_state = (int)next_state((enum csv_state)scan->inner_state, c);
}

/* Does the row span a line's end, and is it broken at offset `at`? */
static bool is_overrun(const struct parser *parser, size_t at)
{
	const struct csv_scan *scan = &parser->scan.csv;

	if (scan->first_end == 0)
		return false;
	if (scan->state == TO_LINE_END || scan->cells >= parser->csv->names_count)
		return true;
	return scan->row_within && scan->state == QUOTED_CELL &&
	       (parser->csv->names_count >= ROW_WITHIN_MIN || at - scan->value_begin > parser->limits.value_max_bytes ||
	        parse_is_too_long(parser));
}

/* The row ends at its first line's end, and what follows that is read again. */
static void cut_at_first_end(struct parser *parser)
{
	parser->keep = parser->scan.csv.first_end;
	parser->reread = true;
	parser->scan.csv.line_ends = 0;
	parser->scan.csv.first_end = 0;
}

/* The row ends at a line's end that is not in quotes. */
static void end_row(struct parser *parser)
{
	const struct csv_scan *scan = &parser->scan.csv;

	if (scan->first_end > 0 && scan->cells + 1 != parser->csv->names_count)
		cut_at_first_end(parser);
}

/* Does the row end at p, whose offset is `at`? */
static bool ends_at(struct parser *parser, const char *p, const char *end, size_t at)
{
	struct csv_scan *scan = &parser->scan.csv;

	if (scan->state == QUOTED_CELL)
		return false;
	if (parser->line_end == '\0')
		return parse_first_line_end(parser, &scan->cr, p, end, at);
	return parse_is_line_end(parser, *p);
}

static const char *csv_scan(struct parser *parser, const char *p, const char *end, bool *whole)
{
	struct csv_scan *scan = &parser->scan.csv;
	size_t at = parser->size;

	if (parse_is_too_long(parser) && !parser->csv) {
		parse_csv_header_too_long(parser);
		return p;
	}
	if (parse_is_too_long(parser) && !is_overrun(parser, at)) {
		scan->state = TO_LINE_END;
		scan->first_end = 0;
	}
	for (; p < end && !*whole; p++, at++) {
		if (is_overrun(parser, at)) {
			cut_at_first_end(parser);
			*whole = true;
			return p;
		}
		if (ends_at(parser, p, end, at)) {
			end_row(parser);
			*whole = true;
			return p;
		}
		take_byte(parser, *p, at);
	}
	return p;
}

static void csv_record(struct parser *parser, struct str text)
{
	if (parser->csv)
		parse_csv_row(parser, text);
	else
		parse_csv_header(parser, text);
}

static void csv_finish(struct parser *parser, struct str text)
{
	struct csv_scan *scan = &parser->scan.csv;

	if (!text.p)
		return;
	if (parse_is_too_long(parser) && !parser->csv)
		parse_csv_header_too_long(parser);
	if (scan->first_end > 0 && (scan->state == QUOTED_CELL || scan->cells + 1 != parser->csv->names_count ||
	                            is_overrun(parser, parser->size))) {
		cut_at_first_end(parser);
		parser->reread = false;
		buf_add(&parser->again, text.p + parser->keep, text.len - parser->keep);
		if (parser->again.failed)
			parse_no_memory(parser);
	}
	if (parser->end.code == ERROR_NONE)
		parse_complete(parser, text);
}

const struct parse_format_ops parse_csv_ops = {
	.between = csv_between,
	.direct = parse_csv_direct,
	.scan = csv_scan,
	.record = csv_record,
	.finish = csv_finish,
};
