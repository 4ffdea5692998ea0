/* SPDX-License-Identifier: ISC */
/*
 * routes.h: the table of endpoints, and what their handlers share.
 *
 * api_routes is handed to http_server_new with a struct api as `app`; each handler gets it back. A new endpoint
 * is one row in routes.c and one file beside it.
 */
#ifndef CDRD_API_ROUTES_H
#define CDRD_API_ROUTES_H

#include <event2/event.h>

#include "base/config.h"
#include "base/disk.h"
#include "base/id.h"
#include "base/task.h"
#include "http/http.h"
#include "ingest/ingest.h"
#include "limits/limits.h"
#include "billing/billing.h"
#include "query/cursor.h"
#include "report/report.h"
#include "store/store.h"

struct api_changes_waiters;
struct api_summary_turns;

/* What handlers may use. All pointers stay the caller's and must outlive the server; what the last three are about is
 * theirs. */
struct api {
	struct event_base *base;
	const struct config *config;
	const struct disk *disk;
	struct tasks *tasks;
	struct http_server *http; /* the one that serves api_routes */
	struct store *store;
	struct ingest *ingest;
	struct reports *reports;
	struct billing *billing;
	struct limits *limits;
	struct cursor_key cursor_key;
	struct api_summary_turns *summary_turns; /* of summaries (summary_turns.c); NULL: none is made */
	struct api_changes_waiters *waiters; /* for changes (changes_wait.c); NULL: none */
	struct id_pool random;               /* for ids of requests */
};

/* Ends with a row whose path is NULL. */
extern const struct http_route api_routes[];

void api_cdrs_post(struct http_request *request, void *app);   /* cdrs.c: POST /v1/cdrs */
void api_records_get(struct http_request *request, void *app); /* records.c: GET /v2/reports/records */

void api_report_post(struct http_request *request, void *app);   /* reports_post.c: POST /v2/reports */
void api_report_list(struct http_request *request, void *app);   /* reports_list.c: GET /v2/reports */
void api_report_get(struct http_request *request, void *app);    /* reports.c: GET /v2/reports/{id} */
void api_report_delete(struct http_request *request, void *app); /* reports.c: DELETE /v2/reports/{id} */
void api_estimate_post(struct http_request *request, void *app); /* estimate.c: POST /v2/reports/estimate */
void api_summary_get(struct http_request *request, void *app);   /* summary.c: GET /v2/reports/summary */
void api_changes_get(struct http_request *request, void *app);   /* changes.c: GET /v2/reports/changes */
void api_media_get(struct http_request *request, void *app);     /* media.c: GET /v3/media/{id} */

/* problem_pages.c: GET /problems and GET /problems/{name}, also on the metrics' listener */
void api_problems_get(struct http_request *request, void *app);
void api_problem_get(struct http_request *request, void *app);

/* health.c: GET /healthz and GET /readyz, also on the metrics' listener */
void api_healthz_get(struct http_request *request, void *app);
void api_readyz_get(struct http_request *request, void *app);

#endif
