/* SPDX-License-Identifier: ISC */
/*
 * health.c: GET /healthz and GET /readyz, for supervisors that restart the daemon and balancers that route requests.
 *
 *	/healthz   200 "ok": the loop turns
 *	/readyz    200 {"ready":true,"reasons":[]}, or 503 with the reasons why requests had better go elsewhere
 *
 *	           With a catalog that front ends share, "role" says "holds"; daemon/relay.h has the others' answer.
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
#include "store/takeover.h"

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

static bool records_are_refused(const struct api_health *health)
{
	return health->store && takeover_wants_hold(health->store) && takeover_is_under_way(health->store);
}

static bool move_is_given_up(const struct api_health *health)
{
	return health->store && takeover_wants_hold(health->store) && !takeover_is_under_way(health->store);
}

/* Which server or table. */
static bool cluster_is_missing(const struct api_health *health, char *why, size_t size)
{
	return health->store && store_cluster_is_missing(health->store, why, size);
}

static bool catalog_is_missing(const struct api_health *health, char *why, size_t size)
{
	return health->meta && meta_is_missing(health->meta, why, size);
}

struct finding {
	bool (*applies)(const struct api_health *health); /* or NULL: */
	bool (*is_missing)(const struct api_health *health, char *why, size_t size);
	const char *text;
};

static const struct finding reasons[] = {
	{ store_is_shut, NULL, "the store is not open" },
	{ is_deaf, NULL, "no address is listened on" },
	{ is_out_of_descriptors, NULL, "connections cannot be accepted" },
	{ is_draining, NULL, "the daemon is ending" },
	{ disk_is_short, NULL, "the disk is nearly full" },
	{ catalog_is_broken, NULL, "the catalog does not work since a write failed" },
	{ commits_fail, NULL, "the last commit failed" },
	{ NULL, cluster_is_missing, "the ClickHouse cluster does not serve" },
	{ NULL, catalog_is_missing, "the catalog cannot be changed" },
	{ NULL, NULL, NULL },
};

static const struct finding warnings[] = {
	{ days_are_broken, NULL, "days cannot be read or written: cdrctl verify" },
	{ records_are_refused, NULL, "no records are taken in, as they are being moved to the cluster: cdrctl move" },
	{ move_is_given_up, NULL,
	  "no records are taken in, as the move to the cluster was given up: set store = lmdb, and restart" },
	{ deletion_is_held, NULL, "the clock has jumped ahead, nothing is deleted for its age: cdrctl clock accept" },
	{ NULL, NULL, NULL },
};

/* Writes an array of the texts that apply; returns their number. */
static size_t write_findings(struct buf *out, const struct finding *rows, const struct api_health *health)
{
	struct json j = json_to(out);
	char why[META_WHY_MAX > CLUSTER_WHY_MAX ? META_WHY_MAX : CLUSTER_WHY_MAX];
	struct buf text = { 0 };
	size_t count = 0;

	json_array_begin(&j);
	for (; rows->text; rows++) {
		if (rows->is_missing ? !rows->is_missing(health, why, sizeof(why)) : !rows->applies(health))
			continue;
		buf_clear(&text);
		buf_add_text(&text, rows->text);
		if (rows->is_missing)
			buf_addf(&text, ": %s", why);
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
	json_member_bool(&j, "ready", ready);
	if (health->meta && meta_is_shared(health->meta))
		json_member_str(&j, "role", STR_LITERAL("holds"));
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

#define ROOM_DIGITS 4 /* as reports_max has at most */

/* A front end that forwards makes files, too, when it says so. What a client has sent through one says nothing. */
static void note_worker(const struct http_request *request, const struct api *app)
{
	struct query_params params = { 0 };
	struct error err;

	if (!http_request_is_of_front_end(request))
		return;
	if (query_params_decode(&params, http_request_query(request), &err) == 0) {
		struct str url = query_params_get(&params, API_READY_URL);
		struct str room = query_params_get(&params, API_READY_ROOM);
		uint64_t count = 0;

		for (size_t i = 0; i < room.len && i < ROOM_DIGITS && room.p[i] >= '0' && room.p[i] <= '9'; i++)
			count = count * 10 + (uint64_t)(room.p[i] - '0');
		if (url.len > 0)
			reports_note_worker(app->reports, url, count);
	}
	query_params_free(&params);
}

void api_readyz_get(struct http_request *request, void *arg)
{
	const struct api *app = arg;

	note_worker(request, app);
	api_health_reply_ready(
		request,
		&(struct api_health){ .http = app->http, .store = app->store, .disk = app->disk, .meta = app->meta });
}
