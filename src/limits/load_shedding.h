/* SPDX-License-Identifier: ISC */
/*
 * load_shedding.h: is there too much to do? Measures memory and the loop's lag a few times a second.
 *
 * Memory is the process's own, without the pages of LMDB's maps, which the kernel can reclaim at any time. Lag is how
 * late a timer fires. One late turn may be a slow disk; two in a row are a backlog.
 */
#ifndef CDRD_LIMITS_LOAD_SHEDDING_H
#define CDRD_LIMITS_LOAD_SHEDDING_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"

struct load_shedding;

enum load_shedding_cause { LOAD_SHEDDING_NONE, LOAD_SHEDDING_MEMORY, LOAD_SHEDDING_LAG };

/* `config` (shed_memory, shed_lag) is read at each look. NULL when out of memory. */
struct load_shedding *load_shedding_new(struct event_base *base, const struct config *config);
void load_shedding_free(struct load_shedding *guard);

/* Why requests must be turned away now, or GUARD_NONE. */
enum load_shedding_cause load_shedding_cause(const struct load_shedding *guard);

struct load_shedding_stats {
	int64_t memory_bytes; /* at the last look */
	uint64_t shed;        /* times that load_shedding_cause said so, since the start */
};
void load_shedding_stats(const struct load_shedding *guard, struct load_shedding_stats *stats);
void load_shedding_count_shed(struct load_shedding *guard);

#endif
