/* SPDX-License-Identifier: ISC */
/*
 * intake.c: reads a request's body, in slices, and delivers it as the route asks: to the handler's stream, into the
 * request, or nowhere. Declared in connection.h.
 *
 * Connections whose bodies have more than a slice queue up, and get a slice each, round after round, until this turn of
 * the loop has spent what tasks leave of it (base/task.h). So one body alone gets all of that, and several get the same.
 * While requests wait for the next steps of theirs there is one round a turn, as each would make them wait longer.
 *
 * libevent reads at most 4 KiB a turn from a socket, which would limit an upload to a fraction of what ingest can take.
 * So when the bufferevent's bytes are used up before the slice, more is read here, into the same buffer.
 */
#include "http/connection.h"

#include <errno.h>
#include <inttypes.h>

#include "base/log.h"
#include "base/task.h"

#define SLICE_BYTES ((size_t)256 << 10)
#define PIECE_BYTES ((size_t)16 << 10) /* so that the clock is checked often enough */
#define FILL_BYTES 32768

static void send_continue(struct http_connection *c)
{
	c->continue_owed = false;
	/* A client that did not wait does not need it. */
	if (http_connection_received(c) == 0 && !http_send(c, STR_LITERAL("HTTP/1.1 100 Continue\r\n\r\n"), NULL))
		http_connection_close(c);
}

void http_intake_begin(struct http_connection *c)
{
	http_connection_set_state(c, HTTP_STATE_BODY);
	c->since_us = c->server->clock_us;
	if (c->continue_owed)
		send_continue(c);
}

void http_intake_fail(struct http_connection *c, const struct http_fault *fault)
{
	struct http_request *request = c->request;

	if (!request) {
		http_connection_close(c);
		return;
	}
	if (request->stream.on_fault) {
		http_content_free(&c->content);
		http_connection_set_state(c, HTTP_STATE_WORK);
		c->keep_alive = false;
		c->content.finished = false;
		http_request_on_close(request, request->stream.on_abort, request->stream_arg);
		request->stream.on_fault(request->stream_arg, fault);
		return;
	}
	if (request->stream.on_abort)
		request->stream.on_abort(request->stream_arg);
	http_connection_fail(c, fault);
}

/* The client has shut its side within the body; it may still read an answer. */
static void end_early(struct http_connection *c)
{
	struct http_fault fault;

	c->end_of_input = true;
	http_fault_set(&fault, 400, "The body was cut short after %" PRIu64 " bytes.", c->content.bytes_in);
	http_intake_fail(c, &fault);
}

static void fail_for_memory(struct http_connection *c)
{
	struct http_fault fault;

	http_fault_set(&fault, 503, "There is not enough memory for the body.");
	http_intake_fail(c, &fault);
}

/* Reads what the socket has; false if it has nothing for now. */
static bool fill(struct http_connection *c)
{
	struct evbuffer *input = bufferevent_get_input(c->bev);
	struct evbuffer_iovec space;
	ssize_t count = 0;

	if (!c->end_of_input) {
		evbuffer_unfreeze(input, 0); /* it is closed to others, without TLS */
		if (evbuffer_reserve_space(input, FILL_BYTES, &space, 1) == 1) {
			count = http_transport_receive(c, space.iov_base, FILL_BYTES);
			space.iov_len = count > 0 ? (size_t)count : 0;
			evbuffer_commit_space(input, &space, 1);
		} else {
			fail_for_memory(c);
			return false;
		}
	}
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (count < 0)
		http_connection_close(c);
	else if (count == 0)
		end_early(c);
	else if (c->request) /* what is to be dropped must all come in time */
		c->since_us = c->server->clock_us;
	return count > 0;
}

static void deliver(struct http_connection *c, struct str piece)
{
	struct http_request *request = c->request;

	if (!request)
		return;
	if (http_body_is_streamed(request)) {
		http_server_send_gathered(c->server);
		request->stream.on_data(request->stream_arg, piece.p, piece.len);
	} else if (request->route->body == HTTP_BODY_WHOLE) {
		buf_add(&request->body, piece.p, piece.len);
	}
}

