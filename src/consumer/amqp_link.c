/* SPDX-License-Identifier: ISC */
/*
 * amqp_link.c: frames over a socket, in the clear or by TLS. See amqp_link.h.
 */
#include "consumer/amqp_link.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/bufferevents.h"
#include "base/clock.h"

#define METHOD_MAX 4096 /* bytes of a method that is sent */
#define FRAME_END 0xCE
#define RECEIVED_MAX ((size_t)256 << 10) /* bytes that wait to be read as frames; the rest waits in the socket */

struct amqp_link {
	struct amqp_link_options options;
	char *host;
	struct lookup *lookup; /* of the host, under way */
	struct address addresses[RESOLVE_ADDRESSES_MAX];
	size_t addresses_count, addresses_tried;
	struct bufferevent *socket; /* NULL while there is no address */
	SSL_CTX *trust;             /* of TLS */
	amqp_connection_state_t codec;
	bool connected;
	struct error failure;
	int64_t received_us, sent_us;
};

/* --- the socket --- */

static void send_bytes(struct amqp_link *link, const void *data, size_t len)
{
	/* Without memory it fails, and the broker will hear nothing more and close it. */
	if (bufferevent_write(link->socket, data, len) != 0)
		error_set(&link->failure, ERROR_NOMEM, "out of memory");
	link->sent_us = clock_monotonic_us();
}

static void on_read(struct bufferevent *socket, void *arg)
{
	struct amqp_link *link = arg;

	(void)socket;
	link->received_us = clock_monotonic_us();
	link->options.on_event(link->options.arg);
}

/* --- TLS --- */

static int fail_tls(const char *doing, struct error *err)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return error_set(err, ERROR_IO, "TLS: %s: %s", doing, reason ? reason : "out of memory");
}

/* Trusts what the options say, and the broker only under its name. */
static SSL *make_tls(struct amqp_link *link, struct error *err)
{
	const struct amqp_link_options *options = &link->options;
	const char *ca_file = options->ca_file;
	SSL *ssl;

	link->trust = SSL_CTX_new(TLS_client_method());
	if (!link->trust || SSL_CTX_set_min_proto_version(link->trust, TLS1_2_VERSION) != 1 ||
	    (ca_file[0] ? SSL_CTX_load_verify_locations(link->trust, ca_file, NULL) :
	                  SSL_CTX_set_default_verify_paths(link->trust)) != 1) {
		(void)fail_tls(ca_file[0] ? ca_file : "the system's certificates", err);
		return NULL;
	}
	SSL_CTX_set_verify(link->trust, SSL_VERIFY_PEER, NULL);
	ssl = SSL_new(link->trust);
	bool by_address = ssl && X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), link->host) == 1;
	if (ssl &&
	    (by_address || (SSL_set1_host(ssl, link->host) == 1 && SSL_set_tlsext_host_name(ssl, link->host) == 1))) {
		ERR_clear_error();
		return ssl;
	}
	(void)fail_tls(link->host, err);
	SSL_free(ssl);
	return NULL;
}

/* --- connecting --- */

static void on_event(struct bufferevent *socket, short what, void *arg);

static int open_socket(struct amqp_link *link, struct error *err)
{
	const struct amqp_link_options *options = &link->options;
	SSL *ssl = options->tls ? make_tls(link, err) : NULL;

	if (options->tls && !ssl)
		return -1;
	link->socket = bufferevents_new(options->base, -1, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_DEFER_CALLBACKS);
	if (!link->socket)
		return error_set(err, ERROR_NOMEM, "out of memory");
	bufferevent_setcb(link->socket, on_read, NULL, on_event, link);
	bufferevent_setwatermark(link->socket, EV_READ, 0, RECEIVED_MAX);
	return 0;
}

static void close_socket(struct amqp_link *link)
{
	if (link->socket)
		bufferevent_free(link->socket);
	SSL_CTX_free(link->trust);
	link->socket = NULL;
	link->trust = NULL;
}

/* The next address of the host. */
static void try_next(struct amqp_link *link)
{
	const struct address *address = &link->addresses[link->addresses_tried++];
	struct error err;

	close_socket(link);
	link->failure.code = ERROR_NONE;
	if (open_socket(link, &err) != 0)
		/* NOLINTNEXTLINE(-Wanalyzer-use-of-uninitialized-value): open_socket has filled it in. */
		link->failure = err;
	else if (bufferevent_enable(link->socket, EV_READ | EV_WRITE) != 0 ||
	         bufferevent_socket_connect(link->socket, (const struct sockaddr *)&address->storage,
	                                    (int)address->len) != 0)
		error_set_errno(&link->failure, EVUTIL_SOCKET_ERROR(), "connecting");
}

/* Why TLS or the socket has failed. */
static void note_failure(struct amqp_link *link, short what)
{
	int number = EVUTIL_SOCKET_ERROR();
	unsigned long tls = link->options.tls ? bufferevent_get_openssl_error(link->socket) : 0;
	SSL *ssl = link->options.tls ? bufferevent_openssl_get_ssl(link->socket) : NULL;
	long verified = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;
	const char *when = link->connected ? "the connection" : "connecting";

	if (verified != X509_V_OK)
		error_set(&link->failure, ERROR_IO, "TLS: the broker's certificate: %s",
		          X509_verify_cert_error_string(verified));
	else if (tls)
		error_set(&link->failure, ERROR_IO, "TLS: %s", ERR_reason_error_string(tls));
	else if (what & BEV_EVENT_EOF)
		error_set(&link->failure, ERROR_IO, "%s was closed by the broker", when);
	else
		error_set_errno(&link->failure, number, "%s", when);
}

