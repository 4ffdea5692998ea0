/* SPDX-License-Identifier: ISC */
/*
 * media_ticket.c: POST /v3/media/{file_id}/ticket, a URL that downloads the file once, without credentials (tickets.h).
 */
#include "api/answer_time.h"
#include "api/later.h"
#include "api/reports.h"
#include "api/tickets.h"
#include "base/clock.h"
#include "base/json.h"

#define RETRY_SECONDS "30"

static void write_url(const struct http_request *request, const char *file_id, const char *ticket, struct json *json)
{
	struct buf url = { 0 };

	http_request_base_url(request, &url);
	buf_addf(&url, "/v3/media/%s?ticket=%s", file_id, ticket);
	json_member_str(json, "url", buf_str(&url));
	if (url.failed)
		json->out->failed = true;
	buf_free(&url);
}

static void reply_ticket(struct http_request *request, const char *file_id, const char *ticket, int64_t valid_us)
{
	struct buf body = { 0 };
	struct json json = json_to(&body);

	json_object_begin(&json);
	write_url(request, file_id, ticket, &json);
	api_write_time(&json, "valid_until", clock_now_us() + valid_us);
	json_object_end(&json);
	http_reply_header(request, "Cache-Control", "no-store");
	http_reply(request, 200, "application/json", &body);
}

void api_media_ticket(struct http_request *request, void *arg)
{
	struct api *app = arg;
	int64_t valid_us = app->config->download_ticket_keep;
	char ticket[API_TICKET_LEN + 1];
	struct api_file file;
	struct error err;

	if (!api_media_find(request, app, &file))
		return;
	if (api_ticket_make(app, api_account(request)->id, http_request_pass(request), file.id, valid_us, ticket,
	                    &err) == 0) {
		reply_ticket(request, file.id, ticket, valid_us);
	} else {
		api_reply_error_or_retry(request, &err, RETRY_SECONDS);
	}
	api_file_free(&file);
}
