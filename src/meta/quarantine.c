/* SPDX-License-Identifier: ISC */
/*
 * quarantine.c: rejected records, kept with the reason. See quarantine.h.
 *
 * Keys are numbers, 8 bytes big-endian, so that the oldest come first. An entry, layout version 2, the settings in the
 * order of their table; version 1, which can still be read, has the first five, and raw is a JSON object:
 *
 *	[2, time_us, producer, field, reason, raw, format, raw_cut, header, product_name, account, id, product,
 *	 converted_from, setting...]
 *
 * A new entry's number is one more than the last one's. Removing the newest would let its number be used again; meta's
 * "quarantine_next" (8 bytes big-endian) is written then, and only then, and is the next number to use.
 *
 * Nothing is counted in memory: LMDB knows how many entries the database has and how many pages they take, even in a
 * transaction that may still be aborted.
 */
#include "meta/quarantine.h"

#include <endian.h>
#include <string.h>

#include "meta/rows.h"
#include "meta/change.h"
#include "meta/meta_env.h"
#include "lmdb/value.h"

#define ENTRY_VERSION 2
#define ENTRY_COUNT 13 /* and the settings */
#define NEXT_KEY STR_LITERAL("quarantine_next")

struct number_key {
	uint64_t bytes; /* big-endian */
};

static struct str number_str(uint64_t number, struct number_key *key)
{
	key->bytes = htobe64(number);
	return (struct str){ (const char *)&key->bytes, sizeof(key->bytes) };
}

/* 0, which no entry has, when it is not of the length. */
static uint64_t number_read(struct str key)
{
	uint64_t bytes = 0;

	if (key.len == sizeof(bytes))
		memcpy(&bytes, key.p, sizeof(bytes));
	return be64toh(bytes);
}

static void entry_write(struct buf *out, const struct quarantine_entry *entry)
{
	struct value_writer w;

	value_begin(&w, out, ENTRY_VERSION, ENTRY_COUNT + INGEST_SETTINGS_COUNT);
	value_put_int(&w, entry->time_us);
	value_put_str(&w, entry->producer);
	value_put_str(&w, entry->field);
	value_put_str(&w, entry->reason);
	value_put_bytes(&w, entry->raw);
	value_put_int(&w, entry->format);
	value_put_int(&w, entry->raw_cut);
	value_put_bytes(&w, entry->header);
	value_put_bytes(&w, entry->product_name);
	value_put_bytes(&w, entry->account);
	value_put_bytes(&w, entry->id);
	value_put_bytes(&w, entry->product);
	value_put_str(&w, entry->converted_from);
	for (size_t i = 0; i < INGEST_SETTINGS_COUNT; i++)
		value_put_str(&w, str_from(ingest_settings_get(&entry->settings, i)));
}

static struct str read_text(struct value_reader *r)
{
	return value_str(r, 0, SIZE_MAX);
}

/* What entries of the first version do not have. */
static void read_rest(struct quarantine_entry *entry, struct value_reader *r)
{
	entry->format = (enum parse_format)value_int(r, PARSE_NDJSON, PARSE_MAPPED);
	entry->raw_cut = value_int(r, 0, 1) != 0;
	entry->header = read_text(r);
	entry->product_name = read_text(r);
	entry->account = read_text(r);
	entry->id = read_text(r);
	entry->product = read_text(r);
	entry->converted_from = read_text(r);
	for (size_t i = 0; i < INGEST_SETTINGS_COUNT && r->left > 0; i++)
		r->bad |= !ingest_settings_load(&entry->settings, i, value_str(r, 0, INGEST_SETTING_MAX));
}

/* ERROR_NONE when it could. */
static enum error_code read_version(struct quarantine_entry *entry, struct str bytes, int version)
{
	struct value_reader r;

