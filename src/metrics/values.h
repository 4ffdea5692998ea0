/* SPDX-License-Identifier: ISC */
/*
 * values.h: samples by column; private to metrics/.
 */
#ifndef CDRD_METRICS_VALUES_H
#define CDRD_METRICS_VALUES_H

#include "metrics/row.h"

void values_write_unknown(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);

#endif
