/* SPDX-License-Identifier: ISC */
/*
 * by_column.c: samples by column. Labels are the catalogue's names, never what a record holds, so that producers cannot
 * make new ones up; the values themselves are to be found by a summary that is grouped by the column.
 */
#include "metrics/by_column.h"

void by_column_write_unknown(const struct table_row *row, const struct snapshot *snapshot, struct buf *out)
{
	struct buf labels = { 0 };

	/* The catalogue's names are C strings, being literals of its table. */
	for (size_t i = 0; i < catalog_listed_count; i++) {
		const struct catalog_product *product = catalog_listed[i].product;

		buf_clear(&labels);
		text_label(&labels, "product", product->name.p);
		text_label(&labels, "column", product->columns[catalog_listed[i].filter->column].name.p);
		text_uint(out, row->name, buf_str(&labels), snapshot->ingest.unknown_values[i]);
	}
	buf_free(&labels);
}
