/* SPDX-License-Identifier: ISC */
/*
 * connection.c: a connection's states, its events and its timeouts. See connection.h for the picture.
 *
 * The bufferevent reads, up to a watermark, so that TCP stops a client which sends ahead (the watermark is our own:
 * libevent's does not survive running out of memory), and sends what the kernel did not take of an answer at once.
 * Reading is never switched off: that is how we notice a client that goes away during its request. A turn of the loop
 * serves at most REQUESTS_PER_TURN pipelined requests per connection; the rest waits in `resume`, after everything else
 * that is ready. Bodies queue up for their slices (intake.c).
 */
#include "http/connection.h"

#include "base/invariant.h"

#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/log.h"

#define REQUESTS_PER_TURN 16
#define RECEIVED_MAX 65536                    /* unless header_max is larger */
#define WRITE_AT_ONCE_MAX ((size_t)256 << 10) /* of an answer that goes through the bufferevent, per turn */
#define LINGER_US INT64_C(2000000)            /* for the client to read its answer and close */
#define LAST_HEAD_US INT64_C(300000)          /* for a request that is on its way when the server ends */
#define REFUSED_RETRY_SECONDS "5"

/* --- states --- */

/* As drawn in connection.h; any state may become CLOSED. */
void http_connection_set_state(struct http_connection *c, enum http_connection_state state)
{
	static const unsigned allowed[] = {
		[HTTP_STATE_HEAD] = 1U << HTTP_STATE_BODY | 1U << HTTP_STATE_WORK | 1U << HTTP_STATE_WRITE,
		[HTTP_STATE_BODY] = 1U << HTTP_STATE_WORK | 1U << HTTP_STATE_WRITE,
		[HTTP_STATE_WORK] = 1U << HTTP_STATE_BODY | 1U << HTTP_STATE_WRITE | 1U << HTTP_STATE_WORK,
		[HTTP_STATE_WRITE] = 1U << HTTP_STATE_HEAD | 1U << HTTP_STATE_BODY | 1U << HTTP_STATE_LINGER,
		[HTTP_STATE_LINGER] = 0,
		[HTTP_STATE_CLOSED] = 1U << HTTP_STATE_CLOSED,
	};

	if (state != HTTP_STATE_CLOSED)
		INVARIANT_STEP(allowed, c->state, state);
	c->state = state;
}

static void begin_head(struct http_connection *c)
{
	if (c->state != HTTP_STATE_HEAD) /* a new one begins there */
		http_connection_set_state(c, HTTP_STATE_HEAD);
	c->since_us = c->server->clock_us;
	c->begun = false;
	c->has_pass = false;
	http_server_set_idle(c->server, c, true);
	c->scan = (struct http_head_scan){ .spare = c->server->relay_key ? HTTP_RELAY_BYTES : 0 };
}

/* RFC 9112, 9.6: closing at once while bytes are unread would have the kernel send a reset, which may overtake the
 * answer. */
static void begin_linger(struct http_connection *c)
{
	http_connection_set_state(c, HTTP_STATE_LINGER);
	c->since_us = c->server->clock_us;
	http_transport_shut(c);
}

static void end_at_once(struct http_connection *c)
{
	http_transport_shut(c);
	http_connection_close(c);
}

static bool step_head(struct http_connection *c)
{
	struct evbuffer *input = bufferevent_get_input(c->bev);
	size_t limit = (size_t)c->server->config->header_max, most = limit + c->scan.spare;
	size_t len = http_connection_received(c);
	struct http_fault fault;

	if (len == 0) {
		if (c->end_of_input)
			http_connection_close(c);
		return false;
	}
	if (!c->begun) {
		c->begun = true;
		http_server_set_idle(c->server, c, false);
		c->since_us = c->server->clock_us;
	}
	if (c->watermark < most)
		c->watermark = most;
	if (len > most)
		len = most;
	struct str data = { (const char *)evbuffer_pullup(input, (ev_ssize_t)len), len };
	enum http_scan found = data.p ? http_head_end(&c->scan, data, limit, &fault) : HTTP_SCAN_MORE;

	if (found == HTTP_SCAN_DONE) {
		http_dispatch(c, (struct str){ data.p + c->scan.skipped, c->scan.line - c->scan.skipped });
		return true;
	}
	if (found == HTTP_SCAN_FAULT)
		http_connection_fail(c, &fault);
	else if (c->end_of_input || !data.p)
		http_connection_close(c);
	return found == HTTP_SCAN_FAULT;
}

static bool step_write(struct http_connection *c)
{
	if (c->outlet.is_open) {
		http_outlet_step(c);
		return c->state == HTTP_STATE_WRITE && !c->outlet.is_open;
	}
	if (c->is_gathered || evbuffer_get_length(bufferevent_get_output(c->bev)) > 0)
		return false;
	http_unread_end(c);
	if (c->file.is_open && !http_file_step(c))
		return false;
	if (!c->keep_alive || c->server->draining) {
		if ((c->content.finished && http_connection_received(c) == 0) || c->end_of_input)
			end_at_once(c);
		else
			begin_linger(c);
	} else if (!c->content.finished) {
		http_intake_begin(c);
	} else {
		begin_head(c);
	}
	return true;
}

