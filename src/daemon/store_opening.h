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

struct opening {
	const struct config *config;
	struct event_base *base;
	struct meta *meta;
	struct shrinking *shrinking;
	const struct store_numbers_source
		*numbers; /* of a cluster, where this front end does not hold the catalog; or NULL */
};

MUST_CHECK int opening_open_store(struct store **store, const struct opening *opening, struct error *err);

#endif
