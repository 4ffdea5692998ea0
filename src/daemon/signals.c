/* SPDX-License-Identifier: ISC */
/*
 * signals.c: the end, and reading the configuration again; see daemon.h.
 */
#include "daemon/daemon.h"

#include <signal.h>
#include <string.h>

#include "base/audit.h"
#include "base/clock.h"
#include "base/disk.h"
#include "base/log.h"
#include "billing/billing.h"
#include "callback/callback.h"
#include "daemon/notify.h"
#include "daemon/relay.h"
#include "feed/feed.h"
#include "http/access.h"
#include "http/http.h"
#include "mapping/mapping.h"
#include "tls/tls.h"

/* How long requests in progress may continue after SIGTERM. */
#define DRAIN_US (5 * CLOCK_US_PER_SECOND)

/* --- the log --- */

void daemon_apply_log_settings(const struct config *config)
{
	enum log_level level = LOG_LEVEL_INFO;

	(void)log_level_parse(config->log_level, &level);
	log_set_level(level);
	log_set_topics(config->log_topics);
}

void daemon_audit(struct daemon *d, const char *action, const char *text)
{
	audit_write(d->audit, &(struct audit_entry){ .action = action, .text = text });
}

void daemon_log_faults(const struct config_faults *faults, const char *topic, const char *when)
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

/* Reopens log files that were moved away or whose setting changed. If one cannot be opened, the old one stays. */
static void reopen_logs(struct daemon *d)
{
	struct error err;

	if (http_access_reopen(d->access, &err) != 0)
		log_error("main", "access_log: %s; it stays where it was", err.message);
	if (audit_reopen(d->audit, &err) != 0)
		log_error("main", "%s; it stays where it was", err.message);
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

void daemon_begin_end(struct daemon *d, const char *why)
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
	daemon_audit(d, "daemon stop", why);
	http_server_drain(d->http, DRAIN_US, on_drained, d);
}

/* --- reading the configuration again --- */

/* They were all right a moment ago, with the configuration: else those of before stay. */
void daemon_load_mappings(struct daemon *d)
{
	struct config_faults faults = { .count = 0 };

	if (mappings_load(d->mappings, mappings_directory(&d->config), &faults) != 0)
		daemon_log_faults(&faults, "main", "mappings: ");
	buf_free(&faults.lines);
}

void daemon_reload(struct daemon *d)
{
	struct config fresh;
	struct config_faults faults = { .count = 0 };
	struct buf ignored = { 0 };
	struct error err;

	if (options_load_config(&d->options, &fresh, &faults) != 0) {
		daemon_log_faults(&faults, "main", "reload: ");
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
	daemon_apply_log_settings(&d->config);
	daemon_load_mappings(d);
	if (d->tls && tls_reload(d->tls, &err) != 0)
		log_error("main", "reload: %s; certificates stay as they were", err.message);
	feeds_reload(d->feeds);
	if (ignored.len > 0)
		log_warn("main", "reload: changes of %s need a restart", buf_cstr(&ignored));
	log_info("main", "reloaded the configuration");
	daemon_audit(d, "daemon reload", "the configuration was read again");
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

/* --- signals --- */

static void on_end_signal(evutil_socket_t signal_number, short what, void *arg)
{
	(void)what;
	daemon_begin_end(arg, signal_number == SIGTERM ? "SIGTERM" : "SIGINT");
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
	daemon_reload(arg);
	reopen_logs(arg);
	notify_ready("Serving");
}

int daemon_watch_signals(struct daemon *d, struct error *err)
{
	static const struct {
		int number;
		event_callback_fn handler;
	} rows[DAEMON_SIGNALS] = {
		{ SIGTERM, on_end_signal },
		{ SIGINT, on_end_signal },
		{ SIGHUP, on_reload_signal },
	};

	for (size_t i = 0; i < DAEMON_SIGNALS; i++) {
		d->signals[i] = evsignal_new(d->base, rows[i].number, rows[i].handler, d);
		if (!d->signals[i] || event_add(d->signals[i], NULL) != 0)
			return error_set(err, ERROR_NOMEM, "signals: out of memory");
	}
	return 0;
}

void daemon_unwatch_signals(struct daemon *d)
{
	for (size_t i = 0; i < DAEMON_SIGNALS; i++)
		if (d->signals[i])
			event_free(d->signals[i]);
}
