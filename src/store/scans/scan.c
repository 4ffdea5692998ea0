/* SPDX-License-Identifier: ISC */
/*
 * scan.c: reading records in slices: days, and accounts within them. See scan.h.
 */
#include "store/scan.h"

#include "base/clock.h"
#include "store/scans/scan_private.h"

/* 1 when the day is done, 0 when the scan ends here, -1. */
static int scan_day(struct scan *scan, int32_t number)
{
	struct scan_position *at = scan->position;
	if (at->day != number)
		*at = (struct scan_position){ .day = number };
	struct day *day = store_day(scan->store, number, false, scan->err);
	if (!day)
		return scan->err->code == ERROR_NONE ? 1 : -1;
	MDB_txn *txn = env_read(&day->env, scan->err);
	if (!txn)
		return -1;
	day->pins++;
	int result = 1;
	while (result > 0 && at->account < scan->query->accounts_count) {
		result = scan_partition(scan, day, txn, scan->query->accounts[at->account]);
		if (result > 0)
			*at = (struct scan_position){ .day = number, .account = at->account + 1 };
		if (result > 0 && clock_monotonic_us() >= scan->deadline_us) {
			scan->end = SCAN_PAUSED;
			result = 0;
		}
	}
	day->pins--;
	return env_read_end(&day->env, txn, result, scan->err);
}

/* How do the lines that the sink wants come from those of blocks? */
static void compare_lines(struct scan *scan)
{
	const struct catalog_product *product = scan->query->product;
	uint64_t stored = block_line_columns(product, (uint8_t)scan->query->direction, product->columns_count);
	uint64_t wanted = record_view_columns(product, scan->sink->lines);
	scan->woven = wanted & ~stored;
	scan->weaves = (stored & ~wanted) == 0;
}

static uint64_t columns_needed(const struct scan *scan)
{
	const struct scan_query *query = scan->query;
	uint64_t columns = query->columns ? query->columns : SCAN_COLUMNS_ALL;
	for (size_t i = 0; i < query->filters_count; i++)
		columns |= UINT64_C(1) << query->filters[i].column;
	return columns | scan->woven;
}

int scan_run(struct store *store, const struct scan_query *query, struct scan_position *position, int64_t deadline_us,
             const struct scan_sink *sink, enum scan_end *end, struct error *err)
{
	struct scan scan = { .store = store, .query = query, .sink = sink, .position = position, .err = err,
		             .deadline_us = deadline_us, .end = SCAN_DONE };
	int32_t first = clock_day_of(query->from_us), last = clock_day_of(query->to_us - 1);
	int result = 1;
	if (sink->lines)
		compare_lines(&scan);
	scan.columns = columns_needed(&scan);
	if (position->day > first)
		first = position->day;
	for (size_t i = store_day_index(store, first); result > 0 && i < store->days_count && store->day_numbers[i] <= last;
	     i++)
		result = scan_day(&scan, store->day_numbers[i]);
	result = scan_end_moved(&scan, result);
	if (scan.moved)
		store_reader_give(store, scan.moved);
	buf_free(&scan.line);
	*end = scan.end;
	return result < 0 ? -1 : 0;
}