	*entry = (struct quarantine_entry){ .format = PARSE_NDJSON };
	value_open(&r, bytes, version);
	entry->time_us = value_int(&r, INT64_MIN, INT64_MAX);
	entry->producer = read_text(&r);
	entry->field = read_text(&r);
	entry->reason = read_text(&r);
	entry->raw = read_text(&r);
	if (version > 1)
		read_rest(entry, &r);
	return value_close(&r) ? ERROR_NONE : value_error(&r);
}

/* The entry's texts point into `bytes`. */
static int entry_read(struct quarantine_entry *entry, struct str key, struct str bytes, struct error *err)
{
	uint64_t number = number_read(key);
	enum error_code code = number != 0 ? read_version(entry, bytes, ENTRY_VERSION) : ERROR_CORRUPT;

	if (number != 0 && code == ERROR_CORRUPT)
		code = read_version(entry, bytes, 1);
	entry->number = number;
	if (code == ERROR_NONE)
		return 0;
	return error_set(err, code, "quarantine %llu: its stored value cannot be read", (unsigned long long)number);
}

/* The entry at one end of the database (MDB_FIRST, MDB_LAST): 1, 0 if there is none, -1. */
static int entry_at(struct env *env, MDB_txn *txn, MDB_cursor_op end, MDB_val *key, MDB_val *value, struct error *err)
{
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(txn, env->dbi[META_DB_QUARANTINE], &cursor);

	if (rc)
		return env_fail(env, rc, "open cursor", err);
	rc = mdb_cursor_get(cursor, key, value, end);
	mdb_cursor_close(cursor);
	if (rc == MDB_NOTFOUND)
		return 0;
	return rc ? env_fail(env, rc, "get", err) : 1;
}

static int last_number(struct env *env, MDB_txn *txn, uint64_t *number, struct error *err)
{
	MDB_val key, value;
	int found = entry_at(env, txn, MDB_LAST, &key, &value, err);

	*number = found > 0 ? number_read(env_str(key)) : 0;
	return found < 0 ? -1 : 0;
}

static int next_number(struct env *env, MDB_txn *txn, uint64_t *number, struct error *err)
{
	uint64_t last;

	if (last_number(env, txn, &last, err) != 0)
		return -1;
	MDB_val key = env_val(NEXT_KEY.p, NEXT_KEY.len), value;
	int rc = mdb_get(txn, env->dbi[META_DB_VALUES], &key, &value);
	if (rc && rc != MDB_NOTFOUND)
		return env_fail(env, rc, "get quarantine_next", err);
	uint64_t kept = rc ? 0 : number_read(env_str(value));
	*number = kept > last ? kept : last + 1;
	return 0;
}

int quarantine_next_place(struct env *env, MDB_txn *txn, struct quarantine_place *place, struct error *err)
{
	struct number_key key;
	uint64_t number;

	if (next_number(env, txn, &number, err) != 0)
		return -1;
	memcpy(place->bytes, number_str(number, &key).p, sizeof(place->bytes));
	return 0;
}

static int put(struct meta *meta, struct str bytes, struct error *err)
{
	struct env *env = meta_env(meta);
	struct quarantine_place place;

	if (meta_is_shared(meta)) /* numbers are given when it is committed */
		return meta_put_last(meta, bytes, err);
	MDB_txn *txn = env_write(env, err);
	if (!txn || quarantine_next_place(env, txn, &place, err) != 0)
		return -1;
	MDB_val key = env_val(place.bytes, sizeof(place.bytes)), value = env_val(bytes.p, bytes.len);
	int rc = mdb_put(txn, env->dbi[META_DB_QUARANTINE], &key, &value, MDB_APPEND);
	return rc ? env_fail(env, rc, "put in quarantine", err) : 0;
}

int quarantine_put(struct meta *meta, const struct quarantine_entry *entry, struct error *err)
{
	struct buf bytes = { 0 };

	entry_write(&bytes, entry);
	int result = bytes.failed ? error_set(err, ERROR_NOMEM, "quarantine: out of memory") :
	                            put(meta, buf_str(&bytes), err);
	buf_free(&bytes);
	if (result != 0)
		meta_abort(meta);
	return result;
}

