/* SPDX-License-Identifier: ISC */
/*
 * stats.c: counts the outcome of each request by route and status. Declared in connection.h; http.h has the reading
 * side.
 *
 * This runs for every answer: two clock readings a request, a few additions, and a line if the access log is on.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/access.h"
#include "http/connection.h"

int http_stats_init(struct http_server *server, struct error *err)
{
	size_t count = 0;

	while (server->routes[count].path)
		count++;
	server->routes_count = count;
	/* one more, for those that no route takes */
	server->route_stats = calloc(count + 1, sizeof(*server->route_stats));
	if (!server->route_stats)
		return error_set(err, ERROR_NOMEM, "Out of memory for the HTTP server");
	for (size_t i = 0; i < count; i++)
		server->route_stats[i].route = &server->routes[i];
	return 0;
}

void http_stats_free(struct http_server *server)
{
	free(server->route_stats);
}

static void log_answer(const struct http_request *request, int status, uint64_t length)
{
	struct buf target = { 0 };

	http_access_add_target(&target, request);
	log_debug("http", "%.*s %.*s: %d, %" PRIu64 " bytes", STR_ARGS(request->head.method),
	          STR_ARGS(buf_str(&target)), status, length);
	buf_free(&target);
}

void http_stats_count(const struct http_request *request, int status, uint64_t length)
{
	struct http_server *server = request->connection->server;
	size_t index = request->route ? (size_t)(request->route - server->routes) : server->routes_count;
	struct http_route_stats *stats = &server->route_stats[index];
	int64_t took_us = clock_monotonic_us() - request->begin_us;
	bool is_head = str_is(request->head.method, "HEAD");

	server->stats.responses_by_class[status / 100 % 6]++;
	stats->responses[is_head][http_status_slot(status)]++;
	if (status != HTTP_STATUS_GONE) {
		stats->bytes += is_head ? 0 : length;
		histogram_add(&stats->duration, took_us);
	}
	if (server->access)
		http_access_write(server->access, request, status, is_head ? 0 : length, took_us);
	if (log_level() >= LOG_LEVEL_DEBUG)
		log_answer(request, status, length);
}

const struct http_route_stats *http_server_route_stats(const struct http_server *server, size_t *count)
{
	*count = server->routes_count + 1;
	return server->route_stats;
}

void http_server_stats(const struct http_server *server, struct http_stats *stats)
{
	*stats = server->stats;
	stats->listening = server->listeners_count > 0;
	stats->accepting = stats->listening && !event_pending(server->accept_retry, EV_TIMEOUT, NULL);
	stats->draining = server->draining;
}
