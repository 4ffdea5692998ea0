/* SPDX-License-Identifier: ISC */
/*
 * command_destination_test.c: `destination test`, which waits for the attempt to end.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"

struct probe {
	const struct admin_context *context;
	struct admin_reply *reply;
	struct event *timer;
	char account[ACCOUNT_ID_MAX + 1];
	char id[CALLBACK_ID_MAX + 1];
	bool has_ended;
	struct error problem; /* why it failed; its message is empty if it did not */
	int64_t duration_us;
};

static void probe_free(void *arg)
{
	struct probe *probe = arg;

	if (probe->timer)
		event_free(probe->timer);
	free(probe);
}

static bool take_attempt(void *arg, const struct callback_attempt *attempt)
{
	struct probe *probe = arg;

	if (!str_is(attempt->id, probe->id))
		return true;
	probe->has_ended = true;
	probe->duration_us = attempt->duration_us;
	if (attempt->state != CALLBACK_DELIVERED)
		error_set(&probe->problem, ERROR_CONFLICT, "%.*s", STR_ARGS(attempt->error));
	return false;
}

static void answer(struct probe *probe)
{
	struct admin_reply *reply = probe->reply;
	bool failed = probe->problem.message[0] != '\0';
	struct json *j = failed ? admin_reply_result_with_error(reply, &probe->problem) : admin_reply_result(reply);

	json_object_begin(j);
	json_member_text(j, "id", probe->id);
	json_member_text(j, "state", callback_state_name(failed ? CALLBACK_FAILED : CALLBACK_DELIVERED));
	json_member_uint(j, "duration_ms", (uint64_t)(probe->duration_us / 1000));
	json_object_end(j);
	probe_free(probe);
	admin_reply_send(reply);
}

static void look(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval pause = { 0, 100000 };
	struct probe *probe = arg;
	struct admin_reply *reply = probe->reply;
	struct error err;
	int result =
		callback_attempts_each(probe->context->meta, probe->account, UINT64_MAX, take_attempt, probe, &err);

	(void)fd;
	(void)what;
	if (result == 0 && probe->has_ended) {
		answer(probe);
		return;
	}
	if (result == 0 && evtimer_add(probe->timer, &pause) != 0)
		result = error_set(&err, ERROR_NOMEM, "destination test: out of memory");
	if (result == 0)
		return;
	probe_free(probe);
	admin_reply_error(reply, &err);
}

static int begin(struct probe *probe, const struct args *args, struct error *err)
{
	const struct admin_context *context = probe->context;
	struct account account;

	probe->timer = evtimer_new(context->base, look, probe);
	if (!probe->timer)
		return error_set(err, ERROR_NOMEM, "destination test: out of memory");
	if (accounts_get(context->meta, str_from(args_get(args, "account")), &account, err) != 0)
		return -1;
	memcpy(probe->account, account.id, sizeof(probe->account));
	return callbacks_test_destination(context->callbacks, probe->account, str_from(args_get(args, "name")),
	                                  probe->id, err);
}

void admin_destination_test(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	struct error err;

	if (!probe) {
		error_set(&err, ERROR_NOMEM, "destination test: out of memory");
		admin_reply_error(reply, &err);
		return;
	}
	probe->context = context;
	probe->reply = reply;
	if (begin(probe, args, &err) != 0) {
		probe_free(probe);
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_on_close(reply, probe_free, probe);
	event_active(probe->timer, EV_TIMEOUT, 0);
}
