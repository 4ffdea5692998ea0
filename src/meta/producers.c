/* SPDX-License-Identifier: ISC */
/*
 * producers.c: credentials under a name: those of producers, which may only ingest, and of operators. See accounts.h.
 *
 * Layout version 1 of a stored one, under its name: [1, created_us, iterations, salt, hash, setting...], the settings of
 * a producer in the order of their table; rows from before there were any end without them. Operators have none.
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

static const struct kind {
	const char *noun;
	enum meta_db db;
	enum credentials_kind cached;
	enum pass_kind pass;
	size_t settings;
} producer_kind = { "producer", META_DB_PRODUCERS, CREDENTIALS_PRODUCER, PASS_PRODUCER, INGEST_SETTINGS_COUNT },
  operator_kind = { "operator", META_DB_OPERATORS, CREDENTIALS_OPERATOR, PASS_OPERATOR, 0 };

static int check_name(const struct kind *kind, const char *name, struct error *err)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
	size_t len = strlen(name);

	if (len == 0 || len > PRODUCER_NAME_MAX || strspn(name, allowed) != len)
		return error_set(err, ERROR_INVALID, "%s \"%.64s\": must be 1 to %d letters, digits, '-', '_' and '.'",
		                 kind->noun, name, PRODUCER_NAME_MAX);
	return 0;
}

static int not_found(const struct kind *kind, struct str name, struct error *err)
{
	return error_set(err, ERROR_NOT_FOUND, "%s %.*s: no such %s", kind->noun, STR_ARGS(name), kind->noun);
}

static void row_write(const struct kind *kind, struct buf *out, const struct producer_row *row)
{
	struct value_writer w;

	value_begin(&w, out, ROW_VERSION, 1 + CREDENTIAL_VALUE_COUNT + kind->settings);
	value_put_int(&w, row->producer.created_us);
	credential_write(&w, &row->credential);
	for (size_t i = 0; i < kind->settings; i++)
		value_put_str(&w, str_from(ingest_settings_get(&row->producer.settings, i)));
}

static int row_read(const struct kind *kind, struct producer_row *row, struct str name, struct str bytes,
                    struct error *err)
{
	struct value_reader r;

	if (name.len > PRODUCER_NAME_MAX)
		return error_set(err, ERROR_CORRUPT, "%s: a key of %zu bytes, at most %d allowed", kind->noun, name.len,
		                 PRODUCER_NAME_MAX);
	*row = (struct producer_row){ 0 };
	memcpy(row->producer.name, name.p, name.len);
	value_open(&r, bytes, ROW_VERSION);
	row->producer.created_us = value_int(&r, INT64_MIN, INT64_MAX);
	credential_read(&r, &row->credential);
	for (size_t i = 0; i < kind->settings && r.left > 0; i++)
		r.bad |= !ingest_settings_load(&row->producer.settings, i, value_str(&r, 0, INGEST_SETTING_MAX));
	if (value_close(&r))
		return 0;
	return error_set(err, value_error(&r), "%s %s: its stored value cannot be read", kind->noun,
	                 row->producer.name);
}

static int put_row(const struct kind *kind, struct change *change, const struct producer_row *row, struct error *err)
{
	struct buf bytes = { 0 };

	row_write(kind, &bytes, row);
	int result = bytes.failed ?
	                     error_set(err, ERROR_NOMEM, "%s %s: out of memory", kind->noun, row->producer.name) :
	                     change_put(change, kind->db, str_from(row->producer.name), buf_str(&bytes), err);
	buf_free(&bytes);
	return result;
}

static int add_row(const struct kind *kind, struct change *change, const struct producer_row *row, struct error *err)
{
	struct str value;
	int found = change_get(change, kind->db, str_from(row->producer.name), &value, err);

	if (found > 0)
		error_set(err, ERROR_CONFLICT, "%s %s: exists already", kind->noun, row->producer.name);
	return found == 0 ? put_row(kind, change, row, err) : -1;
}

static int add(const struct kind *kind, struct meta *meta, const char *name, const char *secret,
               const struct ingest_settings *settings, struct error *err)
{
	struct producer_row row = { .producer.created_us = clock_now_us() };
	struct change change;

	if (check_name(kind, name, err) != 0 || credential_make(&row.credential, str_from(secret), err) != 0 ||
	    change_begin(&change, meta, err) != 0)
		return -1;
	str_copy(row.producer.name, sizeof(row.producer.name), name);
	if (settings)
		row.producer.settings = *settings;
	int result = change_end(&change, add_row(kind, &change, &row, err), err);
	accounts_memory_clear(meta);
	return result;
}

int producers_add(struct meta *meta, const char *name, const char *secret, const struct ingest_settings *settings,
                  struct error *err)
{
	return add(&producer_kind, meta, name, secret, settings, err);
}

int operators_add(struct meta *meta, const char *name, const char *secret, struct error *err)
{
	return add(&operator_kind, meta, name, secret, NULL, err);
}

static int set_row(struct change *change, const char *name, const struct ingest_settings *settings, struct error *err)
{
	struct producer_row row;
	struct str value;
	int found = change_get(change, producer_kind.db, str_from(name), &value, err);

	if (found == 0)
		not_found(&producer_kind, str_from(name), err);
	if (found <= 0 || row_read(&producer_kind, &row, str_from(name), value, err) != 0)
		return -1;
	row.producer.settings = *settings;
	return put_row(&producer_kind, change, &row, err);
}

int producers_set(struct meta *meta, const char *name, const struct ingest_settings *settings, struct error *err)
{
	struct change change;

	if (check_name(&producer_kind, name, err) != 0 || change_begin(&change, meta, err) != 0)
		return -1;
	return change_end(&change, set_row(&change, name, settings, err), err);
}

static int revoke(const struct kind *kind, struct meta *meta, const char *name, struct error *err)
{
	struct change change;

	if (check_name(kind, name, err) != 0 || change_begin(&change, meta, err) != 0)
		return -1;
	int removed = change_remove(&change, kind->db, str_from(name), err);
	if (removed == 0)
		not_found(kind, str_from(name), err);
	int result = change_end(&change, removed > 0 ? 0 : -1, err);
	accounts_memory_clear(meta);
	return result;
}

int producers_revoke(struct meta *meta, const char *name, struct error *err)
{
	return revoke(&producer_kind, meta, name, err);
}

int operators_remove(struct meta *meta, const char *name, struct error *err)
{
	return revoke(&operator_kind, meta, name, err);
}

struct each {
	const struct kind *kind;
	producers_fn fn;
	void *arg;
};

static enum meta_next give_row(void *arg, struct str key, struct str value, struct error *err)
{
	struct each *each = arg;
	struct producer_row row;

	if (row_read(each->kind, &row, key, value, err) != 0)
		return META_FAILED;
	return each->fn(each->arg, &row.producer) ? META_GO_ON : META_STOP;
}

static int each(const struct kind *kind, struct meta *meta, producers_fn fn, void *arg, struct error *err)
{
	struct each walk = { kind, fn, arg };

	return meta_each(meta, kind->db, STR_LITERAL(""), give_row, &walk, err);
}

int producers_each(struct meta *meta, producers_fn fn, void *arg, struct error *err)
{
	return each(&producer_kind, meta, fn, arg, err);
}

int operators_each(struct meta *meta, producers_fn fn, void *arg, struct error *err)
{
	return each(&operator_kind, meta, fn, arg, err);
}

struct finding {
	const struct kind *kind;
	struct producer_row *row;
};

static enum meta_next take_row(void *arg, struct str key, struct str value, struct error *err)
{
	const struct finding *finding = arg;

	return row_read(finding->kind, finding->row, key, value, err) == 0 ? META_GO_ON : META_FAILED;
}

/* 1 if found, 0 if not, -1. */
static int row_find(const struct kind *kind, struct meta *meta, struct str name, struct producer_row *row,
                    struct error *err)
{
	/* NOLINTNEXTLINE(ctuuninitvar): the row is what this fills in. */
	struct finding finding = { kind, row };

