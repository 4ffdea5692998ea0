/* SPDX-License-Identifier: ISC */
/*
 * save.c: saves the state of callbacks in the store.
 *
 * Callbacks that end within a few milliseconds share one transaction and its fsync. When that fails, everything stays
 * noted and is written a second later: until then only memory knows that a callback was delivered, and it would be
 * delivered again after a crash, which "at least once" allows.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "callback/attempts.h"
#include "callback/callbacks_private.h"

static const struct timeval share_delay = { 0, 20000 };
static const struct timeval failed_delay = { 1, 0 };

void save_later(struct callback *callback)
{
	struct callbacks *callbacks = callback->callbacks;

	if (!callback->is_unsaved)
		TAILQ_INSERT_TAIL(&callbacks->unsaved, callback, unsaved);
	callback->is_unsaved = true;
	if (!evtimer_pending(callbacks->save, NULL))
		evtimer_add(callbacks->save, &share_delay);
}

static void set_row(struct callback_row *row, const struct callback *callback)
{
	row->since_us = callback->since_us;
	row->attempts = callback->attempts;
	row->next_us = callback->next_us;
	row->failed = callback->failed;
	if (callback->last_error)
		row->last_error = str_from(callback->last_error);
}

/* Tells the outcome to the module that requested the callback, but not when a given-up one is no longer listed. */
static int tell_outcome(struct change *change, const struct callback *callback, struct str last_error,
                        struct error *err)
{
	const struct callbacks *callbacks = callback->callbacks;
	bool is_done = callback->phase == CALLBACK_PHASE_DONE;
	struct callback_info info = {
		.id = str_from(callback->id),
		.account = str_from(callback->account),
		.last_error = last_error,
	};

	if (!callbacks->on_outcome || (is_done && callback->failed))
		return 0;
	callback_overlay(&info, callback);
	if (is_done) {
		info.state = CALLBACK_DELIVERED;
		info.last_error = STR_LITERAL("");
	}
	return callbacks->on_outcome(callbacks->on_outcome_arg, change, &info, err);
}

/* Without the query, which may hold a token that must not be kept any longer than the callback itself. */
static struct str shown_url(struct str url)
{
	const char *query = memchr(url.p, '?', url.len);

	if (query)
		url.len = (size_t)(query - url.p);
	if (url.len > CALLBACK_ATTEMPT_URL_MAX)
		url.len = CALLBACK_ATTEMPT_URL_MAX;
	return url;
}

static enum callback_state state_after(const struct callback *callback)
{
	if (callback->failed)
		return CALLBACK_FAILED;
	return callback->phase == CALLBACK_PHASE_DONE ? CALLBACK_DELIVERED : CALLBACK_WAITING;
}

/* Adds the attempt that has ended to the account's. If another one ends before this one could be saved, only that is
 * added. */
static int note_attempt(struct change *change, const struct callback *callback, struct str url, struct error *err)
{
	enum callback_state state = state_after(callback);
	struct callback_attempt attempt = {
		.id = str_from(callback->id),
		.time_us = callback->last_us,
		.duration_us = callback->duration_us,
		.nth = callback->attempts,
		.state = state,
		.status = callback->last_status,
		.next_us = state == CALLBACK_WAITING ? callback->next_us : 0,
		.error = str_from(state != CALLBACK_DELIVERED && callback->last_error ? callback->last_error : ""),
		.url = shown_url(url),
	};

	return callback->has_attempted ? attempts_add(change, str_from(callback->account), &attempt, err) : 0;
}

/* What of a row outlives the next write, unlike what the row borrows. */
struct kept {
	struct buf url;
	struct buf last_error;
};

static int keep(struct kept *kept, const struct callback_row *row, struct error *err)
{
	buf_add_str(&kept->url, shown_url(row->url));
	buf_add_str(&kept->last_error, row->last_error);
	return kept->url.failed || kept->last_error.failed ? error_set(err, ERROR_NOMEM, "callbacks: out of memory") :
	                                                     0;
}

static int write_row(struct change *change, const struct callback *callback, const struct callback_row *row,
                     struct error *err)
{
	struct callback_key key;

	if (callback->phase != CALLBACK_PHASE_DONE)
		return callback_row_put(change, row, err);
	return change_remove(change, META_DB_CALLBACKS, callback_key_of(callback->number, &key), err) < 0 ? -1 : 0;
}

static int save_callback(struct change *change, const struct callback *callback, struct error *err)
{
	struct callback_key key;
	struct callback_row row;
	struct kept kept = { 0 };
	struct str key_text = callback_key_of(callback->number, &key), value;
	int found = change_get(change, META_DB_CALLBACKS, key_text, &value, err);

	if (found <= 0)
		return found;
	if (callback_row_read(&row, key_text, value, err) != 0)
		return -1;
	set_row(&row, callback);
	int result = keep(&kept, &row, err);
	if (result == 0)
		result = write_row(change, callback, &row, err);
	if (result == 0)
		result = note_attempt(change, callback, buf_str(&kept.url), err);
	if (result == 0)
		result = tell_outcome(change, callback, buf_str(&kept.last_error), err);
	buf_free(&kept.url);
	buf_free(&kept.last_error);
	return result;
}

static int save_all(struct callbacks *callbacks, struct error *err)
{
	struct callback *callback;
	struct change change;
	int result = 0;

	if (change_begin(&change, callbacks->meta, err) != 0)
		return -1;
	TAILQ_FOREACH(callback, &callbacks->unsaved, unsaved) {
		result = save_callback(&change, callback, err);
		if (result != 0)
			break;
	}
	return change_end(&change, result, err);
}

static int put_parts(struct change *change, const struct callback *callback, struct str parts, struct error *err)
{
	struct callback_key key;
	struct callback_row row;
	struct str key_text = callback_key_of(callback->number, &key), value;
	int found = change_get(change, META_DB_CALLBACKS, key_text, &value, err);

	if (found <= 0)
		return found;
	if (callback_row_read(&row, key_text, value, err) != 0)
		return -1;
	row.parts = parts;
	return callback_row_put(change, &row, err);
}

int save_parts(const struct callback *callback, struct str parts, struct error *err)
{
	struct change change;

	if (change_begin(&change, callback->callbacks->meta, err) != 0)
		return -1;
	return change_end(&change, put_parts(&change, callback, parts, err), err);
}

/* All that was noted has been saved. */
static void forget_noted(struct callbacks *callbacks)
{
	struct callback *callback;

	while ((callback = TAILQ_FIRST(&callbacks->unsaved))) {
		TAILQ_REMOVE(&callbacks->unsaved, callback, unsaved);
		callback->is_unsaved = false;
		callback->has_attempted = false;
		free(callback->last_error);
		callback->last_error = NULL;
		if (callback->phase == CALLBACK_PHASE_DONE)
			callback_free(callback);
	}
}

void save_now(struct callbacks *callbacks)
{
	struct error err;

	if (TAILQ_EMPTY(&callbacks->unsaved))
		return;
	if (save_all(callbacks, &err) == 0) {
		forget_noted(callbacks);
		callbacks->save_failed = false;
		return;
	}
	if (!callbacks->save_failed)
		log_error("callback", "outcomes could not be saved and are kept in memory: %s", err.message);
	callbacks->save_failed = true;
	evtimer_add(callbacks->save, &failed_delay);
}
