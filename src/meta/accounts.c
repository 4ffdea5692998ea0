/* SPDX-License-Identifier: ISC */
/*
 * accounts.c: accounts, their secrets and their parents. See accounts.h; stored as account_row.h draws it.
 *
 * A subaccount also stands in `children` under parent and id, which answers "may it read this?" with one look-up.
 */
#include "meta/accounts.h"

#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json.h"
#include "base/log.h"
#include "base/prefetch.h"
#include "meta/account_row.h"
#include "meta/meta_env.h"

int account_check_id(const char *what, const char *id, struct error *err)
{
	if (id_is_account(str_from(id)))
		return 0;
	return error_set(err, ERROR_INVALID, "%s \"%.64s\": must be 1 to %d letters, digits, - or _", what, id,
	                 ACCOUNT_ID_MAX);
}

int account_check_name(const char *name, struct error *err)
{
	size_t len = strlen(name);

	if (len > ACCOUNT_NAME_MAX)
		return error_set(err, ERROR_INVALID, "name: %zu bytes, at most %d allowed", len, ACCOUNT_NAME_MAX);
	if (!json_is_utf8(str_from(name)))
		return error_set(err, ERROR_INVALID, "name: not valid UTF-8");
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return error_set(err, ERROR_INVALID, "name: control character at byte %zu", i + 1);
	return 0;
}

static int not_found(struct str id, struct error *err)
{
	/* Longer ones are no ids at all; a few bytes more show that. */
	return error_set(err, ERROR_NOT_FOUND, "account %.*s: no such account", (int)(id.len < 64 ? id.len : 64), id.p);
}

int account_row_get(struct change *change, const char *id, struct account_row *row, struct error *err)
{
	struct str key = str_from(id), value;
	int found = change_get(change, META_DB_ACCOUNTS, key, &value, err);

	if (found < 0)
		return -1;
	return found ? account_row_read(row, key, value, err) : not_found(key, err);
}

int account_row_put(struct change *change, const struct account_row *row, struct error *err)
{
	struct buf value = { 0 };

	account_row_write(&value, row);
	int result = value.failed ?
	                     error_set(err, ERROR_NOMEM, "account %s: out of memory", row->account.id) :
	                     change_put(change, META_DB_ACCOUNTS, str_from(row->account.id), buf_str(&value), err);
	buf_free(&value);
	return result;
}

int account_row_add_secret(struct account_row *row, const struct credential *credential, uint32_t *number,
                           struct error *err)
{
	struct account *account = &row->account;
	int at = account->secrets_count;

	if (at == ACCOUNT_SECRETS_MAX)
		return error_set(err, ERROR_LIMIT, "account %s: has %d secrets, at most %d allowed; revoke one first",
		                 account->id, at, ACCOUNT_SECRETS_MAX);
	*number = ++row->secrets_made;
	account->secrets[at] = (struct account_secret){ .number = *number, .created_us = clock_now_us() };
	row->credentials[at] = *credential;
	account->secrets_count++;
	return 0;
}

static int row_remove_secret(struct account_row *row, uint32_t number, struct error *err)
{
	struct account *account = &row->account;
	int at = 0;

	while (at < account->secrets_count && account->secrets[at].number != number)
		at++;
	if (at == account->secrets_count)
		return error_set(err, ERROR_NOT_FOUND, "account %s: no secret %u", account->id, number);
	size_t after = (size_t)(account->secrets_count - at - 1);
	memmove(&account->secrets[at], &account->secrets[at + 1], after * sizeof(account->secrets[0]));
	memmove(&row->credentials[at], &row->credentials[at + 1], after * sizeof(row->credentials[0]));
	account->secrets_count--;
	return 0;
}

int accounts_change_end(struct change *change, int result, struct error *err)
{
	result = change_end(change, result, err);
	if (result == 0)
		meta_note_accounts(change->meta);
	accounts_memory_clear(change->meta);
	return result;
}

void account_child_key(struct account_child_key *out, const struct account_key *parent, struct str id)
{
	size_t len = id.len < ACCOUNT_ID_MAX ? id.len : ACCOUNT_ID_MAX;

	memcpy(out->bytes, parent->bytes, ACCOUNT_KEY_LEN);
	memcpy(out->bytes + ACCOUNT_KEY_LEN, len > 0 ? id.p : "", len);
	out->len = ACCOUNT_KEY_LEN + len;
}

int account_put_child(struct change *change, const struct account_key *parent, const struct account *child,
                      struct error *err)
{
	struct account_child_key key;
	struct str value = { child->key.bytes, account_key_has_number(&child->key) ? ACCOUNT_KEY_LEN : 0 };

	account_child_key(&key, parent, str_from(child->id));
	return change_put(change, META_DB_CHILDREN, (struct str){ key.bytes, key.len }, value, err);
}

