/* SPDX-License-Identifier: ISC */
/*
 * hosts.c: see hosts.h.
 */
#include "clickhouse/hosts.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define TLS "https://"

static int refuse(struct str text, const char *what, struct error *err)
{
	return error_set(err, ERROR_INVALID, "clickhouse: \"%.*s\": %s", (int)(text.len < 100 ? text.len : 100), text.p,
	                 what);
}

/* Where the port begins, and whether it is one. */
static const char *find_port(const char *name)
{
	const char *colon = strrchr(name, ':');
	char *end;
	long port = colon ? strtol(colon + 1, &end, 10) : 0;

	return colon && colon != name && colon[1] && !*end && port > 0 && port <= 65535 ? colon + 1 : NULL;
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
	if (strpbrk(server->name, " \t/?#@\"<>") || !find_port(server->name))
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

static int resolve(struct clickhouse_server *server, struct error *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	char host[sizeof(server->name)], address[NI_MAXHOST];
	const char *port = find_port(server->name);
	struct addrinfo *found;
	size_t len = (size_t)(port - 1 - server->name);
	bool bracketed = server->name[0] == '[' && server->name[len - 1] == ']';

	snprintf(host, sizeof(host), "%.*s", (int)(len - 2 * bracketed), server->name + bracketed);
	int result = getaddrinfo(host, port, &hints, &found);
	if (result != 0)
		return error_set(err, ERROR_INVALID, "clickhouse: %s: %s", server->name, gai_strerror(result));
	result = getnameinfo(found->ai_addr, found->ai_addrlen, address, sizeof(address), NULL, 0, NI_NUMERICHOST);
	freeaddrinfo(found);
	if (result != 0)
		return error_set(err, ERROR_INVALID, "clickhouse: %s: %s", server->name, gai_strerror(result));
	snprintf(server->connect_to, sizeof(server->connect_to), strchr(address, ':') ? "::[%.120s]:%s" : "::%.120s:%s",
	         address, port);
	return 0;
}

int clickhouse_servers_resolve(struct clickhouse_servers *servers, struct error *err)
{
	for (size_t i = 0; i < servers->count; i++)
		if (resolve(&servers->list[i], err) != 0)
			return -1;
	return 0;
}
