/* SPDX-License-Identifier: ISC */
/*
 * takeover_walk.c: the rows of a day that have changed since: the hot ones, in the order of their log, then the blocks, in
 * that of their keys. See takeover_private.h.
 *
 * No read transaction outlives a slice. A row that is sealed between two is in a block, and blocks are read last; one
 * that is replaced or moved has a later change then, for the next walk. Tombstones have no id, so they are followed to the
 * record, once the transaction that has found them has ended: as a scan whose snapshot is of before the move sees it.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "store/scans/scan_private.h"
#include "store/takeover/takeover_private.h"

#define LOOK_EVERY 32 /* rows between looks at the clock */
#define LEFT_MAX 64   /* tombstones to be followed */

struct takeover_left {
	struct partition partition;
	struct position position;
	uint64_t until;
};

/* A slice's reading of a day. */
struct reading {
	struct takeover_walk *walk;
	struct day *day;
	MDB_txn *txn;
	unsigned looks;
};

static bool is_late(struct reading *reading)
{
	return ++reading->looks % LOOK_EVERY == 0 && clock_monotonic_us() >= reading->walk->deadline_us;
}

/* --- hot rows --- */

static int note_left(struct reading *reading, const struct hot_place *place, uint64_t until, struct error *err)
{
	struct takeover_walk *walk = reading->walk;
	const struct takeover_left left = { place->partition, place->position, until };

	if (until <= walk->since)
		return is_late(reading);
	buf_add(&walk->left, &left, sizeof(left));
	if (walk->left.failed)
		return error_set(err, ERROR_NOMEM, "a move to the cluster: out of memory");
	return is_late(reading) || walk->left.len >= LEFT_MAX * sizeof(left);
}

/* A hot_row_fn. */
static int take_hot(void *arg, const struct hot_place *place, MDB_val val, struct error *err)
{
	struct reading *reading = arg;
	struct takeover_walk *walk = reading->walk;
	const struct catalog_product *product = catalog_product_numbered(place->partition.product);
	struct day_tombstone tombstone;
	struct record record;
	uint64_t version;

	if (product && product->own)
		return is_late(reading);
	if (day_tombstone_read(val, &tombstone))
		return note_left(reading, place, tombstone.until, err);
	if (!record_changed_seq(env_str(val), &version))
		return error_set(err, ERROR_CORRUPT, "%s: a hot row cannot be read", reading->day->env.path);
	if (version <= walk->since)
		return is_late(reading);
	if (day_row_read(reading->day, &place->partition, val, &record, err) < 0)
		return -1;
	const struct takeover_row row = { .product = product,
		                          .partition = place->partition,
		                          .position = place->position,
		                          .version = version,
		                          .record = &record };
	int result = walk->fn(walk->arg, &row, err);

	return result != 0 ? result : is_late(reading);
}

/* --- where tombstones are --- */

struct following {
	struct takeover_walk *walk;
	const struct takeover_left *left;
	const struct catalog_product *product;
	int result;
	struct error *err;
};

/* A scan_record_fn. */
static bool take_left(void *arg, const struct scan_row *row)
{
	struct following *following = arg;
	const struct takeover_left *left = following->left;

	if (row->seq != left->position.seq)
		return false; /* it is gone */
	const struct takeover_row dead = { .product = following->product,
		                           .partition = left->partition,
		                           .position = left->position,
		                           .version = left->until,
		                           .is_dead = true,
		                           .record = row->record };

	following->result = following->walk->fn(following->walk->arg, &dead, following->err);
	return false;
}

