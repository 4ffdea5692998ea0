/* SPDX-License-Identifier: ISC */
/*
 * main.c: what cdrd is made of.
 *
 * Reads the configuration, brings the modules up, lower ones first, runs the loop until a signal or `cdrctl shutdown`
 * ends it, and takes the modules down in reverse order. Everything runs on one thread.
 */
#include <config.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "admin/admin.h"
#include "base/algorithms.h"
#include "base/audit.h"
#include "base/clock.h"
#include "base/disk.h"
#include "base/lag.h"
#include "base/shrinking.h"
#include "base/task.h"
#include "base/log.h"
#include "base/zone.h"
#include "callback/callback.h"
#include "consumer/consumer.h"
#include "destination/destination.h"
#include "daemon/catalog_open.h"
#include "daemon/inherited.h"
#include "daemon/notify.h"
#include "daemon/options.h"
#include "daemon/options_check.h"
#include "daemon/relay.h"
#include "daemon/retention.h"
#include "daemon/store_opening.h"
#include "feed/feed.h"
#include "http/access.h"
#include "http/http.h"
#include "api/api.h"
#include "ingest/ingest.h"
#include "ingest/moving.h"
#include "mapping/mapping.h"
#include "privacy/closing.h"
#include "billing/billing.h"
#include "metrics/metrics.h"
#include "query/cursor.h"
#include "reconcile/reconcile.h"
#include "report/report.h"
#include "schedule/schedule.h"
#include "meta/meta.h"
#include "operator/operator.h"
#include "store/store.h"
#include "tls/tls.h"

#define EXIT_USAGE 2

/* How long requests in progress may continue after SIGTERM. */
#define DRAIN_US (5 * CLOCK_US_PER_SECOND)

/* What other front ends put into quarantine is seen after this. */
#define FOLLOW_EVERY_US (CLOCK_US_PER_SECOND / 2)

#define SIGNALS_MAX 3
#define MAPPED_FROM_BYTES (1 << 20) /* of one allocation, which is a map of its own */
#define HEAP_SPARE_BYTES (4 << 20)  /* at the heap's end, kept for the next allocations */

struct daemon {
	struct options options;
	struct config config;
	struct event_base *base;
	struct event *signals[SIGNALS_MAX];
	struct event *watchdog;
	struct lag *lag;
	struct tasks *tasks;
	struct shrinking *shrinking; /* files that are being removed */
	struct audit *audit;
	struct http_access *access;
	struct meta *meta;
	struct store *store;
	struct disk *disk;
	struct retention *retention;
	struct mappings *mappings;
	struct ingest *ingest;
	struct moving *moving;
	struct feeds *feeds;
	struct consumers *consumers;
	struct callbacks *callbacks;
	struct destinations *destinations;
	struct reports *reports;
	struct billing *billing;
	struct limits *limits;
	struct schedules *schedules;
	struct reconciles *reconciles;
	struct closing *closing;
	struct api app;
	struct inherited inherited;
	struct tls *tls; /* NULL: no listener has it */
	struct shared_seen seen;
	struct relay *relay; /* forwards while another front end holds the catalog; NULL: there was no need */
	struct http_server *http;
	struct admin *admin;
	struct metrics *metrics;
	struct operator_listener *operators;
	int64_t started_us;
	bool ending;
	bool ends_waiting; /* for the catalog */
	bool reads_again;  /* the configuration, when it holds the catalog */
	bool is_lost;      /* it ends as it is no longer the one that serves */
};

/* --- the log and the process --- */

static void apply_log_settings(const struct config *config)
{
	enum log_level level = LOG_LEVEL_INFO;

	(void)log_level_parse(config->log_level, &level);
	log_set_level(level);
	log_set_topics(config->log_topics);
}

static void audit_daemon(struct daemon *d, const char *action, const char *text)
{
	audit_write(d->audit, &(struct audit_entry){ .action = action, .text = text });
}

/* Reopens log files that were moved away or whose setting changed. If one cannot be opened, the old one stays. */
static void reopen_logs(struct daemon *d)
{
	struct error err;

	if (http_access_reopen(d->access, &err) != 0)
		log_error("main", "access_log: %s; it stays where it was", err.message);
	if (audit_reopen(d->audit, &err) != 0)
		log_error("main", "%s; it stays where it was", err.message);
}

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

/* --- the end --- */

static void on_drained(void *arg)
{
	/* A moment more, to send what has been written to sockets: `cdrctl shutdown` needs its answer. */
	static const struct timeval moment = { 0, 20000 };
	struct daemon *d = arg;

	if (event_base_loopexit(d->base, &moment) != 0) /* no memory for the timer */
		event_base_loopbreak(d->base);
}

