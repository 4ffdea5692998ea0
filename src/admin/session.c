/* SPDX-License-Identifier: ISC */
/*
 * session.c: a connection's bytes, in and out. See session.h.
 */
#include "admin/session.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define READ_AHEAD ((size_t)64 << 10) /* kept while a command runs */
#define READS_A_TURN 4
#define IMPORTS_US 2000 /* a turn's, of those that are left: a commit takes them together */

void session_wake(struct session *session)
{
	static const struct timeval now = { 0, 0 };

	/* A timer, because an event made active by hand would run before other connections have their turn. */
	if (evtimer_add(session->work_event, &now) != 0)
		event_active(session->work_event, EV_TIMEOUT, 0);
}

/* --- out --- */

void session_flush(struct session *session)
{
	struct buf *out = &session->out;
	size_t done = 0;

	if (out->failed)
		session->broken = true; /* the client would wait for output that there was no memory for */
	while (done < out->len && !session->broken) {
		ssize_t count = send(session->fd, out->data + done, out->len - done, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (count < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (count < 0)
			session->broken = true;
		else
			done += (size_t)count;
	}
	buf_drain(out, done);
	if (out->len == 0)
		buf_free(out);
	else if (!session->broken && event_add(session->write_event, NULL) != 0)
		session->broken = true;
	if (session->broken)
		session_wake(session);
}

/* --- in --- */

static bool body_wanted(const struct session *session)
{
	const struct session_body *body = &session->reply->body;

	return session->reply->open && body->handler && !body->ended && !body->held;
}

static bool input_wanted(const struct session *session)
{
	if (session->end_of_input || session->broken || session->close_when_out)
		return false;
	bool has_more = event_pending(session->work_event, EV_TIMEOUT, NULL); /* to take of what was read */
	if ((session->reply->open && !body_wanted(session)) || session->waits_for_left || has_more)
		return session->in.len < READ_AHEAD;
	return session->out.len == 0 || body_wanted(session);
}

/* Cuts the next piece of the body off; false when more must be read first. */
static bool take_piece(struct session *session)
{
	struct session_body *body = &session->reply->body;
	struct buf *in = &session->in;
	uint32_t length;

	if (body->chunk_left == 0) {
		if (in->len < sizeof(length))
			return false;
		memcpy(&length, in->data, sizeof(length));
		buf_drain(in, sizeof(length));
		body->chunk_left = be32toh(length);
		body->ended = body->chunk_left == 0;
		if (body->ended)
			body->handler->on_end(body->arg);
		return !body->ended;
	}
	size_t count = in->len < body->chunk_left ? in->len : body->chunk_left;
	if (count > SESSION_PIECE_MAX)
		count = SESSION_PIECE_MAX;
	if (count == 0)
		return false;
	body->chunk_left -= (uint32_t)count;
	body->handler->on_data(body->arg, in->data, count);
	buf_drain(in, count);
	return true;
}

/* The next line, if all of it is there: runs its command. */
static void take_line(struct session *session)
{
	struct buf *in = &session->in;
	char *end = in->len > session->scanned ? memchr(in->data + session->scanned, '\n', in->len - session->scanned) :
	                                         NULL;
	size_t len = end ? (size_t)(end - in->data) : in->len;
	struct error err;

	session->scanned = len;
	if (len > SESSION_LINE_MAX) {
		error_set(&err, ERROR_LIMIT, "a line of more than %zu bytes", SESSION_LINE_MAX);
		session_refuse(session, &err);
		return;
	}
	if (!end)
		return;
	*end = '\0';
	session->waits_for_left = !session_request_run(session, (struct str){ in->data, len });
	*end = '\n';
	if (session->waits_for_left)
		return;
	buf_drain(in, len + 1);
	session->scanned = 0;
}

static bool may_take_line(const struct session *session)
{
	return !session->reply->open && !session->close_when_out && session->out.len == 0 && !session->waits_for_left;
}

/* Processes what was read. One command per turn, but for imports. */
static void take_input(struct session *session)
{
	int64_t end_us = clock_monotonic_us() + IMPORTS_US;

	do {
		while (body_wanted(session) && take_piece(session))
			;
		if (!may_take_line(session))
			return;
		take_line(session);
	} while (body_wanted(session) && clock_monotonic_us() < end_us);
	if (may_take_line(session) && session->in.len > 0 && memchr(session->in.data, '\n', session->in.len))
		session_wake(session);
}

/* Has the client closed the connection, rather than only its sending side? */
static bool hung_up(const struct session *session)
{
	struct pollfd poller = { .fd = session->fd };

	return poll(&poller, 1, 0) == 1 && (poller.revents & POLLHUP);
}

/* False when there is nothing more to read for now. */
static bool fill(struct session *session)
{
	struct buf *in = &session->in;

	if (!buf_reserve(in, SESSION_PIECE_MAX)) {
		session->broken = true;
		return false;
	}
	ssize_t count = recv(session->fd, in->data + in->len, SESSION_PIECE_MAX, MSG_DONTWAIT);
	if (count > 0) {
		in->len += (size_t)count;
		return true;
	}
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	session->end_of_input = true;
	session->gone = count < 0 || hung_up(session);
	return false;
}

/* --- events --- */

/* With no more to read, is there nothing left to do? */
static bool is_over(const struct session *session)
{
	bool is_cut = body_wanted(session); /* the rest of the body will not come */
	bool idle = (!session->reply->open || is_cut) && session->out.len == 0 && TAILQ_EMPTY(&session->left);

	if (!session->end_of_input)
		return false;
	if (session->gone)
		return true;
	return idle && !event_pending(session->work_event, EV_TIMEOUT, NULL) && !task_is_started(&session->task);
}

/* Closes the session if it is over, or waits for the next event. */
static void settle(struct session *session)
{
	bool ends = session->close_when_out && session->out.len == 0 && TAILQ_EMPTY(&session->left);

	if (session->broken || is_over(session) || ends) {
		session_close(session);
		return;
	}
	if (!input_wanted(session)) {
		event_del(session->read_event);
	} else if (event_add(session->read_event, NULL) != 0) {
		log_error("admin", "Out of memory for a connection");
		session_close(session);
	}
}

static void resume(struct session *session)
{
	struct error err;

	MAY_FAIL(task_start(&session->task, &err)); /* it is the daemon's own: this cannot fail */
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
	struct session *session = arg;

	(void)fd;
	(void)what;
	for (int i = 0; i < READS_A_TURN && input_wanted(session) && fill(session); i++)
		take_input(session);
	if (session->gone)
		take_input(session); /* complete pieces of a truncated body are kept, unless it is held */
	settle(session);
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
	struct session *session = arg;

	(void)fd;
	(void)what;
	session_flush(session);
	if (session->out.len == 0 && session->reply->later_waits)
		resume(session);
	if (session->out.len == 0)
		take_input(session);
	settle(session);
}

static void on_work(evutil_socket_t fd, short what, void *arg)
{
	struct session *session = arg;

	(void)fd;
	(void)what;
	take_input(session);
	settle(session);
}

static void on_slice(void *arg, int64_t deadline_us)
{
	struct session *session = arg;
	void (*later)(void *, int64_t) = session->reply->later;

	if (later && !session->broken && !(session->reply->later_waits && session->out.len > 0)) {
		session->reply->later = NULL;
		session->reply->later_waits = false;
		later(session->reply->later_arg, deadline_us);
	}
	if (!session->reply->later || session->reply->later_waits)
		task_cancel(&session->task);
	if (session->reply->later && session->out.len == 0)
		resume(session);
	take_input(session);
	settle(session);
}

/* --- its life --- */

static bool make_events(struct session *session)
{
	struct event_base *base = session->admin->context.base;

	session->read_event = event_new(base, session->fd, EV_READ | EV_PERSIST, on_read, session);
	session->write_event = event_new(base, session->fd, EV_WRITE, on_write, session);
	session->work_event = evtimer_new(base, on_work, session);
	return session->read_event && session->write_event && session->work_event;
}

void session_open(struct admin *admin, int fd, const struct session_peer *peer, const struct error *refusal)
{
	struct session *session = calloc(1, sizeof(*session));
	struct admin_reply *reply = calloc(1, sizeof(*reply));

	if (!session || !reply) {
		log_error("admin", "Out of memory for a connection");
		free(session);
		free(reply);
		close(fd);
		return;
	}
	session->admin = admin;
	session->fd = fd;
	session->peer = *peer;
	session->in.max_bytes = SESSION_LINE_MAX + 2 * SESSION_PIECE_MAX;
	session->reply = reply;
	reply->session = session;
	TAILQ_INIT(&session->left);
	task_init(&session->task, admin->context.tasks, "", TASK_ADMIN, on_slice, session);
	TAILQ_INSERT_TAIL(&admin->sessions, session, link);
	admin->sessions_count++;
	if (!make_events(session)) {
		log_error("admin", "Out of memory for a connection");
		session_close(session);
		return;
	}
	if (refusal)
		session_refuse(session, refusal);
	session_wake(session);
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

static void close_reply(struct admin_reply *reply)
{
	if (reply->open && reply->on_close)
		reply->on_close(reply->on_close_arg);
	session_reply_free(reply);
}

void session_close(struct session *session)
{
	struct admin *admin = session->admin;
	struct admin_reply *left;

	while ((left = TAILQ_FIRST(&session->left)))
		close_reply(left);
	close_reply(session->reply);
	TAILQ_REMOVE(&admin->sessions, session, link);
	admin->sessions_count--;
	free_event(session->read_event);
	free_event(session->write_event);
	free_event(session->work_event);
	task_cancel(&session->task);
	close(session->fd);
	buf_free(&session->in);
	buf_free(&session->out);
	free(session);
}
