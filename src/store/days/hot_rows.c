/* SPDX-License-Identifier: ISC */
/*
 * hot_rows.c: see hot_rows.h.
 */
#include "store/days/hot_rows.h"

#define PASSED_MAX 4096 /* dead rows between pauses */
#define ROWS_AHEAD 8    /* so many rows ahead are prefetched */
#define PAGES_AHEAD 32  /* so many pages' addresses are noted after one that was searched for */

static int stat_count(struct day *day, MDB_txn *txn, enum day_db db, uint64_t *count, struct error *err)
{
	MDB_stat stat;
	int rc = mdb_stat(txn, day->env.dbi[db], &stat);

	*count = rc ? 0 : stat.ms_entries;
	return rc ? env_fail(&day->env, rc, "stat", err) : 0;
}

/* Are there rows of format 1? */
static bool may_be_old(struct day *day, MDB_txn *txn)
{
	struct error err;
	uint64_t count;

	if (day->hot.loaded)
		return day->hot.has_old;
	return stat_count(day, txn, DAY_HOT_OLD, &count, &err) != 0 || count > 0;
}

/* --- one row --- */

/* The partition that a position is in. */
static struct partition partition_at(const struct partition *partition, const struct position *position)
{
	return partition_of(&partition->account, partition->product, position->direction);
}

/* Of one of the two databases: a result of LMDB. */
static int get_from(struct day *day, MDB_txn *txn, enum day_db db, const struct partition *partition,
                    const struct position *position, MDB_val *val)
{
	uint8_t bytes[ROW_KEY_LEN];
	MDB_val key = env_val(bytes, sizeof(bytes));

	if (db == DAY_HOT)
		log_key_write(bytes, partition, position);
	else
		row_key_write(bytes, partition, position);
	return mdb_get(txn, day->env.dbi[db], &key, val);
}

/* Of a row of the log: 1, 0 if it is dead, -1. */
static int is_alive(struct day *day, MDB_txn *txn, const struct partition *partition, const struct position *position,
                    MDB_val val, struct error *err)
{
	struct hot_marks marks = { .day = day, .txn = txn };
	struct partition own = partition_at(partition, position);
	int dead = hot_marks_is_dead(&marks, &own, position, val, err);

	return dead < 0 ? -1 : !dead;
}

int hot_row_get(struct day *day, MDB_txn *txn, const struct partition *partition, const struct position *position,
                MDB_val *val, struct error *err)
{
	int rc = get_from(day, txn, DAY_HOT, partition, position, val);

	if (rc == 0)
		return is_alive(day, txn, partition, position, *val, err);
	if (rc == MDB_NOTFOUND && may_be_old(day, txn))
		rc = get_from(day, txn, DAY_HOT_OLD, partition, position, val);
	if (rc == MDB_NOTFOUND)
		return 0;
	return rc ? env_fail(&day->env, rc, "get hot row", err) : 1;
}

/* Rows of format 1 are not found by their numbers: looks through what is known of the partition's, in both directions. */
static bool find_old(const struct day *day, const struct partition *partition, uint64_t seq, struct position *position)
{
	struct partition own = *partition;

	for (own.direction = 0; own.direction <= CATALOG_INBOUND; own.direction++) {
		const struct hot_partition *known = hot_partition_find(&day->hot, &own);

		for (uint32_t i = 0; known && i < known->order.count; i++) {
			if (known->order.rows[i].seq != seq)
				continue;
			*position = (struct position){ known->order.rows[i].time_us, seq, own.direction };
			return true;
		}
	}
	return false;
}

/* Where the log has a row of the number: a result of LMDB. Numbers are given once, but to a record that comes from
 * another day with the one that it had there. */
