/* SPDX-License-Identifier: ISC */
/*
 * plan.c: see plan.h.
 */
#include "api/plan.h"

#include "api/invalid.h"
#include "base/clock.h"

int64_t api_plan_range_end(int64_t received_us)
{
	int64_t rest = received_us % CLOCK_US_PER_SECOND;

	return rest == 0 ? received_us : received_us + CLOCK_US_PER_SECOND - rest;
}

bool api_plan_may_read(struct http_request *request, const struct api *app, struct str account, struct account_key *key)
{
	struct error err;
	int may = accounts_reads(app->meta, api_account(request), account, key, &err);

	if (may < 0)
		http_reply_error(request, &err);
	if (may != 0)
		return may > 0;
	http_reply_problem(request, 403, "Forbidden", "User not authorized to query the requested data");
	return false;
}

void api_plan_refuse_key(struct http_request *request)
{
	http_reply_problem(request, 403, "Forbidden",
	                   "The key does not allow this product, or records of other accounts than its own");
}

bool api_plan_may(struct http_request *request, const struct api *app, struct query_plan *plan)
{
	if (!api_plan_may_read(request, app, str_from(plan->account), &plan->account_key))
		return false;
	if (api_key_allows(request, plan->product, str_from(plan->account), plan->include_subaccounts))
		return true;
	api_plan_refuse_key(request);
	return false;
}

bool api_plan_refuse(struct http_request *request, struct str parameter, const char *reason)
{
	struct query_problems problems;

	query_problems_clear(&problems);
	query_problems_add(&problems, parameter, "%s", reason);
	api_reply_invalid(request, &problems);
	return false;
}

bool api_plan_make(struct http_request *request, const struct api *app, enum query_kind kind,
                   const struct query_limits *limits, int64_t received_us, struct query_params *params,
                   struct query_plan *plan)
{
	struct query_limits all = *limits;
	struct query_problems problems;
	struct error err;

	all.any_values = strcmp(app->config->filter_values, "any") == 0;
	query_problems_clear(&problems);
	if (query_params_decode(params, http_request_query(request), &err) < 0) {
		http_reply_error(request, &err);
		return false;
	}
	if (!query_plan_make(plan, kind, params, &all, api_plan_range_end(received_us), &problems)) {
		api_reply_invalid(request, &problems);
		return false;
	}
	return api_plan_may(request, app, plan);
}
