/* SPDX-License-Identifier: ISC */
/*
 * revoked.c: see revoked.h.
 */
#include "api/revoked.h"

#include <assert.h>

#include "base/clock.h"
#include "base/log.h"
#include "meta/pass_check.h"

/* Timers and the clock differ by little; a pass that is checked too early would be checked again and again. */
#define AFTER_US 1000
#define RETRY_US CLOCK_US_PER_SECOND
#define LOOK_EVERY_US (10 * CLOCK_US_PER_SECOND)

static_assert(sizeof(struct pass) <= HTTP_PASS_ROOM, "a request has room for it");

/* All are checked at that time, unless that happens before; and now and then until it has come, as the clock may be set. */
static void check_at(struct api *app, int64_t time_us)
{
	int64_t left_us = time_us - clock_now_us();
	struct timeval delay = clock_timeval(left_us > LOOK_EVERY_US ? LOOK_EVERY_US :
	                                     left_us > 0             ? left_us + AFTER_US :
	                                                               AFTER_US);

	if (app->passes_due_us && app->passes_due_us <= time_us)
		return;
	if (evtimer_add(app->passes_due, &delay) == 0)
		app->passes_due_us = time_us;
	else
		log_error("http", "cannot add a timer: what a key has opened may outlast it");
}

static bool holds(void *arg, const void *given)
{
	struct api *app = arg;
	const struct pass *pass = given;
	struct error err;

	if (!app->passes_due) /* nobody watches them any more */
		return true;
	int result = pass_holds(app->meta, pass, &err);
	if (result < 0) {
		log_error("http", "are the credentials of %s still valid? %s", pass->name, err.message);
		check_at(app, clock_now_us() + RETRY_US);
	} else if (result > 0 && pass->until_us) {
		check_at(app, pass->until_us);
	}
	return result != 0;
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
	struct api *app = arg;

	(void)fd;
	(void)what;
	app->passes_due_us = 0;
	http_server_check_passes(app->http);
}

static void on_change(void *arg)
{
	const struct api *app = arg;

	http_server_check_passes(app->http);
}

void api_set_pass(struct http_request *request, struct api *app, const struct pass *pass)
{
	http_request_set_pass(request, pass, sizeof(*pass));
	if (pass->until_us)
		check_at(app, pass->until_us);
}

int api_watch_passes(struct api *app, struct error *err)
{
	app->passes_due = evtimer_new(app->base, on_due, app);
	if (!app->passes_due)
		return error_set(err, ERROR_NOMEM, "Out of memory for the HTTP server");
	if (http_server_use_passes(app->http, holds, err) != 0)
		return -1;
	app->passes_watch = (struct accounts_watch){ .on_change = on_change, .arg = app };
	if (accounts_watch(app->meta, &app->passes_watch, err) == 0)
		return 0;
	app->passes_watch.on_change = NULL;
	return -1;
}

void api_unwatch_passes(struct api *app)
{
	accounts_unwatch(&app->passes_watch);
	if (app->passes_due)
		event_free(app->passes_due);
	app->passes_due = NULL;
}
