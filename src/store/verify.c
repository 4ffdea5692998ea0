/* SPDX-License-Identifier: ISC */
/*
 * verify.c: see verify.h.
 *
 * A day is walked run by run, a run block by block. The run's entries are gathered from the rows and compared with what
 * is stored. Between slices no transaction is held; a run that has been merged away meanwhile is passed over.
 */
#include "store/verify.h"

#include <isa-l/crc.h>
#include <stdlib.h>

#include "base/clock.h"
#include "meta/accounts.h"
#include "store/blocks/bundle.h"
#include "store/days/hot_rows.h"
#include "store/ids/ids.h"
#include "store/days_store.h"

#define HOT_ROWS_AT_ONCE 1000

enum stage { STAGE_HOT, STAGE_RUNS, STAGE_BUNDLES, STAGE_COUNT };

struct verify {
	struct store *store;
	verify_fault_fn fn;
	void *arg;
	int32_t day; /* the current one, or the next to look for */
	int32_t last_day;
	enum stage stage;
	struct hot_place hot_place;      /* the hot row looked at last */
	uint8_t run_key[NUMBER_KEY_LEN]; /* of the current run */
	bool has_run;
	bool run_is_damaged; /* its ids cannot be compared with its rows */
	uint32_t run_first;  /* its first block, and how many it has: a merge cuts runs */
	uint32_t run_blocks;
	uint32_t block;            /* of the run, to be looked at next */
	struct buf entries;        /* ids_entry of its rows so far */
	struct buf entries_before; /* the same as they were before ids_as_given_before; empty after it */
	uint32_t run_rows;
	uint64_t day_blocks; /* that runs lead to */
	uint32_t bundle;     /* to be looked at next, if it is there */
	uint64_t seals;      /* of the day when it was begun */
	struct block_reader reader;
	struct verify_counts counts;
};

static void report(struct verify *verify, const char *fault)
{
	verify->counts.faults++;
	verify->fn(verify->arg, fault);
}

static void report_day(struct verify *verify, const char *what)
{
	struct buf text = { 0 };

	buf_add_text(&text, "day ");
	clock_format_day(&text, verify->day);
	buf_addf(&text, ": %s", what);
	report(verify, buf_cstr(&text) ? text.data : what);
	buf_free(&text);
}

/* Running out of memory says nothing about the data: -1 then. */
static int report_unless_short(struct verify *verify, const struct error *fault, struct error *err)
{
	if (fault->code == ERROR_NOMEM) {
		*err = *fault;
		return -1;
	}
	report(verify, fault->message);
	return 0;
}

struct verify *verify_new(struct store *store, const int32_t *day, verify_fault_fn fn, void *arg, struct error *err)
{
	size_t count;
	const int32_t *days = store_days(store, &count);
	struct verify *verify = calloc(1, sizeof(*verify));

	if (!verify) {
		error_set(err, ERROR_NOMEM, "verify: out of memory");
		return NULL;
	}
	*verify = (struct verify){ .store = store, .fn = fn, .arg = arg, .day = INT32_MIN, .last_day = INT32_MAX };
	verify->counts.days_total = day ? 1 : count;
	if (!day)
		return verify;
	verify->day = verify->last_day = *day;
	for (size_t i = 0; i < count; i++)
		if (days[i] == *day)
			return verify;
	free(verify);
	error_set(err, ERROR_NOT_FOUND, "there are no records of that day");
	return NULL;
}

void verify_free(struct verify *verify)
{
	if (!verify)
		return;
	buf_free(&verify->entries);
	buf_free(&verify->entries_before);
	block_reader_free(&verify->reader);
	free(verify);
}

void verify_counts(const struct verify *verify, struct verify_counts *counts)
{
	*counts = verify->counts;
}

/* --- hot rows --- */

static bool filter_has(const struct day *day, uint64_t hash)
{
	struct bloom_filter_key key;

	if (!day->filter)
		return true; /* it has been told why there is none */
	bloom_filter_key_make(&key, (uint32_t)(hash >> 32));
	return bloom_filter_may_have(day->filter, &key);
}