struct each {
	quarantine_fn fn;
	void *arg;
};

static enum meta_next give_entry(void *arg, struct str key, struct str value, struct error *err)
{
	struct each *each = arg;
	struct quarantine_entry entry;

	if (entry_read(&entry, key, value, err) != 0)
		return META_FAILED;
	return each->fn(each->arg, &entry) ? META_GO_ON : META_STOP;
}

int quarantine_each(struct meta *meta, uint64_t from, quarantine_fn fn, void *arg, struct error *err)
{
	struct each each = { fn, arg };
	struct number_key key;

	return meta_each(meta, META_DB_QUARANTINE, number_str(from, &key), give_entry, &each, err);
}

int quarantine_each_back(struct meta *meta, quarantine_fn fn, void *arg, struct error *err)
{
	struct each each = { fn, arg };
	struct number_key key;

	return meta_each_back(meta, META_DB_QUARANTINE, number_str(UINT64_MAX, &key), give_entry, &each, err);
}

/* 1 if it was there, 0 if not, -1. */
static int remove_entry(struct change *change, uint64_t number, struct error *err)
{
	struct number_key key, next_key;
	uint64_t last, next;

	if (last_number(meta_env(change->meta), change->txn, &last, err) != 0 ||
	    next_number(meta_env(change->meta), change->txn, &next, err) != 0)
		return -1;
	if (number == last && change_put(change, META_DB_VALUES, NEXT_KEY, number_str(next, &next_key), err) != 0)
		return -1;
	return change_remove(change, META_DB_QUARANTINE, number_str(number, &key), err);
}

int quarantine_drop(struct meta *meta, uint64_t number, struct error *err)
{
	struct change change;

	if (change_begin(&change, meta, err) != 0)
		return -1;
	int removed = remove_entry(&change, number, err);
	if (removed == 0)
		error_set(err, ERROR_NOT_FOUND, "quarantine %llu: no such entry", (unsigned long long)number);
	return change_end(&change, removed > 0 ? 0 : -1, err);
}

static int remove_each(struct change *change, const uint64_t *numbers, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++)
		if (remove_entry(change, numbers[i], err) < 0)
			return -1;
	return 0;
}

int quarantine_drop_each(struct meta *meta, const uint64_t *numbers, size_t count, struct error *err)
{
	struct change change;

	if (change_begin(&change, meta, err) != 0)
		return -1;
	return change_end(&change, remove_each(&change, numbers, count, err), err);
}

static int read_stats(struct env *env, MDB_txn *txn, struct quarantine_stats *stats, struct error *err)
{
	MDB_stat stat;
	int rc = mdb_stat(txn, env->dbi[META_DB_QUARANTINE], &stat);

	if (rc)
		return env_fail(env, rc, "stat", err);
	stats->entries = stat.ms_entries;
	stats->bytes = (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) * (uint64_t)stat.ms_psize;
	return 0;
}

/* Notes an entry as of another time. */
static int set_time(struct change *change, struct quarantine_entry *entry, int64_t time_us, struct error *err)
{
	struct number_key key;
	struct buf bytes = { 0 };

	entry->time_us = time_us;
	entry_write(&bytes, entry);
	int result = bytes.failed ? error_set(err, ERROR_NOMEM, "quarantine: out of memory") :
	                            change_put(change, META_DB_QUARANTINE, number_str(entry->number, &key),
	                                       buf_str(&bytes), err);
	buf_free(&bytes);
	return result;
}

/* Entries from the future are noted as of the newest time there can be, of the first `max` ones. */
static int correct_times(struct change *change, int64_t newest_us, int max, struct error *err)
{
	struct quarantine_entry entry = { .number = 0 };

	for (int looked_at = 0; looked_at < max; looked_at++) {
		struct number_key next;
		struct str from = number_str(entry.number + 1, &next);
		MDB_val key = env_val(from.p, from.len), value;
		int found = entry_at(meta_env(change->meta), change->txn, MDB_SET_RANGE, &key, &value, err);

		if (found <= 0)
			return found;
		if (entry_read(&entry, env_str(key), env_str(value), err) != 0)
			return -1;
		if (entry.time_us > newest_us && set_time(change, &entry, newest_us, err) != 0)
			return -1;
	}
	return 0;
}

