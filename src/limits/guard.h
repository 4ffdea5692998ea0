/* SPDX-License-Identifier: ISC */
/*
 * guard.h: is there too much to do? Measures memory and the loop's lag a few times a second.
 *
 * Memory is what the process has for itself, without the pages of LMDB's maps, which the kernel can take back at any
 * time. Lag is how late a timer fires. One late turn may be a slow disk; two in a row are a backlog.
 */
#ifndef CDRD_LIMITS_GUARD_H
#define CDRD_LIMITS_GUARD_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"

struct guard;

enum guard_cause { GUARD_NONE, GUARD_MEMORY, GUARD_LAG };

/* `config` (shed_memory, shed_lag) is read at each look. NULL when out of memory. */
struct guard *guard_new(struct event_base *base, const struct config *config);
void guard_free(struct guard *guard);

/* Why requests must be turned away now, or GUARD_NONE. */
enum guard_cause guard_cause(const struct guard *guard);

struct guard_stats {
	int64_t memory_bytes; /* at the last look */
	uint64_t shed;        /* times that guard_cause said so, since the start */
};
void guard_stats(const struct guard *guard, struct guard_stats *stats);
void guard_count_shed(struct guard *guard);

#endif
