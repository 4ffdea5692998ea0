/* SPDX-License-Identifier: ISC */
/*
 * health.h: what is broken in the store, for /readyz, `cdrctl status` and the metrics.
 */
#ifndef CDRD_STORE_HEALTH_H
#define CDRD_STORE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct store;

struct store_health {
	uint64_t commits_failed; /* since the last that succeeded */
	struct error failure;    /* of the last that failed, if there was one */
	bool catalog_broken;     /* the catalog can be neither read nor written */
	uint64_t days_broken;    /* that can be neither read nor written, as far as has been tried */
	uint64_t reopened;       /* environments that were reopened after a failed write, since the start */
};

void store_health(const struct store *store, struct store_health *health);

/*
 * Where something has failed, sees whether it works again: opens what is broken, and commits something to the catalog.
 * So the trouble ends by itself, also when nobody sends requests to a daemon that says that it is not ready. To be
 * called every few seconds, from a timer of its own.
 */
void store_tend(struct store *store);

#endif