int account_add_to_parent(struct change *change, const struct account *account, struct error *err)
{
	struct account_row parent;

	if (account_row_get(change, account->parent, &parent, err) != 0)
		return -1;
	if (strcmp(account->parent, account->id) == 0)
		return error_set(err, ERROR_INVALID, "parent %s: is the account itself", account->parent);
	if (parent.account.deleted_us)
		return error_set(err, ERROR_INVALID, "parent %s: is deleted", account->parent);
	if (parent.account.parent[0])
		return error_set(err, ERROR_INVALID, "parent %s: is itself a subaccount of %s", account->parent,
		                 parent.account.parent);
	return account_put_child(change, &parent.account.key, account, err);
}

static int add_row(struct change *change, struct account_row *row, struct error *err)
{
	struct account *account = &row->account;
	struct str value;
	int found = change_get(change, META_DB_ACCOUNTS, str_from(account->id), &value, err);

	if (found > 0)
		error_set(err, ERROR_CONFLICT, "account %s: exists already", account->id);
	if (found != 0 || account_key_give(change, account, err) != 0)
		return -1;
	if (account->parent[0] && account_add_to_parent(change, account, err) != 0)
		return -1;
	return account_row_put(change, row, err);
}

int accounts_add(struct meta *meta, const char *id, const char *parent, const char *name, const char *secret,
                 struct error *err)
{
	struct account_row row = { 0 };
	struct credential credential;
	struct change change;
	uint32_t number;
	bool has_parent = parent && parent[0];

	if (account_check_id("account", id, err) != 0 || (has_parent && account_check_id("parent", parent, err) != 0) ||
	    (name && account_check_name(name, err) != 0) || credential_make(&credential, str_from(secret), err) != 0)
		return -1;
	str_copy(row.account.id, sizeof(row.account.id), id);
	str_copy(row.account.parent, sizeof(row.account.parent), has_parent ? parent : "");
	str_copy(row.account.name, sizeof(row.account.name), name ? name : "");
	row.account.created_us = clock_now_us();
	if (account_row_add_secret(&row, &credential, &number, err) != 0 || change_begin(&change, meta, err) != 0)
		return -1;
	return accounts_change_end(&change, add_row(&change, &row, err), err);
}

static enum meta_next take_row(void *arg, struct str key, struct str value, struct error *err)
{
	return account_row_read(arg, key, value, err) == 0 ? META_GO_ON : META_FAILED;
}

int account_row_find(struct meta *meta, struct str id, struct account_row *row, struct error *err)
{
	if (id.len == 0 || id.len > ACCOUNT_ID_MAX)
		return 0;
	return meta_find(meta, META_DB_ACCOUNTS, id, take_row, row, err);
}

int accounts_get(struct meta *meta, struct str id, struct account *account, struct error *err)
{
	struct account_row row;
	int found = account_row_find(meta, id, &row, err);

	if (found == 0)
		return not_found(id, err);
	if (found > 0)
		*account = row.account;
	return found > 0 ? 0 : -1;
}

static int read_known(struct meta *meta, struct accounts_memory *memory, struct known *known, struct str id,
                      struct error *err)
{
	struct account_row row;
	int found = account_row_find(meta, id, &row, err);

	if (found < 0)
		return -1;
	*known = (struct known){ .generation = memory->generation,
		                 .exists = found > 0 && !row.account.deleted_us,
		                 .id_len = (unsigned char)id.len };
	if (known->exists)
		known->key = row.account.key;
	memcpy(known->id, id.p, id.len);
	return 0;
}

static struct known *slot_of(struct accounts_memory *memory, struct str id)
{
	return &memory->known[id_hash64(id.p, id.len, 0) % KNOWN_SLOTS];
}

static bool is_known(const struct accounts_memory *memory, const struct known *known, struct str id)
{
	return known->generation == memory->generation && known->id_len == id.len &&
	       memcmp(known->id, id.p, id.len) == 0;
}

int accounts_look_up(struct meta *meta, struct str id, struct account_key *key, struct error *err)
{
	if (id.len == 0 || id.len > ACCOUNT_ID_MAX)
		return 0;
	struct accounts_memory *memory = accounts_memory(meta, err);
	if (!memory)
		return -1;
	struct known *known = slot_of(memory, id);
	if (!is_known(memory, known, id) && read_known(meta, memory, known, id, err) != 0)
		return -1;
	*key = known->key;
	return known->exists;
}

bool accounts_key_known(struct meta *meta, struct str id, struct account_key *key)
{
	struct accounts_memory *memory = meta_attachment(meta)->data;

	bool is_own = account_key_is_id(id);

	if (is_own)
		*key = account_key_of_id(id.p);
	if (!memory || id.len == 0 || id.len > ACCOUNT_ID_MAX)
		return is_own;
	const struct known *known = slot_of(memory, id);
	prefetch_before(known + 1, sizeof(*known));
	if (is_own)
		return true;
	*key = known->key;
	return is_known(memory, known, id) && known->exists;
}

