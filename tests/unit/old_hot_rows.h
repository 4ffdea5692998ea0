/* SPDX-License-Identifier: ISC */
/*
 * old_hot_rows.h: makes the hot rows of a store those of format 1, as a cdrd of that format wrote them.
 */
#ifndef CDRD_TESTS_UNIT_OLD_HOT_ROWS_H
#define CDRD_TESTS_UNIT_OLD_HOT_ROWS_H

#include "expect.h"
#include "store/days/hot_rows.h"
#include "store/days_store.h"

/* A hot_row_fn. */
static inline int old_hot_row_put(void *arg, const struct hot_place *place, MDB_val val, struct error *err)
{
	struct day *day = arg;
	uint8_t bytes[ROW_KEY_LEN];
	MDB_val key = env_val(bytes, sizeof(bytes));

	(void)err;
	row_key_write(bytes, &place->partition, &place->position);
	if (!place->is_old)
		ck_assert_int_eq(mdb_put(day->env.write, day->env.dbi[DAY_HOT_OLD], &key, &val, 0), 0);
	return 0;
}

/* Nothing may wait for a commit; the store is to be restarted after it. Returns how many rows there are. */
static inline uint64_t old_hot_rows_make(struct store *store)
{
	struct error err = { 0 };
	uint64_t rows = 0, count;

	for (size_t i = 0; i < store->days_count; i++) {
		struct day *day = store_day(store, store->day_numbers[i], false, &err);

		expect(day && env_write(&day->env, &err), "%s", err.message);
		MDB_txn *txn = day->env.write;
		expect(hot_rows_all(day, txn, old_hot_row_put, day, &err) == 0, "%s", err.message);
		ck_assert_int_eq(mdb_drop(txn, day->env.dbi[DAY_HOT], 0), 0);
		ck_assert_int_eq(mdb_drop(txn, day->env.dbi[DAY_HOT_SEALED], 0), 0);
		expect(hot_rows_count(day, txn, &count, &err) == 0, "%s", err.message);
		expect(env_commit(&day->env, &err) == 0, "%s", err.message);
		rows += count;
	}
	return rows;
}

#endif
