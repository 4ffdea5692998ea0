/* SPDX-License-Identifier: ISC */
/*
 * number_search.c: see number_search.h. No read transaction outlives a slice; the place in a day is the key looked at
 * last.
 *
 * A transaction sees each record once, unless several deleted rows lead to it. From one to the next, a record may be
 * sealed, and its block be merged into a new one: it keeps the number of its position. One that moves gets a new number,
 * by which it is known to have come after the search had begun, and keeps its id.
 */
#include "store/cluster/cluster_private.h"
#include "store/cluster/cluster_search.h"
#include "store/number_search.h"

#include <stdlib.h>

#include "base/clock.h"
#include "store/blocks/skip_index.h"
#include "store/erasing/erase_private.h"

#define LOOK_EVERY 64 /* hot rows, between two looks at the clock */

enum stage { STAGE_HOT, STAGE_BLOCKS };

/* Numbers, of which those of the slices before are in order. */
struct given {
	struct buf list; /* uint64_t each */
	size_t sorted;
};

struct number_search {
	struct store *store;
	struct erase *matcher;
	bool has_account; /* only this one is searched */
	struct account_key account;
	number_search_fn fn;
	void (*on_ready)(void *arg);
	void *arg;
	bool ended; /* fn has said so */

	int32_t day; /* current, or the next to look for */
	bool has_day;
	enum stage stage;
	struct hot_place hot_place; /* in the first stage */
	uint8_t key[NUMBER_KEY_LEN];
	size_t key_len; /* 0: the day's, or the account's, first block */
	struct number_search_counts counts;

	/* of the slice */
	int64_t deadline_us;
	struct day *at;
	MDB_txn *txn;

	uint64_t snapshot;   /* the last change before the search began */
	struct given seqs;   /* of the positions of the records found */
	struct given hashes; /* of their ids */

	struct cluster_search *cluster; /* of what is not in days; or NULL */
};

/* Of the columns that may hold the number, those that do. */
static uint64_t columns_with_it(const struct number_search *search, const struct record *record)
{
	uint64_t found = 0;

	for (uint64_t left = erase_columns_of(search->matcher, record->product); left; left &= left - 1)
		if (erase_record_has_it(search->matcher, record, left & -left))
			found |= left & -left;
	return found;
}

static bool give_of_cluster(void *arg, const struct cluster_row *row, size_t shard, const struct record *record)
{
	struct number_search *search = arg;
	uint64_t found = row->is_dead ? 0 : columns_with_it(search, record);

	(void)shard;
	if (found && !search->fn(search->arg, record, row->time_us, found))
		search->ended = true;
	return !search->ended;
}

static void on_cluster_ready(void *arg)
{
	struct number_search *search = arg;

	if (search->on_ready)
		search->on_ready(search->arg); /* it may be gone after this */
}

bool number_search_waits(const struct number_search *search)
{
	return search->cluster && cluster_search_waits(search->cluster);
}

struct number_search *number_search_new(struct store *store, const struct account_key *account, struct str number,
                                        number_search_fn fn, void (*on_ready)(void *arg), void *arg, struct error *err)
{
	struct number_search *search;

	search = calloc(1, sizeof(*search));
	if (!search) {
		error_set(err, ERROR_NOMEM, "search: out of memory");
		return NULL;
	}
	*search = (struct number_search){ .store = store,
		                          .fn = fn,
		                          .on_ready = on_ready,
		                          .arg = arg,
		                          .day = INT32_MIN,
		                          .snapshot = store->snapshot };
	search->has_account = account != NULL;
	if (account)
		search->account = *account;
	search->counts.days_total = store->days_count;
	search->matcher = erase_new_matcher(number, err);
	if (!search->matcher) {
		free(search);
		return NULL;
	}
	const struct cluster_search_scope scope = { .accounts = account ? &search->account : NULL,
		                                    .accounts_count = account != NULL,
		                                    .number = erase_bare_number(search->matcher) };
	if (store->cluster)
		search->cluster = cluster_search_new(store->cluster, &scope, give_of_cluster, on_cluster_ready, search);
	if (!store->cluster || search->cluster)
		return search;
	number_search_free(search);
	error_set(err, ERROR_NOMEM, "search: out of memory");
	return NULL;
}

void number_search_free(struct number_search *search)
{
	if (!search)
		return;
	cluster_search_free(search->cluster);
	erase_free(search->matcher);
	buf_free(&search->seqs.list);
	buf_free(&search->hashes.list);
	free(search);
}

void number_search_counts(const struct number_search *search, struct number_search_counts *counts)
{
	*counts = search->counts;
}

