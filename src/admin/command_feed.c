/* SPDX-License-Identifier: ISC */
/*
 * command_feed.c: `feed list`, the spools and tails, how far they have been read, and what is wrong with them.
 */
#include "admin/command.h"
#include "feed/feed.h"

static void write_feed(void *arg, const struct feed_status *status)
{
	struct json *j = arg;

	json_object_begin(j);
	json_member_text(j, "kind", status->kind);
	json_member_text(j, "path", status->path);
	json_member_text(j, "mapping", status->mapping);
	json_member_uint(j, "waiting", status->waiting);
	json_member_text(j, "file", status->file);
	json_member_uint(j, "place", status->place);
	json_member_uint(j, "unread", status->unread);
	ingest_summary_write(&status->records, j);
	json_member_text(j, "problem", status->problem);
	json_object_end(j);
}

void admin_feed_list(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct json *j = admin_reply_result(reply);

	(void)args;
	json_array_begin(j);
	feeds_each(context->feeds, write_feed, j);
	json_array_end(j);
	admin_reply_send(reply);
}
