/* SPDX-License-Identifier: ISC */
/*
 * command_status.c: `status`, which shows what the daemon does, a section per module. Records of days are counted in slices.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/day_walk.h"
#include "admin/status_parts.h"
#include "base/clock.h"
#include "store/clock_watch.h"
#include "store/health.h"
#include "meta/quarantine.h"

static void begin_section(struct json *j, const char *key)
{
	json_key(j, key);
	json_object_begin(j);
}

/* Of the process, in bytes; 0 without /proc. */
static uint64_t resident_bytes(void)
{
	unsigned long long total, resident = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file)
		return 0;
	if (fscanf(file, "%llu %llu", &total, &resident) != 2)
		resident = 0;
	fclose(file);
	return resident * (unsigned long long)sysconf(_SC_PAGESIZE);
}

static uint64_t cpu_ms(void)
{
	struct rusage usage = { 0 };

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

void status_write_process(struct json *j, const struct admin_context *context)
{
	json_member_text(j, "version", PACKAGE_VERSION);
	json_member_uint(j, "pid", (uint64_t)getpid());
	admin_member_time(j, "started", context->started_us);
	json_member_uint(j, "uptime_seconds", (uint64_t)((clock_now_us() - context->started_us) / CLOCK_US_PER_SECOND));
	json_member_uint(j, "cpu_ms", cpu_ms());
	json_member_uint(j, "memory_bytes", resident_bytes());
	json_member_text(j, "data_dir", context->config->data_dir);
}

/* Writes nothing if all is well. */
void status_write_health(struct json *j, const struct admin_context *context)
{
	struct store_health health;

	store_health(context->store, &health);
	if (health.catalog_broken)
		json_member_text(j, "catalog", "does not work since a write failed");
	if (health.days_broken)
		json_member_uint(j, "days_broken", health.days_broken);
	if (health.commits_failed) {
		json_member_uint(j, "commits_failed", health.commits_failed);
		json_member_text(j, "last_failure", health.failure.message);
	}
	if (health.reopened)
		json_member_uint(j, "opened_anew", health.reopened);
}

struct status {
	const struct admin_context *context;
	struct admin_reply *reply;
	bool all;
	struct day_walk walk;
	uint64_t days, days_open, records, bytes; /* so far */
};

/* Without --all, only records of days that happen to be open are counted; the key's name says so. */
static void write_store(struct json *j, const struct status *status)
{
	begin_section(j, "store");
	json_member_uint(j, "days", status->days);
	json_member_uint(j, "days_open", status->days_open);
	json_member_uint(j, status->all ? "records" : "records_of_open_days", status->records);
	json_member_uint(j, "disk_bytes", status->bytes);
	status_write_health(j, status->context);
	json_object_end(j);
}

/* The clock that retention and expiry use: store/clock_watch.h. */
static void write_clock(struct json *j, const struct admin_context *context)
{
	struct clock_watch watch;

	store_clock_watch(context->store, &watch);
	begin_section(j, "clock");
	admin_member_time(j, "time", clock_now_us());
	admin_member_time(j, "last_seen", watch.seen_us);
	json_member_bool(j, "deletion_held", watch.held);
	json_object_end(j);
}

static void write_ingest(struct json *j, const struct admin_context *context)
{
	struct ingest_stats stats;

	ingest_stats(context->ingest, &stats);
	begin_section(j, "ingest");
	ingest_summary_write(&stats.total, j);
	json_member_uint(j, "commits", stats.commits);
	json_member_uint(j, "longest_commit_us", (uint64_t)stats.commit_duration.max_us);
	json_object_end(j);
}

/* If the catalog cannot be read, the other sections must still be shown. */
void status_write_quarantine(struct json *j, const struct admin_context *context)
{
	struct quarantine_stats stats;
	struct ingest_stats ingested;
	struct error err;
	int64_t age_us = quarantine_age_us(context->meta, clock_now_us());
	bool known = quarantine_stats(context->meta, &stats, &err) == 0;

	ingest_stats(context->ingest, &ingested);
	begin_section(j, "quarantine");
	if (known) {
		json_member_uint(j, "records", stats.entries);
		json_member_uint(j, "disk_bytes", stats.bytes);
		json_member_uint(j, "oldest_age_seconds", (uint64_t)(age_us / CLOCK_US_PER_SECOND));
	} else {
		json_member_text(j, "error", err.message);
	}
	json_member_uint(j, "expired", ingested.quarantine_expired);
	json_member_uint(j, "pushed_out", ingested.quarantine_pushed_out);
	json_member_uint(j, "not_kept", ingested.quarantine_unkept);
	json_object_end(j);
}

void status_write_callbacks(struct json *j, const struct admin_context *context)
{
	struct callbacks_stats stats;

	callbacks_get_stats(context->callbacks, &stats);
	begin_section(j, "callbacks");
	json_member_text(j, "held", callback_hold_reason(callbacks_held(context->callbacks)));
	json_member_uint(j, "waiting", stats.waiting);
	json_member_uint(j, "sending", stats.sending);
	json_member_uint(j, "failed", stats.failed);
	json_object_end(j);
}

static void write_http(struct json *j, const struct admin_context *context)
{
	struct http_stats stats;
	char key[] = "status_0xx";

	http_server_stats(context->http, &stats);
	begin_section(j, "http");
	json_member_uint(j, "port", (uint64_t)http_server_port(context->http));
	json_member_uint(j, "connections", stats.connections);
	json_member_uint(j, "requests", stats.requests);
	for (int i = 1; i <= 5; i++) {
		key[sizeof("status_") - 1] = (char)('0' + i);
		json_member_uint(j, key, stats.responses_by_class[i]);
	}
	json_object_end(j);
}

/* How late the loop came to its timers: how long a request may have had to wait. */
void status_write_lag(struct json *j, const struct lag *lag)
{
	const struct histogram *all = lag_histogram(lag);

	json_member_uint(j, "lag_median_us", (uint64_t)histogram_quantile_us(all, 500));
	json_member_uint(j, "lag_99th_us", (uint64_t)histogram_quantile_us(all, 990));
	json_member_uint(j, "lag_99_9th_us", (uint64_t)histogram_quantile_us(all, 999));
	json_member_uint(j, "lag_longest_us", (uint64_t)all->max_us);
	json_member_uint(j, "lag_longest_lately_us", (uint64_t)lag_recent_max_us(lag));
}

static void write_loop(struct json *j, const struct admin_context *context)
{
	begin_section(j, "loop");
	json_member_text(j, "method", event_base_get_method(context->base));
	json_member_uint(j, "events", (uint64_t)event_base_get_num_events(context->base, EVENT_BASE_COUNT_ADDED));
	status_write_lag(j, context->lag);
	json_object_end(j);
}

static void write_status(struct json *j, const struct status *status)
{
	const struct admin_context *context = status->context;

	json_object_begin(j);
	status_write_process(j, context);
	write_store(j, status);
	write_clock(j, context);
	write_ingest(j, context);
	status_write_quarantine(j, context);
	status_write_callbacks(j, context);
	write_http(j, context);
	write_loop(j, context);
	json_object_end(j);
}

static void add_day(void *arg, const struct store_day_stats *stats)
{
	struct status *status = arg;

	status->days++;
	status->days_open += store_day_is_open(status->walk.store, stats->day);
	status->records += day_stats_records(stats);
	status->bytes += stats->bytes;
}

/* A day that cannot be read must not hide the rest, unless all are asked for. */
static void go_on(void *arg, int64_t deadline_us)
{
	struct status *status = arg;
	struct error err;
	int result = day_walk_step(&status->walk, deadline_us, add_day, status, &err);

	if (result == 0) {
		admin_reply_later(status->reply, go_on, status);
		return;
	}
	if (result < 0) {
		admin_reply_error(status->reply, &err);
	} else {
		write_status(admin_reply_result(status->reply), status);
		admin_reply_send(status->reply);
	}
	free(status);
}

void admin_status(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct status *status = calloc(1, sizeof(*status));
	struct error err;

	if (!status) {
		error_set(&err, ERROR_NOMEM, "status: out of memory");
		admin_reply_error(reply, &err);
		return;
	}
	*status = (struct status){ .context = context,
		                   .reply = reply,
		                   .all = args_count(args, "all") > 0,
		                   .walk = { .store = context->store, .next = INT32_MIN, .last = INT32_MAX },
		                   .bytes = store_catalog_bytes(context->store) };
	status->walk.only_open = !status->all;
	admin_reply_on_close(reply, free, status);
	admin_reply_later(reply, go_on, status);
}
