/* SPDX-License-Identifier: ISC */
/*
 * aggregate.c: what all aggregates share, and one that scans its records. See engine.h.
 */
#include <stdlib.h>

#include "store/engine.h"

void aggregate_init(struct aggregate *aggregate, const struct aggregate_ops *ops, struct store *store,
                    const struct aggregate_query *query)
{
	const struct scan_query *scan = &query->scan;

	*aggregate = (struct aggregate){ .ops = ops, .store = store, .query = *query, .interval_from_us = INT64_MAX };
	aggregate_groups_init(&aggregate->groups, scan->product, query->group_by, query->group_by_count,
	                      query->groups_max);
	if (!aggregate_counts_only(aggregate))
		aggregate->columns = aggregate_groups_columns(&aggregate->groups, scan->product);
	for (size_t i = 0; i < scan->filters_count; i++)
		aggregate->columns |= UINT64_C(1) << scan->filters[i].column;
	aggregate->query.scan.columns =
		aggregate->columns ? aggregate->columns : UINT64_C(1) << scan->product->time_column;
}

void aggregate_end(struct aggregate *aggregate)
{
	aggregate_groups_free(&aggregate->groups);
}

int64_t aggregate_interval(struct aggregate *aggregate, int64_t time_us)
{
	if (aggregate->query.interval == ZONE_WHOLE)
		return INT64_MIN;
	if (time_us < aggregate->interval_from_us || time_us >= aggregate->interval_until_us) {
		aggregate->interval_us = zone_interval_start_us(aggregate->query.zone, aggregate->query.interval,
		                                                time_us, &aggregate->interval_until_us);
		aggregate->interval_from_us = time_us;
	}
	return aggregate->interval_us;
}

/* --- by scans, of one direction after the other --- */

struct scanned {
	struct aggregate base;
	struct scan *scan;    /* of query.scan; NULL: not begun */
	struct error failure; /* of adding what it gave */
	bool takes_all;       /* directions; query.scan has the current one */
	bool done;
};

static bool add_record(void *arg, const struct scan_row *row)
{
	struct scanned *scanned = arg;
	struct aggregate *base = &scanned->base;

	base->rows++;
	base->seen++;
	return aggregate_counts_only(base) ||
	       aggregate_add_record(&base->groups, aggregate_interval(base, row->time_us), row->record,
	                            &scanned->failure) == 0;
}

static void on_ready(void *arg)
{
	struct scanned *scanned = arg;

	if (scanned->base.query.on_ready)
		scanned->base.query.on_ready(scanned->base.query.arg);
}

static int scan_on(struct scanned *scanned, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	const struct scan_sink sink = { .on_record = add_record, .on_ready = on_ready, .arg = scanned };

	if (!scanned->scan)
		scanned->scan = scan_start(scanned->base.store, &scanned->base.query.scan, NULL, &sink, err);
	if (!scanned->scan || scan_step(scanned->scan, deadline_us, end, err) < 0)
		return -1;
	if (*end != SCAN_STOPPED)
		return 0;
	*err = scanned->failure;
	return -1;
}

/* Where days are kept no longer of which some may have been counted. */
static void begin_again(struct scanned *scanned)
{
	struct aggregate *base = &scanned->base;

	scan_cancel(scanned->scan);
	scanned->scan = NULL;
	aggregate_groups_clear(&base->groups);
	base->rows = base->seen = 0;
	if (scanned->takes_all)
		base->query.scan.direction = CATALOG_NO_DIRECTION;
}

static bool next_direction(struct scanned *scanned)
{
	struct scan_query *query = &scanned->base.query.scan;

	if (!scanned->takes_all || query->direction == CATALOG_INBOUND)
		return false;
	query->direction++;
	scan_cancel(scanned->scan);
	scanned->scan = NULL;
	return true;
}

static int scanned_step(struct aggregate *base, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	struct scanned *scanned = (struct scanned *)base;

	if (store_leave_out_removed(base->store, &base->query.scan))
		begin_again(scanned);
	do {
		if (scan_on(scanned, deadline_us, end, err) < 0)
			return -1;
	} while (*end == SCAN_DONE && next_direction(scanned));
	scanned->done = *end == SCAN_DONE;
	return 0;
}

static double scanned_share(const struct aggregate *base)
{
	const struct scanned *scanned = (const struct scanned *)base;
	struct scan_position position = { { 0 } };
	double share;

	if (scanned->done)
		return 1;
	if (scanned->scan)
		scan_position(scanned->scan, &position);
	share = scan_share(base->store, &base->query.scan, &position);
	return scanned->takes_all ? (base->query.scan.direction + share) / (CATALOG_INBOUND + 1) : share;
}

static void scanned_cancel(struct aggregate *base)
{
	scan_cancel(((struct scanned *)base)->scan);
	aggregate_end(base);
	free(base);
}

struct aggregate *aggregate_start_scanned(struct store *store, const struct aggregate_query *query, struct error *err)
{
	static const struct aggregate_ops ops = { scanned_step, NULL, scanned_share, scanned_cancel };
	struct scanned *scanned = calloc(1, sizeof(*scanned));

	if (!scanned) {
		error_set(err, ERROR_NOMEM, "Out of memory for an aggregate");
		return NULL;
	}
	aggregate_init(&scanned->base, &ops, store, query);
	scanned->takes_all = aggregate_takes_all(&scanned->base);
	return &scanned->base;
}
