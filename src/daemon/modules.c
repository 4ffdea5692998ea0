/* SPDX-License-Identifier: ISC */
/*
 * modules.c: brings the modules up, lower ones first, and takes them down in reverse order; see daemon.h.
 */
#include <config.h>

#include "daemon/daemon.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "admin/admin.h"
#include "api/api.h"
#include "base/algorithms.h"
#include "base/audit.h"
#include "base/bufferevents.h"
#include "base/clock.h"
#include "base/disk.h"
#include "base/lag.h"
#include "base/log.h"
#include "base/shrinking.h"
#include "base/task.h"
#include "billing/billing.h"
#include "callback/callback.h"
#include "consumer/consumer.h"
#include "daemon/catalog_open.h"
#include "daemon/notify.h"
#include "daemon/options_check.h"
#include "daemon/relay.h"
#include "daemon/retention.h"
#include "daemon/store_opening.h"
#include "destination/destination.h"
#include "feed/feed.h"
#include "http/access.h"
#include "http/http.h"
#include "ingest/ingest.h"
#include "ingest/moving.h"
#include "mapping/mapping.h"
#include "meta/meta.h"
#include "metrics/metrics.h"
#include "operator/operator.h"
#include "privacy/closing.h"
#include "query/cursor.h"
#include "reconcile/reconcile.h"
#include "report/report.h"
#include "schedule/schedule.h"
#include "store/store.h"
#include "tls/tls.h"

/* What other front ends put into quarantine is seen after this. */
#define FOLLOW_EVERY_US (CLOCK_US_PER_SECOND / 2)

/* Connections and days each take a descriptor: as many as the system allows. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		log_warn("main", "cannot raise the limit of open files: %s", strerror(errno));
}

/* --- the loop --- */

struct event_base *daemon_make_base(void)
{
	struct event_config *config;
	struct event_base *base;

	bufferevents_install();
	config = event_config_new();
	if (!config)
		return NULL;
	/* Timers to the microsecond: a commit_delay of 2 ms would be one of 3. No threads: no locks. */
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	base = event_base_new_with_config(config);
	event_config_free(config);
	/* The first priority is for measuring the loop; tasks order the work. */
	if (base && event_base_priority_init(base, 2) != 0) {
		event_base_free(base);
		return NULL;
	}
	return base;
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	notify_alive();
}

static int start_watchdog(struct daemon *d, struct error *err)
{
	int64_t every_us = notify_alive_every_us();
	struct timeval every = clock_timeval(every_us);

	if (every_us == 0)
		return 0;
	d->watchdog = event_new(d->base, -1, EV_PERSIST, on_watchdog, d);
	if (!d->watchdog || event_add(d->watchdog, &every) != 0)
		return error_set(err, ERROR_NOMEM, "watchdog: out of memory");
	return 0;
}

static int start_loop(struct daemon *d, struct error *err)
{
	d->base = daemon_make_base();
	if (d->base)
		d->lag = lag_new(d->base);
	if (d->lag)
		d->tasks = tasks_new(d->base, &d->config);
	if (d->tasks)
		d->shrinking = shrinking_new(d->base);
	if (!d->shrinking)
		return error_set(err, ERROR_NOMEM, "event loop: out of memory");
	return daemon_watch_signals(d, err) == 0 ? start_watchdog(d, err) : -1;
}

static int start_logs(struct daemon *d, struct error *err)
{
	d->audit = audit_new(&d->config, err);
	if (!d->audit)
		return -1;
	d->access = http_access_new(d->base, &d->config, err);
	return d->access ? 0 : -1;
}

/* --- the modules --- */

static void on_catalog_lost(void *arg, const char *why)
{
	struct daemon *d = arg;

	d->is_lost = true;
	if (!d->ending)
		daemon_begin_end(d, why);
}

static void on_shutdown_command(void *arg)
{
	daemon_begin_end(arg, "shutdown command");
}

static int start_store(struct daemon *d, struct error *err)
{
	struct opening opening = { .config = &d->config, .base = d->base, .shrinking = d->shrinking };
	struct catalog_open catalog = {
		.config = &d->config,
		.base = d->base,
		.ending = &d->ends_waiting,
		.begin_relay = daemon_begin_relay,
		.on_lost = on_catalog_lost,
		.seen = &d->seen,
		.arg = d,
	};

	if (catalog_open(&d->meta, &catalog, err) != 0)
		return -1;
	if (options_use_postgresql(&d->config) &&
	    meta_follow(d->meta, &(struct meta_following){ .every_us = FOLLOW_EVERY_US }, err) != 0)
		return -1;
	opening.meta = d->meta;
	if (opening_open_store(&d->store, &opening, err) != 0 || meta_hold(d->meta, err) != 0)
		return -1;
	d->disk = disk_new(d->base, &d->config, err);
	return d->disk ? 0 : -1;
}

