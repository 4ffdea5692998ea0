/* SPDX-License-Identifier: ISC */
/*
 * arrival.c: connections from proxies that say first, by the PROXY protocol, whom they stand for. Declared in
 * connection.h.
 *
 * The line comes before anything else, TLS included, and not a byte after it may be taken from the socket here. It is
 * therefore looked at before it is taken.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/connection.h"

struct http_arrival {
	TAILQ_ENTRY(http_arrival) entry;
	const struct http_listener *from;
	evutil_socket_t fd;
	struct event *readable;
	struct ip client;
	bool refused;
	struct http_proxy_line line;
};

/* The socket stays open. */
static void arrival_free(struct http_arrival *arrival)
{
	struct http_server *server = arrival->from->server;

	TAILQ_REMOVE(&server->arrivals, arrival, entry);
	server->arrivals_count--;
	if (arrival->readable)
		event_free(arrival->readable);
	free(arrival);
}

static void give_up(struct http_arrival *arrival, const char *why)
{
	char proxy[IP_TEXT_LEN];

	ip_format(proxy, &arrival->client);
	log_warn("http",
	         "a connection from %s, which is in proxies: %s; with proxy_protocol, they must send a PROXY line",
	         proxy, why);
	evutil_closesocket(arrival->fd);
	arrival_free(arrival);
}

static void pass_on(struct http_arrival *arrival)
{
	const struct http_listener *from = arrival->from;
	evutil_socket_t fd = arrival->fd;
	struct ip client = arrival->client;
	bool refused = arrival->refused;

	arrival_free(arrival);
	http_connection_accept(from, fd, &client, false, refused);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct http_arrival *arrival = arg;
	char peeked[HTTP_PROXY_BYTES_MAX];
	size_t taken = 0;
	ssize_t len;

	if (what & EV_TIMEOUT) {
		give_up(arrival, "it sent nothing in time");
		return;
	}
	len = recv(fd, peeked, sizeof(peeked), MSG_PEEK | MSG_DONTWAIT);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0) {
		evutil_closesocket(fd); /* a proxy that looks whether we are there */
		arrival_free(arrival);
		return;
	}
	enum http_proxy_state state =
		http_proxy_take(&arrival->line, (struct str){ peeked, (size_t)len }, &taken, &arrival->client);

	if (recv(fd, peeked, taken, MSG_DONTWAIT) != (ssize_t)taken || state == HTTP_PROXY_FAULT)
		give_up(arrival, "it began with something else");
	else if (state == HTTP_PROXY_DONE)
		pass_on(arrival);
}

bool http_arrival_begin(const struct http_listener *from, evutil_socket_t fd, const struct ip *proxy, bool refused)
{
	struct http_server *server = from->server;
	struct timeval patience = clock_timeval(server->config->header_timeout);
	struct http_arrival *arrival;

	if (server->arrivals_count >= server->config->connections_max)
		return false;
	arrival = calloc(1, sizeof(*arrival));
	if (!arrival)
		return false;
	arrival->from = from;
	arrival->fd = fd;
	arrival->client = *proxy;
	arrival->refused = refused;
	TAILQ_INSERT_TAIL(&server->arrivals, arrival, entry);
	server->arrivals_count++;
	arrival->readable = event_new(server->base, fd, EV_READ | EV_PERSIST, on_readable, arrival);
	if (arrival->readable && event_add(arrival->readable, &patience) == 0)
		return true;
	arrival_free(arrival);
	return false;
}

void http_arrivals_take(struct http_server *server)
{
	struct http_arrival *arrival = TAILQ_FIRST(&server->arrivals);

	while (arrival) {
		struct http_arrival *next = TAILQ_NEXT(arrival, entry);

		on_readable(arrival->fd, EV_READ, arrival);
		arrival = next;
	}
}

void http_arrivals_end(struct http_server *server)
{
	struct http_arrival *arrival;

	while ((arrival = TAILQ_FIRST(&server->arrivals))) {
		evutil_closesocket(arrival->fd);
		arrival_free(arrival);
	}
}
