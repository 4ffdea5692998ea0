/* SPDX-License-Identifier: ISC */
/*
 * command_callback.c: `callback list`, `callback retry`, `callback resume` and `account webhook-secret`.
 */
#include "admin/command.h"
#include "callback/callback.h"

#define LIST_DEFAULT 1000
#define LIST_MAX 10000

/* --- callback list --- */

struct listing {
	struct json *json;
	uint64_t left;
};

static bool list_callback(void *arg, const struct callback_info *info)
{
	struct listing *listing = arg;
	struct json *j = listing->json;

	json_object_begin(j);
	json_member_str(j, "id", info->id);
	json_member_str(j, "account", info->account);
	json_member_text(j, "state", callback_state_name(info->state));
	json_member_int(j, "attempts", info->attempts);
	admin_member_time(j, "created", info->created_us);
	json_key(j, "next");
	if (info->state == CALLBACK_FAILED)
		json_null(j);
	else
		admin_write_time(j, info->next_us);
	json_member_str(j, "url", info->url);
	json_member_str(j, "last_error", info->last_error);
	json_object_end(j);
	return --listing->left > 0;
}

void admin_callback_list(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct listing listing = { .json = admin_reply_result(reply), .left = LIST_DEFAULT };
	struct error err;
	int result = args_get_number(args, "limit", 1, LIST_MAX, &listing.left, &err);

	json_array_begin(listing.json);
	if (result == 0)
		result = callbacks_each(context->callbacks, list_callback, &listing, &err);
	json_array_end(listing.json);
	admin_reply_end(reply, result, &err);
}

/* --- callback retry --- */

void admin_callback_retry(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *id = args_get(args, "id");
	size_t count;
	struct error err;

	if (callbacks_retry(context->callbacks, str_from(id), &count, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "callback %s tried again", id);
	struct json *j = admin_reply_result(reply);
	json_object_begin(j);
	json_member_uint(j, "retried", count);
	json_object_end(j);
	admin_reply_send(reply);
}

/* --- callback resume --- */

void admin_callback_resume(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct callbacks_stats stats;
	struct error err;

	(void)args;
	if (callbacks_resume(context->callbacks, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	callbacks_get_stats(context->callbacks, &stats);
	admin_reply_log(reply, "callbacks resumed");
	struct json *j = admin_reply_result(reply);
	json_object_begin(j);
	json_member_uint(j, "waiting", stats.waiting);
	json_object_end(j);
	admin_reply_send(reply);
}

/* --- account webhook-secret --- */

void admin_account_webhook_secret(const struct admin_context *context, const struct args *args,
                                  struct admin_reply *reply)
{
	const char *account = args_get(args, "account");
	bool rotate = args_count(args, "rotate") > 0;
	struct callback_secret secret;
	struct error err;

	if (callback_secret_get(context->meta, account, rotate, context->config->callback_secret_overlap, &secret,
	                        &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	if (rotate)
		admin_reply_log(reply, "webhook secret of account %s rotated", account);
	struct json *j = admin_reply_result(reply);
	json_object_begin(j);
	json_member_text(j, "account", account);
	json_member_text(j, "secret", secret.text);
	admin_member_time(j, "created", secret.made_us);
	if (secret.previous[0]) {
		json_member_text(j, "previous_secret", secret.previous);
		admin_member_time(j, "previous_until", secret.previous_until_us);
	}
	json_object_end(j);
	admin_reply_send(reply);
}
