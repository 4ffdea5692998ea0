/* SPDX-License-Identifier: ISC */
/*
 * account_row.h: what accounts.c and producers.c share; private to meta/.
 *
 * Two things are remembered between requests: credentials that were right (credentials.h), and which of the ids that
 * recent records named are accounts. Both are emptied by every change to accounts or producers.
 */
#ifndef CDRD_META_ACCOUNT_ROW_H
#define CDRD_META_ACCOUNT_ROW_H

#include <sys/queue.h>

#include "base/buf.h"
#include "meta/account.h"
#include "meta/rows.h"
#include "meta/change.h"
#include "meta/credentials.h"

/*
 * An account as it is stored, layout version 1:
 *
 *	[1, parent, name, disabled, created_us, secrets_made, secrets,
 *	 number, created_us, iterations, salt, hash,  ... once a secret,
 *	 plans, since_us, name, ... once a plan,      left out by builds that knew of no plans
 *	 deleted_us,                                  left out by builds that could not delete
 *	 number]                                      of its key; left out where the key is the id
 */
struct account_row {
	struct account account;
	uint32_t secrets_made;                              /* number of the newest secret there ever was */
	struct credential credentials[ACCOUNT_SECRETS_MAX]; /* of account.secrets, in order */
	int plans_count;
	struct account_plan plans[ACCOUNT_PLANS_MAX]; /* oldest first */
};

void account_row_write(struct buf *out, const struct account_row *row);

/* ERROR_CORRUPT if `bytes` are not a row, or `id` is not of the length. */
MUST_CHECK int account_row_read(struct account_row *row, struct str id, struct str bytes, struct error *err);

/* --- accounts.c: what a change is made of --- */

/* ERROR_INVALID unless `id` has the form of an account's; `what` names it in the message. */
MUST_CHECK int account_check_id(const char *what, const char *id, struct error *err);
MUST_CHECK int account_check_name(const char *name, struct error *err);

/* Reads a row in the change's transaction; ERROR_NOT_FOUND if there is none. */
MUST_CHECK int account_row_get(struct change *change, const char *id, struct account_row *row, struct error *err);
MUST_CHECK int account_row_put(struct change *change, const struct account_row *row, struct error *err);

/* Adds a secret after the existing ones; *number is its number. ERROR_LIMIT if it has all that it may have. */
MUST_CHECK int account_row_add_secret(struct account_row *row, const struct credential *credential, uint32_t *number,
                                      struct error *err);

/* Gives it a plan from now on; the oldest is forgotten beyond ACCOUNT_PLANS_MAX. */
void account_row_add_plan(struct account_row *row, const char *plan);

/* A row as it was last committed: 1 if there is one, 0 if not, -1. */
MUST_CHECK int account_row_find(struct meta *meta, struct str id, struct account_row *row, struct error *err);

/* Checks the parent of an account and makes the account known as its subaccount. */
MUST_CHECK int account_add_to_parent(struct change *change, const struct account *account, struct error *err);
MUST_CHECK int account_put_child(struct change *change, const struct account_key *parent, const struct account *child,
                                 struct error *err);

/* A key of `children`: the parent's key and the child's id, so that they are in order of id. The value is the child's
 * key, or empty where that is the id. */
struct account_child_key {
	char bytes[ACCOUNT_KEY_LEN + ACCOUNT_ID_MAX];
	size_t len;
};
/* An id that is too long to be one is cut. */
void account_child_key(struct account_child_key *out, const struct account_key *parent, struct str id);

/* Is there such a subaccount? 1 with its *key, 0, -1. */
MUST_CHECK int account_child_find(struct meta *meta, const struct account_key *parent, struct str id,
                                  struct account_key *key, struct error *err);

/* account_keys.c: gives an account that is being added its key, and frees the row of one that goes; its number is never
 * given again. */
MUST_CHECK int account_key_give(struct change *change, struct account *account, struct error *err);
/* Takes `count` numbers for keys, durably: the first of them. Those that are not used are lost. */
MUST_CHECK int account_keys_reserve(struct meta *meta, size_t count, uint64_t *first, struct error *err);

/* Puts the row that maps a key with a number back to its id. */
MUST_CHECK int account_key_put(struct change *change, const struct account_key *key, const char *id, struct error *err);
MUST_CHECK int account_key_forget(struct change *change, const struct account_key *key, struct error *err);

/* Ends a change of accounts, and forgets what was remembered of them. */
MUST_CHECK int accounts_change_end(struct change *change, int result, struct error *err);

#define KNOWN_SLOTS 65536 /* of 96 bytes, as far as they are used */

struct accounts_memory {
	struct credentials_cache *credentials;
	uint64_t generation; /* answers of older ones are forgotten; begins at 1 */
	LIST_HEAD(, accounts_watch) watches;
	struct known {
		uint64_t generation;
		bool exists;
		struct account_key key;
		unsigned char id_len;
		char id[ACCOUNT_ID_MAX];
	} known[KNOWN_SLOTS];
};

/* Made at first use; NULL with ERROR_NOMEM. */
MUST_CHECK struct accounts_memory *accounts_memory(struct meta *meta, struct error *err);

/* Accounts, keys, producers or operators have changed: forgets everything, and tells those who watch. */
void accounts_memory_clear(struct meta *meta);

#endif
