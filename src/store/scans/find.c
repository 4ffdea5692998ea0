/* SPDX-License-Identifier: ISC */
/*
 * find.c: records by id, in any of 400 days. See scan_start_find in scan.h.
 *
 * The days' filters are asked, their lines prefetched a few days ahead, so that the loads overlap; only days that may
 * have the id are opened.
 */
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "store/ids/ids.h"
#include "store/scans/scan_private.h"
#include "store/days_store.h"

#define FOUND_IN_DAY_MAX 4096 /* records with one id in one day that are put in order */
#define FILTERS_AHEAD 24      /* as many lines as a processor fetches at a time, or more */

struct find {
	struct scan base;
	struct store *store;
	const struct catalog_product *product;
	const struct account_key *account;
	enum catalog_direction direction;
	struct str id;
	uint64_t hash;
	uint64_t as_given[DAY_AS_GIVEN_MAX]; /* others that days of before may have it by: day.h */
	size_t as_given_count;
	uint64_t columns;
	int32_t first_day;
	size_t left;      /* records that may still be given */
	struct buf found; /* struct found_row each, of the current day */
	bool failed;

	/* of the step that runs */
	struct error *err;
	enum scan_end end;
	bool over; /* no other day is looked at */
	struct day *day;
	MDB_txn *txn;
	struct block_reader *reader;
};

/* Where a record with the id is. */
struct found_row {
	struct position position;
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
		if (position_equal(&rows[i].position, &row->position))
			return;
	if (count < FOUND_IN_DAY_MAX)
		buf_add(&find->found, row, sizeof(*row));
}

