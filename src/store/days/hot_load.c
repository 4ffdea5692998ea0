/* SPDX-License-Identifier: ISC */
/*
 * hot_load.c: what day.h says of hot rows: one is read, all are read to know their ids, partitions and positions.
 */
#include "base/clock.h"
#include "store/days/hot_rows.h"

/* From *row, `found` at *position, to where tombstones lead. */
static int follow(struct day *day, MDB_txn *txn, const struct partition *partition, struct position *position,
                  int found, MDB_val *row, struct error *err)
{
	for (;; found = hot_row_get(day, txn, partition, position, row, err)) {
		struct day_tombstone tombstone;

		if (found <= 0)
			return found;
		if (!day_tombstone_read(*row, &tombstone))
			return 1;
		/* A tombstone leads to a later change, or the chain might never end. */
		if (tombstone.to.seq <= position->seq)
			return error_set(err, ERROR_CORRUPT, "%s: a moved record leads back", day->env.path);
		*position = tombstone.to;
		if (clock_day_of(position->time_us) != day->number)
			return 0;
	}
}

int day_row_get(struct day *day, MDB_txn *txn, const struct partition *partition, struct position *position,
                MDB_val *row, struct error *err)
{
	int found = hot_row_get(day, txn, partition, position, row, err);

	return follow(day, txn, partition, position, found, row, err);
}

int day_row_find(struct day *day, MDB_txn *txn, const struct partition *partition, uint64_t seq,
                 struct position *position, MDB_val *row, struct error *err)
{
	int found = hot_row_find(day, txn, partition, seq, position, row, err);

	return follow(day, txn, partition, position, found, row, err);
}

int day_row_read(const struct day *day, const struct partition *partition, MDB_val val, struct record *record,
                 struct error *err)
{
	struct day_tombstone tombstone;
	uint64_t changed_seq;

	if (day_tombstone_read(val, &tombstone))
		return 0;
	const struct catalog_product *product = catalog_product_numbered(partition->product);
	if (!product)
		return error_set(err, ERROR_CORRUPT, "%s: product number %u is unknown", day->env.path,
		                 partition->product);
	if (record_unpack(record, product, env_str(val), &changed_seq, err) != 0)
		return -1;
	record_set_account_key(record, &partition->account);
	return 1;
}

static int load_ids(struct hot *hot, const struct hot_place *place, const struct record *record, struct error *err)
{
	uint64_t hashes[CATALOG_COLUMNS_MAX];
	size_t count = day_id_hashes(&place->partition.account, record, hashes, NULL);

	for (size_t i = 0; i < count; i++)
		if (hot_add_id(hot, hashes[i], place->position.seq, err) != 0)
			return -1;
	return 0;
}

/* Takes one row into what is known. One that cannot be read fails what needs its partition, or ids. A hot_row_fn. */
static int load_row(void *arg, const struct hot_place *place, MDB_val val, struct error *err)
{
	struct day *day = arg;
	struct hot *hot = &day->hot;
	struct record record;
	int found = day_row_read(day, &place->partition, val, &record, err);

	if (found < 0 && err->code != ERROR_CORRUPT)
		return -1;
	if (found < 0) {
		hot->is_damaged = true;
		hot->damage = *err;
	}
	hot->has_old |= place->is_old;
	if (hot_add_position(hot, &place->partition, &place->position, err) != 0)
		return -1;
	if (found == 0)
		return 0;
	struct hot_partition *own = hot_partition(hot, &place->partition, err);
	if (!own)
		return -1;
	own->rows++;
	hot->rows++;
	return found > 0 ? load_ids(hot, place, &record, err) : 0;
}

/* Rows are as old as they were: those of a partition known before, or else of the day. */
static void keep_ages(struct day *day, const struct hot *old)
{
	struct hot *hot = &day->hot;

	hot->loaded = true;
	if (hot->rows && !day->hot_since_us)
		day->hot_since_us = clock_monotonic_us();
	for (size_t i = 0; i < hot->partitions_cap; i++) {
		struct hot_partition *own = &hot->partitions[i];
		const struct hot_partition *known = hot_partition_find(old, &own->partition);

		if (!own->partition.product)
			continue;
		own->since_us = known && known->rows ? known->since_us : day->hot_since_us;
		own->sealed_in = known ? known->sealed_in : 0;
		own->wait_us = known ? known->wait_us : 0;
		if (own->since_us < hot->oldest_us)
			hot->oldest_us = own->since_us;
	}
	hot->grown = true;
}

int day_hot_load(struct day *day, MDB_txn *txn, struct error *err)
{
	struct hot old = day->hot;

	if (day->hot.loaded && !day_hot_needs_rebuild(day))
		return 0;
	uint64_t newest;
	int result = hot_rows_newest(day, txn, &newest, err);

	if (result != 0)
		return -1;
	day->hot = (struct hot){ .changes = old.changes + 1 };
	hot_addresses_begin(&day->hot.addresses, &old.addresses, newest);
	result = hot_rows_all(day, txn, load_row, day, err);
	if (result == 0)
		keep_ages(day, &old);
	else
		hot_free(&day->hot);
	hot_free(&old);
	return result;
}
