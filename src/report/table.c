/* SPDX-License-Identifier: ISC */
/*
 * table.c: the rows of reports and the index that leads to them. See table.h.
 */
#include "report/table.h"

#include <endian.h>
#include <string.h>

#define KEY_MAX (1 + ACCOUNT_ID_LEN + REPORT_KEY_MAX)

enum index_kind {
	INDEX_ACCOUNT = 'a',
	INDEX_TIME = 't',
	INDEX_QUEUE = 'q',
	INDEX_DUE = 'd',
	INDEX_FILE = 'f',
	INDEX_KEY = 'k',
	INDEX_MEMBERS = 'm',
};

_Static_assert(KEY_MAX >= 1 + ACCOUNT_ID_LEN + 8 + ID_UUID_LEN, "the longest key fits");

/* --- keys --- */

struct index_key {
	size_t len;
	char bytes[KEY_MAX];
};

static struct index_key key_begin(enum index_kind kind)
{
	return (struct index_key){ .len = 1, .bytes = { (char)kind } };
}

static void key_add(struct index_key *key, const void *data, size_t len)
{
	memcpy(key->bytes + key->len, data, len);
	key->len += len;
}

static void key_add_time(struct index_key *key, int64_t time_us)
{
	uint64_t bytes = htobe64((uint64_t)time_us ^ (UINT64_C(1) << 63));

	key_add(key, &bytes, sizeof(bytes));
}

static int64_t time_at(const char *p)
{
	uint64_t bytes;

	memcpy(&bytes, p, sizeof(bytes));
	return (int64_t)(be64toh(bytes) ^ (UINT64_C(1) << 63));
}

static struct str key_str(const struct index_key *key)
{
	return (struct str){ key->bytes, key->len };
}

/* Of the kinds that end with a time and an id. */
static struct index_key timed_key(enum index_kind kind, int64_t time_us, struct str id)
{
	struct index_key key = key_begin(kind);

	key_add_time(&key, time_us);
	key_add(&key, id.p, id.len);
	return key;
}

static struct index_key account_key(const char *account, int64_t time_us, struct str id)
{
	struct index_key key = key_begin(INDEX_ACCOUNT);

	key_add(&key, account, ACCOUNT_ID_LEN);
	key_add_time(&key, time_us);
	key_add(&key, id.p, id.len);
	return key;
}

static struct index_key text_key(enum index_kind kind, struct str text)
{
	struct index_key key = key_begin(kind);

	key_add(&key, text.p, text.len);
	return key;
}

static struct index_key idempotency_key(const char *creator, struct str text)
{
	struct index_key key = key_begin(INDEX_KEY);

	key_add(&key, creator, ACCOUNT_ID_LEN);
	key_add(&key, text.p, text.len < REPORT_KEY_MAX ? text.len : REPORT_KEY_MAX);
	return key;
}

/* The id that ends a key. */
static struct str id_of(struct str key)
{
	if (key.len < ID_UUID_LEN)
		return key;
	return (struct str){ key.p + key.len - ID_UUID_LEN, ID_UUID_LEN };
}

static bool has_kind(struct str key, const struct index_key *prefix)
{
	return key.len >= prefix->len && memcmp(key.p, prefix->bytes, prefix->len) == 0;
}

/* --- changes --- */

static int put_index(struct change *change, struct index_key key, struct str value, struct error *err)
{
	return change_put(change, CATALOG_DB_REPORT_INDEX, key_str(&key), value, err);
}

static int remove_index(struct change *change, struct index_key key, struct error *err)
{
	return change_remove(change, CATALOG_DB_REPORT_INDEX, key_str(&key), err) < 0 ? -1 : 0;
}

int table_put(struct change *change, const struct report *report, struct error *err)
{
	struct buf value = { 0 };
	int result;

	report_row_write(&value, report);
	if (value.failed)
		result = error_set(err, ERROR_NOMEM, "report %s: out of memory", report->id);
	else
		result = change_put(change, CATALOG_DB_REPORTS, str_from(report->id), buf_str(&value), err);
	buf_free(&value);
	return result;
}

