/* SPDX-License-Identifier: ISC */
/*
 * hosts.h: the servers of a cluster, as the setting clickhouse lists them. Only the check is for others.
 */
#ifndef CDRD_CLICKHOUSE_HOSTS_H
#define CDRD_CLICKHOUSE_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/host_address.h"

#define CLICKHOUSE_HOSTS_MAX 64

/* Checks what the setting says, without resolving names. */
MUST_CHECK int clickhouse_hosts_check(const char *hosts, struct error *err);

struct clickhouse_server {
	char name[HOST_NAME_MAX_LEN + 1];      /* host:port, as it was given */
	char connect_to[HOST_CONNECT_TO_SIZE]; /* for libcurl: ::address:port */
	bool is_tls;
	size_t shard;
	bool is_missing; /* when it was last asked; `problem` says why */
	bool looks;      /* a look at it is under way */
	char problem[200];
};

struct clickhouse_shard {
	size_t first, count; /* of the list */
};

struct clickhouse_servers {
	struct clickhouse_server list[CLICKHOUSE_HOSTS_MAX];
	size_t count;
	struct clickhouse_shard shards[CLICKHOUSE_HOSTS_MAX];
	size_t shards_count;
};

/* ERROR_INVALID for a list that is none. */
MUST_CHECK int clickhouse_servers_read(struct clickhouse_servers *servers, const char *hosts, struct error *err);

/* Fills in the addresses. Blocks. */
MUST_CHECK int clickhouse_servers_resolve(struct clickhouse_servers *servers, struct error *err);

#endif
