/* SPDX-License-Identifier: ISC */
/*
 * cluster_migrate.c: `cdrd -m`: makes what is not there yet of a cluster's tables.
 */
#include <stdio.h>

#include "base/clock.h"
#include "clickhouse/client.h"
#include "clickhouse/schema.h"
#include "store/cluster.h"

#define PATIENCE_US (60 * CLOCK_US_PER_SECOND)
#define ANSWER_BYTES_MAX ((size_t)1 << 20)

struct migration {
	struct event_base *base;
	struct clickhouse *clickhouse;
	size_t shard;
	struct buf answer;
	bool failed;
	struct error *err;
};

static void on_ended(void *arg, struct buf *answer, const struct error *err)
{
	struct migration *migration = arg;

	migration->failed = err != NULL;
	if (err)
		*migration->err = *err;
	buf_clear(&migration->answer);
	buf_add_str(&migration->answer, buf_str(answer));
	event_base_loopbreak(migration->base);
}

static int run(struct migration *migration, struct str sql)
{
	const struct clickhouse_request request = { .shard = migration->shard,
		                                    .sql = sql,
		                                    .any_database = true,
		                                    .patience_us = PATIENCE_US,
		                                    .ended = on_ended,
		                                    .arg = migration };

	if (!clickhouse_start(migration->clickhouse, &request, migration->err))
		return -1;
	event_base_dispatch(migration->base);
	return migration->failed ? -1 : 0;
}

static int migrate_server(struct migration *migration, const char *database)
{
	struct schema_server server;
	struct buf sql = { 0 };
	int result = run(migration, STR_LITERAL("SELECT version()"));

	if (result == 0 && !schema_server_parse(buf_str(&migration->answer), &server))
		result = error_set(migration->err, ERROR_INVALID, "ClickHouse: \"%.*s\" is no version",
		                   STR_ARGS(buf_str(&migration->answer)));
	schema_write_database(&sql, database);
	if (result == 0)
		result = run(migration, buf_str(&sql));
	for (size_t i = 0; i < catalog_products_count && result == 0; i++) {
		if (!schema_has(&catalog_products[i]))
			continue;
		buf_clear(&sql);
		schema_write_table(&sql, &catalog_products[i], &server, database);
		result = sql.failed ? error_set(migration->err, ERROR_NOMEM, "tables: out of memory") :
		                      run(migration, buf_str(&sql));
	}
	buf_free(&sql);
	return result;
}

/* A replica's tables are its own to make: each server is a shard to the client. */
static void write_servers(struct buf *out, const char *hosts)
{
	for (; *hosts; hosts++)
		buf_add_char(out, *hosts == ',' ? '|' : *hosts);
}

int store_cluster_migrate(const struct store_cluster *options, struct error *err)
{
	struct migration migration = { .base = options->base, .err = err };
	struct buf hosts = { 0 };
	int result = -1;

	write_servers(&hosts, options->hosts);
	const struct clickhouse_options client = { .hosts = buf_cstr(&hosts) ? hosts.data : "",
		                                   .user = options->user,
		                                   .password = options->password,
		                                   .database = options->database,
		                                   .ca_file = options->ca_file,
		                                   .connect_timeout_us = PATIENCE_US / 10,
		                                   .attempt_timeout_us = PATIENCE_US,
		                                   .answer_bytes_max = ANSWER_BYTES_MAX };

	migration.clickhouse = clickhouse_new(options->base, &client, err);
	if (migration.clickhouse)
		result = 0;
	for (; result == 0 && migration.shard < clickhouse_shards(migration.clickhouse); migration.shard++)
		result = migrate_server(&migration, options->database);
	clickhouse_free(migration.clickhouse);
	buf_free(&migration.answer);
	buf_free(&hosts);
	return result;
}
