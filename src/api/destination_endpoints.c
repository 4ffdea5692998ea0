/* SPDX-License-Identifier: ISC */
/*
 * destination_endpoints.c: POST, GET and DELETE /v2/reports/destinations[/NAME], and POST
 * /v2/reports/destinations/NAME/test, where an account's reports are delivered to. No secret is ever shown.
 */
#include <stdlib.h>
#include <string.h>

#include "api/answer_time.h"
#include "api/invalid.h"
#include "api/later.h"
#include "api/plan.h"
#include "api/reports.h"
#include "base/clock.h"
#include "callback/callback.h"

#define RETRY_SECONDS "10"

/* Too large for the stack of a handler. */
struct post {
	struct query_params params;
	struct query_problems problems;
	struct destination destination;
};

static void write_destination(const struct destination *destination, struct json *json)
{
	json_object_begin(json);
	json_member_text(json, "name", destination->name);
	json_member_text(json, "type", destination_type_name(destination->type));
	json_member_bool(json, "is_operators", !destination->account[0]);
	if (destination->account[0]) { /* where the operator's are is the operator's business */
		json_member_text(json, "url", destination->url);
		if (destination->user[0])
			json_member_text(json, "user", destination->user);
		if (destination->region[0])
			json_member_text(json, "region", destination->region);
		if (destination->host_key[0])
			json_member_text(json, "host_key", destination->host_key);
		if (destination->from[0]) {
			json_member_text(json, "from", destination->from);
			json_member_text(json, "to", destination->to);
		}
		api_write_time(json, "created", destination->created_us);
	}
	json_object_end(json);
}

static void reply_destination(struct http_request *request, int status, const struct destination *destination)
{
	struct buf body = { 0 };
	struct json json = json_to(&body);

	write_destination(destination, &json);
	http_reply(request, status, "application/json", &body);
}

/* --- POST --- */

static bool take_params(const struct query_params *params, struct destination_request *asked,
                        struct query_problems *problems)
{
	const struct {
		const char *name;
		struct str *value;
	} members[] = {
		{ "name", &asked->name },         { "type", &asked->type },     { "url", &asked->url },
		{ "user", &asked->user },         { "secret", &asked->secret }, { "region", &asked->region },
		{ "host_key", &asked->host_key }, { "from", &asked->from },     { "to", &asked->to },
	};

	for (size_t i = 0; i < params->count; i++) {
		size_t at = 0;

		while (at < sizeof(members) / sizeof(members[0]) && !str_is(params->list[i].name, members[at].name))
			at++;
		if (at == sizeof(members) / sizeof(members[0]))
			query_problems_add(problems, params->list[i].name, "Unknown parameter");
		else
			*members[at].value = params->list[i].value;
	}
	return problems->count == 0;
}

/* "name: what is wrong" */
static void refuse(struct http_request *request, const struct error *err)
{
	const char *mark = strstr(err->message, ": ");
	size_t len = mark ? (size_t)(mark - err->message) : 0;

	(void)api_plan_refuse(request, (struct str){ err->message, len }, mark ? mark + 2 : err->message);
}

static void create(struct http_request *request, const struct api *app, struct post *post)
{
	struct destination_request asked = { .account = api_account(request)->id };
	struct error err;

	if (!take_params(&post->params, &asked, &post->problems))
		api_reply_invalid(request, &post->problems);
	else if (destinations_add(app->destinations, &asked, &post->destination, &err) == 0)
		reply_destination(request, 201, &post->destination);
	else if (err.code == ERROR_INVALID)
		refuse(request, &err);
	else if (err.code == ERROR_LIMIT)
		http_reply_problem(request, 409, "Conflict", err.message);
	else
		http_reply_error(request, &err);
}

void api_destination_post(struct http_request *request, void *app)
{
	struct post *post = calloc(1, sizeof(*post));
	struct error err;

	if (!post) {
		error_set(&err, ERROR_NOMEM, "Out of memory for a destination");
		http_reply_error(request, &err);
		return;
	}
	if (api_report_take_body(request, &post->params, &post->problems))
		create(request, app, post);
	if (post->params.text.data)
		explicit_bzero(post->params.text.data, post->params.text.len);
	query_params_free(&post->params);
	explicit_bzero(&post->destination, sizeof(post->destination));
	free(post);
}

/* --- GET --- */

static void add_destination(void *arg, const struct destination *destination)
{
	write_destination(destination, arg);
}

/* Its own, then the operator's. */
void api_destination_list(struct http_request *request, void *arg)
{
	const struct api *app = arg;
	struct buf body = { 0 };
	struct json json = json_to(&body);
	struct error err;

	json_object_begin(&json);
	json_key(&json, "destinations");
	json_array_begin(&json);
	int result = destinations_each(app->destinations, api_account(request)->id, add_destination, &json, &err) == 0 ?
	                     destinations_each(app->destinations, "", add_destination, &json, &err) :
	                     -1;
	json_array_end(&json);
	json_object_end(&json);
	if (result == 0) {
		http_reply(request, 200, "application/json", &body);
		return;
	}
	buf_free(&body);
	http_reply_error(request, &err);
}

static void reply_unknown(struct http_request *request)
{
	http_reply_problem(request, 404, "Invalid destination", "This destination does not exist.");
}

void api_destination_get(struct http_request *request, void *arg)
{
	const struct api *app = arg;
	struct destination destination;
	struct error err;

	if (destinations_find(app->destinations, api_account(request)->id, http_request_segment(request), &destination,
	                      &err) == 0)
		reply_destination(request, 200, &destination);
	else if (err.code == ERROR_NOT_FOUND)
		reply_unknown(request);
	else
		http_reply_error(request, &err);
	explicit_bzero(&destination, sizeof(destination));
}

/* --- a test --- */

void api_destination_test(struct http_request *request, void *arg)
{
	const struct api *app = arg;
	char id[CALLBACK_ID_MAX + 1];
	struct error err;

	if (callbacks_test_destination(app->callbacks, api_account(request)->id, http_request_segment(request), id,
	                               &err) == 0) {
		api_reply_test_waits(request, id);
	} else if (err.code == ERROR_NOT_FOUND) {
		reply_unknown(request);
	} else {
		api_reply_error_or_retry(request, &err, RETRY_SECONDS);
	}
}

/* --- DELETE --- */

void api_destination_delete(struct http_request *request, void *arg)
{
	const struct api *app = arg;
	struct buf empty = { 0 };
	struct error err;

	if (destinations_remove(app->destinations, api_account(request)->id, http_request_segment(request), &err) == 0)
		http_reply(request, 204, "application/json", &empty);
	else if (err.code == ERROR_NOT_FOUND)
		reply_unknown(request);
	else
		http_reply_error(request, &err);
}
