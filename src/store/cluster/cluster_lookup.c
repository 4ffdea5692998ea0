/* SPDX-License-Identifier: ISC */
/*
 * cluster_lookup.c: looks up what is stored of the records that are put, by the hashes of their ids.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/invariant.h"
#include "store/cluster/cluster_known.h"
#include "store/cluster/cluster_sql.h"

#define ACCOUNTS_LISTED_MAX 100 /* in a query; of more only the range is given */

/* A query of the ids of one table. */
struct cluster_lookup {
	struct cluster_lookup *next;
	struct cluster *cluster;
	const struct catalog_product *product;
	size_t shard;
	struct clickhouse_query *query;
	struct buf hashes;
	uint64_t accounts[ACCOUNTS_LISTED_MAX];
	size_t accounts_count; /* one more than fit: too many */
	uint64_t account_min, account_max;
	int32_t day_min, day_max;
};

/* --- what was found --- */

static bool is_at(const struct cluster_known *known, const struct cluster_row *row)
{
	return known->time_us == row->time_us && known->direction == (enum catalog_direction)row->direction;
}

static int take_row(struct cluster *cluster, const struct catalog_product *product, const struct cluster_row *row,
                    struct error *err)
{
	struct record record;
	struct cluster_known *known;
	uint64_t big_endian = htobe64(row->account);
	struct account_key account;

	memcpy(account.bytes, &big_endian, sizeof(account.bytes));
	if (cluster_row_record(&cluster->reader, row, product, &record, err) != 0)
		return -1;
	uint64_t hash = id_hash64_of_id(record_value(&record, product->id_column), 0);

	for (known = *cluster_known_slot(cluster, hash); known; known = known->next)
		if (known->hash == hash && known->product == product && account_key_equal(&known->account, &account) &&
		    (is_at(known, row) ||
		     (!row->is_dead && !known->has_left && clock_day_of(known->time_us) == row->day)))
			return 0; /* what waits to be inserted is newer */
	known = cluster_known_add(cluster, product, &account, hash);
	if (!known)
		return error_set(err, ERROR_NOMEM, "a record of the cluster: out of memory");
	known->time_us = row->time_us;
	known->direction = (enum catalog_direction)row->direction;
	known->first = row->first;
	known->version = row->version;
	known->has_left = row->is_dead;
	buf_add_str(&known->past, row->past);
	cluster->known_bytes += known->past.len;
	if (known->past.failed)
		return error_set(err, ERROR_NOMEM, "a record of the cluster: out of memory");
	return cluster_known_keep(cluster, known, &record, err);
}

/* Rows come with the newest of a key first. */
static int take_rows(struct cluster_lookup *lookup, struct str text, struct error *err)
{
	struct cluster_row row, last = { .time_us = INT64_MIN };

	while (text.len > 0) {
		if (!cluster_row_read(&text, &row))
			return error_set(err, ERROR_CORRUPT, "ClickHouse: rows of %.*s cannot be read",
			                 STR_ARGS(lookup->product->name));
		if (!cluster_row_is_same_key(&row, &last) && take_row(lookup->cluster, lookup->product, &row, err))
			return -1;
		last = row;
	}
	return 0;
}

/* --- a lookup --- */

void cluster_forget_lookups(struct cluster *cluster)
{
	struct cluster_lookup *lookup;

	while ((lookup = cluster->lookups)) {
		cluster->lookups = lookup->next;
		clickhouse_cancel(lookup->query);
		buf_free(&lookup->hashes);
		free(lookup);
	}
	cluster->lookups_left = 0;
}

static int apply_all(struct cluster *cluster, struct error *err)
{
	struct cluster_put *put;

	while ((put = TAILQ_FIRST(&cluster->looking))) {
		enum store_put_result result;

		if (cluster_apply(cluster, put, &result, err) != 0)
			return -1;
		TAILQ_REMOVE(&cluster->looking, put, link);
		cluster->looking_count--;
		put->done(put->arg, result, NULL);
		free(put);
	}
	return 0;
}

static void on_found(void *arg, struct buf *answer, const struct error *failure)
{
	struct cluster_lookup *lookup = arg;
	struct cluster *cluster = lookup->cluster;
	struct error err;

	lookup->query = NULL;
	cluster->lookups_left--;
	if (failure) {
		cluster->lookup_failure = *failure;
		/* It is not too much of one body, but of the rows that many have here. */
		if (failure->code == ERROR_LIMIT)
			cluster->lookup_failure.code = ERROR_UNAVAILABLE;
	} else if (take_rows(lookup, buf_str(answer), &err) != 0) {
		cluster->lookup_failure = err;
	}
	if (cluster->lookups_left > 0)
		return;
	cluster_forget_lookups(cluster);
	if (cluster->lookup_failure.code != ERROR_NONE)
		cluster_looked_up(cluster, &cluster->lookup_failure);
	else if (apply_all(cluster, &err) != 0)
		cluster_looked_up(cluster, &err);
	else
		cluster_looked_up(cluster, NULL);
}

static struct cluster_lookup *get_lookup(struct cluster *cluster, const struct cluster_put *put)
{
	size_t shard = cluster_shard(cluster, &put->account);
	struct cluster_lookup *lookup;

