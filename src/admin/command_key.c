/* SPDX-License-Identifier: ISC */
/*
 * command_key.c: `key add`, `key list` and `key revoke`, keys of accounts that may do less than their secrets.
 */
#include <stdio.h>
#include <string.h>

#include "admin/command.h"
#include "base/clock.h"
#include "catalog/catalog.h"
#include "meta/accounts.h"
#include "meta/api_keys.h"

static int take_scopes(struct api_key *key, const char *text, struct error *err)
{
	struct str list = str_from(text ? text : "records,reports"), word;

	while (str_next(&list, ',', &word)) {
		unsigned scope = 0;

		for (int i = 0; i < API_SCOPES; i++)
			if (str_is(word, api_scope_names[i]))
				scope = 1U << i;
		if (!scope)
			return error_set(err, ERROR_INVALID,
			                 "scope: \"%.*s\" is not a scope: it must be records or reports",
			                 STR_ARGS(word));
		key->scopes |= scope;
	}
	return 0;
}

/* Copies a list as it was given. */
static int take_list(char out[API_KEY_LIST_MAX + 1], const char *name, const char *text, struct error *err)
{
	if (!text)
		return 0;
	if (strlen(text) > API_KEY_LIST_MAX)
		return error_set(err, ERROR_INVALID, "%s: %zu bytes, at most %d allowed", name, strlen(text),
		                 API_KEY_LIST_MAX);
	str_copy(out, API_KEY_LIST_MAX + 1, text);
	return 0;
}

static int take_products(struct api_key *key, const char *text, struct error *err)
{
	struct str list = str_from(text ? text : ""), word;

	while (str_next(&list, ',', &word))
		if (!catalog_product_find(word))
			return error_set(err, ERROR_INVALID,
			                 "product: \"%.*s\" is none; cdrctl products lists those that there are",
			                 STR_ARGS(word));
	return take_list(key->products, "product", text, err);
}

static int take_expiry(struct api_key *key, const char *text, struct error *err)
{
	struct clock_moment moment;

	if (!text)
		return 0;
	if (!clock_parse_moment(str_from(text), &moment))
		return error_set(err, ERROR_INVALID,
		                 "expires: \"%.64s\" is no date or time, such as 2027-06-30 or 2027-06-30T12:00:00Z",
		                 text);
	key->expires_us = moment.time_us;
	return 0;
}

static int take(struct api_key *key, const struct args *args, struct error *err)
{
	const char *account = args_get(args, "account"), *note = args_get(args, "note");

	if (strlen(account) > ACCOUNT_ID_MAX)
		return error_set(err, ERROR_INVALID, "account: %zu characters, at most %d allowed", strlen(account),
		                 ACCOUNT_ID_MAX);
	if (note && strlen(note) > ACCOUNT_NAME_MAX)
		return error_set(err, ERROR_INVALID, "note: %zu bytes, at most %d allowed", strlen(note),
		                 ACCOUNT_NAME_MAX);
	str_copy(key->account, sizeof(key->account), account);
	str_copy(key->note, sizeof(key->note), note ? note : "");
	key->subaccounts = args_count(args, "subaccounts") > 0;
	if (take_scopes(key, args_get(args, "scope"), err) != 0 ||
	    take_products(key, args_get(args, "product"), err) != 0 ||
	    take_list(key->networks, "networks", args_get(args, "networks"), err) != 0)
		return -1;
	return take_expiry(key, args_get(args, "expires"), err);
}

void admin_key_add(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct api_key key = { .scopes = 0 };
	char text[API_KEY_LEN + 1];
	struct error err;
	struct json *j;

	if (take(&key, args, &err) != 0 || api_keys_add(context->meta, &key, text, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "key %s added to account %s", key.id, key.account);
	j = admin_reply_result(reply);
	json_object_begin(j);
	json_member_text(j, "account", key.account);
	json_member_text(j, "id", key.id);
	json_member_text(j, "key", text);
	json_object_end(j);
	admin_reply_send(reply);
}

static void write_scopes(struct json *j, unsigned scopes)
{
	char text[32] = "";
	size_t len = 0;

	for (int i = 0; i < API_SCOPES; i++)
		if (scopes & 1U << i)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len ? "," : "",
			                        api_scope_names[i]);
	json_member_text(j, "scope", text);
}

static bool list_key(void *arg, const struct api_key *key)
{
	struct json *j = arg;

	json_object_begin(j);
	json_member_text(j, "account", key->account);
	json_member_text(j, "id", key->id);
	write_scopes(j, key->scopes);
	json_member_text(j, "product", key->products);
	json_member_bool(j, "subaccounts", key->subaccounts);
	json_member_text(j, "networks", key->networks);
	admin_member_time(j, "created", key->created_us);
	json_key(j, "expires");
	if (key->expires_us)
		admin_write_time(j, key->expires_us);
	else
		json_null(j);
	json_member_text(j, "note", key->note);
	json_object_end(j);
	return true;
}

void admin_key_list(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *account = args_get(args, "account");
	struct json *j = admin_reply_result(reply);
	struct error err;

	json_array_begin(j);
	if (api_keys_each(context->meta, account ? account : "", list_key, j, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	json_array_end(j);
	admin_reply_send(reply);
}

void admin_key_revoke(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *account = args_get(args, "account"), *id = args_get(args, "id");
	struct error err;

	if (api_keys_revoke(context->meta, account, id, &err) != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "key %s of account %s revoked", id, account);
	admin_reply_send(reply);
}