static int start_ingest(struct daemon *d, struct error *err)
{
	d->ingest = ingest_new(d->tasks, &d->config, d->meta, d->store);
	d->mappings = mappings_new();
	if (!d->ingest || !d->mappings)
		return error_set(err, ERROR_NOMEM, "ingest: out of memory");
	d->moving = moving_new(d->tasks, d->store);
	if (!d->moving)
		return error_set(err, ERROR_NOMEM, "move: out of memory");
	daemon_load_mappings(d);
	ingest_use_mappings(d->ingest, d->mappings);
	ingest_watch_disk(d->ingest, d->disk);
	return 0;
}

static int start_reports(struct daemon *d, struct error *err)
{
	d->callbacks = callbacks_new(d->base, &d->config, d->meta, d->store, err);
	if (!d->callbacks)
		return -1;
	d->destinations = destinations_new(&d->config, d->meta, err);
	if (!d->destinations)
		return -1;
	callbacks_deliver_to(d->callbacks, d->destinations);
	d->reports = reports_new(d->tasks, &d->config, d->meta, d->store, d->callbacks, d->shrinking, err);
	if (!d->reports)
		return -1;
	reports_watch_disk(d->reports, d->disk);
	reports_deliver_to(d->reports, d->destinations);
	d->retention = retention_new(d->base, &d->config, d->store, d->reports);
	if (!d->retention)
		return error_set(err, ERROR_NOMEM, "retention: out of memory");
	return 0;
}

static int start_billing(struct daemon *d, struct error *err)
{
	d->billing = billing_new(d->base, &d->config, d->meta, d->store, d->ingest, err);
	if (!d->billing)
		return -1;
	d->limits = limits_new(d->base, &d->config, d->billing, err);
	if (!d->limits)
		return -1;
	reports_on_end(d->reports, billing_charge_report, d->billing);
	return 0;
}

/* What does its work by itself, now and then. */
static int start_jobs(struct daemon *d, struct error *err)
{
	d->schedules = schedules_new(
		&(struct schedules_context){ d->tasks, &d->config, d->meta, d->reports, d->billing, d->limits });
	if (!d->schedules)
		return error_set(err, ERROR_NOMEM, "schedules: out of memory");
	d->reconciles = reconciles_new(&(struct reconciles_context){ d->tasks, &d->config, d->meta, d->store, d->ingest,
	                                                             d->disk, d->shrinking },
	                               err);
	if (!d->reconciles)
		return -1;
	d->closing = closing_new(&(struct closing_context){ d->tasks, &d->config, d->meta, d->store, d->ingest,
	                                                    d->reports, d->schedules, d->destinations, d->reconciles });
	if (!d->closing)
		return error_set(err, ERROR_NOMEM, "deleted accounts: out of memory");
	return 0;
}

static int start_sources(struct daemon *d, struct error *err)
{
	d->feeds = feeds_new(d->tasks, &d->config, d->meta, d->ingest, err);
	if (!d->feeds)
		return -1;
	d->consumers = consumers_new(d->tasks, &d->config, d->meta, d->ingest, err);
	return d->consumers ? 0 : -1;
}

static int start_http(struct daemon *d, struct error *err)
{
	d->app = (struct api){
		.base = d->base,
		.config = &d->config,
		.audit = d->audit,
		.disk = d->disk,
		.tasks = d->tasks,
		.meta = d->meta,
		.store = d->store,
		.ingest = d->ingest,
		.reports = d->reports,
		.schedules = d->schedules,
		.reconciles = d->reconciles,
		.mappings = d->mappings,
		.destinations = d->destinations,
		.callbacks = d->callbacks,
		.billing = d->billing,
		.limits = d->limits,
	};
	if (cursor_key_load(&d->app.cursor_key, d->config.data_dir, err) != 0 ||
	    meta_check_key(d->meta, d->config.data_dir, "cursor.key", d->app.cursor_key.bytes,
	                   sizeof(d->app.cursor_key.bytes), err) != 0)
		return -1;
	d->http = http_server_new(d->tasks, &d->config, api_routes, &d->app, err);
	if (!d->http)
		return -1;
	d->app.http = d->http;
	if (api_watch_passes(&d->app, err) != 0)
		return -1;
	api_count_unread(&d->app);
	http_server_log_to(d->http, d->access);
	http_server_gather(d->http);
	if (meta_is_shared(d->meta)) {
		http_server_trust_relays(d->http, d->app.cursor_key.bytes);
		if (reports_use_workers(d->reports, d->app.cursor_key.bytes, err) != 0)
			return -1;
	}
	return daemon_listen(d, err);
}