/* As a takeover_row_fn. A record that is gone has nothing to be told of. */
static int follow(struct takeover_walk *walk, const struct takeover_left *left, struct error *err)
{
	struct following following = {
		.walk = walk, .left = left, .product = catalog_product_numbered(left->partition.product), .err = err
	};
	const struct scan_query query = { .product = following.product,
		                          .direction = (enum catalog_direction)left->partition.direction,
		                          .accounts = &left->partition.account,
		                          .accounts_count = 1,
		                          .from_us = left->position.time_us,
		                          .to_us = left->position.time_us + 1,
		                          .snapshot = left->until - 1 };
	const struct scan_sink sink = { .on_record = take_left, .arg = &following };
	/* The first row is the one: as many as a producer likes may be at this microsecond. */
	const struct scan_at before = { .day = clock_day_of(left->position.time_us),
		                        .time_us = left->position.time_us,
		                        .seq = left->position.seq - 1 };
	struct scan_position from;
	enum scan_end end = SCAN_PAUSED;

	if (!following.product)
		return error_set(err, ERROR_CORRUPT, "product number %u is unknown", left->partition.product);
	scan_at_write(&before, &from);
	struct scan *scan = days_scan(walk->store, &query, &from, &sink, err);

	if (!scan)
		return -1;
	while (end == SCAN_PAUSED && following.result == 0)
		if (scan_step(scan, INT64_MAX, &end, err) != 0)
			following.result = -1;
	scan_cancel(scan);
	return following.result;
}

/* 1 when none are left, 0 when it is to pause, -1. The last ones come first. */
static int follow_all(struct takeover_walk *walk, struct error *err)
{
	struct takeover_left left;

	while (walk->left.len > 0) {
		memcpy(&left, walk->left.data + walk->left.len - sizeof(left), sizeof(left));
		int result = follow(walk, &left, err);

		if (result < 0)
			return -1;
		walk->left.len -= sizeof(left);
		if (result > 0 || clock_monotonic_us() >= walk->deadline_us)
			return walk->left.len == 0;
	}
	return 1;
}

/* --- blocks --- */

/* Gives a row of the reader's block. As a takeover_row_fn. */
static int give_sealed(struct takeover_walk *walk, const struct partition *partition, uint32_t row, struct error *err)
{
	struct block_reader *reader = walk->reader;
	struct record record;

	if (block_reader_load(reader, row, err) != 0)
		return -1;
	const struct position position = *block_reader_position(reader, row);
	uint64_t version = block_reader_changed(reader, row, position.seq);

	if (version <= walk->since)
		return 0;
	if (block_reader_record(reader, row, SCAN_COLUMNS_ALL, &record, err) != 0)
		return -1;
	record_set_account_key(&record, &partition->account);
	const struct takeover_row given = { .product = reader->product,
		                            .partition = *partition,
		                            .position = position,
		                            .version = version,
		                            .record = &record };

	return walk->fn(walk->arg, &given, err);
}

/* The rows of the block from walk->at.rows on. 1 at its end, 0, -1. */
static int read_block(struct reading *reading, const struct partition *partition, uint32_t number, struct error *err)
{
	struct takeover_walk *walk = reading->walk;
	const struct catalog_product *product = catalog_product_numbered(partition->product);

	if (!product)
		return error_set(err, ERROR_CORRUPT, "%s: product number %u is unknown", reading->day->env.path,
		                 partition->product);
	if (product->own)
		return 1;
	int found = block_reader_begin(walk->reader, reading->day, reading->txn, product, partition, number, err);

	if (found <= 0)
		return found < 0 ? -1 : 1;
	for (uint32_t row = walk->at.rows; row < walk->reader->view.head.rows; row++) {
		int result = block_reader_is_deleted(walk->reader, row) ? 0 : give_sealed(walk, partition, row, err);

		if (result < 0)
			return -1;
		walk->at.rows = row + 1;
		if (result > 0 || is_late(reading))
			return walk->at.rows == walk->reader->view.head.rows;
	}
	return 1;
}

/* Has the block rows that are wanted? 1, 0, -1. */
static int is_wanted(const struct reading *reading, MDB_val val, struct error *err)
{
	struct day_block block;

	if (!day_block_read(val, &block))
		return error_set(err, ERROR_CORRUPT, "%s: an entry of blocks cannot be read", reading->day->env.path);
	return block.changed_max > reading->walk->since && block.deleted < block.rows;
}

