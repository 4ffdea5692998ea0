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
#include <stdint.h>

#include "base/audit.h"
#include "base/disk.h"
#include "base/lag.h"
#include "callback/callback.h"
#include "http/access.h"
#include "api/routes.h"
#include "report/report.h"

/* Whom to ask. All stay the caller's and must outlive the metrics. */
struct metrics_sources {
	struct http_app *app; /* with its store, ingest, reports, billing, disk and server */
	const struct callbacks *callbacks;
	const struct lag *lag;
	const struct http_access *access;
	const struct audit *audit;
	int64_t started_us;
};

struct metrics;

/* Serves the metrics on config->metrics_listen; with none, nothing is listened on. */
struct metrics *metrics_new(struct event_base *base, const struct config *config,
                            const struct metrics_sources *sources, struct error *err);

/* Does nothing on NULL. */
void metrics_free(struct metrics *metrics);

/* Appends all metrics as text. */
void metrics_write(const struct metrics_sources *sources, struct buf *out);

#endif
