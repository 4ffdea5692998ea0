/* SPDX-License-Identifier: ISC */
/*
 * rates.c: a ring of samples of counters. See rates.h.
 */
#include "admin/rates.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"

struct counters {
	uint64_t requests;
	uint64_t pages, ids, changes, summaries;
	uint64_t records, rejected, bytes;
	uint64_t sealed_rows, report_rows;
	uint64_t charges;
};

static const struct {
	const char *name;
	size_t offset;
} rows[] = {
	{ "requests", offsetof(struct counters, requests) },
	{ "pages", offsetof(struct counters, pages) },
	{ "ids", offsetof(struct counters, ids) },
	{ "changes", offsetof(struct counters, changes) },
	{ "summaries", offsetof(struct counters, summaries) },
	{ "records", offsetof(struct counters, records) },
	{ "rejected", offsetof(struct counters, rejected) },
	{ "ingest_bytes", offsetof(struct counters, bytes) },
	{ "sealed_rows", offsetof(struct counters, sealed_rows) },
	{ "report_rows", offsetof(struct counters, report_rows) },
	{ "charges", offsetof(struct counters, charges) },
};

struct sample {
	int64_t time_us; /* monotonic */
	struct counters counters;
};

#define SAMPLES (RATES_SECONDS + 1)

struct rates {
	const struct admin_context *context;
	struct event *timer;
	struct sample samples[SAMPLES];
	size_t count; /* since the start; the last SAMPLES of them are kept */
};

static void take(const struct admin_context *context, struct counters *now)
{
	struct http_stats http;
	struct ingest_stats ingest;
	struct reports_stats reports;
	struct billing_stats billing;

	http_server_stats(context->http, &http);
	ingest_stats(context->ingest, &ingest);
	reports_stats(context->reports, &reports);
	billing_stats(context->billing, &billing);
	*now = (struct counters){
		.requests = http.requests,
		.pages = tasks_begun(context->tasks, TASK_PAGES),
		.ids = tasks_begun(context->tasks, TASK_IDS),
		.changes = tasks_begun(context->tasks, TASK_CHANGES),
		.summaries = tasks_begun(context->tasks, TASK_SUMMARIES),
		.records = ingest.total.accepted + ingest.total.updated,
		.rejected = ingest.total.rejected,
		.bytes = ingest.bytes,
		.sealed_rows = store_sealing(context->store)->rows,
		.report_rows = reports.rows,
		.charges = billing.requests,
	};
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct rates *rates = arg;
	struct sample *sample = &rates->samples[rates->count++ % SAMPLES];

	(void)fd;
	(void)what;
	sample->time_us = clock_monotonic_us();
	take(rates->context, &sample->counters);
}

struct rates *rates_new(const struct admin_context *context)
{
	static const struct timeval period = { 1, 0 };
	struct rates *rates = calloc(1, sizeof(*rates));

	if (!rates)
		return NULL;
	rates->context = context;
	rates->timer = event_new(context->base, -1, EV_PERSIST, on_timer, rates);
	if (!rates->timer || event_add(rates->timer, &period) < 0) {
		rates_free(rates);
		return NULL;
	}
	on_timer(-1, 0, rates);
	return rates;
}

void rates_free(struct rates *rates)
{
	if (!rates)
		return;
	if (rates->timer)
		event_free(rates->timer);
	free(rates);
}

static uint64_t counter(const struct sample *sample, size_t row)
{
	return *(const uint64_t *)((const char *)&sample->counters + rows[row].offset);
}

static void write_rate(struct json *j, const char *name, double rate)
{
	struct buf text = { 0 };

	buf_addf(&text, "%.1f", rate);
	json_key(j, name);
	json_raw(j, buf_str(&text));
	buf_free(&text);
}

void rates_write(const struct rates *rates, struct json *j)
{
	const struct sample *last = &rates->samples[(rates->count - 1) % SAMPLES];
	const struct sample *first = &rates->samples[rates->count > SAMPLES ? rates->count % SAMPLES : 0];
	double seconds = (double)(last->time_us - first->time_us) / CLOCK_US_PER_SECOND;

	json_object_begin(j);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		write_rate(j, rows[i].name, seconds > 0 ? (double)(counter(last, i) - counter(first, i)) / seconds : 0);
	write_rate(j, "over_seconds", seconds);
	json_object_end(j);
}
