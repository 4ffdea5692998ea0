/* SPDX-License-Identifier: ISC */
/*
 * by_endpoint.h: the metrics with samples by endpoint; private to metrics/.
 */
#ifndef CDRD_METRICS_BY_ENDPOINT_H
#define CDRD_METRICS_BY_ENDPOINT_H

#include "metrics/row.h"

void by_endpoint_write_requests(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);
void by_endpoint_write_durations(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);
void by_endpoint_write_bytes(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);

#endif
