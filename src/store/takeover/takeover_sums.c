/* SPDX-License-Identifier: ISC */
/*
 * takeover_sums.c: the records of a day that are here, for comparing. See takeover_private.h.
 *
 * Which partitions there are is looked up first: those of hot rows, then those of blocks, where rows may go meanwhile. Then
 * each is scanned.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "store/takeover/takeover_private.h"

#define LOOK_EVERY 64
#define TABLE_MIN 256

void takeover_summing_begin(struct takeover_summing *summing, int32_t day)
{
	takeover_summing_free(summing);
	summing->day = day;
	summing->snapshot = summing->store->snapshot;
	summing->stage = SUMMING_HOT;
	summing->hot = (struct hot_place){ 0 };
	summing->key_len = summing->at = 0;
}

void takeover_summing_free(struct takeover_summing *summing)
{
	scan_cancel(summing->scan);
	summing->scan = NULL;
	free(summing->partitions);
	summing->partitions = NULL;
	summing->count = summing->cap = 0;
}

/* --- which partitions --- */

static struct partition *place_of(struct partition *table, size_t cap, const struct partition *partition)
{
	size_t at = id_hash64(partition->account.bytes, ACCOUNT_KEY_LEN,
	                      (uint64_t)partition->product << 8 | partition->direction) &
	            (cap - 1);

	while (table[at].product != 0 && !partition_equal(&table[at], partition))
		at = (at + 1) & (cap - 1);
	return &table[at];
}

static int grow(struct takeover_summing *summing, struct error *err)
{
	size_t cap = summing->cap ? 2 * summing->cap : TABLE_MIN;
	struct partition *table = calloc(cap, sizeof(*table));

	if (!table)
		return error_set(err, ERROR_NOMEM, "comparing with the cluster: out of memory");
	for (size_t i = 0; i < summing->cap; i++)
		if (summing->partitions[i].product != 0)
			*place_of(table, cap, &summing->partitions[i]) = summing->partitions[i];
	free(summing->partitions);
	summing->partitions = table;
	summing->cap = cap;
	return 0;
}

static int note_partition(struct takeover_summing *summing, const struct partition *partition, struct error *err)
{
	const struct catalog_product *product = catalog_product_numbered(partition->product);
	struct partition *place;

	if (!product)
		return error_set(err, ERROR_CORRUPT, "day %d: product number %u is unknown", summing->day,
		                 partition->product);
	if (product->own)
		return 0;
	if (4 * (summing->count + 1) > 3 * summing->cap && grow(summing, err) != 0)
		return -1;
	place = place_of(summing->partitions, summing->cap, partition);
	summing->count += place->product == 0;
	*place = *partition;
	return 0;
}

struct looking {
	struct takeover_summing *summing;
	int64_t deadline_us;
	unsigned looks;
};

/* A hot_row_fn. */
static int take_hot(void *arg, const struct hot_place *place, MDB_val val, struct error *err)
{
	struct looking *looking = arg;

	(void)val;
	if (note_partition(looking->summing, &place->partition, err) != 0)
		return -1;
	return ++looking->looks % LOOK_EVERY == 0 && clock_monotonic_us() >= looking->deadline_us;
}

static int take_blocks(struct looking *looking, const struct day *day, MDB_cursor *cursor, struct error *err)
{
	struct takeover_summing *summing = looking->summing;
	MDB_val key, val;
	int rc = env_seek_after(cursor, env_val(summing->key, summing->key_len), &key, &val);

	for (; !rc; rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) {
		struct partition partition;
		uint32_t number;

		if (!number_key_read(key, &partition, &number))
			return error_set(err, ERROR_CORRUPT, "%s: an entry of blocks cannot be read", day->env.path);
		if (note_partition(summing, &partition, err) != 0)
			return -1;
		memcpy(summing->key, key.mv_data, sizeof(summing->key));
		summing->key_len = sizeof(summing->key);
		if (++looking->looks % LOOK_EVERY == 0 && clock_monotonic_us() >= looking->deadline_us)
			return 0;
	}
	return rc == MDB_NOTFOUND ? 1 : env_fail(&day->env, rc, "read blocks", err);
}

