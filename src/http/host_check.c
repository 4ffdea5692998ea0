/* SPDX-License-Identifier: ISC */
/*
 * host_check.c: is a request meant for this listener? A page of somebody else's can have its own name lead to the address
 * of this listener (DNS rebinding), and then asks it as if that were its own server. Such requests are told by their Host.
 * Declared in http.h.
 */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "base/network.h"
#include "http/connection.h"

/* Without the port, and without the brackets of an IPv6 address. */
static struct str name_of(struct str host)
{
	const char *port = host.len > 0 ? memrchr(host.p, ':', host.len) : NULL;

	if (port && !memchr(port, ']', host.len - (size_t)(port - host.p)))
		host.len = (size_t)(port - host.p);
	if (host.len >= 2 && host.p[0] == '[' && host.p[host.len - 1] == ']')
		return (struct str){ host.p + 1, host.len - 2 };
	return host;
}

/* No name leads to an address but itself. */
static bool is_address(struct str name)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (name.len >= sizeof(text))
		return false;
	memcpy(text, name.p, name.len);
	text[name.len] = '\0';
	return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

bool http_request_host_is_own(const struct http_request *request, const char *hosts)
{
	struct str host = http_request_header(request, "Host"), name = name_of(host);

	/* With TLS the browser has seen a certificate with this name. HTTP/1.0 may do without a Host; no browser does. */
	return http_request_is_tls(request) || host.len == 0 ||
	       (name.len > 0 && (is_address(name) || str_equal_nocase(name, STR_LITERAL("localhost")) ||
	                         str_is_listed_nocase(name, str_from(hosts))));
}

bool http_request_is_on_loopback(const struct http_request *request)
{
	struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(address);

	/* Of a Unix socket, which only programs of this machine reach, the address has no family here. */
	(void)getsockname(bufferevent_getfd(request->connection->bev), (struct sockaddr *)&address, &len);
	struct ip ip = ip_from((const struct sockaddr *)&address);
	return ip.len > 0 && network_listed("127.0.0.0/8, ::1", &ip);
}