static bool step_linger(struct http_connection *c)
{
	evbuffer_drain(bufferevent_get_input(c->bev), http_connection_received(c));
	if (c->end_of_input)
		http_connection_close(c);
	return false;
}

/* In WORK it is the handler's turn. The end of input changes nothing then: a client that has shut its side after the
 * request still waits for the answer. */
static bool step_wait(struct http_connection *c)
{
	(void)c;
	return false;
}

/* Each advances its state as far as it can; true if the next state can run at once. */
static bool (*const steps[])(struct http_connection *c) = {
	[HTTP_STATE_HEAD] = step_head,   [HTTP_STATE_BODY] = http_intake_step, [HTTP_STATE_WORK] = step_wait,
	[HTTP_STATE_WRITE] = step_write, [HTTP_STATE_LINGER] = step_linger,    [HTTP_STATE_CLOSED] = step_wait,
};

static void connection_free(struct http_connection *c)
{
	event_del(&c->resume);
	http_gather_forget(c);
	http_intake_leave(c);
	http_file_end(c);
	http_outlet_forget(c);
	http_unread_end(c);
	http_content_free(&c->content);
	bufferevent_free(c->bev);
	http_server_remove(c->server, c);
	free(c);
}

/* Stops reading at the watermark, or at most a piece after it. False when reading cannot continue. */
static bool hold_reading(struct http_connection *c)
{
	bool full = http_connection_received(c) >= c->watermark;

	if (full == c->held)
		return true;
	c->held = full;
	return full ? bufferevent_disable(c->bev, EV_READ) == 0 : bufferevent_enable(c->bev, EV_READ) == 0;
}

void http_connection_run(struct http_connection *c)
{
	uint64_t last = c->server->stats.requests + REQUESTS_PER_TURN;

	if (c->running)
		return;
	c->running = true;
	while (steps[c->state](c)) {
		if (c->server->stats.requests >= last) {
			http_connection_run_later(c);
			break;
		}
	}
	c->running = false;
	if (c->state != HTTP_STATE_CLOSED && !hold_reading(c)) {
		log_warn("http", "out of memory for a connection");
		http_connection_close(c);
	}
	if (c->state == HTTP_STATE_CLOSED)
		connection_free(c);
}

void http_connection_run_later(struct http_connection *c)
{
	static const struct timeval now = { 0, 0 };

	/* A timer of zero, not event_active: an active event runs before the loop looks at sockets again. */
	if (evtimer_add(&c->resume, &now) < 0)
		log_error("http", "cannot add a timer, a connection will time out");
}

void http_connection_close(struct http_connection *c)
{
	struct http_request *request = c->request;
	bool in_body = c->state == HTTP_STATE_BODY;

	http_server_set_idle(c->server, c, false);
	http_connection_set_state(c, HTTP_STATE_CLOSED);
	c->request = NULL;
	if (!request)
		return;
	http_stats_count(request, HTTP_STATUS_GONE, 0);
	if (in_body && request->stream.on_abort)
		request->stream.on_abort(request->stream_arg);
	else if (request->on_close)
		request->on_close(request->on_close_arg);
	http_request_release(request);
}

void http_connection_fail(struct http_connection *c, const struct http_fault *fault)
{
	if (!c->request)
		c->request = http_request_take(c);
	http_server_set_idle(c->server, c, false); /* a refused request has not begun */
	c->keep_alive = false;
	c->content.finished = false;
	if (c->request)
		http_reply_fault(c->request, fault);
	else
		http_connection_close(c);
}

/* Bytes of the answer that the kernel has not taken. */
static uint64_t unsent(const struct http_connection *c)
{
	return evbuffer_get_length(bufferevent_get_output(c->bev)) + c->file.left;
}

