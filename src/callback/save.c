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

static int save_callback(struct change *change, const struct callback *callback, struct error *err)
{
	struct callback_key key;
	struct callback_row row;
	struct str key_text = callback_key_of(callback->number, &key), value;

	if (callback->phase == CALLBACK_PHASE_DONE)
		return change_remove(change, META_DB_CALLBACKS, key_text, err) < 0 ?
		               -1 :
		               tell_outcome(change, callback, STR_LITERAL(""), err);
	int found = change_get(change, META_DB_CALLBACKS, key_text, &value, err);
	if (found <= 0)
		return found;
	if (callback_row_read(&row, key_text, value, err) != 0)
		return -1;
	set_row(&row, callback);
	/* A copy, because what a row borrows does not survive a write. */
	struct buf last_error = { 0 };
	buf_add_str(&last_error, row.last_error);
	int result = last_error.failed ? error_set(err, ERROR_NOMEM, "callbacks: out of memory") :
	                                 callback_row_put(change, &row, err);
	if (result == 0)
		result = tell_outcome(change, callback, buf_str(&last_error), err);
	buf_free(&last_error);
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

/* All that was noted has been saved. */
static void forget_noted(struct callbacks *callbacks)
{
	struct callback *callback;

	while ((callback = TAILQ_FIRST(&callbacks->unsaved))) {
		TAILQ_REMOVE(&callbacks->unsaved, callback, unsaved);
		callback->is_unsaved = false;
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
