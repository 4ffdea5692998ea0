/* SPDX-License-Identifier: ISC */
/*
 * account_keys.c: keys of accounts: given once, and mapped back to ids. See base/account_key.h.
 *
 * The number that was given last is a value of the catalog; `account_keys` has the id of each key with a number.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "meta/account_row.h"
#include "meta/accounts.h"
#include "meta/meta.h"

#define LAST_NUMBER "account_number"

static struct str key_str(const struct account_key *key)
{
	return (struct str){ key->bytes, sizeof(key->bytes) };
}

/* The number that was given last, as the change's transaction has it; 0. */
static int read_last(struct change *change, uint64_t *last, struct error *err)
{
	struct str value;
	char text[24] = "";
	int found = change_get(change, META_DB_VALUES, STR_LITERAL(LAST_NUMBER), &value, err);

	if (found < 0)
		return -1;
	if (found > 0 && value.len >= sizeof(text))
		return error_set(err, ERROR_CORRUPT, LAST_NUMBER ": %zu digits are no number", value.len);
	if (found > 0)
		memcpy(text, value.p, value.len);
	*last = strtoull(text, NULL, 10);
	return 0;
}

static int write_last(struct change *change, uint64_t last, struct error *err)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%" PRIu64, last);

	if (last > ACCOUNT_KEY_NUMBER_MAX)
		return error_set(err, ERROR_CORRUPT, LAST_NUMBER ": %" PRIu64 ", at most %" PRIu64 " possible", last,
		                 ACCOUNT_KEY_NUMBER_MAX);
	return change_put(change, META_DB_VALUES, STR_LITERAL(LAST_NUMBER), (struct str){ text, (size_t)len }, err);
}

/* Takes the next `count` numbers in the change's transaction. */
static int take_numbers(struct change *change, size_t count, uint64_t *first, struct error *err)
{
	uint64_t last;

	if (meta_account_numbers_are_held(change->meta))
		return error_set(
			err, ERROR_UNAVAILABLE,
			"No account can be added yet: ClickHouse has not said of which accounts it has records");
	if (read_last(change, &last, err) != 0)
		return -1;
	*first = last + 1;
	return write_last(change, last + count, err);
}

int account_keys_reserve(struct meta *meta, size_t count, uint64_t *first, struct error *err)
{
	struct change change;

	*first = 0;
	if (count == 0)
		return 0;
	if (change_begin(&change, meta, err) != 0)
		return -1;
	return change_end(&change, take_numbers(&change, count, first, err), err);
}

int accounts_last_number(struct meta *meta, uint64_t *last, struct error *err)
{
	return meta_get_number(meta, LAST_NUMBER, last, err);
}

static int skip_numbers(struct change *change, uint64_t last, struct error *err)
{
	uint64_t given;

	if (read_last(change, &given, err) != 0)
		return -1;
	return last > given ? write_last(change, last, err) : 0;
}

int accounts_skip_numbers(struct meta *meta, uint64_t last, struct error *err)
{
	struct change change;

	if (change_begin(&change, meta, err) != 0)
		return -1;
	return change_end(&change, skip_numbers(&change, last, err), err);
}

int account_key_put(struct change *change, const struct account_key *key, const char *id, struct error *err)
{
	if (!account_key_has_number(key))
		return 0;
	return change_put(change, META_DB_ACCOUNT_KEYS, key_str(key), str_from(id), err);
}

int account_key_give(struct change *change, struct account *account, struct error *err)
{
	struct str id = str_from(account->id);
	uint64_t number;

	if (account_key_is_id(id)) {
		account->key = account_key_of_id(account->id);
		return 0;
	}
	if (take_numbers(change, 1, &number, err) != 0)
		return -1;
	account->key = account_key_of_number(number);
	return account_key_put(change, &account->key, account->id, err);
}

int account_key_forget(struct change *change, const struct account_key *key, struct error *err)
{
	if (!account_key_has_number(key))
		return 0;
	return change_remove(change, META_DB_ACCOUNT_KEYS, key_str(key), err) < 0 ? -1 : 0;
}

static enum meta_next take_id(void *arg, struct str key, struct str value, struct error *err)
{
	char *id = arg;

