/* SPDX-License-Identifier: ISC */
/*
 * erased.c: see erased.h. The table is of open addressing, by the hash's first word; what was revoked stays in it as an
 * entry that matches nothing.
 */
#include "store/erased.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/key_file.h"
#include "meta/rows.h"
#include "meta/change.h"
#include "store/cluster/cluster_erase.h"
#include "store/erase.h"
#include "store/days_store.h"
#include "lmdb/value.h"

#define KEY_NAME "erased.key"
#define ROW_VERSION 1
#define ERASED_KEY_LEN (ACCOUNT_KEY_LEN + sizeof(struct siphash))
#define CAP_FIRST 64
#define NEVER INT64_MIN /* until_us of what was revoked */

struct slot {
	struct siphash hash;
	struct account_key account;
	bool used;
	int64_t until_us;
};

struct erased {
	uint8_t key[SIPHASH_KEY_BYTES];
	struct slot *slots;
	size_t cap;   /* a power of two */
	size_t used;  /* slots, revoked ones too */
	size_t count; /* entries */
};

/* --- the table --- */

static struct slot *slot_at(const struct erased *erased, const struct siphash *hash, size_t step)
{
	return &erased->slots[(hash->word[0] + step) & (erased->cap - 1)];
}

static bool same_hash(const struct siphash *a, const struct siphash *b)
{
	return a->word[0] == b->word[0] && a->word[1] == b->word[1];
}

/* The account's slot for the hash, or the free one where it would be. */
static struct slot *find(const struct erased *erased, const struct siphash *hash, const struct account_key *account)
{
	for (size_t step = 0;; step++) {
		struct slot *slot = slot_at(erased, hash, step);

		if (!slot->used || (same_hash(&slot->hash, hash) && account_key_equal(&slot->account, account)))
			return slot;
	}
}

static int grow(struct erased *erased, struct error *err)
{
	struct erased larger = { .cap = erased->cap ? 2 * erased->cap : CAP_FIRST };

	larger.slots = calloc(larger.cap, sizeof(*larger.slots));
	if (!larger.slots)
		return error_set(err, ERROR_NOMEM, "erased numbers: out of memory");
	for (size_t i = 0; i < erased->cap; i++) {
		const struct slot *slot = &erased->slots[i];

		if (slot->used)
			*find(&larger, &slot->hash, &slot->account) = *slot;
	}
	free(erased->slots);
	erased->slots = larger.slots;
	erased->cap = larger.cap;
	return 0;
}

/* Room for `more` entries, so that what is on disk already can be put in without fail. */
static int make_room(struct erased *erased, size_t more, struct error *err)
{
	while ((erased->used + more) * 2 > erased->cap)
		if (grow(erased, err) != 0)
			return -1;
	return 0;
}

static void set(struct erased *erased, const struct account_key *account, const struct siphash *hash, int64_t until_us)
{
	struct slot *slot = find(erased, hash, account);

	erased->used += !slot->used;
	erased->count += !slot->used || slot->until_us == NEVER;
	erased->count -= until_us == NEVER;
	slot->hash = *hash;
	slot->account = *account;
	slot->used = true;
	slot->until_us = until_us;
}

/* --- rows --- */

static void write_key(uint8_t out[ERASED_KEY_LEN], const struct account_key *account, const struct siphash *hash)
{
	memcpy(out, account->bytes, ACCOUNT_KEY_LEN);
	memcpy(out + ACCOUNT_KEY_LEN, hash, sizeof(*hash));
}

static int read_row(struct erased_entry *entry, struct str key, struct str value, struct error *err)
{
	struct value_reader r;

	if (key.len != ERASED_KEY_LEN)
		return error_set(err, ERROR_CORRUPT, "catalog: an entry of erased numbers cannot be read");
	*entry = (struct erased_entry){ .uid = 0 };
	memcpy(entry->account.bytes, key.p, ACCOUNT_KEY_LEN);
	memcpy(&entry->hash, key.p + ACCOUNT_KEY_LEN, sizeof(entry->hash));
	value_open(&r, value, ROW_VERSION);
	entry->erased_us = value_int(&r, INT64_MIN, INT64_MAX);
	entry->until_us = value_int(&r, INT64_MIN, INT64_MAX);
	entry->uid = (uint32_t)value_int(&r, 0, UINT32_MAX);
	return value_close(&r) ? 0 :
	                         error_set(err, value_error(&r), "catalog: an entry of erased numbers cannot be read");
}

