/* SPDX-License-Identifier: ISC */
/*
 * by_column.h: samples by column; private to metrics/.
 */
#ifndef CDRD_METRICS_BY_COLUMN_H
#define CDRD_METRICS_BY_COLUMN_H

#include "metrics/row.h"

void by_column_write_unknown(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);

#endif