struct each {
	accounts_fn fn;
	void *arg;
};

static enum meta_next give_row(void *arg, struct str key, struct str value, struct error *err)
{
	struct each *each = arg;
	struct account_row row;

	if (account_row_read(&row, key, value, err) != 0)
		return META_FAILED;
	return each->fn(each->arg, &row.account) ? META_GO_ON : META_STOP;
}

int accounts_each_from(struct meta *meta, struct str from, accounts_fn fn, void *arg, struct error *err)
{
	struct each each = { fn, arg };

	return meta_each(meta, META_DB_ACCOUNTS, from, give_row, &each, err);
}

int accounts_each(struct meta *meta, accounts_fn fn, void *arg, struct error *err)
{
	return accounts_each_from(meta, STR_LITERAL(""), fn, arg, err);
}

/* --- subaccounts --- */

struct each_child {
	struct meta *meta;
	struct account_key parent;
	accounts_child_fn fn;
	struct each each; /* used where fn is NULL */
	void *arg;
};

static enum meta_next give_child(void *arg, struct str key, struct str value, struct error *err)
{
	const struct each_child *child = arg;
	struct account_row row;

	(void)value;
	if (key.len <= ACCOUNT_KEY_LEN || memcmp(key.p, child->parent.bytes, ACCOUNT_KEY_LEN) != 0)
		return META_STOP;
	struct str id = { key.p + ACCOUNT_KEY_LEN, key.len - ACCOUNT_KEY_LEN };
	if (child->fn) {
		child->fn(child->arg, id);
		return META_GO_ON;
	}
	int found = account_row_find(child->meta, id, &row, err);
	if (found < 0)
		return META_FAILED;
	return found == 0 || child->each.fn(child->each.arg, &row.account) ? META_GO_ON : META_STOP;
}

static int each_child(struct each_child *child, struct str parent, struct str from, struct error *err)
{
	struct account_child_key key;
	struct account_row row;
	int found = account_row_find(child->meta, parent, &row, err);

	if (found <= 0)
		return found;
	child->parent = row.account.key;
	account_child_key(&key, &child->parent, from);
	return meta_each(child->meta, META_DB_CHILDREN, (struct str){ key.bytes, key.len }, give_child, child, err);
}

int accounts_each_child(struct meta *meta, struct str parent, accounts_child_fn fn, void *arg, struct error *err)
{
	struct each_child child = { .meta = meta, .fn = fn, .arg = arg };

	return each_child(&child, parent, STR_LITERAL(""), err);
}

int accounts_each_child_from(struct meta *meta, struct str parent, struct str from, accounts_fn fn, void *arg,
                             struct error *err)
{
	struct each_child child = { .meta = meta, .each = { fn, arg } };

	return each_child(&child, parent, from, err);
}

int accounts_set_disabled(struct meta *meta, const char *id, bool disabled, struct error *err)
{
	struct account_row row;
	struct change change;

	if (account_check_id("account", id, err) != 0 || change_begin(&change, meta, err) != 0)
		return -1;
	int result = account_row_get(&change, id, &row, err);
	row.account.disabled = disabled;
	if (result == 0)
		result = account_row_put(&change, &row, err);
	return accounts_change_end(&change, result, err);
}

void account_row_add_plan(struct account_row *row, const char *plan)
{
	if (row->plans_count == ACCOUNT_PLANS_MAX) {
		memmove(&row->plans[0], &row->plans[1], (ACCOUNT_PLANS_MAX - 1) * sizeof(row->plans[0]));
		row->plans_count--;
	}
	struct account_plan *added = &row->plans[row->plans_count++];
	*added = (struct account_plan){ .since_us = clock_now_us() };
	str_copy(added->name, sizeof(added->name), plan);
	str_copy(row->account.plan, sizeof(row->account.plan), plan);
}

int accounts_set_plan(struct meta *meta, const char *id, const char *plan, struct error *err)
{
	struct account_row row;
	struct change change;
	size_t len = strlen(plan);

	if (len > ACCOUNT_PLAN_MAX)
		return error_set(err, ERROR_INVALID, "plan: %zu bytes, at most %d allowed", len, ACCOUNT_PLAN_MAX);
	if (account_check_id("account", id, err) != 0 || change_begin(&change, meta, err) != 0)
		return -1;
	int result = account_row_get(&change, id, &row, err);
	if (result == 0 && strcmp(row.account.plan, plan) != 0) {
		account_row_add_plan(&row, plan);
		result = account_row_put(&change, &row, err);
	}
	return accounts_change_end(&change, result, err);
}

