/* SPDX-License-Identifier: ISC */
/*
 * later.c: see later.h.
 */
#include "api/later.h"

#include "base/json.h"
#include "callback/callback.h"

void api_reply_too_many(struct http_request *request, const char *seconds, const char *detail)
{
	http_reply_header(request, "Retry-After", seconds);
	http_reply_problem(request, 429, "Too Many Requests", detail);
}

void api_reply_error_or_retry(struct http_request *request, const struct error *err, const char *seconds)
{
	if (err->code != ERROR_LIMIT) {
		http_reply_error(request, err);
		return;
	}
	api_reply_too_many(request, seconds, err->message);
}

void api_reply_test_waits(struct http_request *request, const char *callback_id)
{
	struct buf body = { 0 };
	struct json json = json_to(&body);

	json_object_begin(&json);
	json_member_text(&json, "callback_id", callback_id);
	json_member_text(&json, "state", callback_state_name(CALLBACK_WAITING));
	json_object_end(&json);
	http_reply(request, 202, "application/json", &body);
}
