/* SPDX-License-Identifier: ISC */
/*
 * purge.c: see purge.h.
 */
#include "store/purge.h"

#include <stdlib.h>

#include "base/clock.h"
#include "store/blocks/bundle.h"
#include "store/cluster/cluster_purge.h"
#include "store/days/hot_rows.h"
#include "store/ids/ids.h"
#include "store/sealing/repack.h"
#include "store/sealing/seal.h"
#include "store/days_store.h"
#include "store/takeover.h"

#define LOOK_EVERY 64 /* hot rows between looks at the clock */

struct purge {
	struct store *store;
	struct account_key account;
	int32_t day;                   /* current, or the next to look for */
	bool begun;                    /* something of it was removed */
	struct cluster_purge *cluster; /* of what is not in days; or NULL */
	bool waits;                    /* for that */
	bool missed;                   /* a replica of it */
	struct purge_counts counts;
};

/* The write transaction that a step works in. */
struct removal {
	struct purge *purge;
	struct day *day;
	MDB_txn *txn;
	int64_t deadline_us;
	struct error *err;
};

struct purge *purge_new(struct store *store, const struct account_key *account)
{
	struct purge *purge = calloc(1, sizeof(*purge));

	if (!purge)
		return NULL;
	purge->store = store;
	purge->account = *account;
	purge->day = INT32_MIN;
	if (!store->cluster || (purge->cluster = cluster_purge_new(store->cluster, account)))
		return purge;
	free(purge);
	return NULL;
}

void purge_free(struct purge *purge)
{
	if (!purge)
		return;
	store_forget_rows(purge->store);
	cluster_purge_free(purge->cluster);
	free(purge);
}

bool purge_waits(const struct purge *purge)
{
	return purge->waits;
}

bool purge_is_complete(const struct purge *purge)
{
	return !purge->missed;
}

void purge_counts(const struct purge *purge, struct purge_counts *counts)
{
	*counts = purge->counts;
}

/* --- finding --- */

/* The first of the account's blocks in a day; false if there is none. */
static bool seek_account(const struct purge *purge, MDB_cursor *cursor, MDB_val *key, MDB_val *val, int *rc)
{
	*key = env_val(purge->account.bytes, ACCOUNT_KEY_LEN);
	*rc = mdb_cursor_get(cursor, key, val, MDB_SET_RANGE);
	return !*rc && key->mv_size >= ACCOUNT_KEY_LEN &&
	       memcmp(key->mv_data, purge->account.bytes, ACCOUNT_KEY_LEN) == 0;
}

/* 1 if there are blocks of the account, 0, -1. */
static int has_blocks(const struct purge *purge, struct day *day, MDB_txn *txn, struct error *err)
{
	MDB_cursor *cursor;
	MDB_val key, val;
	int rc = mdb_cursor_open(txn, day->env.dbi[DAY_BLOCKS], &cursor);

	if (rc)
		return env_fail(&day->env, rc, "open cursor", err);
	bool found = seek_account(purge, cursor, &key, &val, &rc);
	mdb_cursor_close(cursor);
	return rc && rc != MDB_NOTFOUND ? env_fail(&day->env, rc, "look for an account", err) : found;
}

/* A hot_row_fn. */
static int stop_at_row(void *arg, const struct hot_place *place, MDB_val val, struct error *err)
{
	(void)arg;
	(void)place;
	(void)val;
	(void)err;
	return 1;
}

static int has_hot(const struct purge *purge, struct day *day, MDB_txn *txn, struct error *err)
{
	struct hot_place place = { 0 };
	int result = hot_rows_each_of(day, txn, &purge->account, &place, stop_at_row, NULL, err);

	return result < 0 ? -1 : place.has_row;
}

static int is_in_day(const struct purge *purge, struct day *day, struct error *err)
{
	MDB_txn *txn = env_read(&day->env, err);

	if (!txn)
		return -1;
	int found = has_hot(purge, day, txn, err);
	if (found == 0)
		found = has_blocks(purge, day, txn, err);
	return env_read_end(&day->env, txn, found, err);
}

/* --- hot rows --- */

struct hot_removal {
	const struct removal *removal;
	unsigned removed;
};

/* Removes a row and what is known of it. Its entries in the table of ids may stay: they lead to no row. A
 * hot_row_fn. */
static int remove_row(void *arg, const struct hot_place *place, MDB_val val, struct error *err)
{
	struct hot_removal *hot = arg;
	const struct removal *removal = hot->removal;
	struct day_tombstone tombstone;

	if (!day_tombstone_read(val, &tombstone)) {
		hot_rows_gone(&removal->day->hot, &place->partition, 1, 1);
		removal->purge->counts.records++;
	}
	if (hot_row_remove(removal->day, &place->partition, &place->position, err) != 0)
		return -1;
	return ++hot->removed % LOOK_EVERY == 0 && clock_monotonic_us() >= removal->deadline_us;
}

/* Rows until the deadline. 1 when there are no more, 0, -1. */
static int remove_hot(const struct removal *removal)
{
	struct hot_removal hot = { .removal = removal };
	struct hot_place place = { 0 };
	int result = hot_rows_each_of(removal->day, removal->txn, &removal->purge->account, &place, remove_row, &hot,
	                              removal->err);

	if (removal->day->hot.rows == 0)
		removal->day->hot_since_us = 0;
	return result;
}

/* --- sealed runs --- */

