/* SPDX-License-Identifier: ISC */
/*
 * request.c: requests as their handlers see them (http.h), and a few kept for reuse.
 *
 * A request is bigger than the rest of its connection and short-lived, so idle connections have none. Up to FREE_MAX
 * answered requests are kept with their buffers: a request on a busy server allocates nothing.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "http/connection.h"
#include "tls/tls.h"

#define FREE_MAX 64
#define KEPT_BYTES_MAX 65536 /* of a buffer; a larger one is freed */

/* --- their memory --- */

static void reset_buf(struct buf *b)
{
	if (b->cap > KEPT_BYTES_MAX)
		buf_free(b);
	else
		buf_clear(b);
}

struct http_request *http_request_take(struct http_connection *connection)
{
	struct http_server *server = connection->server;
	struct http_request *request = server->free_requests;

	if (request) {
		server->free_requests = request->next_free;
		server->free_requests_count--;
	} else {
		request = calloc(1, sizeof(*request));
	}
	if (request) {
		request->connection = connection;
		request->client = (struct http_client){ .ip = connection->ip, .is_https = connection->ssl };
		request->begin_us = clock_monotonic_us();
	}
	return request;
}

static void request_free(struct http_request *request)
{
	buf_free(&request->text);
	buf_free(&request->segment);
	buf_free(&request->body);
	buf_free(&request->headers);
	buf_free(&request->user_name);
	buf_free(&request->relayed);
	free(request);
}

void http_request_release(struct http_request *request)
{
	struct http_server *server = request->connection->server;

	if (server->free_requests_count == FREE_MAX) {
		request_free(request);
		return;
	}
	reset_buf(&request->text);
	reset_buf(&request->segment);
	reset_buf(&request->body);
	reset_buf(&request->headers);
	reset_buf(&request->user_name);
	buf_free(&request->relayed);
	request->relayed_name = (struct str){ NULL, 0 };
	request->is_of_front_end = false;
	request->body_held = false;
	if (request->route && request->route->authenticate)
		memset(request->user, 0, sizeof(request->user));
	request->connection = NULL;
	request->route = NULL;
	memset(&request->head, 0, offsetof(struct http_head, fields));
	request->stream = (struct http_stream){ 0 };
	request->on_close = NULL;
	request->next_free = server->free_requests;
	server->free_requests = request;
	server->free_requests_count++;
}

void http_request_free_all(struct http_server *server)
{
	while (server->free_requests) {
		struct http_request *request = server->free_requests;

		server->free_requests = request->next_free;
		request_free(request);
	}
	server->free_requests_count = 0;
}

/* --- what handlers ask --- */

struct str http_request_method(const struct http_request *request)
{
	return request->head.method;
}

bool http_request_field(const struct http_request *request, size_t at, struct str *name, struct str *value)
{
	if (at >= request->head.fields_count)
		return false;
	*name = request->head.fields[at].name;
	*value = request->head.fields[at].value;
	return true;
}

bool http_request_is_of_connection(const struct http_request *request, struct str name)
{
	return http_head_is_of_connection(&request->head, name);
}

uint64_t http_request_length(const struct http_request *request)
{
	return request->head.chunked ? HTTP_LENGTH_UNKNOWN : request->head.content_length;
}

struct str http_request_path(const struct http_request *request)
{
	return request->head.path;
}

struct str http_request_query(const struct http_request *request)
{
	return request->head.query;
}

struct str http_request_header(const struct http_request *request, const char *name)
{
	return http_head_field(&request->head, name);
}

struct str http_request_segment(const struct http_request *request)
{
	return buf_str(&request->segment);
}

struct str http_request_body(const struct http_request *request)
{
	return buf_str(&request->body);
}

const void *http_request_user(const struct http_request *request)
{
	return request->user;
}

void *http_request_user_room(struct http_request *request)
{
	return request->user;
}

void http_request_name_user(struct http_request *request, const char *kind, struct str name)
{
	buf_clear(&request->user_name);
	buf_add_text(&request->user_name, kind);
	buf_add_str(&request->user_name, name);
}

const struct ip *http_request_ip(const struct http_request *request)
{
	return &request->client.ip;
}

void http_request_peer(const struct http_request *request, struct sockaddr_storage *peer)
{
	ip_address(&request->client.ip, peer);
}

bool http_request_is_tls(const struct http_request *request)
{
	return request->client.is_https;
}

bool http_request_client_name(const struct http_request *request, struct buf *name)
{
	const struct ssl_st *ssl = request->connection->ssl;

	if (request->relayed_name.p)
		buf_add_str(name, request->relayed_name);
	if (request->relayed.len > 0) /* the certificate of the connection is another front end's */
		return request->relayed_name.p != NULL;
	return ssl && tls_client_name(ssl, name);
}

/* For HTTP/1.0 without Host: the address at which the client reached us. */
static void add_local_address(const struct http_request *request, struct buf *out)
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = sizeof(address);
	char text[INET6_ADDRSTRLEN] = "";

	getsockname(bufferevent_getfd(request->connection->bev), (struct sockaddr *)&address, &len);
	if (address.ss_family == AF_INET6) {
		const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address;

		inet_ntop(AF_INET6, &six->sin6_addr, text, sizeof(text));
		buf_addf(out, "[%s]:%d", text, ntohs(six->sin6_port));
	} else {
		const struct sockaddr_in *four = (const struct sockaddr_in *)&address;

		inet_ntop(AF_INET, &four->sin_addr, text, sizeof(text));
		/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): the whole address was zeroed above. */
		buf_addf(out, "%s:%d", text, ntohs(four->sin_port));
	}
}

bool http_request_is_head(const struct http_request *request)
{
	return str_is(request->head.method, "HEAD");
}

/* https://www.w3.org/TR/fetch-metadata/ */
bool http_request_is_cross_site(const struct http_request *request)
{
	struct str site = http_request_header(request, "Sec-Fetch-Site");

	if (!site.p || str_is(site, "same-origin") || str_is(site, "none"))
		return false;
	return !str_is(request->head.method, "GET") ||
	       !str_is(http_request_header(request, "Sec-Fetch-Mode"), "navigate") ||
	       !str_is(http_request_header(request, "Sec-Fetch-Dest"), "document");
}

void http_request_add_host(const struct http_request *request, struct buf *out)
{
	if (request->client.host.p)
		buf_add_str(out, request->client.host);
	else if (request->head.host.len > 0)
		buf_add_str(out, request->head.host);
	else
		add_local_address(request, out);
}

void http_request_base_url(const struct http_request *request, struct buf *out)
{
	struct str url = str_from(request->connection->server->config->public_url);

	while (url.len > 0 && url.p[url.len - 1] == '/')
		url.len--;
	if (url.len > 0) {
		buf_add_str(out, url);
		return;
	}
	buf_add_text(out, http_request_is_tls(request) ? "https://" : "http://");
	http_request_add_host(request, out);
}

void http_request_url(const struct http_request *request, struct buf *out)
{
	http_request_base_url(request, out);
	buf_add_str(out, request->head.path);
	if (request->head.query.len > 0) {
		buf_add_char(out, '?');
		buf_add_str(out, request->head.query);
	}
}

void http_request_stream(struct http_request *request, const struct http_stream *stream, void *arg)
{
	request->stream = *stream;
	request->stream_arg = arg;
}

void http_request_on_close(struct http_request *request, void (*on_close)(void *arg), void *arg)
{
	request->on_close = on_close;
	request->on_close_arg = arg;
}
