/* SPDX-License-Identifier: ISC */
/*
 * routes.h: the metrics with samples by endpoint; private to metrics/.
 */
#ifndef CDRD_METRICS_ROUTES_H
#define CDRD_METRICS_ROUTES_H

#include "metrics/row.h"

void routes_write_requests(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);
void routes_write_durations(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);
void routes_write_bytes(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);

#endif
