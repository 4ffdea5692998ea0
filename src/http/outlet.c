/* SPDX-License-Identifier: ISC */
/*
 * outlet.c: an answer whose body comes as it is made, by somebody who can wait. Declared in http.h and connection.h.
 *
 * A piece goes to the socket at once, and what that does not take is copied into the bufferevent. Whoever makes the body asks
 * before each piece whether there is room (http_outlet_has_room), and if not, stops until on_room: when less waits than
 * ROOM_BELOW, not when nothing does, and with a kernel that takes little more than the client has acknowledged. Otherwise
 * nothing would be taken from whoever makes the body for as long as a slow client needs for megabytes, which looks there as
 * if nobody read.
 */
#include "base/invariant.h"
#include "http/connection.h"

#define WAITING_MAX ((size_t)64 << 10)
#define ROOM_BELOW ((size_t)32 << 10)
#define KERNEL_AHEAD (64 << 10)

static struct http_connection *connection_of(struct http_outlet *outlet)
{
	return (struct http_connection *)((char *)outlet - offsetof(struct http_connection, outlet));
}

struct http_outlet *http_reply_outlet(struct http_request *request, int status, const char *content_type,
                                      uint64_t length, const struct http_outlet_calls *calls, void *arg)
{
	struct http_connection *c = request->connection;
	bool has_body = length > 0 && status != 204 && status != 304 && !str_is(request->head.method, "HEAD");

	if (has_body && length == HTTP_LENGTH_UNKNOWN)
		c->keep_alive = false;
	c->keep_alive = http_reply_stays_open(c);
	struct str head = http_reply_make_head(request, status, content_type, length);

	http_stats_count(request, status, length == HTTP_LENGTH_UNKNOWN ? 0 : length);
	bool sent = !c->server->head.failed && http_send(c, head, NULL);
	if (sent && has_body) {
		c->outlet = (struct http_outlet){ .is_open = true, .left = length, .calls = *calls, .arg = arg };
		http_transport_stay_close(c, KERNEL_AHEAD);
		bufferevent_setwatermark(c->bev, EV_WRITE, ROOM_BELOW, 0);
	}
	http_request_release(request);
	if (!sent)
		http_connection_set_state(c, HTTP_STATE_CLOSED);
	http_connection_answered(c);
	return sent && has_body ? &c->outlet : NULL;
}

static size_t waiting(const struct http_connection *c)
{
	return evbuffer_get_length(bufferevent_get_output(c->bev));
}

bool http_outlet_has_room(struct http_outlet *outlet)
{
	const struct http_connection *c = connection_of(outlet);

	outlet->wants_room = waiting(c) >= WAITING_MAX;
	return !outlet->wants_room && c->state != HTTP_STATE_CLOSED;
}

/* There is no more to come: from now on, the connection waits until all is sent. */
static void shut(struct http_outlet *outlet)
{
	outlet->is_open = false;
	bufferevent_setwatermark(connection_of(outlet)->bev, EV_WRITE, 0, 0);
}

/* The connection is freed in the next turn, as the caller may be in the midst of things. */
static void break_off(struct http_outlet *outlet)
{
	struct http_connection *c = connection_of(outlet);

	http_connection_set_state(c, HTTP_STATE_CLOSED);
	if (!c->running)
		http_connection_run_later(c);
}

void http_outlet_add(struct http_outlet *outlet, struct str piece)
{
	struct http_connection *c = connection_of(outlet);

	INVARIANT(outlet->is_open && piece.len <= outlet->left);
	if (c->state == HTTP_STATE_CLOSED)
		return;
	if (outlet->left != HTTP_LENGTH_UNKNOWN)
		outlet->left -= piece.len;
	if (!http_send(c, piece, NULL))
		break_off(outlet);
	http_connection_note_sending(c);
}

void http_outlet_end(struct http_outlet *outlet)
{
	struct http_connection *c = connection_of(outlet);

	if (outlet->left > 0 && outlet->left != HTTP_LENGTH_UNKNOWN) {
		http_outlet_fail(outlet);
		return;
	}
	shut(outlet);
	if (!c->running)
		http_connection_run_later(c);
}

void http_outlet_fail(struct http_outlet *outlet)
{
	shut(outlet);
	break_off(outlet);
}

void http_outlet_step(struct http_connection *c)
{
	if (!c->outlet.wants_room || waiting(c) > ROOM_BELOW)
		return;
	c->outlet.wants_room = false;
	c->outlet.calls.on_room(c->outlet.arg);
}

void http_outlet_forget(struct http_connection *c)
{
	if (!c->outlet.is_open)
		return;
	c->outlet.is_open = false;
	c->outlet.calls.on_gone(c->outlet.arg);
}
