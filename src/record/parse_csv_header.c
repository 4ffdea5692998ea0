/* SPDX-License-Identifier: ISC */
/*
 * parse_csv_header.c: the first line of a CSV body, which names the columns.
 *
 * With a wrong header every row would be wrong, for the same reason. So the fault is reported once, with what to do,
 * and the body ends there.
 */
#include <ctype.h>
#include <stdlib.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "record/parse_csv.h"

/* --- names --- */

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

/* The line and the names out of its cells, into the memory after `csv`. */
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

/* A column of any product whose name is `name`, but for case and white space around it; len 0 if there is none. */
static struct str find_similar(struct str name)
{
	while (name.len > 0 && isspace((unsigned char)name.p[0])) {
		name.p++;
		name.len--;
	}
	while (name.len > 0 && isspace((unsigned char)name.p[name.len - 1]))
		name.len--;
	if (str_equal_nocase(name, STR_LITERAL("product")))
		return STR_LITERAL("product");
	for (size_t i = 0; i < catalog_products_count; i++)
		for (uint8_t n = 0; n < catalog_products[i].columns_count; n++)
			if (str_equal_nocase(name, catalog_products[i].columns[n].name))
				return catalog_products[i].columns[n].name;
	return (struct str){ NULL, 0 };
}

static bool is_known(struct str name)
{
	if (str_is(name, "product"))
		return true;
	for (size_t i = 0; i < catalog_products_count; i++)
		if (catalog_column_find(&catalog_products[i], name) != CATALOG_NONE)
			return true;
	return false;
}

/* --- what may be wrong; each ends the body if it is --- */

/* Would the names be known if they were separated by this? */
static bool is_separated_by(struct str line, char separator)
{
	const char *at = memchr(line.p, separator, line.len);
	struct str first = { line.p, at ? (size_t)(at - line.p) : 0 };

	if (first.len >= 2 && first.p[0] == '"')
		first = (struct str){ first.p + 1, first.len - 2 };
	return at && find_similar(first).len > 0;
}

static void check_separator(struct parser *parser, struct str line)
{
	static const struct {
		char separator;
		const char *name;
	} others[] = { { ';', "semicolons" }, { '\t', "tabs" }, { '|', "vertical bars" } };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (!memchr(line.p, ',', line.len) && is_separated_by(line, others[i].separator))
			parse_stop(parser, "The header line is separated by %s: separate values by commas",
			           others[i].name);
}

static void check_spelling(struct parser *parser)
{
	for (size_t i = 0; i < parser->csv->names_count; i++) {
		struct str name = parser->csv->names[i];
		struct str similar = is_known(name) ? name : find_similar(name);

		if (similar.len > 0 && !str_equal(similar, name))
			parse_stop(parser, "The header line has a column \"%.*s\": write it \"%.*s\"",
			           PARSE_SHOWN(name), STR_ARGS(similar));
	}
}

static void check_known(struct parser *parser)
{
	for (size_t i = 0; i < parser->csv->names_count; i++)
		if (is_known(parser->csv->names[i]))
			return;
	/* It is not shown: without a header it is a record, which has no place in the log. */
	parse_stop(parser, "The first line names no column of any product: it must be the header line");
}

static void check_product(struct parser *parser)
{
	if (parser->csv->product_at < parser->csv->names_count || parser->product_default)
		return;
	if (parser->product_name)
		parse_stop(parser, "Unknown product \"%.*s\"", PARSE_SHOWN(str_from(parser->product_name)));
	else
		parse_stop(parser,
		           "The header line has no column \"product\": add it, or name the product of all rows");
}

/* Is there the column, or the one that serves for it? */
static bool has_column(const struct parse_csv *csv, const struct catalog_product *product, uint8_t column)
{
	for (size_t i = 0; i < csv->names_count; i++)
		if (str_equal(csv->names[i], product->columns[column].name) ||
		    (column == product->id_column && product->id_from_column != CATALOG_NONE &&
		     str_equal(csv->names[i], product->columns[product->id_from_column].name)))
			return true;
	return false;
}

/* Where all rows are of one product: what one needs, also one that is to be merged, all need. */
static void check_required(struct parser *parser)
{
	const struct catalog_product *product = parser->product_default;

	if (!product || parser->csv->product_at < parser->csv->names_count)
		return;
	const uint8_t required[] = { product->account_column, product->id_column, product->time_column };

	for (size_t i = 0; i < sizeof(required); i++)
		if (!has_column(parser->csv, product, required[i]))
			parse_stop(parser, "The header line has no column \"%.*s\", which every record of %.*s needs",
			           STR_ARGS(product->columns[required[i]].name), STR_ARGS(product->name));
}

static void check_header(struct parser *parser)
{
	struct str repeated;

	check_spelling(parser);
	check_known(parser);
	if (find_repeated(parser->csv, &repeated))
		parse_stop(parser, "The header line has the column \"%.*s\" twice", PARSE_SHOWN(repeated));
	check_product(parser);
	check_required(parser);
}

/* Makes parser->csv of the line; false if it can't be split. */
static bool read_header(struct parser *parser, struct str line)
{
	const char *p = line.p;

	parser->csv = calloc(1, sizeof(*parser->csv) + 2 * line.len);
	if (!parser->csv) {
		parse_no_memory(parser);
		return false;
	}
	if (!json_is_utf8(line) || memchr(line.p, '\0', line.len))
		parse_stop(parser, "The header line is not valid UTF-8: send UTF-8, or name the encoding of the body");
	check_separator(parser, line);
	if (parser->end.code != ERROR_NONE)
		return false;
	if (parse_csv_split(parser, &p, line.p + line.len, true) != SPLIT_WHOLE || p != line.p + line.len)
		parse_stop(parser, "The header line has broken quotes");
	else if (parser->csv->cells_count > CSV_COLUMNS_MAX)
		parse_stop(parser, "The header line has %zu columns, at most %d allowed", parser->csv->cells_count,
		           CSV_COLUMNS_MAX);
	if (parser->end.code != ERROR_NONE)
		return false;
	copy_names(parser->csv, line);
	parser->header = (struct str){ parser->csv->header, line.len };
	return true;
}

bool parse_csv_header_again(struct parser *parser, struct str header)
{
	return read_header(parser, header);
}

void parse_csv_header_too_long(struct parser *parser)
{
	parse_stop(parser, "The header line is longer than the %zu bytes allowed", parser->limits.line_max_bytes);
}

void parse_csv_header(struct parser *parser, struct str line)
{
	/* After empty lines the byte order mark is not at the body's beginning. */
	if (read_header(parser, str_without_mark(parse_csv_without_cr(line))))
		check_header(parser);
}
