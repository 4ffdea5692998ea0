/* SPDX-License-Identifier: ISC */
/*
 * context.h: what the commands of the admin socket use.
 */
#ifndef CDRD_ADMIN_CONTEXT_H
#define CDRD_ADMIN_CONTEXT_H

#include <event2/event.h>

#include "base/audit.h"
#include "base/config.h"
#include "base/disk.h"
#include "base/error.h"
#include "base/lag.h"
#include "base/task.h"
#include "callback/callback.h"
#include "destination/destination.h"
#include "http/http.h"
#include "ingest/ingest.h"
#include "mapping/mapping.h"
#include "privacy/closing.h"
#include "billing/billing.h"
#include "reconcile/reconcile.h"
#include "report/report.h"
#include "schedule/schedule.h"
#include "store/store.h"

struct rates;
struct consumers;
struct feeds;

/* What commands may touch. All stay the caller's. */
struct admin_context {
	struct event_base *base;
	struct tasks *tasks;
	struct config *config;
	struct audit *audit; /* NULL: changes are only logged */
	struct meta *meta;
	struct store *store;
	struct mappings *mappings;
	const struct feeds *feeds;
	const struct consumers *consumers;
	struct ingest *ingest;
	struct http_server *http;
	struct callbacks *callbacks;
	struct reports *reports;
	struct schedules *schedules;
	struct reconciles *reconciles;
	struct destinations *destinations;
	struct billing *billing;
	struct closing *closing;
	const struct lag *lag; /* the loop's lateness */
	struct disk *disk;
	void (*shutdown)(void *arg); /* the `shutdown` command; must not free the admin from within */
	void *shutdown_arg;
	int64_t started_us;
	const struct rates *rates; /* the admin's own */
};

#endif
