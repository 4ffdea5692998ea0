/* SPDX-License-Identifier: ISC */
/*
 * zones.h: the time zones that producers' times are in, kept from batch to batch; private to ingest/.
 */
#ifndef CDRD_INGEST_ZONES_H
#define CDRD_INGEST_ZONES_H

#include <stdint.h>

#include "base/error.h"
#include "base/zone.h"

#define ZONES_MAX 8 /* kept; others are reloaded each time, in a fraction of a millisecond */

/* All zero at first. */
struct zones {
	struct zones_slot {
		char name[ZONE_NAME_MAX + 1]; /* empty: free */
		int32_t day;                  /* on which it was loaded: tzdata may change */
		int64_t from_us, to_us;       /* the moments that it was loaded for */
		struct zone zone;
	} slots[ZONES_MAX];
	size_t next; /* to be replaced */
};

/* The zone for moments from `from_us` to `to_us`, valid until the next call. NULL with ERROR_INVALID if the zone no
 * longer exists, or ERROR_NOMEM. */
MUST_CHECK struct zones_slot *zones_get(struct zones *zones, const char *name, int64_t from_us, int64_t to_us,
                                        struct error *err);

void zones_free(struct zones *zones);

#endif
