/* SPDX-License-Identifier: ISC */
/*
 * row.h: a row of the metrics' table; private to metrics/.
 */
#ifndef CDRD_METRICS_ROW_H
#define CDRD_METRICS_ROW_H

#include "metrics/snapshot.h"
#include "metrics/text.h"

enum table_value {
	TABLE_UINT,      /* uint64_t */
	TABLE_KNOWN,     /* int64_t; no sample if it is negative, as it is not known */
	TABLE_FLAG,      /* bool */
	TABLE_TEXT,      /* const char *; 1 unless it is "" */
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
	size_t offset; /* in struct snapshot, or in what `write` has samples of */
	void (*write)(const struct table_row *row, const struct snapshot *snapshot, struct buf *out); /* or NULL */
};

/* The sample of a row whose value is in `source`. */
void table_write_sample(const struct table_row *row, const void *source, struct str labels, struct buf *out);

#endif
