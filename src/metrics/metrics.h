/* SPDX-License-Identifier: ISC */
/*
 * metrics.h: what the daemon does, for Prometheus, on a listener of its own.
 *
 *	GET /metrics   the text format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
 *	GET /healthz   as on the public listener, which may be shut or out of reach
 *	GET /readyz
 *
 * Nobody is authenticated there: metrics_listen is for an address that only the monitoring reaches. Modules count in
 * structs of their own; nothing is added up before somebody asks. table.c has a row for each metric.
 */
#ifndef CDRD_METRICS_METRICS_H
#define CDRD_METRICS_METRICS_H

#include <event2/event.h>

#include "metrics/sources.h"

struct metrics;

/* Serves the metrics on config->metrics_listen; with none, nothing is listened on. */
MUST_CHECK struct metrics *metrics_new(struct tasks *tasks, const struct config *config,
                                       const struct metrics_sources *sources, struct error *err);

/* Does nothing on NULL. */
void metrics_free(struct metrics *metrics);

/* Appends all metrics as text. */
void metrics_write(const struct metrics_sources *sources, struct buf *out);

#endif
