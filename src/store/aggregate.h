/* SPDX-License-Identifier: ISC */
/*
 * aggregate.h: counts and sums of what a query finds, without reading more of it than must be.
 *
 *	aggregate = aggregate_start(store, &query, &err);
 *	aggregate_step(aggregate, deadline_us, &end, &err)   in each slice of its owner, while end is SCAN_PAUSED
 *	aggregate_groups(aggregate)                          when end is SCAN_DONE
 *	aggregate_cancel(aggregate)                          at any time
 *
 * A slice, SCAN_WAITS and on_ready are as in scan.h. What changes while it runs may be in the result or not. A record
 * is counted once, whatever is sealed or replaced meanwhile, unless records of the accounts go to other days or directions
 * again and again: where only counts or sums are asked for, one may then be counted in both places or in neither.
 */
#ifndef CDRD_STORE_AGGREGATE_H
#define CDRD_STORE_AGGREGATE_H

#include "base/zone.h"
#include "store/scan.h"

/* Of a group's records of one currency. */
struct aggregate_amount {
	uint32_t next; /* index + 1; 0 ends the list */
	uint32_t currency_len;
	size_t currency_at; /* in the groups' texts */
	uint64_t count;
	struct decimal total_price;
	struct decimal price;
};

struct aggregate_group {
	uint64_t hash;
	size_t key_at; /* in the groups' texts: for each column u32 length, bytes */
	uint32_t key_len;
	uint32_t amounts; /* index + 1 */
	int64_t start_us; /* of its interval; INT64_MIN without one */
	uint64_t count;
	uint64_t unreadable; /* records with a price or duration that is no number, and is in no sum */
	uint64_t unpriced;   /* records of a product with prices that have none */
	struct decimal duration;
};

struct aggregate_groups {
	/* what there is to be grouped and summed; places of columns, or CATALOG_NONE */
	const uint8_t *columns;
	size_t columns_count;
	uint8_t currency, total_price, price, duration;
	uint8_t paid; /* what a record costs: total_price, or price where the product has no such column */
	size_t max;   /* groups */

	size_t count;
	struct buf groups;  /* struct aggregate_group each */
	struct buf amounts; /* struct aggregate_amount each */
	struct buf texts;
	struct buf key;  /* of the current record */
	uint32_t *slots; /* index + 1, by hash; as many as slots_count, a power of two */
	size_t slots_count;
	uint32_t last; /* index + 1 of the group that was used last */
};

/* --- groups --- */

/* `columns` must outlive the groups. */
void aggregate_groups_init(struct aggregate_groups *groups, const struct catalog_product *product,
                           const uint8_t *columns, size_t columns_count, size_t max);
void aggregate_groups_free(struct aggregate_groups *groups);

/* The columns that aggregate_add_record reads, as of scan_query; never 0. */
uint64_t aggregate_groups_columns(const struct aggregate_groups *groups, const struct catalog_product *product);

/* All three: ERROR_NOT_FOUND when there would be more groups than `max`; ERROR_LIMIT when a sum would be too large. */
MUST_CHECK int aggregate_add_record(struct aggregate_groups *groups, int64_t start_us, const struct record *record,
                                    struct error *err);
MUST_CHECK int aggregate_add_span(struct aggregate_groups *groups, int64_t start_us, const struct scan_span *span,
                                  struct error *err);

/* Records with the same values and the same currency, added up. */
struct aggregate_batch {
	const struct str *values; /* of the groups' columns; p is not NULL */
	const uint64_t *hashes;   /* aggregate_value_hash of each */
	struct str currency;      /* looked at where the product has money */
	uint64_t count;
	uint64_t unreadable;
	uint64_t unpriced;
	struct decimal duration, total_price, price;
};
uint64_t aggregate_value_hash(struct str value);
MUST_CHECK int aggregate_add_batch(struct aggregate_groups *groups, int64_t start_us,
                                   const struct aggregate_batch *batch, struct error *err);

