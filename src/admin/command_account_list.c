/* SPDX-License-Identifier: ISC */
/*
 * command_account_list.c: `account list`: those that match all filters, in order of id, in slices.
 *
 * The accounts of a parent are read through the index of subaccounts, and those with a prefix are neighbours, so a page
 * of either costs what it shows. A state or a plan is looked for among all the others.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "admin/command_account.h"
#include "meta/accounts.h"

#define LIST_SLICE 250 /* accounts; about a millisecond */
#define NONE "-"       /* as a parent, or as a plan */

enum state { STATE_ANY, STATE_ENABLED, STATE_DISABLED, STATE_DELETED };

static const char *const state_names[] = { "", "enabled", "disabled", "deleted" };

/* The texts are arguments, which live until the answer. */
struct listing {
	struct meta *meta;
	struct admin_reply *reply;
	struct json *json;
	const char *parent, *plan; /* NULL: any */
	struct str prefix;
	enum state state;
	uint64_t left;                 /* accounts to list */
	struct str after;              /* only accounts after this id, the last one of the slice before */
	char last[ACCOUNT_ID_MAX + 1]; /* that was looked at */
	char resume[ACCOUNT_ID_MAX + 1];
	int slice_left;
	bool ended;
	bool hashes;     /* lists what account import reads */
	struct buf hash; /* of an account's secret */
	bool failed;
	struct error err; /* why, if so */
};

static void listing_free(void *arg)
{
	struct listing *listing = arg;

	buf_free(&listing->hash);
	free(listing);
}

/* --- as JSON --- */

void admin_account_begin(struct json *j, const struct account *account)
{
	json_object_begin(j);
	json_member_text(j, "id", account->id);
	json_member_text(j, "parent", account->parent);
	json_member_text(j, "name", account->name);
	json_member_text(j, "plan", account->plan);
	json_member_bool(j, "disabled", account->disabled);
	admin_member_time(j, "created", account->created_us);
	if (account->deleted_us)
		admin_member_time(j, "deleted", account->deleted_us);
}

/* What account import reads. */
static int write_importable(struct listing *listing, const struct account *account)
{
	struct json *j = listing->json;

	buf_clear(&listing->hash);
	if (accounts_secret_hash(listing->meta, account->id, &listing->hash, &listing->err) != 0)
		return -1;
	json_object_begin(j);
	json_member_text(j, "id", account->id);
	json_member_text(j, "parent", account->parent);
	json_member_text(j, "name", account->name);
	json_member_text(j, "plan", account->plan);
	json_member_str(j, "secret_hash", buf_str(&listing->hash));
	json_object_end(j);
	return 0;
}

static int write_account(struct listing *listing, const struct account *account)
{
	struct json *j = listing->json;

	if (listing->hashes)
		return write_importable(listing, account);
	admin_account_begin(j, account);
	json_member_int(j, "secrets", account->secrets_count);
	json_object_end(j);
	return 0;
}

/* --- the filters --- */

static enum state state_of(const struct account *account)
{
	if (account->deleted_us)
		return STATE_DELETED;
	return account->disabled ? STATE_DISABLED : STATE_ENABLED;
}

/* Is `text` what was asked for? NONE asks for no text. */
static bool is_wanted(const char *wanted, const char *text)
{
	return !wanted || strcmp(text, strcmp(wanted, NONE) == 0 ? "" : wanted) == 0;
}

static bool matches(const struct listing *listing, const struct account *account)
{
	return is_wanted(listing->parent, account->parent) && is_wanted(listing->plan, account->plan) &&
	       (listing->state == STATE_ANY || listing->state == state_of(account));
}

static int str_order(struct str a, struct str b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len > 0 ? memcmp(a.p, b.p, len) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* --- in slices --- */

static bool look_at(void *arg, const struct account *account)
{
	struct listing *listing = arg;
	struct str id = str_from(account->id), prefix = listing->prefix;

	if (str_order(id, listing->after) <= 0)
		return true; /* where the slice starts */
	if (prefix.len > id.len || !str_equal(prefix, (struct str){ id.p, prefix.len })) {
		listing->ended = true; /* ids with the prefix are neighbours, and the first was where the list began */
		return false;
	}
	str_copy(listing->last, sizeof(listing->last), account->id);
	if (matches(listing, account)) {
		listing->failed = write_account(listing, account) != 0;
		listing->ended = --listing->left == 0 || listing->failed;
	}
	return --listing->slice_left > 0 && !listing->ended;
}

static int look_at_some(struct listing *listing, struct error *err)
{
	struct str from = str_order(listing->after, listing->prefix) > 0 ? listing->after : listing->prefix;

	if (listing->parent && strcmp(listing->parent, NONE) != 0)
		return accounts_each_child_from(listing->meta, str_from(listing->parent), from, look_at, listing, err);
	return accounts_each_from(listing->meta, from, look_at, listing, err);
}

static void list_slice(void *arg, int64_t deadline_us)
{
	struct listing *listing = arg;
	struct admin_reply *reply = listing->reply;
	struct error err;

	(void)deadline_us;
	listing->slice_left = LIST_SLICE;
	int result = look_at_some(listing, &err);
	if (listing->failed) {
		result = -1;
		err = listing->err;
	}
	if (result == 0 && listing->slice_left == 0 && !listing->ended) {
		str_copy(listing->resume, sizeof(listing->resume), listing->last);
		listing->after = str_from(listing->resume);
		admin_reply_later(reply, list_slice, listing);
		return;
	}
	json_array_end(listing->json);
	if (listing->hashes && result == 0)
		admin_reply_log(reply, "hashes of accounts' secrets listed");
	listing_free(listing);
	admin_reply_end(reply, result, &err);
}

/* --- the arguments --- */

static int read_state(const char *name, enum state *state, struct error *err)
{
	*state = STATE_ANY;
	for (size_t i = STATE_ENABLED; name && i <= STATE_DELETED; i++)
		if (strcmp(state_names[i], name) == 0)
			*state = (enum state)i;
	if (!name || *state != STATE_ANY)
		return 0;
	return error_set(err, ERROR_INVALID, "--state: \"%.64s\": must be enabled, disabled or deleted", name);
}

static int read_filters(struct listing *listing, const struct args *args, struct error *err)
{
	struct account parent;

	listing->parent = args_get(args, "parent");
	listing->plan = args_get(args, "plan");
	listing->prefix = str_from(args_get(args, "prefix"));
	listing->after = str_from(args_get(args, "after"));
	listing->left = UINT64_MAX;
	listing->hashes = args_count(args, "secret_hashes") > 0;
	if (read_state(args_get(args, "state"), &listing->state, err) != 0 ||
	    args_get_number(args, "limit", 1, UINT64_MAX, &listing->left, err) != 0)
		return -1;
	if (!listing->parent || strcmp(listing->parent, NONE) == 0)
		return 0;
	return accounts_get(listing->meta, str_from(listing->parent), &parent, err);
}

void admin_account_list(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct listing *listing = calloc(1, sizeof(*listing));
	struct error err;

	if (!listing) {
		error_set(&err, ERROR_NOMEM, "Out of memory for a list");
		admin_reply_error(reply, &err);
		return;
	}
	*listing = (struct listing){ .meta = context->meta, .reply = reply };
	if (read_filters(listing, args, &err) != 0) {
		listing_free(listing);
		admin_reply_error(reply, &err);
		return;
	}
	listing->json = admin_reply_result(reply);
	json_array_begin(listing->json);
	admin_reply_on_close(reply, listing_free, listing);
	admin_reply_later(reply, list_slice, listing);
}
