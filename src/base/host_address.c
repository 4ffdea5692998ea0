/* SPDX-License-Identifier: ISC */
/*
 * host_address.c: see host_address.h.
 */
#include "base/host_address.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *host_port_of(const char *name)
{
	const char *colon = strrchr(name, ':');
	char *end;
	long port = colon ? strtol(colon + 1, &end, 10) : 0;

	if (strlen(name) > HOST_NAME_MAX_LEN || strpbrk(name, " \t/?#@\"<>"))
		return NULL;
	return colon && colon != name && colon[1] && !*end && port > 0 && port <= 65535 ? colon + 1 : NULL;
}

void host_without_port(char host[HOST_NAME_MAX_LEN + 1], const char *name, const char *port)
{
	size_t len = (size_t)(port - 1 - name);
	bool bracketed = name[0] == '[' && name[len - 1] == ']';

	snprintf(host, HOST_NAME_MAX_LEN + 1, "%.*s", (int)(len - 2 * bracketed), name + bracketed);
}

void host_write_connect_to(char connect_to[HOST_CONNECT_TO_SIZE], const char *address, const char *port)
{
	snprintf(connect_to, HOST_CONNECT_TO_SIZE, strchr(address, ':') ? "::[%.120s]:%s" : "::%.120s:%s", address,
	         port);
}

int host_resolve(const char *setting, const char *name, char connect_to[HOST_CONNECT_TO_SIZE], struct error *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	char host[HOST_NAME_MAX_LEN + 1], address[NI_MAXHOST];
	const char *port = host_port_of(name);
	struct addrinfo *found;

	if (!port)
		return error_set(err, ERROR_INVALID, "%s: \"%.128s\" is not host:port", setting, name);
	host_without_port(host, name, port);
	int result = getaddrinfo(host, port, &hints, &found);
	if (result != 0)
		return error_set(err, ERROR_INVALID, "%s: %s: %s", setting, name, gai_strerror(result));
	result = getnameinfo(found->ai_addr, found->ai_addrlen, address, sizeof(address), NULL, 0, NI_NUMERICHOST);
	freeaddrinfo(found);
	if (result != 0)
		return error_set(err, ERROR_INVALID, "%s: %s: %s", setting, name, gai_strerror(result));
	host_write_connect_to(connect_to, address, port);
	return 0;
}
