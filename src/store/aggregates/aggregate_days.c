/* SPDX-License-Identifier: ISC */
/*
 * aggregate_days.c: counts and sums from days, part by part. See aggregate_days.h.
 *
 * A part whose blocks change or whose records move again and again while it is added up is scanned, which is slower but
 * not disturbed by that. Where a record of the accounts has moved meanwhile, perhaps from one part to another, all is added
 * up again.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "store/aggregates/aggregate_days.h"
#include "store/changes/changes_note.h"

#define CHANGED_MAX 3
#define BEGUN_AGAIN_MAX 3

/* --- the parts --- */

/* Begins the current part, for the first time or again. */
static void begin_part(struct day_aggregate *a)
{
	struct day_part *part = &a->part;

	part->begun = part->hot = false;
	part->entry = 0;
	part->rows = part->seen = 0;
	aggregate_groups_clear(&part->groups);
	aggregate_cancel(a->scanned);
	a->scanned = NULL;
}

/* The first existing day of the range from `day` on. */
static bool find_day(struct day_aggregate *a, int32_t day)
{
	const struct store *store = a->base.store;
	const struct scan_query *query = &a->base.query.scan;
	size_t i = store_day_index(store, day);

	if (i == store->days_count || store->day_numbers[i] > clock_day_of(query->to_us - 1))
		return false;
	a->part.day = store->day_numbers[i];
	return true;
}

/* Moves to the next part; false if there is none. */
static bool next_part(struct day_aggregate *a)
{
	struct day_part *part = &a->part;

	a->changed = 0;
	begin_part(a);
	if (aggregate_takes_all(&a->base)) {
		part->direction = part->direction == CATALOG_INBOUND ? 0 : part->direction + 1;
		if (part->direction != 0)
			return true;
	}
	if (++part->account < a->base.query.scan.accounts_count)
		return true;
	part->account = 0;
	return find_day(a, part->day + 1);
}

/* Adds the finished part to the result. */
static int add_part(struct day_aggregate *a)
{
	a->base.rows += a->part.rows;
	a->base.seen += a->part.seen;
	a->part.rows = a->part.seen = 0;
	return aggregate_add_groups(&a->base.groups, &a->part.groups, a->err);
}

/* --- reading --- */

static struct aggregate_query part_query(const struct day_aggregate *a)
{
	struct aggregate_query query = a->base.query;

	query.scan.accounts += a->part.account;
	query.scan.accounts_count = 1;
	query.scan.direction = (enum catalog_direction)a->part.direction;
	query.scan.from_us = a->from_us;
	query.scan.to_us = a->to_us;
	return query;
}

/* 1 when the part is done, 0, -1. */
static int scan_part(struct day_aggregate *a)
{
	const struct aggregate_query query = part_query(a);
	enum scan_end end;

	if (!a->scanned)
		a->scanned = aggregate_start_scanned(a->base.store, &query, a->err);
	if (!a->scanned || aggregate_step(a->scanned, a->deadline_us, &end, a->err) < 0)
		return -1;
	if (end != SCAN_DONE)
		return 0;
	a->part.rows = a->scanned->rows;
	a->part.seen = a->scanned->seen;
	return aggregate_add_groups(&a->part.groups, &a->scanned->groups, a->err) < 0 ? -1 : 1;
}

/* Have blocks of the day changed since the part was begun, or have hot rows got other times, which may have been counted already
 * and would be again? Does not matter to an estimate. */
static void look_for_change(struct day_aggregate *a)
{
	struct day_part *part = &a->part;
	bool has_changed = part->seals != a->day->seals || (part->hot && part->moves != a->day->moves);

	if (part->begun && has_changed && !a->hurries) {
		a->changed++;
		begin_part(a);
	}
	part->begun = true;
	part->seals = a->day->seals;
	part->moves = a->day->moves;
}

static void set_range(struct day_aggregate *a)
{
	const struct scan_query *query = &a->base.query.scan;
	int64_t begin_us = clock_day_start_us(a->part.day), end_us = clock_day_start_us(a->part.day + 1);

	a->from_us = query->from_us > begin_us ? query->from_us : begin_us;
	a->to_us = query->to_us < end_us ? query->to_us : end_us;
	a->partition = partition_of(&query->accounts[a->part.account], query->product->number, a->part.direction);
}

static void begin_parts(struct day_aggregate *a)
{
	const struct scan_query *scan = &a->base.query.scan;

	begin_part(a);
	aggregate_groups_clear(&a->base.groups);
	a->base.rows = a->base.seen = 0;
	a->part.account = 0;
	a->part.direction = (uint8_t)scan->direction;
	a->snapshot = a->base.store->snapshot;
	a->has_paused = false;
	a->changed = 0;
	a->done =
		scan->accounts_count == 0 || scan->from_us >= scan->to_us || !find_day(a, clock_day_of(scan->from_us));
}