static void finish(struct http_connection *c)
{
	struct http_request *request = c->request;

	http_content_free(&c->content);
	if (!request) {
		http_connection_set_state(c, HTTP_STATE_WRITE); /* already answered: the next request may follow */
		return;
	}
	http_connection_set_state(c, HTTP_STATE_WORK);
	if (http_body_is_streamed(request))
		request->stream.on_end(request->stream_arg);
	else if (request->body.failed)
		http_reply_problem(request, 503, "Service Unavailable", "There is not enough memory for the body.");
	else
		http_dispatch_handle(c);
}

/* Handles one piece of what was received. Returns the bytes handled; 0 when nothing more can be done now. */
static size_t take_piece(struct http_connection *c)
{
	struct evbuffer *input = bufferevent_get_input(c->bev);
	struct evbuffer_iovec first = { 0 };
	struct http_fault fault;
	struct str piece = { NULL, 0 };

	evbuffer_peek(input, -1, NULL, &first, 1);
	size_t len = first.iov_len < PIECE_BYTES ? first.iov_len : PIECE_BYTES;
	struct str in = { len > 0 ? first.iov_base : "", len };
	enum http_content_next next = http_content_next(&c->content, &in, c->server->scratch, &piece, &fault);
	size_t used = len - in.len;

	if (next == HTTP_CONTENT_PIECE)
		deliver(c, piece); /* before its memory is drained */
	evbuffer_drain(input, used);
	if (next == HTTP_CONTENT_END)
		finish(c);
	else if (next == HTTP_CONTENT_FAULT)
		http_intake_fail(c, &fault);
	return used + piece.len;
}

static void run_next_turn(struct http_server *server)
{
	static const struct timeval now = { 0, 0 };

	/* A timer of zero, not event_active: an active event runs before the loop looks at sockets again. */
	if (evtimer_add(server->slices, &now) < 0)
		log_error("http", "cannot add a timer, a connection may time out");
}

static void queue_up(struct http_connection *c)
{
	TAILQ_INSERT_TAIL(&c->server->bodies, c, body_entry);
	c->body_queued = true;
	c->server->bodies_count++;
	run_next_turn(c->server);
}

void http_intake_leave(struct http_connection *c)
{
	if (!c->body_queued)
		return;
	TAILQ_REMOVE(&c->server->bodies, c, body_entry);
	c->body_queued = false;
	c->server->bodies_count--;
}

void http_intake_on_slices(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *server = arg;
	struct http_connection *c;
	int round = server->bodies_count;

	(void)fd;
	(void)what;
	while ((c = TAILQ_FIRST(&server->bodies))) {
		http_intake_leave(c);
		http_connection_run(c); /* queues up again if there is more */
		if (tasks_turn_is_over(server->tasks) || (--round <= 0 && tasks_have_requests(server->tasks)))
			break;
	}
	if (!TAILQ_EMPTY(&server->bodies))
		run_next_turn(server);
}

bool http_intake_step(struct http_connection *c)
{
	if (c->body_queued || http_body_is_held(c))
		return false;
	for (size_t done = 0;
	     done < SLICE_BYTES && !http_body_is_held(c) && (done == 0 || !tasks_turn_is_over(c->server->tasks));) {
		size_t handled = take_piece(c);

		if (c->state != HTTP_STATE_BODY)
			return true;
		if (handled == 0 && http_connection_received(c) == 0 && !fill(c))
			return c->state != HTTP_STATE_BODY;
		done += handled;
	}
	if (!http_body_is_held(c))
		queue_up(c);
	return false;
}

void http_request_hold_body(struct http_request *request, bool held)
{
	struct http_connection *c = request->connection;

	if (request->body_held == held)
		return;
	request->body_held = held;
	c->since_us = c->server->clock_us;
	if (!held && c->state == HTTP_STATE_BODY && !c->body_queued)
		queue_up(c);
}
