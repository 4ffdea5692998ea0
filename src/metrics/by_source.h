/* SPDX-License-Identifier: ISC */
/*
 * by_source.h: samples by what records come from besides requests: spools, tails, queues and topics; private to metrics/.
 */
#ifndef CDRD_METRICS_BY_SOURCE_H
#define CDRD_METRICS_BY_SOURCE_H

#include "metrics/row.h"

/* A sample of each spool and tail, of a field of struct feed_status. */
void by_source_write_feeds(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);

/* A sample of each queue and topic, of a field of struct consumer_status. */
void by_source_write_consumers(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);

#endif