/* Retention removes the current day, or has: all that it had counts, or nothing. As read_part. */
static int pass_removed_day(struct day_aggregate *a)
{
	if (a->hurries)
		return 1;
	begin_parts(a);
	return 0;
}

/* 1 when the part is done, 0 when it is late, -1. */
static int read_part(struct day_aggregate *a)
{
	if (store_leave_out_removed(a->base.store, &a->base.query.scan) &&
	    clock_day_start_us(a->part.day) < a->base.query.scan.from_us)
		return pass_removed_day(a);
	set_range(a);
	a->day = store_day(a->base.store, a->part.day, false, a->err);
	if (!a->day)
		return a->err->code == ERROR_NONE ? pass_removed_day(a) : -1;
	if (!a->scanned)
		look_for_change(a);
	if (a->changed >= CHANGED_MAX && !aggregate_counts_only(&a->base))
		return scan_part(a);
	a->txn = env_read(&a->day->env, a->err);
	if (!a->txn)
		return -1;
	a->day->pins++;
	int result = aggregate_read_part(a);
	a->day->pins--;
	return env_read_end(&a->day->env, a->txn, result, a->err);
}

/* Has a record moved meanwhile, which may have been counted where it was and where it went, or in neither place? */
static bool has_moved(const struct day_aggregate *a)
{
	const struct scan_query *scan = &a->base.query.scan;

	for (size_t i = 0; i < scan->accounts_count; i++)
		if (changes_moved(a->base.store, scan->product, &scan->accounts[i]) > a->snapshot)
			return true;
	return false;
}

/* All parts are done. Does not matter to an estimate. */
static void end_parts(struct day_aggregate *a)
{
	if (!a->has_paused || a->hurries || a->begun_again == BEGUN_AGAIN_MAX || !has_moved(a))
		return;
	a->begun_again++;
	begin_parts(a);
}

static int read_parts(struct day_aggregate *a)
{
	do {
		int result = read_part(a);

		if (result < 0 || (result > 0 && add_part(a) < 0))
			return -1;
		if (result > 0)
			a->done = !next_part(a);
		if (a->done)
			end_parts(a);
	} while (!a->done && clock_monotonic_us() < a->deadline_us);
	return 0;
}

static int step(struct aggregate *base, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	struct day_aggregate *a = (struct day_aggregate *)base;

	a->deadline_us = deadline_us;
	a->err = err;
	*end = SCAN_DONE;
	if (a->done)
		return 0;
	a->reader = store_reader_take(base->store, err);
	if (!a->reader)
		return -1;
	int result = read_parts(a);
	store_reader_give(base->store, a->reader);
	a->has_paused = true;
	if (!a->done)
		*end = SCAN_PAUSED;
	return result;
}

static void hurry(struct aggregate *base)
{
	struct day_aggregate *a = (struct day_aggregate *)base;

	if (a->hurries || !aggregate_counts_only(base))
		return;
	base->rows += a->part.rows;
	base->seen += a->part.seen;
	a->part.rows = a->part.seen = 0;
	a->hurries = true;
}

static double share(const struct aggregate *base)
{
	const struct day_aggregate *a = (const struct day_aggregate *)base;
	const struct scan_at at = { .day = a->part.day,
		                    .account = a->part.account,
		                    .time_us = a->part.hot ? a->part.hot_us : 0 };
	struct scan_position position;

	if (a->done)
		return 1;
	scan_at_write(&at, &position);
	return scan_share(base->store, &base->query.scan, &position);
}

static void cancel(struct aggregate *base)
{
	struct day_aggregate *a = (struct day_aggregate *)base;

	aggregate_cancel(a->scanned);
	aggregate_groups_free(&a->part.groups);
	free(a->fold);
	aggregate_end(base);
	free(a);
}

struct aggregate *days_aggregate(struct store *store, const struct aggregate_query *query, struct error *err)
{
	static const struct aggregate_ops ops = { step, hurry, share, cancel };
	const struct scan_query *scan = &query->scan;
	struct day_aggregate *a = calloc(1, sizeof(*a));

	if (!a) {
		error_set(err, ERROR_NOMEM, "Out of memory for an aggregate");
		return NULL;
	}
	aggregate_init(&a->base, &ops, store, query);
	aggregate_groups_init(&a->part.groups, scan->product, query->group_by, query->group_by_count,
	                      query->groups_max);
	begin_parts(a);
	return &a->base;
}