/* --- what was given --- */

static int compare(const void *a, const void *b)
{
	uint64_t left, right;

	memcpy(&left, a, sizeof(left));
	memcpy(&right, b, sizeof(right));
	return (left > right) - (left < right);
}

static void given_sort(struct given *given)
{
	size_t count = given->list.len / sizeof(uint64_t);

	if (count > given->sorted)
		qsort(given->list.data, count, sizeof(uint64_t), compare);
	given->sorted = count;
}

static bool given_has(const struct given *given, uint64_t number)
{
	return given->sorted > 0 && bsearch(&number, given->list.data, given->sorted, sizeof(number), compare);
}

static bool was_given(const struct number_search *search, uint64_t seq, uint64_t hash)
{
	return given_has(&search->seqs, seq) || (seq > search->snapshot && given_has(&search->hashes, hash));
}

/* Was it given in this transaction? */
static bool was_just_given(const struct number_search *search, uint64_t seq)
{
	const struct given *given = &search->seqs;
	uint64_t number;

	for (size_t at = given->sorted * sizeof(number); at < given->list.len; at += sizeof(number)) {
		memcpy(&number, given->list.data + at, sizeof(number));
		if (number == seq)
			return true;
	}
	return false;
}

/* --- a record --- */

static void give(struct number_search *search, const struct partition *partition, const struct record *record,
                 const struct position *position)
{
	const struct catalog_product *product = record->product;
	uint64_t hash = day_id_hash(&partition->account, product->number, record->values[product->id_column]);
	uint64_t found = columns_with_it(search, record);

	if (!found || was_given(search, position->seq, hash))
		return;
	buf_add(&search->seqs.list, &position->seq, sizeof(position->seq));
	buf_add(&search->hashes.list, &hash, sizeof(hash));
	if (!search->fn(search->arg, record, position->time_us, found))
		search->ended = true;
}

struct hot_search {
	struct number_search *search;
	const struct day *day;
	unsigned looks;
};

/* A hot_row_fn. */
static int take_hot(void *arg, const struct hot_place *place, MDB_val val, struct error *err)
{
	struct hot_search *hot = arg;
	struct number_search *search = hot->search;
	struct record record;

	if (erase_may_be_in(search->matcher, val.mv_data, val.mv_size)) {
		int found = day_row_read(hot->day, &place->partition, val, &record, err);

		if (found < 0)
			return -1;
		if (found > 0)
			give(search, &place->partition, &record, &place->position);
	}
	return search->ended || (++hot->looks % LOOK_EVERY == 0 && clock_monotonic_us() >= search->deadline_us);
}

/* As search_blocks. */
static int search_hot(struct number_search *search, struct day *day, MDB_txn *txn, struct error *err)
{
	struct hot_search hot = { .search = search, .day = day };

	if (!search->has_account)
		return hot_rows_each(day, txn, &search->hot_place, take_hot, &hot, err);
	return hot_rows_each_of(day, txn, &search->account, &search->hot_place, take_hot, &hot, err);
}

/* The version over a row that was replaced: the hot rows may have been searched before it was there. Several such rows may
 * lead to the same. */
static int take_newer(struct number_search *search, const struct partition *partition, struct position position,
                      struct error *err)
{
	struct partition own = *partition;
	struct record record;
	MDB_val val;
	int found = day_row_get(search->at, search->txn, partition, &position, &val, err);

	if (found > 0) {
		own.direction = position.direction;
		found = day_row_read(search->at, &own, val, &record, err);
	}
	if (found > 0 && !was_just_given(search, position.seq))
		give(search, &own, &record, &position);
	return found < 0 ? -1 : 0;
}

static int take_row(void *arg, struct block_reader *reader, uint32_t row, struct error *err)
{
	struct number_search *search = arg;
	const struct position *position = block_reader_position(reader, row);
	struct record record;

	if (search->ended)
		return 0;
	if (block_reader_is_deleted(reader, row))
		return take_newer(search, &reader->partition, *position, err);
	if (block_reader_record(reader, row, SCAN_COLUMNS_ALL, &record, err) != 0)
		return -1;
	give(search, &reader->partition, &record, position);
	return 0;
}

