/* SPDX-License-Identifier: ISC */
/*
 * cluster.h: records in a ClickHouse cluster, in place of days on this host: an engine (engine.h), and what it cannot do.
 * docs/CLUSTER.md tells of it.
 */
#ifndef CDRD_STORE_CLUSTER_H
#define CDRD_STORE_CLUSTER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define CLUSTER_WHY_MAX 320

struct meta;
struct store;
struct store_ops;

/* For store_options.cluster; the texts are as of clickhouse_options. */
struct store_cluster {
	struct event_base *base;
	const char *hosts, *user, *password, *database, *ca_file;
	size_t quorum; /* replicas that must have a row before it is acknowledged; 0 and 1: the one that took it */
	int64_t patience_us; /* how long a query may take, with all its attempts */
};

extern const struct store_ops store_cluster_engine;

/* Has the cluster shown its tables since the start? Until then nothing can be read. True without a cluster. */
bool store_cluster_is_known(const struct store *store);

/* Does the cluster not serve now? `why` then names the part that is missing. False without a cluster. */
bool store_cluster_is_missing(const struct store *store, char *why, size_t size);

/* For what reads or changes days by themselves: ERROR_INVALID where records are in a cluster. */
MUST_CHECK int store_needs_days(const struct store *store, const char *what, struct error *err);

/* For a start without a cluster, before store_open: ERROR_INVALID if records of this data directory are in one, as they
 * would not be found. */
MUST_CHECK int store_cluster_is_unused(struct meta *meta, const char *data_dir, struct error *err);

/* Makes the database and its tables on every shard, where they are not yet. Runs a loop of its own until it is done. */
MUST_CHECK int store_cluster_migrate(const struct store_cluster *options, struct error *err);

#endif
