/* SPDX-License-Identifier: ISC */
/*
 * hot_check.h: is what is known and counted of a store's hot rows what its days hold?
 */
#ifndef CDRD_TESTS_UNIT_HOT_CHECK_H
#define CDRD_TESTS_UNIT_HOT_CHECK_H

#include <stdlib.h>

#include "expect.h"
#include "store/days/hot_rows.h"
#include "store/days_store.h"

struct hot_check {
	struct day *day;
	const char *about;
	uint64_t rows, tombstones;
};

static inline bool hot_check_is_known(const struct hot_partition *own, const struct position *position)
{
	uint32_t at = hot_order_find(&own->order, position);

	return at < own->order.count && own->order.rows[at].time_us == position->time_us &&
	       own->order.rows[at].seq == position->seq;
}

/* A hot_row_fn. */
static inline int hot_check_row(void *arg, const struct hot_place *place, MDB_val val, struct error *err)
{
	struct hot_check *check = arg;
	struct hot_partition *own = hot_partition_find(&check->day->hot, &place->partition);
	struct day_tombstone tombstone;

	(void)err;
	expect(own, "%s: day %d: the partition of a hot row is not known", check->about, check->day->number);
	hot_order_settle(&own->order);
	expect(hot_check_is_known(own, &place->position), "%s: day %d: the position of hot row %llu is not known",
	       check->about, check->day->number, (unsigned long long)place->position.seq);
	if (day_tombstone_read(val, &tombstone))
		check->tombstones++;
	else
		check->rows++;
	return 0;
}

static inline void hot_check_day(struct day *day, const char *about)
{
	struct hot_check check = { .day = day, .about = about };
	struct error err = { 0 };
	uint64_t counted, positions = 0, rows = 0;
	MDB_txn *txn = env_read(&day->env, &err);

	expect(txn, "%s: %s", about, err.message);
	expect(hot_rows_all(day, txn, hot_check_row, &check, &err) == 0 &&
	               hot_rows_count(day, txn, &counted, &err) == 0,
	       "%s: %s", about, err.message);
	expect(counted == check.rows + check.tombstones, "%s: day %d: %llu hot rows and tombstones, counted %llu",
	       about, day->number, (unsigned long long)(check.rows + check.tombstones), (unsigned long long)counted);
	expect(env_read_end(&day->env, txn, 0, &err) == 0, "%s: %s", about, err.message);
	for (size_t i = 0; i < day->hot.partitions_cap; i++) {
		struct hot_partition *own = &day->hot.partitions[i];

		hot_order_settle(&own->order);
		positions += own->order.count;
		rows += own->rows;
	}
	expect(day->hot.rows == check.rows && rows == check.rows, "%s: day %d: %llu hot rows, known %llu and %llu",
	       about, day->number, (unsigned long long)check.rows, (unsigned long long)day->hot.rows,
	       (unsigned long long)rows);
	expect(positions == check.rows + check.tombstones,
	       "%s: day %d: %llu positions of %llu rows and %llu tombstones", about, day->number,
	       (unsigned long long)positions, (unsigned long long)check.rows, (unsigned long long)check.tombstones);
}

/* Of those days where it is known, and nothing waits for a commit. */
static inline void hot_check(struct store *store, const char *about)
{
	for (size_t i = 0; i < store->days_count; i++) {
		struct day *day = store->days[i];

		if (day->is_open && day->hot.loaded && !day->env.write)
			hot_check_day(day, about);
	}
}

#endif
