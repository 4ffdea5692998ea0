/* SPDX-License-Identifier: ISC */
/*
 * hot_sealed.c: see hot_sealed.h.
 */
#include "store/days/hot_sealed.h"

#define TRIM_MIN 1024  /* fewer dead rows may stay */
#define TRIM_STEP 8192 /* rows in a slice */
#define TRIM_DEAD 3    /* so many rows are dead, */
#define TRIM_OF 4      /* of so many, before some are removed */
#define DROP_PAGES 256 /* of a log whose rows may have pages of their own, read at once */
#define MARK_LEN 24
#define DEAD_KEY "dead"

/* --- marks --- */

/* 1, 0 if the partition has none, -1. */
static int mark_get(struct day *day, MDB_txn *txn, const struct partition *partition, struct hot_mark *mark,
                    struct error *err)
{
	uint8_t bytes[PARTITION_LEN];
	MDB_val key = env_val(bytes, sizeof(bytes)), val;

	partition_write(bytes, partition);
	*mark = (struct hot_mark){ 0 };
	int rc = mdb_get(txn, day->env.dbi[DAY_HOT_SEALED], &key, &val);
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc)
		return env_fail(&day->env, rc, "get mark", err);
	if (val.mv_size != MARK_LEN)
		return error_set(err, ERROR_CORRUPT, "%s: a mark of hot rows cannot be read", day->env.path);
	const uint8_t *in = val.mv_data;
	*mark = (struct hot_mark){ position_get_u64(in),
		                   { (int64_t)position_get_u64(in + 8), position_get_u64(in + 16) } };
	return 1;
}

int hot_mark_set(struct day *day, const struct partition *partition, const struct hot_mark *mark, bool whole,
                 struct error *err)
{
	uint8_t bytes[PARTITION_LEN], out[MARK_LEN];
	MDB_val key = env_val(bytes, sizeof(bytes)), val = env_val(out, sizeof(out));
	struct hot_mark before;
	int found = mark_get(day, day->env.write, partition, &before, err);

	if (found < 0)
		return -1;
	bool is_further = found > 0 && hot_at_is_before(&mark->last, &before.last);
	if ((found > 0 && mark->snapshot < before.snapshot) || (is_further && !whole))
		return 0;
	const struct hot_at *last = is_further ? &before.last : &mark->last;
	partition_write(bytes, partition);
	position_put_u64(out, mark->snapshot);
	position_put_u64(out + 8, (uint64_t)last->time_us);
	position_put_u64(out + 16, last->seq);
	int rc = mdb_put(day->env.write, day->env.dbi[DAY_HOT_SEALED], &key, &val, 0);
	if (rc)
		return env_fail(&day->env, rc, "put mark", err);
	struct hot_kept_mark *kept = hot_kept_mark(&day->hot, partition);
	if (kept)
		*kept = (struct hot_kept_mark){ true, { mark->snapshot, *last } };
	return 1;
}

/* Trimming, which asks for another partition's mark with each row, keeps them. */
static int load_mark(struct hot_marks *marks, const struct partition *partition, struct error *err)
{
	struct day *day = marks->day;
	struct hot_kept_mark *kept = marks->txn == day->env.write ? hot_kept_mark(&day->hot, partition) : NULL;

	marks->has_mark = false;
	if (kept && kept->is_known)
		marks->mark = kept->mark;
	else if (mark_get(day, marks->txn, partition, &marks->mark, err) < 0)
		return -1;
	if (kept)
		*kept = (struct hot_kept_mark){ true, marks->mark };
	marks->partition = *partition;
	marks->has_mark = true;
	return 0;
}

int hot_marks_is_dead(struct hot_marks *marks, const struct partition *partition, const struct position *position,
                      MDB_val val, struct error *err)
{
	struct day_tombstone tombstone;
	uint64_t changed_seq;

	if (!(marks->has_mark && partition_equal(&marks->partition, partition)) &&
	    load_mark(marks, partition, err) != 0)
		return -1;
	const struct hot_mark *mark = &marks->mark;
	if (mark->snapshot < position->seq ||
	    hot_at_is_before(&mark->last, &(struct hot_at){ position->time_us, position->seq }) ||
	    day_tombstone_read(val, &tombstone))
		return 0;
	/* One that cannot be read is whoever's who reads it. */
	return record_changed_seq(env_str(val), &changed_seq) && changed_seq <= mark->snapshot;
}

/* --- counting --- */

int hot_dead_count(struct day *day, MDB_txn *txn, uint64_t *count, struct error *err)
{
	MDB_val key = env_val(DEAD_KEY, sizeof(DEAD_KEY) - 1), val;
	int rc = mdb_get(txn, day->env.dbi[DAY_HOT_SEALED], &key, &val);

	*count = 0;
	if (rc)
		return rc == MDB_NOTFOUND ? 0 : env_fail(&day->env, rc, "count dead rows", err);
	if (val.mv_size != sizeof(*count))
		return error_set(err, ERROR_CORRUPT, "%s: the number of dead rows cannot be read", day->env.path);
	*count = position_get_u64(val.mv_data);
	return 0;
}

int hot_dead_add(struct day *day, int64_t rows, struct error *err)
{
	uint8_t bytes[sizeof(uint64_t)];
	MDB_val key = env_val(DEAD_KEY, sizeof(DEAD_KEY) - 1), val = env_val(bytes, sizeof(bytes));
	uint64_t count;

	if (rows == 0)
		return 0;
	if (hot_dead_count(day, day->env.write, &count, err) != 0)
		return -1;
	if (rows < 0 && count < (uint64_t)-rows)
		count = 0;
	else
		count += (uint64_t)rows;
	position_put_u64(bytes, count);
	int rc = mdb_put(day->env.write, day->env.dbi[DAY_HOT_SEALED], &key, &val, 0);
	return rc ? env_fail(&day->env, rc, "count dead rows", err) : 0;
}

