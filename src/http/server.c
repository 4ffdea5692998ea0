/* SPDX-License-Identifier: ISC */
/*
 * server.c: the server's life, its clock and its connections as a whole. Listeners are in listen.c, a single
 * connection in connection.c. Declared in http.h and connection.h.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/clock.h"
#include "base/task.h"
#include "http/connection.h"

/* The clock advances by at most this per tick, however long the loop was blocked. */
#define CLOCK_STEP_MAX (2 * HTTP_TICK_US)
#define ROOM_LOOKS_MAX 64 /* idle connections examined to find one whose client has sent nothing */

/* --- the clock --- */

static void update_date(struct http_server *server)
{
	time_t now = (time_t)(clock_now_us() / CLOCK_US_PER_SECOND);
	struct tm utc;

	strftime(server->date, sizeof(server->date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &utc));
}

static void schedule_tick(struct http_server *server)
{
	static const struct timeval period = { 0, HTTP_TICK_US };

	server->tick_at_us = clock_monotonic_us();
	update_date(server);
	evtimer_add(server->tick, &period);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *server = arg;
	int64_t elapsed = clock_monotonic_us() - server->tick_at_us;
	struct http_connection *c = TAILQ_FIRST(&server->connections);

	(void)fd;
	(void)what;
	server->clock_us += elapsed < CLOCK_STEP_MAX ? elapsed : CLOCK_STEP_MAX;
	while (c) {
		struct http_connection *next = TAILQ_NEXT(c, entry);

		http_connection_check_timeout(c);
		c = next;
	}
	if (server->stats.connections > 0)
		schedule_tick(server);
}

/* --- connections --- */

void http_server_add(struct http_server *server, struct http_connection *connection)
{
	TAILQ_INSERT_TAIL(&server->connections, connection, entry);
	if (server->stats.connections++ == 0)
		schedule_tick(server);
}

void http_server_remove(struct http_server *server, struct http_connection *connection)
{
	static const struct timeval now = { 0, 0 };

	http_server_set_idle(server, connection, false);
	TAILQ_REMOVE(&server->connections, connection, entry);
	if (--server->stats.connections == 0 && server->draining)
		evtimer_add(server->drained, &now);
}

void http_server_set_idle(struct http_server *server, struct http_connection *connection, bool idle)
{
	if (connection->is_idle)
		TAILQ_REMOVE(&server->idle, connection, idle_entry);
	if (idle)
		TAILQ_INSERT_TAIL(&server->idle, connection, idle_entry);
	connection->is_idle = idle;
}

/* Has the client sent something that was not read yet? In a burst, connections just accepted have. */
static bool has_sent(const struct http_connection *connection)
{
	int bytes = 0;

	return http_connection_received(connection) > 0 ||
	       (ioctl(bufferevent_getfd(connection->bev), FIONREAD, &bytes) == 0 && bytes > 0);
}

bool http_server_make_room(struct http_server *server)
{
	struct http_connection *connection = TAILQ_FIRST(&server->idle);

	for (int looks = 1; connection && has_sent(connection); looks++)
		connection = looks < ROOM_LOOKS_MAX ? TAILQ_NEXT(connection, idle_entry) : NULL;
	if (!connection)
		return false;
	http_connection_close(connection);
	http_connection_run(connection);
	return true;
}

void http_server_choose(struct http_server *server,
                        bool (*takes)(struct http_request *request, const struct http_route *route, void *app))
{
	server->takes = takes;
}

void http_server_log_to(struct http_server *server, struct http_access *access)
{
	server->access = access;
}

/* --- its end --- */

static void on_drained(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *server = arg;
	void (*done)(void *arg) = server->done;

	(void)fd;
	(void)what;
	server->done = NULL; /* connections that the timeout cut off end later */
	if (done)
		done(server->done_arg);
}

/* Is it between requests? One that has had none yet was made to send one, which is on its way. */
static bool is_at_rest(const struct http_connection *c)
{
	return c->keep_alive && !has_sent(c);
}

void http_server_drain(struct http_server *server, int64_t timeout_us, void (*done)(void *arg), void *arg)
{
	struct timeval timeout = clock_timeval(timeout_us);

	http_arrivals_take(server);
	http_listen_stop(server);
	struct http_connection *c = TAILQ_FIRST(&server->connections);
	server->draining = true;
	server->done = done;
	server->done_arg = arg;
	if (evtimer_add(server->drained, &timeout) != 0 || !c)
		event_active(server->drained, EV_TIMEOUT, 0);
	while (c) {
		struct http_connection *next = TAILQ_NEXT(c, entry);

		if (c->state == HTTP_STATE_HEAD && !c->begun) {
			c->since_us = server->clock_us;
			if (is_at_rest(c)) {
				http_connection_close(c);
				http_connection_run(c);
			}
		}
		c = next;
	}
}

void http_server_free(struct http_server *server)
{
	struct http_connection *c;

	if (!server)
		return;
	server->draining = false;
	http_listen_stop(server);
	while ((c = TAILQ_FIRST(&server->connections))) {
		http_connection_close(c);
		http_connection_run(c);
	}
	http_request_free_all(server);
	if (server->tick)
		event_free(server->tick);
	if (server->drained)
		event_free(server->drained);
	if (server->pass_check)
		event_free(server->pass_check);
	http_gather_free(server);
	if (server->slices)
		event_free(server->slices);
	http_stats_free(server);
	http_packed_free(server);
	buf_free(&server->head);
	free(server->scratch);
	free(server->record);
	free(server);
}

struct http_server *http_server_new(struct tasks *tasks, const struct config *config, const struct http_route *routes,
                                    void *app, struct error *err)
{
	struct event_base *base = tasks_base(tasks);
	struct http_server *server = calloc(1, sizeof(*server));

	if (!server)
		goto nomem;
	TAILQ_INIT(&server->connections);
	TAILQ_INIT(&server->idle);
	TAILQ_INIT(&server->bodies);
	TAILQ_INIT(&server->arrivals);
	server->base = base;
	server->tasks = tasks;
	server->config = config;
	server->routes = routes;
	server->app = app;
	if (http_stats_init(server, err) < 0)
		goto nomem;
	server->scratch = malloc(HTTP_PIECE_MAX);
	server->tick = evtimer_new(base, on_tick, server);
	server->drained = evtimer_new(base, on_drained, server);
	server->slices = evtimer_new(base, http_intake_on_slices, server);
	if (!server->scratch || !server->tick || !server->drained || !server->slices || http_gather_init(server) != 0)
		goto nomem;
	/* libevent writes to sockets whose other end may be gone; the return value tells as well. */
	signal(SIGPIPE, SIG_IGN);
	return server;
nomem:
	http_server_free(server);
	error_set(err, ERROR_NOMEM, "Out of memory for the HTTP server");
	return NULL;
}
