/* SPDX-License-Identifier: ISC */
/*
 * gather.c: the answers of a turn of the loop leave together. Declared in connection.h.
 *
 * A send that wakes a client on the same machine, or a proxy there, costs as much as all else that a look-up of an id
 * does in the kernel; one that follows while the client is about to run costs half. So a small answer that is ready
 * while other sockets wait to be served is kept until they have been, or until something comes that may take long: a
 * step of a task, a commit, a piece of a body. A client that is alone does not wait at all.
 */
#include "base/clock.h"
#include "base/task.h"
#include "http/connection.h"

#define BYTES_MAX 16384 /* of an answer that is kept */
#define KEPT_US 300     /* the first of them, until the next one is ready */

/* Events that have become active and have not been served, besides our own. */
static int waiting_events(const struct http_server *server)
{
	return event_base_get_num_events(server->base, EVENT_BASE_COUNT_ACTIVE) - (server->gathered_count > 0);
}

/* May more answers follow in this turn, and nothing on this connection? */
static bool may_wait(const struct http_connection *c, size_t len)
{
	const struct http_server *server = c->server;

	return server->gathers && c->running && c->keep_alive && !c->end_of_input && !server->draining &&
	       len <= BYTES_MAX && c->content.finished && http_connection_received(c) == 0 &&
	       evbuffer_get_length(bufferevent_get_output(c->bev)) == 0 && waiting_events(server) > 0;
}

bool http_gather(struct http_connection *c, struct str head, struct buf *body)
{
	struct http_server *server = c->server;

	if (server->gathered_count == HTTP_GATHERED_MAX ||
	    (server->gathered_count > 0 && clock_monotonic_us() - server->gathered_us >= KEPT_US))
		http_server_send_gathered(server);
	if (!may_wait(c, head.len + body->len))
		return false;
	struct http_gathered *kept = &server->gathered[server->gathered_count];
	buf_clear(&kept->head);
	buf_add_str(&kept->head, head);
	if (kept->head.failed) {
		buf_free(&kept->head);
		return false;
	}
	kept->connection = c;
	kept->body = *body;
	*body = (struct buf){ 0 };
	c->is_gathered = true;
	if (server->gathered_count++ == 0) {
		server->gathered_us = clock_monotonic_us();
		event_active(server->gathered_event, EV_TIMEOUT, 0);
	}
	return true;
}

void http_server_send_gathered(void *arg)
{
	struct http_server *server = arg;
	struct http_connection *sent[HTTP_GATHERED_MAX];
	int count = server->gathered_count;

	for (int i = 0; i < count; i++) {
		struct http_gathered *kept = &server->gathered[i];
		struct http_connection *c = kept->connection;

		sent[i] = c;
		if (!c)
			continue;
		c->is_gathered = false;
		if (!http_send(c, buf_str(&kept->head), &kept->body))
			http_connection_set_state(c, HTTP_STATE_CLOSED);
	}
	server->gathered_count = 0;
	for (int i = 0; i < count; i++)
		if (sent[i])
			http_connection_run(sent[i]);
}

void http_gather_forget(struct http_connection *c)
{
	struct http_server *server = c->server;

	for (int i = 0; c->is_gathered && i < server->gathered_count; i++) {
		struct http_gathered *kept = &server->gathered[i];

		if (kept->connection != c)
			continue;
		buf_free(&kept->body);
		kept->connection = NULL;
	}
	c->is_gathered = false;
}

static void on_end_of_turn(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	http_server_send_gathered(arg);
}

int http_gather_init(struct http_server *server)
{
	server->gathered_event = evtimer_new(server->base, on_end_of_turn, server);
	return server->gathered_event ? 0 : -1;
}

void http_gather_free(struct http_server *server)
{
	if (server->gathers)
		tasks_before_long_work(server->tasks, NULL, NULL);
	if (server->gathered_event)
		event_free(server->gathered_event);
	for (int i = 0; i < HTTP_GATHERED_MAX; i++)
		buf_free(&server->gathered[i].head);
}

void http_server_gather(struct http_server *server)
{
	server->gathers = true;
	tasks_before_long_work(server->tasks, http_server_send_gathered, server);
}
