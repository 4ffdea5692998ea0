/* SPDX-License-Identifier: ISC */
/*
 * endpoints.h: the metrics with samples by endpoint; private to metrics/.
 */
#ifndef CDRD_METRICS_ENDPOINTS_H
#define CDRD_METRICS_ENDPOINTS_H

#include "metrics/row.h"

void endpoints_write_requests(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);
void endpoints_write_durations(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);
void endpoints_write_bytes(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);

#endif
