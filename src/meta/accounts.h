/* SPDX-License-Identifier: ISC */
/*
 * accounts.h: who may read and who may write.
 *
 * Accounts (1 to 64 characters) with up to five secrets each, their parents, producers, which may only ingest, and
 * operators. They live in the catalog environment. Every change is one durable transaction; reads see it at once.
 * Secrets are stored as PBKDF2-HMAC-SHA256 with a salt each and compared in constant time; a small cache of
 * credentials that were right, keyed with a random key of this process and emptied by every change, keeps requests
 * from paying for it each time.
 */
#ifndef CDRD_META_ACCOUNTS_H
#define CDRD_META_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "meta/account.h"
#include "meta/pass.h"

struct meta;

/* Adds an account with its first secret. ERROR_CONFLICT if it exists; ERROR_NOT_FOUND if the parent does not;
 * ERROR_INVALID for a bad id, name or secret, and for a parent that is itself a subaccount. */
MUST_CHECK int accounts_add(struct meta *meta, const char *id, const char *parent, const char *name, const char *secret,
                            struct error *err);

/* ERROR_NOT_FOUND if there is none. */
MUST_CHECK int accounts_get(struct meta *meta, struct str id, struct account *account, struct error *err);

/* Is there such an account, enabled or not, that was not deleted? 1 with its *key, 0, or -1 with *err: a read that
 * failed is not an absence. Fast enough for every record of an ingest. */
MUST_CHECK int accounts_look_up(struct meta *meta, struct str id, struct account_key *key, struct error *err);

/* The key of an account that was looked up not long ago, or is its own: without reading. False if that is not known, or
 * there was none. What accounts_look_up reads of it is prefetched. */
bool accounts_key_known(struct meta *meta, struct str id, struct account_key *key);

/* The id of the account that a key on disk names: 1, 0 if there is none, -1. One of 8 characters is its key, whether
 * there is such an account or not. */
MUST_CHECK int accounts_id_of_key(struct meta *meta, const struct account_key *key, char id[ACCOUNT_ID_MAX + 1],
                                  struct error *err);

/* An account of a key for a person: its id, or "#" and the number where that is not known (`meta` is NULL, or the account
 * is there no more). For messages: it may read. `.text` lives as long as what is returned. */
struct accounts_text {
	char text[ACCOUNT_ID_MAX + 1];
};
struct accounts_text accounts_key_text(struct meta *meta, const struct account_key *key);

/* Appends the ids of such keys, each with its NUL. ERROR_NOT_FOUND if one has none any more. */
MUST_CHECK int accounts_ids_of_keys(struct meta *meta, const struct account_key *keys, size_t count, struct buf *ids,
                                    struct error *err);

/* Calls fn for each account in order of id; false from fn ends it. */
typedef bool (*accounts_fn)(void *arg, const struct account *account);
MUST_CHECK int accounts_each(struct meta *meta, accounts_fn fn, void *arg, struct error *err);

/* The same from the first account that is not before `from`, for walking in slices. */
MUST_CHECK int accounts_each_from(struct meta *meta, struct str from, accounts_fn fn, void *arg, struct error *err);

/* Appends the keys (struct account_key) of an account and, with `subaccounts`, of these; in order, without repeats. */
MUST_CHECK int accounts_keys_of_family(struct meta *meta, const struct account_key *account, bool subaccounts,
                                       struct buf *keys, struct error *err);

/* The number of a key (account_key.h) that was given last; 0. Where others have been given before, as records show that are not
 * in the same backup: those up to `last` are not given any more. Durable. */
MUST_CHECK int accounts_last_number(struct meta *meta, uint64_t *last, struct error *err);
MUST_CHECK int accounts_skip_numbers(struct meta *meta, uint64_t last, struct error *err);

/* Calls fn for the id of each subaccount of `parent`, in order. */
typedef void (*accounts_child_fn)(void *arg, struct str id);
MUST_CHECK int accounts_each_child(struct meta *meta, struct str parent, accounts_child_fn fn, void *arg,
                                   struct error *err);

/* Calls fn for each subaccount of `parent`, in order of id, from the first that is not before `from`; false from fn
 * ends it. */
MUST_CHECK int accounts_each_child_from(struct meta *meta, struct str parent, struct str from, accounts_fn fn,
                                        void *arg, struct error *err);

MUST_CHECK int accounts_set_disabled(struct meta *meta, const char *id, bool disabled, struct error *err);

/* Gives it another name. ERROR_INVALID for one that is too long, not UTF-8 or has control characters. */
MUST_CHECK int accounts_set_name(struct meta *meta, const char *id, const char *name, struct error *err);

/* Makes it a subaccount of `parent`, or ("") a primary account. ERROR_INVALID if it has subaccounts of its own or the
 * parent is itself a subaccount or deleted, ERROR_NOT_FOUND if there is no such parent. */