static bool is_before(const struct verify *verify, const struct day *day)
{
	return day->number < verify->store->ids_as_given_before;
}

static bool filter_has_as_given(const struct day *day, const struct account_key *account, uint8_t product,
                                struct str id)
{
	uint64_t hashes[DAY_AS_GIVEN_MAX];
	size_t count = day_id_hashes_as_given(account, product, id, hashes);

	for (size_t i = 0; i < count; i++)
		if (filter_has(day, hashes[i]))
			return true;
	return false;
}

/* Would a look-up by each of the record's ids look into the day? */
static bool filter_has_ids(const struct verify *verify, const struct day *day, const struct account_key *account,
                           const struct record *record)
{
	const struct catalog_product *product = record->product;

	for (size_t i = 0; i < product->lookup_count; i++) {
		struct str id = record->values[product->lookup[i]];

		if (!id.len || filter_has(day, day_id_hash(account, product->number, id)))
			continue;
		if (!is_before(verify, day) || !filter_has_as_given(day, account, product->number, id))
			return false;
	}
	return true;
}

static int check_hot_row(struct verify *verify, const struct day *day, const struct hot_place *place, MDB_val val,
                         struct error *err)
{
	struct record record;
	int found = day_row_read(day, &place->partition, val, &record, err);

	if (found <= 0)
		return found;
	verify->counts.rows++;
	if (!filter_has_ids(verify, day, &place->partition.account, &record))
		return error_set(err, ERROR_CORRUPT,
		                 "day %d, account %s, %.*s: an id of a hot row is not in the filter", verify->day,
		                 accounts_key_text(verify->store->meta, &place->partition.account).text,
		                 STR_ARGS(record.product->name));
	return 0;
}

struct hot_check {
	struct verify *verify;
	struct day *day;
	unsigned rows;
};

/* A hot_row_fn. */
static int take_hot_row(void *arg, const struct hot_place *place, MDB_val val, struct error *err)
{
	struct hot_check *check = arg;
	struct error fault;

	if (check_hot_row(check->verify, check->day, place, val, &fault) != 0 &&
	    report_unless_short(check->verify, &fault, err) != 0)
		return -1;
	return ++check->rows == HOT_ROWS_AT_ONCE;
}

/* Looks at the next HOT_ROWS_AT_ONCE of them. 1 when all are done, 0, -1. (What the day knows of its hot rows must stay
 * as it is: it may know of rows that are not committed.) */
static int step_hot(struct verify *verify, struct day *day, MDB_txn *txn, struct error *err)
{
	struct hot_check check = { .verify = verify, .day = day };

	if (store_day_ready(verify->store, day, txn, err) != 0)
		return -1;
	return hot_rows_each(day, txn, &verify->hot_place, take_hot_row, &check, err);
}

/* --- a block --- */

static bool is_right(struct str part, uint32_t crc32)
{
	return crc32_gzip_refl(0, (const uint8_t *)part.p, part.len) == crc32;
}

static int check_parts(struct verify *verify, struct error *err)
{
	const struct block_view *view = &verify->reader.view;
	const char *damaged = NULL;

	if (!is_right(view->skip, view->head.skip_crc32))
		damaged = "skip";
	else if (!is_right(view->columns, view->head.columns_crc32))
		damaged = "columns";
	else if (!is_right(view->extra, view->head.extra_crc32))
		damaged = "extra";
	if (!damaged)
		return 0;
	return error_set(err, ERROR_CORRUPT, "day %d, account %s, %.*s, block %u: the %s part is damaged", verify->day,
	                 accounts_key_text(verify->store->meta, &verify->reader.partition.account).text,
	                 STR_ARGS(verify->reader.product->name), verify->reader.number, damaged);
}

static void add_entries(struct buf *entries, const uint64_t *hashes, size_t count, uint32_t row)
{
	for (size_t i = 0; i < count; i++) {
		ids_entry entry = ids_entry_of(hashes[i], row);
		buf_add(entries, &entry, sizeof(entry));
	}
}