static int put_key(struct change *change, const struct report *report, uint64_t body_hash, struct error *err)
{
	char value[ID_UUID_LEN + sizeof(body_hash)];

	if (report->key.len == 0)
		return 0;
	memcpy(value, report->id, ID_UUID_LEN);
	memcpy(value + ID_UUID_LEN, &body_hash, sizeof(body_hash));
	return put_index(change, idempotency_key(report->creator, buf_str(&report->key)),
	                 (struct str){ value, sizeof(value) }, err);
}

int table_add(struct change *change, const struct report *report, uint64_t body_hash, struct error *err)
{
	struct str id = str_from(report->id), nothing = STR_LITERAL("");
	int64_t at = report->received_us;

	if (table_put(change, report, err) < 0 ||
	    put_index(change, account_key(report->account, at, id), nothing, err) < 0 ||
	    put_index(change, timed_key(INDEX_TIME, at, id), nothing, err) < 0 ||
	    put_index(change, timed_key(INDEX_QUEUE, at, id), nothing, err) < 0 ||
	    put_index(change, text_key(INDEX_FILE, str_from(report->file_id)), id, err) < 0)
		return -1;
	return put_key(change, report, body_hash, err);
}

int table_put_members(struct change *change, const struct report *report, struct str accounts, struct error *err)
{
	return put_index(change, text_key(INDEX_MEMBERS, str_from(report->id)), accounts, err);
}

int table_end(struct change *change, const struct report *report, int64_t due_us, struct error *err)
{
	struct str id = str_from(report->id);

	if (table_put(change, report, err) < 0 ||
	    remove_index(change, timed_key(INDEX_QUEUE, report->received_us, id), err) < 0 ||
	    remove_index(change, text_key(INDEX_MEMBERS, id), err) < 0 ||
	    put_index(change, timed_key(INDEX_DUE, due_us, id), STR_LITERAL(""), err) < 0)
		return -1;
	return report->has_file ? 0 : remove_index(change, text_key(INDEX_FILE, str_from(report->file_id)), err);
}

int table_remove_due(struct change *change, struct str id, int64_t was_us, struct error *err)
{
	return remove_index(change, timed_key(INDEX_DUE, was_us, id), err);
}

int table_move_due(struct change *change, const struct report *report, int64_t was_us, int64_t due_us,
                   struct error *err)
{
	struct str id = str_from(report->id);

	if (table_remove_due(change, id, was_us, err) < 0)
		return -1;
	return put_index(change, timed_key(INDEX_DUE, due_us, id), STR_LITERAL(""), err);
}

int table_drop_file(struct change *change, const struct report *report, int64_t was_us, int64_t due_us,
                    struct error *err)
{
	if (table_put(change, report, err) < 0 ||
	    remove_index(change, text_key(INDEX_FILE, str_from(report->file_id)), err) < 0)
		return -1;
	return table_move_due(change, report, was_us, due_us, err);
}

int table_requeue(struct change *change, const struct report *report, int64_t was_us, struct error *err)
{
	struct str id = str_from(report->id);

	if (table_put(change, report, err) < 0 || table_remove_due(change, id, was_us, err) < 0)
		return -1;
	return put_index(change, timed_key(INDEX_QUEUE, report->received_us, id), STR_LITERAL(""), err);
}

int table_remove(struct change *change, const struct report *report, int64_t was_us, struct error *err)
{
	struct str id = str_from(report->id);
	int64_t at = report->received_us;

	if (change_remove(change, CATALOG_DB_REPORTS, id, err) < 0 || table_remove_due(change, id, was_us, err) < 0 ||
	    remove_index(change, account_key(report->account, at, id), err) < 0 ||
	    remove_index(change, timed_key(INDEX_TIME, at, id), err) < 0 ||
	    remove_index(change, text_key(INDEX_FILE, str_from(report->file_id)), err) < 0)
		return -1;
	if (report->key.len == 0)
		return 0;
	return remove_index(change, idempotency_key(report->creator, buf_str(&report->key)), err);
}