static void on_relay_drained(void *arg)
{
	((struct daemon *)arg)->ends_waiting = true;
}

static void end_waiting(struct daemon *d)
{
	if (d->relay)
		relay_drain(d->relay, DRAIN_US, on_relay_drained, d);
	else
		d->ends_waiting = true;
}

/* Ends the loop when the requests in progress are answered; at once when called again. */
static void begin_end(struct daemon *d, const char *why)
{
	if (d->ending) {
		log_info("main", "%s again: ending at once", why);
		d->ends_waiting = true;
		event_base_loopbreak(d->base);
		return;
	}
	d->ending = true;
	log_info("main", "%s: ending", why);
	notify_stopping();
	if (!d->http) { /* it waits for its turn yet */
		end_waiting(d);
		return;
	}
	audit_daemon(d, "daemon stop", why);
	http_server_drain(d->http, DRAIN_US, on_drained, d);
}

static void on_shutdown_command(void *arg)
{
	begin_end(arg, "shutdown command");
}

/* --- signals --- */

static void on_end_signal(evutil_socket_t signal_number, short what, void *arg)
{
	(void)what;
	begin_end(arg, signal_number == SIGTERM ? "SIGTERM" : "SIGINT");
}

/* Everything that is wrong with the configuration, a line each. */
static void log_faults(const struct config_faults *faults, const char *topic, const char *when)
{
	const char *line = faults->lines.data;

	if (faults->lines.failed)
		log_error(topic, "%sout of memory", when);
	for (size_t i = 0; i < faults->count && !faults->lines.failed; i++) {
		int len = (int)strcspn(line, "\n");

		log_error(topic, "%s%.*s", when, len, line);
		line += len + 1;
	}
}

static void log_warning(const char *text)
{
	log_warn("config", "%s", text);
}

/* They were all right a moment ago, with the configuration: else those of before stay. */
static void load_mappings(struct daemon *d)
{
	struct config_faults faults = { .count = 0 };

	if (mappings_load(d->mappings, mappings_directory(&d->config), &faults) != 0)
		log_faults(&faults, "main", "mappings: ");
	buf_free(&faults.lines);
}

static void reload(struct daemon *d)
{
	struct config fresh;
	struct config_faults faults = { .count = 0 };
	struct buf ignored = { 0 };
	struct error err;

	if (options_load_config(&d->options, &fresh, &faults) != 0) {
		log_faults(&faults, "main", "reload: ");
		log_error("main", "reload: the settings stay as they were");
		buf_free(&faults.lines);
		return;
	}
	if (billing_check_reload(d->billing, &fresh, &err) != 0) {
		log_error("main", "reload: %s; the settings stay as they were", err.message);
		config_free(&fresh);
		return;
	}
	if (config_reload(&d->config, &fresh, &ignored, &err) != 0)
		log_error("main", "reload: %s", err.message);
	apply_log_settings(&d->config);
	load_mappings(d);
	if (d->tls && tls_reload(d->tls, &err) != 0)
		log_error("main", "reload: %s; certificates stay as they were", err.message);
	feeds_reload(d->feeds);
	if (ignored.len > 0)
		log_warn("main", "reload: changes of %s need a restart", buf_cstr(&ignored));
	log_info("main", "reloaded the configuration");
	audit_daemon(d, "daemon reload", "the configuration was read again");
	disk_look(d->disk);
	billing_reload(d->billing);
	callbacks_reload(d->callbacks);
	buf_free(&ignored);
	config_free(&fresh);
}

/* What settings are for is not there yet. */
static void reload_while_waiting(struct daemon *d)
{
	struct error err;

	d->reads_again = true;
	if (d->relay)
		notify_reloading();
	if (d->tls && tls_reload(d->tls, &err) != 0)
		log_error("main", "reload: %s; certificates stay as they were", err.message);
	reopen_logs(d);
	log_info("main", "reload: certificates and logs; the configuration is read again when this front end holds the "
	                 "catalog");
	if (d->relay)
		notify_ready(RELAY_STATUS);
}

static void on_reload_signal(evutil_socket_t signal_number, short what, void *arg)
{
	struct daemon *d = arg;

	(void)signal_number;
	(void)what;
	if (!d->http) {
		reload_while_waiting(d);
		return;
	}
	notify_reloading();
	reload(arg);
	reopen_logs(arg);
	notify_ready("Serving");
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	notify_alive();
}

/* --- up and down --- */

static struct event_base *make_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

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

