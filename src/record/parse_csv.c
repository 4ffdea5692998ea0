/* SPDX-License-Identifier: ISC */
/*
 * parse_csv.c: rows of CSV with a header line (RFC 4180), such as a report file.
 *
 *	name,name,...        a quoted value may hold commas, line ends, doubled quotes
 *	value,"value",...
 *
 * An empty value is an absent one, so that a column of other products, or an unknown one, may stand in the header as
 * long as the row has nothing in it.
 */

#include "base/json.h"
#include "record/parse_csv.h"
#include "record/parse_private.h"

#define EMPTY STR_LITERAL("")

struct str parse_csv_without_cr(struct str line)
{
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* --- a line into cells --- */

/* Takes a quoted cell after its opening quote; doubled quotes make a copy in the arena. */
static const char *take_quoted(struct parser *parser, const char *p, const char *end, struct str *cell, bool *odd)
{
	struct buf *arena = &parser->arena;
	size_t copied_at = arena->len;
	const char *begin = p;
	const char *quote;

	for (;;) {
		quote = scan_csv(p, end, odd);
		if (quote == end)
			return NULL;
		if (*quote == '\0') {
			*odd = true;
			p = quote + 1;
			continue;
		}
		if (quote + 1 == end || quote[1] != '"')
			break;
		/* Values are no longer than as sent: with this at the first of a line, later ones never move it. */
		if (arena->len == 0 && !buf_reserve(arena, (size_t)(end - begin)))
			return NULL;
		buf_add(arena, begin, (size_t)(quote + 1 - begin));
		begin = p = quote + 2;
	}
	*cell = (struct str){ begin, (size_t)(quote - begin) };
	if (arena->len > copied_at) {
		buf_add_str(arena, *cell);
		*cell = (struct str){ arena->data + copied_at, arena->len - copied_at };
	}
	return quote + 1;
}

/* `cr`, a constant in each call: CR ends a line, too. */
static inline __attribute__((always_inline)) const char *take_plain(const char *p, const char *end, bool cr,
                                                                    struct str *cell, bool *odd)
{
	const char *begin = p;
	unsigned char bits = 0;