static int put_row(struct change *change, const uint8_t key[ERASED_KEY_LEN], const struct erased_entry *entry,
                   struct error *err)
{
	struct buf value = { 0 };
	struct value_writer w;

	value_begin(&w, &value, ROW_VERSION, 3);
	value_put_int(&w, entry->erased_us);
	value_put_int(&w, entry->until_us);
	value_put_int(&w, entry->uid);
	int result = value.failed ? error_set(err, ERROR_NOMEM, "erased numbers: out of memory") :
	                            change_put(change, META_DB_ERASED,
	                                       (struct str){ (const char *)key, ERASED_KEY_LEN }, buf_str(&value), err);
	buf_free(&value);
	return result;
}

/* --- its life --- */

static enum meta_next load_row(void *arg, struct str key, struct str value, struct error *err)
{
	struct erased *erased = arg;
	struct erased_entry entry;

	if (read_row(&entry, key, value, err) != 0 || make_room(erased, 1, err) != 0)
		return META_FAILED;
	set(erased, &entry.account, &entry.hash, entry.until_us);
	return META_GO_ON;
}

int erased_load(struct store *store, struct error *err)
{
	struct erased *erased = store->erased = calloc(1, sizeof(*erased));

	if (!erased || make_room(erased, 1, err) != 0)
		return error_set(err, ERROR_NOMEM, "erased numbers: out of memory");
	if (meta_each(store->meta, META_DB_ERASED, STR_LITERAL(""), load_row, erased, err) != 0)
		return -1;
	if (key_file_load(store->options.data_dir, KEY_NAME, erased->key, sizeof(erased->key), erased->count == 0,
	                  err) == 0)
		return meta_check_key(store->meta, store->options.data_dir, KEY_NAME, erased->key, sizeof(erased->key),
		                      err);
	if (err->code == ERROR_NOT_FOUND)
		error_set(err, ERROR_NOT_FOUND,
		          "%s/" KEY_NAME ": is not there, and %zu erased numbers would come back without it: "
		          "take it from the backup that the catalog is from",
		          store->options.data_dir, erased->count);
	return -1;
}

int erased_reload(struct store *store, struct error *err)
{
	struct erased *now = calloc(1, sizeof(*now));

	if (!now || make_room(now, 1, err) != 0 ||
	    meta_each(store->meta, META_DB_ERASED, STR_LITERAL(""), load_row, now, err) != 0) {
		if (!now)
			error_set(err, ERROR_NOMEM, "erased numbers: out of memory");
		else
			free(now->slots);
		free(now);
		return -1;
	}
	memcpy(now->key, store->erased->key, sizeof(now->key));
	erased_free(store);
	store->erased = now;
	return 0;
}

void erased_free(struct store *store)
{
	if (store->erased)
		free(store->erased->slots);
	free(store->erased);
	store->erased = NULL;
}

/* --- changes --- */

int erased_add(struct store *store, const struct account_key *accounts, size_t accounts_count, struct str number,
               const struct erased_entry *template, struct error *err)
{
	struct erased *erased = store->erased;
	struct siphash hash = erased_hash(store, number);
	struct change change;
	int result = 0;

	if (make_room(erased, accounts_count, err) != 0 || change_begin(&change, store->meta, err) != 0)
		return -1;
	for (size_t i = 0; i < accounts_count && result == 0; i++) {
		uint8_t key[ERASED_KEY_LEN];
		struct erased_entry entry = *template;
		const struct slot *known = find(erased, &hash, &accounts[i]);

		if (known->used && known->until_us > entry.until_us)
			entry.until_us = known->until_us;
		write_key(key, &accounts[i], &hash);
		result = put_row(&change, key, &entry, err);
	}
	if (change_end(&change, result, err) != 0)
		return -1;
	for (size_t i = 0; i < accounts_count; i++) {
		const struct slot *known = find(erased, &hash, &accounts[i]);
		bool later = known->used && known->until_us > template->until_us;

		set(erased, &accounts[i], &hash, later ? known->until_us : template->until_us);
	}
	if (store->cluster)
		cluster_refuse_older(store->cluster);
	return 0;
}