static int find_numbered(MDB_cursor *cursor, const struct partition *partition, uint64_t seq, struct position *position,
                         MDB_val *val)
{
	uint8_t bytes[sizeof(seq)];
	MDB_val key = env_val(bytes, sizeof(bytes));
	struct partition own;

	position_put_u64(bytes, seq);
	int rc = mdb_cursor_get(cursor, &key, val, MDB_SET_RANGE);
	for (; !rc; rc = mdb_cursor_get(cursor, &key, val, MDB_NEXT)) {
		if (!log_key_read(key, &own, position) || position->seq != seq)
			return MDB_NOTFOUND;
		if (account_key_equal(&own.account, &partition->account) && own.product == partition->product)
			return 0;
	}
	return rc;
}

int hot_row_find(struct day *day, MDB_txn *txn, const struct partition *partition, uint64_t seq,
                 struct position *position, MDB_val *val, struct error *err)
{
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(txn, day->env.dbi[DAY_HOT], &cursor);

	if (rc)
		return env_fail(&day->env, rc, "open cursor", err);
	rc = find_numbered(cursor, partition, seq, position, val);
	mdb_cursor_close(cursor);
	if (rc == 0)
		return is_alive(day, txn, partition, position, *val, err);
	if (rc != MDB_NOTFOUND)
		return env_fail(&day->env, rc, "find hot row", err);
	return day->hot.has_old && find_old(day, partition, seq, position) ?
	               hot_row_get(day, txn, partition, position, val, err) :
	               0;
}

/* 1 if it was there, 0, -1. */
static int remove_old(struct day *day, const struct partition *partition, const struct position *position,
                      struct error *err)
{
	uint8_t bytes[ROW_KEY_LEN];
	MDB_val key = env_val(bytes, sizeof(bytes));

	if (!may_be_old(day, day->env.write))
		return 0;
	row_key_write(bytes, partition, position);
	int rc = mdb_del(day->env.write, day->env.dbi[DAY_HOT_OLD], &key, NULL);
	if (rc == 0)
		return 1;
	return rc == MDB_NOTFOUND ? 0 : env_fail(&day->env, rc, "remove hot row", err);
}

/* A version over a sealed row, or one that comes from another day, has a number of long ago. What stands there is
 * dead. */
static int put_late(struct day *day, MDB_val key, MDB_val val, struct error *err)
{
	MDB_cursor *cursor = day->env.cursor;
	struct day_tombstone tombstone;
	MDB_val there = val;
	bool was_dead = false;
	int rc = mdb_cursor_put(cursor, &key, &there, MDB_NOOVERWRITE);

	if (rc == MDB_KEYEXIST) {
		was_dead = !day_tombstone_read(there, &tombstone);
		rc = mdb_cursor_put(cursor, &key, &val, 0);
	}
	if (rc)
		return env_fail(&day->env, rc, "put hot row", err);
	return was_dead ? hot_dead_add(day, -1, err) : 0;
}

/* One cursor for the whole transaction: it most often is at the last page already. */
static int put(struct day *day, MDB_val key, MDB_val val, bool over, struct error *err)
{
	struct env *env = &day->env;
	int rc = env->cursor ? 0 : mdb_cursor_open(env->write, env->dbi[DAY_HOT], &env->cursor);

	hot_addresses_put(&day->hot.addresses, env, position_get_u64(key.mv_data));
	if (!rc)
		rc = mdb_cursor_put(env->cursor, &key, &val, over ? 0 : MDB_APPEND);
	if (rc == MDB_KEYEXIST)
		return put_late(day, key, val, err);
	return rc ? env_fail(env, rc, "put hot row", err) : 0;
}

int hot_row_put(struct day *day, const struct partition *partition, const struct position *position, MDB_val val,
                bool over, struct error *err)
{
	uint8_t bytes[ROW_KEY_LEN];

	struct partition own = partition_at(partition, position);
	if (!over && hot_add_position(&day->hot, &own, position, err) != 0)
		return -1;
	if (remove_old(day, partition, position, err) < 0)
		return -1;
	log_key_write(bytes, partition, position);
	return put(day, env_val(bytes, sizeof(bytes)), val, over, err);
}

