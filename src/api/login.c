/* SPDX-License-Identifier: ISC */
/*
 * login.c: see login.h.
 */
#include "api/login.h"

#include <stdlib.h>

#include "api/later.h"
#include "base/clock.h"

#define LOGIN_RETRY_SECONDS "10"

/* An answer that is delayed. */
struct late_answer {
	struct http_request *request;
	struct logins *logins;
	struct event *timer;
	struct logins_address address;
	int64_t at_us; /* when it is sent */
	struct error err;
};

static struct logins_address address_of(const struct http_request *request)
{
	struct sockaddr_storage peer;

	http_request_peer(request, &peer);
	return logins_address_of((const struct sockaddr *)&peer);
}

static void late_free(struct late_answer *late)
{
	if (late->timer)
		event_free(late->timer);
	free(late);
}

/* What is right is answered at once, so who hears nothing knows enough, and goes: that must not save the delay. */
static void on_client_gone(void *arg)
{
	struct late_answer *late = arg;

	logins_left(late->logins, &late->address, late->at_us);
	late_free(late);
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct late_answer *late = arg;
	struct http_request *request = late->request;
	struct error err = late->err;

	(void)fd;
	(void)what;
	logins_answered(late->logins, &late->address);
	late_free(late);
	http_reply_error(request, &err);
}

/* False when the request must be answered at once after all. */
static bool answer_later(struct http_request *request, struct event_base *base, struct logins *logins,
                         const struct logins_address *address, int64_t delay_us, const struct error *err)
{
	struct timeval delay = clock_timeval(delay_us);
	struct late_answer *late = calloc(1, sizeof(*late));

	if (!late) {
		logins_answered(logins, address);
		return false;
	}
	late->request = request;
	late->logins = logins;
	late->address = *address;
	late->at_us = clock_monotonic_us() + delay_us;
	late->err = *err;
	late->timer = evtimer_new(base, on_time, late);
	if (!late->timer || evtimer_add(late->timer, &delay) < 0) {
		logins_answered(logins, address);
		late_free(late);
		return false;
	}
	http_request_on_close(request, on_client_gone, late);
	return true;
}

bool login_may_try(struct http_request *request, struct logins *logins)
{
	struct logins_address address;

	if (http_request_is_cross_site(request)) {
		http_reply_problem(
			request, 403, "Forbidden",
			"A page of another site made the browser send this; that is not served with credentials.");
		return false;
	}
	if (!logins_any_waiting(logins))
		return true;
	address = address_of(request);
	if (logins_may_try(logins, &address, clock_monotonic_us()))
		return true;
	api_reply_too_many(request, LOGIN_RETRY_SECONDS, "There were too many wrong credentials from this address.");
	return false;
}

void login_refuse(struct http_request *request, struct event_base *base, const struct config *config,
                  struct logins *logins, const struct error *err)
{
	struct logins_address address;
	int64_t delay_us = 0;

	if (err->code == ERROR_UNAUTHORIZED) {
		address = address_of(request);
		delay_us = logins_failed(logins, &address, clock_monotonic_us(), config->login_delay_max);
	}
	if (delay_us == 0 || !answer_later(request, base, logins, &address, delay_us, err))
		http_reply_error(request, err);
}
