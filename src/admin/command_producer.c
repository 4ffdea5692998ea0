/*
 * command_producer.c: `producer`, credentials that may only ingest.
 */
#include "admin/command.h"
#include "base/id.h"
#include "store/accounts.h"

void admin_producer_add(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *name = args_get(args, "name");
	const char *given = args_get(args, "secret");
	char made[ACCOUNT_SECRET_LEN + 1];
	struct error err;
	if (!given)
		id_secret(made, ACCOUNT_SECRET_LEN);
	if (producers_add(context->store, name, given ? given : made, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "producer %s added", name);
	struct json *j = admin_reply_result(reply);
	json_object_begin(j);
	json_key(j, "name");
	json_text(j, name);
	if (!given) {
		json_key(j, "secret");
		json_text(j, made);
	}
	json_object_end(j);
	admin_reply_send(reply);
}

static bool list_producer(void *arg, const struct producer *producer)
{
	struct json *j = arg;
	json_object_begin(j);
	json_key(j, "name");
	json_text(j, producer->name);
	json_key(j, "created");
	admin_write_time(j, producer->created_us);
	json_object_end(j);
	return true;
}

void admin_producer_list(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct json *j = admin_reply_result(reply);
	struct error err;
	(void)args;
	json_array_begin(j);
	if (producers_each(context->store, list_producer, j, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	json_array_end(j);
	admin_reply_send(reply);
}

void admin_producer_revoke(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *name = args_get(args, "name");
	struct error err;
	if (producers_revoke(context->store, name, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "producer %s revoked", name);
	admin_reply_send(reply);
}
