/* SPDX-License-Identifier: ISC */
/*
 * daemon.h: the process as a whole: what is up, how it comes up, reacts to signals and goes down. For main.c, and what of
 * daemon/ works on all of it.
 *
 *	modules.c    brings the modules up, lower ones first, and takes them down in reverse order
 *	listening.c  the addresses that clients come to, before and after this front end holds the catalog
 *	signals.c    the end, and reading the configuration again
 *
 * There is one, and everything in it runs on one thread.
 */
#ifndef CDRD_DAEMON_DAEMON_H
#define CDRD_DAEMON_DAEMON_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/api.h"
#include "base/config.h"
#include "base/error.h"
#include "daemon/inherited.h"
#include "daemon/options.h"
#include "meta/shared_catalog.h"

struct relay;

#define DAEMON_SIGNALS 3

struct daemon {
	struct options options;
	struct config config;
	struct event_base *base;
	struct event *signals[DAEMON_SIGNALS];
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

/* --- modules.c --- */

/* The loop that all of it runs on; the caller's. NULL when out of memory. */
struct event_base *daemon_make_base(void);

/* With the options and a valid configuration in a zeroed *d, brings all of it up. It may wait for the catalog, and forward
 * meanwhile; where it is to end before it holds it, that is a failure, too, with d->ending. After -1 there is the same to
 * take down. */
MUST_CHECK int daemon_start(struct daemon *d, struct error *err);

/* Takes down what is up, but for the options and the configuration. */
void daemon_stop(struct daemon *d);

/* --- listening.c --- */

/* A server that forwards, on all addresses, until daemon_listen: a begin_relay of catalog_open.h. */
MUST_CHECK struct relay *daemon_begin_relay(void *daemon, const struct meta_shared_options *options, struct error *err);

/* d->http listens, in place of the relay, if there is one. */
MUST_CHECK int daemon_listen(struct daemon *d, struct error *err);

/* --- signals.c --- */

MUST_CHECK int daemon_watch_signals(struct daemon *d, struct error *err);
void daemon_unwatch_signals(struct daemon *d);

/* Ends the loop when the requests in progress are answered; at once when called again. */
void daemon_begin_end(struct daemon *d, const char *why);

/* Reads the configuration again. If something in it is wrong, the log says so and all stays as it was. */
void daemon_reload(struct daemon *d);

/* What the configuration says of the log, and the mappings that it names. */
void daemon_apply_log_settings(const struct config *config);
void daemon_load_mappings(struct daemon *d);

/* Everything that is wrong with the configuration, a line each. */
void daemon_log_faults(const struct config_faults *faults, const char *topic, const char *when);

void daemon_audit(struct daemon *d, const char *action, const char *text);

#endif
