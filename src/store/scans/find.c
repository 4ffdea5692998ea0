/* SPDX-License-Identifier: ISC */
/*
 * find.c: records by id, in any of 400 days. See scan_find_id in scan.h.
 *
 * The days' filters are asked, their lines fetched a few days ahead, so that the memory answers them side by side; only
 * days that may have the id are opened.
 */
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "store/ids/ids.h"
#include "store/store_private.h"

#define FOUND_IN_DAY_MAX 4096 /* records with one id in one day that are put in order */
#define FILTERS_AHEAD 24      /* as many lines as a processor fetches at a time, or more */

struct find {
	struct store *store;
	const struct catalog_product *product;
	const char *account;
	enum catalog_direction direction;
	struct str id;
	uint64_t hash;
	uint64_t columns;
	int32_t first_day;
	size_t max;
	size_t count;
	scan_record_fn fn;
	void *arg;
	bool stopped;
	struct error *err;

	/* the day at hand */
	struct day *day;
	MDB_txn *txn;
	struct block_reader *reader;
	struct buf found; /* struct found_row each */
	bool failed;
};

/* Where a record with the id is. */
struct found_row {
	struct place place;
	bool sealed;
	uint32_t block;
	uint32_t row;
};

static bool has_id(const struct find *find, const struct record *record)
{
	for (size_t i = 0; i < find->product->lookup_count; i++)
		if (id_equal(record->values[find->product->lookup[i]], find->id))
			return true;
	return false;
}

static uint64_t lookup_columns(const struct catalog_product *product)
{
	uint64_t columns = 0;
	for (size_t i = 0; i < product->lookup_count; i++)
		columns |= UINT64_C(1) << product->lookup[i];
	return columns;
}

/* --- what a day has --- */

static void note(struct find *find, const struct found_row *row)
{
	const struct found_row *rows = (const struct found_row *)(void *)find->found.data;
	size_t count = find->found.len / sizeof(*row);
	for (size_t i = 0; i < count; i++)
		if (place_equal(&rows[i].place, &row->place))
			return;
	if (count < FOUND_IN_DAY_MAX)
		buf_add(&find->found, row, sizeof(*row));
}

static int look_in_hot(struct find *find)
{
	size_t iterator = 0;
	struct found_row row = { .sealed = false };
	struct partition partition = partition_of(find->account, find->product->number, 0);
	while (hot_next(&find->day->hot, find->hash, &iterator, &row.place)) {
		struct record record;
		uint64_t changed_seq;
		MDB_val val;
		int found = day_row_get(find->day, find->txn, &partition, &row.place, &val, find->err);
		if (found < 0 ||
		    (found && record_unpack(&record, find->product, env_str(val), &changed_seq, find->err) != 0))
			return -1;
		if (found && has_id(find, &record) && (!find->direction || row.place.direction == find->direction))
			note(find, &row);
	}
	return 0;
}

static bool take_sealed(void *arg, struct block_reader *reader, uint32_t row_number)
{
	struct find *find = arg;
	struct record record;
	if (block_reader_record(reader, row_number, lookup_columns(find->product), &record, find->err) != 0) {
		find->failed = true;
		return false;
	}
	if (has_id(find, &record))
		note(find, &(struct found_row){ *block_reader_place(reader, row_number), true, reader->number, row_number });
	return true;
}

static int look_in_sealed(struct find *find)
{
	const struct catalog_product *product = find->product;
	for (uint8_t direction = 0; direction <= (product->partition_direction ? CATALOG_INBOUND : 0); direction++) {
		struct partition partition = partition_of(find->account, product->number, direction);
		if (find->direction && direction != find->direction)
			continue;
		if (ids_find(find->day, find->txn, product, &partition, find->hash, find->reader, take_sealed, find,
		             find->err) != 0 ||
		    find->failed)
			return -1;
	}
	return 0;
}

/* --- giving what was found, in order --- */

static int compare_rows(const void *a, const void *b)
{
	const struct found_row *left = a, *right = b;
	return place_compare(&left->place, &right->place);
}

