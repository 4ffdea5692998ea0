/* SPDX-License-Identifier: ISC */
/*
 * engine.c: the store's interface, to its engine. See engine.h.
 */
#include "store/engine.h"

int scan_step(struct scan *scan, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	return scan->ops->step(scan, deadline_us, end, err);
}

void scan_position(const struct scan *scan, struct scan_position *position)
{
	scan->ops->position(scan, position);
}

void scan_ready(struct scan *scan)
{
	if (scan->sink.on_ready)
		scan->sink.on_ready(scan->sink.arg);
}

void scan_cancel(struct scan *scan)
{
	if (scan)
		scan->ops->cancel(scan);
}

int aggregate_step(struct aggregate *aggregate, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	return aggregate->ops->step(aggregate, deadline_us, end, err);
}

void aggregate_hurry(struct aggregate *aggregate)
{
	if (aggregate->ops->hurry)
		aggregate->ops->hurry(aggregate);
}

void aggregate_counts(const struct aggregate *aggregate, struct aggregate_counts *counts)
{
	*counts = (struct aggregate_counts){
		.rows = aggregate->rows,
		.seen = aggregate->seen,
		.rough = aggregate->rough,
		.share = aggregate->ops->share(aggregate),
	};
}

struct aggregate_groups *aggregate_groups(struct aggregate *aggregate)
{
	return &aggregate->groups;
}

void aggregate_cancel(struct aggregate *aggregate)
{
	if (aggregate)
		aggregate->ops->cancel(aggregate);
}