/* Adds the ids of a row to those of the run, and asks the filter for them. */
static int check_row(struct verify *verify, const struct day *day, uint32_t row, struct error *err)
{
	const struct account_key *account = &verify->reader.partition.account;
	struct record record;
	uint64_t hashes[CATALOG_COLUMNS_MAX];

	if (block_reader_record(&verify->reader, row, SCAN_COLUMNS_ALL, &record, err) != 0)
		return -1;
	add_entries(&verify->entries, hashes, day_id_hashes(account, &record, hashes, NULL), verify->run_rows);
	if (is_before(verify, day))
		add_entries(&verify->entries_before, hashes, day_id_hashes_before(account, &record, hashes),
		            verify->run_rows);
	if (!filter_has_ids(verify, day, account, &record))
		return error_set(err, ERROR_CORRUPT,
		                 "day %d, account %s, %.*s, block %u: an id of row %u is not in the filter",
		                 verify->day, accounts_key_text(verify->store->meta, account).text,
		                 STR_ARGS(verify->reader.product->name), verify->reader.number, row);
	verify->run_rows++;
	return 0;
}

static int check_rows(struct verify *verify, const struct day *day, struct error *err)
{
	struct block_reader *reader = &verify->reader;
	uint32_t crc = 0, csv_bytes = 0;

	for (uint32_t row = 0; row < reader->view.head.rows; row++) {
		if (block_reader_load(reader, row, err) != 0)
			return -1;
		if (row == reader->segment.first_row) {
			crc = crc32_gzip_refl(crc, (const uint8_t *)reader->text.data, reader->text.len);
			csv_bytes += (uint32_t)reader->text.len;
		}
		if (check_row(verify, day, row, err) != 0)
			return -1;
	}
	if (crc != reader->view.head.csv_crc32 || csv_bytes != reader->view.head.csv_bytes)
		return error_set(err, ERROR_CORRUPT,
		                 "day %d, account %s, %.*s, block %u: the lines are not those that were sealed",
		                 verify->day, accounts_key_text(verify->store->meta, &reader->partition.account).text,
		                 STR_ARGS(reader->product->name), reader->number);
	return 0;
}

static int check_block(struct verify *verify, struct day *day, MDB_txn *txn, const struct partition *partition,
                       uint32_t number, struct error *err)
{
	struct block_reader *reader = &verify->reader;
	const struct catalog_product *product = catalog_product_numbered(partition->product);

	if (!product)
		return error_set(err, ERROR_CORRUPT, "day %d: product number %u is unknown", verify->day,
		                 partition->product);
	int found = block_reader_begin(reader, day, txn, product, partition, number, err);
	if (found == 0)
		return error_set(err, ERROR_CORRUPT, "day %d, account %s, %.*s, block %u: is not there", verify->day,
		                 accounts_key_text(verify->store->meta, &partition->account).text,
		                 STR_ARGS(product->name), number);
	if (found < 0 || check_parts(verify, err) != 0)
		return -1;
	verify->counts.blocks++;
	verify->counts.rows += reader->view.head.rows;
	verify->counts.bytes += reader->view.head.deflate_bytes;
	return check_rows(verify, day, err);
}

/* --- a run --- */

static void begin_run(struct verify *verify, MDB_val key)
{
	memcpy(verify->run_key, key.mv_data, NUMBER_KEY_LEN);
	verify->has_run = true;
	verify->run_is_damaged = false;
	verify->block = 0;
	verify->run_rows = 0;
	buf_clear(&verify->entries);
	buf_clear(&verify->entries_before);
}

