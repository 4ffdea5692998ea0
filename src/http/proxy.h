/* SPDX-License-Identifier: ISC */
/*
 * proxy.h: what proxies say of the clients that they stand for; private to http/.
 *
 * The PROXY protocol, in whose two forms the client's address comes before all else of a connection, and the header
 * fields Forwarded (RFC 7239) and X-Forwarded-*, which come with a request. Anybody can send them, so they count only
 * from the addresses in `proxies`.
 */
#ifndef CDRD_HTTP_PROXY_H
#define CDRD_HTTP_PROXY_H

#include "base/network.h"
#include "http/parser.h"

#define HTTP_PROXY_BYTES_MAX 2048

/* The beginning of a connection, as far as it has arrived; zeroed at first. */
struct http_proxy_line {
	size_t len;
	uint8_t bytes[HTTP_PROXY_BYTES_MAX];
};

enum http_proxy_state { HTTP_PROXY_MORE, HTTP_PROXY_DONE, HTTP_PROXY_FAULT };

/*
 * Takes from `data` what belongs to the PROXY line; *taken says how many bytes. DONE: it is complete, and *client is the
 * client's address, or as it was where the proxy speaks for itself or does not know. FAULT: it is none.
 */
enum http_proxy_state http_proxy_take(struct http_proxy_line *line, struct str data, size_t *taken, struct ip *client);

/* Who makes a request. */
struct http_client {
	struct ip ip;
	bool is_https;   /* has it encrypted the request? */
	struct str host; /* that it asked for; p NULL if it named none */
};

/*
 * Corrects *client, which is the proxy at first, by what the fields of a request say: the last address that is not in
 * `proxies` itself, and the scheme and host as the last proxy saw them. `fields` is x-forwarded, forwarded or none, as the
 * setting proxy_headers is: a proxy that sets one kind passes the other on as the client has sent it. What cannot be read
 * is left out.
 */
void http_forwarded_apply(struct http_client *client, const struct http_head *head, const char *fields,
                          const char *proxies);

#endif
