/* SPDX-License-Identifier: ISC */
/*
 * by_column.c: samples by column. Labels are the catalog's names, never a record's values, so that producers cannot
 * invent labels; a summary grouped by the column shows the values.
 */
#include "metrics/by_column.h"

void by_column_write_unknown(const struct table_row *row, const struct snapshot *snapshot, struct buf *out)
{
	struct buf labels = { 0 };

	/* The catalog's names are C strings, being literals of its table. */
	for (size_t i = 0; i < catalog_listed_count; i++) {
		const struct catalog_product *product = catalog_listed[i].product;

		buf_clear(&labels);
		text_label(&labels, "product", product->name.p);
		text_label(&labels, "column", product->columns[catalog_listed[i].filter->column].name.p);
		text_uint(out, row->name, buf_str(&labels), snapshot->ingest.unknown_values[i]);
	}
	buf_free(&labels);
}
