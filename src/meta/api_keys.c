/* SPDX-License-Identifier: ISC */
/*
 * api_keys.c: see api_keys.h.
 *
 * Layout version 1: [1, note, scopes, subaccounts, products, networks, created_us, expires_us, iterations, salt, hash].
 */
#include "meta/api_keys.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "meta/account_row.h"
#include "meta/accounts.h"

#define ROW_VERSION 1
#define PREFIX "ck_"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

const char *const api_scope_names[API_SCOPES] = { "records", "reports" };

struct key_row {
	struct api_key key;
	struct credential credential;
};

/* --- rows --- */

static struct str row_name(char name[ACCOUNT_ID_MAX + 1 + API_KEY_ID_LEN + 1], struct str account, struct str id)
{
	int len = snprintf(name, ACCOUNT_ID_MAX + 1 + API_KEY_ID_LEN + 1, "%.*s/%.*s", STR_ARGS(account), STR_ARGS(id));

	return (struct str){ name, (size_t)len };
}

static void row_write(struct buf *out, const struct key_row *row)
{
	struct value_writer w;

	value_begin(&w, out, ROW_VERSION, 7 + CREDENTIAL_VALUE_COUNT);
	value_put_str(&w, str_from(row->key.note));
	value_put_int(&w, row->key.scopes);
	value_put_int(&w, row->key.subaccounts);
	value_put_str(&w, str_from(row->key.products));
	value_put_str(&w, str_from(row->key.networks));
	value_put_int(&w, row->key.created_us);
	value_put_int(&w, row->key.expires_us);
	credential_write(&w, &row->credential);
}

static bool read_name(struct api_key *key, struct str name)
{
	const char *slash = memchr(name.p, '/', name.len);
	size_t len = slash ? (size_t)(slash - name.p) : 0;

	if (len == 0 || len > ACCOUNT_ID_MAX || name.len != len + 1 + API_KEY_ID_LEN)
		return false;
	memcpy(key->account, name.p, len);
	memcpy(key->id, slash + 1, API_KEY_ID_LEN);
	return true;
}

static int row_read(struct key_row *row, struct str name, struct str bytes, struct error *err)
{
	struct value_reader r;

	*row = (struct key_row){ 0 };
	if (!read_name(&row->key, name))
		return error_set(err, ERROR_CORRUPT, "key: a name of %zu bytes is no key's", name.len);
	value_open(&r, bytes, ROW_VERSION);
	value_text(&r, row->key.note, 0, ACCOUNT_NAME_MAX);
	row->key.scopes = (unsigned)value_int(&r, 0, (1 << API_SCOPES) - 1);
	row->key.subaccounts = value_int(&r, 0, 1);
	value_text(&r, row->key.products, 0, API_KEY_LIST_MAX);
	value_text(&r, row->key.networks, 0, API_KEY_LIST_MAX);
	row->key.created_us = value_int(&r, INT64_MIN, INT64_MAX);
	row->key.expires_us = value_int(&r, 0, INT64_MAX);
	credential_read(&r, &row->credential);
	if (value_close(&r))
		return 0;
	return error_set(err, value_error(&r), "key %s of account %s: its stored value cannot be read", row->key.id,
	                 row->key.account);
}

/* --- changes --- */

static int check_parts(const struct api_key *key, struct error *err)
{
	if (account_check_name(key->note, err) != 0)
		return -1;
	if (key->scopes == 0)
		return error_set(err, ERROR_INVALID, "scope: none given; there are records and reports");
	if (key->expires_us && key->expires_us <= clock_now_us())
		return error_set(err, ERROR_INVALID, "expires: that time is over");
	return network_list_check("networks", key->networks, err);
}

static int put_row(struct change *change, const struct key_row *row, struct error *err)
{
	char name[ACCOUNT_ID_MAX + 1 + API_KEY_ID_LEN + 1];
	struct account_row account;
	struct buf bytes = { 0 };

	if (account_row_get(change, row->key.account, &account, err) != 0)
		return -1;
	row_write(&bytes, row);
	int result = bytes.failed ? error_set(err, ERROR_NOMEM, "key: out of memory") :
	                            change_put(change, META_DB_API_KEYS,
	                                       row_name(name, str_from(row->key.account), str_from(row->key.id)),
	                                       buf_str(&bytes), err);
	buf_free(&bytes);
	return result;
}