static int start_admin(struct daemon *d, struct error *err)
{
	struct admin_context context = {
		.base = d->base,
		.tasks = d->tasks,
		.config = &d->config,
		.audit = d->audit,
		.meta = d->meta,
		.store = d->store,
		.mappings = d->mappings,
		.feeds = d->feeds,
		.consumers = d->consumers,
		.ingest = d->ingest,
		.http = d->http,
		.callbacks = d->callbacks,
		.reports = d->reports,
		.schedules = d->schedules,
		.reconciles = d->reconciles,
		.destinations = d->destinations,
		.billing = d->billing,
		.closing = d->closing,
		.lag = d->lag,
		.disk = d->disk,
		.shutdown = on_shutdown_command,
		.shutdown_arg = d,
		.started_us = d->started_us,
	};

	d->admin = admin_new(&context, err);
	return d->admin ? 0 : -1;
}

static int start_metrics(struct daemon *d, struct error *err)
{
	struct metrics_sources sources = {
		.http = d->http,
		.tls = d->tls,
		.meta = d->meta,
		.store = d->store,
		.ingest = d->ingest,
		.feeds = d->feeds,
		.consumers = d->consumers,
		.reports = d->reports,
		.schedules = d->schedules,
		.reconciles = d->reconciles,
		.billing = d->billing,
		.limits = d->limits,
		.disk = d->disk,
		.callbacks = d->callbacks,
		.lag = d->lag,
		.access = d->access,
		.audit = d->audit,
		.started_us = d->started_us,
	};

	d->metrics = metrics_new(d->tasks, &d->config, &sources, err);
	return d->metrics ? 0 : -1;
}

static int start_operators(struct daemon *d, struct error *err)
{
	struct operator_context context = {
		.base = d->base,
		.tasks = d->tasks,
		.config = &d->config,
		.tls = d->tls,
		.access = d->access,
		.meta = d->meta,
		.limits = d->limits,
		.admin = d->admin,
	};

	d->operators = operator_listener_new(&context, err);
	return d->operators ? 0 : -1;
}

/* --- all of it --- */

int daemon_start(struct daemon *d, struct error *err)
{
	static int (*const steps[])(struct daemon * d, struct error * err) = {
		start_loop, start_logs,    start_store, start_ingest,  start_reports, start_billing,
		start_jobs, start_sources, start_http,  start_metrics, start_admin,   start_operators,
	};

	d->started_us = clock_now_us();
	raise_descriptor_limit();
	if (algorithms_load(err) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (steps[i](d, err) != 0)
			return -1;
	if (meta_hold(d->meta, err) != 0)
		return -1;
	daemon_audit(d, "daemon start", "cdrd " PACKAGE_VERSION);
	log_info("main", "cdrd " PACKAGE_VERSION " serves what is in %s", d->config.data_dir);
	if (d->reads_again)
		daemon_reload(d);
	notify_ready("Serving");
	return 0;
}

/* Requests and imports give up their batches before ingest commits and is freed. */
void daemon_stop(struct daemon *d)
{
	operator_listener_free(d->operators);
	admin_free(d->admin);
	metrics_free(d->metrics);
	api_unwatch_passes(&d->app);
	http_server_free(d->http);
	relay_free(d->relay);
	tls_free(d->tls);
	api_tickets_free(&d->app);
	closing_free(d->closing);
	reconciles_free(d->reconciles);
	schedules_free(d->schedules);
	retention_free(d->retention);
	reports_free(d->reports);
	callbacks_free(d->callbacks);
	destinations_free(d->destinations);
	limits_free(d->limits);
	billing_free(d->billing);
	consumers_free(d->consumers);
	feeds_free(d->feeds);
	moving_free(d->moving);
	ingest_free(d->ingest);
	mappings_free(d->mappings);
	disk_free(d->disk);
	store_close(d->store);
	meta_close(d->meta);
	shrinking_free(d->shrinking);
	http_access_free(d->access);
	audit_free(d->audit);
	lag_free(d->lag);
	tasks_free(d->tasks);
	if (d->watchdog)
		event_free(d->watchdog);
	daemon_unwatch_signals(d);
	if (d->base)
		event_base_free(d->base);
	libevent_global_shutdown();
}