/* Its position is known until the commit. */
static int note_removed(struct day *day, const struct partition *partition, const struct position *position,
                        struct error *err)
{
	struct hot_removed removed = { partition_at(partition, position), { position->time_us, position->seq } };

	buf_add(&day->removed, &removed, sizeof(removed));
	return day->removed.failed ? error_set(err, ERROR_NOMEM, "removed rows: out of memory") : 0;
}

int hot_row_remove(struct day *day, const struct partition *partition, const struct position *position,
                   struct error *err)
{
	uint8_t bytes[ROW_KEY_LEN];
	MDB_val key = env_val(bytes, sizeof(bytes));

	if (note_removed(day, partition, position, err) != 0)
		return -1;
	hot_addresses_remove(&day->hot.addresses, &day->env, position->seq);
	log_key_write(bytes, partition, position);
	int rc = mdb_del(day->env.write, day->env.dbi[DAY_HOT], &key, NULL);
	if (rc && rc != MDB_NOTFOUND)
		return env_fail(&day->env, rc, "remove hot row", err);
	return remove_old(day, partition, position, err) < 0 ? -1 : 0;
}

int hot_row_leave(struct day *day, const struct partition *partition, const struct position *position,
                  struct error *err)
{
	if (note_removed(day, partition, position, err) != 0)
		return -1;
	int removed = remove_old(day, partition, position, err);
	return removed < 0 ? -1 : !removed;
}

int hot_rows_newest(struct day *day, MDB_txn *txn, uint64_t *seq, struct error *err)
{
	MDB_cursor *cursor;
	MDB_val key, val;
	int rc = mdb_cursor_open(txn, day->env.dbi[DAY_HOT], &cursor);

	*seq = 0;
	if (rc)
		return env_fail(&day->env, rc, "open cursor", err);
	rc = mdb_cursor_get(cursor, &key, &val, MDB_LAST);
	if (!rc && key.mv_size == ROW_KEY_LEN)
		*seq = position_get_u64(key.mv_data);
	mdb_cursor_close(cursor);
	return rc && rc != MDB_NOTFOUND ? env_fail(&day->env, rc, "last hot row", err) : 0;
}

int hot_rows_count(struct day *day, MDB_txn *txn, uint64_t *count, struct error *err)
{
	uint64_t old, dead;

	if (stat_count(day, txn, DAY_HOT, count, err) != 0 || stat_count(day, txn, DAY_HOT_OLD, &old, err) != 0 ||
	    hot_dead_count(day, txn, &dead, err) != 0)
		return -1;
	*count -= dead < *count ? dead : *count;
	*count += old;
	return 0;
}

/* --- a partition's, in order --- */

/* Finds the order, which may have changed, and where in it to continue. */
static void find_order(struct hot_cursor *cursor, const struct position *from)
{
	struct hot *hot = &cursor->day->hot;
	struct hot_partition *own = hot_partition_find(hot, &cursor->partition);

	cursor->changes = hot->changes;
	cursor->order = own && own->order.count > 0 ? &own->order : NULL;
	cursor->next = 0;
	if (!cursor->order)
		return;
	hot_order_settle(&own->order);
	cursor->next = hot_order_find(&own->order, from);
}

int hot_cursor_open(struct hot_cursor *cursor, struct day *day, MDB_txn *txn, const struct partition *partition,
                    uint64_t newest, struct error *err)
{
	*cursor = (struct hot_cursor){
		.day = day, .txn = txn, .partition = *partition, .newest = newest, .marks = { .day = day, .txn = txn }
	};
	return day->hot.loaded ? 0 : day_hot_load(day, txn, err);
}

/* Is the row of the next number the partition's, too? It is found without its address. */
static bool is_followed(const struct hot_cursor *cursor)
{
	const struct hot_order *order = cursor->order;

	return order && cursor->next < order->count && order->rows[cursor->next].seq == cursor->position.seq + 1;
}