/* Fills *record from where it was found. 1, 0 when it is not there after all, -1. */
static int read_row(struct find *find, struct found_row *row, struct record *record)
{
	struct partition partition = partition_of(find->account, find->product->number, row->place.direction);
	uint64_t changed_seq;
	MDB_val val;
	if (!row->sealed) {
		int found = day_row_get(find->day, find->txn, &partition, &row->place, &val, find->err);
		if (found <= 0)
			return found;
		return record_unpack(record, find->product, env_str(val), &changed_seq, find->err) ? -1 : 1;
	}
	struct block_reader *reader = find->reader;
	int found = block_reader_begin(reader, find->day, find->txn, find->product, &partition, row->block, find->err);
	if (found <= 0)
		return found;
	if (block_reader_load_row(reader, row->row, find->err) != 0)
		return -1;
	return block_reader_record(reader, row->row, find->columns, record, find->err) ? -1 : 1;
}

static int give_found(struct find *find)
{
	struct found_row *rows = (struct found_row *)(void *)find->found.data;
	size_t count = find->found.len / sizeof(*rows);
	if (count > 1)
		qsort(rows, count, sizeof(*rows), compare_rows);
	for (size_t i = 0; i < count && !find->stopped; i++) {
		struct record record;
		int found = read_row(find, &rows[i], &record);
		if (found < 0)
			return -1;
		if (!found)
			continue;
		struct scan_row row = { .record = &record, .time_us = rows[i].place.time_us, .seq = rows[i].place.seq };
		find->count++;
		if (!find->fn(find->arg, &row) || find->count == find->max)
			find->stopped = true;
	}
	return 0;
}

static int find_in_day(struct find *find)
{
	find->txn = env_read(&find->day->env, find->err);
	if (!find->txn)
		return -1;
	buf_clear(&find->found);
	int result = store_day_ready(find->store, find->day, find->txn, find->err);
	if (result == 0)
		result = look_in_hot(find);
	if (result == 0)
		result = look_in_sealed(find);
	if (result == 0 && find->found.failed)
		result = error_set(find->err, ERROR_NOMEM, "records of an id: out of memory");
	if (result == 0)
		result = give_found(find);
	return env_read_end(&find->day->env, find->txn, result, find->err);
}

static int prefetch_filter(struct find *find, size_t day, const struct id_filter_key *key)
{
	struct store *store = find->store;
	if (!store->days[day]->filter && store_day_filter(store, store->days[day], find->err) != 0)
		return -1;
	id_filter_prefetch(store->days[day]->filter, key);
	return 0;
}

static int find_in_days(struct find *find)
{
	struct store *store = find->store;
	struct id_filter_key key;
	size_t first = store_day_index(store, find->first_day), ahead = store->days_count;
	id_filter_key_make(&key, (uint32_t)(find->hash >> 32));
	for (size_t i = store->days_count; i-- > first && !find->stopped;) {
		for (; ahead > first && ahead + FILTERS_AHEAD > i; ahead--)
			if (prefetch_filter(find, ahead - 1, &key) != 0)
				return -1;
		if (!id_filter_may_have(store->days[i]->filter, &key))
			continue;
		find->day = store_day(store, store->day_numbers[i], false, find->err);
		if (!find->day || find_in_day(find) != 0)
			return -1;
	}
	return 0;
}

int scan_find_id_since(struct store *store, const struct catalog_product *product,
                       const char account[SCAN_ACCOUNT_LEN], enum catalog_direction direction, struct str id,
                       uint64_t columns, int32_t first_day, size_t max, scan_record_fn fn, void *arg, size_t *count,
                       struct error *err)
{
	struct find find = { .store = store, .product = product, .account = account, .direction = direction, .id = id,
		             .columns = columns ? columns : SCAN_COLUMNS_ALL, .first_day = first_day, .max = max,
		             .fn = fn, .arg = arg, .err = err };
	find.hash = day_id_hash(account, product->number, id);
	find.reader = store_reader_take(store, err);
	int result = find.reader ? find_in_days(&find) : -1;
	if (find.reader)
		store_reader_give(store, find.reader);
	buf_free(&find.found);
	*count = find.count;
	return result;
}

int scan_find_id(struct store *store, const struct catalog_product *product, const char account[SCAN_ACCOUNT_LEN],
                 enum catalog_direction direction, struct str id, uint64_t columns, size_t max, scan_record_fn fn,
                 void *arg, size_t *count, struct error *err)
{
	return scan_find_id_since(store, product, account, direction, id, columns, INT32_MIN, max, fn, arg, count, err);
}