/* Bytes that the kernel has taken and the client has not. */
static int unacknowledged(const struct http_connection *c)
{
	int bytes = 0;

	return ioctl(bufferevent_getfd(c->bev), SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

void http_connection_note_sending(struct http_connection *c)
{
	c->since_us = c->server->clock_us;
	c->unsent = unsent(c);
	c->unacknowledged = -1; /* what was asked before is of less than is there now */
}

void http_connection_answered(struct http_connection *c)
{
	c->request = NULL;
	c->continue_owed = false;
	if (c->state != HTTP_STATE_CLOSED) {
		http_connection_set_state(c, HTTP_STATE_WRITE);
		http_connection_note_sending(c);
	}
	if (c->running)
		return;
	/* A handler has answered from an event of its own, whose caller may still hold pointers to this request: the
	 * next one must wait. */
	http_connection_run_later(c);
}

/* --- timeouts --- */

static int64_t timeout_us(const struct http_connection *c)
{
	const struct config *config = c->server->config;

	switch (c->state) {
	case HTTP_STATE_HEAD:
		if (c->server->draining && !c->begun)
			return LAST_HEAD_US;
		return c->begun || c->is_handshaking ? config->header_timeout : config->idle_timeout;
	case HTTP_STATE_BODY:
		return http_body_is_held(c) ? INT64_MAX / 2 : config->body_timeout;
	case HTTP_STATE_WRITE:
		return config->write_timeout;
	case HTTP_STATE_LINGER:
		return LINGER_US;
	default:
		return INT64_MAX / 2;
	}
}

static void time_out(struct http_connection *c)
{
	struct http_fault fault;
	bool answerable = (c->state == HTTP_STATE_HEAD && c->begun) || (c->state == HTTP_STATE_BODY && c->request);

	http_fault_set(&fault, 408, "The request did not arrive in time.");
	if (!answerable)
		http_connection_close(c);
	else if (c->state == HTTP_STATE_HEAD)
		http_connection_fail(c, &fault);
	else
		http_intake_fail(c, &fault);
	http_connection_run(c);
}

/* The kernel takes an answer in large steps: a slow client may need longer than the timeout for one and still make
 * progress. */
static bool client_makes_progress(struct http_connection *c)
{
	int before = c->unacknowledged;

	c->unacknowledged = unacknowledged(c);
	return c->unacknowledged < before;
}

static void note_progress(struct http_connection *c)
{
	uint64_t left = unsent(c);

	if (left < c->unsent) {
		c->since_us = c->server->clock_us;
		c->unacknowledged = -1;
	} else if (c->outlet.is_open && left == 0) {
		c->since_us = c->server->clock_us; /* more of the answer has yet to come */
	} else if (c->unacknowledged < 0) {
		c->unacknowledged = unacknowledged(c);
	}
	c->unsent = left;
}

void http_connection_check_timeout(struct http_connection *c)
{
	if (c->state == HTTP_STATE_WRITE)
		note_progress(c);
	/* The clock may be up to a tick late when a state begins. */
	if (c->server->clock_us - c->since_us <= timeout_us(c) + HTTP_TICK_US)
		return;
	if (c->state == HTTP_STATE_WRITE && client_makes_progress(c))
		c->since_us = c->server->clock_us;
	else
		time_out(c);
}

/* --- events --- */

static void on_read(struct bufferevent *bev, void *arg)
{
	struct http_connection *c = arg;

	(void)bev;
	if (c->state == HTTP_STATE_BODY && c->request)
		c->since_us = c->server->clock_us;
	http_connection_run(c);
}

static void on_written(struct bufferevent *bev, void *arg)
{
	(void)bev;
	http_connection_run(arg);
}

/* The handshake has succeeded, or will not. */
static void end_handshake(struct http_connection *c, bool is_right)
{
	c->is_handshaking = false;
	c->since_us = c->server->clock_us;
	if (is_right) {
		c->server->stats.tls_handshakes++;
	} else {
		c->server->stats.tls_failures++;
		http_transport_refuse_cleartext(c);
	}
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct http_connection *c = arg;
	bool was_handshaking = c->is_handshaking;

	(void)bev;
	if (was_handshaking)
		end_handshake(c, what & BEV_EVENT_CONNECTED);
	if (what & BEV_EVENT_CONNECTED)
		return;
	c->end_of_input = true;
	/* Without on_close the handler has not said how to stop it: we wait for its answer and drop it. */
	if (was_handshaking || (what & BEV_EVENT_ERROR && (c->state != HTTP_STATE_WORK || c->request->on_close)))
		http_connection_close(c);
	else if (what & BEV_EVENT_EOF && !http_transport_keep_sending(c))
		http_connection_close(c);
	http_connection_run(c);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	http_connection_run(arg);
}

static struct http_connection *connection_new(const struct http_listener *from, evutil_socket_t fd)
{
	struct http_server *server = from->server;
	struct http_connection *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->server = server;
	c->bev = http_transport_open(c, from, fd);
	if (!c->bev) {
		free(c);
		return NULL;
	}
	c->watermark = RECEIVED_MAX;
	c->content.finished = true;
	evtimer_assign(&c->resume, server->base, on_resume, c);
	bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
	bufferevent_set_max_single_write(c->bev, WRITE_AT_ONCE_MAX);
	http_server_add(server, c);
	begin_head(c);
	return c;
}

static void refuse(struct http_connection *c)
{
	struct http_fault fault;

	http_fault_set(&fault, 503, "There are too many connections; try again later.");
	c->request = http_request_take(c);
	if (c->request)
		http_reply_header(c->request, "Retry-After", REFUSED_RETRY_SECONDS);
	http_connection_fail(c, &fault);
}

void http_connection_accept(const struct http_listener *from, evutil_socket_t fd, const struct ip *ip,
                            bool is_from_proxy, bool refused)
{
	struct http_connection *c = connection_new(from, fd);

	if (!c) {
		log_warn("http", "out of memory for a connection");
		evutil_closesocket(fd);
		return;
	}
	c->ip = *ip;
	c->is_from_proxy = is_from_proxy;
	if (bufferevent_enable(c->bev, EV_READ) != 0) {
		log_warn("http", "out of memory for a connection");
		http_connection_close(c);
	} else if (refused) {
		refuse(c);
	}
	http_connection_run(c);
}
