/*
 * parse_csv.c: records in CSV with a header line (RFC 4180), such as a report file.
 *
 *	name,name,...        lines end with LF or CR LF; a quoted value may hold commas, line ends, doubled quotes
 *	value,"value",...
 *
 * An empty value is an absent one, so that a column of other products, or an unknown one, may stand in the header as
 * long as the line has nothing in it. A line whose quotes are wrong costs itself, up to its next LF; one whose quote is
 * never closed goes on until it is too long, and the next line end then is taken for its end.
 */

#include "base/json.h"
#include "record/parse_private.h"
#include "record/parse_scan.h"

#define CSV_COLUMNS_MAX 256
#define EMPTY STR_LITERAL("")

struct parse_csv {
	struct str names[CSV_COLUMNS_MAX]; /* in `header` */
	size_t names_count;
	size_t product_at;                    /* the name that is `product`; names_count if there is none */
	const struct catalog_product *placed; /* the product that `places` is for */
	uint8_t places[CSV_COLUMNS_MAX];
	struct str cells[CSV_COLUMNS_MAX]; /* of the line at hand */
	size_t cells_count;                /* also those for which there is no room */
	bool odd;                          /* there is a byte in them that is NUL or not ASCII */
	char header[];                     /* the line as it was sent, then the names */
};

enum csv_state { CELL_BEGIN = 0, PLAIN_CELL, QUOTED_CELL, BEHIND_QUOTE, TO_LINE_END };

enum csv_split { SPLIT_WHOLE, SPLIT_CUT, SPLIT_BROKEN };

