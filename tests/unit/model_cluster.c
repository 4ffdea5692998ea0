/* SPDX-License-Identifier: ISC */
/*
 * model_cluster.c: the engine that keeps records in a ClickHouse cluster, for the model test: of the hosts that
 * CDRD_TEST_CLICKHOUSE names, as the setting clickhouse would, with a database for each run.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/cluster.h"
#include "store/cluster/cluster_private.h"
#include "test_engine.h"

#define NUMBERS 1000000

static struct store_cluster cluster_options;
static char database[64];

static void begin(struct store_options *options, uint64_t seed)
{
	struct error err = { 0 };

	snprintf(database, sizeof(database), "model_%llu_%d", (unsigned long long)seed, (int)getpid());
	cluster_options = (struct store_cluster){ .base = event_base_new(),
		                                  .hosts = getenv("CDRD_TEST_CLICKHOUSE"),
		                                  .user = "",
		                                  .password = "",
		                                  .database = database,
		                                  .ca_file = "",
		                                  .patience_us = 60 * CLOCK_US_PER_SECOND };
	ck_assert_ptr_nonnull(cluster_options.base);
	ck_assert_msg(store_cluster_migrate(&cluster_options, &err) == 0, "store_cluster_migrate: %s", err.message);
	options->cluster = &cluster_options;
}

static void end(void)
{
	event_base_free(cluster_options.base);
}

static void turn(struct store *store)
{
	(void)store;
	event_base_loop(cluster_options.base, EVLOOP_ONCE);
}

/* Before the commit, which otherwise asks for the numbers: of so many that all that is put until then has some. */
static void look_up(struct cluster *cluster)
{
	struct error err;

	if (cluster->numbers.state == CLUSTER_NUMBERS_NONE)
		ck_assert_msg(cluster_numbers_begin(cluster, NUMBERS, &err) == 0, "%s", err.message);
	cluster_look_up(cluster);
}

static void settle(struct store *store)
{
	struct cluster *cluster = store->cluster;

	while (!cluster->is_ready || cluster->drop || !TAILQ_EMPTY(&cluster->looking) ||
	       !TAILQ_EMPTY(&cluster->gathered)) {
		if (cluster->is_ready && TAILQ_EMPTY(&cluster->looking) && !TAILQ_EMPTY(&cluster->gathered))
			look_up(cluster);
		else
			turn(store);
	}
}

/* A place that is new counts from the number before that of its row. */
static uint64_t newest(const struct store *store)
{
	return store->cluster->numbers.next - 2;
}

const struct test_engine cluster_test_engine = {
	.ops = &store_cluster_engine,
	.newest = newest,
	.at = scan_at_read,
	.turn = turn,
	.begin = begin,
	.end = end,
	.settle = settle,
	.reopens = true,
	.reads_ahead = true,
	.forgets_moves = true,
};
