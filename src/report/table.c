/* SPDX-License-Identifier: ISC */
/*
 * table.c: the rows of reports and the index that leads to them. See table.h.
 */
#include "report/table.h"

#include <endian.h>
#include <string.h>

#define KEY_MAX (1 + ACCOUNT_KEY_LEN + REPORT_KEY_MAX)

enum index_kind {
	INDEX_ACCOUNT = 'a',
	INDEX_TIME = 't',
	INDEX_QUEUE = 'q',
	INDEX_DUE = 'd',
	INDEX_FILE = 'f',
	INDEX_KEY = 'k',
	INDEX_MEMBERS = 'm',
};

_Static_assert(KEY_MAX >= 1 + ACCOUNT_KEY_LEN + 8 + ID_UUID_LEN, "the longest key fits");

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

/* For the kinds whose keys end with a time and an id. */
static struct index_key timed_key(enum index_kind kind, int64_t time_us, struct str id)
{
	struct index_key key = key_begin(kind);

	key_add_time(&key, time_us);
	key_add(&key, id.p, id.len);
	return key;
}

static struct index_key account_key(const struct account_key *account, int64_t time_us, struct str id)
{
	struct index_key key = key_begin(INDEX_ACCOUNT);

	key_add(&key, account->bytes, ACCOUNT_KEY_LEN);
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

static struct index_key idempotency_key(const struct account_key *creator, struct str text)
{
	struct index_key key = key_begin(INDEX_KEY);

