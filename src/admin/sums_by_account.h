/* SPDX-License-Identifier: ISC */
/*
 * sums_by_account.h: the sums of many accounts' records, of one account after the other; private to admin/.
 *
 *	sums = sums_begin(meta, store, &query, &err);
 *	sums_step(sums, deadline_us, &end, &err)    in slices, while end is SCAN_PAUSED
 *	sums_free(sums)                             at any time
 *
 * Accounts are walked in order of id (a family: the account, then its subaccounts), some of them at a time, so that
 * memory is bounded by `groups_max` and not by how many accounts there are. The store adds up (store/aggregate.h);
 * groups are always made by account and, last, by currency, so that each has one amount at most. What is stored or
 * replaced meanwhile may be in the sums or not.
 */
#ifndef CDRD_ADMIN_SUMS_BY_ACCOUNT_H
#define CDRD_ADMIN_SUMS_BY_ACCOUNT_H

#include "meta/accounts.h"
#include "store/aggregate.h"

#define SUMS_KEYS_MAX 10 /* columns of a group: the account's, those asked for, the currency's */

struct sums_account {
	char id[ACCOUNT_ID_MAX + 1];
	char parent[ACCOUNT_ID_MAX + 1];
	char name[ACCOUNT_NAME_MAX + 1];
	struct account_key key;
};

struct sums_query {
	const struct catalog_product *product;
	int64_t from_us, to_us;
	const char *account; /* NULL: all accounts */
	bool subaccounts;    /* of `account`, too */
	size_t groups_max;   /* of an account */

	/* The account's column, any others, and the currency's if the product has one. */
	uint8_t keys[SUMS_KEYS_MAX];
	size_t keys_count;

	/* A group of an account, in order; `group` is one of `groups`, whose key has a value for each of `keys`. */
	void (*on_group)(void *arg, const struct sums_account *account, const struct aggregate_groups *groups,
	                 const struct aggregate_group *group);
	void (*on_ready)(void *arg); /* after SCAN_WAITS, from the loop */
	void *arg;
};

struct sums;

/* The query is copied; what it points to must outlive the sums. Does not read yet. NULL with ERROR_NOMEM. */
MUST_CHECK struct sums *sums_begin(struct meta *meta, struct store *store, const struct sums_query *query,
                                   struct error *err);

/* Continues until about the deadline of clock_monotonic_us. *end is SCAN_DONE, SCAN_PAUSED or SCAN_WAITS. 0, or -1
 * with ERROR_LIMIT (an account has more than groups_max groups, or a sum is too large), or as aggregate_step; after
 * that only sums_free may follow. */
MUST_CHECK int sums_step(struct sums *sums, int64_t deadline_us, enum scan_end *end, struct error *err);

/* Accounts whose sums are done. */
uint64_t sums_accounts_done(const struct sums *sums);

/* When it is done: all groups added up, by currency alone, in its order. They die with the sums. */
struct aggregate_groups *sums_totals(struct sums *sums);

/* Frees it; neither callback is called any more. Does nothing on NULL. */
void sums_free(struct sums *sums);

/* What the group's records cost; NULL where the product has no prices. Dies with the groups. */
const struct aggregate_amount *sums_amount(const struct aggregate_groups *groups, const struct aggregate_group *group);

#endif
