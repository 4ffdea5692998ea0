/* SPDX-License-Identifier: ISC */
/*
 * relay.c: see relay.h.
 */
#include "daemon/relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/health.h"
#include "api/link.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json.h"
#include "base/key_file.h"
#include "base/log.h"
#include "daemon/taking_in.h"
#include "daemon/notify.h"
#include "forward/forward.h"
#include "limits/bucket.h"
#include "limits/logins.h"
#include "meta/shared_holder.h"
#include "report/worker.h"

#define END_US (5 * CLOCK_US_PER_SECOND)
#define REASON_SIZE 320

/* Wrong credentials cost milliseconds, and the one that holds the catalog slows down who gives them. In a second so many of an
 * address are looked at here, and of all; addresses of one place count as one. */
#define ADDRESSES 256
#define WRONG_OF_ADDRESS 5
#define WRONG_OF_ALL 100

struct relay {
	struct api api; /* of the intake; the first member, as the server's functions get both by one pointer */
	const struct config *config;
	struct tasks *tasks;
	struct audit *audit;
	const struct meta_shared_options *catalog;
	struct intake *intake;                        /* or NULL: all is forwarded */
	int64_t intake_again_us;                      /* monotonic: it is not tried before */
	char no_intake[REASON_SIZE];                  /* why there is none; "" */
	struct bucket wrong[ADDRESSES], wrong_of_all; /* credentials */
	uint64_t seed;                                /* of addresses' places */
	struct http_server *server;
	struct forwarder *forwarder;
	struct shared_holder_watch *watch;
	char holder[SHARED_NAME_MAX]; /* its name; "" */
	char holder_url[SHARED_URL_MAX];
	bool is_free; /* the catalog is */
	bool may_try;
	bool has_ended; /* another server is in its place: nothing is forwarded any more */
	bool has_key;
	uint8_t key[HTTP_RELAY_KEY_BYTES];
	char marks[SHARED_KEYS][SHARED_KEY_MARK_SIZE]; /* of the keys in data_dir, when they were last read; "" */
	char problem[REASON_SIZE];                     /* why it cannot be forwarded to whoever holds the catalog; "" */
	char unfit[REASON_SIZE];                       /* why it could not take the catalog; "" */
};

/* --- records --- */

#define INTAKE_AGAIN_US (10 * CLOCK_US_PER_SECOND)

static void note(char text[REASON_SIZE], int result, const struct error *err);

static void begin_intake(struct relay *relay)
{
	const struct intake_options options = { .tasks = relay->tasks,
		                                .config = relay->config,
		                                .audit = relay->audit,
		                                .catalog = relay->catalog,
		                                .forwarder = relay->forwarder,
		                                .http = relay->server,
		                                .api = &relay->api,
		                                .key = relay->key };
	struct error err;

	if (relay->intake || relay->has_ended || clock_monotonic_us() < relay->intake_again_us)
		return;
	relay->intake_again_us = clock_monotonic_us() + INTAKE_AGAIN_US;
	relay->intake = intake_new(&options, &err);
	note(relay->no_intake, relay->intake ? 0 : -1, &err);
	notify_ready(RELAY_STATUS); /* it was told of a copy meanwhile */
	if (relay->intake)
		log_info("forward", "records are taken in here");
}

static void end_intake(struct relay *relay)
{
	intake_free(relay->intake);
	relay->intake = NULL;
}

void relay_stop_taking_in(struct relay *relay)
{
	end_intake(relay);
	relay->intake_again_us = 0;
}

static struct bucket *wrong_of(struct relay *relay, const struct http_request *request)
{
	struct sockaddr_storage peer;

	http_request_peer(request, &peer);
	const struct logins_address address = logins_address_of((const struct sockaddr *)&peer);
	return &relay->wrong[id_hash64(address.bytes, sizeof(address.bytes), relay->seed) % ADDRESSES];
}