	key_add(&key, creator->bytes, ACCOUNT_KEY_LEN);
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
	return change_put(change, META_DB_REPORT_INDEX, key_str(&key), value, err);
}

static int remove_index(struct change *change, struct index_key key, struct error *err)
{
	return change_remove(change, META_DB_REPORT_INDEX, key_str(&key), err) < 0 ? -1 : 0;
}

int table_put(struct change *change, const struct report *report, struct error *err)
{
	struct buf value = { 0 };
	int result;

	report_row_write(&value, report);
	if (value.failed)
		result = error_set(err, ERROR_NOMEM, "report %s: out of memory", report->id);
	else
		result = change_put(change, META_DB_REPORTS, str_from(report->id), buf_str(&value), err);
	buf_free(&value);
	return result;
}

int table_write(struct meta *meta, const struct report *report, struct error *err)
{
	struct change change;

	if (change_begin(&change, meta, err) != 0)
		return -1;
	return change_end(&change, table_put(&change, report, err), err);
}

static int put_key(struct change *change, const struct report *report, uint64_t body_hash, struct error *err)
{
	char value[ID_UUID_LEN + sizeof(body_hash)];

	if (report->key.len == 0)
		return 0;
	memcpy(value, report->id, ID_UUID_LEN);
	memcpy(value + ID_UUID_LEN, &body_hash, sizeof(body_hash));
	return put_index(change, idempotency_key(&report->creator_key, buf_str(&report->key)),
	                 (struct str){ value, sizeof(value) }, err);
}

int table_add(struct change *change, const struct report *report, uint64_t body_hash, struct error *err)
{
	struct str id = str_from(report->id), nothing = STR_LITERAL("");
	int64_t at = report->received_us;

	if (table_put(change, report, err) < 0 ||
	    put_index(change, account_key(&report->account_key, at, id), nothing, err) < 0 ||
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

	if (change_remove(change, META_DB_REPORTS, id, err) < 0 || table_remove_due(change, id, was_us, err) < 0 ||
	    remove_index(change, account_key(&report->account_key, at, id), err) < 0 ||
	    remove_index(change, timed_key(INDEX_TIME, at, id), err) < 0 ||
	    remove_index(change, text_key(INDEX_FILE, str_from(report->file_id)), err) < 0)
		return -1;
	if (report->key.len == 0)
		return 0;
	return remove_index(change, idempotency_key(&report->creator_key, buf_str(&report->key)), err);
}

/* --- reading --- */

static enum meta_next read_row(void *arg, struct str key, struct str value, struct error *err)
{
	return report_row_read(arg, key, value, err) < 0 ? META_FAILED : META_GO_ON;
}

int table_get(struct meta *meta, struct str id, struct report *report, struct error *err)
{
	char lower[ID_UUID_LEN];

	if (id.len != ID_UUID_LEN)
		return 0;
	id_uuid_lower(lower, id.p);
	return meta_find(meta, META_DB_REPORTS, (struct str){ lower, sizeof(lower) }, read_row, report, err);
}

static enum meta_next read_buf(void *arg, struct str key, struct str value, struct error *err)
{
	struct buf *out = arg;

	(void)key;
	buf_add_str(out, value);
	if (!out->failed)
		return META_GO_ON;
	error_set(err, ERROR_NOMEM, "index of reports: out of memory");
	return META_FAILED;
}

static int find_index(struct meta *meta, const struct index_key *key, struct buf *value, struct error *err)
{
	return meta_find(meta, META_DB_REPORT_INDEX, key_str(key), read_buf, value, err);
}

/* As find_index, for a value of exactly `len` bytes. */
static int find_fixed(struct meta *meta, const struct index_key *key, char *out, size_t len, struct error *err)
{
	struct buf value = { 0 };
	int found = find_index(meta, key, &value, err);

	if (found > 0 && value.len != len)
		found = error_set(err, ERROR_CORRUPT, "index of reports: a value of %zu bytes, must be %zu", value.len,
		                  len);
	if (found > 0)
		memcpy(out, value.data, len);
	buf_free(&value);
	return found;
}

int table_find_file(struct meta *meta, struct str file_id, char id[ID_UUID_LEN + 1], struct error *err)
{
	char lower[ID_UUID_LEN];

	if (file_id.len != ID_UUID_LEN)
		return 0;
	id_uuid_lower(lower, file_id.p);
	struct index_key key = text_key(INDEX_FILE, (struct str){ lower, sizeof(lower) });

	id[ID_UUID_LEN] = '\0';
	return find_fixed(meta, &key, id, ID_UUID_LEN, err);
}

int table_find_key(struct meta *meta, const struct account_key *creator, struct str text, char id[ID_UUID_LEN + 1],
                   uint64_t *body_hash, struct error *err)
{
	struct index_key key = idempotency_key(creator, text);
	char value[ID_UUID_LEN + sizeof(*body_hash)];
	int found = find_fixed(meta, &key, value, sizeof(value), err);

	if (found <= 0)
		return found;
	memcpy(id, value, ID_UUID_LEN);
	id[ID_UUID_LEN] = '\0';
	memcpy(body_hash, value + ID_UUID_LEN, sizeof(*body_hash));
	return 1;
}

int table_get_members(struct meta *meta, struct str id, struct buf *accounts, struct error *err)
{
	struct index_key key = text_key(INDEX_MEMBERS, id);

	return find_index(meta, &key, accounts, err);
}

/* --- walks --- */

struct due_walk {
	const struct index_key *prefix;
	int64_t now_us;
	struct table_due *due;
	int count, max;
};

static enum meta_next take_due(void *arg, struct str key, struct str value, struct error *err)
{
	struct due_walk *walk = arg;

	(void)value;
	(void)err;
	if (!has_kind(key, walk->prefix) || key.len != 1 + 8 + ID_UUID_LEN || time_at(key.p + 1) > walk->now_us)
		return META_STOP;
	struct table_due *due = &walk->due[walk->count++];

	due->at_us = time_at(key.p + 1);
	memcpy(due->id, id_of(key).p, ID_UUID_LEN);
	due->id[ID_UUID_LEN] = '\0';
	return walk->count < walk->max ? META_GO_ON : META_STOP;
}

int table_find_due(struct meta *meta, int64_t now_us, struct table_due *due, int max, struct error *err)
{
	struct index_key prefix = key_begin(INDEX_DUE);
	struct due_walk walk = { .prefix = &prefix, .now_us = now_us, .due = due, .max = max };

	if (meta_each(meta, META_DB_REPORT_INDEX, key_str(&prefix), take_due, &walk, err) < 0)
		return -1;
	return walk.count;
}

struct queue_walk {
	const struct index_key *prefix;
	table_queue_fn fn;
	void *arg;
};

static enum meta_next give_queued(void *arg, struct str key, struct str value, struct error *err)
{
	struct queue_walk *walk = arg;

	(void)value;
	(void)err;
	if (!has_kind(key, walk->prefix))
		return META_STOP;
	return walk->fn(walk->arg, id_of(key)) ? META_GO_ON : META_STOP;
}

int table_each_queued(struct meta *meta, table_queue_fn fn, void *arg, struct error *err)
{
	struct index_key prefix = key_begin(INDEX_QUEUE);
	struct queue_walk walk = { &prefix, fn, arg };

	return meta_each(meta, META_DB_REPORT_INDEX, key_str(&prefix), give_queued, &walk, err);
}

struct back_walk {
	struct meta *meta;
	const struct index_key *prefix;
	int64_t from_us;
	reports_fn fn;
	void *arg;
};

static enum meta_next give_report(void *arg, struct str key, struct str value, struct error *err)
{
	struct back_walk *walk = arg;
	size_t prefix_len = walk->prefix->len;
	struct report report;
	int found;
	bool go_on;

	(void)value;
	if (!has_kind(key, walk->prefix) || key.len != prefix_len + 8 + ID_UUID_LEN ||
	    time_at(key.p + prefix_len) < walk->from_us)
		return META_STOP;
	found = table_get(walk->meta, id_of(key), &report, err);
	if (found <= 0)
		return found < 0 ? META_FAILED : META_GO_ON;
	go_on = walk->fn(walk->arg, &report);
	report_free(&report);
	return go_on ? META_GO_ON : META_STOP;
}

/* Newest first. */
int table_each(struct meta *meta, const struct account_key *account, int64_t from_us, int64_t to_us, reports_fn fn,
               void *arg, struct error *err)
{
	struct index_key prefix = key_begin(account ? INDEX_ACCOUNT : INDEX_TIME), end;
	struct back_walk walk = { meta, &prefix, from_us, fn, arg };

	if (account)
		key_add(&prefix, account->bytes, ACCOUNT_KEY_LEN);
	end = prefix;
	key_add_time(&end, to_us);
	return meta_each_back(meta, META_DB_REPORT_INDEX, key_str(&end), give_report, &walk, err);
}