static int look_in_hot(struct find *find)
{
	size_t iterator = 0;
	struct found_row row = { .sealed = false };
	struct partition partition = partition_of(find->account, find->product->number, 0);

	uint64_t seq;

	while (hot_next(&find->day->hot, find->hash, &iterator, &seq)) {
		struct record record;
		uint64_t changed_seq;
		MDB_val val;
		int found = day_row_find(find->day, find->txn, &partition, seq, &row.position, &val, find->err);

		if (found < 0 ||
		    (found && record_unpack(&record, find->product, env_str(val), &changed_seq, find->err) != 0))
			return -1;
		if (found && has_id(find, &record) && (!find->direction || row.position.direction == find->direction))
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
		note(find, &(struct found_row){ *block_reader_position(reader, row_number), true, reader->number,
		                                row_number });
	return true;
}

static bool is_as_given(const struct find *find, const struct day *day)
{
	return day->number < find->store->ids_as_given_before && find->as_given_count > 0;
}

static int look_in_runs(struct find *find, const struct partition *partition, uint64_t hash)
{
	if (ids_find(find->day, find->txn, find->product, partition, hash, find->reader, take_sealed, find,
	             find->err) != 0)
		return -1;
	return find->failed ? -1 : 0;
}

static int look_in_sealed(struct find *find)
{
	size_t others = is_as_given(find, find->day) ? find->as_given_count : 0;
	const struct catalog_product *product = find->product;
	uint8_t last = product->partition_direction ? CATALOG_INBOUND : 0;

	for (uint8_t direction = 0; direction <= last; direction++) {
		struct partition partition = partition_of(find->account, product->number, direction);

		if (find->direction && direction != find->direction)
			continue;
		if (look_in_runs(find, &partition, find->hash) != 0)
			return -1;
		for (size_t i = 0; i < others; i++)
			if (look_in_runs(find, &partition, find->as_given[i]) != 0)
				return -1;
	}
	return 0;
}

/* --- giving what was found, in order --- */

static int compare_rows(const void *a, const void *b)
{
	const struct found_row *left = a, *right = b;

	return position_compare(&left->position, &right->position);
}

/* Fills *record from where it was found. 1, 0 when it is not there after all, -1. */
static int read_row(struct find *find, struct found_row *row, struct record *record)
{
	struct partition partition = partition_of(find->account, find->product->number, row->position.direction);
	uint64_t changed_seq;
	MDB_val val;

	if (!row->sealed) {
		int found = day_row_get(find->day, find->txn, &partition, &row->position, &val, find->err);

		if (found <= 0)
			return found;
		return record_unpack(record, find->product, env_str(val), &changed_seq, find->err) ? -1 : 1;
	}
	struct block_reader *reader = find->reader;
	int found = block_reader_begin_row(reader, find->day, find->txn, find->product, &partition, row->block,
	                                   row->row, find->err);
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
	for (size_t i = 0; i < count && !find->over; i++) {
		struct record record;
		int found = read_row(find, &rows[i], &record);

		if (found < 0)
			return -1;
		if (!found)
			continue;
		struct scan_row row = { .record = &record,
			                .time_us = rows[i].position.time_us,
			                .seq = rows[i].position.seq };
		if (!find->base.sink.on_record(find->base.sink.arg, &row))
			find->end = SCAN_STOPPED;
		find->over = --find->left == 0 || find->end == SCAN_STOPPED;
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

static int prefetch_filter(struct find *find, size_t day, const struct bloom_filter_key *key)
{
	struct store *store = find->store;

	if (!store->days[day]->filter && store_day_filter(store, store->days[day], find->err) != 0)
		return -1;
	bloom_filter_prefetch(store->days[day]->filter, key);
	return 0;
}

static bool may_have(const struct find *find, const struct day *day, const struct bloom_filter_key *key)
{
	if (bloom_filter_may_have(day->filter, key))
		return true;
	for (size_t i = 0; is_as_given(find, day) && i < find->as_given_count; i++) {
		struct bloom_filter_key other;

		bloom_filter_key_make(&other, (uint32_t)(find->as_given[i] >> 32));
		if (bloom_filter_may_have(day->filter, &other))
			return true;
	}
	return false;
}

/* All days in one step, whatever the deadline: a record that moved to a day that is done would not be found. */
static int find_in_days(struct find *find)
{
	struct store *store = find->store;
	struct bloom_filter_key key;
	size_t first = store_day_index(store, find->first_day), ahead = store->days_count;

	bloom_filter_key_make(&key, (uint32_t)(find->hash >> 32));
	for (size_t i = store->days_count; i-- > first && !find->over;) {
		for (; ahead > first && ahead + FILTERS_AHEAD > i; ahead--)
			if (prefetch_filter(find, ahead - 1, &key) != 0)
				return -1;
		if (!may_have(find, store->days[i], &key))
			continue;
		find->day = store_day(store, store->day_numbers[i], false, find->err);
		if (!find->day || find_in_day(find) != 0)
			return -1;
	}
	return 0;
}

static int step(struct scan *base, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	struct find *find = (struct find *)base;

	(void)deadline_us;
	find->err = err;
	find->end = SCAN_DONE;
	find->over = find->left == 0;
	find->reader = store_reader_take_for_rows(find->store, err);
	if (!find->reader)
		return -1;
	int result = find_in_days(find);
	store_reader_give(find->store, find->reader);
	*end = find->end;
	return result;
}

static void position(const struct scan *base, struct scan_position *position)
{
	(void)base;
	*position = (struct scan_position){ { 0 } };
}

static void cancel(struct scan *base)
{
	buf_free(&((struct find *)base)->found);
	free(base);
}

struct scan *days_find(struct store *store, const struct scan_find *wanted, const struct scan_sink *sink,
                       struct error *err)
{
	static const struct scan_ops ops = { step, position, cancel };
	struct find *find = calloc(1, sizeof(*find));

	if (!find) {
		error_set(err, ERROR_NOMEM, "Out of memory for a look-up");
		return NULL;
	}
	find->base = (struct scan){ .ops = &ops, .sink = *sink };
	find->store = store;
	find->product = wanted->product;
	find->account = wanted->account;
	find->direction = wanted->direction;
	find->id = wanted->id;
	find->columns = wanted->columns ? wanted->columns : SCAN_COLUMNS_ALL;
	find->first_day = wanted->first_day;
	find->left = wanted->max;
	find->hash = day_id_hash(wanted->account, wanted->product->number, wanted->id);
	find->as_given_count =
		day_id_hashes_as_given(wanted->account, wanted->product->number, wanted->id, find->as_given);
	return &find->base;
}
