/* SPDX-License-Identifier: ISC */
/*
 * table.h: the metrics' table; private to metrics/.
 *
 * A row is a sample: name, labels, and where its value stands in the snapshot. Rows of one metric follow each other and
 * have the same type and help, which are written once. A metric with samples by route, or by
 * column, is one row with a function.
 */
#ifndef CDRD_METRICS_TABLE_H
#define CDRD_METRICS_TABLE_H

#include "metrics/snapshot.h"
#include "metrics/text.h"

enum table_value {
	TABLE_UINT,      /* uint64_t */
	TABLE_SECONDS,   /* int64_t, microseconds */
	TABLE_RATIO,     /* double */
	TABLE_HISTOGRAM, /* struct histogram */
};

struct table_row {
	enum text_type type;
	const char *name;
	const char *help;
	const char *labels; /* as they are written, or "" */
	enum table_value value;
	size_t offset; /* in struct snapshot */
	void (*write)(const struct table_row *row, const struct snapshot *snapshot, struct buf *out); /* or NULL */
};

extern const struct table_row table_rows[];
extern const size_t table_rows_count;

#endif
