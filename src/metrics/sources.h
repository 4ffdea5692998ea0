/* SPDX-License-Identifier: ISC */
/*
 * sources.h: whom the metrics ask.
 */
#ifndef CDRD_METRICS_SOURCES_H
#define CDRD_METRICS_SOURCES_H

#include <stdint.h>

#include "base/audit.h"
#include "base/disk.h"
#include "base/lag.h"
#include "callback/callback.h"
#include "api/routes.h"
#include "http/access.h"
#include "report/report.h"

/* Whom to ask. All stay the caller's and must outlive the metrics. */
struct metrics_sources {
	struct api *app; /* with its store, ingest, reports, billing, disk and server */
	const struct callbacks *callbacks;
	const struct lag *lag;
	const struct http_access *access;
	const struct audit *audit;
	int64_t started_us;
};

#endif
