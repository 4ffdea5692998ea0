/* SPDX-License-Identifier: ISC */
/*
 * send.c: sends the bytes of answers to the socket. Declared in connection.h.
 *
 * Head and body are sent at once, which nearly always takes all of it: no event is armed, and without TLS nothing is
 * copied. Only what the socket does not take is queued in the bufferevent, the body by reference. A file's head is sent the
 * same way without a body; file.c sends the file.
 */
#include "http/connection.h"

#include <stdlib.h>

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

/* As http_send; `owner` is freed when the body's bytes are sent, or now. */
static bool send_owned(struct http_connection *c, struct str head, struct str body, void *owner)
{
	ssize_t sent = 0;

	if (evbuffer_get_length(bufferevent_get_output(c->bev)) == 0) /* else after what is already queued */
		sent = http_transport_send(c, head, body);
	if (sent < 0) {
		free(owner);
		return false;
	}
	size_t count = (size_t)sent;

	advance(&head, &count);
	advance(&body, &count);
	return queue(c, head, body, owner);
}

bool http_send(struct http_connection *c, struct str head, struct buf *body)
{
	struct str content = body ? buf_str(body) : (struct str){ NULL, 0 };
	void *owner = body ? body->data : NULL;

	if (body)
		*body = (struct buf){ 0 };
	return send_owned(c, head, content, owner);
}

bool http_send_shared(struct http_connection *c, struct str head, struct str body)
{
	return send_owned(c, head, body, NULL);
}
