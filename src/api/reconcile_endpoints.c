/* SPDX-License-Identifier: ISC */
/*
 * reconcile_endpoints.c: POST, GET and DELETE /v2/reports/reconcile[/ID]: a carrier's file beside the records of a month.
 *
 * The body of the POST is the file as the carrier has sent it; it streams to disk, and the answer follows its fsync. What
 * is asked for stands in the query. Who sees a reconciliation, and who may cancel it, is as with reports.
 */
#include <stdlib.h>

#include "api/invalid.h"
#include "api/later.h"
#include "api/plan.h"
#include "api/reports.h"
#include "reconcile/reconcile.h"

#define PENDING_RETRY_SECONDS "30"

static void reply_status(struct http_request *request, const struct api *app, const struct reconciliation *job)
{
	struct buf base_url = { 0 }, body = { 0 };
	struct error err;

	http_request_base_url(request, &base_url);
	if (reconcile_write_status(app->reconciles, job, buf_str(&base_url), &body, &err) == 0) {
		http_reply(request, 200, "application/json", &body);
	} else {
		buf_free(&body);
		http_reply_error(request, &err);
	}
	buf_free(&base_url);
}

/* --- POST --- */

struct post {
	struct http_request *request;
	const struct api *app;
	struct reconcile_upload *upload;
};

static void on_abort(void *arg)
{
	struct post *post = arg;

	reconcile_upload_drop(post->upload);
	free(post);
}

static void on_data(void *arg, const char *data, size_t len)
{
	struct post *post = arg;
	struct error err;

	if (reconcile_upload_feed(post->upload, (struct str){ data, len }, &err) == 0)
		return;
	struct http_request *request = post->request;
	on_abort(post);
	if (err.code == ERROR_LIMIT)
		http_reply_problem(request, 413, "Content Too Large", err.message);
	else
		http_reply_error(request, &err);
}

static void on_end(void *arg)
{
	struct post *post = arg;
	struct error err;
	const struct reconciliation *job = reconcile_upload_finish(post->upload, &err);

	if (job)
		reply_status(post->request, post->app, job);
	else
		api_reply_error_or_retry(post->request, &err, PENDING_RETRY_SECONDS);
	free(post);
}

/* What is wrong with the parameters is told later. */
static bool key_allows(const struct http_request *request, const struct query_params *params, struct str account)
{
	const struct catalog_product *product = catalog_product_find(query_params_get(params, "product"));
	struct str subaccounts = query_params_get(params, "include_subaccounts");

	return !product || !account.p ||
	       api_key_allows(request, product, account, str_equal_nocase(subaccounts, STR_LITERAL("true")));
}

/* Begins the upload, or answers. */
static struct reconcile_upload *begin(struct http_request *request, const struct api *app,
                                      const struct query_params *params, struct query_problems *problems)
{
	struct str account = query_params_get(params, "account_id");
	struct reconcile_upload *upload;
	struct account_key key;
	struct error err = { 0 };

	if (account.p && !api_plan_may_read(request, app, account, &key))
		return NULL;
	if (!key_allows(request, params, account)) {
		api_plan_refuse_key(request);
		return NULL;
	}
	query_problems_clear(problems);
	upload = reconcile_upload_begin(app->reconciles, api_account(request), params, problems, &err);
	if (upload)
		return upload;
	if (problems->count == 0 && err.code == ERROR_NOT_FOUND) { /* of the mapping: the account was found */
		query_problems_add(problems, STR_LITERAL("mapping"), "%s", err.message);
	} else if (problems->count == 0) {
		api_reply_error_or_retry(request, &err, PENDING_RETRY_SECONDS);
		return NULL;
	}
	api_reply_invalid(request, problems);
	return NULL;
}

void api_reconcile_post(struct http_request *request, void *app)
{
	static const struct http_stream stream = { on_data, on_end, on_abort, NULL };
	struct query_problems *problems = malloc(sizeof(*problems));
	struct post *post = calloc(1, sizeof(*post));
	struct query_params params = { 0 };
	struct error err;

	if (!problems || !post) {
		error_set(&err, ERROR_NOMEM, "Out of memory for a reconciliation");
		http_reply_error(request, &err);
	} else if (query_params_decode(&params, http_request_query(request), &err) != 0) {
		http_reply_error(request, &err);
	} else if ((post->upload = begin(request, app, &params, problems))) {
		post->request = request;
		post->app = app;
		http_request_stream(request, &stream, post);
		post = NULL;
	}
	query_params_free(&params);
	free(problems);
	free(post);
}

/* --- who sees it --- */

int api_reconcile_is_visible(const struct http_request *request, const struct api *app,
                             const struct reconciliation *job, struct error *err)
{
	struct account_key key;

	if (!job->creator[0])
		return 0;
	int reads = accounts_reads(app->meta, api_account(request), str_from(job->creator), &key, err);
	/* The creator may be gone, and its id be another's. */
	if (reads <= 0)
		return reads;
	return account_key_equal(&key, &job->creator_key) &&
	       api_key_allows(request, job->request.product, str_from(job->request.account),
	                      job->request.include_subaccounts);
}

int api_reconcile_file(const struct http_request *request, const struct api *app, const struct reconciliation **job,
                       enum reconciler_class *class, struct error *err)
{
	*job = reconciles_get_file(app->reconciles, http_request_segment(request), class);
	return *job ? api_reconcile_is_visible(request, app, *job, err) : 0;
}

/* NULL when the request has been answered instead. */
static const struct reconciliation *find(struct http_request *request, const struct api *app)
{
	const struct reconciliation *job = reconciles_get(app->reconciles, http_request_segment(request));
	struct error err;
	int visible = job ? api_reconcile_is_visible(request, app, job, &err) : 0;

	if (visible > 0)
		return job;
	if (visible < 0)
		http_reply_error(request, &err);
	else
		http_reply_problem(request, 404, "Invalid reconciliation ID",
		                   "This reconciliation does not exist, or you do not have access.");
	return NULL;
}

void api_reconcile_get(struct http_request *request, void *app)
{
	const struct reconciliation *job = find(request, app);

	if (job)
		reply_status(request, app, job);
}

void api_reconcile_delete(struct http_request *request, void *arg)
{
	const struct api *app = arg;
	const struct reconciliation *job = find(request, app);
	char by[ACCOUNT_ID_MAX + 16];
	struct error err;

	if (!job)
		return;
	(void)snprintf(by, sizeof(by), "account %s", api_account(request)->id);
	if (strcmp(job->creator, api_account(request)->id) != 0)
		http_reply_problem(request, 403, "Forbidden",
		                   "Only the account that asked for a reconciliation may cancel it");
	else if (reconciles_cancel(app->reconciles, str_from(job->id), by, &err) == 0)
		reply_status(request, app, job);
	else if (err.code == ERROR_CONFLICT)
		http_reply_problem(request, 409, "Invalid Abort Operation", "The reconciliation has ended.");
	else
		http_reply_error(request, &err);
}