/* Notes the addresses on the page of a row that was found. Numbers of dead rows, too, are between those of the others. */
static uint64_t learn(struct hot_cursor *cursor, MDB_val val)
{
	struct day *day = cursor->day;
	MDB_stat log;

	if (mdb_stat(cursor->txn, day->env.dbi[DAY_HOT], &log) != 0)
		return 0;
	return hot_addresses_learn(&day->hot.addresses, &day->env, cursor->txn, val, log.ms_entries);
}

/* The same of the pages that follow, up to one that is known: to find the page after one is faster than to search for
 * a row, and its rows will be asked for soon. */
static void learn_ahead(struct hot_cursor *cursor, uint64_t last_seq)
{
	const struct day *day = cursor->day;
	uint8_t bytes[sizeof(last_seq)];

	for (unsigned i = 0; i < PAGES_AHEAD && last_seq != 0; i++) {
		MDB_val key = env_val(bytes, sizeof(bytes)), val;

		position_put_u64(bytes, last_seq + 1);
		if (mdb_cursor_get(cursor->rows, &key, &val, MDB_SET_RANGE) != 0 || key.mv_size != ROW_KEY_LEN ||
		    hot_addresses_has(&day->hot.addresses, &day->env, key))
			break;
		last_seq = learn(cursor, val);
	}
	cursor->seq_before = 0;
}

/* A result of LMDB, which searches for the row. */
static int search_row(struct hot_cursor *cursor, MDB_val key)
{
	int rc = mdb_cursor_get(cursor->rows, &key, &cursor->val, MDB_SET);

	if (rc) {
		cursor->seq_before = 0;
		return rc;
	}
	uint64_t last_seq = learn(cursor, cursor->val);
	if (cursor->learns_ahead && !is_followed(cursor))
		learn_ahead(cursor, last_seq);
	return 0;
}

/* A result of LMDB. The row of the next number most often stands next. */
static int find_row(struct hot_cursor *cursor)
{
	const struct day *day = cursor->day;
	uint8_t bytes[ROW_KEY_LEN];
	MDB_val key;
	int rc = cursor->rows ? 0 : mdb_cursor_open(cursor->txn, day->env.dbi[DAY_HOT], &cursor->rows);

	if (rc)
		return rc;
	log_key_write(bytes, &cursor->partition, &cursor->position);
	bool follows = cursor->seq_before != 0 && cursor->position.seq == cursor->seq_before + 1;
	cursor->seq_before = cursor->position.seq;
	if (follows && mdb_cursor_get(cursor->rows, &key, &cursor->val, MDB_NEXT) == 0 && key.mv_size == ROW_KEY_LEN &&
	    memcmp(key.mv_data, bytes, ROW_KEY_LEN) == 0)
		return 0;
	if (cursor->txn != day->env.write &&
	    hot_addresses_read(&day->hot.addresses, &day->env, cursor->position.seq, bytes, &cursor->val)) {
		cursor->seq_before = 0;
		return 0;
	}
	return search_row(cursor, env_val(bytes, sizeof(bytes)));
}

/* Reads the row at the cursor's position. 1, 0 if the transaction does not see it, -1. */
static int read_row(struct hot_cursor *cursor, struct error *err)
{
	struct day *day = cursor->day;
	int rc = find_row(cursor);

	if (rc == 0) {
		int dead = hot_marks_is_dead(&cursor->marks, &cursor->partition, &cursor->position, cursor->val, err);

		return dead < 0 ? -1 : !dead;
	}
	if (rc == MDB_NOTFOUND && day->hot.has_old)
		rc = get_from(day, cursor->txn, DAY_HOT_OLD, &cursor->partition, &cursor->position, &cursor->val);
	if (rc == MDB_NOTFOUND)
		return 0;
	return rc ? env_fail(&day->env, rc, "read hot rows", err) : 1;
}