/* Finds the run to continue with: the current or the next one. 1 with *val, 0 when there are no more, -1. */
static int find_run(struct verify *verify, struct day *day, MDB_txn *txn, MDB_val *val, struct error *err)
{
	MDB_cursor *cursor;
	MDB_val key = env_val(verify->run_key, NUMBER_KEY_LEN);
	int rc = mdb_cursor_open(txn, day->env.dbi[DAY_BLOCK_IDS], &cursor);

	if (rc)
		return env_fail(&day->env, rc, "open cursor", err);
	bool same = verify->has_run && verify->block != UINT32_MAX;
	rc = mdb_cursor_get(cursor, &key, val, verify->has_run ? MDB_SET_RANGE : MDB_FIRST);
	bool there = !rc && verify->has_run && key.mv_size == NUMBER_KEY_LEN &&
	             memcmp(key.mv_data, verify->run_key, NUMBER_KEY_LEN) == 0;
	if (there && !same)
		rc = mdb_cursor_get(cursor, &key, val, MDB_NEXT);
	if (!rc && key.mv_size == NUMBER_KEY_LEN && !(there && same))
		begin_run(verify, key);
	mdb_cursor_close(cursor);
	if (rc)
		return rc == MDB_NOTFOUND ? 0 : env_fail(&day->env, rc, "read ids", err);
	return 1;
}

/* Do these entries make another run than the stored one? 1, 0, -1 when out of memory. */
static int run_differs(struct buf *entries, MDB_val val, const struct ids_run *run, struct error *err)
{
	struct buf made = { 0 }, scratch = { 0 };
	size_t count = entries->len / sizeof(ids_entry);
	int differs = -1;

	buf_reserve(&scratch, entries->len + 1);
	uint32_t *rows = malloc((run->blocks + 1) * sizeof(*rows));
	if (rows && !scratch.failed && !entries->failed) {
		memcpy(rows, run->rows, run->blocks * sizeof(*rows));
		ids_sort((ids_entry *)(void *)entries->data, (ids_entry *)(void *)scratch.data, count);
		ids_write(&made, run->first_block, rows, run->blocks, (const ids_entry *)(const void *)entries->data,
		          count);
		if (!made.failed)
			differs = !str_equal(buf_str(&made), env_str(val));
	}
	if (differs < 0)
		error_set(err, ERROR_NOMEM, "verify: out of memory");
	free(rows);
	buf_free(&made);
	buf_free(&scratch);
	return differs;
}

/* Is the stored run what its rows say? */
static int check_run(struct verify *verify, MDB_val val, const struct ids_run *run, struct error *err)
{
	int differs = run_differs(&verify->entries, val, run, err);

	if (differs > 0 && (verify->entries_before.len > 0 || verify->entries_before.failed))
		differs = run_differs(&verify->entries_before, val, run, err);
	if (differs > 0)
		report_day(verify, "a run of ids is not what its rows say");
	return differs < 0 ? -1 : 0;
}

/* Looks at one block. 1 when all runs are done, 0, -1. */
static int step_runs(struct verify *verify, struct day *day, MDB_txn *txn, struct error *err)
{
	struct partition partition;
	struct ids_run run;
	struct error fault;
	MDB_val val;
	uint32_t number;
	int found = find_run(verify, day, txn, &val, err);

	if (found <= 0)
		return found < 0 ? -1 : 1;
	MDB_val key = env_val(verify->run_key, NUMBER_KEY_LEN);
	if (!ids_run_read(val, &run) || !number_key_read(key, &partition, &number)) {
		report_day(verify, "a run of ids is damaged");
		verify->block = UINT32_MAX;
		return 0;
	}
	if (verify->block > 0 && (verify->run_first != run.first_block || verify->run_blocks != run.blocks)) {
		begin_run(verify, key);
		return 0;
	}
	verify->run_first = run.first_block;
	verify->run_blocks = run.blocks;
	if (verify->block < run.blocks) {
		if (check_block(verify, day, txn, &partition, run.first_block + verify->block, &fault) != 0) {
			if (report_unless_short(verify, &fault, err) != 0)
				return -1;
			verify->run_is_damaged = true;
		}
		verify->day_blocks++;
		verify->block++;
		return 0;
	}
	if (!verify->run_is_damaged && check_run(verify, val, &run, err) != 0)
		return -1;
	verify->block = UINT32_MAX;
	return 0;
}

/* --- bundles --- */

