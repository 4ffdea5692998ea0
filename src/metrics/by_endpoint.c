/* SPDX-License-Identifier: ISC */
/*
 * by_endpoint.c: samples by endpoint. The label is the route's path ("/v2/reports/{id}"), never a request's, so that
 * clients cannot invent labels; requests without a route are "other". Statuses that were never answered have no sample.
 */
#include "metrics/by_endpoint.h"

#include <stdio.h>

static const char *method_of(const struct http_route *route)
{
	static const char *const names[HTTP_METHODS] = {
		[HTTP_GET] = "GET",
		[HTTP_POST] = "POST",
		[HTTP_DELETE] = "DELETE",
		[HTTP_HEAD] = "HEAD",
	};

	return route ? names[route->method] : "other";
}

static void add_labels(struct buf *labels, const struct http_route *route, const char *method)
{
	buf_clear(labels);
	text_label(labels, "path", route ? route->path : "other");
	text_label(labels, "method", method);
}

/* Answers to HEAD, which the route of GET serves, are labelled as such. */
static void write_statuses(const struct table_row *row, const struct http_route_stats *stats, bool head,
                           struct buf *out)
{
	struct buf labels = { 0 };
	char code[16];

	for (size_t slot = 0; slot < HTTP_STATUS_SLOTS; slot++) {
		if (stats->responses[head][slot] == 0)
			continue;
		snprintf(code, sizeof(code), "%d", http_status_of_slot(slot));
		add_labels(&labels, stats->route, head ? "HEAD" : method_of(stats->route));
		text_label(&labels, "code", code);
		text_uint(out, row->name, buf_str(&labels), stats->responses[head][slot]);
	}
	buf_free(&labels);
}

void by_endpoint_write_requests(const struct table_row *row, const struct snapshot *snapshot, struct buf *out)
{
	for (size_t i = 0; i < snapshot->routes_count; i++) {
		write_statuses(row, &snapshot->routes[i], false, out);
		write_statuses(row, &snapshot->routes[i], true, out);
	}
}

void by_endpoint_write_durations(const struct table_row *row, const struct snapshot *snapshot, struct buf *out)
{
	struct buf labels = { 0 };

	for (size_t i = 0; i < snapshot->routes_count; i++) {
		const struct http_route_stats *stats = &snapshot->routes[i];

		add_labels(&labels, stats->route, method_of(stats->route));
		text_histogram(out, row->name, buf_str(&labels), &stats->duration);
	}
	buf_free(&labels);
}

void by_endpoint_write_bytes(const struct table_row *row, const struct snapshot *snapshot, struct buf *out)
{
	struct buf labels = { 0 };

	for (size_t i = 0; i < snapshot->routes_count; i++) {
		const struct http_route_stats *stats = &snapshot->routes[i];

		add_labels(&labels, stats->route, method_of(stats->route));
		text_uint(out, row->name, buf_str(&labels), stats->bytes);
	}
	buf_free(&labels);
}
