/* SPDX-License-Identifier: ISC */
/*
 * command_clock.c: `clock accept`.
 */
#include "admin/command.h"
#include "base/clock.h"
#include "store/clock_watch.h"

void admin_clock_accept(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct clock_watch before;
	struct error err;

	(void)args;
	store_clock_watch(context->store, &before);
	if (store_clock_accept(context->store, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "clock accepted: what is too old by it is deleted%s", before.held ? " again" : "");
	struct json *j = admin_reply_result(reply);
	json_object_begin(j);
	admin_member_time(j, "time", clock_now_us());
	admin_member_time(j, "was_last_seen", before.seen_us);
	json_object_end(j);
	admin_reply_send(reply);
}
