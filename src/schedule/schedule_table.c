/* SPDX-License-Identifier: ISC */
/*
 * schedule_table.c: see schedule_table.h.
 */
#include "schedule/schedule_table.h"

#include <endian.h>
#include <string.h>

#include "base/log.h"

#define TIME_LEN 8
#define DUE_KEY_LEN (1 + TIME_LEN + ID_UUID_LEN)
#define KEY_MAX (1 + sizeof(((struct schedule *)0)->account) + ID_UUID_LEN)

enum index_kind { INDEX_ACCOUNT = 'a', INDEX_DUE = 'd' };

_Static_assert(KEY_MAX >= DUE_KEY_LEN, "the longest key fits");

/* --- keys --- */

struct schedule_key {
	size_t len;
	char bytes[KEY_MAX];
};

static struct str key_str(const struct schedule_key *key)
{
	return (struct str){ key->bytes, key->len };
}

static void key_add(struct schedule_key *key, const void *data, size_t len)
{
	memcpy(key->bytes + key->len, data, len);
	key->len += len;
}

/* The beginning of the keys of an account's. */
static struct schedule_key account_key(const char *account)
{
	struct schedule_key key = { .len = 1, .bytes = { INDEX_ACCOUNT } };

	key_add(&key, account, strlen(account) + 1);
	return key;
}

static struct schedule_key due_key(int64_t at_us, struct str id)
{
	struct schedule_key key = { .len = 1, .bytes = { INDEX_DUE } };
	uint64_t bytes = htobe64((uint64_t)at_us ^ (UINT64_C(1) << 63));

	key_add(&key, &bytes, sizeof(bytes));
	key_add(&key, id.p, id.len);
	return key;
}

/* --- changes --- */

static int put_index(struct change *change, struct schedule_key key, struct error *err)
{
	return change_put(change, META_DB_SCHEDULE_INDEX, key_str(&key), STR_LITERAL(""), err);
}

static int remove_index(struct change *change, struct schedule_key key, struct error *err)
{
	return change_remove(change, META_DB_SCHEDULE_INDEX, key_str(&key), err) < 0 ? -1 : 0;
}

int schedule_table_remove_due(struct change *change, struct str id, int64_t at_us, struct error *err)
{
	return remove_index(change, due_key(at_us, id), err);
}

int schedule_table_put(struct change *change, const struct schedule *schedule, int64_t was_at_us, struct error *err)
{
	struct str id = str_from(schedule->id);
	struct buf value = { 0 };
	int result;

	schedule_row_write(&value, schedule);
	result = value.failed ? error_set(err, ERROR_NOMEM, "schedule %s: out of memory", schedule->id) :
	                        change_put(change, META_DB_SCHEDULES, id, buf_str(&value), err);
	buf_free(&value);
	if (result == 0 && was_at_us != 0)
		result = schedule_table_remove_due(change, id, was_at_us, err);
	if (result == 0 && schedule->at_us != 0)
		result = put_index(change, due_key(schedule->at_us, id), err);
	return result;
}

int schedule_table_add(struct change *change, const struct schedule *schedule, struct error *err)
{
	struct schedule_key key = account_key(schedule->account);

	key_add(&key, schedule->id, ID_UUID_LEN);
	return put_index(change, key, err) == 0 ? schedule_table_put(change, schedule, 0, err) : -1;
}

int schedule_table_remove(struct change *change, const struct schedule *schedule, struct error *err)
{
	struct schedule_key key = account_key(schedule->account);

	key_add(&key, schedule->id, ID_UUID_LEN);
	if (change_remove(change, META_DB_SCHEDULES, str_from(schedule->id), err) < 0 ||
	    remove_index(change, key, err) != 0)
		return -1;
	return schedule->at_us == 0 ? 0 :
	                              schedule_table_remove_due(change, str_from(schedule->id), schedule->at_us, err);
}

/* --- reading --- */

static enum meta_next take_row(void *arg, struct str key, struct str value, struct error *err)
{
	return schedule_row_read(arg, key, value, err) == 0 ? META_GO_ON : META_FAILED;
}

int schedule_table_get(struct meta *meta, struct str id, struct schedule *schedule, struct error *err)
{
	if (id.len != ID_UUID_LEN)
		return 0;
	return meta_find(meta, META_DB_SCHEDULES, id, take_row, schedule, err);
}

struct first_due {
	char *id;
	int64_t at_us;
	bool found;
};

static enum meta_next take_due(void *arg, struct str key, struct str value, struct error *err)
{
	struct first_due *first = arg;
	uint64_t bytes;

	(void)value;
	(void)err;
	if (key.len != DUE_KEY_LEN || key.p[0] != INDEX_DUE)
		return META_STOP;
	memcpy(&bytes, key.p + 1, sizeof(bytes));
	first->at_us = (int64_t)(be64toh(bytes) ^ (UINT64_C(1) << 63));
	memcpy(first->id, key.p + 1 + TIME_LEN, ID_UUID_LEN);
	first->id[ID_UUID_LEN] = '\0';
	first->found = true;
	return META_STOP;
}

int schedule_table_first_due(struct meta *meta, char id[ID_UUID_LEN + 1], int64_t *at_us, struct error *err)
{
	const char kind = INDEX_DUE;
	struct first_due first = { .id = id };

	if (meta_each(meta, META_DB_SCHEDULE_INDEX, (struct str){ &kind, 1 }, take_due, &first, err) != 0)
		return -1;
	*at_us = first.at_us;
	return first.found;
}

struct gathering {
	struct schedule_key prefix;
	struct buf *ids;
};

static enum meta_next gather_id(void *arg, struct str key, struct str value, struct error *err)
{
	const struct gathering *gathering = arg;
	const struct schedule_key *prefix = &gathering->prefix;

	(void)value;
	(void)err;
	if (key.len != prefix->len + ID_UUID_LEN || memcmp(key.p, prefix->bytes, prefix->len) != 0)
		return META_STOP;
	buf_add(gathering->ids, key.p + prefix->len, ID_UUID_LEN);
	return META_GO_ON;
}

int schedule_table_of_account(struct meta *meta, const char *account, struct buf *ids, struct error *err)
{
	struct gathering gathering = { account_key(account), ids };

	if (meta_each(meta, META_DB_SCHEDULE_INDEX, key_str(&gathering.prefix), gather_id, &gathering, err) != 0)
		return -1;
	return ids->failed ? error_set(err, ERROR_NOMEM, "schedules: out of memory") : 0;
}

struct giving {
	struct str after;
	schedules_fn fn;
	void *arg;
};

static enum meta_next give_row(void *arg, struct str key, struct str value, struct error *err)
{
	const struct giving *giving = arg;
	struct schedule schedule;

	if (str_equal(key, giving->after))
		return META_GO_ON;
	if (schedule_row_read(&schedule, key, value, err) != 0) {
		if (err->code == ERROR_NOMEM)
			return META_FAILED;
		log_error("schedule", "%s", err->message);
		return META_GO_ON;
	}
	bool goes_on = giving->fn(giving->arg, &schedule);
	schedule_free(&schedule);
	return goes_on ? META_GO_ON : META_STOP;
}

int schedule_table_each(struct meta *meta, struct str after, schedules_fn fn, void *arg, struct error *err)
{
	struct giving giving = { after, fn, arg };

	return meta_each(meta, META_DB_SCHEDULES, after, give_row, &giving, err);
}