int erased_revoke(struct store *store, const struct account_key *accounts, size_t accounts_count, struct str number,
                  size_t *count, struct error *err)
{
	struct erased *erased = store->erased;
	struct siphash hash = erased_hash(store, number);
	struct change change;
	int result = 0;

	*count = 0;
	if (change_begin(&change, store->meta, err) != 0)
		return -1;
	for (size_t i = 0; i < accounts_count && result >= 0; i++) {
		uint8_t key[ERASED_KEY_LEN];

		write_key(key, &accounts[i], &hash);
		result = change_remove(&change, META_DB_ERASED, (struct str){ (const char *)key, sizeof(key) }, err);
		*count += result > 0;
	}
	if (change_end(&change, result < 0 ? -1 : 0, err) != 0)
		return -1;
	for (size_t i = 0; i < accounts_count; i++) {
		const struct slot *known = find(erased, &hash, &accounts[i]);

		if (known->used && known->until_us != NEVER)
			set(erased, &accounts[i], &hash, NEVER);
	}
	return 0;
}

struct forgetting {
	const struct account_key *account;
	struct buf keys; /* ERASED_KEY_LEN bytes each */
};

static enum meta_next take_key(void *arg, struct str key, struct str value, struct error *err)
{
	struct forgetting *forgetting = arg;

	(void)value;
	if (key.len != ERASED_KEY_LEN || memcmp(key.p, forgetting->account->bytes, ACCOUNT_KEY_LEN) != 0)
		return META_STOP;
	buf_add_str(&forgetting->keys, key);
	if (!forgetting->keys.failed)
		return META_GO_ON;
	error_set(err, ERROR_NOMEM, "erased numbers: out of memory");
	return META_FAILED;
}

static int forget(struct store *store, struct str keys, struct error *err)
{
	struct change change;
	int result = 0;

	if (change_begin(&change, store->meta, err) != 0)
		return -1;
	for (size_t at = 0; at < keys.len && result >= 0; at += ERASED_KEY_LEN)
		result = change_remove(&change, META_DB_ERASED, (struct str){ keys.p + at, ERASED_KEY_LEN }, err);
	if (change_end(&change, result < 0 ? -1 : 0, err) != 0)
		return -1;
	for (size_t at = 0; at < keys.len; at += ERASED_KEY_LEN) {
		struct siphash hash;
		struct account_key account;

		memcpy(account.bytes, keys.p + at, ACCOUNT_KEY_LEN);
		memcpy(&hash, keys.p + at + ACCOUNT_KEY_LEN, sizeof(hash));
		set(store->erased, &account, &hash, NEVER);
	}
	return 0;
}

int erased_forget_account(struct store *store, const struct account_key *account, struct error *err)
{
	struct forgetting forgetting = { .account = account };
	int result = meta_each(store->meta, META_DB_ERASED, (struct str){ account->bytes, ACCOUNT_KEY_LEN }, take_key,
	                       &forgetting, err);

	if (result == 0 && forgetting.keys.len > 0)
		result = forget(store, buf_str(&forgetting.keys), err);
	buf_free(&forgetting.keys);
	return result;
}

struct each {
	erased_fn fn;
	void *arg;
};

static enum meta_next give_row(void *arg, struct str key, struct str value, struct error *err)
{
	struct each *each = arg;
	struct erased_entry entry;

