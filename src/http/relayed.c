/* SPDX-License-Identifier: ISC */
/*
 * relayed.c: the field in which a front end that hands a request on says who has made it. Declared in http.h and
 * connection.h.
 *
 *	Cdrd-Forwarded: base64url( envelope )                                        base/envelope.h
 *	plaintext = version (1) || bits (1): 1 https, 2 of the front end itself || time (8, microseconds)
 *	            || length of the address (1) || address (16) || length (2) || host
 *	            || length (2) || name of the client's certificate                        integers little-endian
 *	context = "forwarded" LF method LF path and query LF Authorization, if that is handed on
 *
 * So whoever has seen one can use it for nothing but the same request with the same credentials, and not for long.
 */
#include <string.h>

#include "base/clock.h"
#include "base/envelope.h"
#include "base/id.h"
#include "http/connection.h"

#define VERSION 1
#define BIT_HTTPS 1
#define BIT_OWN 2 /* nobody's but the front end's */
#define FIXED_BYTES 27
#define TEXT_MAX 1024
#define RETRY_SECONDS "5"                       /* for those whom a front end of another key or clock has sent here */
#define VALID_US (5 * 60 * CLOCK_US_PER_SECOND) /* clocks of front ends may differ by this much */

_Static_assert(HTTP_RELAY_KEY_BYTES == ENVELOPE_KEY_BYTES, "it is such a key");

static void write_context(struct buf *out, const struct http_head *head)
{
	buf_add_text(out, "forwarded\n");
	buf_add_str(out, head->method);
	buf_add_char(out, '\n');
	buf_add_str(out, head->path);
	if (head->query.p)
		buf_add_char(out, '?');
	buf_add_str(out, head->query);
	buf_add_char(out, '\n');
	if (!http_head_is_of_connection(head, STR_LITERAL("Authorization")))
		buf_add_str(out, http_head_field(head, "Authorization"));
}

static void add_number(struct buf *out, uint64_t number, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		buf_add_char(out, (char)(number >> 8 * i));
}

static uint64_t take_number(struct str *in, size_t bytes)
{
	uint64_t number = 0;

	for (size_t i = 0; i < bytes; i++)
		number |= (uint64_t)(unsigned char)in->p[i] << 8 * i;
	*in = (struct str){ in->p + bytes, in->len - bytes };
	return number;
}

/* One that is too long to be a host or a name is left out. */
static void add_text(struct buf *out, struct str text)
{
	if (text.len > TEXT_MAX)
		text.len = 0;
	add_number(out, text.len, 2);
	buf_add_str(out, text);
}

/* p NULL for none; false if it is cut off. */
static bool take_text(struct str *in, struct str *text)
{
	if (in->len < 2)
		return false;
	size_t len = (size_t)take_number(in, 2);
	if (in->len < len)
		return false;
	*text = (struct str){ len > 0 ? in->p : NULL, len };
	*in = (struct str){ in->p + len, in->len - len };
	return true;
}

/* --- sealing --- */

static void write_plain(struct buf *out, const struct http_request *request, bool is_own)
{
	const struct http_client *client = &request->client;
	struct buf name = { 0 }, host = { 0 };

	add_number(out, VERSION, 1);
	add_number(out, (client->is_https ? BIT_HTTPS : 0U) | (is_own ? BIT_OWN : 0U), 1);
	add_number(out, (uint64_t)clock_now_us(), 8);
	add_number(out, client->ip.len, 1);
	buf_add(out, client->ip.bytes, sizeof(client->ip.bytes));
	http_request_add_host(request, &host);
	add_text(out, buf_str(&host));
	if (!http_request_client_name(request, &name))
		buf_clear(&name);
	add_text(out, buf_str(&name));
	out->failed |= name.failed || host.failed;
	buf_free(&name);
	buf_free(&host);
}

static int seal(const struct http_request *request, bool is_own, const uint8_t key[HTTP_RELAY_KEY_BYTES],
                struct buf *out, struct error *err)
{
	struct buf context = { 0 }, plain = { 0 }, sealed = { 0 };
	int result = -1;

	write_context(&context, &request->head);
	write_plain(&plain, request, is_own);
	if (context.failed || plain.failed)
		error_set(err, ERROR_NOMEM, "forwarding: out of memory");
	else
		result = envelope_make(key, buf_str(&context), buf_str(&plain), &sealed, err);
	if (result == 0)
		id_base64url_encode(out, sealed.data, sealed.len);
	buf_free(&context);
	buf_free(&plain);
	buf_free(&sealed);
	return result == 0 && out->failed ? error_set(err, ERROR_NOMEM, "forwarding: out of memory") : result;
}

int http_request_seal_client(const struct http_request *request, const uint8_t key[HTTP_RELAY_KEY_BYTES],
                             struct buf *out, struct error *err)
{
	return seal(request, false, key, out, err);
}

int http_seal_own_request(struct str method, struct str target, const uint8_t key[HTTP_RELAY_KEY_BYTES],
                          struct buf *out, struct error *err)
{
	struct http_connection none = { .ssl = NULL };
	const struct http_request own = {
		.connection = &none,
		.head = { .method = method, .path = target, .host = STR_LITERAL("localhost") },
	};

	return seal(&own, true, key, out, err);
}

/* --- opening --- */

void http_server_trust_relays(struct http_server *server, const uint8_t key[HTTP_RELAY_KEY_BYTES])
{
	server->relay_key = key;
}

static bool take_plain(struct http_request *request)
{
	struct http_client *client = &request->client;
	struct str in = buf_str(&request->relayed);

	if (in.len < FIXED_BYTES || take_number(&in, 1) != VERSION)
		return false;
	uint64_t bits = take_number(&in, 1);
	client->is_https = bits & BIT_HTTPS;
	request->is_of_front_end = bits & BIT_OWN;
	int64_t age_us = clock_now_us() - (int64_t)take_number(&in, 8);
	client->ip.len = (size_t)take_number(&in, 1);
	if (client->ip.len > sizeof(client->ip.bytes) || age_us > VALID_US || age_us < -VALID_US)
		return false;
	memcpy(client->ip.bytes, in.p, sizeof(client->ip.bytes));
	in = (struct str){ in.p + sizeof(client->ip.bytes), in.len - sizeof(client->ip.bytes) };
	return take_text(&in, &client->host) && take_text(&in, &request->relayed_name);
}

bool http_request_is_of_front_end(const struct http_request *request)
{
	return request->is_of_front_end;
}

int http_relayed_apply(struct http_request *request, struct http_fault *fault)
{
	struct str field = http_head_field(&request->head, HTTP_RELAYED_FIELD);
	struct buf sealed = { 0 }, context = { 0 };
	struct error err;

	if (!field.p)
		return 0;
	write_context(&context, &request->head);
	bool is_right = id_base64url_decode(&sealed, field) && !context.failed &&
	                envelope_open(request->connection->server->relay_key, buf_str(&context), buf_str(&sealed),
	                              &request->relayed, &err) == 0 &&
	                take_plain(request);
	buf_free(&sealed);
	buf_free(&context);
	if (is_right)
		return 0;
	request->client = (struct http_client){ .ip = request->connection->ip };
	request->is_of_front_end = false;
	http_reply_header(request, "Retry-After", RETRY_SECONDS);
	return http_fault_set(fault, 503,
	                      HTTP_RELAYED_FIELD " was not made by a front end of this catalog in the last "
	                                         "minutes: their cursor.key and their clocks must agree.");
}
