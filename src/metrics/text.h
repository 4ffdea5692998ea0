/* SPDX-License-Identifier: ISC */
/*
 * text.h: the exposition format's lines; private to metrics/.
 *
 *	# HELP cdrd_http_requests_total Requests answered.
 *	# TYPE cdrd_http_requests_total counter
 *	cdrd_http_requests_total{path="/v1/cdrs",method="POST",code="200"} 17
 */
#ifndef CDRD_METRICS_TEXT_H
#define CDRD_METRICS_TEXT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/histogram.h"

enum text_type { TEXT_COUNTER, TEXT_GAUGE, TEXT_HISTOGRAM };

/* HELP and TYPE of a metric whose samples follow. */
void text_begin(struct buf *out, enum text_type type, const char *name, const char *help);

/* Appends name="value" to labels, with a comma if there are some already. */
void text_label(struct buf *labels, const char *name, const char *value);

/* One sample each; `labels` comes from text_label, or is empty. Microseconds are written as seconds. */
void text_uint(struct buf *out, const char *name, struct str labels, uint64_t value);
void text_seconds(struct buf *out, const char *name, struct str labels, int64_t us);
void text_ratio(struct buf *out, const char *name, struct str labels, double value);

/* The buckets, the sum and the count. Bounds are ends of the histogram's own buckets, so nothing is rounded: each is a
 * power of two of microseconds, less one. */
void text_histogram(struct buf *out, const char *name, struct str labels, const struct histogram *histogram);

#endif