/* Without a look at who sends them. */
static bool takes_in(const struct relay *relay)
{
	struct http_stats stats;
	char why[REASON_SIZE];

	http_server_stats(relay->server, &stats);
	return relay->intake && !stats.draining && !relay->is_free && !relay->problem[0] &&
	       intake_is_fresh(relay->intake, why, sizeof(why)) &&
	       !forwarder_is_cut_off(relay->forwarder, why, sizeof(why));
}

/* Is it for this front end? What is not known here to be right may be known, or is judged, where the catalog is held. */
static bool takes(struct http_request *request, const struct http_route *route, void *app)
{
	struct relay *relay = app;

	if (route->handle != api_cdrs_post)
		return true;
	if (!takes_in(relay) || http_request_header(request, HTTP_RELAYED_FIELD).p)
		return false;
	struct bucket *wrong = wrong_of(relay, request), *wrong_of_all = &relay->wrong_of_all;
	int64_t now_us = clock_monotonic_us();

	bucket_fill(wrong, WRONG_OF_ADDRESS, now_us);
	bucket_fill(wrong_of_all, WRONG_OF_ALL, now_us);
	if (bucket_left(wrong) == 0 || bucket_left(wrong_of_all) == 0)
		return false;
	if (api_is_producers(request, &relay->api))
		return true;
	(void)bucket_take(wrong, WRONG_OF_ADDRESS, now_us);
	(void)bucket_take(wrong_of_all, WRONG_OF_ALL, now_us);
	return false;
}

/* --- who holds the catalog --- */

/* The first of the keys that are shared is what requests are sealed with. */
#define SEALS 0

static int read_key(struct relay *relay, size_t i, struct error *err)
{
	const struct shared_key *row = &shared_keys[i];
	uint8_t key[KEY_FILE_BYTES_MAX];

	if (key_file_load(relay->config->data_dir, row->name, key, row->len, false, err) != 0)
		return err->code != ERROR_NOT_FOUND ?
		               -1 :
		               error_set(err, ERROR_INVALID, "%s/%s is missing: copy it from another front end",
		                         relay->config->data_dir, row->name);
	if (i == SEALS)
		memcpy(relay->key, key, sizeof(relay->key));
	relay->has_key |= i == SEALS;
	if (relay->has_key)
		http_server_trust_relays(relay->server, relay->key);
	return meta_mark_key(relay->marks[i], row->name, key, row->len, err);
}

/* Is it the key that the others have? Those come with the first start of the first front end, maybe after this one's. What is
 * missing, or another one, is read again each time, until it has been copied. */
static int check_key(struct relay *relay, const struct shared_holder *holder, size_t i, struct error *err)
{
	const char *mark = holder->marks[i];

	if (mark[0] ? strcmp(mark, relay->marks[i]) == 0 : i != SEALS || relay->has_key)
		return 0;
	if (read_key(relay, i, err) != 0)
		return -1;
	return !mark[0] || strcmp(mark, relay->marks[i]) == 0 ?
	               0 :
	               meta_refuse_key(relay->config->data_dir, shared_keys[i].name, err);
}

/* The result of what has failed with *err, or has not; what is new of it is logged. */
static void note(char text[REASON_SIZE], int result, const struct error *err)
{
	if (result != 0 && strncmp(text, err->message, REASON_SIZE - 1) != 0)
		log_error("forward", "%s", err->message);
	str_cut(text, REASON_SIZE, result != 0 ? err->message : "");
}

static void check_other_keys(struct relay *relay, const struct shared_holder *holder)
{
	struct error err = { .code = ERROR_NONE };
	int result = 0;

	for (size_t i = 0; i < SHARED_KEYS && result == 0; i++)
		if (i != SEALS)
			result = check_key(relay, holder, i, &err);
	note(relay->unfit, result, &err);
}

