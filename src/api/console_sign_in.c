/* SPDX-License-Identifier: ISC */
/*
 * console_sign_in.c: GET, POST and DELETE /console/session: is somebody signed in, beginning and ending a session.
 */
#include "api/console_session.h"
#include "api/routes.h"
#include "base/json.h"

static void reply_account(struct http_request *request)
{
	struct buf body = { 0 };
	struct json json = json_to(&body);

	json_object_begin(&json);
	json_member_str(&json, "account_id", str_from(api_account(request)->id));
	json_object_end(&json);
	http_reply_header(request, "Cache-Control", "no-store");
	http_reply(request, 200, "application/json", &body);
}

/* Nobody is signed in: 204, and not 401, as this is how the page finds that out. */
void api_console_session_get(struct http_request *request, void *app)
{
	(void)app;
	if (api_account(request)->id[0]) {
		reply_account(request);
	} else {
		http_reply_header(request, "Cache-Control", "no-store");
		http_reply(request, 204, NULL, NULL);
	}
}

static int begin(struct http_request *request, struct str user, struct str secret, void *app, struct error *err)
{
	return console_session_begin(request, app, user, secret, err);
}

void api_console_session_post(struct http_request *request, void *app)
{
	struct error err;

	if (http_request_check_basic(request, begin, app, &err) < 0)
		http_reply_error(request, &err);
	else
		reply_account(request);
}

/* With credentials there is nothing to end. */
void api_console_session_delete(struct http_request *request, void *app)
{
	struct error err;

	if (console_session_is_given(request) && console_session_end(request, app, &err) < 0)
		http_reply_error(request, &err);
	else
		http_reply(request, 204, NULL, NULL);
}