/* The block that was begun, if it is still there, or the next one. */
static int seek(const struct takeover_walk *walk, MDB_cursor *cursor, MDB_val *key, MDB_val *val)
{
	if (walk->at.rows == 0)
		return env_seek_after(cursor, env_val(walk->at.key, walk->at.key_len), key, val);
	*key = env_val(walk->at.key, walk->at.key_len);
	return mdb_cursor_get(cursor, key, val, MDB_SET_RANGE);
}

/* One block. 1 when it is done, 0 when it is to pause, -1. */
static int take_block(struct reading *reading, MDB_val key, MDB_val val, struct error *err)
{
	struct takeover_at *at = &reading->walk->at;
	struct partition partition;
	uint32_t number;

	if (!number_key_read(key, &partition, &number))
		return error_set(err, ERROR_CORRUPT, "%s: an entry of blocks cannot be read", reading->day->env.path);
	if (at->key_len != key.mv_size || memcmp(at->key, key.mv_data, key.mv_size) != 0)
		at->rows = 0; /* the one that was begun has been merged into a later one */
	memcpy(at->key, key.mv_data, NUMBER_KEY_LEN);
	at->key_len = NUMBER_KEY_LEN;
	int result = is_wanted(reading, val, err);

	if (result > 0)
		result = read_block(reading, &partition, number, err);
	else if (result == 0)
		result = 1;
	if (result > 0)
		at->rows = 0;
	return result;
}

static int walk_blocks(struct reading *reading, MDB_cursor *cursor, struct error *err)
{
	MDB_val key, val;
	int rc = seek(reading->walk, cursor, &key, &val);

	for (; !rc; rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) {
		int result = take_block(reading, key, val, err);

		if (result <= 0)
			return result;
		if (clock_monotonic_us() >= reading->walk->deadline_us)
			return 0;
	}
	return rc == MDB_NOTFOUND ? 1 : env_fail(&reading->day->env, rc, "read blocks", err);
}

static int take_blocks(struct reading *reading, struct error *err)
{
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(reading->txn, reading->day->env.dbi[DAY_BLOCKS], &cursor);

	if (rc)
		return env_fail(&reading->day->env, rc, "open cursor", err);
	reading->walk->reader->number = UINT32_MAX; /* what it had was another transaction's */
	int result = walk_blocks(reading, cursor, err);
	mdb_cursor_close(cursor);
	return result;
}

/* --- a day --- */

/* 1 at the end of the stage, 0, -1. */
static int read_stage(struct takeover_walk *walk, struct day *day, struct error *err)
{
	struct reading reading = { .walk = walk, .day = day };

	reading.txn = env_read(&day->env, err);
	if (!reading.txn)
		return -1;
	day->pins++;
	int result = walk->at.stage == TAKEOVER_HOT ?
	                     hot_rows_each(day, reading.txn, &walk->at.hot, take_hot, &reading, err) :
	                     take_blocks(&reading, err);
	day->pins--;
	return env_read_end(&day->env, reading.txn, result, err);
}

static int step(struct takeover_walk *walk, struct error *err)
{
	struct day *day = store_day(walk->store, walk->day, false, err);

	if (!day)
		return err->code == ERROR_NONE ? 1 : -1; /* past retention */
	int result = read_stage(walk, day, err);

	if (result < 0)
		return -1;
	int followed = follow_all(walk, err);

	if (followed <= 0)
		return followed < 0 ? -1 : 0;
	if (result == 0 || walk->at.stage == TAKEOVER_BLOCKS)
		return result;
	walk->at = (struct takeover_at){ .stage = TAKEOVER_BLOCKS };
	return 0;
}

int takeover_walk_step(struct takeover_walk *walk, int64_t deadline_us, struct error *err)
{
	walk->deadline_us = deadline_us;
	if (!walk->reader && !(walk->reader = store_reader_take(walk->store, err)))
		return -1;
	/* Those that were found before the walk paused come first. */
	int followed = follow_all(walk, err);

	return followed > 0 ? step(walk, err) : followed;
}

void takeover_walk_free(struct takeover_walk *walk)
{
	if (walk->reader)
		store_reader_give(walk->store, walk->reader);
	walk->reader = NULL;
	buf_free(&walk->left);
}