MUST_CHECK int accounts_set_parent(struct meta *meta, const char *id, const char *parent, struct error *err);

/*
 * Marks it as deleted at a time, unless it is already, or (0) takes that back. From then on its credentials are wrong and
 * its records are refused; nothing else of it goes before accounts_remove. ERROR_CONFLICT if it has subaccounts that are
 * not deleted, when deleting, and if its parent is deleted, when taking that back.
 */
MUST_CHECK int accounts_set_deleted(struct meta *meta, const char *id, int64_t deleted_us, struct error *err);

/* Marks it and all its subaccounts, in one change: all are deleted, or none is. *count: of its subaccounts,
 * including those that were deleted before. */
MUST_CHECK int accounts_delete_family(struct meta *meta, const char *id, int64_t deleted_us, uint64_t *count,
                                      struct error *err);

/* The last step: takes the account's row, its webhook secret, its attempts at callbacks and its volume out of the catalog.
 * ERROR_CONFLICT unless it is marked as deleted and has no subaccounts left. */
MUST_CHECK int accounts_remove(struct meta *meta, const char *id, struct error *err);

/* Gives it a plan, "" for none of its own. Whether there is such a plan is the caller's business. */
MUST_CHECK int accounts_set_plan(struct meta *meta, const char *id, const char *plan, struct error *err);

/* The plans that it was given, oldest first. */
MUST_CHECK int accounts_plans(struct meta *meta, const char *id, struct account_plan plans[ACCOUNT_PLANS_MAX],
                              int *count, struct error *err);

/* Calls watch->on_change (pass.h) after every change, until accounts_unwatch, which does nothing if it is not watched. */
MUST_CHECK int accounts_watch(struct meta *meta, struct accounts_watch *watch, struct error *err);
void accounts_unwatch(struct accounts_watch *watch);

/* Grows with every change of accounts: what was read of one before may be out of date. */
uint64_t accounts_generation(struct meta *meta);

/* ERROR_LIMIT beyond ACCOUNT_SECRETS_MAX. */
MUST_CHECK int accounts_secret_add(struct meta *meta, const char *id, const char *secret, uint32_t *number,
                                   struct error *err);
/* Appends the hash of the account's newest secret as text (credentials.h); nothing if it has none. */
MUST_CHECK int accounts_secret_hash(struct meta *meta, const char *id, struct buf *out, struct error *err);
MUST_CHECK int accounts_secret_revoke(struct meta *meta, const char *id, uint32_t number, struct error *err);

/* Right credentials of an enabled account: fills *account, and *pass (or NULL). ERROR_UNAUTHORIZED in all other cases,
 * without saying which. */
MUST_CHECK int accounts_check(struct meta *meta, struct str id, struct str secret, struct account *account,
                              struct pass *pass, struct error *err);

/* May `reader` see the data of `owner`? Itself, or a subaccount of it. Never for an unknown owner. 1 with the owner's
 * *key, 0, or -1 with *err: a read that failed is not a no. */
MUST_CHECK int accounts_reads(struct meta *meta, const struct account *reader, struct str owner,
                              struct account_key *key, struct error *err);

/* `settings` may be NULL: nothing is set. ERROR_CONFLICT if it exists; ERROR_INVALID for a bad name or secret. */
MUST_CHECK int producers_add(struct meta *meta, const char *name, const char *secret,
                             const struct ingest_settings *settings, struct error *err);

/* Both: ERROR_NOT_FOUND if there is none. */
MUST_CHECK int producers_get(struct meta *meta, struct str name, struct producer *producer, struct error *err);
MUST_CHECK int producers_set(struct meta *meta, const char *name, const struct ingest_settings *settings,
                             struct error *err);

MUST_CHECK int producers_revoke(struct meta *meta, const char *name, struct error *err);
typedef bool (*producers_fn)(void *arg, const struct producer *producer);
MUST_CHECK int producers_each(struct meta *meta, producers_fn fn, void *arg, struct error *err);
/* Fills *pass, which may be NULL. */
MUST_CHECK int producers_check(struct meta *meta, struct str name, struct str secret, struct pass *pass,
                               struct error *err);

/* Operators, whose credentials are for operator_listen alone. They are like producers, without settings. */
MUST_CHECK int operators_add(struct meta *meta, const char *name, const char *secret, struct error *err);
MUST_CHECK int operators_remove(struct meta *meta, const char *name, struct error *err);
MUST_CHECK int operators_each(struct meta *meta, producers_fn fn, void *arg, struct error *err);
MUST_CHECK int operators_check(struct meta *meta, struct str name, struct str secret, struct pass *pass,
                               struct error *err);

/* pass_holds of a producer or operator. */
MUST_CHECK int producers_pass_holds(struct meta *meta, const struct pass *pass, struct error *err);

#endif