	(void)key;
	if (value.len == 0 || value.len > ACCOUNT_ID_MAX) {
		error_set(err, ERROR_CORRUPT, "an account's id: %zu bytes, must be 1 to %d", value.len, ACCOUNT_ID_MAX);
		return META_FAILED;
	}
	memcpy(id, value.p, value.len);
	id[value.len] = '\0';
	return META_GO_ON;
}

static enum meta_next take_child_key(void *arg, struct str key, struct str value, struct error *err)
{
	struct account_key *child = arg;

	if (value.len == ACCOUNT_KEY_LEN) {
		memcpy(child->bytes, value.p, ACCOUNT_KEY_LEN);
		return META_GO_ON;
	}
	if (key.len == 2 * (size_t)ACCOUNT_KEY_LEN && value.len == 0) {
		*child = account_key_of_id(key.p + ACCOUNT_KEY_LEN);
		return META_GO_ON;
	}
	error_set(err, ERROR_CORRUPT, "subaccounts: a key of %zu bytes and a value of %zu are none's", key.len,
	          value.len);
	return META_FAILED;
}

int account_child_find(struct meta *meta, const struct account_key *parent, struct str id, struct account_key *key,
                       struct error *err)
{
	struct account_child_key child;

	account_child_key(&child, parent, id);
	return meta_find(meta, META_DB_CHILDREN, (struct str){ child.bytes, child.len }, take_child_key, key, err);
}

struct family {
	struct account_key parent;
	struct buf *keys;
	bool parent_is_in;
};

static void add_parent(struct family *family)
{
	if (!family->parent_is_in)
		buf_add(family->keys, &family->parent, sizeof(family->parent));
	family->parent_is_in = true;
}

static enum meta_next add_child(void *arg, struct str key, struct str value, struct error *err)
{
	struct family *family = arg;
	struct account_key child;

	if (key.len <= ACCOUNT_KEY_LEN || memcmp(key.p, family->parent.bytes, ACCOUNT_KEY_LEN) != 0)
		return META_STOP;
	if (take_child_key(&child, key, value, err) == META_FAILED)
		return META_FAILED;
	if (account_key_compare(&child, &family->parent) > 0)
		add_parent(family);
	buf_add(family->keys, &child, sizeof(child));
	return META_GO_ON;
}

int accounts_keys_of_family(struct meta *meta, const struct account_key *account, bool subaccounts, struct buf *keys,
                            struct error *err)
{
	struct family family = { .parent = *account, .keys = keys };
	size_t before = keys->len;
	struct str from = { account->bytes, ACCOUNT_KEY_LEN };

	if (subaccounts && meta_each(meta, META_DB_CHILDREN, from, add_child, &family, err) < 0)
		return -1;
	add_parent(&family);
	if (keys->failed)
		return error_set(err, ERROR_NOMEM, "subaccounts: out of memory");
	account_keys_sort((struct account_key *)(void *)(keys->data + before), (keys->len - before) / sizeof(*account));
	return 0;
}

int accounts_ids_of_keys(struct meta *meta, const struct account_key *keys, size_t count, struct buf *ids,
                         struct error *err)
{
	char id[ACCOUNT_ID_MAX + 1];

	for (size_t i = 0; i < count; i++) {
		int found = accounts_id_of_key(meta, &keys[i], id, err);

		if (found == 0)
			error_set(err, ERROR_NOT_FOUND, "account %s: there is none any more",
			          account_key_text(&keys[i]).text);
		if (found <= 0)
			return -1;
		buf_add(ids, id, strlen(id) + 1);
	}
	return ids->failed ? error_set(err, ERROR_NOMEM, "ids of accounts: out of memory") : 0;
}

int accounts_id_of_key(struct meta *meta, const struct account_key *key, char id[ACCOUNT_ID_MAX + 1], struct error *err)
{
	if (account_key_has_number(key))
		return meta_find(meta, META_DB_ACCOUNT_KEYS, key_str(key), take_id, id, err);
	memcpy(id, key->bytes, ACCOUNT_KEY_LEN);
	id[ACCOUNT_KEY_LEN] = '\0';
	return 1;
}

struct accounts_text accounts_key_text(struct meta *meta, const struct account_key *key)
{
	struct accounts_text out;
	struct error err;

	if (!meta || accounts_id_of_key(meta, key, out.text, &err) <= 0)
		(void)snprintf(out.text, sizeof(out.text), "%s", account_key_text(key).text);
	return out;
}
