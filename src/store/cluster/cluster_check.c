/* SPDX-License-Identifier: ISC */
/*
 * cluster_check.c: whether a cluster's tables are as they must be, and what is the newest in them: before that is known, no record
 * goes there. See cluster_private.h.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "meta/accounts.h"
#include "store/cluster/cluster_private.h"
#include "store/cluster/cluster_sql.h"

#define CHECK_AGAIN_US CLOCK_US_PER_SECOND
#define PATIENCE_CHECK_US (600 * CLOCK_US_PER_SECOND)

/* The table, as it were, of the line with a server's version: no table has a colon in its name. */
#define VERSION_LINE "server:"

static void check(struct cluster *cluster);

static void check_later(struct cluster *cluster, const struct error *why)
{
	struct timeval delay = clock_timeval(CHECK_AGAIN_US);

	if (strcmp(cluster->why_not.message, why->message) != 0)
		log_warn("cluster", "%s", why->message);
	cluster->why_not = *why;
	cluster->why_not.code = ERROR_UNAVAILABLE;
	evtimer_add(cluster->check_again, &delay);
}

static void on_check_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	check(arg);
}

struct event *cluster_check_timer(struct cluster *cluster)
{
	return evtimer_new(cluster->base, on_check_again, cluster);
}

/* Lines of "table TAB column LF", after an LF. */
static int find_columns(const struct cluster *cluster, const char *list, struct error *err)
{
	struct buf names = { 0 }, line = { 0 };
	int result = 0;

	for (size_t i = 0; i < catalog_products_count && result == 0; i++) {
		struct str left, name;

		if (!schema_has(&catalog_products[i]))
			continue;
		buf_clear(&names);
		schema_write_columns(&names, &catalog_products[i]);
		left = buf_str(&names);
		while (result == 0 && str_next(&left, ',', &name)) {
			buf_clear(&line);
			buf_add_char(&line, '\n');
			schema_write_table_name(&line, &catalog_products[i]);
			buf_addf(&line, "\t%.*s\n", STR_ARGS(name));
			if (!buf_cstr(&line) || !strstr(list, line.data))
				result = error_set(
					err, ERROR_UNAVAILABLE,
					"ClickHouse, shard %zu: the database %s lacks column %.*s of %.*s: cdrd -m "
					"makes tables",
					cluster->checked_shard + 1, cluster->database, STR_ARGS(name),
					STR_ARGS(catalog_products[i].name));
		}
	}
	buf_free(&names);
	buf_free(&line);
	return result;
}

/* Of a move's. Other rows would be taken for its own. */
static int check_is_empty(const struct cluster *cluster, uint64_t version, struct error *err)
{
	if (version == 0 || cluster->is_begun)
		return 0;
	return error_set(err, ERROR_UNAVAILABLE,
	                 "ClickHouse: the database %s has records; a move needs one that has none", cluster->database);
}

/* Where data_dir was restored from a backup, a new account must not get the key of one that was added after that. */
static int skip_keys(struct cluster *cluster, uint64_t number, struct error *err)
{
	if (number == 0)
		return 0;
	log_warn("cluster",
	         "ClickHouse has records of accounts that data_dir does not know: their numbers go on after %llu",
	         (unsigned long long)number);
	return accounts_skip_numbers(cluster->store->meta, number, err);
}

void cluster_hold_keys(const struct cluster *cluster, bool held)
{
	if (!cluster->numbers.source && !cluster->is_target)
		meta_hold_account_numbers(cluster->store->meta, held);
}

/* The answer is the greatest version of any table, and the greatest number of an account that was never given here; 0. Rows
 * that this data directory knows nothing of have been numbered by another one, whose accounts may have the same keys. One that
 * was restored from a backup goes on after them. */
static int take_newest(struct cluster *cluster, struct buf *answer, struct error *err)
{
	struct store *store = cluster->store;
	uint64_t ours, version, number;
	char *end;

	if (!buf_cstr(answer))
		return error_set(err, ERROR_NOMEM, "ClickHouse: out of memory");
	version = strtoull(answer->data, &end, 10);
	number = strtoull(end, NULL, 10);
	if (version > cluster->newest)
		cluster->newest = version;
	if (cluster->is_target)
		return check_is_empty(cluster, version, err) == 0 ? skip_keys(cluster, number, err) : -1;
	if (meta_get_number(store->meta, CLUSTER_NUMBERS_ARE_OURS, &ours, err) != 0)
		return -1;
	if (version > 0 && ours == 0)
		return error_set(err, ERROR_UNAVAILABLE,
		                 "ClickHouse: the database %s has records of another data directory; each needs a "
		                 "database of its own",
		                 cluster->database);
	if (skip_keys(cluster, number, err) != 0)
		return -1;
	if (version <= store->last_seq)
		return 0;
	log_warn("cluster", "ClickHouse has records that are newer than data_dir: numbers go on after %llu",
	         (unsigned long long)version);
	if (meta_set_number(store->meta, "seq_reserved", version, err) != 0)
		return -1;
	store->last_seq = store->reserved_seq = store->snapshot = version;
	for (size_t i = 0; i < STORE_CHANGED_SLOTS; i++)
		store->changed[i] = version;
	return 0;
}

static void on_checked(void *arg, struct buf *answer, const struct error *failure);

