/* SPDX-License-Identifier: ISC */
/*
 * command_account.c: `account`, one at a time, and `secret`.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "admin/command_account.h"
#include "base/clock.h"
#include "base/id.h"
#include "meta/accounts.h"
#include "store/clock_watch.h"

/* --- as JSON --- */

static void write_secrets(struct json *j, const struct account *account)
{
	json_array_begin(j);
	for (int i = 0; i < account->secrets_count; i++) {
		json_object_begin(j);
		json_member_uint(j, "number", account->secrets[i].number);
		admin_member_time(j, "created", account->secrets[i].created_us);
		json_object_end(j);
	}
	json_array_end(j);
}

static void list_child(void *arg, struct str id)
{
	json_str(arg, id);
}

/* --- secrets made here --- */

/* The secret to use: the one given, or one made in `made`. */
static const char *secret_of(const struct args *args, char made[ACCOUNT_SECRET_LEN + 1])
{
	const char *given = args_get(args, "secret");

	if (given)
		return given;
	id_secret(made, ACCOUNT_SECRET_LEN);
	return made;
}

/* A secret made here is shown only this once. */
static void write_made_secret(struct json *j, const struct args *args, const char *secret)
{
	if (args_get(args, "secret"))
		return;
	json_member_text(j, "secret", secret);
}

/* --- account --- */

void admin_account_add(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	char made[ACCOUNT_SECRET_LEN + 1];
	const char *id = args_get(args, "id");
	const char *secret = secret_of(args, made);
	struct error err;

	if (accounts_add(context->meta, id, args_get(args, "parent"), args_get(args, "name"), secret, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "account %s added", id);
	struct json *j = admin_reply_result(reply);
	json_object_begin(j);
	json_member_text(j, "id", id);
	write_made_secret(j, args, secret);
	json_object_end(j);
	admin_reply_send(reply);
}

/* By its id, or by its key as the log has it: "#17". */
static int find_account(struct meta *meta, const char *name, struct account *account, struct error *err)
{
	char id[ACCOUNT_ID_MAX + 1];
	char *end;

	if (name[0] != '#')
		return accounts_get(meta, str_from(name), account, err);
	struct account_key key = account_key_of_number(strtoull(name + 1, &end, 10));
	int found = *end || !account_key_has_number(&key) ? 0 : accounts_id_of_key(meta, &key, id, err);
	if (found == 0)
		error_set(err, ERROR_NOT_FOUND, "account %.40s: no account has this key", name);
	return found > 0 ? accounts_get(meta, str_from(id), account, err) : -1;
}

void admin_account_show(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct json *j = admin_reply_result(reply);
	struct account account;
	struct error err;

	if (find_account(context->meta, args_get(args, "id"), &account, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_account_begin(j, &account);
	if (account_key_has_number(&account.key))
		json_member_uint(j, "key", account_key_number(&account.key));
	json_key(j, "subaccounts");
	json_array_begin(j);
	if (accounts_each_child(context->meta, str_from(account.id), list_child, j, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	json_array_end(j);
	json_key(j, "secrets");
	write_secrets(j, &account);
	json_object_end(j);
	admin_reply_send(reply);
}

static void set_disabled(const struct admin_context *context, const struct args *args, struct admin_reply *reply,
                         bool disabled)
{
	const char *id = args_get(args, "id");
	struct error err;

	if (accounts_set_disabled(context->meta, id, disabled, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "account %s %s", id, disabled ? "disabled" : "enabled");
	admin_reply_send(reply);
}

void admin_account_disable(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	set_disabled(context, args, reply, true);
}

void admin_account_enable(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	set_disabled(context, args, reply, false);
}

/* --- its name, its parent, its end --- */

void admin_account_rename(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *id = args_get(args, "id"), *name = args_get(args, "name");
	struct error err;

	if (accounts_set_name(context->meta, id, name, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "account %s renamed to \"%s\"", id, name);
	admin_reply_send(reply);
}

void admin_account_parent(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *id = args_get(args, "id"), *parent = args_get(args, "parent");
	bool has_parent = strcmp(parent, "-") != 0;
	struct error err;

	if (accounts_set_parent(context->meta, id, has_parent ? parent : "", &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	if (has_parent)
		admin_reply_log(reply, "account %s made a subaccount of %s", id, parent);
	else
		admin_reply_log(reply, "account %s made a primary account", id);
	admin_reply_send(reply);
}

void admin_account_delete(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *id = args_get(args, "id");
	bool family = args_count(args, "subaccounts") > 0;
	int64_t deleted_us = store_clock_stamp_us(context->store);
	uint64_t count = 0;
	struct error err;

	if ((family ? accounts_delete_family(context->meta, id, deleted_us, &count, &err) :
	              accounts_set_deleted(context->meta, id, deleted_us, &err)) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	closing_wake(context->closing);
	admin_reply_log(reply, "account %s deleted, with %" PRIu64 " subaccounts", id, count);
	struct json *j = admin_reply_result(reply);
	json_object_begin(j);
	json_member_text(j, "id", id);
	json_member_uint(j, "subaccounts", count);
	admin_member_time(j, "goes", deleted_us + context->config->account_grace);
	json_object_end(j);
	admin_reply_send(reply);
}

void admin_account_undelete(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *id = args_get(args, "id");
	struct error err;

	if (accounts_set_deleted(context->meta, id, 0, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "account %s undeleted", id);
	admin_reply_send(reply);
}

/* --- secret --- */

void admin_secret_add(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	char made[ACCOUNT_SECRET_LEN + 1];
	const char *id = args_get(args, "account");
	const char *secret = secret_of(args, made);
	uint32_t number;
	struct error err;

	if (accounts_secret_add(context->meta, id, secret, &number, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "secret %u of account %s added", number, id);
	struct json *j = admin_reply_result(reply);
	json_object_begin(j);
	json_member_text(j, "account", id);
	json_member_uint(j, "number", number);
	write_made_secret(j, args, secret);
	json_object_end(j);
	admin_reply_send(reply);
}

void admin_secret_list(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct account account;
	struct error err;

	if (accounts_get(context->meta, str_from(args_get(args, "account")), &account, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	write_secrets(admin_reply_result(reply), &account);
	admin_reply_send(reply);
}

void admin_secret_revoke(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *id = args_get(args, "account");
	uint64_t number = 0;
	struct error err;

	if (args_get_number(args, "number", 1, UINT32_MAX, &number, &err) != 0 ||
	    accounts_secret_revoke(context->meta, id, (uint32_t)number, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "secret %u of account %s revoked", (unsigned)number, id);
	admin_reply_send(reply);
}