int hot_cursor_seek(struct hot_cursor *cursor, const struct position *from, struct error *err)
{
	cursor->position = *from;
	find_order(cursor, from);
	return hot_cursor_next(cursor, err);
}

PREFETCH_INLINE void prefetch_ahead(const struct hot_cursor *cursor)
{
	const struct hot_order *order = cursor->order;
	const struct day *day = cursor->day;

	if (order->count - cursor->next >= 2 * ROWS_AHEAD)
		hot_addresses_prefetch_address(&day->hot.addresses, order->rows[cursor->next + 2 * ROWS_AHEAD - 1].seq);
	if (order->count - cursor->next >= ROWS_AHEAD)
		hot_addresses_prefetch(&day->hot.addresses, &day->env, order->rows[cursor->next + ROWS_AHEAD - 1].seq);
}

void hot_rows_prefetch(const struct day *day, const struct partition *partition, enum hot_ahead what)
{
	const struct hot_partition *own;

	if (what == HOT_AHEAD_SLOT)
		hot_partition_prefetch(&day->hot, partition);
	if (what == HOT_AHEAD_SLOT || !(own = hot_partition_find(&day->hot, partition)))
		return;
	uint32_t count = own->order.count < 2 * ROWS_AHEAD ? own->order.count : 2 * ROWS_AHEAD;
	if (what == HOT_AHEAD_POSITIONS)
		prefetch_before(own->order.rows + count, count * sizeof(*own->order.rows));
	for (uint32_t i = 0; i < count && what == HOT_AHEAD_ADDRESSES; i++)
		hot_addresses_prefetch_address(&day->hot.addresses, own->order.rows[i].seq);
	for (uint32_t i = 0; i < count && i < ROWS_AHEAD && what == HOT_AHEAD_ROWS; i++)
		hot_addresses_prefetch(&day->hot.addresses, &day->env, own->order.rows[i].seq);
}

int hot_cursor_next(struct hot_cursor *cursor, struct error *err)
{
	struct position *position = &cursor->position;

	if (cursor->changes != cursor->day->hot.changes) {
		struct position from = *position;

		from.seq++;
		find_order(cursor, &from);
	}
	while (cursor->order && cursor->next < cursor->order->count) {
		const struct hot_at *at = &cursor->order->rows[cursor->next++];

		prefetch_ahead(cursor);
		if (at->seq > cursor->newest)
			continue;
		*position = (struct position){ at->time_us, at->seq, cursor->partition.direction };
		int found = read_row(cursor, err);
		if (found != 0)
			return found;
	}
	return 0;
}

void hot_cursor_close(struct hot_cursor *cursor)
{
	if (cursor->rows)
		mdb_cursor_close(cursor->rows);
	cursor->rows = NULL;
}

/* --- walks over many --- */

/* Gives a row and notes it. As a hot_row_fn. */
static int give(struct hot_place *place, const struct partition *partition, const struct position *position,
                MDB_val val, hot_row_fn fn, void *arg, struct error *err)
{
	place->has_row = true;
	place->partition = *partition;
	place->position = *position;
	return fn(arg, place, val, err);
}

/* Passes over a dead row. 1 if it is time for a pause. */
static int pass(struct hot_place *place, const struct partition *partition, const struct position *position,
                unsigned *passed)
{
	if (++*passed < PASSED_MAX)
		return 0;
	place->has_row = true;
	place->partition = *partition;
	place->position = *position;
	return 1;
}

static int first_after(const struct hot_place *place, MDB_cursor *cursor, MDB_val *key, MDB_val *val)
{
	uint8_t bytes[ROW_KEY_LEN];

	if (place->is_old)
		row_key_write(bytes, &place->partition, &place->position);
	else
		log_key_write(bytes, &place->partition, &place->position);
	return env_seek_after(cursor, env_val(bytes, place->has_row ? sizeof(bytes) : 0), key, val);
}