static int look_at_blocks(struct looking *looking, const struct day *day, MDB_txn *txn, struct error *err)
{
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(txn, day->env.dbi[DAY_BLOCKS], &cursor);

	if (rc)
		return env_fail(&day->env, rc, "open cursor", err);
	int result = take_blocks(looking, day, cursor, err);
	mdb_cursor_close(cursor);
	return result;
}

/* 1 at the end of the stage, 0, -1. */
static int look(struct takeover_summing *summing, int64_t deadline_us, struct error *err)
{
	struct looking looking = { .summing = summing, .deadline_us = deadline_us };
	struct day *day = store_day(summing->store, summing->day, false, err);
	MDB_txn *txn;

	if (!day)
		return err->code == ERROR_NONE ? 1 : -1; /* there is none: nothing is here */
	txn = env_read(&day->env, err);
	if (!txn)
		return -1;
	int result = summing->stage == SUMMING_HOT ? hot_rows_each(day, txn, &summing->hot, take_hot, &looking, err) :
	                                             look_at_blocks(&looking, day, txn, err);

	return env_read_end(&day->env, txn, result, err);
}

/* --- their records --- */

/* A scan_record_fn. */
static bool take_record(void *arg, const struct scan_row *row)
{
	struct takeover_summing *summing = arg;

	return takeover_compare_add(summing->compare, &summing->partitions[summing->at].account, row->record, row->seq,
	                            &summing->failure) == 0;
}

static int begin_scan(struct takeover_summing *summing, struct error *err)
{
	const struct partition *partition = &summing->partitions[summing->at];
	const struct catalog_product *product = catalog_product_numbered(partition->product);
	uint8_t amounts[SCHEMA_AMOUNTS_MAX];
	size_t count = schema_amounts(product, amounts);
	struct scan_query query = { .product = product,
		                    .direction = (enum catalog_direction)partition->direction,
		                    .accounts = &partition->account,
		                    .accounts_count = 1,
		                    .from_us = summing->day * CLOCK_US_PER_DAY,
		                    .to_us = (summing->day + 1) * CLOCK_US_PER_DAY,
		                    .snapshot = summing->snapshot,
		                    .columns = UINT64_C(1) << product->time_column };
	const struct scan_sink sink = { .on_record = take_record, .arg = summing };

	for (size_t i = 0; i < count; i++)
		query.columns |= UINT64_C(1) << amounts[i];
	summing->scan = days_scan(summing->store, &query, NULL, &sink, err);
	return summing->scan ? 0 : -1;
}

/* 1 at the end of the partition, 0, -1. */
static int scan_partition(struct takeover_summing *summing, int64_t deadline_us, struct error *err)
{
	enum scan_end end;

	if (!summing->scan && begin_scan(summing, err) != 0)
		return -1;
	summing->failure.code = ERROR_NONE;
	if (scan_step(summing->scan, deadline_us, &end, err) != 0)
		return -1;
	if (end == SCAN_STOPPED) {
		*err = summing->failure;
		return -1;
	}
	if (end == SCAN_PAUSED)
		return 0;
	scan_cancel(summing->scan);
	summing->scan = NULL;
	return 1;
}

static int scan_all(struct takeover_summing *summing, int64_t deadline_us, struct error *err)
{
	for (; summing->at < summing->cap; summing->at++) {
		if (summing->partitions[summing->at].product == 0)
			continue;
		int result = scan_partition(summing, deadline_us, err);

		if (result <= 0)
			return result;
		if (clock_monotonic_us() >= deadline_us) {
			summing->at++;
			return 0;
		}
	}
	return 1;
}

int takeover_summing_step(struct takeover_summing *summing, int64_t deadline_us, struct error *err)
{
	if (summing->stage == SUMMING_SCANS)
		return scan_all(summing, deadline_us, err);
	int result = look(summing, deadline_us, err);

	if (result <= 0)
		return result;
	summing->stage++;
	return 0;
}
