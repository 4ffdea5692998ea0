/* SPDX-License-Identifier: ISC */
/*
 * by_source.h: samples by what records come from besides requests: spools, tails, queues and topics; private to metrics/.
 */
#ifndef CDRD_METRICS_BY_SOURCE_H
#define CDRD_METRICS_BY_SOURCE_H

#include "metrics/row.h"

void by_source_write_feed_files(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);
void by_source_write_feed_unread(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);
void by_source_write_feed_problems(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);
void by_source_write_connected(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);
void by_source_write_lag(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);
void by_source_write_waiting(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);
void by_source_write_messages(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);
void by_source_write_unreadable(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);
void by_source_write_interruptions(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);
void by_source_write_last(const struct table_row *row, const struct snapshot *snapshot, struct buf *out);

#endif
