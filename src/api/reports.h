/* SPDX-License-Identifier: ISC */
/*
 * reports.h: what the endpoints of asynchronous reports share; private to api/.
 *
 *	reports_get.c   GET and DELETE of one report
 *	reports_list.c  GET of a list
 *	reports_post.c  POST of a new one
 *	reports_body.c  its JSON body as parameters
 *	estimate.c      POST of what one would cost
 *	media.c         GET of a file, or of one of a reconciliation
 *	media_ticket.c  POST of a ticket for one download of it
 */
#ifndef CDRD_API_REPORTS_H
#define CDRD_API_REPORTS_H

#include "api/routes.h"
#include "reconcile/reconcile.h"

/* Answers with the report's status. */
void api_report_reply(struct http_request *request, const struct report *report);

/* A file that can be downloaded: of a report, or of a reconciliation. */
struct api_file {
	char id[ID_UUID_LEN + 1];
	char sha256[MAKER_SHA256_LEN + 1];
	uint64_t bytes;
	struct buf name;  /* that it is saved under */
	const char *type; /* Content-Type */
	struct report report;
	bool of_reconcile;
	const struct reconciliation *job; /* in place of `report` */
	enum reconciler_class class;
};

/* The file in the request's path, which the caller frees. False when the request has been answered with 404 instead,
 * because there is none or the account may not have it. */
bool api_media_find(struct http_request *request, const struct api *app, struct api_file *file);
void api_file_free(struct api_file *file);

/* reconcile_endpoints.c: is the file in the request's path one of a reconciliation that the account may see? 1 with *job
 * and *class; 0; -1. */
MUST_CHECK int api_reconcile_file(const struct http_request *request, const struct api *app,
                                  const struct reconciliation **job, enum reconciler_class *class, struct error *err);

/* May the account that makes the request see it? 1, 0, -1. */
MUST_CHECK int api_reconcile_is_visible(const struct http_request *request, const struct api *app,
                                        const struct reconciliation *job, struct error *err);

/* May the account that makes the request see the report? */
MUST_CHECK int api_report_is_visible(const struct http_request *request, const struct api *app,
                                     const struct report *report, struct error *err);

/*
 * The members of a JSON object as parameters: texts, numbers and booleans as their texts, whole numbers in digits alone,
 * null as not given, an array of texts joined by commas. Any other form is a problem of that member. ERROR_INVALID when
 * the body is no JSON object, or has too many members.
 */
MUST_CHECK int api_report_params(struct query_params *params, struct query_problems *problems, struct str body,
                                 struct error *err);

/* reports_post.c, in this order; each is false when the request has been answered instead. The plan borrows from
 * `params`. */
bool api_report_read_body(struct http_request *request, struct query_params *params, struct query_problems *problems);
bool api_report_make_plan(struct http_request *request, const struct api *app, int64_t received_us,
                          const struct query_params *params, struct query_plan *plan, struct query_problems *problems);

/* api_report_read_body for what has no plan: false, too, when what is wrong with members has been answered. */
bool api_report_take_body(struct http_request *request, struct query_params *params, struct query_problems *problems);

#endif