	for (; p < end && *p != ',' && *p != '\n' && *p != '"' && !(cr && *p == '\r'); p++) {
		bits |= (unsigned char)*p;
		*odd |= *p == '\0';
	}
	*odd |= bits >= 0x80;
	*cell = (struct str){ begin, (size_t)(p - begin) };
	return p;
}

static void add_cell(struct parse_csv *csv, struct str cell)
{
	if (csv->cells_count < CSV_COLUMNS_MAX)
		csv->cells[csv->cells_count] = cell;
	csv->cells_count++;
}

/* `cr` as in take_plain. */
static inline __attribute__((always_inline)) enum parse_csv_split split(struct parser *parser, const char **at,
                                                                        const char *end, bool all, bool cr)
{
	struct parse_csv *csv = parser->csv;
	const char *p = *at;
	struct str cell;

	csv->cells_count = 0;
	csv->odd = false;
	buf_clear(&parser->arena);
	for (;; p++) {
		bool quoted = p < end && *p == '"';

		p = quoted ? take_quoted(parser, p + 1, end, &cell, &csv->odd) :
		             take_plain(p, end, cr, &cell, &csv->odd);
		if (!p)
			return all ? SPLIT_BROKEN : SPLIT_CUT;
		if (!quoted && cell.len > 0 && (p == end || *p == '\n') && cell.p[cell.len - 1] == '\r')
			cell.len--;
		else if (!cr && quoted && p < end && *p == '\r' && (p + 1 == end || p[1] == '\n'))
			p++;
		add_cell(csv, cell);
		if (p == end || *p == '\n' || (cr && *p == '\r'))
			break;
		if (*p != ',')
			return SPLIT_BROKEN;
	}
	*at = p;
	return p < end || all ? SPLIT_WHOLE : SPLIT_CUT;
}

enum parse_csv_split parse_csv_split(struct parser *parser, const char **at, const char *end, bool all)
{
	return parser->line_end == '\r' ? split(parser, at, end, all, true) : split(parser, at, end, all, false);
}

/* --- a row --- */

/* Finds the columns of a product, unless they are those of the last line. */
static void place_names(struct parse_csv *csv, const struct catalog_product *product)
{
	if (csv->placed == product)
		return;
	for (size_t i = 0; i < csv->names_count; i++)
		csv->places[i] = catalog_column_find(product, csv->names[i]);
	csv->placed = product;
}

/* The product comes first, wherever it stands: no row is read again. */
static void take_product(struct parser *parser, struct parse_attempt *attempt)
{
	const struct parse_csv *csv = parser->csv;
	struct str name = { NULL, 0 };

	if (csv->product_at < csv->names_count)
		name = csv->cells[csv->product_at];
	(void)parse_attempt_product(parser, attempt, name.len > 0 ? PARSE_TEXT : PARSE_ABSENT, name);
}

/* Puts the cells, as many as there are names, into parser->record, or notes what is wrong with them. */
static void take_cells(struct parser *parser)
{
	struct parse_csv *csv = parser->csv;
	struct parse_attempt attempt;

	parse_attempt_begin(parser, &attempt);
	take_product(parser, &attempt);
	if (attempt.lost)
		return;
	place_names(csv, attempt.product);
	for (size_t i = 0; i < csv->cells_count; i++) {
		struct str cell = csv->cells[i];

		if (cell.len == 0 || i == csv->product_at)
			continue;
		(void)parse_attempt_text(parser, &attempt, csv->places[i], csv->names[i], cell,
		                         !csv->odd || parse_is_likely_text(cell));
	}
	(void)parse_attempt_end(parser, &attempt);
}

/* `cr` as in take_plain. */
static inline __attribute__((always_inline)) const char *take_row(struct parser *parser, const char *p, const char *end,
                                                                  bool cr)
{
	const char *after = p;
	struct str text;

	if (split(parser, &after, end, false, cr) != SPLIT_WHOLE)
		return NULL;
	text = (struct str){ p, (size_t)(after - p) };
	/* The scan checks rows that continue past a line's end, and those of another width, more closely. */
	if (text.len > parser->limits.line_max_bytes || memchr(text.p, '\n', text.len) ||
	    (cr && memchr(text.p, '\r', text.len)) || parser->csv->cells_count != parser->csv->names_count)
		return NULL;
	take_cells(parser);
	parse_deliver_read(parser, parse_csv_without_cr(text));
	return after;
}

const char *parse_csv_direct(struct parser *parser, const char *p, const char *end)
{
	if (!parser->csv)
		return NULL;
	return parser->line_end == '\r' ? take_row(parser, p, end, true) : take_row(parser, p, end, false);
}

void parse_csv_row(struct parser *parser, struct str text)
{
	struct parse_csv *csv = parser->csv;
	const char *p = text.p;
	bool whole = parse_csv_split(parser, &p, text.p + text.len, true) == SPLIT_WHOLE && p == text.p + text.len;

	if (!whole && parser->arena.failed) {
		parse_no_memory(parser);
		return;
	}
	if (!whole)
		parse_fault(parser, EMPTY, "Broken quotes: a quoted value must be whole, with its quotes doubled");
	else if (csv->cells_count != csv->names_count)
		parse_fault(parser, EMPTY, "%zu values, but the header line has %zu names", csv->cells_count,
		            csv->names_count);
	else
		take_cells(parser);
	parse_deliver_read(parser, parse_csv_without_cr(text));
}

/* --- a line as JSON --- */

static void write_cells(struct buf *out, const struct parse_csv *csv, const char *product_name)
{
	struct json j = json_to(out);

	json_object_begin(&j);
	if (product_name && (csv->product_at == csv->names_count || csv->cells[csv->product_at].len == 0)) {
		json_member_text(&j, "product", product_name);
	}
	for (size_t i = 0; i < csv->names_count; i++) {
		if (csv->cells[i].len == 0)
			continue;
		json_key_str(&j, csv->names[i]);
		json_str(&j, csv->cells[i]);
	}
	json_object_end(&j);
}

static void ignore_item(void *arg, const struct parse_item *item)
{
	(void)arg;
	(void)item;
}

bool parse_csv_write_json(struct buf *out, struct str header, struct str line, const char *product_name)
{
	struct parse_limits limits = { header.len, line.len, 1 };
	struct parser *parser = header.len > 0 ? parser_new(PARSE_CSV, &limits, NULL, ignore_item, NULL) : NULL;
	const char *p = line.p;
	bool fits;

	if (!parser)
		return false;
	fits = parse_csv_header_again(parser, header) &&
	       parse_csv_split(parser, &p, line.p + line.len, true) == SPLIT_WHOLE && p == line.p + line.len &&
	       parser->csv->cells_count == parser->csv->names_count;
	if (fits)
		write_cells(out, parser->csv, product_name);
	parser_free(parser);
	return fits;
}
