/* SPDX-License-Identifier: ISC */
/*
 * day_fixture.h: the environment of one day without a store around it, for tests of the store's parts.
 */
#ifndef CDRD_TESTS_UNIT_DAY_FIXTURE_H
#define CDRD_TESTS_UNIT_DAY_FIXTURE_H

#include "store/days/day.h"
#include "store_fixture.h"

struct day_fixture {
	char dir[64];
	struct day day;
};

static inline void day_fixture_open(struct day_fixture *f)
{
	struct error err = { 0 };

	*f = (struct day_fixture){ .day = { .number = 20500, .is_open = true } };
	fixture_directory(f->dir, sizeof(f->dir));
	ck_assert_msg(env_open(&f->day.env, f->dir, FIXTURE_MAP_BYTES, day_dbs, &err) == 0, "%s", err.message);
}

static inline void day_fixture_put(struct day_fixture *f, enum day_db db, const struct partition *partition,
                                   uint32_t number, struct str value)
{
	struct error err = { 0 };
	uint8_t bytes[NUMBER_KEY_LEN];
	MDB_txn *txn = env_write(&f->day.env, &err);

	ck_assert_msg(txn, "%s", err.message);
	number_key_write(bytes, partition, number);
	MDB_val key = env_val(bytes, sizeof(bytes)), val = env_val(value.p, value.len);
	ck_assert_int_eq(mdb_put(txn, f->day.env.dbi[db], &key, &val, 0), 0);
}

static inline MDB_txn *day_fixture_read(struct day_fixture *f)
{
	struct error err = { 0 };

	ck_assert_int_eq(env_commit(&f->day.env, &err), 0);
	MDB_txn *txn = env_read(&f->day.env, &err);
	ck_assert_msg(txn, "%s", err.message);
	return txn;
}

static inline void day_fixture_close(struct day_fixture *f)
{
	hot_free(&f->day.hot);
	for (int i = 0; i < BLOCK_INDEX_SLOTS; i++)
		block_index_free(&f->day.block_indexes[i]);
	env_close(&f->day.env);
	nftw(f->dir, fixture_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
