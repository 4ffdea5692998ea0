/* SPDX-License-Identifier: ISC */
/*
 * list.c: callbacks as the operator sees them, and trying them again by hand.
 */
#include <string.h>

#include "base/clock.h"
#include "callback/callbacks_private.h"
#include "meta/rows.h"
#include "store/clock_watch.h"

const char *callback_state_name(enum callback_state state)
{
	static const char *const names[] = {
		[CALLBACK_WAITING] = "waiting",
		[CALLBACK_SENDING] = "sending",
		[CALLBACK_FAILED] = "failed",
		[CALLBACK_DELIVERED] = "delivered",
	};

	return names[state];
}

static const struct callback *find_number(const struct callbacks *callbacks, uint64_t number)
{
	const struct callback *callback;

	LIST_FOREACH(callback, &callbacks->by_number[number % CALLBACK_BUCKETS], bucket) {
		if (callback->number == number)
			return callback;
	}
	return NULL;
}

struct each {
	struct callbacks *callbacks;
	callbacks_fn fn;
	void *arg;
};

void callback_overlay(struct callback_info *info, const struct callback *callback)
{
	bool is_sending = callback->phase == CALLBACK_PHASE_SENDING;

	info->state = is_sending ? CALLBACK_SENDING : callback->failed ? CALLBACK_FAILED : CALLBACK_WAITING;
	info->attempts = callback->attempts;
	info->next_us = callback->next_us;
	info->last_us = callback->last_us;
	info->last_status = callback->last_status;
	if (callback->last_error)
		info->last_error = str_from(callback->last_error);
}

static enum meta_next give_row(void *arg, struct str key, struct str value, struct error *err)
{
	const struct each *each = arg;
	struct callback_row row;

	if (callback_row_read(&row, key, value, err) != 0)
		return callback_row_passed_over(err);
	struct callback_info info = {
		.id = row.id,
		.account = row.account,
		.url = row.url,
		.state = row.failed ? CALLBACK_FAILED : CALLBACK_WAITING,
		.attempts = row.attempts,
		.created_us = row.created_us,
		.next_us = row.next_us,
		.last_error = row.last_error,
	};
	const struct callback *callback = find_number(each->callbacks, row.number);
	if (callback && callback->phase == CALLBACK_PHASE_DONE)
		return META_GO_ON;
	if (callback)
		callback_overlay(&info, callback);
	return each->fn(each->arg, &info) ? META_GO_ON : META_STOP;
}

int callbacks_each(struct callbacks *callbacks, callbacks_fn fn, void *arg, struct error *err)
{
	struct each each = { callbacks, fn, arg };

	return meta_each(callbacks->meta, META_DB_CALLBACKS, STR_LITERAL(""), give_row, &each, err);
}

static void retry(struct callback *callback)
{
	if (callback->phase != CALLBACK_PHASE_SCHEDULED)
		return;
	callback->next_us = clock_now_us();
	if (callback->failed) {
		callback->failed = false;
		callback->since_us = store_clock_stamp_us(callback->callbacks->store);
		callback->callbacks->stats.failed--;
		callback->callbacks->stats.waiting++;
	}
	callback_enqueue(callback);
	save_later(callback);
}

int callbacks_retry(struct callbacks *callbacks, struct str id, size_t *count, struct error *err)
{
	struct callback *callback;
	bool all = str_is(id, "all");

	*count = 0;
	TAILQ_FOREACH(callback, &callbacks->all, all) {
		if (callback->phase == CALLBACK_PHASE_DONE || (!all && !str_is(id, callback->id)))
			continue;
		++*count;
		retry(callback);
	}
	if (*count == 0 && !all)
		return error_set(err, ERROR_NOT_FOUND, "callback %.*s: no such callback waits",
		                 (int)(id.len < 64 ? id.len : 64), id.p);
	return 0;
}
