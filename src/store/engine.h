/* SPDX-License-Identifier: ISC */
/*
 * engine.h: the seam between the store's interface and a storage engine, for authors of engines.
 *
 * The functions of store.h, scan.h, aggregate.h, changes.h and erase.h call through the tables below. An engine is a
 * struct store_ops, and is chosen when the store is opened (store_options.engine). There is one, store_days_engine: an
 * LMDB environment a day. Its maintenance, statistics, verification and copying are beside the seam, as are accounts,
 * quarantine and the rows of jobs, which lie in its catalog.
 *
 * What a function must do stands with the one of the interface. docs/HACKING.md says how to begin, and
 * tests/unit/memory_engine.c is a whole one in memory.
 */
#ifndef CDRD_STORE_ENGINE_H
#define CDRD_STORE_ENGINE_H

#include "store/aggregate.h"
#include "store/changes.h"
#include "store/erase.h"
#include "store/scan.h"
#include "store/store.h"

/* Those that say so may be NULL. */
struct store_ops {
	const char *name;
	int (*open)(struct store **out, const struct store_options *options, struct error *err);
	void (*close)(struct store *store);

	/* store_put_begin and store_commit_begin */
	void (*put)(struct store *store, const struct record *record, int64_t time_us,
	            const struct store_versions *versions, store_put_fn done, void *arg);
	void (*expect)(const struct store *store, const struct record *record,
	               const struct account_key *account); /* or NULL */
	void (*commit)(struct store *store, store_commit_fn done, void *arg);
	bool ends_later; /* these two may end after they have returned, but for records of the daemon's own products */
	int (*commit_own)(struct store *store, struct error *err); /* NULL unless ends_later: commits these, at once */
	void (*abort)(
		struct store *store); /* drops what is not committed, and counts in `aborts` even if that is nothing */
	size_t (*uncommitted)(const struct store *store);
	uint64_t (*aborts)(const struct store *store);
	uint64_t (*snapshot)(const struct store *store);

	struct scan *(*scan)(struct store *store, const struct scan_query *query, const struct scan_position *from,
	                     const struct scan_sink *sink, struct error *err);
	double (*share)(const struct store *store, const struct scan_query *query,
	                const struct scan_position *position);
	struct scan *(*find)(struct store *store, const struct scan_find *find, const struct scan_sink *sink,
	                     struct error *err);
	struct aggregate *(*aggregate)(struct store *store, const struct aggregate_query *query,
	                               struct error *err); /* NULL: all records are scanned */
	struct changes *(*changes)(struct store *store, const struct changes_query *query, struct error *err);
	bool (*may_have_changes)(const struct store *store, const struct catalog_product *product,
	                         const struct account_key *account, uint64_t since);
	struct erase *(*erase)(struct store *store, const struct erase_scope *scope,
	                       struct error *err); /* NULL: it cannot */

	const int32_t *(*days)(const struct store *store, size_t *count);
	int (*remove_days_before)(struct store *store, int32_t day, int max); /* retention */
	/* Days before this one may be there in part, until the last of them is removed; 0. NULL: a day goes at once. */
	int32_t (*removing_before)(const struct store *store);
};

extern const struct store_ops store_days_engine;

/* An engine's own struct store begins with this one. */
struct store_head {
	const struct store_ops *ops;
	int32_t kept_from_day; /* store_keep_from; 0 */
};

static inline const struct store_ops *store_ops(const struct store *store)
{
	return ((const struct store_head *)(const void *)store)->ops;
}

/* Leaves out of a query what is not kept: true if something of it was not left out before. */
bool store_leave_out_removed(const struct store *store, struct scan_query *query);

/* --- scans --- */

/* See the functions of scan.h. `step` may set *end to SCAN_WAITS, if it makes sure that scan_ready is called. That of a
 * find does everything in one step, as a record that moves between two would be missed; its position is zeros. */
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
	const struct store *store; /* scan_start's; NULL where it finds ids */
};

/* Does a record, of which the filters' columns are filled, pass them? */
static inline bool scan_passes(const struct scan_query *query, const struct record *record)
{
	for (size_t i = 0; i < query->filters_count; i++) {
		const struct scan_filter *filter = &query->filters[i];

		if (!scan_filter_passes(filter, record->values[filter->column]))
			return false;
	}
	return true;
}

/* Something has come for a scan that waits: to be called from the loop, not from within `step`. The scan may be stepped
 * and cancelled from within. */
void scan_ready(struct scan *scan);

/* --- aggregates --- */

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
	int64_t interval_us;        /* where the current interval begins */
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

/* One that reads all of its records by a scan, where nothing less suffices. NULL with ERROR_NOMEM. */
MUST_CHECK struct aggregate *aggregate_start_scanned(struct store *store, const struct aggregate_query *query,
                                                     struct error *err);

/* --- changes --- */

/* See the functions of changes.h. */
struct changes_ops {
	int (*run)(struct changes *changes, int64_t deadline_us, enum scan_end *end, struct error *err);
	struct changes_page (*page)(const struct changes *changes);
	struct str (*text)(const struct changes *changes, size_t index);
	void (*cancel)(struct changes *changes);
};

/* An engine's own struct of changes begins with this one. */
struct changes {
	const struct changes_ops *ops;
};

#endif