/* --- trimming --- */

static uint64_t rows_of(const struct day *day)
{
	MDB_stat stat;

	return mdb_stat(day->env.write, day->env.dbi[DAY_HOT], &stat) == 0 ? stat.ms_entries : 0;
}

/* Looks at one row. 1 if it was removed, 0, -1. */
static int trim_row(struct hot_marks *marks, MDB_cursor *cursor, MDB_val key, MDB_val val, struct error *err)
{
	struct day *day = marks->day;
	struct partition partition;
	struct position position;

	if (!log_key_read(key, &partition, &position))
		return error_set(err, ERROR_CORRUPT, "%s: a key of the hot rows cannot be read", day->env.path);
	memcpy(day->hot.trim.after, key.mv_data, ROW_KEY_LEN);
	int dead = hot_marks_is_dead(marks, &partition, &position, val, err);
	if (dead <= 0)
		return dead;
	int rc = mdb_cursor_del(cursor, 0);
	return rc ? env_fail(&day->env, rc, "remove dead row", err) : 1;
}

/* 1 at the end of the rows, 0, -1. */
static int trim_rows(struct day *day, MDB_cursor *cursor, uint32_t rows, uint64_t *removed, struct error *err)
{
	struct hot_marks marks = { .day = day, .txn = day->env.write };
	MDB_val key = env_val(day->hot.trim.after, ROW_KEY_LEN), val;
	int rc = mdb_cursor_get(cursor, &key, &val, MDB_SET_RANGE);

	for (; !rc && rows > 0; rows--, rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) {
		int result = trim_row(&marks, cursor, key, val, err);

		if (result < 0)
			return -1;
		*removed += (uint64_t)result;
	}
	if (rc && rc != MDB_NOTFOUND)
		return env_fail(&day->env, rc, "read hot rows", err);
	return rc == MDB_NOTFOUND;
}

/* Without any rows, marks say nothing. */
static int drop_marks(struct day *day, struct error *err)
{
	int rc = mdb_drop(day->env.write, day->env.dbi[DAY_HOT_SEALED], 0);

	hot_forget_marks(&day->hot);

	return rc ? env_fail(&day->env, rc, "remove marks", err) : 0;
}

static int trim(struct day *day, MDB_cursor *cursor, uint32_t rows, uint64_t dead, struct error *err)
{
	struct hot_trim *at = &day->hot.trim;
	uint64_t removed = 0, seals = day->seals + day->blocks_changed;

	hot_keep_marks(&day->hot);
	if (!at->begun)
		*at = (struct hot_trim){ .begun = true, .seals = seals };
	int ended = trim_rows(day, cursor, rows, &removed, err);
	if (ended < 0)
		return -1;
	at->removed += removed;
	/* None were there all along: the count was wrong. */
	if (ended && at->removed == 0 && at->seals == seals)
		removed = dead;
	if (ended)
		*at = (struct hot_trim){ 0 };
	return hot_dead_add(day, -(int64_t)removed, err);
}

/* May all rows go at once? LMDB frees their pages without reading them, a million rows in some 3 ms, unless a row has
 * pages of its own: then it reads each page of the log for those, which is bounded here. */
static bool may_drop(const struct day *day)
{
	MDB_stat stat;

	if (mdb_stat(day->env.write, day->env.dbi[DAY_HOT], &stat) != 0)
		return false;
	return stat.ms_overflow_pages == 0 || stat.ms_leaf_pages + stat.ms_overflow_pages <= DROP_PAGES;
}

/* Empties the log, of which all rows are dead. */
static int drop_rows(struct day *day, uint64_t dead, struct error *err)
{
	int rc = mdb_drop(day->env.write, day->env.dbi[DAY_HOT], 0);

	day->hot.trim = (struct hot_trim){ 0 };
	if (rc)
		return env_fail(&day->env, rc, "remove dead rows", err);
	return hot_dead_add(day, -(int64_t)dead, err) == 0 ? drop_marks(day, err) : -1;
}

int hot_trim(struct day *day, uint32_t rows, bool all, struct error *err)
{
	uint64_t dead, there = rows_of(day);
	MDB_cursor *cursor;

	if (hot_dead_count(day, day->env.write, &dead, err) != 0)
		return -1;
	if (dead == 0 || (!all && (dead < TRIM_MIN || dead < there / TRIM_OF * TRIM_DEAD)))
		return 0;
	if (dead == there && day->hot.loaded && day->hot.rows == 0 && may_drop(day))
		return drop_rows(day, dead, err);
	int rc = mdb_cursor_open(day->env.write, day->env.dbi[DAY_HOT], &cursor);
	if (rc)
		return env_fail(&day->env, rc, "open cursor", err);
	int result = trim(day, cursor, rows, dead, err);
	mdb_cursor_close(cursor);
	if (result != 0)
		return -1;
	return rows_of(day) == 0 ? drop_marks(day, err) : 0;
}

int hot_trim_step(struct day *day, struct error *err)
{
	uint64_t dead;
	MDB_txn *txn = env_read(&day->env, err);

	if (!txn || env_read_end(&day->env, txn, hot_dead_count(day, txn, &dead, err), err) != 0)
		return -1;
	if (dead == 0)
		return 1;
	return env_write(&day->env, err) ? hot_trim(day, TRIM_STEP, true, err) : -1;
}
