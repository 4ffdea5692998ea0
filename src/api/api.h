/* SPDX-License-Identifier: ISC */
/*
 * api.h: the endpoints, and what they are given.
 *
 * api_routes is handed to http_server_new with a struct api as `app`; each handler gets it back.
 */
#ifndef CDRD_API_API_H
#define CDRD_API_API_H

#include <event2/event.h>
#include <sys/queue.h>

#include "base/audit.h"
#include "base/config.h"
#include "base/disk.h"
#include "base/id.h"
#include "base/task.h"
#include "destination/destination.h"
#include "http/http.h"
#include "ingest/ingest.h"
#include "limits/limits.h"
#include "meta/pass.h"
#include "billing/billing.h"
#include "query/cursor.h"
#include "report/report.h"
#include "schedule/schedule.h"
#include "store/store.h"

struct api_changes_waiters;
struct callbacks;
struct mappings;
struct reconciles;
struct api_summary_turns;
struct api_tickets;

/* What handlers may use. All pointers stay the caller's and must outlive the server. */
struct api {
	struct event_base *base;
	const struct config *config;
	struct audit *audit;
	const struct disk *disk;
	struct tasks *tasks;
	struct http_server *http; /* the one that serves api_routes */
	struct meta *meta;
	struct store *store;
	struct ingest *ingest;
	struct reports *reports;
	struct schedules *schedules;
	struct reconciles *reconciles;
	struct mappings *mappings;
	struct destinations *destinations;
	struct callbacks *callbacks;
	struct billing *billing;
	LIST_HEAD(, upload) uploads; /* of records: cdrs.c */
	struct limits *limits;
	struct cursor_key cursor_key;
	struct api_summary_turns *summary_turns; /* of summaries (summary_turns.c); NULL: none is made */
	struct api_changes_waiters *waiters;     /* for changes (changes_wait.c); NULL: none */
	struct api_tickets *tickets;             /* tickets.h; NULL: none was made */
	struct id_pool random;                   /* for ids of requests */
	struct accounts_watch passes_watch;      /* revoked.c */
	struct event *passes_due;
	int64_t passes_due_us; /* when the time of a key is up; 0: of none */
};

/* Ends with a row whose path is NULL. */
extern const struct http_route api_routes[];

/* POST /v1/cdrs, for a server that has it and no other of these routes: it needs base, config, audit, disk, http, meta, ingest,
 * mappings and limits. All that is under way ends with *why, which its client is told. */
bool api_auth_producer(struct http_request *request, void *app);
void api_cdrs_post(struct http_request *request, void *app);
void api_cdrs_end_all(struct api *app, const struct error *why);

/* Only front ends of this catalog; to others, there is nothing at the path. For any `app`. */
bool api_auth_front_end(struct http_request *request, void *app);

/* Is it made by a producer with the right secret? Answers nothing. */
bool api_is_producers(struct http_request *request, struct api *app);

/* From now on, what was opened with credentials ends with them: `http` and `meta` are there. Between that and the server's
 * end. */
MUST_CHECK int api_watch_passes(struct api *app, struct error *err);
void api_unwatch_passes(struct api *app);

/* From now on, answers that its clients do not read count against an account: `http` and `limits` are there, and `limits` lives
 * until the server has ended. */
void api_count_unread(struct api *app);

/* No ticket for a download is valid any more. */
void api_tickets_free(struct api *app);

#endif
