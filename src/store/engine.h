/* SPDX-License-Identifier: ISC */
/*
 * engine.h: what lies below the store's interface: for those who write an engine of it, and nobody else.
 */
#ifndef CDRD_STORE_ENGINE_H
#define CDRD_STORE_ENGINE_H

#include "store/aggregate.h"
#include "store/scan.h"

/* See the functions of scan.h. `step` may set *end to SCAN_WAITS, if it has seen to it that scan_ready is called. */
struct scan_ops {
	int (*step)(struct scan *scan, int64_t deadline_us, enum scan_end *end, struct error *err);
	void (*position)(const struct scan *scan, struct scan_position *position);
	void (*cancel)(struct scan *scan);
};

/* An engine's own struct of a scan begins with this one. */
struct scan {
	const struct scan_ops *ops;
	struct scan_query query;
	struct scan_sink sink;
};

/* See the functions of aggregate.h. `hurry` may be NULL. */
struct aggregate_ops {
	int (*step)(struct aggregate *aggregate, int64_t deadline_us, enum scan_end *end, struct error *err);
	void (*hurry)(struct aggregate *aggregate);
	double (*share)(const struct aggregate *aggregate);
	void (*cancel)(struct aggregate *aggregate);
};

/* An engine's own struct of an aggregate begins with this one. */
struct aggregate {
	const struct aggregate_ops *ops;
	struct store *store;
	struct aggregate_query query;
	struct aggregate_groups groups;
	uint64_t columns;           /* that are to be filled of records: those of groups, sums and filters */
	uint64_t rows, seen, rough; /* as of aggregate_counts */
	int64_t interval_us;        /* where the interval at hand begins */
	int64_t interval_from_us;   /* moments from here on, and before the next one, fall in it */
	int64_t interval_until_us;
};

void aggregate_init(struct aggregate *aggregate, const struct aggregate_ops *ops, struct store *store,
                    const struct aggregate_query *query);

/* Frees what aggregate_init and others have taken, but not the struct. */
void aggregate_end(struct aggregate *aggregate);

/* Are records counted only? */
static inline bool aggregate_counts_only(const struct aggregate *aggregate)
{
	return aggregate->query.groups_max == 0;
}

/* Does it take records of all directions, where the product keeps them apart? */
static inline bool aggregate_takes_all(const struct aggregate *aggregate)
{
	const struct scan_query *query = &aggregate->query.scan;

	return query->product->partition_direction && query->direction == CATALOG_NO_DIRECTION;
}

/* Where the interval begins that a time is in. */
int64_t aggregate_interval(struct aggregate *aggregate, int64_t time_us);

/* One that reads all of its records by a scan: for what cannot be told from less. NULL with ERROR_NOMEM. */
struct aggregate *aggregate_start_scanned(struct store *store, const struct aggregate_query *query, struct error *err);

/* Something has come for a scan that waits: to be called from the loop, not from within `step`. */
void scan_ready(struct scan *scan);

#endif
