/* SPDX-License-Identifier: ISC */
/*
 * account_family.c: what happens to an account after it was added: its name, its parent, its end. See accounts.h.
 *
 * An account that is deleted stays in the catalog, marked with the time, until its records are gone
 * (privacy/closing.h); then accounts_remove takes the rest.
 */
#include <string.h>

#include "meta/account_row.h"
#include "meta/accounts.h"
#include "meta/api_keys.h"

int accounts_set_name(struct meta *meta, const char *id, const char *name, struct error *err)
{
	struct account_row row;
	struct change change;

	if (account_check_id("account", id, err) != 0 || account_check_name(name, err) != 0 ||
	    change_begin(&change, meta, err) != 0)
		return -1;
	int result = account_row_get(&change, id, &row, err);
	if (result == 0) {
		str_copy(row.account.name, sizeof(row.account.name), name);
		result = account_row_put(&change, &row, err);
	}
	return accounts_change_end(&change, result, err);
}

/* --- the parent --- */

struct counting {
	struct meta *meta;
	uint64_t all, kept; /* of the subaccounts: kept ones are not deleted */
	bool failed;
	struct error *err;
};

static void count_child(void *arg, struct str id)
{
	struct counting *counting = arg;
	struct account_row row;
	int found = account_row_find(counting->meta, id, &row, counting->err);

	counting->failed |= found < 0;
	counting->all++;
	counting->kept += found > 0 && !row.account.deleted_us;
}

/* Changes of accounts are committed at once, so the last commit is the current state. */
static int count_children(struct meta *meta, const char *id, struct counting *counting, struct error *err)
{
	*counting = (struct counting){ .meta = meta, .err = err };
	if (accounts_each_child(meta, str_from(id), count_child, counting, err) != 0)
		return -1;
	return counting->failed ? -1 : 0;
}

static int remove_from_parent(struct change *change, const struct account *account, struct error *err)
{
	struct account_child_key key;
	struct account_row parent;

	if (account_row_get(change, account->parent, &parent, err) != 0)
		return -1;
	account_child_key(&key, &parent.account.key, str_from(account->id));
	return change_remove(change, META_DB_CHILDREN, (struct str){ key.bytes, key.len }, err) < 0 ? -1 : 0;
}

static int move_row(struct change *change, const char *id, const char *parent, struct error *err)
{
	struct account_row row;

	if (account_row_get(change, id, &row, err) != 0)
		return -1;
	if (strcmp(row.account.parent, parent) == 0)
		return 0;
	if (row.account.parent[0] && remove_from_parent(change, &row.account, err) != 0)
		return -1;
	str_copy(row.account.parent, sizeof(row.account.parent), parent);
	if (parent[0] && account_add_to_parent(change, &row.account, err) != 0)
		return -1;
	return account_row_put(change, &row, err);
}

int accounts_set_parent(struct meta *meta, const char *id, const char *parent, struct error *err)
{
	struct counting children;
	struct change change;

	if (account_check_id("account", id, err) != 0 || (parent[0] && account_check_id("parent", parent, err) != 0) ||
	    count_children(meta, id, &children, err) != 0)
		return -1;
	if (parent[0] && children.all > 0)
		return error_set(err, ERROR_INVALID, "account %s: has %llu subaccounts, a subaccount can have none", id,
		                 (unsigned long long)children.all);
	if (change_begin(&change, meta, err) != 0)
		return -1;
	return accounts_change_end(&change, move_row(&change, id, parent, err), err);
}

/* --- the end --- */

static int check_parent_is_kept(struct change *change, const struct account *account, struct error *err)
{
	struct account_row parent;

	if (!account->parent[0])
		return 0;
	if (account_row_get(change, account->parent, &parent, err) != 0)
		return -1;
	if (!parent.account.deleted_us)
		return 0;
	return error_set(err, ERROR_CONFLICT, "account %s: its parent %s is deleted; take that back first", account->id,
	                 account->parent);
}

/* `deleted_us`: when it was deleted, 0 to take that back. */
static int mark_row(struct change *change, const char *id, int64_t deleted_us, struct error *err)
{
	struct account_row row;

	if (account_row_get(change, id, &row, err) != 0)
		return -1;
	if (!deleted_us && check_parent_is_kept(change, &row.account, err) != 0)
		return -1;
	if (!deleted_us || !row.account.deleted_us)
		row.account.deleted_us = deleted_us;
	return account_row_put(change, &row, err);
}

int accounts_set_deleted(struct meta *meta, const char *id, int64_t deleted_us, struct error *err)
{
	struct counting children;
	struct change change;

	if (account_check_id("account", id, err) != 0 || count_children(meta, id, &children, err) != 0)
		return -1;
	if (deleted_us && children.kept > 0)
		return error_set(err, ERROR_CONFLICT,
		                 "account %s: has %llu subaccounts; delete them first, or with --subaccounts", id,
		                 (unsigned long long)children.kept);
	if (change_begin(&change, meta, err) != 0)
		return -1;
	return accounts_change_end(&change, mark_row(&change, id, deleted_us, err), err);
}

static void collect_child(void *arg, struct str id)
{
	struct buf *ids = arg;

	buf_add_str(ids, id);
	buf_add_char(ids, '\0');
}

static int mark_all(struct change *change, const char *id, int64_t deleted_us, struct str children, uint64_t *count,
                    struct error *err)
{
	*count = 0;
	for (size_t at = 0; at < children.len; at += strlen(children.p + at) + 1) {
		if (mark_row(change, children.p + at, deleted_us, err) != 0)
			return -1;
		++*count;
	}
	return mark_row(change, id, deleted_us, err);
}

int accounts_delete_family(struct meta *meta, const char *id, int64_t deleted_us, uint64_t *count, struct error *err)
{
	struct buf children = { 0 };
	struct change change;
	int result = account_check_id("account", id, err);

	if (result == 0)
		result = accounts_each_child(meta, str_from(id), collect_child, &children, err);
	if (result == 0 && children.failed)
		result = error_set(err, ERROR_NOMEM, "account %s: out of memory for its subaccounts", id);
	if (result == 0)
		result = change_begin(&change, meta, err);
	if (result == 0)
		result = accounts_change_end(&change, mark_all(&change, id, deleted_us, buf_str(&children), count, err),
		                             err);
	buf_free(&children);
	return result;
}

static int remove_row(struct change *change, const char *id, struct error *err)
{
	static const enum meta_db dbs[] = { META_DB_ACCOUNTS, META_DB_WEBHOOKS, META_DB_ATTEMPTS, META_DB_USAGE };
	struct account_row row;

	if (account_row_get(change, id, &row, err) != 0)
		return -1;
	if (!row.account.deleted_us)
		return error_set(err, ERROR_CONFLICT, "account %s: is not deleted", id);
	if (row.account.parent[0] && remove_from_parent(change, &row.account, err) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(dbs) / sizeof(dbs[0]); i++)
		if (change_remove(change, dbs[i], str_from(id), err) < 0)
			return -1;
	if (api_keys_forget(change, id, err) != 0)
		return -1;
	return account_key_forget(change, &row.account.key, err);
}

int accounts_remove(struct meta *meta, const char *id, struct error *err)
{
	struct counting children;
	struct change change;

	if (account_check_id("account", id, err) != 0 || count_children(meta, id, &children, err) != 0)
		return -1;
	if (children.all > 0)
		return error_set(err, ERROR_CONFLICT, "account %s: has %llu subaccounts", id,
		                 (unsigned long long)children.all);
	if (change_begin(&change, meta, err) != 0)
		return -1;
	return accounts_change_end(&change, remove_row(&change, id, err), err);
}