static struct str without_cr(struct str line)
{
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* --- a line into cells --- */

/* Takes a quoted cell behind its opening quote; doubled quotes make a copy in the arena. */
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

static const char *take_plain(const char *p, const char *end, struct str *cell, bool *odd)
{
	const char *begin = p;
	unsigned char bits = 0;

	for (; p < end && *p != ',' && *p != '\n' && *p != '"'; p++) {
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

/* Splits the line at *at into cells; it ends at an LF, or at `end` if the text is all there is of it. *at is behind. */
static enum csv_split split(struct parser *parser, const char **at, const char *end, bool all)
{
	struct parse_csv *csv = parser->csv;
	const char *p = *at;
	struct str cell;

	csv->cells_count = 0;
	csv->odd = false;
	buf_clear(&parser->arena);
	for (;; p++) {
		bool quoted = p < end && *p == '"';

		p = quoted ? take_quoted(parser, p + 1, end, &cell, &csv->odd) : take_plain(p, end, &cell, &csv->odd);
		if (!p)
			return all ? SPLIT_BROKEN : SPLIT_CUT;
		if (!quoted && cell.len > 0 && (p == end || *p == '\n') && cell.p[cell.len - 1] == '\r')
			cell.len--;
		else if (quoted && p < end && *p == '\r' && (p + 1 == end || p[1] == '\n'))
			p++;
		add_cell(csv, cell);
		if (p == end || *p == '\n')
			break;
		if (*p != ',')
			return SPLIT_BROKEN;
	}
	*at = p;
	return p < end || all ? SPLIT_WHOLE : SPLIT_CUT;
}

/* --- the header --- */

static bool find_repeated(const struct parse_csv *csv, struct str *name)
{
	for (size_t i = 0; i < csv->names_count; i++) {
		*name = csv->names[i];
		for (size_t j = 0; j < i; j++)
			if (name->len > 0 && str_equal(*name, csv->names[j]))
				return true;
	}
	return false;
}

/* The line and the names out of its cells, into the memory behind `csv`. */
static void copy_names(struct parse_csv *csv, struct str line)
{
	char *out = csv->header + line.len;

	memcpy(csv->header, line.p, line.len);
	csv->names_count = csv->product_at = csv->cells_count;
	for (size_t i = 0; i < csv->names_count; i++) {
		struct str cell = csv->cells[i];

		if (cell.len > 0)
			memcpy(out, cell.p, cell.len);
		csv->names[i] = (struct str){ out, cell.len };
		out += cell.len;
		if (str_is(csv->names[i], "product"))
			csv->product_at = i;
	}
}

static void take_header(struct parser *parser, struct str line)
{
	static const char mark[] = "\xef\xbb\xbf"; /* spreadsheets put it before UTF-8 */
	struct str name;
	const char *p;

	line = without_cr(line);
	if (line.len >= strlen(mark) && memcmp(line.p, mark, strlen(mark)) == 0)
		line = (struct str){ line.p + strlen(mark), line.len - strlen(mark) };
	p = line.p;
	parser->csv = calloc(1, sizeof(*parser->csv) + 2 * line.len);
	if (!parser->csv) {
		parse_no_memory(parser);
		return;
	}
	if (split(parser, &p, line.p + line.len, true) != SPLIT_WHOLE) {
		parse_fault(parser, EMPTY, "Broken quotes in the header line");
	} else if (parser->csv->cells_count > CSV_COLUMNS_MAX) {
		parse_fault(parser, EMPTY, "%zu columns, at most %d allowed", parser->csv->cells_count,
		            CSV_COLUMNS_MAX);
	} else {
		copy_names(parser->csv, line);
		parser->header = (struct str){ parser->csv->header, line.len };
		if (!find_repeated(parser->csv, &name))
			return;
		parse_fault(parser, name, "Given twice in the header line");
	}
	parse_break(parser, line);
}

/* --- the fast reader --- */

/* Finds the columns of a product, unless they are those of the last line. */
static void place_names(struct parse_csv *csv, const struct catalog_product *product)
{
	if (csv->placed == product)
		return;
	for (size_t i = 0; i < csv->names_count; i++)
		csv->places[i] = catalog_column_find(product, csv->names[i]);
	csv->placed = product;
}

static const struct catalog_product *product_of(const struct parser *parser)
{
	const struct parse_csv *csv = parser->csv;
	struct str name = { NULL, 0 };

	if (csv->product_at < csv->names_count)
		name = csv->cells[csv->product_at];
	if (name.len == 0)
		return parser->product_default;
	return csv->placed && str_equal(name, csv->placed->name) ? csv->placed : catalog_product_find(name);
}

/* Puts the cells into parser->record; false if they are not plainly right. */
static bool take_cells_fast(struct parser *parser)
{
	struct parse_csv *csv = parser->csv;
	const struct catalog_product *product = product_of(parser);

	if (!product || csv->cells_count != csv->names_count)
		return false;
	place_names(csv, product);
	record_clear(&parser->record, product);
	for (size_t i = 0; i < csv->cells_count; i++) {
		struct str cell = csv->cells[i];
		uint8_t place = csv->places[i];

		if (cell.len == 0 || i == csv->product_at)
			continue;
		if (place == CATALOG_NONE || cell.len > parser->limits.value_max_bytes ||
		    product->columns[place].kind == CATALOG_JSON)
			return false;
		if (csv->odd && !scan_is_plain(cell.p, cell.len) &&
		    (memchr(cell.p, '\0', cell.len) || !json_is_utf8(cell)))
			return false;
		parser->record.values[place] = cell;
	}
	return true;
}

/* --- the full reader --- */

static bool take_cells_full(struct parser *parser)
{
	struct parse_fields fields = { .count = 0 };
	struct parse_csv *csv = parser->csv;

	for (size_t i = 0; i < csv->cells_count; i++) {
		struct parse_field field = { .name = csv->names[i], .value = csv->cells[i], .kind = PARSE_TEXT };

		if (field.value.len > 0)
			parse_fields_add(&fields, &field);
	}
	return parse_fields_take(parser, &fields);
}

/* A line behind the header. */
static void take_line(struct parser *parser, struct str text)
{
	struct parse_csv *csv = parser->csv;
	struct str raw = without_cr(text);
	const char *p = text.p;

	if (split(parser, &p, text.p + text.len, true) != SPLIT_WHOLE || p != text.p + text.len) {
		if (parser->arena.failed) {
			parse_no_memory(parser);
			return;
		}
		parse_fault(parser, EMPTY, "Broken quotes: a quoted value must be whole, with its quotes doubled");
		parse_deliver_fault(parser, raw);
	} else if (csv->cells_count != csv->names_count) {
		parse_fault(parser, EMPTY, "%zu values, but the header line has %zu names", csv->cells_count,
		            csv->names_count);
		parse_deliver_fault(parser, raw);
	} else if ((!parser->full_only && take_cells_fast(parser)) || take_cells_full(parser)) {
		parse_deliver(parser, raw);
	} else {
		parse_deliver_fault(parser, raw);
	}
}

/* --- a line as JSON --- */

static void write_cells(struct buf *out, const struct parse_csv *csv, const char *product_name)
{
	struct json j = json_to(out);

	json_object_begin(&j);
	if (product_name && (csv->product_at == csv->names_count || csv->cells[csv->product_at].len == 0)) {
		json_key(&j, "product");
		json_text(&j, product_name);
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
	take_header(parser, header);
	fits = parser->end.code == ERROR_NONE && split(parser, &p, line.p + line.len, true) == SPLIT_WHOLE &&
	       p == line.p + line.len && parser->csv->cells_count == parser->csv->names_count;
	if (fits)
		write_cells(out, parser->csv, product_name);
	parser_free(parser);
	return fits;
}

/* --- framing --- */

static uint64_t count_line_ends(const char *p, const char *end)
{
	uint64_t count = 0;

	while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		count++;
		p++;
	}
	return count;
}

static const char *csv_between(struct parser *parser, const char *p, const char *end)
{
	/* Line ends within the record behind us. */
	parser->line += parser->scan.csv.line_ends;
	parser->scan.csv.line_ends = 0;
	for (; p < end && (*p == '\n' || *p == '\r'); p++)
		parser->line += *p == '\n';
	return p;
}

static const char *csv_direct(struct parser *parser, const char *p, const char *end)
{
	const char *behind = p;

	if (!parser->csv || split(parser, &behind, end, false) != SPLIT_WHOLE ||
	    (size_t)(behind - p) > parser->limits.line_max_bytes || !take_cells_fast(parser))
		return NULL;
	parse_deliver(parser, without_cr((struct str){ p, (size_t)(behind - p) }));
	parser->line += count_line_ends(p, behind);
	return behind;
}

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
		return c == '"' ? QUOTED_CELL : c == ',' ? CELL_BEGIN : TO_LINE_END;
	case TO_LINE_END:
		break;
	}
	return TO_LINE_END;
}

static const char *csv_scan(struct parser *parser, const char *p, const char *end, bool *whole)
{
	struct csv_scan *scan = &parser->scan.csv;

	if (parser->size > parser->limits.line_max_bytes)
		scan->state = TO_LINE_END;
	for (; p < end; p++) {
		if (*p == '\n' && scan->state != QUOTED_CELL) {
			*whole = true;
			return p;
		}
		scan->state = (int)next_state((enum csv_state)scan->state, *p);
		scan->line_ends += *p == '\n';
	}
	return p;
}

static void csv_record(struct parser *parser, struct str text, bool declined)
{
	(void)declined; /* also by lack of a header */
	if (parser->csv)
		take_line(parser, text);
	else
		take_header(parser, text);
}

static void csv_finish(struct parser *parser, struct str text)
{
	if (text.p)
		csv_record(parser, text, false);
}

const struct parse_format_ops parse_csv_ops = {
	.between = csv_between,
	.direct = csv_direct,
	.scan = csv_scan,
	.record = csv_record,
	.finish = csv_finish,
};
