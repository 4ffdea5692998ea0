/* SPDX-License-Identifier: ISC */
/*
 * sums_by_account.c: see sums_by_account.h.
 *
 * The accounts are added up by batches, each with an aggregate of its own: reading a day for many accounts at once
 * costs little more than for one. A batch with more groups than may be in memory is halved until it has one account.
 */
#include "admin/sums_by_account.h"

#include <stdlib.h>

#include "base/clock.h"

#define BATCH_MAX 200 /* accounts; read from the catalog in less than a millisecond */

struct sums {
	struct meta *meta;
	struct store *store;
	struct sums_query query;
	struct buf accounts;            /* struct sums_account each: the batch, in order of id */
	struct buf keys;                /* struct account_key each: the batch's, in order */
	size_t batch_max;               /* accounts */
	char after[ACCOUNT_ID_MAX + 1]; /* the last account of the last batch; "" at first */
	bool has_begun;                 /* a family: the account itself is done */
	bool all_read;                  /* no batch follows */
	struct aggregate *aggregate;    /* of the batch; NULL between batches */
	size_t written;                 /* of its groups, once it is done */
	bool sorted;                    /* it is done, and its groups are in order */
	uint64_t accounts_done;
	int64_t kept_from_us; /* store_kept_from_us, at first */
	uint8_t total_key;    /* the currency's column */
	struct aggregate_groups total;
};

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_NOMEM, "Out of memory for sums");
}

static const struct sums_account *batch_of(const struct sums *sums, size_t *count)
{
	*count = sums->accounts.len / sizeof(struct sums_account);
	return (const struct sums_account *)(const void *)sums->accounts.data;
}

/* --- a batch of accounts --- */

static void add_account(struct sums *sums, const struct account *account)
{
	struct sums_account added = { .key = account->key };

	memcpy(added.id, account->id, sizeof(added.id));
	memcpy(added.parent, account->parent, sizeof(added.parent));
	memcpy(added.name, account->name, sizeof(added.name));
	buf_add(&sums->accounts, &added, sizeof(added));
}

static bool take_account(void *arg, const struct account *account)
{
	struct sums *sums = arg;

	if (strcmp(account->id, sums->after) > 0)
		add_account(sums, account);
	return sums->accounts.len / sizeof(struct sums_account) < sums->batch_max && !sums->accounts.failed;
}

/* An account alone, before its subaccounts. */
static int read_head(struct sums *sums, struct error *err)
{
	struct account account;

	if (accounts_get(sums->meta, str_from(sums->query.account), &account, err) != 0)
		return -1;
	add_account(sums, &account);
	sums->has_begun = true;
	sums->all_read = !sums->query.subaccounts;
	return 0;
}

static int read_more(struct sums *sums, struct error *err)
{
	const struct sums_account *accounts;
	struct str after = str_from(sums->after);
	size_t count;
	int result = sums->query.account ? accounts_each_child_from(sums->meta, str_from(sums->query.account), after,
	                                                            take_account, sums, err) :
	                                   accounts_each_from(sums->meta, after, take_account, sums, err);

	if (result != 0)
		return -1;
	accounts = batch_of(sums, &count);
	sums->all_read = count < sums->batch_max;
	if (count > 0)
		memcpy(sums->after, accounts[count - 1].id, sizeof(sums->after));
	return 0;
}

static int read_batch(struct sums *sums, struct error *err)
{
	bool head = sums->query.account && !sums->has_begun;

	buf_clear(&sums->accounts);
	if ((head ? read_head(sums, err) : read_more(sums, err)) != 0)
		return -1;
	return sums->accounts.failed ? no_memory(err) : 0;
}

/* Leaves the second half of the accounts to later batches. */
static void halve_batch(struct sums *sums)
{
	size_t count;
	const struct sums_account *accounts = batch_of(sums, &count);

	sums->batch_max = count / 2;
	sums->accounts.len = sums->batch_max * sizeof(*accounts);
	sums->all_read = false;
	memcpy(sums->after, accounts[sums->batch_max - 1].id, sizeof(sums->after));
}