int api_keys_revoke(struct meta *meta, const char *account, const char *id, struct error *err)
{
	char name[ACCOUNT_ID_MAX + 1 + API_KEY_ID_LEN + 1];
	struct change change;

	if (account_check_id("account", account, err) != 0)
		return -1;
	if (strlen(id) != API_KEY_ID_LEN)
		return error_set(err, ERROR_INVALID, "key \"%.32s\": an id has %d characters", id, API_KEY_ID_LEN);
	if (change_begin(&change, meta, err) != 0)
		return -1;
	int removed = change_remove(&change, META_DB_API_KEYS, row_name(name, str_from(account), str_from(id)), err);

	if (removed == 0)
		error_set(err, ERROR_NOT_FOUND, "key %s: account %s has no such key", id, account);
	return accounts_change_end(&change, removed > 0 ? 0 : -1, err);
}

/* --- reading --- */

struct each {
	struct str prefix; /* "ACCOUNT/", or empty */
	api_keys_fn fn;
	void *arg;
};

static enum meta_next give_row(void *arg, struct str name, struct str value, struct error *err)
{
	struct each *each = arg;
	struct key_row row;

	if (name.len < each->prefix.len || memcmp(name.p, each->prefix.p, each->prefix.len) != 0)
		return META_STOP;
	if (row_read(&row, name, value, err) != 0)
		return META_FAILED;
	return each->fn(each->arg, &row.key) ? META_GO_ON : META_STOP;
}

int api_keys_each(struct meta *meta, const char *account, api_keys_fn fn, void *arg, struct error *err)
{
	char prefix[ACCOUNT_ID_MAX + 2] = "";
	struct each each = { .fn = fn, .arg = arg };

	if (account[0]) {
		if (account_check_id("account", account, err) != 0)
			return -1;
		snprintf(prefix, sizeof(prefix), "%s/", account);
	}
	each.prefix = str_from(prefix);
	return meta_each(meta, META_DB_API_KEYS, each.prefix, give_row, &each, err);
}

static enum meta_next take_row(void *arg, struct str name, struct str value, struct error *err)
{
	return row_read(arg, name, value, err) == 0 ? META_STOP : META_FAILED;
}

/* --- more changes --- */

static bool count_key(void *arg, const struct api_key *key)
{
	size_t *count = arg;

	(void)key;
	return ++*count < API_KEYS_MAX;
}

int api_keys_add(struct meta *meta, struct api_key *key, char text[API_KEY_LEN + 1], struct error *err)
{
	char secret[ACCOUNT_SECRET_LEN + 1];
	struct key_row row;
	struct change change;
	size_t count = 0;

	if (account_check_id("account", key->account, err) != 0 || check_parts(key, err) != 0)
		return -1;
	if (api_keys_each(meta, key->account, count_key, &count, err) != 0)
		return -1;
	if (count == API_KEYS_MAX)
		return error_set(err, ERROR_LIMIT, "account %s: has %d keys, which is the most", key->account,
		                 API_KEYS_MAX);
	id_secret(key->id, API_KEY_ID_LEN);
	id_secret(secret, ACCOUNT_SECRET_LEN);
	key->created_us = clock_now_us();
	snprintf(text, API_KEY_LEN + 1, PREFIX "%s_%s", key->id, secret);
	row.key = *key;
	if (credential_make(&row.credential, str_from(text), err) != 0 || change_begin(&change, meta, err) != 0)
		return -1;
	return accounts_change_end(&change, put_row(&change, &row, err), err);
}

static bool add_name(void *arg, const struct api_key *key)
{
	buf_add(arg, key->id, API_KEY_ID_LEN);
	return true;
}

int api_keys_forget(struct change *change, const char *account, struct error *err)
{
	char name[ACCOUNT_ID_MAX + 1 + API_KEY_ID_LEN + 1];
	struct buf ids = { 0 };
	int result = api_keys_each(change->meta, account, add_name, &ids, err);

	if (result == 0 && ids.failed)
		result = error_set(err, ERROR_NOMEM, "keys of account %s: out of memory", account);
	for (size_t at = 0; result == 0 && at < ids.len; at += API_KEY_ID_LEN)
		if (change_remove(change, META_DB_API_KEYS,
		                  row_name(name, str_from(account), (struct str){ ids.data + at, API_KEY_ID_LEN }),
		                  err) < 0)
			result = -1;
	buf_free(&ids);
	return result;
}

