/* SPDX-License-Identifier: ISC */
/*
 * health.c: GET /healthz and GET /readyz, for supervisors that restart the daemon and balancers that route requests.
 *
 *	/healthz   200 "ok": the loop turns
 *	/readyz    200 {"ready":true,"reasons":[]}, or 503 with the reasons why requests had better go elsewhere
 *
 *	           Both list problems that are no reason to keep requests away as "warnings".
 *
 * Each reason or warning is a row of a table. /readyz only reports: requests that arrive all the same are served.
 */
#include "api/health.h"

#include "api/routes.h"
#include "base/json.h"
#include "store/clock_watch.h"
#include "store/cluster.h"
#include "store/health.h"

static bool store_is_shut(const struct api_health *health)
{
	return !health->store;
}

static bool is_deaf(const struct api_health *health)
{
	struct http_stats stats;

	http_server_stats(health->http, &stats);
	return !stats.draining && !stats.listening;
}

static bool is_out_of_descriptors(const struct api_health *health)
{
	struct http_stats stats;

	http_server_stats(health->http, &stats);
	return stats.listening && !stats.accepting;
}

static bool is_draining(const struct api_health *health)
{
	struct http_stats stats;

	http_server_stats(health->http, &stats);
	return stats.draining;
}

static bool disk_is_short(const struct api_health *health)
{
	return disk_is_low(health->disk);
}

static bool catalog_is_broken(const struct api_health *health)
{
	struct store_health store;

	store_health(health->store, &store);
	return store.catalog_broken;
}

static bool commits_fail(const struct api_health *health)
{
	struct store_health store;

	store_health(health->store, &store);
	return store.commits_failed > 0;
}

static bool days_are_broken(const struct api_health *health)
{
	struct store_health store;

	store_health(health->store, &store);
	return store.days_broken > 0;
}

static bool deletion_is_held(const struct api_health *health)
{
	struct clock_watch watch;

	store_clock_watch(health->store, &watch);
	return watch.held;
}

static bool cluster_is_missing(const struct api_health *health)
{
	char why[CLUSTER_WHY_MAX];

	return health->store && store_cluster_is_missing(health->store, why, sizeof(why));
}

/* The server or table that is missing. */
static void write_cluster(struct buf *out, const struct api_health *health)
{
	char why[CLUSTER_WHY_MAX];

	if (store_cluster_is_missing(health->store, why, sizeof(why)))
		buf_addf(out, ": %s", why);
}

static bool catalog_is_missing(const struct api_health *health)
{
	char why[META_WHY_MAX];

	return health->meta && meta_is_missing(health->meta, why, sizeof(why));
}

static void write_catalog(struct buf *out, const struct api_health *health)
{
	char why[META_WHY_MAX];

	if (meta_is_missing(health->meta, why, sizeof(why)))
		buf_addf(out, ": %s", why);
}

struct finding {
	bool (*applies)(const struct api_health *health);
	const char *text;
	void (*write_more)(struct buf *out, const struct api_health *health); /* or NULL */
};

static const struct finding reasons[] = {
	{ store_is_shut, "the store is not open", NULL },
	{ is_deaf, "no address is listened on", NULL },
	{ is_out_of_descriptors, "connections cannot be accepted", NULL },
	{ is_draining, "the daemon is ending", NULL },
	{ disk_is_short, "the disk is nearly full", NULL },
	{ catalog_is_broken, "the catalog does not work since a write failed", NULL },
	{ commits_fail, "the last commit failed", NULL },
	{ cluster_is_missing, "the ClickHouse cluster does not serve", write_cluster },
	{ catalog_is_missing, "the catalog cannot be changed", write_catalog },
	{ NULL, NULL, NULL },
};

static const struct finding warnings[] = {
	{ days_are_broken, "days cannot be read or written: cdrctl verify", NULL },
	{ deletion_is_held, "the clock has jumped ahead, nothing is deleted for its age: cdrctl clock accept", NULL },
	{ NULL, NULL, NULL },
};

/* Writes an array of the texts that apply; returns their number. */
static size_t write_findings(struct buf *out, const struct finding *rows, const struct api_health *health)
{
	struct json j = json_to(out);
	struct buf text = { 0 };
	size_t count = 0;

	json_array_begin(&j);
	for (; rows->text; rows++) {
		if (!rows->applies(health))
			continue;
		buf_clear(&text);
		buf_add_text(&text, rows->text);
		if (rows->write_more)
			rows->write_more(&text, health);
		json_str(&j, buf_str(&text));
		count++;
	}
	json_array_end(&j);
	buf_free(&text);
	return count;
}

void api_health_reply_alive(struct http_request *request)
{
	struct buf body = { 0 };

	buf_add_text(&body, "ok\n");
	http_reply_header(request, "Cache-Control", "no-store");
	http_reply(request, 200, "text/plain", &body);
}

void api_health_reply_ready(struct http_request *request, const struct api_health *health)
{
	struct buf list = { 0 }, others = { 0 }, body = { 0 };
	struct json j = json_to(&body);
	bool ready = write_findings(&list, reasons, health) == 0 && !list.failed;

	json_object_begin(&j);
	json_key(&j, "ready");
	json_bool(&j, ready);
	json_key(&j, "reasons");
	json_raw(&j, buf_str(&list));
	if (write_findings(&others, warnings, health) > 0) {
		json_key(&j, "warnings");
		json_raw(&j, buf_str(&others));
	}
	json_object_end(&j);
	buf_free(&list);
	buf_free(&others);
	http_reply_header(request, "Cache-Control", "no-store");
	http_reply(request, ready ? 200 : 503, "application/json", &body);
}

void api_healthz_get(struct http_request *request, void *app)
{
	(void)app;
	api_health_reply_alive(request);
}

void api_readyz_get(struct http_request *request, void *arg)
{
	const struct api *app = arg;

	api_health_reply_ready(
		request,
		&(struct api_health){ .http = app->http, .store = app->store, .disk = app->disk, .meta = app->meta });
}