/* --- reading --- */


static enum catalog_rows_next read_row(void *arg, struct str key, struct str value, struct error *err)
{
	return report_row_read(arg, key, value, err) < 0 ? CATALOG_ROWS_FAILED : CATALOG_ROWS_GO_ON;
}

int table_get(struct store *store, struct str id, struct report *report, struct error *err)
{
	char lower[ID_UUID_LEN];

	if (id.len != ID_UUID_LEN)
		return 0;
	id_uuid_lower(lower, id.p);
	return catalog_rows_find(store, CATALOG_DB_REPORTS, (struct str){ lower, sizeof(lower) }, read_row, report, err);
}

static enum catalog_rows_next read_buf(void *arg, struct str key, struct str value, struct error *err)
{
	struct buf *out = arg;

	(void)key;
	buf_add_str(out, value);
	if (!out->failed)
		return CATALOG_ROWS_GO_ON;
	error_set(err, ERROR_NOMEM, "index of reports: out of memory");
	return CATALOG_ROWS_FAILED;
}

static int find_index(struct store *store, const struct index_key *key, struct buf *value, struct error *err)
{
	return catalog_rows_find(store, CATALOG_DB_REPORT_INDEX, key_str(key), read_buf, value, err);
}

/* As find_index, for a value of exactly `len` bytes. */
static int find_fixed(struct store *store, const struct index_key *key, char *out, size_t len, struct error *err)
{
	struct buf value = { 0 };
	int found = find_index(store, key, &value, err);

	if (found > 0 && value.len != len)
		found = error_set(err, ERROR_CORRUPT, "index of reports: a value of %zu bytes, must be %zu", value.len, len);
	if (found > 0)
		memcpy(out, value.data, len);
	buf_free(&value);
	return found;
}

int table_find_file(struct store *store, struct str file_id, char id[ID_UUID_LEN + 1], struct error *err)
{
	char lower[ID_UUID_LEN];

	if (file_id.len != ID_UUID_LEN)
		return 0;
	id_uuid_lower(lower, file_id.p);
	struct index_key key = text_key(INDEX_FILE, (struct str){ lower, sizeof(lower) });

	id[ID_UUID_LEN] = '\0';
	return find_fixed(store, &key, id, ID_UUID_LEN, err);
}

int table_find_key(struct store *store, const char *creator, struct str text, char id[ID_UUID_LEN + 1],
                   uint64_t *body_hash, struct error *err)
{
	struct index_key key = idempotency_key(creator, text);
	char value[ID_UUID_LEN + sizeof(*body_hash)];
	int found = find_fixed(store, &key, value, sizeof(value), err);

	if (found <= 0)
		return found;
	memcpy(id, value, ID_UUID_LEN);
	id[ID_UUID_LEN] = '\0';
	memcpy(body_hash, value + ID_UUID_LEN, sizeof(*body_hash));
	return 1;
}

int table_get_members(struct store *store, struct str id, struct buf *accounts, struct error *err)
{
	struct index_key key = text_key(INDEX_MEMBERS, id);

	return find_index(store, &key, accounts, err);
}

/* --- walks --- */

struct due_walk {
	const struct index_key *prefix;
	int64_t now_us;
	struct table_due *due;
	int count, max;
};

static enum catalog_rows_next take_due(void *arg, struct str key, struct str value, struct error *err)
{
	struct due_walk *walk = arg;

	(void)value;
	(void)err;
	if (!has_kind(key, walk->prefix) || key.len != 1 + 8 + ID_UUID_LEN || time_at(key.p + 1) > walk->now_us)
		return CATALOG_ROWS_STOP;
	struct table_due *due = &walk->due[walk->count++];

