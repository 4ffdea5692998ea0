/* SPDX-License-Identifier: ISC */
/*
 * producers.c: credentials that may only ingest. See accounts.h.
 *
 * Layout version 1 of a stored producer, under its name: [1, created_us, iterations, salt, hash, setting...], the
 * settings in the order of their table; rows from before there were any end without them.
 */
#include <string.h>

#include "base/clock.h"
#include "meta/account_row.h"
#include "meta/accounts.h"

#define ROW_VERSION 1

struct producer_row {
	struct producer producer;
	struct credential credential;
};

static int check_name(const char *name, struct error *err)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
	size_t len = strlen(name);

	if (len == 0 || len > PRODUCER_NAME_MAX || strspn(name, allowed) != len)
		return error_set(err, ERROR_INVALID,
		                 "producer \"%.64s\": must be 1 to %d letters, digits, '-', '_' and '.'", name,
		                 PRODUCER_NAME_MAX);
	return 0;
}

static int not_found(struct str name, struct error *err)
{
	return error_set(err, ERROR_NOT_FOUND, "producer %.*s: no such producer", STR_ARGS(name));
}

static void row_write(struct buf *out, const struct producer_row *row)
{
	struct value_writer w;

	value_begin(&w, out, ROW_VERSION, 1 + CREDENTIAL_VALUE_COUNT + INGEST_SETTINGS_COUNT);
	value_put_int(&w, row->producer.created_us);
	credential_write(&w, &row->credential);
	for (size_t i = 0; i < INGEST_SETTINGS_COUNT; i++)
		value_put_str(&w, str_from(ingest_settings_get(&row->producer.settings, i)));
}

static int row_read(struct producer_row *row, struct str name, struct str bytes, struct error *err)
{
	struct value_reader r;

	if (name.len > PRODUCER_NAME_MAX)
		return error_set(err, ERROR_CORRUPT, "a producer's key: %zu bytes, at most %d allowed", name.len,
		                 PRODUCER_NAME_MAX);
	*row = (struct producer_row){ 0 };
	memcpy(row->producer.name, name.p, name.len);
	value_open(&r, bytes, ROW_VERSION);
	row->producer.created_us = value_int(&r, INT64_MIN, INT64_MAX);
	credential_read(&r, &row->credential);
	for (size_t i = 0; i < INGEST_SETTINGS_COUNT && r.left > 0; i++)
		r.bad |= !ingest_settings_load(&row->producer.settings, i, value_str(&r, 0, INGEST_SETTING_MAX));
	if (value_close(&r))
		return 0;
	return error_set(err, value_error(&r), "producer %s: its stored value cannot be read", row->producer.name);
}

static int put_row(struct change *change, const struct producer_row *row, struct error *err)
{
	struct buf bytes = { 0 };

	row_write(&bytes, row);
	int result = bytes.failed ?
	                     error_set(err, ERROR_NOMEM, "producer %s: out of memory", row->producer.name) :
	                     change_put(change, META_DB_PRODUCERS, str_from(row->producer.name), buf_str(&bytes), err);
	buf_free(&bytes);
	return result;
}

static int add_row(struct change *change, const struct producer_row *row, struct error *err)
{
	struct str value;
	int found = change_get(change, META_DB_PRODUCERS, str_from(row->producer.name), &value, err);

	if (found > 0)
		error_set(err, ERROR_CONFLICT, "producer %s: exists already", row->producer.name);
	return found == 0 ? put_row(change, row, err) : -1;
}

static int set_row(struct change *change, const char *name, const struct ingest_settings *settings, struct error *err)
{
	struct producer_row row;
	struct str value;
	int found = change_get(change, META_DB_PRODUCERS, str_from(name), &value, err);

	if (found == 0)
		not_found(str_from(name), err);
	if (found <= 0 || row_read(&row, str_from(name), value, err) != 0)
		return -1;
	row.producer.settings = *settings;
	return put_row(change, &row, err);
}

int producers_set(struct meta *meta, const char *name, const struct ingest_settings *settings, struct error *err)
{
	struct change change;

	if (check_name(name, err) != 0 || change_begin(&change, meta, err) != 0)
		return -1;
	return change_end(&change, set_row(&change, name, settings, err), err);
}

int producers_add(struct meta *meta, const char *name, const char *secret, const struct ingest_settings *settings,
                  struct error *err)
{
	struct producer_row row = { .producer.created_us = clock_now_us() };
	struct change change;

	if (check_name(name, err) != 0 || credential_make(&row.credential, str_from(secret), err) != 0 ||
	    change_begin(&change, meta, err) != 0)
		return -1;
	strcpy(row.producer.name, name);
	if (settings)
		row.producer.settings = *settings;
	int result = change_end(&change, add_row(&change, &row, err), err);
	accounts_memory_clear(meta);
	return result;
}

int producers_revoke(struct meta *meta, const char *name, struct error *err)
{
	struct change change;

	if (check_name(name, err) != 0 || change_begin(&change, meta, err) != 0)
		return -1;
	int removed = change_remove(&change, META_DB_PRODUCERS, str_from(name), err);
	if (removed == 0)
		not_found(str_from(name), err);
	int result = change_end(&change, removed > 0 ? 0 : -1, err);
	accounts_memory_clear(meta);
	return result;
}

struct each {
	producers_fn fn;
	void *arg;
};

static enum meta_next give_row(void *arg, struct str key, struct str value, struct error *err)
{
	struct each *each = arg;
	struct producer_row row;

	if (row_read(&row, key, value, err) != 0)
		return META_FAILED;
	return each->fn(each->arg, &row.producer) ? META_GO_ON : META_STOP;
}

int producers_each(struct meta *meta, producers_fn fn, void *arg, struct error *err)
{
	struct each each = { fn, arg };

	return meta_each(meta, META_DB_PRODUCERS, STR_LITERAL(""), give_row, &each, err);
}

static enum meta_next take_row(void *arg, struct str key, struct str value, struct error *err)
{
	return row_read(arg, key, value, err) == 0 ? META_GO_ON : META_FAILED;
}

/* 1 if found, 0 if not, -1. */
static int row_find(struct meta *meta, struct str name, struct producer_row *row, struct error *err)
{
	if (name.len == 0 || name.len > PRODUCER_NAME_MAX)
		return 0;
	return meta_find(meta, META_DB_PRODUCERS, name, take_row, row, err);
}

int producers_get(struct meta *meta, struct str name, struct producer *producer, struct error *err)
{
	struct producer_row row;
	int found = row_find(meta, name, &row, err);

	if (found == 0)
		return not_found(name, err);
	if (found > 0)
		*producer = row.producer;
	return found > 0 ? 0 : -1;
}

int producers_check(struct meta *meta, struct str name, struct str secret, struct error *err)
{
	struct credentials_key key;
	struct producer_row row = { 0 };
	struct accounts_memory *memory = accounts_memory(meta, err);

	if (!memory)
		return -1;
	bool has_key = credentials_cache_key(memory->credentials, CREDENTIALS_PRODUCER, name, secret, &key);
	if (has_key && credentials_cache_find(memory->credentials, &key))
		return 0;
	int found = row_find(meta, name, &row, err);
	if (found < 0)
		return -1;
	int right = credential_match(&row.credential, (size_t)found, 1, secret);
	if (right < 0)
		return error_set(err, ERROR_NOMEM, "credentials: out of memory");
	if (!right)
		return error_set(err, ERROR_UNAUTHORIZED, "wrong credentials");
	if (has_key)
		credentials_cache_add(memory->credentials, &key, &(struct account){ 0 });
	return 0;
}