/* The number of the oldest entry if it is to be dropped, 0 if none is. *is_old: by its age. If it is from the future, the
 * first `max` ones are corrected at once, as each would otherwise hold up the others when it is the oldest. */
static int oldest_to_go(struct change *change, const struct quarantine_limits *limits, int max, uint64_t *number,
                        bool *is_old, struct error *err)
{
	struct quarantine_entry entry;
	struct quarantine_stats stats;
	MDB_val key, value;

	*number = 0;
	int found = entry_at(meta_env(change->meta), change->txn, MDB_FIRST, &key, &value, err);
	if (found <= 0)
		return found;
	if (entry_read(&entry, env_str(key), env_str(value), err) != 0 ||
	    read_stats(meta_env(change->meta), change->txn, &stats, err) != 0)
		return -1;
	*is_old = entry.time_us < limits->oldest_us;
	if (*is_old || stats.bytes > limits->max_bytes)
		*number = entry.number;
	else if (entry.time_us > limits->newest_us)
		return correct_times(change, limits->newest_us, max, err);
	return 0;
}

static int remove_oldest(struct change *change, const struct quarantine_limits *limits, int max, uint64_t *pushed_out,
                         struct error *err)
{
	for (int removed = 0; removed < max; removed++) {
		uint64_t number;
		bool is_old;

		if (oldest_to_go(change, limits, max, &number, &is_old, err) != 0)
			return -1;
		if (number == 0)
			return removed;
		if (remove_entry(change, number, err) < 0)
			return -1;
		*pushed_out += !is_old;
	}
	return max;
}

int quarantine_expire(struct meta *meta, const struct quarantine_limits *limits, int max, uint64_t *pushed_out,
                      struct error *err)
{
	struct change change;
	uint64_t pushed = 0;

	if (change_begin(&change, meta, err) != 0)
		return -1;
	int removed = remove_oldest(&change, limits, max, &pushed, err);
	if (pushed_out)
		*pushed_out = pushed;
	return change_end(&change, removed < 0 ? -1 : 0, err) == 0 ? removed : -1;
}

static int read_ends(struct env *env, MDB_txn *txn, struct quarantine_ends *ends, struct error *err)
{
	struct quarantine_entry entry;
	MDB_val key, value;

	*ends = (struct quarantine_ends){ 0 };
	int found = entry_at(env, txn, MDB_FIRST, &key, &value, err);
	if (found <= 0)
		return found;
	if (entry_read(&entry, env_str(key), env_str(value), err) != 0)
		return -1;
	ends->oldest_us = entry.time_us;
	return last_number(env, txn, &ends->newest, err);
}

int quarantine_ends(struct meta *meta, struct quarantine_ends *ends, struct error *err)
{
	struct env *env = meta_env(meta);
	MDB_txn *txn = env_read(env, err);

	if (!txn)
		return -1;
	int result = read_ends(env, txn, ends, err);
	return env_read_end(env, txn, result, err);
}

int quarantine_stats(struct meta *meta, struct quarantine_stats *stats, struct error *err)
{
	struct env *env = meta_env(meta);

	if (env->write)
		return read_stats(env, env->write, stats, err);
	MDB_txn *txn = env_read(env, err);
	if (!txn)
		return -1;
	int result = read_stats(env, txn, stats, err);
	return env_read_end(env, txn, result, err);
}

int64_t quarantine_age_us(struct meta *meta, int64_t now_us)
{
	struct quarantine_ends ends;
	struct error err;

	if (quarantine_ends(meta, &ends, &err) != 0 || ends.newest == 0 || ends.oldest_us > now_us)
		return 0;
	return now_us - ends.oldest_us;
}