	due->at_us = time_at(key.p + 1);
	memcpy(due->id, id_of(key).p, ID_UUID_LEN);
	due->id[ID_UUID_LEN] = '\0';
	return walk->count < walk->max ? CATALOG_ROWS_GO_ON : CATALOG_ROWS_STOP;
}

int table_find_due(struct store *store, int64_t now_us, struct table_due *due, int max, struct error *err)
{
	struct index_key prefix = key_begin(INDEX_DUE);
	struct due_walk walk = { .prefix = &prefix, .now_us = now_us, .due = due, .max = max };

	if (catalog_rows_each(store, CATALOG_DB_REPORT_INDEX, key_str(&prefix), take_due, &walk, err) < 0)
		return -1;
	return walk.count;
}

struct queue_walk {
	const struct index_key *prefix;
	table_queue_fn fn;
	void *arg;
};

static enum catalog_rows_next give_queued(void *arg, struct str key, struct str value, struct error *err)
{
	struct queue_walk *walk = arg;

	(void)value;
	(void)err;
	if (!has_kind(key, walk->prefix))
		return CATALOG_ROWS_STOP;
	return walk->fn(walk->arg, id_of(key)) ? CATALOG_ROWS_GO_ON : CATALOG_ROWS_STOP;
}

int table_each_queued(struct store *store, table_queue_fn fn, void *arg, struct error *err)
{
	struct index_key prefix = key_begin(INDEX_QUEUE);
	struct queue_walk walk = { &prefix, fn, arg };

	return catalog_rows_each(store, CATALOG_DB_REPORT_INDEX, key_str(&prefix), give_queued, &walk, err);
}

/* Newest first: the index is walked backwards, so this is the one place that uses LMDB itself. */
static int walk_back(struct store *store, MDB_txn *txn, const struct index_key *prefix, int64_t from_us, int64_t to_us,
                     reports_fn fn, void *arg, struct error *err)
{
	struct env *env = store_catalog(store);
	struct index_key end = *prefix;
	MDB_cursor *cursor;
	MDB_val key, value;
	int result = 0;
	int rc = mdb_cursor_open(txn, env->dbi[CATALOG_DB_REPORT_INDEX], &cursor);

	if (rc)
		return env_fail(env, rc, "open cursor", err);
	key_add_time(&end, to_us);
	key = env_val(end.bytes, end.len);
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	rc = mdb_cursor_get(cursor, &key, &value, rc == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
	for (; !rc && result == 0; rc = mdb_cursor_get(cursor, &key, &value, MDB_PREV)) {
		struct str at = env_str(key), id = id_of(at);
		struct report report;

		if (!has_kind(at, prefix) || at.len != prefix->len + 8 + ID_UUID_LEN || time_at(at.p + prefix->len) < from_us)
			break;
		MDB_val row_key = env_val(id.p, id.len), row;
		int found = mdb_get(txn, env->dbi[CATALOG_DB_REPORTS], &row_key, &row);

		if (found == MDB_NOTFOUND)
			continue;
		if (found)
			result = env_fail(env, found, "get", err);
		else
			result = report_row_read(&report, id, env_str(row), err);
		if (result < 0)
			break;
		bool go_on = fn(arg, &report);

		report_free(&report);
		if (!go_on)
			break;
	}
	mdb_cursor_close(cursor);
	if (rc && rc != MDB_NOTFOUND)
		return env_fail(env, rc, "walk", err);
	return result;
}

int table_each(struct store *store, const char *account, int64_t from_us, int64_t to_us, reports_fn fn, void *arg,
               struct error *err)
{
	struct index_key prefix = key_begin(account ? INDEX_ACCOUNT : INDEX_TIME);
	MDB_txn *txn = env_read(store_catalog(store), err);
	int result;

	if (!txn)
		return -1;
	if (account)
		key_add(&prefix, account, ACCOUNT_ID_LEN);
	result = walk_back(store, txn, &prefix, from_us, to_us, fn, arg, err);
	return env_read_end(store_catalog(store), txn, result, err);
}
