/* SPDX-License-Identifier: ISC */
/*
 * command_schema.c: `schema clickhouse` and `schema postgresql`, which cdrctl answers itself.
 */
#include "admin/command.h"

static void refuse(const char *command, struct admin_reply *reply)
{
	struct error err;

	error_set(&err, ERROR_INVALID, "%s: cdrctl does that by itself, without the daemon", command);
	admin_reply_error(reply, &err);
}

void admin_schema_clickhouse(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	(void)context;
	(void)args;
	refuse("schema clickhouse", reply);
}

void admin_schema_postgresql(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	(void)context;
	(void)args;
	refuse("schema postgresql", reply);
}
