/* SPDX-License-Identifier: ISC */
/*
 * passes.c: ends what was opened by users who may no longer: requests in progress, bodies that arrive, answers that are
 * being sent. Declared in http.h and connection.h.
 *
 * A check is a round through all connections. It is made a part at a time, each in a turn of the loop of its own, as
 * there may be thousands and the application may have to read for each; `pass_round` of a connection says which round
 * has been there. Connections that begin meanwhile have been let in by the state of now, and are in no hurry.
 */
#include <string.h>

#include "base/invariant.h"
#include "base/log.h"
#include "http/connection.h"

#define CHECKED_PER_TURN 256

void http_request_set_pass(struct http_request *request, const void *pass, size_t size)
{
	struct http_connection *c = request->connection;

	INVARIANT(size <= HTTP_PASS_ROOM);
	memcpy(c->pass, pass, size);
	c->has_pass = true;
}

const void *http_request_pass(const struct http_request *request)
{
	return request->connection->has_pass ? request->connection->pass : NULL;
}

/* --- the end of one --- */

/* A request whose body has arrived whole is about to be committed: what it brought was sent in time. */
static bool ends_by_itself(const struct http_request *request)
{
	return !request->on_close || http_body_is_streamed(request);
}

/* 1 if it was ended. */
static unsigned end(struct http_connection *c)
{
	struct http_request *request = c->request;
	struct http_fault fault;

	http_fault_set(&fault, 401, "The credentials have been revoked, or their time is up.");
	if (c->state == HTTP_STATE_BODY && request) {
		http_intake_fail(c, &fault);
	} else if (c->state == HTTP_STATE_WORK && request && !ends_by_itself(request)) {
		void (*on_close)(void *arg) = request->on_close;

		request->on_close = NULL;
		on_close(request->on_close_arg);
		http_connection_fail(c, &fault);
	} else if (c->state == HTTP_STATE_WRITE && !c->is_gathered &&
	           (c->file.is_open || evbuffer_get_length(bufferevent_get_output(c->bev)) > 0)) {
		http_connection_close(c);
	} else {
		return 0;
	}
	http_connection_run(c);
	return 1;
}

/* --- a round --- */

static void run_soon(struct http_server *server)
{
	static const struct timeval now = { 0, 0 };

	if (evtimer_add(server->pass_check, &now) < 0)
		log_error("http", "cannot add a timer: what revoked credentials have opened ends late");
}

static void on_check(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *server = arg;
	struct http_connection *c = TAILQ_FIRST(&server->connections);
	unsigned checked = 0, ended = 0;

	(void)fd;
	(void)what;
	while (c && checked < CHECKED_PER_TURN) {
		struct http_connection *next = TAILQ_NEXT(c, entry);

		if (c->has_pass && c->pass_round != server->pass_round) {
			c->pass_round = server->pass_round;
			checked++;
			if (!server->holds(server->app, c->pass))
				ended += end(c);
		}
		c = next;
	}
	if (ended > 0)
		log_info("http", "%u requests and answers ended, as their users' credentials have", ended);
	if (c)
		run_soon(server);
}

void http_server_check_passes(struct http_server *server)
{
	server->pass_round++;
	run_soon(server);
}

int http_server_use_passes(struct http_server *server, bool (*holds)(void *app, const void *pass), struct error *err)
{
	if (!server->pass_check)
		server->pass_check = evtimer_new(server->base, on_check, server);
	if (!server->pass_check)
		return error_set(err, ERROR_NOMEM, "Out of memory for the HTTP server");
	server->holds = holds;
	return 0;
}
