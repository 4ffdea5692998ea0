/* SPDX-License-Identifier: ISC */
/*
 * file_size.c: about how large the file of a report will be, before it is made.
 */
#include "report/report.h"

#define FRAME_BYTES 400 /* of an archive around its rows, and the line of names */

/* The forms of a file, as row_sizes.def has them. */
enum form { CSV_DEFLATE, CSV_ZSTD, NDJSON_DEFLATE, NDJSON_ZSTD, PARQUET, FORMS };

static const struct row_size {
	const char *product;
	bool with_messages;
	uint16_t bytes[FORMS];
} sizes[] = {
#define ROW(product, with_messages, ...) { product, with_messages, { __VA_ARGS__ } },
#include "report/row_sizes.def"
#undef ROW
};

static enum form form_of(const struct query_plan *plan)
{
	bool zstd = plan->compression == QUERY_ZSTD;

	if (plan->format == QUERY_PARQUET)
		return PARQUET;
	if (plan->format == QUERY_NDJSON)
		return zstd ? NDJSON_ZSTD : NDJSON_DEFLATE;
	return zstd ? CSV_ZSTD : CSV_DEFLATE;
}

uint64_t report_file_size(const struct query_plan *plan, uint64_t rows)
{
	struct record_view view = query_plan_view(plan);
	uint64_t bytes = 0, shown = (uint64_t)__builtin_popcountll(record_view_columns(plan->product, &view));

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (str_is(plan->product->name, sizes[i].product) && (!sizes[i].with_messages || plan->include_message))
			bytes = sizes[i].bytes[form_of(plan)];
	if (plan->columns_count > 0 && plan->columns_count < shown)
		bytes = (bytes * plan->columns_count + shown - 1) / shown;
	return FRAME_BYTES + rows * bytes;
}