/* --- checking --- */

bool api_key_has_form(struct str secret)
{
	return secret.len == API_KEY_LEN && memcmp(secret.p, PREFIX, PREFIX_LEN) == 0 &&
	       secret.p[PREFIX_LEN + API_KEY_ID_LEN] == '_';
}

/* Is the text that of the row, which may be none? As slow for a key that does not exist. Those that were right are
 * remembered. */
static int check_text(struct accounts_memory *memory, struct str account_id, struct str text, const struct key_row *row,
                      bool found, struct error *err)
{
	static const struct account nobody;
	struct credentials_key cached;
	bool has_key = credentials_cache_key(memory->credentials, CREDENTIALS_API_KEY, account_id, text, &cached);
	uint64_t mark;

	if (found && has_key && credentials_cache_find(memory->credentials, &cached, clock_monotonic_us(), &mark))
		return 0;
	int right = credential_match(&row->credential, found, 1, text);

	if (right < 0)
		return error_set(err, ERROR_NOMEM, "credentials: out of memory");
	if (!right)
		return error_set(err, ERROR_UNAUTHORIZED, "wrong credentials");
	if (has_key)
		credentials_cache_add(memory->credentials, &cached, clock_monotonic_us(), &nobody,
		                      credential_mark(&row->credential));
	return 0;
}

static int check_use(const struct api_key *key, const struct ip *from, struct error *err)
{
	char text[IP_TEXT_LEN];

	if (key->expires_us && key->expires_us <= clock_now_us())
		return error_set(err, ERROR_UNAUTHORIZED, "The time of key %s is up", key->id);
	if (!key->networks[0] || network_listed(key->networks, from))
		return 0;
	ip_format(text, from);
	return error_set(err, ERROR_FORBIDDEN, "Key %s may not be used from %s", key->id, text);
}

int api_keys_check(struct meta *meta, struct str account_id, struct str text, const struct ip *from,
                   struct account *account, struct api_key *key, struct pass *pass, struct error *err)
{
	char name[ACCOUNT_ID_MAX + 1 + API_KEY_ID_LEN + 1];
	struct str id = { text.p + PREFIX_LEN, API_KEY_ID_LEN };
	struct key_row row = { 0 };
	struct accounts_memory *memory = accounts_memory(meta, err);
	int found = 0;

	if (!memory)
		return -1;
	if (account_id.len <= ACCOUNT_ID_MAX)
		found = meta_find(meta, META_DB_API_KEYS, row_name(name, account_id, id), take_row, &row, err);
	if (found < 0 || check_text(memory, account_id, text, &row, found, err) != 0)
		return -1;
	if (accounts_get(meta, account_id, account, err) != 0)
		return err->code == ERROR_NOT_FOUND ? error_set(err, ERROR_UNAUTHORIZED, "wrong credentials") : -1;
	if (account->disabled || account->deleted_us)
		return error_set(err, ERROR_UNAUTHORIZED, "wrong credentials");
	*key = row.key;
	*pass = pass_of(PASS_KEY, str_from(key->account), credential_mark(&row.credential));
	pass->until_us = key->expires_us;
	str_copy(pass->key, sizeof(pass->key), key->id);
	return check_use(key, from, err);
}

int api_keys_pass_holds(struct meta *meta, const struct pass *pass, struct error *err)
{
	char name[ACCOUNT_ID_MAX + 1 + API_KEY_ID_LEN + 1];
	struct str id = { pass->key, API_KEY_ID_LEN };
	struct account account;
	struct key_row row;
	int found = meta_find(meta, META_DB_API_KEYS, row_name(name, str_from(pass->name), id), take_row, &row, err);

	if (found <= 0)
		return found;
	if (accounts_get(meta, str_from(pass->name), &account, err) != 0)
		return err->code == ERROR_NOT_FOUND ? 0 : -1;
	return credential_mark(&row.credential) == pass->mark && !account.disabled && !account.deleted_us &&
	       (!row.key.expires_us || row.key.expires_us > clock_now_us());
}

bool api_key_has_product(const struct api_key *key, struct str product)
{
	struct str list = str_from(key->products), word;

	while (str_next(&list, ',', &word))
		if (str_equal(word, product))
			return true;
	return !key->products[0];
}
