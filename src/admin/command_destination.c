/* SPDX-License-Identifier: ISC */
/*
 * command_destination.c: `destination add`, `destination list` and `destination remove`.
 */
#include <string.h>

#include "admin/command.h"
#include "destination/destination.h"

static void write_destination(struct json *j, const struct destination *destination)
{
	json_object_begin(j);
	json_member_text(j, "name", destination->name);
	json_member_text(j, "account", destination->account);
	json_member_text(j, "type", destination_type_name(destination->type));
	json_member_text(j, "url", destination->url);
	json_member_text(j, "user", destination->user);
	json_member_text(j, "region", destination->region);
	json_member_text(j, "host_key", destination->host_key);
	json_member_text(j, "from", destination->from);
	json_member_text(j, "to", destination->to);
	admin_member_time(j, "created", destination->created_us);
	json_object_end(j);
}

static const char *account_of(const struct args *args)
{
	const char *account = args_get(args, "account");

	return account ? account : "";
}

void admin_destination_add(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct destination_request request = {
		.account = account_of(args),
		.name = str_from(args_get(args, "name")),
		.type = str_from(args_get(args, "type")),
		.url = str_from(args_get(args, "url")),
		.user = str_from(args_get(args, "user")),
		.secret = str_from(args_get(args, "secret")),
		.region = str_from(args_get(args, "region")),
		.host_key = str_from(args_get(args, "host_key")),
		.from = str_from(args_get(args, "from")),
		.to = str_from(args_get(args, "to")),
	};
	struct destination destination;
	struct account account;
	struct error err;

	if ((request.account[0] && accounts_get(context->meta, str_from(request.account), &account, &err) != 0) ||
	    destinations_add(context->destinations, &request, &destination, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "destination %s added", destination.name);
	write_destination(admin_reply_result(reply), &destination);
	explicit_bzero(&destination, sizeof(destination));
	admin_reply_send(reply);
}

static void list_destination(void *arg, const struct destination *destination)
{
	write_destination(arg, destination);
}

void admin_destination_list(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct json *j = admin_reply_result(reply);
	struct error err;

	json_array_begin(j);
	int result = destinations_each(context->destinations, args_get(args, "account"), list_destination, j, &err);
	json_array_end(j);
	admin_reply_end(reply, result, &err);
}

void admin_destination_remove(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *name = args_get(args, "name");
	struct error err;

	if (destinations_remove(context->destinations, account_of(args), str_from(name), &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "destination %s removed", name);
	admin_reply_send(reply);
}
