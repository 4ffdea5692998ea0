/* SPDX-License-Identifier: ISC */
/*
 * takeover_sums.c: the records of a day that are here, for comparing. See takeover_private.h.
 *
 * Which partitions there are is looked up first: those of hot rows, then those of blocks, where rows may go meanwhile. Then
 * each is scanned.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "store/takeover/takeover_private.h"

#define LOOK_EVERY 64

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
	buf_free(&summing->partitions);
}

/* --- which partitions --- */

static struct partition *partition_at(const struct takeover_summing *summing, size_t at)
{
	return (struct partition *)(void *)summing->partitions.data + at;
}

static size_t partitions_count(const struct takeover_summing *summing)
{
	return summing->partitions.len / sizeof(struct partition);
}

static int compare_partitions(const void *a, const void *b)
{
	return partition_compare(a, b);
}

/* In order, each once. */
static void settle(struct takeover_summing *summing)
{
	size_t count = partitions_count(summing), kept = 0;

	if (count == 0)
		return;
	qsort(summing->partitions.data, count, sizeof(struct partition), compare_partitions);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || !partition_equal(partition_at(summing, kept - 1), partition_at(summing, i)))
			*partition_at(summing, kept++) = *partition_at(summing, i);
	summing->partitions.len = kept * sizeof(struct partition);
}

static int note_partition(struct takeover_summing *summing, const struct partition *partition, struct error *err)
{
	const struct catalog_product *product = catalog_product_numbered(partition->product);
	size_t count = partitions_count(summing);

	if (!product)
		return error_set(err, ERROR_CORRUPT, "day %d: product number %u is unknown", summing->day,
		                 partition->product);
	if (product->own || (count > 0 && partition_equal(partition_at(summing, count - 1), partition)))
		return 0;
	buf_add(&summing->partitions, partition, sizeof(*partition));
	return summing->partitions.failed ? error_set(err, ERROR_NOMEM, "comparing: out of memory") : 0;
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

	return takeover_compare_add(summing->compare, &partition_at(summing, summing->at)->account, row->record,
	                            &summing->failure) == 0;
}

static int begin_scan(struct takeover_summing *summing, struct error *err)
{
	const struct partition *partition = partition_at(summing, summing->at);
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
	while (summing->at < partitions_count(summing)) {
		int result = scan_partition(summing, deadline_us, err);

		if (result <= 0)
			return result;
		summing->at++;
		if (clock_monotonic_us() >= deadline_us)
			return 0;
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
	if (summing->stage == SUMMING_BLOCKS)
		settle(summing);
	summing->stage++;
	return 0;
}
