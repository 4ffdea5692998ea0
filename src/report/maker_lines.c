/* SPDX-License-Identifier: ISC */
/*
 * maker_lines.c: a record as a line of a report.
 *
 * The store returns CSV lines with the view's columns ready to use; for the usual view even as blocks. Other lines are
 * written here: NDJSON with the record's own codec, and individually chosen columns.
 */
#include "report/maker_private.h"

#include "base/json.h"
#include "parquet/parquet.h"

/* Without it Excel assumes the machine's own encoding. */
#define UTF8_BOM "\xef\xbb\xbf"

static uint64_t bit_of(uint8_t column)
{
	return column == CATALOG_NONE ? 0 : UINT64_C(1) << column;
}

/* The view of the store's blocks: neither message nor concatenated. */
static bool has_usual_view(const struct report_spec *spec)
{
	struct record_view usual = { .direction = spec->view.direction };

	return record_view_columns(spec->query.product, &usual) ==
	       record_view_columns(spec->query.product, &spec->view);
}

static uint64_t shown_columns(const struct report_spec *spec)
{
	uint64_t columns = 0;

	if (!spec->columns)
		return record_view_columns(spec->query.product, &spec->view);
	for (size_t i = 0; i < spec->columns_count; i++)
		columns |= bit_of(spec->columns[i]);
	return columns;
}

void maker_lines_init(struct maker_lines *lines, const struct report_spec *spec)
{
	const struct catalog_product *product = spec->query.product;

	lines->dressed = spec->format != REPORT_PARQUET && (spec->zone || spec->dialect != REPORT_PLAIN);
	lines->shown = shown_columns(spec);
	lines->ready = spec->format == REPORT_CSV && !spec->columns && !lines->dressed;
	lines->blocks = lines->ready && has_usual_view(spec);
	lines->time_column = product->time_column;
	lines->price_column = catalog_column_find(product, STR_LITERAL("total_price"));
	lines->currency_column = catalog_column_find(product, STR_LITERAL("currency"));
	lines->columns = bit_of(lines->time_column) | bit_of(lines->price_column) | bit_of(lines->currency_column);
	if (!lines->ready)
		lines->columns |= lines->shown;
}

static void add_chosen(struct buf *out, const struct report_spec *spec, const struct record *record)
{
	for (size_t i = 0; i < spec->columns_count; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		record_write_csv_value(out, record->values[spec->columns[i]]);
	}
	buf_add_char(out, '\n');
}

/* Excel's lines end with CR LF. */
static void add_csv(struct buf *out, const struct report_spec *spec, const struct record *record)
{
	if (spec->columns)
		add_chosen(out, spec, record);
	else
		(void)record_write_csv(out, record, &spec->view);
	if (spec->dialect == REPORT_EXCEL && !out->failed) {
		out->len--;
		buf_add_text(out, "\r\n");
	}
}

static void add_chosen_json(struct buf *out, const struct report_spec *spec, const struct record *record)
{
	struct json j = json_to(out);

	json_object_begin(&j);
	for (size_t i = 0; i < spec->columns_count; i++) {
		const struct catalog_column *column = &record->product->columns[spec->columns[i]];
		struct str value = record->values[spec->columns[i]];

		json_key_str(&j, column->name);
		if (column->kind == CATALOG_JSON)
			json_raw(&j, value.len > 0 ? value : STR_LITERAL("{}"));
		else
			json_str(&j, value);
	}
	json_object_end(&j);
}

/* Raw JSON text may span lines; between its tokens a space serves as well. */
static void join_lines(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\n' || text[i] == '\r')
			text[i] = ' ';
}

static void add_json(struct buf *out, const struct report_spec *spec, const struct record *record)
{
	size_t start = out->len;

	if (spec->columns)
		add_chosen_json(out, spec, record);
	else
		record_write_json(out, record, &spec->view);
	if (!out->failed)
		join_lines(out->data + start, out->len - start);
	buf_add_char(out, '\n');
}

void maker_add_header(struct buf *out, const struct report_spec *spec)
{
	const struct catalog_product *product = spec->query.product;
	struct record names;

	if (spec->format == REPORT_PARQUET)
		buf_add_str(out, PARQUET_MAGIC);
	if (spec->format != REPORT_CSV)
		return;
	if (spec->dialect == REPORT_EXCEL)
		buf_add_text(out, UTF8_BOM);
	record_clear(&names, product);
	for (uint8_t i = 0; i < product->columns_count; i++)
		names.values[i] = product->columns[i].name;
	add_csv(out, spec, &names);
}

void maker_add_line(struct buf *out, const struct report_spec *spec, const struct maker_lines *lines,
                    const struct record *record, struct str ready)
{
	if (lines->ready)
		buf_add_str(out, ready);
	else if (spec->format == REPORT_NDJSON)
		add_json(out, spec, record);
	else
		add_csv(out, spec, record);
}
