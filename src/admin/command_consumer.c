/* SPDX-License-Identifier: ISC */
/*
 * command_consumer.c: `consumer list`, the queues and topics that are consumed, and what is wrong with them.
 */
#include "admin/command.h"
#include "consumer/consumer.h"

static void write_consumer(void *arg, const struct consumer_status *status)
{
	struct json *j = arg;

	json_object_begin(j);
	json_member_text(j, "kind", status->kind);
	json_member_text(j, "address", status->address);
	json_member_text(j, "queue", status->queue);
	json_member_text(j, "mapping", status->mapping);
	json_member_bool(j, "connected", status->connected);
	json_member_uint(j, "waiting", status->waiting);
	json_key(j, "lag");
	if (status->lag >= 0)
		json_uint(j, (uint64_t)status->lag);
	else
		json_null(j);
	json_member_uint(j, "messages", status->messages);
	json_member_uint(j, "unreadable", status->unreadable);
	json_member_uint(j, "interruptions", status->interruptions);
	ingest_summary_write(&status->records, j);
	json_member_text(j, "problem", status->problem);
	json_object_end(j);
}

void admin_consumer_list(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct json *j = admin_reply_result(reply);

	(void)args;
	json_array_begin(j);
	consumers_each(context->consumers, write_consumer, j);
	json_array_end(j);
	admin_reply_send(reply);
}
