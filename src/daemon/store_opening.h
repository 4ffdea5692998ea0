/* SPDX-License-Identifier: ISC */
/*
 * store_opening.h: opens the store of records, in data_dir or in a ClickHouse cluster.
 */
#ifndef CDRD_DAEMON_STORE_OPENING_H
#define CDRD_DAEMON_STORE_OPENING_H

#include <event2/event.h>

#include "base/config.h"
#include "store/cluster.h"
#include "store/store.h"

#define OPENING_PASSWORD_MAX 1024 /* bytes of its file */

/* The first line of the file; "" where there is none. */
MUST_CHECK int opening_read_password(const char *path, char password[OPENING_PASSWORD_MAX + 1], struct error *err);

/* The options are filled in; `password` is what they point to, and the caller's. */
MUST_CHECK int opening_read_cluster(struct event_base *base, const struct config *config, struct store_cluster *cluster,
                                    char password[OPENING_PASSWORD_MAX + 1], struct error *err);

/* Adds to the options where records are, and opens the store. Without holding the catalog, a cluster's has its numbers from
 * elsewhere; else NULL. */
MUST_CHECK int opening_open_store(struct store **store, struct store_options *options, const struct config *config,
                                  struct event_base *base, const struct store_numbers_source *numbers,
                                  struct error *err);

#endif
