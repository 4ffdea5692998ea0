/* SPDX-License-Identifier: ISC */
/*
 * metrics.c: the metrics listener, and the walk over their table. See metrics.h.
 */
#include "metrics/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "api/health.h"
#include "api/routes.h"
#include "metrics/table.h"

#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct metrics {
	struct metrics_sources sources;
	const struct config *config;
	struct http_server *server; /* NULL: nobody listens */
};

/* --- the text --- */

static void write_all(const struct metrics_sources *sources, struct buf *out)
{
	struct snapshot snapshot;
	const char *name = "";

	snapshot_take(&snapshot, sources);
	for (size_t i = 0; i < table_rows_count; i++) {
		const struct table_row *row = &table_rows[i];

		if (strcmp(row->name, name) != 0)
			text_begin(out, row->type, row->name, row->help);
		name = row->name;
		if (row->write)
			row->write(row, &snapshot, out);
		else
			table_write_sample(row, &snapshot, str_from(row->labels), out);
	}
}

/* --- the listener --- */

/* A browser on this machine reaches loopback addresses, which nobody else does; it may have been tricked into asking. */
static bool is_misled(const struct http_request *request, const struct metrics *metrics)
{
	return http_request_is_on_loopback(request) &&
	       !http_request_host_is_own(request, metrics->config->metrics_hosts);
}

static void on_metrics(struct http_request *request, void *app)
{
	const struct metrics *metrics = app;
	struct buf body = { 0 };

	if (is_misled(request, metrics)) {
		http_reply_problem(request, 421, "Misdirected Request",
		                   "The Host is neither an address nor localhost nor one of metrics_hosts.");
		return;
	}
	write_all(&metrics->sources, &body);
	http_reply_header(request, "Cache-Control", "no-store");
	http_reply(request, 200, CONTENT_TYPE, &body);
}

static void on_healthz(struct http_request *request, void *app)
{
	(void)app;
	api_health_reply_alive(request);
}

static void on_readyz(struct http_request *request, void *app)
{
	const struct metrics_sources *sources = &((const struct metrics *)app)->sources;
	struct api_health health = {
		.http = sources->http, .store = sources->store, .disk = sources->disk, .meta = sources->meta
	};

	api_health_reply_ready(request, &health);
}

static const struct http_route routes[] = {
	{ .method = HTTP_GET, .path = "/metrics", .handle = on_metrics },
	{ .method = HTTP_GET, .path = "/problems", .handle = api_problems_get },
	{ .method = HTTP_GET, .path = "/problems/{name}", .handle = api_problem_get },
	{ .method = HTTP_GET, .path = "/healthz", .handle = on_healthz },
	{ .method = HTTP_GET, .path = "/readyz", .handle = on_readyz },
	{ 0 },
};

struct metrics *metrics_new(struct tasks *tasks, const struct config *config, const struct metrics_sources *sources,
                            struct error *err)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics) {
		error_set(err, ERROR_NOMEM, "metrics: out of memory");
		return NULL;
	}
	metrics->sources = *sources;
	metrics->config = config;
	if (!config->metrics_listen[0] && !config->metrics_listen_tls[0])
		return metrics;
	metrics->server = http_server_new(tasks, config, routes, metrics, err);
	if (metrics->server &&
	    http_server_listen(metrics->server, NULL, "metrics_listen", config->metrics_listen, err) == 0 &&
	    http_server_listen(metrics->server, sources->tls, "metrics_listen_tls", config->metrics_listen_tls, err) ==
	            0)
		return metrics;
	metrics_free(metrics);
	return NULL;
}

void metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	http_server_free(metrics->server);
	free(metrics);
}