static int watch_signals(struct daemon *d, struct error *err)
{
	static const struct {
		int number;
		event_callback_fn handler;
	} rows[SIGNALS_MAX] = {
		{ SIGTERM, on_end_signal },
		{ SIGINT, on_end_signal },
		{ SIGHUP, on_reload_signal },
	};

	for (size_t i = 0; i < SIGNALS_MAX; i++) {
		d->signals[i] = evsignal_new(d->base, rows[i].number, rows[i].handler, d);
		if (!d->signals[i] || event_add(d->signals[i], NULL) != 0)
			return error_set(err, ERROR_NOMEM, "signals: out of memory");
	}
	return 0;
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
	d->base = make_base();
	if (d->base)
		d->lag = lag_new(d->base);
	if (d->lag)
		d->tasks = tasks_new(d->base, &d->config);
	if (d->tasks)
		d->shrinking = shrinking_new(d->base);
	if (!d->shrinking)
		return error_set(err, ERROR_NOMEM, "event loop: out of memory");
	return watch_signals(d, err) == 0 ? start_watchdog(d, err) : -1;
}

static int start_logs(struct daemon *d, struct error *err)
{
	d->audit = audit_new(&d->config, err);
	if (!d->audit)
		return -1;
	d->access = http_access_new(d->base, &d->config, err);
	return d->access ? 0 : -1;
}

static void on_catalog_lost(void *arg, const char *why)
{
	struct daemon *d = arg;

	d->is_lost = true;
	if (!d->ending)
		begin_end(d, why);
}

static bool is_inherited(const struct daemon *d, const char *setting)
{
	for (int i = 0; i < d->inherited.count; i++)
		if (strcmp(d->inherited.list[i].setting, setting) == 0)
			return true;
	return false;
}

/* On sockets of systemd, if there are some for the setting, or else on the setting's addresses. */
static int listen_on(struct daemon *d, struct http_server *http, struct tls *tls, const char *setting,
                     const char *addresses, struct error *err)
{
	if (!is_inherited(d, setting))
		return http_server_listen(http, tls, setting, addresses, err);
	for (int i = 0; i < d->inherited.count; i++)
		if (strcmp(d->inherited.list[i].setting, setting) == 0 &&
		    http_server_adopt(http, tls, setting, d->inherited.list[i].fd, err) != 0)
			return -1;
	return 0;
}

static int start_listening(struct daemon *d, struct http_server *http, struct error *err)
{
	if (inherited_take(&d->inherited, err) != 0)
		return -1;
	if (options_use_tls(&d->config) || is_inherited(d, "listen_tls")) {
		d->tls = tls_new(&d->config, err);
		if (!d->tls)
			return -1;
	}
	if (listen_on(d, http, NULL, "listen", d->config.listen, err) != 0)
		return -1;
	return listen_on(d, http, d->tls, "listen_tls", d->config.listen_tls, err);
}

static struct relay *begin_relay(void *arg, const struct meta_shared_options *options, struct error *err)
{
	struct daemon *d = arg;

	d->relay = relay_new(d->tasks, &d->config, d->audit, options, err);
	if (!d->relay)
		return NULL;
	http_server_log_to(relay_server(d->relay), d->access);
	if (start_listening(d, relay_server(d->relay), err) != 0)
		return NULL;
	notify_ready(RELAY_STATUS);
	return d->relay;
}

/* In place of the relay, if there is one. */
static int take_over_listening(struct daemon *d, struct error *err)
{
	if (!d->relay)
		return start_listening(d, d->http, err);
	if (http_server_take_listeners(d->http, relay_server(d->relay), err) != 0)
		return -1;
	relay_end(d->relay);
	return 0;
}

