/* SPDX-License-Identifier: ISC */
/*
 * schedule_endpoints.c: POST, GET and DELETE /v2/reports/schedules[/ID], reports that are asked for again and again.
 *
 * A schedule belongs to the account that made it; its primary sees it, too, but may not remove it, as with reports.
 */
#include "schedule/schedule.h"

#include <stdlib.h>
#include <string.h>

#include "api/invalid.h"
#include "api/plan.h"
#include "api/reports.h"

/* Too large for the stack of a handler. */
struct post {
	struct query_params params;
	struct query_problems problems;
};

static void reply_schedule(struct http_request *request, const struct api *app, int status,
                           const struct schedule *schedule)
{
	struct buf base_url = { 0 }, body = { 0 };
	struct json json = json_to(&body);

	http_request_base_url(request, &base_url);
	schedule_write(app->schedules, schedule, buf_str(&base_url), true, &json);
	if (base_url.failed)
		body.failed = true;
	buf_free(&base_url);
	http_reply(request, status, "application/json", &body);
}

/* --- POST --- */

static void create(struct http_request *request, const struct api *app, struct post *post)
{
	struct buf base_url = { 0 };
	struct schedule_request asked = { .account = api_account(request), .params = &post->params };
	struct schedule schedule;
	struct error err;

	http_request_base_url(request, &base_url);
	asked.base_url = buf_str(&base_url);
	query_problems_clear(&post->problems);
	if (schedules_create(app->schedules, &asked, &post->problems, &schedule, &err) == 0) {
		reply_schedule(request, app, 201, &schedule);
		schedule_free(&schedule);
	} else if (post->problems.count > 0) {
		api_reply_invalid(request, &post->problems);
	} else if (err.code == ERROR_LIMIT) {
		http_reply_problem(request, 409, "Conflict", err.message);
	} else {
		http_reply_error(request, &err);
	}
	buf_free(&base_url);
}

void api_schedule_post(struct http_request *request, void *app)
{
	struct post *post = calloc(1, sizeof(*post));
	struct error err;

	if (!post) {
		error_set(&err, ERROR_NOMEM, "Out of memory for a schedule");
		http_reply_error(request, &err);
		return;
	}
	if (api_report_take_body(request, &post->params, &post->problems))
		create(request, app, post);
	query_params_free(&post->params);
	free(post);
}

/* --- GET of all --- */

struct list {
	const struct api *app;
	struct str base_url;
	struct json *json;
};

static bool add_schedule(void *arg, const struct schedule *schedule)
{
	struct list *list = arg;

	schedule_write(list->app->schedules, schedule, list->base_url, false, list->json);
	return true;
}

static void answer_list(struct http_request *request, const struct api *app, struct str account)
{
	struct buf base_url = { 0 }, body = { 0 }, name = { 0 };
	struct json json = json_to(&body);
	struct list list = { .app = app, .json = &json };
	struct error err = { 0 };

	http_request_base_url(request, &base_url);
	list.base_url = buf_str(&base_url);
	buf_add_str(&name, account);
	json_object_begin(&json);
	json_key(&json, "schedules");
	json_array_begin(&json);
	int result = buf_cstr(&name) ? schedules_each(app->schedules, name.data, add_schedule, &list, &err) :
	                               error_set(&err, ERROR_NOMEM, "Out of memory for a list");
	json_array_end(&json);
	json_object_end(&json);
	buf_free(&base_url);
	buf_free(&name);
	if (result == 0) {
		http_reply(request, 200, "application/json", &body);
		return;
	}
	buf_free(&body);
	http_reply_error(request, &err);
}

void api_schedule_list(struct http_request *request, void *app)
{
	struct query_params params = { 0 };
	struct str account = str_from(api_account(request)->id);
	struct account_key key;
	struct error err;
	bool right = true;

	if (query_params_decode(&params, http_request_query(request), &err) < 0) {
		http_reply_error(request, &err);
		right = false;
	}
	for (size_t i = 0; i < params.count && right; i++) {
		if (str_is(params.list[i].name, "account_id"))
			account = params.list[i].value;
		else
			right = api_plan_refuse(request, params.list[i].name, "Unknown parameter: account_id is known");
	}
	if (right && api_plan_may_read(request, app, account, &key))
		answer_list(request, app, account);
	query_params_free(&params);
}

/* --- GET and DELETE of one --- */

static void reply_unknown(struct http_request *request)
{
	http_reply_problem(request, 404, "Invalid schedule ID",
	                   "This schedule does not exist, or you do not have access.");
}

/* False when the request has been answered instead. */
static bool find(struct http_request *request, const struct api *app, struct schedule *schedule)
{
	struct account_key key;
	struct error err;

	if (schedules_get(app->schedules, http_request_segment(request), schedule, &err) < 0) {
		if (err.code == ERROR_NOT_FOUND)
			reply_unknown(request);
		else
			http_reply_error(request, &err);
		return false;
	}
	int visible = accounts_reads(app->meta, api_account(request), str_from(schedule->account), &key, &err);

	if (visible > 0)
		return true;
	schedule_free(schedule);
	if (visible < 0)
		http_reply_error(request, &err);
	else
		reply_unknown(request);
	return false;
}

void api_schedule_get(struct http_request *request, void *app)
{
	struct schedule schedule;

	if (!find(request, app, &schedule))
		return;
	reply_schedule(request, app, 200, &schedule);
	schedule_free(&schedule);
}

void api_schedule_delete(struct http_request *request, void *arg)
{
	const struct api *app = arg;
	struct buf empty = { 0 };
	struct schedule schedule;
	struct error err;

	if (!find(request, app, &schedule))
		return;
	if (strcmp(schedule.account, api_account(request)->id) != 0)
		http_reply_problem(request, 403, "Forbidden", "Only the account that made a schedule may remove it");
	else if (schedules_remove(app->schedules, str_from(schedule.id), &err) != 0)
		http_reply_error(request, &err);
	else
		http_reply(request, 204, "application/json", &empty);
	schedule_free(&schedule);
}
