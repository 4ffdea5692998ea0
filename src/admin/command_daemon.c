/* SPDX-License-Identifier: ISC */
/*
 * command_daemon.c: `log-level` and `shutdown`.
 */
#include "admin/command.h"
#include "base/log.h"

/* Changes the setting too, so that it agrees with the log; SIGHUP takes it from the file again. */
static int set_level(const struct admin_context *context, const char *name, struct error *err)
{
	enum log_level level;

	if (config_set(context->config, "log_level", name, err) != 0)
		return -1;
	if (log_level_parse(name, &level))
		log_set_level(level);
	return 0;
}

void admin_log_level(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *name = args_get(args, "level");
	struct error err;

	if (name && set_level(context, name, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	if (name)
		admin_reply_log(reply, "log level is %s", name);
	struct json *j = admin_reply_result(reply);
	json_object_begin(j);
	json_member_text(j, "level", log_level_name(log_level()));
	json_object_end(j);
	admin_reply_send(reply);
}

void admin_shutdown(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	(void)args;
	admin_reply_log(reply, "shutting down");
	admin_reply_send(reply); /* writes as much as the socket takes; an answer this short always fits */
	context->shutdown(context->shutdown_arg);
}