	for (lookup = cluster->lookups; lookup; lookup = lookup->next)
		if (lookup->product == put->product && lookup->shard == shard)
			return lookup;
	lookup = calloc(1, sizeof(*lookup));
	if (!lookup)
		return NULL;
	*lookup = (struct cluster_lookup){ .next = cluster->lookups,
		                           .cluster = cluster,
		                           .product = put->product,
		                           .shard = shard,
		                           .account_min = UINT64_MAX,
		                           .day_min = INT32_MAX,
		                           .day_max = INT32_MIN };
	cluster->lookups = lookup;
	return lookup;
}

static void list_account(struct cluster_lookup *lookup, uint64_t account)
{
	if (account < lookup->account_min)
		lookup->account_min = account;
	if (account > lookup->account_max)
		lookup->account_max = account;
	for (size_t i = 0; i < lookup->accounts_count && i < ACCOUNTS_LISTED_MAX; i++)
		if (lookup->accounts[i] == account)
			return;
	if (lookup->accounts_count < ACCOUNTS_LISTED_MAX)
		lookup->accounts[lookup->accounts_count] = account;
	if (lookup->accounts_count <= ACCOUNTS_LISTED_MAX)
		lookup->accounts_count++;
}

static void list_day(struct cluster_lookup *lookup, const struct cluster_put *put, int64_t time_us)
{
	int32_t day = clock_day_of(time_us);
	int32_t before = !put->has_versions ? 0 : put->versions.updates ? 7 : 1, after = put->has_versions;

	if (put->is_mending)
		before = after = 2; /* where it left beside this one may be beside where it went on to */
	if (day - before < lookup->day_min)
		lookup->day_min = day - before;
	if (day + after > lookup->day_max)
		lookup->day_max = day + after;
}

static bool list_put(struct cluster_lookup *lookup, const struct cluster_put *put)
{
	uint64_t hash = htole64(put->hash);

	list_account(lookup, cluster_account(&put->account));
	list_day(lookup, put, put->time_us);
	if (put->is_mending)
		list_day(lookup, put, put->goes_us);
	buf_add(&lookup->hashes, &hash, sizeof(hash));
	return !lookup->hashes.failed;
}

static void write_accounts(struct buf *sql, const struct cluster_lookup *lookup)
{
	if (lookup->accounts_count > ACCOUNTS_LISTED_MAX) {
		buf_addf(sql, "account >= %llu AND account <= %llu", (unsigned long long)lookup->account_min,
		         (unsigned long long)lookup->account_max);
		return;
	}
	buf_add_text(sql, "account IN (");
	for (size_t i = 0; i < lookup->accounts_count; i++)
		buf_addf(sql, "%s%llu", i ? "," : "", (unsigned long long)lookup->accounts[i]);
	buf_add_text(sql, ")");
}

static int ask(struct cluster_lookup *lookup, struct error *err)
{
	struct cluster *cluster = lookup->cluster;
	const struct catalog_product *product = lookup->product;
	struct str id = product->columns[product->id_column].name;
	struct buf sql = { 0 };

	buf_add_text(&sql, "SELECT " CLUSTER_ROW_COLUMNS " FROM ");
	cluster_write_table(&sql, cluster, product);
	buf_addf(&sql, " PREWHERE lookup_%.*s IN numbers WHERE ", STR_ARGS(id));
	write_accounts(&sql, lookup);
	buf_addf(&sql,
	         " AND day >= toDate(%d) AND day <= toDate(%d) ORDER BY " CLUSTER_KEY_COLUMNS ", version DESC "
	         "FORMAT RowBinary",
	         lookup->day_min, lookup->day_max);
	const struct clickhouse_request request = { .shard = lookup->shard,
		                                    .sql = buf_str(&sql),
		                                    .set = buf_str(&lookup->hashes),
		                                    .settings = cluster_read_settings(cluster),
		                                    .patience_us = cluster->patience_us,
		                                    .ended = on_found,
		                                    .arg = lookup };

	lookup->query = clickhouse_start(cluster->clickhouse, &request, err);
	buf_free(&sql);
	return lookup->query ? 0 : -1;
}

static int begin_lookups(struct cluster *cluster, struct error *err)
{
	struct cluster_put *put;

	TAILQ_FOREACH(put, &cluster->looking, link) {
		struct cluster_lookup *lookup = get_lookup(cluster, put);

		if (!lookup || !list_put(lookup, put))
			return error_set(err, ERROR_NOMEM, "a query to ClickHouse: out of memory");
	}
	for (struct cluster_lookup *lookup = cluster->lookups; lookup; lookup = lookup->next) {
		if (ask(lookup, err) != 0)
			return -1;
		cluster->lookups_left++;
	}
	return 0;
}

/* Up to a limit: many may have been gathered while others were looked up. */
static void take_gathered(struct cluster *cluster)
{
	struct cluster_put *put;

	while (cluster->looking_count < CLUSTER_GATHERED_MAX && (put = TAILQ_FIRST(&cluster->gathered))) {
		TAILQ_REMOVE(&cluster->gathered, put, link);
		TAILQ_INSERT_TAIL(&cluster->looking, put, link);
		cluster->looking_count++;
		cluster->gathered_count--;
		cluster->gathered_bytes -= sizeof(*put) + put->len;
	}
}

void cluster_look_up(struct cluster *cluster)
{
	struct error err;

	INVARIANT(TAILQ_EMPTY(&cluster->looking) && !cluster->inserts);
	take_gathered(cluster);
	cluster->lookup_failure = (struct error){ .code = ERROR_NONE };
	if (begin_lookups(cluster, &err) == 0)
		return;
	cluster_forget_lookups(cluster);
	cluster_looked_up(cluster, &err);
}
