/* SPDX-License-Identifier: ISC */
/*
 * plan.h: what the endpoints that query have in common; private to api/.
 */
#ifndef CDRD_API_PLAN_H
#define CDRD_API_PLAN_H

#include "api/routes.h"

/* The end of a query's range if it names none: the time, rounded up to a whole second, so that nothing of this second
 * is missed and the echoed range is easy to read. */
int64_t api_plan_range_end(int64_t received_us);

/* May the account that makes the request read this one's data? Then fills in its *key; if not, the request has been
 * answered with 403. */
bool api_plan_may_read(struct http_request *request, const struct api *app, struct str account,
                       struct account_key *key);

/* Answers that the request's key does not allow what was asked for. */
void api_plan_refuse_key(struct http_request *request);

/* The same as api_plan_may_read() for a plan, whose account_key it fills in; and a key that the request was made with
 * must allow it. */
bool api_plan_may(struct http_request *request, const struct api *app, struct query_plan *plan);

/* Answers 422: one parameter is wrong. Always false. */
bool api_plan_refuse(struct http_request *request, struct str parameter, const char *reason);

/* From the parameters in the target to a plan that the account may have read. False when the request has been answered
 * instead. *params must be empty; the plan borrows from it, and in any case it must be freed. */
bool api_plan_make(struct http_request *request, const struct api *app, enum query_kind kind,
                   const struct query_limits *limits, int64_t received_us, struct query_params *params,
                   struct query_plan *plan);

#endif