	if (name.len == 0 || name.len > PRODUCER_NAME_MAX)
		return 0;
	return meta_find(meta, kind->db, name, take_row, &finding, err);
}

int producers_get(struct meta *meta, struct str name, struct producer *producer, struct error *err)
{
	struct producer_row row;
	int found = row_find(&producer_kind, meta, name, &row, err);

	if (found == 0)
		return not_found(&producer_kind, name, err);
	if (found > 0)
		*producer = row.producer;
	return found > 0 ? 0 : -1;
}

static int check(const struct kind *kind, struct meta *meta, struct str name, struct str secret, struct pass *pass,
                 struct error *err)
{
	struct credentials_key key;
	struct producer_row row = { 0 };
	struct accounts_memory *memory = accounts_memory(meta, err);
	uint64_t mark;

	if (!memory)
		return -1;
	bool has_key = credentials_cache_key(memory->credentials, kind->cached, name, secret, &key);
	if (has_key && credentials_cache_find(memory->credentials, &key, clock_monotonic_us(), &mark)) {
		if (pass)
			*pass = pass_of(kind->pass, name, mark);
		return 0;
	}
	int found = row_find(kind, meta, name, &row, err);
	if (found < 0)
		return -1;
	int right = credential_match(&row.credential, (size_t)found, 1, secret);
	if (right < 0)
		return error_set(err, ERROR_NOMEM, "credentials: out of memory");
	if (!right)
		return error_set(err, ERROR_UNAUTHORIZED, "wrong credentials");
	mark = credential_mark(&row.credential);
	if (has_key)
		credentials_cache_add(memory->credentials, &key, clock_monotonic_us(), &(struct account){ 0 }, mark);
	if (pass)
		*pass = pass_of(kind->pass, name, mark);
	return 0;
}

int producers_check(struct meta *meta, struct str name, struct str secret, struct pass *pass, struct error *err)
{
	return check(&producer_kind, meta, name, secret, pass, err);
}

int operators_check(struct meta *meta, struct str name, struct str secret, struct pass *pass, struct error *err)
{
	return check(&operator_kind, meta, name, secret, pass, err);
}

int producers_pass_holds(struct meta *meta, const struct pass *pass, struct error *err)
{
	const struct kind *kind = pass->kind == PASS_OPERATOR ? &operator_kind : &producer_kind;
	struct producer_row row;
	int found = row_find(kind, meta, str_from(pass->name), &row, err);

	return found > 0 ? credential_mark(&row.credential) == pass->mark : found;
}
