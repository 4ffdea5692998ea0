/* SPDX-License-Identifier: ISC */
/*
 * webhook_test.c: POST /v2/account/webhook/test, {"url": "https://..."}: sends a test callback there. Its attempt is among
 * those of GET /v2/account/webhook soon after.
 */
#include <stdlib.h>
#include <string.h>

#include "api/invalid.h"
#include "api/later.h"
#include "api/reports.h"
#include "base/json.h"
#include "callback/callback.h"

#define RETRY_SECONDS "10"
#define URL_NAME STR_LITERAL("url")

/* Too large for the stack of a handler. */
struct body {
	struct query_params params;
	struct query_problems problems;
};

static void check_names(const struct query_params *params, struct query_problems *problems)
{
	for (size_t i = 0; i < params->count; i++) {
		if (!str_equal(params->list[i].name, URL_NAME))
			query_problems_add(problems, params->list[i].name, "Unknown parameter");
	}
	if (query_params_get(params, "url").len == 0)
		query_problems_add(problems, URL_NAME, "Missing required parameter");
}

static void refuse_url(struct http_request *request, const struct error *err, struct query_problems *problems)
{
	const char *reason = strchr(err->message, ' '); /* the message starts with the name of another parameter */

	query_problems_add_error(problems, URL_NAME, err, reason ? reason + 1 : err->message);
	api_reply_invalid(request, problems);
}

static void send_test(struct http_request *request, const struct api *app, struct str url,
                      struct query_problems *problems)
{
	char id[CALLBACK_ID_MAX + 1];
	struct error err;

	if (callbacks_test(app->callbacks, api_account(request)->id, url, id, &err) == 0) {
		api_reply_test_waits(request, id);
	} else if (err.code == ERROR_INVALID) {
		refuse_url(request, &err, problems);
	} else {
		api_reply_error_or_retry(request, &err, RETRY_SECONDS);
	}
}

void api_webhook_test(struct http_request *request, void *app)
{
	struct body *body = calloc(1, sizeof(*body));
	struct error err;

	if (!body) {
		error_set(&err, ERROR_NOMEM, "Out of memory for a test callback");
		http_reply_error(request, &err);
		return;
	}
	if (api_report_read_body(request, &body->params, &body->problems)) {
		check_names(&body->params, &body->problems);
		if (body->problems.count > 0)
			api_reply_invalid(request, &body->problems);
		else
			send_test(request, app, query_params_get(&body->params, "url"), &body->problems);
	}
	query_params_free(&body->params);
	free(body);
}
