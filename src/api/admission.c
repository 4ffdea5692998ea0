/* SPDX-License-Identifier: ISC */
/*
 * admission.c: turns requests away when their account has made too many. Declared in auth.h; limits/ does the counting.
 *
 * Every answer to a request that counts says how much is left (draft-ietf-httpapi-ratelimit-headers):
 *
 *	RateLimit-Policy: "sync";q=10;w=1
 *	RateLimit: "sync";r=9;t=1
 */
#include <inttypes.h>
#include <stdio.h>

#include "api/api.h"
#include "api/auth.h"
#include "api/later.h"

#define DOWNLOAD_RETRY_SECONDS "5"

static void add_rate(struct http_request *request, const struct limits_rate *rate)
{
	char text[96];

	(void)snprintf(text, sizeof(text), "\"%s\";q=%" PRId64 ";w=1", rate->name, rate->quota);
	http_reply_header(request, "RateLimit-Policy", text);
	(void)snprintf(text, sizeof(text), "\"%s\";r=%" PRId64 ";t=%" PRId64, rate->name, rate->left, rate->reset_s);
	http_reply_header(request, "RateLimit", text);
}

static bool take_rate(struct http_request *request, const struct api *app, enum plan_limit limit)
{
	const struct account *account = api_account(request);
	struct limits_rate rate;
	bool taken = limits_take(app->limits, account, limit, &rate);
	char detail[ACCOUNT_ID_MAX + 128];

	if (rate.quota > 0)
		add_rate(request, &rate);
	if (taken)
		return true;
	(void)snprintf(detail, sizeof(detail), "More than %" PRId64 " %s requests a second of account %s.", rate.quota,
	               rate.name, account->id);
	api_reply_too_many(request, "1", detail);
	return false;
}

/* Each keeps its memory for as long as its client reads a little now and then. */
static bool has_read(struct http_request *request, const struct api *app)
{
	const struct account *account = api_account(request);
	char detail[ACCOUNT_ID_MAX + 160];
	int64_t most;

	if (limits_may_use(app->limits, account, LIMITS_UNREAD, &most))
		return true;
	(void)snprintf(detail, sizeof(detail),
	               "Account %s has %" PRId64 " answers that it has not read to the end (ten times "
	               "sync_concurrent_max), which is all it may have.",
	               account->id, most);
	api_reply_too_many(request, "1", detail);
	return false;
}

static void *begin_unread(struct http_request *request, void *arg)
{
	const struct api *app = arg;
	const struct account *account = api_account(request);

	return account->id[0] ? limits_use_begin(app->limits, account, LIMITS_UNREAD) : NULL;
}

void api_count_unread(struct api *app)
{
	http_server_watch_unread(app->http, begin_unread, limits_use_end);
}

bool api_admit_sync(struct http_request *request, void *app)
{
	return has_read(request, app) && take_rate(request, app, PLAN_SYNC);
}

bool api_admit_async(struct http_request *request, void *app)
{
	return has_read(request, app) && take_rate(request, app, PLAN_ASYNC);
}

bool api_admit_download(struct http_request *request, void *arg)
{
	const struct api *app = arg;
	const struct account *account = api_account(request);
	char detail[ACCOUNT_ID_MAX + 128];
	int64_t most;

	if (limits_may_use(app->limits, account, LIMITS_DOWNLOADS, &most))
		return true;
	(void)snprintf(detail, sizeof(detail),
	               "Account %s has %" PRId64 " downloads in progress, which is all it may have.", account->id,
	               most);
	api_reply_too_many(request, DOWNLOAD_RETRY_SECONDS, detail);
	return false;
}