/* --- its sums --- */

static int start_batch(struct sums *sums, struct error *err)
{
	const struct sums_query *query = &sums->query;
	size_t count;
	const struct sums_account *accounts = batch_of(sums, &count);

	buf_clear(&sums->keys);
	for (size_t i = 0; i < count; i++)
		buf_add(&sums->keys, &accounts[i].key, sizeof(accounts[i].key));
	if (sums->keys.failed)
		return no_memory(err);
	account_keys_sort((struct account_key *)(void *)sums->keys.data, count);
	const struct aggregate_query aggregate = {
		.scan = {
			.product = query->product,
			.direction = CATALOG_NO_DIRECTION,
			.accounts = (const struct account_key *)(const void *)sums->keys.data,
			.accounts_count = count,
			.from_us = query->from_us,
			.to_us = query->to_us,
			.snapshot = store_snapshot(sums->store),
		},
		.group_by = query->keys,
		.group_by_count = query->keys_count,
		.groups_max = query->groups_max,
		.on_ready = query->on_ready,
		.arg = query->arg,
	};

	sums->aggregate = aggregate_start(sums->store, &aggregate, err);
	sums->sorted = false;
	sums->written = 0;
	return sums->aggregate ? 0 : -1;
}

static void end_batch(struct sums *sums)
{
	aggregate_cancel(sums->aggregate);
	sums->aggregate = NULL;
}

/* Too many groups: tries fewer accounts, if there is more than one. */
static int retry_smaller(struct sums *sums, struct error *err)
{
	size_t count;
	const struct sums_account *accounts = batch_of(sums, &count);

	end_batch(sums);
	if (count == 1)
		return error_set(err, ERROR_LIMIT, "account %s: more than %zu groups (summary_groups_max)",
		                 accounts[0].id, sums->query.groups_max);
	halve_batch(sums);
	return start_batch(sums, err);
}

const struct aggregate_amount *sums_amount(const struct aggregate_groups *groups, const struct aggregate_group *group)
{
	return group->amounts ? aggregate_amount_at(groups, group->amounts - 1) : NULL;
}

static int add_to_total(struct sums *sums, const struct aggregate_groups *groups, const struct aggregate_group *group,
                        struct error *err)
{
	const struct aggregate_amount *amount = sums_amount(groups, group);
	struct str currency = amount ? aggregate_currency(groups, amount) : STR_LITERAL("");
	uint64_t hash = aggregate_value_hash(currency);
	struct aggregate_batch added = {
		.values = &currency,
		.hashes = &hash,
		.currency = currency,
		.count = group->count,
		.unreadable = group->unreadable,
		.unpriced = group->unpriced,
		.duration = group->duration,
	};

	if (amount) {
		added.total_price = amount->total_price;
		added.price = amount->price;
	}
	return aggregate_add_batch(&sums->total, INT64_MIN, &added, err);
}

static int by_id(const void *id, const void *account)
{
	return strcmp(id, ((const struct sums_account *)account)->id);
}

/* Whose group it is: its key begins with the account's id. */
static const struct sums_account *find_account(const struct sums *sums, const struct aggregate_groups *groups,
                                               const struct aggregate_group *group)
{
	struct str key = { groups->texts.data + group->key_at, group->key_len }, value = aggregate_key_next(&key);
	char id[ACCOUNT_ID_MAX + 1] = { 0 };
	size_t count;
	const struct sums_account *accounts = batch_of(sums, &count);

	if (value.len > ACCOUNT_ID_MAX)
		return NULL;
	memcpy(id, value.p, value.len);
	return bsearch(id, accounts, count, sizeof(*accounts), by_id);
}

static int write_group(struct sums *sums, const struct aggregate_groups *groups, const struct aggregate_group *group,
                       struct error *err)
{
	const struct sums_account *account = find_account(sums, groups, group);