	if (read_row(&entry, key, value, err) != 0)
		return META_FAILED;
	return each->fn(each->arg, &entry) ? META_GO_ON : META_STOP;
}

int erased_each(struct store *store, erased_fn fn, void *arg, struct error *err)
{
	struct each each = { fn, arg };

	return meta_each(store->meta, META_DB_ERASED, STR_LITERAL(""), give_row, &each, err);
}

/* --- asking --- */

uint64_t erased_count(const struct store *store)
{
	return store->erased ? store->erased->count : 0;
}

struct siphash erased_hash(const struct store *store, struct str number)
{
	if (number.len > 0 && number.p[0] == '+')
		number = (struct str){ number.p + 1, number.len - 1 };
	return siphash(store->erased->key, number.p, number.len);
}

bool erased_is(const struct store *store, const struct account_key *account, struct str number, int64_t time_us)
{
	if (erased_count(store) == 0 || number.len < ERASE_NUMBER_MIN)
		return false;
	struct siphash hash = erased_hash(store, number);
	const struct slot *slot = find(store->erased, &hash, account);
	return slot->used && time_us <= slot->until_us;
}

bool erased_clean(const struct store *store, struct record *record, int64_t time_us)
{
	const struct catalog_product *product = record->product;
	bool found = false;

	if (erased_count(store) == 0)
		return false;
	struct account_key account = record_account_key(record);
	for (uint8_t i = 0; i < product->columns_count; i++) {
		if (product->columns[i].kind != CATALOG_NUMBER ||
		    !erased_is(store, &account, record->values[i], time_us))
			continue;
		record->values[i] = STR_LITERAL(ERASE_TEXT);
		found = true;
	}
	for (uint8_t i = 0; i < product->columns_count && found; i++)
		if (product->columns[i].kind == CATALOG_BODY)
			record->values[i] = (struct str){ NULL, 0 };
	return found;
}

/* Is the entry of the account that the text is of, as far as that can be told? */
static bool is_of_account(const struct store *store, const struct slot *slot, struct str account, struct str text)
{
	char id[ACCOUNT_ID_MAX + 1];
	struct error err;
	int found = accounts_id_of_key(store->meta, &slot->account, id, &err);

	if (found <= 0)
		return found < 0;
	if (account.len > 0)
		return str_is(account, id);
	return id_account_is_in(text, id) || !memmem(text.p, text.len, "account_id", sizeof("account_id") - 1);
}

/* Is the number of somebody whose record the text may be? */
static bool may_be_of(const struct store *store, struct str account, int64_t time_us, struct str text, struct str word)
{
	struct siphash hash = erased_hash(store, word);

	for (size_t step = 0;; step++) {
		const struct slot *slot = slot_at(store->erased, &hash, step);

		if (!slot->used)
			return false;
		if (!same_hash(&slot->hash, &hash) || slot->until_us == NEVER || time_us > slot->until_us)
			continue;
		if (is_of_account(store, slot, account, text))
			return true;
	}
}

static bool is_of_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_of_value(char c)
{
	return c != '"' && c != ',' && c != ';' && c != '\t' && c != '\n' && c != '\r';
}

/* Looks at each run of bytes that belong together. */
static bool has_run(const struct store *store, struct str account, int64_t time_us, struct str text,
                    bool (*belongs)(char c))
{
	for (size_t at = 0; at < text.len;) {
		size_t end = at;

		while (end < text.len && belongs(text.p[end]))
			end++;
		if (end - at >= ERASE_NUMBER_MIN && end - at <= ERASE_NUMBER_MAX + 1 &&
		    may_be_of(store, account, time_us, text, (struct str){ text.p + at, end - at }))
			return true;
		at = end + 1;
	}
	return false;
}

/* As a word, or as a whole value, for a number that is none: an address, say. */
bool erased_is_in_text(const struct store *store, struct str account, int64_t time_us, struct str text)
{
	return erased_count(store) > 0 && (has_run(store, account, time_us, text, is_of_word) ||
	                                   has_run(store, account, time_us, text, is_of_value));
}