static void lead_to(struct relay *relay, const struct shared_holder *holder)
{
	struct error err = { .code = ERROR_NONE };
	int result = check_key(relay, holder, SEALS, &err);

	if (result == 0 && !holder->url[0])
		result = error_set(&err, ERROR_INVALID, "the front end %.128s has no front_end_url", holder->name);
	if (result == 0)
		result = forwarder_lead_to(relay->forwarder, holder->name, holder->url, &err);
	note(relay->problem, result, &err);
	if (relay->intake && strcmp(relay->holder_url, holder->url) != 0)
		report_worker_end_all(
			intake_worker(relay->intake)); /* nobody waits for what the one of before ordered */
	str_copy(relay->holder, sizeof(relay->holder), holder->name);
	str_copy(relay->holder_url, sizeof(relay->holder_url), holder->url);
}

static void lead_nowhere(struct relay *relay)
{
	struct error err;

	MAY_FAIL(forwarder_lead_to(relay->forwarder, "", "", &err) != 0); /* only where there is a name */
}

static void on_told(void *arg, const struct shared_holder *holder)
{
	struct relay *relay = arg;

	if (holder->is_free) { /* who held it may be stopped, or cut off, and not answer any more */
		relay->problem[0] = '\0';
		lead_nowhere(relay);
	}
	check_other_keys(relay, holder);
	relay->is_free = holder->is_free;
	relay->may_try |= holder->is_free;
	if (!holder->is_free)
		lead_to(relay, holder);
	if (relay->intake && intake_is_broken(relay->intake)) {
		end_intake(relay);
		/* Nothing is forwarded while the catalog is copied. */
		relay->intake_again_us = clock_monotonic_us() + INTAKE_AGAIN_US;
	}
	if (!holder->is_free && !relay->problem[0] && !relay->unfit[0])
		begin_intake(relay);
}

bool relay_may_try(struct relay *relay)
{
	bool may_try = relay->may_try;

	relay->may_try = false;
	return may_try;
}

/* --- what it answers --- */

static void on_healthz(struct http_request *request, void *app)
{
	(void)app;
	api_health_reply_alive(request);
}

/* What keeps requests from being forwarded, or it from taking the catalog later; false if nothing does. */
static bool find_reason(const struct relay *relay, char *why, size_t size)
{
	struct http_stats stats;

	http_server_stats(relay->server, &stats);
	if (stats.draining) {
		snprintf(why, size, "the daemon is ending");
		return true;
	}
	if (relay->problem[0] || relay->is_free || !relay->holder[0]) {
		const char *missing = relay->watch ? shared_holder_why(relay->watch) : "";

		str_cut(why, size,
		        relay->problem[0] ? relay->problem :
		        relay->is_free    ? "no front end holds the catalog" :
		        missing[0]        ? missing :
		                            "it is not known yet which front end holds the catalog");
		return true;
	}
	if (forwarder_is_cut_off(relay->forwarder, why, size))
		return true;
	str_cut(why, size, relay->unfit);
	return why[0] != '\0';
}

static void on_readyz(struct http_request *request, void *app)
{
	const struct relay *relay = app;
	char why[REASON_SIZE];
	bool is_ready = !find_reason(relay, why, sizeof(why));
	struct buf body = { 0 };
	struct json j = json_to(&body);

	json_object_begin(&j);
	json_member_bool(&j, "ready", is_ready);
	json_member_str(&j, "role", STR_LITERAL("forwards"));
	json_member_bool(&j, "takes_in", takes_in(relay));
	if (relay->holder[0] && !relay->is_free)
		json_member_str(&j, "holder", str_from(relay->holder));
	json_key(&j, "reasons");
	json_array_begin(&j);
	if (!is_ready)
		json_str(&j, str_from(why));
	json_array_end(&j);
	json_object_end(&j);
	http_reply_header(request, "Cache-Control", "no-store");
	http_reply(request, is_ready ? 200 : 503, "application/json", &body);
}

