/* SPDX-License-Identifier: ISC */
/*
 * columns.h: samples by column; private to metrics/.
 */
#ifndef CDRD_METRICS_COLUMNS_H
#define CDRD_METRICS_COLUMNS_H

#include "metrics/row.h"

void columns_write_unknown(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);

#endif