static void on_event(struct bufferevent *socket, short what, void *arg)
{
	static const char header[] = { 'A', 'M', 'Q', 'P', 0, 0, 9, 1 };
	struct amqp_link *link = arg;

	(void)socket;
	if (what & BEV_EVENT_CONNECTED) {
		link->connected = true;
		send_bytes(link, header, sizeof(header));
	} else if (what & (BEV_EVENT_ERROR | BEV_EVENT_EOF)) {
		note_failure(link, what);
		if (!link->connected && link->addresses_tried < link->addresses_count)
			try_next(link);
	}
	link->options.on_event(link->options.arg);
}

static void on_addresses(void *arg, const struct address *addresses, size_t count, const char *problem)
{
	struct amqp_link *link = arg;

	link->lookup = NULL;
	if (count > 0) {
		memcpy(link->addresses, addresses, count * sizeof(*addresses));
		link->addresses_count = count;
		try_next(link);
	} else {
		error_set(&link->failure, ERROR_IO, "%s: %s", link->host, problem);
	}
	link->options.on_event(link->options.arg);
}

struct amqp_link *amqp_link_new(const struct amqp_link_options *options, struct error *err)
{
	struct amqp_link *link = calloc(1, sizeof(*link));

	if (link) {
		link->options = *options;
		link->received_us = link->sent_us = clock_monotonic_us();
		link->codec = amqp_new_connection();
		link->host = strdup(options->host);
	}
	if (!link || !link->codec || !link->host) {
		amqp_link_free(link);
		error_set(err, ERROR_NOMEM, "out of memory");
		return NULL;
	}
	link->lookup = resolver_lookup(options->resolver, link->host, options->port, on_addresses, link);
	return link;
}

void amqp_link_free(struct amqp_link *link)
{
	if (!link)
		return;
	if (link->lookup)
		lookup_cancel(link->lookup);
	close_socket(link);
	if (link->codec)
		amqp_destroy_connection(link->codec);
	free(link->host);
	free(link);
}

int amqp_link_state(const struct amqp_link *link, struct error *err)
{
	if (link->failure.code == ERROR_NONE)
		return link->connected;
	*err = link->failure;
	return -1;
}

/* --- frames --- */

int amqp_link_receive(struct amqp_link *link, amqp_frame_t *frame, struct error *err)
{
	struct evbuffer *input = link->socket ? bufferevent_get_input(link->socket) : NULL;

	if (!input)
		return 0;
	amqp_maybe_release_buffers(link->codec); /* of the frame before */
	while (evbuffer_get_length(input) > 0) {
		size_t first = evbuffer_get_contiguous_space(input); /* 0 if its first piece is empty */
		size_t len = first > 0 ? first : evbuffer_get_length(input);
		void *data = evbuffer_pullup(input, (ev_ssize_t)len);
		int taken = data ? amqp_handle_input(link->codec, (amqp_bytes_t){ len, data }, frame) :
		                   AMQP_STATUS_NO_MEMORY;

		if (taken <= 0)
			return error_set(err, ERROR_IO, "what the broker sends is no AMQP 0-9-1: %s",
			                 amqp_error_string2(taken));
		evbuffer_drain(input, (size_t)taken);
		if (frame->frame_type != 0)
			return 1;
	}
	return 0;
}

static void write_head(uint8_t head[7], uint8_t type, amqp_channel_t channel, size_t len)
{
	head[0] = type;
	head[1] = (uint8_t)(channel >> 8);
	head[2] = (uint8_t)channel;
	for (int i = 0; i < 4; i++)
		head[3 + i] = (uint8_t)(len >> (24 - 8 * i));
}

int amqp_link_send(struct amqp_link *link, amqp_channel_t channel, amqp_method_number_t number, void *method,
                   struct error *err)
{
	uint8_t frame[7 + 4 + METHOD_MAX + 1];
	int len = amqp_encode_method(number, method, (amqp_bytes_t){ METHOD_MAX, frame + 11 });

	if (len < 0)
		return error_set(err, ERROR_INVALID, "%s: longer than the %d bytes allowed", amqp_method_name(number),
		                 METHOD_MAX);
	write_head(frame, AMQP_FRAME_METHOD, channel, 4 + (size_t)len);
	for (int i = 0; i < 4; i++)
		frame[7 + i] = (uint8_t)(number >> (24 - 8 * i));
	frame[11 + len] = FRAME_END;
	send_bytes(link, frame, 12 + (size_t)len);
	return 0;
}

void amqp_link_send_heartbeat(struct amqp_link *link)
{
	uint8_t frame[8];

	write_head(frame, AMQP_FRAME_HEARTBEAT, 0, 0);
	frame[7] = FRAME_END;
	send_bytes(link, frame, sizeof(frame));
}

int amqp_link_set_frame_max(struct amqp_link *link, uint32_t frame_max, struct error *err)
{
	if (amqp_tune_connection(link->codec, 0, (int)frame_max, 0) == AMQP_STATUS_OK)
		return 0;
	return error_set(err, ERROR_NOMEM, "frames of %u bytes: out of memory", frame_max);
}

int64_t amqp_link_received_us(const struct amqp_link *link)
{
	return link->received_us;
}

int64_t amqp_link_sent_us(const struct amqp_link *link)
{
	return link->sent_us;
}