	if (!account)
		return error_set(err, ERROR_CORRUPT, "A record of one account is stored among another's");
	sums->query.on_group(sums->query.arg, account, groups, group);
	return add_to_total(sums, groups, group, err);
}

/* Until the deadline; ends the batch after its last group. */
static int write_batch(struct sums *sums, int64_t deadline_us, struct error *err)
{
	struct aggregate_groups *groups = aggregate_groups(sums->aggregate);
	size_t count;

	if (!sums->sorted)
		aggregate_groups_sort(groups);
	sums->sorted = true;
	while (sums->written < groups->count) {
		if (write_group(sums, groups, aggregate_group_at(groups, sums->written++), err) != 0)
			return -1;
		if (clock_monotonic_us() >= deadline_us)
			return 0;
	}
	end_batch(sums);
	(void)batch_of(sums, &count);
	sums->accounts_done += count;
	sums->batch_max = 2 * sums->batch_max < BATCH_MAX ? 2 * sums->batch_max : BATCH_MAX;
	return 0;
}

static int add_up(struct sums *sums, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	if (aggregate_step(sums->aggregate, deadline_us, end, err) != 0) {
		*end = SCAN_PAUSED; /* an engine may have said anything of what has failed */
		return err->code == ERROR_NOT_FOUND ? retry_smaller(sums, err) : -1;
	}
	if (*end == SCAN_DONE) {
		*end = SCAN_PAUSED;
		return write_batch(sums, deadline_us, err);
	}
	return 0;
}

/* --- its course --- */

/* Batches that were done before some days were kept no longer have them, and those after do not. */
static int finish(struct sums *sums, struct error *err)
{
	int64_t kept_from_us = store_kept_from_us(sums->store);

	if (kept_from_us > sums->kept_from_us && kept_from_us > sums->query.from_us)
		return error_set(err, ERROR_UNAVAILABLE,
		                 "Days of the range became older than retention_months meanwhile; ask again");
	aggregate_groups_sort(&sums->total);
	return 0;
}

int sums_step(struct sums *sums, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	do {
		*end = SCAN_PAUSED;
		if (sums->aggregate && sums->sorted) {
			if (write_batch(sums, deadline_us, err) != 0)
				return -1;
		} else if (sums->aggregate) {
			if (add_up(sums, deadline_us, end, err) != 0)
				return -1;
		} else if (sums->all_read) {
			*end = SCAN_DONE;
			if (finish(sums, err) != 0)
				return -1;
		} else if (read_batch(sums, err) != 0 || (sums->accounts.len > 0 && start_batch(sums, err) != 0)) {
			return -1;
		}
	} while (*end == SCAN_PAUSED && clock_monotonic_us() < deadline_us);
	return 0;
}

uint64_t sums_accounts_done(const struct sums *sums)
{
	return sums->accounts_done;
}

struct aggregate_groups *sums_totals(struct sums *sums)
{
	return &sums->total;
}

struct sums *sums_begin(struct meta *meta, struct store *store, const struct sums_query *query, struct error *err)
{
	struct sums *sums = calloc(1, sizeof(*sums));

	if (!sums) {
		(void)no_memory(err);
		return NULL;
	}
	sums->meta = meta;
	sums->store = store;
	sums->query = *query;
	sums->batch_max = BATCH_MAX;
	sums->kept_from_us = store_kept_from_us(store);
	sums->total_key = catalog_column_find(query->product, STR_LITERAL("currency"));
	aggregate_groups_init(&sums->total, query->product, &sums->total_key, sums->total_key != CATALOG_NONE,
	                      query->groups_max);
	return sums;
}

void sums_free(struct sums *sums)
{
	if (!sums)
		return;
	aggregate_cancel(sums->aggregate);
	aggregate_groups_free(&sums->total);
	buf_free(&sums->accounts);
	buf_free(&sums->keys);
	free(sums);
}
