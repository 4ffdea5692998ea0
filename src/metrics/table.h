/* SPDX-License-Identifier: ISC */
/*
 * table.h: the metrics' table; private to metrics/.
 *
 * A row is a sample: name, labels, and where its value is in the snapshot. Rows of one metric follow each other and
 * have the same type and help, which are written once. A metric with samples by route, or by column, is one row with a
 * function.
 */
#ifndef CDRD_METRICS_TABLE_H
#define CDRD_METRICS_TABLE_H

#include "metrics/row.h"

extern const struct table_row table_rows[];
extern const size_t table_rows_count;

#endif