/* Looks at the next bundle. 1 when all are done, 0, -1. */
static int step_bundles(struct verify *verify, struct day *day, MDB_txn *txn, struct error *err)
{
	uint32_t big = htobe32(verify->bundle);
	const char *fault = NULL;
	MDB_cursor *cursor;
	MDB_val key = env_val(&big, sizeof(big)), val;
	int rc = mdb_cursor_open(txn, day->env.dbi[DAY_BUNDLES], &cursor);

	if (rc)
		return env_fail(&day->env, rc, "open cursor", err);
	rc = mdb_cursor_get(cursor, &key, &val, MDB_SET_RANGE);
	mdb_cursor_close(cursor);
	if (rc)
		return rc == MDB_NOTFOUND ? 1 : env_fail(&day->env, rc, "read bundles", err);
	verify->bundle = bundle_number_read(key);
	if (bundle_check(day, txn, verify->bundle++, val, &fault, err) != 0)
		return -1;
	if (fault)
		report_day(verify, fault);
	return 0;
}

/* Are there blocks that no run leads to? Not asked where blocks have changed meanwhile. */
static void check_count(struct verify *verify, struct day *day, MDB_txn *txn)
{
	MDB_stat blocks, data;

	if (day->seals != verify->seals || mdb_stat(txn, day->env.dbi[DAY_BLOCKS], &blocks) != 0 ||
	    mdb_stat(txn, day->env.dbi[DAY_BLOCK_DATA], &data) != 0)
		return;
	if (blocks.ms_entries != data.ms_entries)
		report_day(verify, "the list of blocks and the blocks differ in number");
	else if (blocks.ms_entries > verify->day_blocks)
		report_day(verify, "there are blocks that no run of ids leads to");
}

static void begin_runs(struct verify *verify, const struct day *day)
{
	verify->stage = STAGE_RUNS;
	verify->has_run = false;
	verify->day_blocks = 0;
	verify->bundle = 0;
	verify->seals = day->seals;
}

static int step_day(struct verify *verify, struct day *day, struct error *err)
{
	MDB_txn *txn = env_read(&day->env, err);
	int result = 0;

	if (!txn)
		return -1;
	if (verify->stage == STAGE_HOT) {
		int found = step_hot(verify, day, txn, err);

		if (found < 0 && err->code == ERROR_NOMEM)
			result = -1;
		else if (found < 0)
			report(verify, err->message);
		if (found != 0 && result == 0)
			begin_runs(verify, day);
	} else if (verify->stage == STAGE_RUNS) {
		result = step_runs(verify, day, txn, err);
		if (result > 0)
			verify->stage = STAGE_BUNDLES;
		result = result < 0 ? -1 : 0;
	} else if (verify->stage == STAGE_BUNDLES) {
		result = step_bundles(verify, day, txn, err);
		if (result > 0)
			verify->stage = STAGE_COUNT;
		result = result < 0 ? -1 : 0;
	} else {
		check_count(verify, day, txn);
		result = 1;
	}
	return env_read_end(&day->env, txn, result, err);
}

static void begin_day(struct verify *verify)
{
	verify->stage = STAGE_HOT;
	verify->hot_place = (struct hot_place){ 0 };
}

static void next_day(struct verify *verify)
{
	verify->counts.days++;
	begin_day(verify);
	verify->day++;
}

int verify_step(struct verify *verify, int64_t deadline_us, bool *done, struct error *err)
{
	struct store *store = verify->store;

	*done = false;
	do {
		size_t at = store_day_index(store, verify->day);

		if (at == store->days_count || store->day_numbers[at] > verify->last_day) {
			*done = true;
			return 0;
		}
		if (store->day_numbers[at] != verify->day)
			begin_day(verify);
		verify->day = store->day_numbers[at];
		struct day *day = store_day(store, verify->day, false, err);
		int result = day ? step_day(verify, day, err) : -1;
		if (result < 0 && err->code == ERROR_NOMEM)
			return -1;
		if (result < 0)
			report(verify, err->message);
		if (result != 0)
			next_day(verify);
	} while (clock_monotonic_us() < deadline_us);
	return 0;
}