static int start_store(struct daemon *d, struct error *err)
{
	struct opening opening = { .config = &d->config, .base = d->base, .shrinking = d->shrinking };
	struct catalog_open catalog = {
		.config = &d->config,
		.base = d->base,
		.ending = &d->ends_waiting,
		.begin_relay = begin_relay,
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
	if (!d->disk)
		return -1;
	d->ingest = ingest_new(d->tasks, &d->config, d->meta, d->store);
	d->mappings = mappings_new();
	if (!d->ingest || !d->mappings)
		return error_set(err, ERROR_NOMEM, "ingest: out of memory");
	d->moving = moving_new(d->tasks, d->store);
	if (!d->moving)
		return error_set(err, ERROR_NOMEM, "move: out of memory");
	load_mappings(d);
	ingest_use_mappings(d->ingest, d->mappings);
	ingest_watch_disk(d->ingest, d->disk);
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
	d->billing = billing_new(d->base, &d->config, d->meta, d->store, d->ingest, err);
	if (!d->billing)
		return -1;
	d->limits = limits_new(d->base, &d->config, d->billing, err);
	if (!d->limits)
		return -1;
	reports_on_end(d->reports, billing_charge_report, d->billing);
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
	http_server_log_to(d->http, d->access);
	http_server_gather(d->http);
	if (meta_is_shared(d->meta)) {
		http_server_trust_relays(d->http, d->app.cursor_key.bytes);
		if (reports_use_workers(d->reports, d->app.cursor_key.bytes, err) != 0)
			return -1;
	}
	return take_over_listening(d, err);
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

static int start(struct daemon *d, struct error *err)
{
	d->started_us = clock_now_us();
	raise_descriptor_limit();
	if (algorithms_load(err) != 0)
		return -1;
	if (start_loop(d, err) != 0 || start_logs(d, err) != 0 || start_store(d, err) != 0 || start_http(d, err) != 0 ||
	    start_metrics(d, err) != 0 || start_admin(d, err) != 0 || start_operators(d, err) != 0 ||
	    meta_hold(d->meta, err) != 0)
		return -1;
	audit_daemon(d, "daemon start", "cdrd " PACKAGE_VERSION);
	log_info("main", "cdrd " PACKAGE_VERSION " serves what is in %s", d->config.data_dir);
	if (d->reads_again)
		reload(d);
	notify_ready("Serving");
	return 0;
}

/* Takes down the modules that are up. Requests and imports give up their batches before ingest commits and is freed. */
static void stop(struct daemon *d)
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
	for (size_t i = 0; i < SIGNALS_MAX; i++)
		if (d->signals[i])
			event_free(d->signals[i]);
	if (d->base)
		event_base_free(d->base);
	libevent_global_shutdown();
}

static int serve(struct daemon *d)
{
	struct error err;
	int result = start(d, &err);

	if (result != 0 && d->ending) /* while it waited */
		log_info("main", "%s", err.message);
	else if (result != 0)
		log_error("main", "%s", err.message);
	else if (!d->ending && event_base_dispatch(d->base) < 0)
		log_error("main", "the event loop failed");
	stop(d);
	if (result == 0)
		log_info("main", "ended");
	return (result == 0 || d->ending) && !d->is_lost ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* -m: makes the cluster's tables, and the catalog's. */
static int migrate(struct daemon *d)
{
	struct error err;
	int result = -1;

	d->base = make_base();
	if (d->base)
		result = catalog_migrate(&d->config, d->base, &err);
	else
		error_set(&err, ERROR_NOMEM, "event loop: out of memory");
	if (result != 0)
		log_error("main", "%s", err.message);
	else
		printf("The tables of the database %s are there%s.\n", d->config.clickhouse_database,
		       options_use_postgresql(&d->config) ? ", and those of the catalog in PostgreSQL" : "");
	if (d->base)
		event_base_free(d->base);
	return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* With a valid configuration, -t ends here and the daemon starts. */
static int run(struct daemon *d)
{
	struct config_faults faults = { .count = 0 };
	int result = options_load_config(&d->options, &d->config, &faults);
	int status;

	if (result != 0)
		log_faults(&faults, "config", "");
	buf_free(&faults.lines);
	if (result != 0)
		return EXIT_FAILURE;
	if (!d->options.test)
		apply_log_settings(&d->config);
	options_each_warning(&d->config, log_warning);
	if (d->options.test) {
		puts("The configuration is valid.");
		printf("Kinds of queues that can be consumed: %s.\n",
		       consumers_built_in()[0] ? consumers_built_in() : "none");
		status = EXIT_SUCCESS;
	} else if (d->options.migrate) {
		status = migrate(d);
	} else {
		status = serve(d);
	}
	config_free(&d->config);
	return status;
}

/* LMDB takes 3 MB of each environment that is opened, most of which it never touches: what the system maps for them costs
 * nothing. The C library would put them on its heap, where memory was in use before, as soon as a first one was closed.
 */
static void bound_free_memory(void)
{
#ifdef __GLIBC__
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there are no threads yet. */
	(void)mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there are no threads yet. */
	(void)mallopt(M_TRIM_THRESHOLD, HEAP_SPARE_BYTES);
#endif
}

int main(int argc, char **argv)
{
	static struct daemon d;
	struct error err;
	int status = EXIT_SUCCESS;

	if (callback_courier_is_meant(argc, argv))
		return callback_courier_main();
	log_init();
	zone_init();
	bound_free_memory();
	if (options_parse(&d.options, argc, argv, &err) != 0) {
		fprintf(stderr, "cdrd: %s\n", err.message);
		status = EXIT_USAGE;
	} else if (d.options.help) {
		fputs(options_usage, stdout);
	} else if (d.options.version) {
		puts("cdrd " PACKAGE_VERSION);
	} else {
		status = run(&d);
	}
	options_free(&d.options);
	log_set_topics(NULL);
	return status;
}
