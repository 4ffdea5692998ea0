/* SPDX-License-Identifier: ISC */
/*
 * attempts.c: the newest attempts at an account's callbacks. See attempts.h.
 *
 * Layout version 1 of a stored value, under the account's id: [1, count, attempt, attempt...], newest first, an attempt
 * being number, id, time_us, duration_us, nth, state, status, next_us, error, url. One value for all of them, because an
 * account has few, and they go with the account.
 */
#include "callback/attempts.h"

#include <string.h>

#include "base/log.h"
#include "lmdb/value.h"
#include "meta/rows.h"

#define ROW_VERSION 1
#define MEMBERS 10

struct attempts {
	size_t count;
	struct callback_attempt list[CALLBACK_ATTEMPTS_MAX];
};

static void read_attempt(struct value_reader *r, struct callback_attempt *attempt)
{
	attempt->number = (uint64_t)value_int(r, 1, INT64_MAX);
	attempt->id = value_str(r, 1, CALLBACK_ID_MAX);
	attempt->time_us = value_int(r, INT64_MIN, INT64_MAX);
	attempt->duration_us = value_int(r, 0, INT64_MAX);
	attempt->nth = value_int(r, 0, INT64_MAX);
	attempt->state = (enum callback_state)value_int(r, CALLBACK_WAITING, CALLBACK_DELIVERED);
	attempt->status = (long)value_int(r, 0, INT32_MAX);
	attempt->next_us = value_int(r, INT64_MIN, INT64_MAX);
	attempt->error = value_str(r, 0, CALLBACK_ERROR_MAX);
	attempt->url = value_str(r, 0, CALLBACK_ATTEMPT_URL_MAX);
}

/* Borrows from `bytes`. */
static int read_all(struct attempts *attempts, struct str account, struct str bytes, struct error *err)
{
	struct value_reader r;

	value_open(&r, bytes, ROW_VERSION);
	attempts->count = (size_t)value_int(&r, 0, CALLBACK_ATTEMPTS_MAX);
	for (size_t i = 0; i < attempts->count; i++)
		read_attempt(&r, &attempts->list[i]);
	if (value_close(&r))
		return 0;
	attempts->count = 0;
	return error_set(err, value_error(&r), "attempts at callbacks of %.*s: their stored value cannot be read",
	                 STR_ARGS(account));
}

static void write_attempt(struct value_writer *w, const struct callback_attempt *attempt, uint64_t number)
{
	value_put_int(w, (int64_t)number);
	value_put_str(w, attempt->id);
	value_put_int(w, attempt->time_us);
	value_put_int(w, attempt->duration_us);
	value_put_int(w, attempt->nth);
	value_put_int(w, attempt->state);
	value_put_int(w, attempt->status);
	value_put_int(w, attempt->next_us);
	value_put_bytes(w, attempt->error);
	value_put_bytes(w, attempt->url);
}

/* `older` without its last one if there are enough. */
static void write_all(struct buf *out, const struct callback_attempt *newest, const struct attempts *older)
{
	size_t kept = older->count < CALLBACK_ATTEMPTS_MAX ? older->count : CALLBACK_ATTEMPTS_MAX - 1;
	struct value_writer w;

	value_begin(&w, out, ROW_VERSION, 1 + (1 + kept) * MEMBERS);
	value_put_int(&w, (int64_t)(1 + kept));
	write_attempt(&w, newest, older->count > 0 ? older->list[0].number + 1 : 1);
	for (size_t i = 0; i < kept; i++)
		write_attempt(&w, &older->list[i], older->list[i].number);
}

/* What cannot be read must not keep outcomes from being saved: the list begins again. */
static int read_older(struct change *change, struct str account, struct attempts *older, struct error *err)
{
	struct str value;
	int found = change_get(change, META_DB_ATTEMPTS, account, &value, err);

	older->count = 0;
	if (found <= 0 || read_all(older, account, value, err) == 0)
		return found < 0 ? -1 : 0;
	if (err->code == ERROR_NOMEM)
		return -1;
	log_error("callback", "%s; they are dropped", err->message);
	return 0;
}

int attempts_add(struct change *change, struct str account, const struct callback_attempt *attempt, struct error *err)
{
	struct attempts older;
	struct buf bytes = { 0 };
	struct str row;
	int found = change_get(change, META_DB_ACCOUNTS, account, &row, err);

	if (found <= 0)
		return found;
	if (read_older(change, account, &older, err) != 0)
		return -1;
	write_all(&bytes, attempt, &older);
	int result = bytes.failed ? error_set(err, ERROR_NOMEM, "attempts at callbacks: out of memory") :
	                            change_put(change, META_DB_ATTEMPTS, account, buf_str(&bytes), err);
	buf_free(&bytes);
	return result;
}

struct each {
	uint64_t before;
	callback_attempts_fn fn;
	void *arg;
};

static enum meta_next give_row(void *arg, struct str key, struct str value, struct error *err)
{
	const struct each *each = arg;
	struct attempts attempts;

	if (read_all(&attempts, key, value, err) != 0)
		return META_FAILED;
	for (size_t i = 0; i < attempts.count; i++) {
		if (attempts.list[i].number < each->before && !each->fn(each->arg, &attempts.list[i]))
			break;
	}
	return META_STOP;
}

int callback_attempts_each(struct meta *meta, const char *account, uint64_t before, callback_attempts_fn fn, void *arg,
                           struct error *err)
{
	struct each each = { before, fn, arg };

	return meta_find(meta, META_DB_ATTEMPTS, str_from(account), give_row, &each, err) < 0 ? -1 : 0;
}
