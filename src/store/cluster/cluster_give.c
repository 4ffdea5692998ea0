/* SPDX-License-Identifier: ISC */
/*
 * cluster_give.c: rows of a cluster to the sink of a scan.
 */
#include "store/cluster/cluster_sql.h"

static void init_of_scan(struct cluster_giving *giving, const struct scan *scan)
{
	const struct scan_query *query = &scan->query;
	uint64_t columns = query->columns ? query->columns : SCAN_COLUMNS_ALL;

	giving->judges = !cluster_decides(query);
	if (scan->sink.lines && !giving->reads_line)
		columns |= record_view_columns(query->product, scan->sink.lines);
	for (size_t i = 0; i < query->filters_count && giving->judges; i++)
		columns |= UINT64_C(1) << query->filters[i].column;
	giving->reads_rest = cluster_reads_rest(query->product, query->direction, columns, false);
	giving->reads_body = cluster_reads_rest(query->product, query->direction, columns, true);
}

void cluster_giving_init(struct cluster_giving *giving, const struct scan *scan)
{
	const struct record_view *lines = scan->sink.lines;

	/* The lines of the table are those without what is shown on demand. */
	giving->reads_line =
		lines && !lines->include_message && (!lines->show_concatenated || lines->direction == CATALOG_INBOUND);
	if (scan->query.product)
		init_of_scan(giving, scan);
}

void cluster_giving_free(struct cluster_giving *giving)
{
	cluster_reader_free(&giving->reader);
	buf_free(&giving->line);
}

int cluster_give(struct cluster_giving *giving, struct scan *scan, const struct catalog_product *product,
                 const struct cluster_row *row, const struct scan_position *after, struct error *err)
{
	const struct scan_sink *sink = &scan->sink;
	struct str line = { NULL, 0 };
	struct record record;

	if (cluster_row_record(&giving->reader, row, product, &record, err) != 0)
		return -1;
	if (giving->judges && !scan_passes(&scan->query, &record))
		return 1;
	if (sink->lines && giving->reads_line && (enum catalog_direction)row->direction == sink->lines->direction) {
		line = row->line;
	} else if (sink->lines) {
		buf_clear(&giving->line);
		(void)record_write_csv(&giving->line, &record, sink->lines);
		if (giving->line.failed)
			return error_set(err, ERROR_NOMEM, "a line of a record: out of memory");
		line = buf_str(&giving->line);
	}
	const struct scan_row shown = { &record, line, row->time_us, row->first, after };

	return sink->on_record(sink->arg, &shown);
}
