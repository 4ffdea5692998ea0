/* SPDX-License-Identifier: ISC */
/*
 * catalog_open.c: see catalog_open.h.
 */
#include "daemon/catalog_open.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/notify.h"
#include "daemon/options_check.h"
#include "daemon/store_opening.h"
#include "meta/shared_catalog.h"
#include "store/cluster.h"

/* How often it is tried whether a catalog in PostgreSQL can be had. */
#define TRY_US (CLOCK_US_PER_SECOND / 2)
#define COPY_STEP_US (60 * CLOCK_US_PER_SECOND) /* far more than some rows of a copy take */

/* --- the catalog --- */

/* What a catalog in PostgreSQL is opened with. */
struct catalog_options {
	struct meta_shared_options shared;
	char password[OPENING_PASSWORD_MAX + 1], name[256];
};

static int read_catalog(const struct config *config, struct event_base *base, struct catalog_options *options,
                        struct error *err)
{
	if (opening_read_password(config->postgresql_password_file, options->password, err) != 0)
		return -1;
	if (gethostname(options->name, sizeof(options->name) - 1) != 0)
		options->name[0] = '\0';
	options->name[sizeof(options->name) - 1] = '\0';
	options->shared = (struct meta_shared_options){
		.connection = config->postgresql,
		.password = options->password,
		.name = options->name,
		.url = config->front_end_url,
		.timeout_us = config->postgresql_timeout,
		.lease_us = config->postgresql_lease,
		.base = base,
	};
	return 0;
}

static void on_waited(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
}

/* Until the relay hears that nobody holds the catalog. -1 where the loop fails. */
static int wait_for_turn(const struct catalog_open *opening, struct relay *relay)
{
	while (!*opening->ending && !relay_may_try(relay))
		if (event_base_loop(opening->base, EVLOOP_ONCE) < 0)
			return -1;
	if (!*opening->ending)
		relay_stop_taking_in(relay); /* the directory is free for the attempt */
	return 0;
}

/* Signals are heeded meanwhile. -1 when out of memory. */
static int wait_for_catalog(const struct catalog_open *opening, const struct error *why, char *said, size_t size)
{
	struct timeval pause = clock_timeval(TRY_US);
	bool waited = false;
	struct event *timer = evtimer_new(opening->base, on_waited, &waited);

	if (strncmp(said, why->message, size - 1) != 0)
		log_info("main", "waits: %s", why->message);
	str_cut(said, size, why->message);
	notify_waiting(said, 20 * TRY_US + 2 * opening->config->postgresql_timeout);
	int result = timer ? event_add(timer, &pause) : -1;
	while (result == 0 && !waited && !*opening->ending)
		result = event_base_loop(opening->base, EVLOOP_ONCE) < 0 ? -1 : 0;
	if (timer)
		event_free(timer);
	return result;
}

/* The loop does not turn while the catalog is copied, and systemd is to know that the daemon is alive. */
static void on_progress(void *arg)
{
	(void)arg;
	notify_waiting("Copies the catalog from PostgreSQL", COPY_STEP_US);
	notify_alive();
}

int catalog_open(struct meta **meta, const struct catalog_open *opening, struct error *err)
{
	struct meta_options options = {
		.data_dir = opening->config->data_dir,
		.map_bytes = (size_t)opening->config->catalog_map_size,
	};
	struct catalog_options catalog;
	struct relay *relay = NULL;
	char said[256] = "";

	if (options_use_postgresql(opening->config)) {
		if (read_catalog(opening->config, opening->base, &catalog, err) != 0)
			return -1;
		catalog.shared.seen = opening->seen;
		catalog.shared.on_lost = opening->on_lost;
		catalog.shared.on_progress = on_progress;
		catalog.shared.arg = opening->arg;
		options.shared_ops = &meta_shared_postgresql;
		options.shared = &catalog.shared;
	}
	while (meta_open(meta, &options, err) != 0) {
		if (!options.shared || err->code != ERROR_UNAVAILABLE)
			return -1;
		if (!relay && opening->config->front_end_url[0]) {
			log_info("main", "waits, and forwards meanwhile: %s", err->message);
			relay = opening->begin_relay(opening->arg, &catalog.shared, err);
			if (!relay)
				return -1;
		}
		if ((relay ? wait_for_turn(opening, relay) : wait_for_catalog(opening, err, said, sizeof(said))) != 0)
			return error_set(err, ERROR_NOMEM, "event loop: out of memory");
		if (*opening->ending)
			return error_set(err, ERROR_UNAVAILABLE, "ended while it waited for the catalog");
	}
	return 0;
}

/* --- tables --- */

int catalog_migrate(const struct config *config, struct event_base *base, struct error *err)
{
	struct store_cluster cluster;
	struct catalog_options catalog;
	char password[OPENING_PASSWORD_MAX + 1];

	if (!config->clickhouse[0])
		return error_set(err, ERROR_INVALID, "-m: needs the setting clickhouse, which is empty");
	if (opening_read_cluster(base, config, &cluster, password, err) != 0 ||
	    store_cluster_migrate(&cluster, err) != 0)
		return -1;
	if (!options_use_postgresql(config))
		return 0;
	return read_catalog(config, base, &catalog, err) == 0 ? shared_migrate(&catalog.shared, err) : -1;
}
