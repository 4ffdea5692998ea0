/* SPDX-License-Identifier: ISC */
/*
 * send.c: sends the bytes of answers to the socket. Declared in connection.h.
 *
 * Head and body are sent in one sendmsg, which nearly always takes all of it: no event is armed, nothing is copied.
 * Only what the kernel does not take is queued in the bufferevent, the body by reference. A file's head is sent the
 * same way without a body; file.c sends the file.
 */
#include "http/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Sends what the kernel takes now; -1 when the connection is broken. */
static ssize_t send_now(struct http_connection *c, struct str head, struct str body)
{
	struct iovec parts[2] = {
		{ (void *)(uintptr_t)head.p, head.len },
		{ (void *)(uintptr_t)body.p, body.len },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	if (evbuffer_get_length(bufferevent_get_output(c->bev)) > 0)
		return 0; /* after what is already queued */
	ssize_t sent = sendmsg(bufferevent_getfd(c->bev), &message, MSG_DONTWAIT | MSG_NOSIGNAL);

	return sent < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS) ? 0 : sent;
}

static void free_data(const void *data, size_t len, void *owner)
{
	(void)data;
	(void)len;
	free(owner);
}

/* False when out of memory; owner is freed when its bytes are sent, or now. */
static bool queue(struct http_connection *c, struct str head, struct str body, void *owner)
{
	struct evbuffer *output = bufferevent_get_output(c->bev);

	if (head.len > 0 && evbuffer_add(output, head.p, head.len) < 0) {
		free(owner);
		return false;
	}
	if (body.len > 0 && evbuffer_add_reference(output, body.p, body.len, free_data, owner) == 0)
		return true;
	free(owner);
	return body.len == 0;
}

static void advance(struct str *text, size_t *count)
{
	size_t step = *count < text->len ? *count : text->len;

	text->p += step;
	text->len -= step;
	*count -= step;
}

bool http_send(struct http_connection *c, struct str head, struct buf *body)
{
	struct str content = body ? buf_str(body) : (struct str){ NULL, 0 };
	void *owner = body ? body->data : NULL;
	ssize_t sent = send_now(c, head, content);
	size_t count = sent > 0 ? (size_t)sent : 0;

	if (body)
		*body = (struct buf){ 0 };
	if (sent < 0) {
		free(owner);
		return false;
	}
	advance(&head, &count);
	advance(&content, &count);
	return queue(c, head, content, owner);
}