static int take_block(struct number_search *search, struct day *day, MDB_txn *txn, MDB_val key, struct error *err)
{
	struct block_reader *reader = &search->matcher->reader;
	struct partition partition;
	uint32_t number;

	if (!number_key_read(key, &partition, &number))
		return error_set(err, ERROR_CORRUPT, "%s: an entry of blocks cannot be read", day->env.path);
	const struct catalog_product *product = catalog_product_numbered(partition.product);
	if (!product)
		return error_set(err, ERROR_CORRUPT, "%s: product number %u is unknown", day->env.path,
		                 partition.product);
	uint64_t columns = erase_columns_of(search->matcher, product);
	if (!columns)
		return 0;
	int there = block_reader_begin(reader, day, txn, product, &partition, number, err);
	if (there <= 0 || block_reader_check_skip(reader, err) != 0)
		return there == 0 ? 0 : -1;
	return erase_search_block(search->matcher, columns, take_row, search, err) < 0 ? -1 : 0;
}

/* --- a day --- */

/* The entry after the key looked at last, or the first that may be wanted. */
static int seek(const struct number_search *search, MDB_cursor *cursor, MDB_val *key, MDB_val *val)
{
	if (search->key_len > 0 || !search->has_account)
		return env_seek_after(cursor, env_val(search->key, search->key_len), key, val);
	*key = env_val(search->account.bytes, ACCOUNT_KEY_LEN);
	return mdb_cursor_get(cursor, key, val, MDB_SET_RANGE);
}

static bool is_wanted(const struct number_search *search, MDB_val key)
{
	return !search->has_account ||
	       (key.mv_size >= ACCOUNT_KEY_LEN && memcmp(key.mv_data, search->account.bytes, ACCOUNT_KEY_LEN) == 0);
}

/* 1 at the end, 0 to continue, -1. */
static int walk(struct number_search *search, struct day *day, MDB_txn *txn, MDB_cursor *cursor, struct error *err)
{
	MDB_val key, val;
	int rc = seek(search, cursor, &key, &val);

	for (; !rc && is_wanted(search, key); rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) {
		if (take_block(search, day, txn, key, err) != 0)
			return -1;
		search->key_len = key.mv_size < sizeof(search->key) ? key.mv_size : sizeof(search->key);
		memcpy(search->key, key.mv_data, search->key_len);
		if (search->ended || clock_monotonic_us() >= search->deadline_us)
			return 0;
	}
	return rc && rc != MDB_NOTFOUND ? env_fail(&day->env, rc, "search", err) : 1;
}

static int search_blocks(struct number_search *search, struct day *day, MDB_txn *txn, struct error *err)
{
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(txn, day->env.dbi[DAY_BLOCKS], &cursor);

	if (rc)
		return env_fail(&day->env, rc, "open cursor", err);
	search->matcher->reader.number = UINT32_MAX; /* what it had was another transaction's */
	int result = walk(search, day, txn, cursor, err);
	mdb_cursor_close(cursor);
	return result;
}

/* 1 at the end of the stage, 0 to continue, -1. */
static int search_day(struct number_search *search, struct day *day, struct error *err)
{
	MDB_txn *txn = env_read(&day->env, err);

	if (!txn)
		return -1;
	given_sort(&search->seqs);
	given_sort(&search->hashes);
	search->at = day;
	search->txn = txn;
	int result =
		search->stage == STAGE_HOT ? search_hot(search, day, txn, err) : search_blocks(search, day, txn, err);
	if (result >= 0 && (search->seqs.list.failed || search->hashes.list.failed))
		result = error_set(err, ERROR_NOMEM, "search: out of memory");
	return env_read_end(&day->env, txn, result, err);
}

static void next_stage(struct number_search *search)
{
	search->key_len = 0;
	if (search->stage == STAGE_HOT) {
		search->stage = STAGE_BLOCKS;
		return;
	}
	search->day++;
	search->has_day = false;
	search->counts.days_done++;
}

int number_search_step(struct number_search *search, int64_t deadline_us, bool *done, struct error *err)
{
	struct store *store = search->store;

	search->deadline_us = deadline_us;
	if (search->cluster) {
		if (cluster_search_step(search->cluster, deadline_us, done, err) != 0)
			return -1;
		if (!*done || search->ended)
			return 0;
		cluster_search_free(search->cluster);
		search->cluster = NULL;
	}
	do {
		size_t at = store_day_index(store, search->day);

		*done = search->ended || at == store->days_count;
		if (*done)
			return 0;
		if (!search->has_day || store->day_numbers[at] != search->day) {
			search->day = store->day_numbers[at];
			search->has_day = true;
			search->stage = STAGE_HOT;
			search->hot_place = (struct hot_place){ 0 };
			search->key_len = 0;
		}
		struct day *day = store_day(store, search->day, false, err);
		int result = day ? search_day(search, day, err) : -1;
		if (result < 0)
			return -1;
		if (result > 0)
			next_stage(search);
	} while (clock_monotonic_us() < deadline_us);
	*done = search->ended;
	return 0;
}
