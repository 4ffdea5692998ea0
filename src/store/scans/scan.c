/* SPDX-License-Identifier: ISC */
/*
 * scan.c: reading records in slices: days, and accounts within them. See scan.h.
 */
#include "store/scan.h"

#include <stdlib.h>

#include "base/clock.h"
#include "store/scans/scan_private.h"

#define LOOK_WORK ((size_t)64 << 10) /* between looks at the clock; some 50 us */
#define PARTITION_WORK 1024          /* what a partition takes at least, in bytes of blocks */

bool scan_is_late(struct day_scan *scan, size_t bytes)
{
	scan->work += bytes;
	if (scan->work < LOOK_WORK)
		return false;
	scan->work = 0;
	return clock_monotonic_us() >= scan->deadline_us;
}

/* 1 when the day is done, 0 when the step ends here, -1. */
static int scan_day(struct day_scan *scan, int32_t number)
{
	const struct scan_query *query = &scan->base.query;
	struct scan_at *at = &scan->at;

	if (at->day != number)
		*at = (struct scan_at){ .day = number };
	struct day *day = store_day(scan->store, number, false, scan->err);
	if (!day)
		return scan->err->code == ERROR_NONE ? 1 : -1;
	MDB_txn *txn = env_read(&day->env, scan->err);
	if (!txn)
		return -1;
	day->pins++;
	int result = 1;
	while (result > 0 && at->account < query->accounts_count) {
		result = scan_partition(scan, day, txn, &query->accounts[at->account]);
		if (result > 0)
			*at = (struct scan_at){ .day = number, .account = at->account + 1 };
		if (result > 0 && scan_is_late(scan, PARTITION_WORK)) {
			scan->end = SCAN_PAUSED;
			result = 0;
		}
	}
	block_walk_end(&scan->walk);
	bundle_walk_end(&scan->bundles);
	day->pins--;
	return env_read_end(&day->env, txn, result, scan->err);
}

static int step(struct scan *base, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	struct day_scan *scan = (struct day_scan *)base;
	struct store *store = scan->store;
	int32_t first = clock_day_of(base->query.from_us), last = clock_day_of(base->query.to_us - 1);
	int result = 1;

	scan->err = err;
	scan->deadline_us = deadline_us;
	scan->end = SCAN_DONE;
	if (scan->at.day > first)
		first = scan->at.day;
	for (size_t i = store_day_index(store, first);
	     result > 0 && i < store->days_count && store->day_numbers[i] <= last; i++)
		result = scan_day(scan, store->day_numbers[i]);
	result = scan_end_moved(scan, result);
	if (scan->moved)
		store_reader_give(store, scan->moved);
	scan->moved = NULL;
	*end = scan->end;
	return result < 0 ? -1 : 0;
}

static void position(const struct scan *base, struct scan_position *position)
{
	scan_at_write(&((const struct day_scan *)base)->at, position);
}

static void cancel(struct scan *base)
{
	struct day_scan *scan = (struct day_scan *)base;

	buf_free(&scan->line);
	buf_free(&scan->sifted);
	block_index_free(&scan->index);
	free(scan);
}

/* How do the lines that the sink wants come from those of blocks? */
static void compare_lines(struct day_scan *scan)
{
	const struct scan_query *query = &scan->base.query;
	const struct catalog_product *product = query->product;
	uint64_t stored = block_line_columns(product, (uint8_t)query->direction, product->columns_count);
	uint64_t wanted = record_view_columns(product, scan->base.sink.lines);

	scan->woven = wanted & ~stored;
	scan->weaves = (stored & ~wanted) == 0;
}

static void set_columns(struct day_scan *scan)
{
	const struct scan_query *query = &scan->base.query;

	scan->columns_decided = (query->columns ? query->columns : SCAN_COLUMNS_ALL) | scan->woven;
	scan->columns = scan->columns_decided;
	for (size_t i = 0; i < query->filters_count; i++)
		scan->columns |= UINT64_C(1) << query->filters[i].column;
}

struct scan *days_scan(struct store *store, const struct scan_query *query, const struct scan_position *from,
                       const struct scan_sink *sink, struct error *err)
{
	static const struct scan_ops ops = { step, position, cancel };
	struct day_scan *scan = calloc(1, sizeof(*scan));

	if (!scan) {
		error_set(err, ERROR_NOMEM, "Out of memory for a scan");
		return NULL;
	}
	scan->base = (struct scan){ .ops = &ops, .query = *query, .sink = *sink };
	scan->store = store;
	if (from)
		scan->at = scan_at_read(from);
	if (sink->lines)
		compare_lines(scan);
	set_columns(scan);
	return &scan->base;
}