int accounts_plans(struct meta *meta, const char *id, struct account_plan plans[ACCOUNT_PLANS_MAX], int *count,
                   struct error *err)
{
	struct account_row row;
	int found = account_row_find(meta, str_from(id), &row, err);

	if (found <= 0)
		return found < 0 ? -1 : not_found(str_from(id), err);
	*count = row.plans_count;
	memcpy(plans, row.plans, sizeof(row.plans));
	return 0;
}

int accounts_watch(struct meta *meta, struct accounts_watch *watch, struct error *err)
{
	struct accounts_memory *memory = accounts_memory(meta, err);

	if (!memory)
		return -1;
	LIST_INSERT_HEAD(&memory->watches, watch, entry);
	return 0;
}

void accounts_unwatch(struct accounts_watch *watch)
{
	if (!watch->on_change)
		return;
	LIST_REMOVE(watch, entry);
	watch->on_change = NULL;
}

uint64_t accounts_generation(struct meta *meta)
{
	struct error err;
	const struct accounts_memory *memory = accounts_memory(meta, &err);

	return memory ? memory->generation : 0;
}

int accounts_secret_add(struct meta *meta, const char *id, const char *secret, uint32_t *number, struct error *err)
{
	struct account_row row;
	struct credential credential;
	struct change change;

	if (account_check_id("account", id, err) != 0 || credential_make(&credential, str_from(secret), err) != 0 ||
	    change_begin(&change, meta, err) != 0)
		return -1;
	int result = account_row_get(&change, id, &row, err);
	if (result == 0)
		result = account_row_add_secret(&row, &credential, number, err);
	if (result == 0)
		result = account_row_put(&change, &row, err);
	return accounts_change_end(&change, result, err);
}

int accounts_secret_hash(struct meta *meta, const char *id, struct buf *out, struct error *err)
{
	struct account_row row;
	int found = account_row_find(meta, str_from(id), &row, err);

	if (found <= 0)
		return found < 0 ? -1 : not_found(str_from(id), err);
	if (row.account.secrets_count > 0)
		credential_to_text(&row.credentials[row.account.secrets_count - 1], out);
	return out->failed ? error_set(err, ERROR_NOMEM, "account %s: out of memory", id) : 0;
}

int accounts_secret_revoke(struct meta *meta, const char *id, uint32_t number, struct error *err)
{
	struct account_row row;
	struct change change;

	if (account_check_id("account", id, err) != 0 || change_begin(&change, meta, err) != 0)
		return -1;
	int result = account_row_get(&change, id, &row, err);
	if (result == 0)
		result = row_remove_secret(&row, number, err);
	if (result == 0)
		result = account_row_put(&change, &row, err);
	return accounts_change_end(&change, result, err);
}

int accounts_check(struct meta *meta, struct str id, struct str secret, struct account *account, struct pass *pass,
                   struct error *err)
{
	struct credentials_key key;
	struct account_row row = { 0 };
	struct accounts_memory *memory = accounts_memory(meta, err);
	uint64_t mark;

	if (!memory)
		return -1;
	bool has_key = credentials_cache_key(memory->credentials, CREDENTIALS_ACCOUNT, id, secret, &key);
	const struct account *cached =
		has_key ? credentials_cache_find(memory->credentials, &key, clock_monotonic_us(), &mark) : NULL;
	if (cached) {
		*account = *cached;
		if (pass)
			*pass = pass_of(PASS_SECRET, str_from(account->id), mark);
		return 0;
	}
	int found = account_row_find(meta, id, &row, err);
	if (found < 0)
		return -1;
	/* As many derivations for an account that does not exist, or has one secret, as for one with five. */
	int right = credential_match(row.credentials, (size_t)row.account.secrets_count, ACCOUNT_SECRETS_MAX, secret);
	if (right < 0)
		return error_set(err, ERROR_NOMEM, "credentials: out of memory");
	if (!right || row.account.disabled || row.account.deleted_us)
		return error_set(err, ERROR_UNAUTHORIZED, "wrong credentials");
	mark = credential_mark(&row.credentials[right - 1]);
	if (has_key)
		credentials_cache_add(memory->credentials, &key, clock_monotonic_us(), &row.account, mark);
	*account = row.account;
	if (pass)
		*pass = pass_of(PASS_SECRET, str_from(account->id), mark);
	return 0;
}

int accounts_reads(struct meta *meta, const struct account *reader, struct str owner, struct account_key *key,
                   struct error *err)
{
	if (str_is(owner, reader->id)) {
		*key = reader->key;
		return 1;
	}
	if (owner.len == 0 || owner.len > ACCOUNT_ID_MAX)
		return 0;
	return account_child_find(meta, &reader->key, owner, key, err);
}
