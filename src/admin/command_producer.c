/* SPDX-License-Identifier: ISC */
/*
 * command_producer.c: `producer`, credentials that may only ingest.
 */
#include "admin/command.h"
#include "admin/ingest_args.h"
#include "base/id.h"
#include "meta/accounts.h"

void admin_producer_add(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *name = args_get(args, "name");
	const char *given = args_get(args, "secret");
	char made[ACCOUNT_SECRET_LEN + 1];
	struct ingest_settings settings = { 0 };
	struct error err;

	if (!given)
		id_secret(made, ACCOUNT_SECRET_LEN);
	if (ingest_args_read(args, &settings, &err) != 0 ||
	    /* NOLINTNEXTLINE(legacyUninitvar): `made` is used if it was filled in. */
	    producers_add(context->meta, name, given ? given : made, &settings, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "producer %s added", name);
	admin_reply_credentials(reply, name, given ? NULL : made);
}

static int change_settings(struct meta *meta, const struct args *args, struct error *err)
{
	const char *name = args_get(args, "name");
	struct producer producer;

	if (ingest_args_count(args) == 0)
		return error_set(err, ERROR_INVALID,
		                 "producer %s: nothing to set; give --mode, --version, --time-zone or --encoding",
		                 name);
	if (producers_get(meta, str_from(name), &producer, err) != 0 ||
	    ingest_args_read(args, &producer.settings, err) != 0)
		return -1;
	return producers_set(meta, name, &producer.settings, err);
}

void admin_producer_set(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct error err;

	if (change_settings(context->meta, args, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	struct buf said = { 0 };
	for (size_t i = 0; i < INGEST_SETTINGS_COUNT; i++) {
		const char *value = args_get(args, ingest_settings_name(i));

		if (value)
			buf_addf(&said, "%s%s \"%s\"", said.len > 0 ? ", " : "", ingest_settings_name(i), value);
	}
	admin_reply_log(reply, "producer %s set: %.*s", args_get(args, "name"), STR_ARGS(buf_str(&said)));
	buf_free(&said);
	admin_reply_send(reply);
}

static bool list_producer(void *arg, const struct producer *producer)
{
	struct json *j = arg;

	json_object_begin(j);
	json_member_text(j, "name", producer->name);
	admin_member_time(j, "created", producer->created_us);
	for (size_t i = 0; i < INGEST_SETTINGS_COUNT; i++) {
		const char *value = ingest_settings_get(&producer->settings, i);

		if (!value[0])
			continue;
		json_key(j, ingest_settings_name(i));
		json_text(j, value);
	}
	json_object_end(j);
	return true;
}

void admin_producer_list(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct json *j = admin_reply_result(reply);
	struct error err;

	(void)args;
	json_array_begin(j);
	if (producers_each(context->meta, list_producer, j, &err) != 0) {
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

	if (producers_revoke(context->meta, name, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "producer %s revoked", name);
	admin_reply_send(reply);
}
