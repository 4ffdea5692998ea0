/* SPDX-License-Identifier: ISC */
/*
 * sources.h: the modules that metrics are taken from.
 */
#ifndef CDRD_METRICS_SOURCES_H
#define CDRD_METRICS_SOURCES_H

#include <stdint.h>

#include "base/audit.h"
#include "base/disk.h"
#include "base/lag.h"
#include "billing/billing.h"
#include "callback/callback.h"
#include "consumer/consumer.h"
#include "feed/feed.h"
#include "http/access.h"
#include "http/http.h"
#include "ingest/ingest.h"
#include "limits/limits.h"
#include "reconcile/reconcile.h"
#include "report/report.h"
#include "schedule/schedule.h"
#include "store/store.h"
#include "tls/tls.h"

/* The sources. All stay the caller's and must outlive the metrics. */
struct metrics_sources {
	const struct http_server *http; /* the public one */
	struct tls *tls;                /* NULL: none of the listeners has it */
	struct meta *meta;
	struct store *store;
	const struct ingest *ingest;
	const struct feeds *feeds;
	const struct consumers *consumers;
	const struct reports *reports;
	const struct schedules *schedules;
	const struct reconciles *reconciles;
	const struct billing *billing;
	struct limits *limits;
	const struct disk *disk;
	const struct callbacks *callbacks;
	const struct lag *lag;
	const struct http_access *access;
	const struct audit *audit;
	int64_t started_us;
};

#endif
