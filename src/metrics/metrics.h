/* SPDX-License-Identifier: ISC */
/*
 * metrics.h: metrics for Prometheus, on a listener of their own.
 *
 *	GET /metrics   the text format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
 *	GET /healthz   as on the public listener, which may be shut or out of reach
 *	GET /readyz
 *
 * There is no authentication: metrics_listen is for an address that only the monitoring reaches. Modules count in their
 * own structs; nothing is added up before a request. table.c has a row for each metric.
 */
#ifndef CDRD_METRICS_METRICS_H
#define CDRD_METRICS_METRICS_H

#include <event2/event.h>

#include "metrics/sources.h"

struct metrics;

/* Serves the metrics on config->metrics_listen; without one, there is no listener. */
MUST_CHECK struct metrics *metrics_new(struct tasks *tasks, const struct config *config,
                                       const struct metrics_sources *sources, struct error *err);

/* Does nothing on NULL. */
void metrics_free(struct metrics *metrics);

#endif