/* What is said of it to the holder: where it is, and how many files of reports it makes at once. */
static void say(void *arg, struct buf *query)
{
	const struct relay *relay = arg;
	uint64_t room = relay->intake ? report_worker_room(intake_worker(relay->intake)) : 0;

	buf_add_char(query, '?');
	api_link_add(query, STR_LITERAL(API_READY_URL), str_from(relay->config->front_end_url));
	buf_addf(query, "&" API_READY_ROOM "=%llu", (unsigned long long)room);
}

static void on_order(struct http_request *request, void *app)
{
	const struct relay *relay = app;
	struct error err;

	if (relay->intake) {
		report_worker_take(intake_worker(relay->intake), request);
		return;
	}
	error_set(&err, ERROR_UNAVAILABLE, "reports: none are made here now");
	http_reply_error(request, &err);
}

static void on_any(struct http_request *request, void *app)
{
	struct relay *relay = app;
	struct error err;

	if (relay->has_ended || relay->is_free || relay->problem[0] || !relay->has_key) {
		error_set(&err, ERROR_UNAVAILABLE, "forwarding: %s",
		          relay->problem[0] ? relay->problem : "no front end holds the catalog");
		http_reply_error(request, &err);
	} else {
		forwarder_take(relay->forwarder, request);
	}
}

static const struct http_route routes[] = {
	{ .method = HTTP_GET, .path = "/healthz", .handle = on_healthz },
	{ .method = HTTP_GET, .path = "/readyz", .handle = on_readyz },
	{ .method = HTTP_POST,
	  .path = "/v1/cdrs",
	  .body = HTTP_BODY_STREAM,
	  .authenticate = api_auth_producer,
	  .handle = api_cdrs_post },
	{ .method = HTTP_POST,
	  .path = REPORT_ORDER_PATH,
	  .body = HTTP_BODY_STREAM,
	  .authenticate = api_auth_front_end,
	  .handle = on_order },
	{ .path = HTTP_ANY_PATH, .body = HTTP_BODY_RAW, .handle = on_any },
	{ 0 },
};

/* --- its life --- */

struct http_server *relay_server(struct relay *relay)
{
	return relay->server;
}

/* It asks for its turn no more. */
static void end_asking(struct relay *relay)
{
	relay->may_try = false;
	shared_holder_watch_free(relay->watch);
	relay->watch = NULL;
}

void relay_drain(struct relay *relay, int64_t timeout_us, void (*done)(void *arg), void *arg)
{
	end_asking(relay);
	if (relay->intake)
		report_worker_end(intake_worker(relay->intake));
	http_server_drain(relay->server, timeout_us, done, arg);
}

void relay_end(struct relay *relay)
{
	end_asking(relay);
	end_intake(relay);
	relay->has_ended = true;
	lead_nowhere(relay);
	http_server_drain(relay->server, END_US, NULL, NULL);
}

struct relay *relay_new(struct tasks *tasks, const struct config *config, struct audit *audit,
                        const struct meta_shared_options *options, struct error *err)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (!relay) {
		error_set(err, ERROR_NOMEM, "forwarding: out of memory");
		return NULL;
	}
	relay->config = config;
	relay->tasks = tasks;
	relay->audit = audit;
	relay->catalog = options;
	id_random(&relay->seed, sizeof(relay->seed));
	relay->server = http_server_new(tasks, config, routes, relay, err);
	if (relay->server)
		http_server_choose(relay->server, takes);
	if (relay->server)
		relay->forwarder = forwarder_new(&(struct forwarder_options){ .base = options->base,
		                                                              .ca_file = config->front_end_ca_file,
		                                                              .key = relay->key,
		                                                              .say = say,
		                                                              .arg = relay },
		                                 err);
	if (relay->forwarder)
		relay->watch = shared_holder_watch_new(options, on_told, relay, err);
	if (relay->watch)
		return relay;
	relay_free(relay);
	return NULL;
}

void relay_free(struct relay *relay)
{
	if (!relay)
		return;
	shared_holder_watch_free(relay->watch);
	http_server_free(relay->server);
	intake_free(relay->intake);
	forwarder_free(relay->forwarder);
	free(relay);
}