/* Empties them, and keeps memory. */
void aggregate_groups_clear(struct aggregate_groups *groups);

/* Adds others' groups to those of the same start and values; both have the same columns. */
MUST_CHECK int aggregate_add_groups(struct aggregate_groups *sum, const struct aggregate_groups *more,
                                    struct error *err);

/* Adds a group of others to the one of an interval, where `sum` has no columns. */
MUST_CHECK int aggregate_add_group(struct aggregate_groups *sum, int64_t start_us, const struct aggregate_groups *more,
                                   const struct aggregate_group *group, struct error *err);

/* In order of start, then of values; amounts by currency. Indices of aggregate_group_at then follow that order. */
void aggregate_groups_sort(struct aggregate_groups *groups);

static inline struct aggregate_group *aggregate_group_at(const struct aggregate_groups *groups, size_t index)
{
	return (struct aggregate_group *)(void *)groups->groups.data + index;
}

static inline struct aggregate_amount *aggregate_amount_at(const struct aggregate_groups *groups, size_t index)
{
	return (struct aggregate_amount *)(void *)groups->amounts.data + index;
}

static inline struct str aggregate_currency(const struct aggregate_groups *groups,
                                            const struct aggregate_amount *amount)
{
	return (struct str){ groups->texts.data + amount->currency_at, amount->currency_len };
}

/* Removes the next value from the front of a key. */
struct str aggregate_key_next(struct str *key);

/* --- a query --- */

struct aggregate_query {
	/* Its columns are not looked at. CATALOG_NO_DIRECTION means either, where the product keeps them apart. */
	struct scan_query scan;

	/* What makes a group: columns, and the interval of the zone (which may be NULL for ZONE_WHOLE) that a time is
	 * in. */
	const uint8_t *group_by;
	size_t group_by_count;
	enum zone_interval interval;
	struct zone *zone;
	size_t groups_max; /* 0: records are counted, but neither grouped nor summed */

	void (*on_ready)(void *arg); /* after SCAN_WAITS; NULL: no callback */
	void *arg;
};

struct aggregate;

/* The query is copied; what it points to must outlive the aggregate. Does not read yet. NULL with ERROR_NOMEM. */
MUST_CHECK struct aggregate *aggregate_start(struct store *store, const struct aggregate_query *query,
                                             struct error *err);

/* Continues to read until the deadline on clock_monotonic_us, give or take a block. *end is SCAN_DONE, SCAN_PAUSED or
 * SCAN_WAITS. 0, or -1 with ERROR_NOT_FOUND (more groups than groups_max), ERROR_LIMIT (a sum is too large),
 * ERROR_CORRUPT, ERROR_IO or ERROR_NOMEM, after which only aggregate_cancel may follow. */
MUST_CHECK int aggregate_step(struct aggregate *aggregate, int64_t deadline_us, enum scan_end *end, struct error *err);

/* From now on estimates what would have to be read, by its share of the range and without filters. For aggregates that
 * only count; an engine that cannot estimate continues to count. Step again then, whatever the last step has waited for. */
void aggregate_hurry(struct aggregate *aggregate);

struct aggregate_counts {
	uint64_t rows;  /* that the query finds, of those that were looked at */
	uint64_t seen;  /* of the range, of those that were looked at, whether the query finds them or not */
	uint64_t rough; /* about as many more of the range were estimated */
	double share;   /* of the range that is done, 0 to 1 */
};

/* So far; allowed at any time. */
void aggregate_counts(const struct aggregate *aggregate, struct aggregate_counts *counts);

/* When it is done. They are the caller's to sort and die with the aggregate. */
struct aggregate_groups *aggregate_groups(struct aggregate *aggregate);

/* Frees it; on_ready is not called any more. Does nothing on NULL. */
void aggregate_cancel(struct aggregate *aggregate);

#endif
