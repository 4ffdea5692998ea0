/* SPDX-License-Identifier: ISC */
/*
 * transport.c: bytes in and out of a connection's socket, by TLS where its listener has it. Declared in connection.h.
 *
 * The bufferevent makes the handshake, notices what arrives, and sends what the socket did not take at once. All else
 * goes past it: a body is read and an answer sent in the turn in which it is there, and a file in pieces that are
 * nobody's memory (sendfile) or, with TLS, go through a buffer that all connections share.
 *
 * OpenSSL wants a write that did not fit repeated with the same bytes. Those of an answer are therefore queued as they
 * were tried, in one piece, and those of a file are read again from where they were.
 */
#include "http/connection.h"

#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bufferevents.h"
#include "base/log.h"
#include "tls/tls.h"

static bool is_for_now(int number)
{
	return number == EAGAIN || number == EINTR || number == ENOBUFS;
}

/* What a call of OpenSSL that returned `result` means: -1 with errno EAGAIN where it can go on later. */
static ssize_t tls_result(struct http_connection *c, int result)
{
	int what = SSL_get_error(c->ssl, result);

	ERR_clear_error();
	errno = what == SSL_ERROR_WANT_READ || what == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
	return -1;
}

ssize_t http_transport_receive(struct http_connection *c, void *room, size_t size)
{
	int count;

	if (!c->ssl)
		return recv(bufferevent_getfd(c->bev), room, size, MSG_DONTWAIT);
	ERR_clear_error();
	count = SSL_read(c->ssl, room, (int)size);
	if (count > 0)
		return count;
	return SSL_get_error(c->ssl, count) == SSL_ERROR_ZERO_RETURN ? 0 : tls_result(c, count);
}

/* --- sending --- */

/* A small answer leaves as one record; a large one, and one that does not fit, is left to the bufferevent. */
static ssize_t tls_send(struct http_connection *c, struct str head, struct str body)
{
	size_t total = head.len + body.len;
	char *record = c->server->record;
	int sent;

	if (c->is_handshaking || total > HTTP_RECORD_MAX || total == 0)
		return 0;
	if (evbuffer_expand(bufferevent_get_output(c->bev), total) != 0)
		return -1;
	memcpy(record, head.p, head.len);
	if (body.len > 0)
		memcpy(record + head.len, body.p, body.len);
	ERR_clear_error();
	sent = SSL_write(c->ssl, record, (int)total);
	if (sent > 0)
		return sent;
	if (tls_result(c, sent) == -1 && errno != EAGAIN)
		return -1;
	return evbuffer_add(bufferevent_get_output(c->bev), record, total) == 0 ? (ssize_t)total : -1;
}

ssize_t http_transport_send(struct http_connection *c, struct str head, struct str body)
{
	struct iovec parts[2] = {
		{ (void *)(uintptr_t)head.p, head.len },
		{ (void *)(uintptr_t)body.p, body.len },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	ssize_t sent;

	if (c->ssl)
		return tls_send(c, head, body);
	sent = sendmsg(bufferevent_getfd(c->bev), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sent < 0 && is_for_now(errno) ? 0 : sent;
}

void http_transport_stay_close(struct http_connection *c, int ahead)
{
	(void)setsockopt(bufferevent_getfd(c->bev), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &ahead, sizeof(ahead));
}

bool http_transport_keep_sending(struct http_connection *c)
{
	if (!c->ssl || evbuffer_get_length(bufferevent_get_output(c->bev)) == 0)
		return true;
	return bufferevent_enable(c->bev, EV_WRITE) == 0;
}

/* --- files --- */

/* Encrypts a record of the file at a time, until the socket takes no more. */
static ssize_t tls_send_file(struct http_connection *c, int fd, off_t *offset, size_t size)
{
	size_t total = 0;

	while (total < size) {
		size_t wanted = size - total < HTTP_RECORD_MAX ? size - total : HTTP_RECORD_MAX;
		ssize_t read = pread(fd, c->server->record, wanted, *offset);

		if (read != (ssize_t)wanted)
			return read < 0 ? -1 : 0;
		ERR_clear_error();
		int sent = SSL_write(c->ssl, c->server->record, (int)wanted);

		if (sent <= 0)
			return total > 0 ? (ssize_t)total : tls_result(c, sent);
		total += (size_t)sent;
		*offset += sent;
	}
	return (ssize_t)total;
}

ssize_t http_transport_send_file(struct http_connection *c, int fd, off_t *offset, size_t size)
{
	ssize_t sent =
		c->ssl ? tls_send_file(c, fd, offset, size) : sendfile(bufferevent_getfd(c->bev), fd, offset, size);

	if (sent > 0)
		return sent;
	if (sent == 0) {
		/* the length was promised: the client must see that the body is incomplete */
		log_error("http", "a file ended early, at byte %lld", (long long)*offset);
		return -1;
	}
	return is_for_now(errno) ? 0 : -1;
}

/* --- beginning and end --- */

void http_transport_shut(struct http_connection *c)
{
	if (c->ssl && !c->is_handshaking) {
		ERR_clear_error();
		(void)SSL_shutdown(c->ssl); /* tells the client that this was all */
		ERR_clear_error();
	}
	shutdown(bufferevent_getfd(c->bev), SHUT_WR);
}

struct bufferevent *http_transport_open(struct http_connection *c, const struct http_listener *from, evutil_socket_t fd)
{
	if (from->tls) {
		c->ssl = tls_accept(from->tls);
		c->is_handshaking = true;
		if (!c->ssl)
			return NULL;
	}
	return bufferevents_new(from->server->base, fd, c->ssl, BUFFEREVENT_SSL_ACCEPTING, 0);
}

void http_transport_refuse_cleartext(struct http_connection *c)
{
	static const char answer[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n"
				     "Content-Length: 43\r\n\r\nThis port speaks HTTPS: use https:// here.\n";
	unsigned long error = bufferevent_get_openssl_error(c->bev);
	int fd = bufferevent_getfd(c->bev);

	if (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_HTTP_REQUEST) {
		(void)send(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		/* bytes left unread would have the kernel send a reset, which may overtake the answer */
		(void)recv(fd, c->server->record, HTTP_RECORD_MAX, MSG_DONTWAIT);
	} else {
		log_debug("http", "a handshake failed: %s", error ? ERR_reason_error_string(error) : "the client left");
	}
	ERR_clear_error();
}
