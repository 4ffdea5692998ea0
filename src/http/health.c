/*
 * health.c: GET /healthz and GET /readyz, for whoever decides about restarts and about where requests go.
 *
 *	/healthz   200 "ok": the loop turns
 *	/readyz    200 {"ready":true,"reasons":[]}, or 503 with the reasons why requests had better go elsewhere
 *
 * Each reason is a row of a table. /readyz changes nothing by itself: requests that come all the same are served.
 */
#include "base/json.h"
#include "http/routes.h"

static bool store_is_shut(const struct http_app *app)
{
	return !app->store;
}

static bool is_deaf(const struct http_app *app)
{
	struct http_stats stats;

	http_server_stats(app->http, &stats);
	return !stats.draining && !stats.listening;
}

static bool is_out_of_descriptors(const struct http_app *app)
{
	struct http_stats stats;

	http_server_stats(app->http, &stats);
	return stats.listening && !stats.accepting;
}

static bool is_draining(const struct http_app *app)
{
	struct http_stats stats;

	http_server_stats(app->http, &stats);
	return stats.draining;
}

static bool disk_is_short(const struct http_app *app)
{
	return disk_is_low(app->disk);
}

static const struct {
	bool (*applies)(const struct http_app *app);
	const char *reason;
} reasons[] = {
	{ store_is_shut, "the store is not open" },
	{ is_deaf, "no address is listened on" },
	{ is_out_of_descriptors, "connections cannot be accepted" },
	{ is_draining, "the daemon is ending" },
	{ disk_is_short, "the disk is nearly full" },
};

void http_healthz_get(struct http_request *request, void *app)
{
	struct buf body = { 0 };

	(void)app;
	buf_add_text(&body, "ok\n");
	http_reply_header(request, "Cache-Control", "no-store");
	http_reply(request, 200, "text/plain", &body);
}

void http_readyz_get(struct http_request *request, void *app)
{
	struct buf list = { 0 }, body = { 0 };
	struct json names = json_to(&list);
	struct json j = json_to(&body);

	json_array_begin(&names);
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].applies(app))
			json_text(&names, reasons[i].reason);
	json_array_end(&names);
	bool ready = !list.failed && str_is(buf_str(&list), "[]");

	json_object_begin(&j);
	json_key(&j, "ready");
	json_bool(&j, ready);
	json_key(&j, "reasons");
	json_raw(&j, buf_str(&list));
	json_object_end(&j);
	buf_free(&list);
	http_reply_header(request, "Cache-Control", "no-store");
	http_reply(request, ready ? 200 : 503, "application/json", &body);
}