static int remove_number(const struct removal *removal, enum day_db db, const struct partition *partition,
                         uint32_t number)
{
	uint8_t bytes[NUMBER_KEY_LEN];

	number_key_write(bytes, partition, number);
	MDB_val key = env_val(bytes, sizeof(bytes));
	int rc = mdb_del(removal->txn, removal->day->env.dbi[db], &key, NULL);
	return rc && rc != MDB_NOTFOUND ? env_fail(&removal->day->env, rc, "remove block", removal->err) : 0;
}

/* The block that the cursor is at, and what belongs to it. */
static int remove_block(const struct removal *removal, MDB_cursor *cursor, const struct partition *partition,
                        uint32_t number, const struct day_block *block)
{
	int rc = mdb_cursor_del(cursor, 0);

	if (rc)
		return env_fail(&removal->day->env, rc, "remove block", removal->err);
	removal->day->blocks_changed = true;
	removal->purge->counts.records += block->rows;
	if (remove_number(removal, DAY_DELETED, partition, number) != 0)
		return -1;
	return bundle_remove_block(removal->day, partition, number, removal->err);
}

/* The account's first run, whose blocks follow each other: ids first found or lost with all of them. 1 when there is no
 * more, 0, -1. */
static int remove_run(const struct removal *removal, MDB_cursor *cursor)
{
	struct partition partition, first = { .product = 0 };
	struct day_block block;
	uint32_t number, run = 0;
	MDB_val key, val;
	int rc;

	while (seek_account(removal->purge, cursor, &key, &val, &rc)) {
		if (!number_key_read(key, &partition, &number) || !day_block_read(val, &block))
			return error_set(removal->err, ERROR_CORRUPT, "%s: an entry of blocks cannot be read",
			                 removal->day->env.path);
		if (first.product && (block.run != run || !partition_equal(&partition, &first)))
			break;
		first = partition;
		run = block.run;
		if (remove_block(removal, cursor, &partition, number, &block) != 0)
			return -1;
	}
	if (rc && rc != MDB_NOTFOUND)
		return env_fail(&removal->day->env, rc, "read blocks", removal->err);
	return first.product ? ids_remove(removal->day, removal->txn, &first, run, removal->err) : 1;
}

static int remove_runs(const struct removal *removal, MDB_cursor *cursor)
{
	int result;

	do
		result = remove_run(removal, cursor);
	while (result == 0 && clock_monotonic_us() < removal->deadline_us);
	return result;
}

/* --- days --- */

static int remove_all_runs(const struct removal *removal)
{
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(removal->txn, removal->day->env.dbi[DAY_BLOCKS], &cursor);

	if (rc)
		return env_fail(&removal->day->env, rc, "open cursor", removal->err);
	int result = remove_runs(removal, cursor);
	mdb_cursor_close(cursor);
	return result;
}

static int remove_some(struct purge *purge, struct day *day, int64_t deadline_us, struct error *err)
{
	struct removal removal = { .purge = purge, .day = day, .deadline_us = deadline_us, .err = err };

	if (repack_demand(purge->store, day, err) != 0)
		return -1;
	purge->counts.days += !purge->begun;
	purge->begun = true;
	seal_forget_account(purge->store, &purge->account);
	removal.txn = env_write(&day->env, err);
	if (!removal.txn || store_day_ready(purge->store, day, removal.txn, err) != 0)
		return -1;
	int result = remove_hot(&removal);
	if (result > 0)
		result = remove_all_runs(&removal);
	return result < 0 ? -1 : 0;
}

/* The current day. 1 when nothing of the account is in it, 0, -1. */
static int step_day(struct purge *purge, struct day *day, int64_t deadline_us, bool *dirty, struct error *err)
{
	/* What is not committed is not seen by is_in_day, and must not be mixed with what is removed. */
	if (day->env.write || day->blocks_changed) {
		*dirty = true;
		return 0;
	}
	int found = is_in_day(purge, day, err);
	if (found <= 0)
		return found < 0 ? -1 : 1;
	*dirty = true;
	if (remove_some(purge, day, deadline_us, err) == 0)
		return 0;
	store_abort(purge->store);
	return -1;
}

int purge_step(struct purge *purge, int64_t deadline_us, bool *dirty, bool *done, struct error *err)
{
	struct store *store = purge->store;

	*dirty = *done = false;
	purge->waits = takeover_is_under_way(store); /* the account's records would stay in the cluster */
	if (purge->waits)
		return 0;
	if (purge->cluster) {
		bool none_left;

		if (cluster_purge_step(purge->cluster, &none_left, err) != 0)
			return -1;
		purge->waits = !none_left;
		purge->counts.records = cluster_purge_rows(purge->cluster);
		if (!none_left)
			return 0;
		purge->missed = cluster_purge_missed(purge->cluster);
		cluster_purge_free(purge->cluster);
		purge->cluster = NULL;
	}
	do {
		size_t at = store_day_index(store, purge->day);

		if (at == store->days_count) {
			*done = true;
			return 0;
		}
		if (store->day_numbers[at] != purge->day)
			purge->begun = false;
		purge->day = store->day_numbers[at];
		struct day *day = store_day(store, purge->day, false, err);
		int result = day ? step_day(purge, day, deadline_us, dirty, err) : -1;
		if (result < 0)
			return -1;
		if (result > 0) {
			purge->day++;
			purge->begun = false;
		}
	} while (!*dirty && clock_monotonic_us() < deadline_us);
	return 0;
}
