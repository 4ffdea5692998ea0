/* SPDX-License-Identifier: ISC */
/*
 * api_keys.h: keys beside an account's secrets, each of which may do a part of what the account may.
 *
 * A key is given in place of a secret, with the account's id: so clients need not know that it is one. Its text is
 * "ck_", its id, "_" and 32 letters and digits by chance; it is kept as secrets are, as a salted hash. Keys are rows of
 * META_DB_API_KEYS, under the account's id, '/' and the key's.
 */
#ifndef CDRD_META_API_KEYS_H
#define CDRD_META_API_KEYS_H

#include "base/network.h"
#include "meta/account.h"
#include "meta/meta.h"
#include "meta/pass.h"

#define API_KEY_ID_LEN PASS_KEY_LEN
#define API_KEYS_MAX 100     /* of an account */
#define API_KEY_LIST_MAX 512 /* bytes of a list of products or networks */

/* The text of a key, without its NUL. */
#define API_KEY_LEN (sizeof("ck_") - 1 + API_KEY_ID_LEN + 1 + ACCOUNT_SECRET_LEN)

/* What a key may do; api/auth.h says which requests these are. */
enum api_scope {
	API_SCOPE_RECORDS = 1, /* read records, their changes and sums */
	API_SCOPE_REPORTS = 2, /* ask for reports, follow, fetch and cancel them */
};
#define API_SCOPES 2

/* "records" and "reports", in the order of their bits. */
extern const char *const api_scope_names[API_SCOPES];

struct api_key {
	char id[API_KEY_ID_LEN + 1];
	char account[ACCOUNT_ID_MAX + 1];
	char note[ACCOUNT_NAME_MAX + 1];
	unsigned scopes;
	bool subaccounts;                    /* may it read their records? */
	char products[API_KEY_LIST_MAX + 1]; /* names, separated by commas; "": all */
	char networks[API_KEY_LIST_MAX + 1]; /* where it may be used from, as a setting has them; "": anywhere */
	int64_t created_us;
	int64_t expires_us; /* 0: never */
};

/* Adds a key to key->account; fills in its id and its time, and its text, which cannot be had again. ERROR_NOT_FOUND if
 * there is no such account, ERROR_INVALID where a part is wrong: the products are the caller's business; ERROR_LIMIT beyond
 * API_KEYS_MAX. */
MUST_CHECK int api_keys_add(struct meta *meta, struct api_key *key, char text[API_KEY_LEN + 1], struct error *err);

/* Calls fn for each key, of one account or ("") of all, in order; false from fn ends it. */
typedef bool (*api_keys_fn)(void *arg, const struct api_key *key);
MUST_CHECK int api_keys_each(struct meta *meta, const char *account, api_keys_fn fn, void *arg, struct error *err);

/* ERROR_NOT_FOUND if there is none. */
MUST_CHECK int api_keys_revoke(struct meta *meta, const char *account, const char *id, struct error *err);

/* Removes all keys of an account, within a change of it. */
struct change;
MUST_CHECK int api_keys_forget(struct change *change, const char *account, struct error *err);

/* Does a secret have the form of a key? */
bool api_key_has_form(struct str secret);

/*
 * A right key of an enabled account, used from `from`: fills in all three. ERROR_UNAUTHORIZED where it is wrong or its time is
 * up, ERROR_FORBIDDEN where it may not be used from there.
 */
MUST_CHECK int api_keys_check(struct meta *meta, struct str account_id, struct str text, const struct ip *from,
                              struct account *account, struct api_key *key, struct pass *pass, struct error *err);

/* pass_holds of a key. */
MUST_CHECK int api_keys_pass_holds(struct meta *meta, const struct pass *pass, struct error *err);

/* May it read records of the product? */
bool api_key_has_product(const struct api_key *key, struct str product);

#endif
