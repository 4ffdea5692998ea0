/* SPDX-License-Identifier: ISC */
/*
 * erased.h: which numbers were erased from which accounts, so that they do not come back: the same file sent again, a
 * late retry, a replay from quarantine.
 *
 *	catalog/erased   account's key (8 bytes) SipHash of the number (16) -> msgpack: since, until, by whom
 *	data_dir/erased.key   the hash's key; it goes into backups with the catalog
 *
 * A number is hashed without a plus before it, so that both forms match. The key is what keeps the hashes from being
 * undone by trying all numbers, which takes both the key and the catalog. An entry is for records whose time
 * is not after `until`: what a person does later is new, unless his erasure was to last. Entries stay until they are
 * revoked. All are in memory, in a table by hash; without any, asking costs one comparison.
 */
#ifndef CDRD_STORE_ERASED_H
#define CDRD_STORE_ERASED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/siphash.h"
#include "base/str.h"
#include "record/record.h"
#include "meta/accounts.h"
#include "store/store.h"

#define ERASED_LASTS INT64_MAX /* as `until_us` */

struct erased_entry {
	struct account_key account;
	struct siphash hash;
	int64_t erased_us; /* when */
	int64_t until_us;  /* records up to this time */
	uint32_t uid;      /* who had it erased */
};

/* Reads all entries, for the store's opening. The memory is the store's. */
MUST_CHECK int erased_load(struct store *store, struct error *err);
void erased_free(struct store *store);

/* The rows are others than they were, as another front end has changed them: reads them again. On -1, the table is as it was. */
MUST_CHECK int erased_reload(struct store *store, struct error *err);

uint64_t erased_count(const struct store *store);

/* The hash of a number, which may have a plus before it. */
struct siphash erased_hash(const struct store *store, struct str number);

/* Notes a number for each of `accounts`, durably; entries that are there never get an
 * earlier `until_us`. *template's account and hash are not looked at. */
MUST_CHECK int erased_add(struct store *store, const struct account_key *accounts, size_t accounts_count,
                          struct str number, const struct erased_entry *template, struct error *err);

/* Takes it back, durably; *count says of how many accounts. */
MUST_CHECK int erased_revoke(struct store *store, const struct account_key *accounts, size_t accounts_count,
                             struct str number, size_t *count, struct error *err);

/* Forgets all of an account that is about to go, durably: one that gets its id is another. */
MUST_CHECK int erased_forget_account(struct store *store, const struct account_key *account, struct error *err);

/* Gives each entry to fn, by account, until it answers false. */
typedef bool (*erased_fn)(void *arg, const struct erased_entry *entry);
MUST_CHECK int erased_each(struct store *store, erased_fn fn, void *arg, struct error *err);

/* Was it erased from the account, for records of this time? */
bool erased_is(const struct store *store, const struct account_key *account, struct str number, int64_t time_us);

/* Takes what was erased out of a record that is about to be stored, as erase.h does; false if there was nothing. */
bool erased_clean(const struct store *store, struct record *record, int64_t time_us);

/* Does the text of a record hold such a number? For rejected ones: `account` is empty, and `time_us` INT64_MIN, where
 * the record's is not known; any is possible then. */
bool erased_is_in_text(const struct store *store, struct str account, int64_t time_us, struct str text);

#endif
