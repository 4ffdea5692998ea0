/* SPDX-License-Identifier: ISC */
/*
 * cluster_purge.c: see cluster_purge.h.
 */
#include "store/cluster/cluster_purge.h"

#include <stdlib.h>
#include <string.h>

#include "store/cluster/cluster_sql.h"

#define LOOKS_MAX 60
#define REPLICA_LOOKS_MAX 10 /* for one that is behind the others */

struct cluster_purge {
	struct cluster *cluster;
	struct account_key account;
	size_t shard;
	size_t replica; /* that is looked at by itself; 0: nothing is known yet of any */
	bool missed;    /* one has not answered, or has rows still */
	struct clickhouse_query *query;
	/* Lines of table TAB rows TAB deletions under way: those of the shard that have rows, when it was last looked at. */
	struct buf left;
	size_t left_at;      /* up to here, deletions have begun */
	bool has_begun;      /* in this shard: all of them have, and it is waited for their end, */
	unsigned looks_left; /* so often, before they begin anew for what an insert that hung has brought */
	bool looks;          /* the query under way looks for rows */
	bool is_counted;     /* the shard is part of `rows` */
	bool done;
	uint64_t rows;
	struct error failure;
};

struct cluster_purge *cluster_purge_new(struct cluster *cluster, const struct account_key *account)
{
	struct cluster_purge *purge = calloc(1, sizeof(*purge));

	if (!purge)
		return NULL;
	purge->cluster = cluster;
	purge->account = *account;
	return purge;
}

void cluster_purge_free(struct cluster_purge *purge)
{
	if (!purge)
		return;
	clickhouse_cancel(purge->query);
	buf_free(&purge->left);
	free(purge);
}

uint64_t cluster_purge_rows(const struct cluster_purge *purge)
{
	return purge->rows;
}

bool cluster_purge_missed(const struct cluster_purge *purge)
{
	return purge->missed;
}

/* The one that was asked has none left: now each by itself. */
static void next_replica(struct cluster_purge *purge)
{
	purge->looks_left = REPLICA_LOOKS_MAX;
	if (purge->replica++ < clickhouse_replicas(purge->cluster->clickhouse, purge->shard))
		return;
	purge->replica = 0;
	purge->shard++;
	purge->has_begun = purge->is_counted = false;
	buf_clear(&purge->left);
	purge->left_at = 0;
	purge->done = purge->shard == clickhouse_shards(purge->cluster->clickhouse);
}

static void count_rows(struct cluster_purge *purge)
{
	struct str left = buf_str(&purge->left), line, table;

	if (purge->is_counted)
		return;
	purge->is_counted = true;
	while (str_next(&left, '\n', &line) && line.len > 0)
		if (str_next(&line, '\t', &table))
			purge->rows += strtoull(line.p, NULL, 10); /* a tab follows */
}

static void on_answer(void *arg, struct buf *answer, const struct error *err)
{
	struct cluster_purge *purge = arg;

	purge->query = NULL;
	if (err && purge->replica > 0) {
		purge->missed = true;
		next_replica(purge);
		return;
	}
	if (err) {
		purge->failure = *err;
		return;
	}
	if (!purge->looks)
		return; /* a deletion has begun */
	buf_move(&purge->left, answer);
	if (purge->left.len == 0) {
		next_replica(purge);
	} else if (purge->replica > 0 && purge->looks_left-- == 0) {
		purge->missed = true;
		next_replica(purge);
	} else if (!purge->has_begun) {
		purge->left_at = 0;
		count_rows(purge);
	}
}

static int ask(struct cluster_purge *purge, struct buf *sql, struct error *err)
{
	const struct clickhouse_request request = { .shard = purge->shard,
		                                    .replica = purge->replica,
		                                    .sql = buf_str(sql),
		                                    .settings =
		                                            purge->looks ? cluster_read_settings(purge->cluster) : NULL,
		                                    .patience_us = purge->cluster->patience_us,
		                                    .ended = on_answer,
		                                    .arg = purge };

	purge->query = clickhouse_start(purge->cluster->clickhouse, &request, err);
	buf_free(sql);
	return purge->query ? 0 : -1;
}

static int look(struct cluster_purge *purge, struct error *err)
{
	unsigned long long account = cluster_account(&purge->account);
	struct buf sql = { 0 };
	bool is_first = true;

	buf_add_text(&sql, "SELECT name, rows, under_way FROM (");
	for (size_t i = 0; i < catalog_products_count; i++) {
		if (!schema_has(&catalog_products[i]))
			continue;
		buf_addf(&sql, "%sSELECT '", is_first ? "" : " UNION ALL ");
		schema_write_table_name(&sql, &catalog_products[i]);
		buf_addf(&sql,
		         "' AS name, count() AS rows, (SELECT count() FROM system.mutations WHERE database = '%s' AND "
		         "NOT is_done AND match(command, 'account = %llu[^0-9]*$') AND table = '",
		         purge->cluster->database, account);
		schema_write_table_name(&sql, &catalog_products[i]);
		buf_add_text(&sql, "') AS under_way FROM ");
		cluster_write_table(&sql, purge->cluster, &catalog_products[i]);
		buf_addf(&sql, " WHERE account = %llu", account);
		is_first = false;
	}
	buf_add_text(&sql, ") WHERE rows > 0 FORMAT TSV");
	purge->looks = true;
	return ask(purge, &sql, err);
}

/* Begins the deletion in the next table that was found, unless one is under way there: it may take hours. */
static int delete_next(struct cluster_purge *purge, struct error *err)
{
	struct str left = { purge->left.data + purge->left_at, purge->left.len - purge->left_at };
	struct str line, table, rows;
	struct buf sql = { 0 };

	if (!str_next(&left, '\n', &line) || !str_next(&line, '\t', &table) || !str_next(&line, '\t', &rows))
		return error_set(err, ERROR_CORRUPT, "ClickHouse: tables of an account cannot be read");
	purge->left_at = purge->left.len - left.len;
	if (!str_is(line, "0"))
		return 0;
	buf_addf(&sql, "ALTER TABLE %s.%.*s DELETE WHERE account = %llu", purge->cluster->database, STR_ARGS(table),
	         (unsigned long long)cluster_account(&purge->account));
	purge->looks = false;
	return ask(purge, &sql, err);
}

int cluster_purge_step(struct cluster_purge *purge, bool *done, struct error *err)
{
	*done = purge->done;
	if (purge->done || purge->query)
		return 0;
	if (!purge->cluster->is_ready)
		return cluster_refuse(purge->cluster, err);
	if (purge->failure.code != ERROR_NONE) {
		*err = purge->failure;
		return -1;
	}
	if (purge->replica > 0)
		return look(purge, err);
	if (!purge->has_begun && purge->left_at < purge->left.len)
		return delete_next(purge, err);
	if (!purge->has_begun) {
		purge->has_begun = purge->left.len > 0;
		purge->looks_left = LOOKS_MAX;
	} else if (purge->looks_left-- == 0) {
		purge->has_begun = false;
	}
	return look(purge, err);
}
