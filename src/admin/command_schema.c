/* SPDX-License-Identifier: ISC */
/*
 * command_schema.c: `schema clickhouse`, which cdrctl answers itself.
 */
#include "admin/command.h"

void admin_schema_clickhouse(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct error err;

	(void)context;
	(void)args;
	error_set(&err, ERROR_INVALID, "schema clickhouse: cdrctl does that by itself, without the daemon");
	admin_reply_error(reply, &err);
}
