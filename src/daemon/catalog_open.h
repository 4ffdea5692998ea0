/* SPDX-License-Identifier: ISC */
/*
 * catalog_open.h: opens the catalog, in data_dir or in PostgreSQL, where it waits for its turn; and makes tables.
 */
#ifndef CDRD_DAEMON_CATALOG_OPEN_H
#define CDRD_DAEMON_CATALOG_OPEN_H

#include <event2/event.h>

#include "base/config.h"
#include "daemon/relay.h"
#include "meta/meta.h"
#include "meta/shared_catalog.h"

struct catalog_open {
	const struct config *config;
	struct event_base *base;
	const bool *ending; /* it becomes true where the daemon is to end while this waits */
	/* With front_end_url, called once if it has to wait: begins to forward to whoever holds the catalog. NULL with *err. */
	struct relay *(*begin_relay)(void *arg, const struct meta_shared_options *options, struct error *err);
	void (*on_lost)(void *arg, const char *why); /* as of meta_shared_options, */
	struct shared_seen *seen;                    /* likewise; it outlives the relay */
	void *arg;
};

/* Where the catalog is in PostgreSQL, this waits until that answers and no other front end holds it, and runs the loop
 * meanwhile; ERROR_UNAVAILABLE if the daemon is to end first. */
MUST_CHECK int catalog_open(struct meta **meta, const struct catalog_open *opening, struct error *err);

/* Makes the tables of both that are not there yet. Blocks. */
MUST_CHECK int catalog_migrate(const struct config *config, struct event_base *base, struct error *err);

#endif