/* Those of one of the databases. */
static int each_in(struct day *day, MDB_cursor *cursor, struct hot_place *place, hot_row_fn fn, void *arg,
                   struct error *err)
{
	struct hot_marks marks = { .day = day, .txn = mdb_cursor_txn(cursor) };
	MDB_val key, val;
	unsigned passed = 0;
	int rc = first_after(place, cursor, &key, &val);

	for (; !rc; rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) {
		struct partition partition;
		struct position position;

		if (!(place->is_old ? row_key_read(key, &partition, &position) :
		                      log_key_read(key, &partition, &position)))
			return error_set(err, ERROR_CORRUPT, "%s: a key of the hot rows cannot be read", day->env.path);
		int result = place->is_old ? 0 : hot_marks_is_dead(&marks, &partition, &position, val, err);
		if (result == 0)
			result = give(place, &partition, &position, val, fn, arg, err);
		else if (result > 0)
			result = pass(place, &partition, &position, &passed);
		if (result != 0)
			return result < 0 ? -1 : 0;
	}
	return rc == MDB_NOTFOUND ? 1 : env_fail(&day->env, rc, "read hot rows", err);
}

int hot_rows_each(struct day *day, MDB_txn *txn, struct hot_place *place, hot_row_fn fn, void *arg, struct error *err)
{
	for (;;) {
		MDB_cursor *cursor;
		int rc = mdb_cursor_open(txn, day->env.dbi[place->is_old ? DAY_HOT_OLD : DAY_HOT], &cursor);

		if (rc)
			return env_fail(&day->env, rc, "open cursor", err);
		int result = each_in(day, cursor, place, fn, arg, err);
		mdb_cursor_close(cursor);
		if (result <= 0 || place->is_old)
			return result;
		*place = (struct hot_place){ .is_old = true };
	}
}

int hot_rows_all(struct day *day, MDB_txn *txn, hot_row_fn fn, void *arg, struct error *err)
{
	struct hot_place place = { 0 };
	int result;

	do
		result = hot_rows_each(day, txn, &place, fn, arg, err);
	while (result == 0);
	return result < 0 ? -1 : 0;
}

static int each_of_partition(struct day *day, MDB_txn *txn, const struct partition *partition, struct hot_place *place,
                             hot_row_fn fn, void *arg, struct error *err)
{
	struct position from = { .direction = partition->direction };
	struct hot_cursor cursor;

	if (place->has_row && partition_equal(&place->partition, partition)) {
		from = place->position;
		from.seq++;
	}
	int result = hot_cursor_open(&cursor, day, txn, partition, UINT64_MAX, err);
	if (result == 0)
		result = hot_cursor_seek(&cursor, &from, err);
	while (result > 0) {
		result = give(place, partition, &cursor.position, cursor.val, fn, arg, err);
		if (result != 0) {
			hot_cursor_close(&cursor);
			return result < 0 ? -1 : 0;
		}
		result = hot_cursor_next(&cursor, err);
	}
	hot_cursor_close(&cursor);
	return result < 0 ? -1 : 1;
}

int hot_rows_each_of(struct day *day, MDB_txn *txn, const struct account_key *account, struct hot_place *place,
                     hot_row_fn fn, void *arg, struct error *err)
{
	bool resumes = !place->has_row;

	for (size_t i = 0; i < catalog_products_count; i++) {
		const struct catalog_product *product = &catalog_products[i];
		uint8_t last = product->partition_direction ? CATALOG_INBOUND : CATALOG_NO_DIRECTION;

		for (uint8_t direction = 0; direction <= last; direction++) {
			struct partition partition = partition_of(account, product->number, direction);

			resumes |= partition_equal(&partition, &place->partition);
			if (!resumes)
				continue;
			int result = each_of_partition(day, txn, &partition, place, fn, arg, err);
			if (result <= 0)
				return result;
		}
	}
	return 1;
}
