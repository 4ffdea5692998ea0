/* SPDX-License-Identifier: ISC */
/*
 * hosts.c: see hosts.h.
 */
#include "clickhouse/hosts.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define TLS "https://"

static int refuse(struct str text, const char *what, struct error *err)
{
	return error_set(err, ERROR_INVALID, "clickhouse: \"%.*s\": %s", (int)(text.len < 100 ? text.len : 100), text.p,
	                 what);
}

static int add_server(struct clickhouse_servers *servers, struct str text, struct error *err)
{
	struct clickhouse_server *server = &servers->list[servers->count];
	struct str name = text;
	size_t tls_len = strlen(TLS);

	if (servers->count == CLICKHOUSE_HOSTS_MAX)
		return error_set(err, ERROR_INVALID, "clickhouse: more than %d hosts", CLICKHOUSE_HOSTS_MAX);
	*server = (struct clickhouse_server){ .shard = servers->shards_count };
	server->is_tls = name.len > tls_len && memcmp(name.p, TLS, tls_len) == 0;
	if (server->is_tls)
		name = (struct str){ name.p + tls_len, name.len - tls_len };
	if (name.len == 0 || name.len >= sizeof(server->name))
		return refuse(text, "a host and its port have 3 to 127 characters", err);
	memcpy(server->name, name.p, name.len);
	if (!host_port_of(server->name))
		return refuse(text, "is not host:port, the port of HTTP such as 8123", err);
	servers->count++;
	servers->shards[servers->shards_count].count++;
	return 0;
}

int clickhouse_servers_read(struct clickhouse_servers *servers, const char *hosts, struct error *err)
{
	struct str shards = str_from(hosts), shard, host;

	*servers = (struct clickhouse_servers){ .count = 0 };
	while (str_next(&shards, '|', &shard)) {
		if (servers->count == CLICKHOUSE_HOSTS_MAX)
			return error_set(err, ERROR_INVALID, "clickhouse: more than %d hosts", CLICKHOUSE_HOSTS_MAX);
		servers->shards[servers->shards_count] = (struct clickhouse_shard){ .first = servers->count };
		if (shard.len == 0 || hosts[strlen(hosts) - 1] == '|')
			return refuse(str_from(hosts), "a shard has no host", err);
		while (str_next(&shard, ',', &host))
			if (add_server(servers, host, err) != 0)
				return -1;
		servers->shards_count++;
	}
	return servers->count > 0 ? 0 : refuse(str_from(hosts), "there is no host", err);
}

int clickhouse_hosts_check(const char *hosts, struct error *err)
{
	struct clickhouse_servers *servers = malloc(sizeof(*servers));
	int result = servers ? clickhouse_servers_read(servers, hosts, err) :
	                       error_set(err, ERROR_NOMEM, "clickhouse: out of memory");

	free(servers);
	return result;
}

int clickhouse_servers_resolve(struct clickhouse_servers *servers, struct error *err)
{
	for (size_t i = 0; i < servers->count; i++)
		if (host_resolve("clickhouse", servers->list[i].name, servers->list[i].connect_to, err) != 0)
			return -1;
	return 0;
}
