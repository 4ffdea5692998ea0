/* SPDX-License-Identifier: ISC */
/*
 * reports_post.c: POST /v2/reports, a new report.
 *
 * An Idempotency-Key makes repeating a request harmless: with the same body it returns the report that the first
 * request made; with another body it is refused. A key lives as long as its report.
 */
#include "api/reports.h"

#include <stdlib.h>

#include "api/invalid.h"
#include "api/later.h"
#include "base/clock.h"
#include "api/plan.h"

#define PENDING_RETRY_SECONDS "30"
#define KEY_NAME STR_LITERAL("Idempotency-Key")

/* Too large for the stack of a handler. */
struct post {
	struct http_request *request;
	const struct api *app;
	struct query_params params;
	struct query_problems problems;
	struct query_plan plan; /* borrows from params */
	struct str key;
	uint64_t body_hash;
	int64_t received_us;
};

/* Each function answers the request if it returns false. */

bool api_report_read_body(struct http_request *request, struct query_params *params, struct query_problems *problems)
{
	struct error err = { 0 };

	if (api_report_params(params, problems, http_request_body(request), &err) == 0)
		return true;
	if (err.code == ERROR_INVALID && params->count < QUERY_PARAMS_MAX)
		http_reply_problem(request, 400, "Malformed JSON", "Malformed JSON payload.");
	else
		http_reply_error(request, &err);
	return false;
}

bool api_report_take_body(struct http_request *request, struct query_params *params, struct query_problems *problems)
{
	if (!api_report_read_body(request, params, problems))
		return false;
	if (problems->count == 0)
		return true;
	api_reply_invalid(request, problems);
	return false;
}

static bool read_body(struct post *post)
{
	struct str body = http_request_body(post->request);

	post->body_hash = id_hash64(body.p, body.len, 0);
	return api_report_read_body(post->request, &post->params, &post->problems);
}

static bool read_key(struct post *post)
{
	post->key = http_request_header(post->request, "Idempotency-Key");
	if (!post->key.p)
		post->key = STR_LITERAL("");
	if (post->key.len <= REPORT_KEY_MAX)
		return true;
	query_problems_add(&post->problems, KEY_NAME, "%zu characters, at most %d allowed", post->key.len,
	                   REPORT_KEY_MAX);
	api_reply_invalid(post->request, &post->problems);
	return false;
}

/* A key of the account may be for less than that which the report was made by. */
static void reply_report(struct post *post, const struct report *report)
{
	struct error err;
	int visible = api_report_is_visible(post->request, post->app, report, &err);

	if (visible > 0)
		api_report_reply(post->request, report);
	else if (visible == 0)
		api_plan_refuse_key(post->request);
	else
		http_reply_error(post->request, &err);
}

/* The key was used before: the same request gets the same answer. */
static void reply_again(struct post *post, const char *id, uint64_t body_hash)
{
	struct report report;
	struct error err;

	if (body_hash != post->body_hash) {
		post->problems = (struct query_problems){ 0 };
		query_problems_add(&post->problems, KEY_NAME, "Was used for a request with another body");
		api_reply_invalid(post->request, &post->problems);
	} else if (reports_get(post->app->reports, str_from(id), &report, &err) < 0) {
		http_reply_error(post->request, &err);
	} else {
		reply_report(post, &report);
		report_free(&report);
	}
}

static bool is_new(struct post *post)
{
	const struct account *account = api_account(post->request);
	char id[ID_UUID_LEN + 1];
	uint64_t body_hash;
	struct error err;
	int found;

	if (post->key.len == 0)
		return true;
	found = reports_find_key(post->app->reports, &account->key, post->key, id, &body_hash, &err);
	if (found < 0)
		http_reply_error(post->request, &err);
	else if (found > 0)
		reply_again(post, id, body_hash);
	return found == 0;
}

bool api_report_make_plan(struct http_request *request, const struct api *app, int64_t received_us,
                          const struct query_params *params, struct query_plan *plan, struct query_problems *problems)
{
	if (!report_check(app->reports, api_account(request)->id, params, api_plan_range_end(received_us), plan,
	                  problems)) {
		api_reply_invalid(request, problems);
		return false;
	}
	if (!api_plan_may(request, app, plan))
		return false;
	if (billing_is_free(plan->product))
		billing_settle(app->billing);
	return true;
}

static bool make_plan(struct post *post)
{
	return api_report_make_plan(post->request, post->app, post->received_us, &post->params, &post->plan,
	                            &post->problems);
}

static void create(struct post *post)
{
	struct buf base_url = { 0 };
	struct report_request request = {
		.creator = api_account(post->request),
		.plan = &post->plan,
		.params = &post->params,
		.key = post->key,
		.body_hash = post->body_hash,
		.received_us = post->received_us,
		.pending_max = limits_queued_max(post->app->limits, api_account(post->request)),
	};
	struct report report;
	struct error err;

	http_request_base_url(post->request, &base_url);
	request.base_url = buf_str(&base_url);
	if (reports_create(post->app->reports, &request, &report, &err) == 0) {
		api_report_reply(post->request, &report);
		report_free(&report);
	} else {
		api_reply_error_or_retry(post->request, &err, PENDING_RETRY_SECONDS);
	}
	buf_free(&base_url);
}

void api_report_post(struct http_request *request, void *arg)
{
	struct post *post = calloc(1, sizeof(*post));
	struct error err;

	if (!post) {
		error_set(&err, ERROR_NOMEM, "Out of memory for a report");
		http_reply_error(request, &err);
		return;
	}
	post->request = request;
	post->app = arg;
	post->received_us = clock_now_us();
	if (read_body(post) && read_key(post) && is_new(post) && make_plan(post))
		create(post);
	query_params_free(&post->params);
	free(post);
}
