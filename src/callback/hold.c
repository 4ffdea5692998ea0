/* SPDX-License-Identifier: ISC */
/*
 * hold.c: may callbacks be sent? Not while the setting `callbacks` is no, nor while data_dir/callbacks.held is there,
 * which `cdrctl restore` puts into the copy it makes: a copy must not send customers again what the original has sent,
 * or will send. Held callbacks wait; when the hold ends, each gets the whole callback_keep again.
 */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/log.h"
#include "callback/callbacks_private.h"
#include "store/clock_watch.h"

int callback_hold_look(struct callbacks *callbacks, struct error *err)
{
	struct buf path = { 0 };
	int result = callback_hold_path(callbacks->config->data_dir, &path, err);

	if (result == 0) {
		callbacks->held_by_marker = access(path.data, F_OK) == 0;
		if (!callbacks->held_by_marker && errno != ENOENT)
			result = error_set_errno(err, errno, "%s", path.data);
	}
	buf_free(&path);
	callbacks->was_held = callbacks_held(callbacks) != CALLBACK_NOT_HELD;
	if (result == 0 && callbacks->was_held)
		log_warn("callback", "callbacks are held: %s", callback_hold_reason(callbacks_held(callbacks)));
	return result;
}

enum callback_hold callbacks_held(const struct callbacks *callbacks)
{
	if (!callbacks->config->callbacks)
		return CALLBACK_HELD_BY_SETTING;
	return callbacks->held_by_marker ? CALLBACK_HELD_BY_RESTORE : CALLBACK_NOT_HELD;
}

const char *callback_hold_reason(enum callback_hold hold)
{
	static const char *const reasons[] = {
		[CALLBACK_NOT_HELD] = "no",
		[CALLBACK_HELD_BY_SETTING] = "callbacks = no in the configuration",
		[CALLBACK_HELD_BY_RESTORE] = "the data was restored from a backup; cdrctl callback resume ends it",
	};

	return reasons[hold];
}

int callbacks_resume(struct callbacks *callbacks, struct error *err)
{
	struct buf path = { 0 };

	if (callbacks_held(callbacks) == CALLBACK_HELD_BY_SETTING)
		return error_set(err, ERROR_CONFLICT,
		                 "callbacks are held by callbacks = no in the configuration: set it to yes "
		                 "and reload, then resume");
	int result = callback_hold_path(callbacks->config->data_dir, &path, err);
	if (result == 0 && unlink(path.data) != 0 && errno != ENOENT)
		result = error_set_errno(err, errno, "%s: remove", path.data);
	buf_free(&path);
	if (result != 0 || directory_sync(callbacks->config->data_dir, err) != 0)
		return -1;
	callbacks->held_by_marker = false;
	callbacks_reload(callbacks);
	return 0;
}

void callbacks_reload(struct callbacks *callbacks)
{
	struct callback *callback;
	bool held = callbacks_held(callbacks) != CALLBACK_NOT_HELD, ended = callbacks->was_held && !held;

	callbacks->was_held = held;
	if (!ended)
		return;
	TAILQ_FOREACH(callback, &callbacks->all, all) {
		if (callback->failed || callback->phase == CALLBACK_PHASE_DONE)
			continue;
		callback->since_us = store_clock_stamp_us(callbacks->store);
		save_later(callback);
	}
	event_active(callbacks->turn, EV_TIMEOUT, 0);
}