static int ask(struct cluster *cluster, const char *sql, struct error *err)
{
	const struct clickhouse_request request = { .shard = cluster->checked_shard,
		                                    .sql = str_from(sql),
		                                    .settings =
		                                            cluster->verifies ? cluster_read_settings(cluster) : NULL,
		                                    .any_database = true,
		                                    .patience_us = PATIENCE_CHECK_US,
		                                    .ended = on_checked,
		                                    .arg = cluster };

	cluster->checks = clickhouse_start(cluster->clickhouse, &request, err);
	return cluster->checks ? 0 : -1;
}

static int write_newest(struct buf *sql, const struct cluster *cluster, struct error *err)
{
	bool first = true;
	uint64_t last_account;

	if (accounts_last_number(cluster->store->meta, &last_account, err) != 0)
		return -1;
	buf_add_text(sql, "SELECT max(v), max(a) FROM (");
	for (size_t i = 0; i < catalog_products_count; i++) {
		if (!schema_has(&catalog_products[i]))
			continue;
		buf_addf(sql, "%sSELECT max(version) AS v, toUInt64(0) AS a FROM ", first ? "" : " UNION ALL ");
		cluster_write_table(sql, cluster, &catalog_products[i]);
		/* By itself, as the table's order finds these without reading all. */
		buf_add_text(sql, " UNION ALL SELECT toUInt64(0) AS v, max(account) AS a FROM ");
		cluster_write_table(sql, cluster, &catalog_products[i]);
		buf_addf(sql, " WHERE account > %llu AND account <= %llu", (unsigned long long)last_account,
		         (unsigned long long)ACCOUNT_KEY_NUMBER_MAX);
		first = false;
	}
	buf_add_text(sql, ")");
	return 0;
}

static void write_columns(struct buf *sql, const struct cluster *cluster)
{
	buf_addf(sql,
	         "SELECT table, name FROM system.columns WHERE database = '%s' "
	         "UNION ALL SELECT '" VERSION_LINE "' AS table, version() AS name FORMAT TSV",
	         cluster->database);
}

static int begin(struct cluster *cluster, struct buf *sql, struct error *err)
{
	if (!cluster->verifies)
		write_columns(sql, cluster);
	else if (write_newest(sql, cluster, err) != 0)
		return -1;
	if (!buf_cstr(sql))
		return error_set(err, ERROR_NOMEM, "ClickHouse: out of memory");
	return ask(cluster, sql->data, err);
}

/* First the columns of a shard's tables, then the greatest number there. */
static void check(struct cluster *cluster)
{
	struct buf sql = { 0 };
	struct error err;

	if (begin(cluster, &sql, &err) != 0)
		check_later(cluster, &err);
	buf_free(&sql);
}

static int take_version(const struct cluster *cluster, const char *list, struct error *err)
{
	const char *line = strstr(list, "\n" VERSION_LINE "\t");
	struct schema_server server;

	if (!line || !schema_server_parse(str_from(line + strlen("\n" VERSION_LINE "\t")), &server))
		return error_set(err, ERROR_UNAVAILABLE, "ClickHouse, shard %zu: does not tell its version",
		                 cluster->checked_shard + 1);
	cluster->servers[cluster->checked_shard] = server;
	return 0;
}

static int take_columns(const struct cluster *cluster, const struct buf *answer, struct error *err)
{
	struct buf list = { 0 };
	int result;

	buf_add_char(&list, '\n');
	buf_add_str(&list, buf_str(answer));
	if (!buf_cstr(&list))
		result = error_set(err, ERROR_NOMEM, "ClickHouse: out of memory");
	else if ((result = take_version(cluster, list.data, err)) == 0)
		result = find_columns(cluster, list.data, err);
	buf_free(&list);
	return result;
}

static void on_checked(void *arg, struct buf *answer, const struct error *failure)
{
	struct cluster *cluster = arg;
	struct error err = { .code = ERROR_NONE };
	int result;

	cluster->checks = NULL;
	if (failure) {
		check_later(cluster, failure);
		return;
	}
	result = cluster->verifies ? take_newest(cluster, answer, &err) : take_columns(cluster, answer, &err);
	if (result != 0) {
		cluster->verifies = false;
		check_later(cluster, &err);
		return;
	}
	/* Which numbers are there is the affair of whoever gives them. */
	cluster->verifies = !cluster->verifies && !cluster->numbers.source;
	cluster->checked_shard += !cluster->verifies;
	if (cluster->checked_shard < clickhouse_shards(cluster->clickhouse)) {
		check(cluster);
		return;
	}
	if (!cluster->numbers.source && !cluster->is_target &&
	    meta_set_number(cluster->store->meta, CLUSTER_NUMBERS_ARE_OURS, 1, &err) != 0)
		result = -1;
	if (result != 0 || cluster_doubt_at_start(cluster, &err) != 0) {
		cluster->checked_shard = 0;
		check_later(cluster, &err);
		return;
	}
	cluster->is_ready = true;
	cluster_hold_keys(cluster, false);
	log_info("cluster", "records are %s ClickHouse, database %s, %zu shards",
	         cluster->is_target ? "moved to" : "in", cluster->database, clickhouse_shards(cluster->clickhouse));
}

void cluster_check(struct cluster *cluster)
{
	if (!cluster->is_ready && !cluster->checks && !evtimer_pending(cluster->check_again, NULL))
		check(cluster);
}

void cluster_forget_check(struct cluster *cluster)
{
	clickhouse_cancel(cluster->checks);
	cluster->checks = NULL;
	evtimer_del(cluster->check_again);
	cluster->is_ready = cluster->verifies = false;
	cluster->checked_shard = 0;
}
