/* SPDX-License-Identifier: ISC */
/*
 * command_operator.c: `operator`, credentials for operator_listen.
 */
#include "admin/command.h"
#include "base/id.h"
#include "meta/accounts.h"

void admin_reply_credentials(struct admin_reply *reply, const char *name, const char *made)
{
	struct json *j = admin_reply_result(reply);

	json_object_begin(j);
	json_member_text(j, "name", name);
	if (made)
		json_member_text(j, "secret", made);
	json_object_end(j);
	admin_reply_send(reply);
}

void admin_operator_add(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *name = args_get(args, "name");
	const char *given = args_get(args, "secret");
	char made[ACCOUNT_SECRET_LEN + 1];
	struct error err;

	if (!given)
		id_secret(made, ACCOUNT_SECRET_LEN);
	/* NOLINTNEXTLINE(legacyUninitvar): `made` is used if it was filled in. */
	if (operators_add(context->meta, name, given ? given : made, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "operator %s added", name);
	admin_reply_credentials(reply, name, given ? NULL : made);
}

static bool list_operator(void *arg, const struct producer *found)
{
	struct json *j = arg;

	json_object_begin(j);
	json_member_text(j, "name", found->name);
	admin_member_time(j, "created", found->created_us);
	json_object_end(j);
	return true;
}

void admin_operator_list(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct json *j = admin_reply_result(reply);
	struct error err;

	(void)args;
	json_array_begin(j);
	if (operators_each(context->meta, list_operator, j, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	json_array_end(j);
	admin_reply_send(reply);
}

void admin_operator_remove(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *name = args_get(args, "name");
	struct error err;

	if (operators_remove(context->meta, name, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "operator %s removed", name);
	admin_reply_send(reply);
}
