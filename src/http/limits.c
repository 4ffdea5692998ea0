/* SPDX-License-Identifier: ISC */
/*
 * limits.c: turning requests away before they cost anything: overload, guessed secrets, too many of an account.
 * Declared in connection.h; what is counted, and how, is billing/'s business.
 *
 * Every answer to a request that counts says how much is left (draft-ietf-httpapi-ratelimit-headers):
 *
 *	RateLimit-Policy: "sync";q=10;w=1
 *	RateLimit: "sync";r=9;t=1
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "http/connection.h"
#include "limits/limits.h"

#define SHED_RETRY_SECONDS "2"
#define DOWNLOAD_RETRY_SECONDS "5"
#define LOGIN_RETRY_SECONDS "10"

static struct limits *limits_of(const struct http_request *request)
{
	return request->connection->server->limits;
}

bool http_limits_admit(struct http_request *request)
{
	static const char *const details[] = {
		[GUARD_MEMORY] = "The server is short of memory; try again later.",
		[GUARD_LAG] = "The server has too much to do; try again later.",
	};
	struct guard *guard = limits_of(request) ? limits_guard(limits_of(request)) : NULL;
	enum guard_cause cause = guard ? guard_cause(guard) : GUARD_NONE;

	if (cause == GUARD_NONE || request->route->auth == HTTP_AUTH_NONE)
		return true;
	guard_count_shed(guard);
	http_reply_header(request, "Retry-After", SHED_RETRY_SECONDS);
	http_reply_problem(request, 503, "Service Unavailable", details[cause]);
	return false;
}

/* --- wrong credentials --- */

/* An answer that is kept back. */
struct late_answer {
	struct http_request *request;
	struct event *timer;
	struct logins_address address;
	struct error err;
};

static struct logins_address address_of(const struct http_request *request)
{
	struct sockaddr_storage peer = { 0 };
	socklen_t len = sizeof(peer);

	(void)getpeername(bufferevent_getfd(request->connection->bev), (struct sockaddr *)&peer, &len);
	return logins_address_of((const struct sockaddr *)&peer);
}

static void late_free(struct late_answer *late)
{
	logins_answered(limits_logins(limits_of(late->request)), &late->address);
	if (late->timer)
		event_free(late->timer);
	free(late);
}

static void on_client_gone(void *arg)
{
	late_free(arg);
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct late_answer *late = arg;
	struct http_request *request = late->request;
	struct error err = late->err;

	(void)fd;
	(void)what;
	late_free(late);
	http_reply_error(request, &err);
}

/* False when it has to be answered at once after all. */
static bool answer_later(struct http_request *request, const struct logins_address *address, int64_t delay_us,
                         const struct error *err)
{
	struct timeval delay = { delay_us / CLOCK_US_PER_SECOND, delay_us % CLOCK_US_PER_SECOND };
	struct late_answer *late = calloc(1, sizeof(*late));

	if (!late) {
		logins_answered(limits_logins(limits_of(request)), address);
		return false;
	}
	late->request = request;
	late->address = *address;
	late->err = *err;
	late->timer = evtimer_new(request->connection->server->base, on_time, late);
	if (!late->timer || evtimer_add(late->timer, &delay) < 0) {
		late_free(late);
		return false;
	}
	http_request_on_close(request, on_client_gone, late);
	request->connection->state = HTTP_STATE_WORK;
	return true;
}

bool http_limits_may_login(struct http_request *request)
{
	struct logins *logins = limits_of(request) ? limits_logins(limits_of(request)) : NULL;
	struct logins_address address;

	if (!logins || request->route->auth == HTTP_AUTH_NONE || !logins_any_waiting(logins))
		return true;
	address = address_of(request);
	if (logins_may_try(logins, &address))
		return true;
	http_reply_header(request, "Retry-After", LOGIN_RETRY_SECONDS);
	http_reply_problem(request, 429, "Too Many Requests", "There were too many wrong credentials from this address.");
	return false;
}

void http_limits_refuse_login(struct http_request *request, const struct error *err)
{
	const struct config *config = request->connection->server->config;
	struct logins_address address;
	int64_t delay_us = 0;

	if (limits_of(request) && config->login_delay_max > 0 && err->code == ERROR_UNAUTHORIZED) {
		address = address_of(request);
		delay_us = logins_failed(limits_logins(limits_of(request)), &address, clock_monotonic_us(),
		                         config->login_delay_max);
	}
	if (delay_us == 0 || !answer_later(request, &address, delay_us, err))
		http_reply_error(request, err);
}

/* --- too many of an account --- */

static void add_rate(struct http_request *request, const struct limits_rate *rate)
{
	char text[96];

	(void)snprintf(text, sizeof(text), "\"%s\";q=%" PRId64 ";w=1", rate->name, rate->quota);
	http_reply_header(request, "RateLimit-Policy", text);
	(void)snprintf(text, sizeof(text), "\"%s\";r=%" PRId64 ";t=%" PRId64, rate->name, rate->left, rate->reset_s);
	http_reply_header(request, "RateLimit", text);
}

static bool take_rate(struct http_request *request)
{
	struct limits_rate rate;
	bool taken = limits_take(limits_of(request), &request->account, request->route->limit, &rate);
	char detail[128];

	if (rate.quota > 0)
		add_rate(request, &rate);
	if (taken)
		return true;
	(void)snprintf(detail, sizeof(detail), "More than %" PRId64 " %s requests a second of account %s.", rate.quota,
	               rate.name, request->account.id);
	http_reply_header(request, "Retry-After", "1");
	http_reply_problem(request, 429, "Too Many Requests", detail);
	return false;
}

static bool may_download(struct http_request *request)
{
	char detail[128];
	int64_t most;

	if (limits_may_download(limits_of(request), &request->account, &most))
		return true;
	(void)snprintf(detail, sizeof(detail), "Account %s has %" PRId64 " downloads in progress, which is all it may have.",
	               request->account.id, most);
	http_reply_header(request, "Retry-After", DOWNLOAD_RETRY_SECONDS);
	http_reply_problem(request, 429, "Too Many Requests", detail);
	return false;
}

bool http_limits_take(struct http_request *request)
{
	if (!limits_of(request) || request->route->limit == LIMIT_NONE)
		return true;
	return request->route->limit == LIMIT_DOWNLOAD ? may_download(request) : take_rate(request);
}

void http_limits_download_begun(const struct http_request *request)
{
	struct http_connection *c = request->connection;

	if (!limits_of(request) || request->route->limit != LIMIT_DOWNLOAD)
		return;
	limits_download_begun(limits_of(request), &request->account);
	memcpy(c->file.account, request->account.id, sizeof(c->file.account));
}

void http_limits_download_ended(struct http_connection *c)
{
	if (c->file.account[0] == '\0')
		return;
	limits_download_ended(c->server->limits, c->file.account);
	c->file.account[0] = '\0';
}
