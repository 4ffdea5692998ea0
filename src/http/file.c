/* SPDX-License-Identifier: ISC */
/*
 * file.c: a part of a file as an answer's body. Declared in connection.h.
 *
 * Without TLS no byte of it enters this process, and with TLS none stays: what the socket has room for is sent, and the
 * connection waits until there is room again. So a slow client costs a descriptor and an occasional timer check, and
 * two hundred of them need no more memory than one. A turn of the loop sends at most PIECE_BYTES per connection, so
 * that a fast client does not hold up the others.
 */
#include <fcntl.h>
#include <unistd.h>

#include "http/connection.h"

#define PIECE_BYTES (64 << 10)

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	http_connection_run(arg);
}

void http_file_begin(struct http_connection *c, int fd, uint64_t offset, uint64_t length, void (*on_end)(void *arg),
                     void *arg)
{
	c->file.is_open = true;
	c->file.fd = fd;
	c->file.offset = (off_t)offset;
	c->file.left = length;
	c->file.on_end = on_end;
	c->file.on_end_arg = arg;
	event_assign(&c->file.writable, c->server->base, bufferevent_getfd(c->bev), EV_WRITE | EV_PERSIST, on_writable,
	             c);
	http_transport_stay_close(c, 2 * PIECE_BYTES);
	(void)posix_fadvise(fd, (off_t)offset, (off_t)length, POSIX_FADV_SEQUENTIAL);
}

void http_file_end(struct http_connection *c)
{
	if (!c->file.is_open)
		return;
	event_del(&c->file.writable);
	close(c->file.fd);
	if (c->file.on_end)
		c->file.on_end(c->file.on_end_arg);
	c->file.is_open = false;
	c->file.left = 0;
}

/* Sends what the socket takes of the next piece; 0 if nothing now, -1 when the rest cannot be sent. */
static ssize_t send_piece(struct http_connection *c)
{
	struct http_file *file = &c->file;
	size_t wanted = file->left < PIECE_BYTES ? (size_t)file->left : PIECE_BYTES;

	return http_transport_send_file(c, file->fd, &file->offset, wanted);
}

bool http_file_step(struct http_connection *c)
{
	struct http_file *file = &c->file;
	ssize_t sent = send_piece(c);

	if (sent < 0) {
		http_connection_close(c);
		return false;
	}
	file->left -= (uint64_t)sent;
	if (file->left == 0) {
		http_file_end(c);
		return true;
	}
	if (!event_pending(&file->writable, EV_WRITE, NULL) && event_add(&file->writable, NULL) < 0)
		http_connection_close(c);
	return false;
}
