/* SPDX-License-Identifier: ISC */
/*
 * postgresql.c: the connection: how it is made and lost, and who waits for what is sent over it (pipeline.h), a caller or the
 * loop. See postgresql.h.
 */
#include "postgresql/postgresql.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "postgresql/pipeline.h"

#define RETRY_US CLOCK_US_PER_SECOND
#define STATEMENT_TIMEOUT_MS 600000 /* the server notices earlier that nobody waits for it any more */
#define PATIENCE_US_PER_BYTE 1      /* more, for what is sent: an import of accounts may be of many megabytes */

struct postgresql {
	char *connection, *password, *options;
	int64_t timeout_us;
	PGconn *conn;       /* or NULL */
	bool is_connecting; /* on the loop */
	bool was_refused;
	bool is_doubted; /* it was too slow to answer: it is probed on the loop before anything waits for it again */
	bool is_probing;
	const char *probe;
	char why[256];
	int64_t lost_us;         /* monotonic: when the last connection was */
	bool is_not_found;       /* none could be made since */
	struct event_base *base; /* or NULL: not watched */
	struct event *socket;    /* of the connection, on the loop; or NULL */
	struct event *retry, *deadline;

	/* what was sent and is answered from the loop */
	bool is_pending;
	struct postgresql_statement sent;
	struct pipeline_reading reading;
	postgresql_ended_fn ended;
	void *arg;
};

bool postgresql_is_built(void)
{
	return true;
}

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_NOMEM, "PostgreSQL: out of memory");
}

/* What libpq says of it quotes it, and it may have a password. */
int postgresql_check(const char *connection, struct error *err)
{
	PQconninfoOption *options = PQconninfoParse(connection, NULL);
	int result =
		options ? 0 :
			  error_set(err, ERROR_INVALID,
	                            "not a connection string of PostgreSQL: must be as \"hostaddr=10.0.0.9 dbname=cdrd "
	                            "user=cdrd\", with ' around a value that has spaces, or a URL");

	PQconninfoFree(options);
	return result;
}

/* --- its life --- */

/* What a session is set to; what the connection string says comes later, and wins. */
static int write_options(struct postgresql *postgresql, struct error *err)
{
	PQconninfoOption *given = PQconninfoParse(postgresql->connection, NULL);
	int timeout_ms = (int)(postgresql->timeout_us / 1000);
	struct buf text = { 0 };

	buf_addf(&text,
	         "-c statement_timeout=%d -c lock_timeout=%d -c idle_in_transaction_session_timeout=%d "
	         "-c client_connection_check_interval=%d -c synchronous_commit=on -c client_min_messages=error",
	         STATEMENT_TIMEOUT_MS, timeout_ms, 2 * timeout_ms, timeout_ms);
	for (const PQconninfoOption *option = given; option && option->keyword; option++)
		if (strcmp(option->keyword, "options") == 0 && option->val)
			buf_addf(&text, " %s", option->val);
	PQconninfoFree(given);
	postgresql->options = buf_cstr(&text) ? strdup(text.data) : NULL;
	buf_free(&text);
	return postgresql->options ? 0 : out_of_memory(err);
}

struct postgresql *postgresql_new(const struct postgresql_options *options, struct error *err)
{
	struct postgresql *postgresql = calloc(1, sizeof(*postgresql));

	if (!postgresql) {
		(void)out_of_memory(err);
		return NULL;
	}
	postgresql->connection = strdup(options->connection);
	postgresql->password = strdup(options->password);
	postgresql->timeout_us = options->timeout_us;
	postgresql->probe = options->probe;
	str_copy(postgresql->why, sizeof(postgresql->why), "PostgreSQL: not connected yet");
	if (postgresql->connection && postgresql->password && write_options(postgresql, err) == 0)
		return postgresql;
	if (!postgresql->connection || !postgresql->password)
		(void)out_of_memory(err);
	postgresql_free(postgresql);
	return NULL;
}

static void free_event(struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
}

static void close_connection(struct postgresql *postgresql)
{
	free_event(&postgresql->socket);
	if (postgresql->deadline)
		evtimer_del(postgresql->deadline);
	PQfinish(postgresql->conn);
	postgresql->conn = NULL;
	postgresql->is_connecting = postgresql->is_probing = false;
}

void postgresql_free(struct postgresql *postgresql)
{
	if (!postgresql)
		return;
	close_connection(postgresql);
	free_event(&postgresql->retry);
	free_event(&postgresql->deadline);
	free(postgresql->connection);
	free(postgresql->password);
	free(postgresql->options);
	free(postgresql);
}

/* What was pending ends with the error. */
static void end_pending(struct postgresql *postgresql, const struct error *err)
{
	if (!postgresql->is_pending)
		return;
	postgresql->is_pending = false;
	if (postgresql->deadline)
		evtimer_del(postgresql->deadline);
	postgresql->ended(postgresql->arg, err);
}

void postgresql_drop(struct postgresql *postgresql, const struct error *why)
{
	struct timeval delay = clock_timeval(RETRY_US);
	struct error err = *why;

	if (strncmp(postgresql->why, err.message, sizeof(postgresql->why) - 1) != 0)
		log_warn("postgresql", "%s", err.message);
	str_cut(postgresql->why, sizeof(postgresql->why), err.message);
	postgresql->is_not_found = !postgresql_is_connected(postgresql);
	if (!postgresql->is_not_found)
		postgresql->lost_us = clock_monotonic_us();
	close_connection(postgresql);
	end_pending(postgresql, &err);
	if (postgresql->retry)
		evtimer_add(postgresql->retry, &delay);
}

bool postgresql_is_connected(const struct postgresql *postgresql)
{
	return postgresql->conn && !postgresql->is_connecting && !postgresql->is_probing;
}

bool postgresql_is_away(const struct postgresql *postgresql, int64_t before_us)
{
	return !postgresql_is_connected(postgresql) && (postgresql->is_not_found || postgresql->lost_us < before_us);
}

bool postgresql_was_refused(const struct postgresql *postgresql)
{
	return postgresql->was_refused;
}

const char *postgresql_why(const struct postgresql *postgresql)
{
	return postgresql_is_connected(postgresql) ? "" : postgresql->why;
}

/* --- connecting --- */

static PGconn *start_connecting(const struct postgresql *postgresql)
{
	const char *keywords[] = { "fallback_application_name",
		                   "keepalives_idle",
		                   "keepalives_interval",
		                   "tcp_user_timeout",
		                   "dbname",
		                   "options",
		                   postgresql->password[0] ? "password" : NULL,
		                   NULL };
	const char *values[] = {
		"cdrd", "5", "2", "10000", postgresql->connection, postgresql->options, postgresql->password, NULL
	};

	return PQconnectStartParams(keywords, values, 1);
}

static int take_connected(struct postgresql *postgresql, struct error *err)
{
	if (PQsetnonblocking(postgresql->conn, 1) != 0 || !PQenterPipelineMode(postgresql->conn))
		return libpq_fail(err, "connect", PQerrorMessage(postgresql->conn));
	postgresql->is_connecting = false;
	return 0;
}

static void set_connected(struct postgresql *postgresql)
{
	postgresql->is_doubted = postgresql->is_probing = false;
	postgresql->why[0] = '\0';
}

/* Waits for the socket: 0, or -1 when the time is over. */
static int wait_for_socket(const struct postgresql *postgresql, short events, int64_t deadline_us, struct error *err)
{
	struct pollfd socket = { .fd = PQsocket(postgresql->conn), .events = events };

	for (;;) {
		int64_t left_us = deadline_us - clock_monotonic_us();
		int ready = left_us > 0 ? poll(&socket, 1, (int)(left_us / 1000) + 1) : 0;

		if (ready > 0)
			return 0;
		if (ready == 0)
			return error_set(err, ERROR_UNAVAILABLE, "PostgreSQL: no answer within %lld ms",
			                 (long long)(postgresql->timeout_us / 1000));
		if (errno != EINTR)
			return error_set(err, ERROR_UNAVAILABLE, "PostgreSQL: poll: %s", strerror(errno));
	}
}

static int connect_and_wait(struct postgresql *postgresql, struct error *err)
{
	int64_t deadline_us = clock_monotonic_us() + postgresql->timeout_us;

	postgresql->conn = start_connecting(postgresql);
	postgresql->is_connecting = true;
	if (!postgresql->conn)
		return out_of_memory(err);
	if (PQstatus(postgresql->conn) == CONNECTION_BAD)
		return libpq_fail(err, "connect", PQerrorMessage(postgresql->conn));
	for (PostgresPollingStatusType state = PGRES_POLLING_WRITING; state != PGRES_POLLING_OK;
	     state = PQconnectPoll(postgresql->conn)) {
		if (state == PGRES_POLLING_FAILED)
			return libpq_fail(err, "connect", PQerrorMessage(postgresql->conn));
		if (wait_for_socket(postgresql, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_us, err) !=
		    0)
			return -1;
	}
	return take_connected(postgresql, err);
}

static int watch_socket(struct postgresql *postgresql, short what, event_callback_fn fn, struct error *err);
static void on_readable(evutil_socket_t fd, short what, void *arg);

int postgresql_connect(struct postgresql *postgresql, struct error *err)
{
	if (postgresql_is_connected(postgresql))
		return 0;
	close_connection(postgresql);
	int result = connect_and_wait(postgresql, err);
	if (result == 0 && postgresql->base)
		result = watch_socket(postgresql, EV_READ | EV_PERSIST, on_readable, err);
	if (result != 0)
		postgresql_drop(postgresql, err);
	else
		set_connected(postgresql);
	return result;
}

/* --- connecting, on the loop --- */

static int watch_socket(struct postgresql *postgresql, short what, event_callback_fn fn, struct error *err)
{
	free_event(&postgresql->socket);
	postgresql->socket = event_new(postgresql->base, PQsocket(postgresql->conn), what, fn, postgresql);
	if (!postgresql->socket || event_add(postgresql->socket, NULL) != 0)
		return out_of_memory(err);
	return 0;
}

static int send_watched(struct postgresql *postgresql, const struct postgresql_statement *statement,
                        postgresql_ended_fn ended, void *arg, struct error *err);

static void on_probed(void *arg, const struct error *err)
{
	struct postgresql *postgresql = arg;

	if (err && postgresql->conn) {
		postgresql_drop(postgresql, err);
	} else if (!err) {
		set_connected(postgresql);
		log_info("postgresql", "connected again");
	}
}

/* A server that was too slow may be so again. */
static int probe(struct postgresql *postgresql, struct error *err)
{
	struct postgresql_statement statement = { .sql = postgresql->probe };

	if (!postgresql->is_doubted || !postgresql->probe) {
		on_probed(postgresql, NULL);
		return 0;
	}
	postgresql->is_probing = true;
	return send_watched(postgresql, &statement, on_probed, postgresql, err);
}

static void on_connecting(evutil_socket_t fd, short what, void *arg)
{
	struct postgresql *postgresql = arg;

	PostgresPollingStatusType state = PQconnectPoll(postgresql->conn);
	struct error err;
	int result;

	(void)fd;
	(void)what;
	if (state == PGRES_POLLING_OK) {
		evtimer_del(postgresql->deadline);
		result = take_connected(postgresql, &err);
		if (result == 0)
			result = watch_socket(postgresql, EV_READ | EV_PERSIST, on_readable, &err);
		if (result == 0)
			result = probe(postgresql, &err);
	} else if (state == PGRES_POLLING_FAILED) {
		result = libpq_fail(&err, "connect", PQerrorMessage(postgresql->conn));
	} else {
		result = watch_socket(postgresql, state == PGRES_POLLING_READING ? EV_READ : EV_WRITE, on_connecting,
		                      &err);
	}
	if (result != 0)
		postgresql_drop(postgresql, &err);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct postgresql *postgresql = arg;
	struct timeval patience = clock_timeval(postgresql->timeout_us);
	struct error err;
	int result = 0;

	(void)fd;
	(void)what;
	if (postgresql->conn)
		return;
	postgresql->conn = start_connecting(postgresql);
	postgresql->is_connecting = true;
	if (!postgresql->conn)
		result = out_of_memory(&err);
	else if (PQstatus(postgresql->conn) == CONNECTION_BAD)
		result = libpq_fail(&err, "connect", PQerrorMessage(postgresql->conn));
	else
		result = watch_socket(postgresql, EV_WRITE, on_connecting, &err);
	if (result != 0)
		postgresql_drop(postgresql, &err);
	else
		evtimer_add(postgresql->deadline, &patience);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct postgresql *postgresql = arg;
	struct error err;

	(void)fd;
	(void)what;
	error_set(&err, ERROR_UNAVAILABLE, "PostgreSQL: no answer within %lld ms",
	          (long long)(postgresql->timeout_us / 1000));
	postgresql->is_doubted = true;
	postgresql_drop(postgresql, &err);
}

int postgresql_watch(struct postgresql *postgresql, struct event_base *base, struct error *err)
{
	postgresql->base = base;
	postgresql->retry = evtimer_new(base, on_retry, postgresql);
	postgresql->deadline = evtimer_new(base, on_deadline, postgresql);
	if (!postgresql->retry || !postgresql->deadline)
		return out_of_memory(err);
	if (postgresql_is_connected(postgresql))
		return watch_socket(postgresql, EV_READ | EV_PERSIST, on_readable, err);
	on_retry(-1, 0, postgresql);
	return 0;
}

/* --- statements that are waited for --- */

static int64_t deadline_of(const struct postgresql *postgresql, const struct pipeline_reading *reading)
{
	int64_t deadline_us = clock_monotonic_us() + postgresql->timeout_us;

	for (size_t i = 0; i < reading->count; i++)
		for (int at = 0; at < reading->statements[i].parameters_count; at++)
			deadline_us += PATIENCE_US_PER_BYTE * (int64_t)reading->statements[i].parameters[at].len;
	return deadline_us;
}

/* Sends what is still in libpq's memory, and reads up to the synchronisation point. */
static int finish(struct postgresql *postgresql, struct pipeline_reading *reading, int64_t deadline_us,
                  struct error *err)
{
	for (;;) {
		int unsent = PQflush(postgresql->conn);
		int result = unsent < 0 ? libpq_fail(err, "send", PQerrorMessage(postgresql->conn)) :
		                          pipeline_read(postgresql->conn, reading, err);

		if (result != 0)
			return result < 0 ? -1 : 0;
		if (wait_for_socket(postgresql, (short)(POLLIN | (unsent ? POLLOUT : 0)), deadline_us, err) != 0) {
			postgresql->is_doubted = true;
			return -1;
		}
	}
}

/* What is pending is answered first; and what whoever is told of that has sent then, as its answer comes before any other. */
static int finish_pending(struct postgresql *postgresql, int64_t deadline_us, struct error *err)
{
	while (postgresql->is_pending) {
		if (finish(postgresql, &postgresql->reading, deadline_us, err) != 0)
			return -1;
		struct error failure = postgresql->reading.err;
		end_pending(postgresql, failure.code != ERROR_NONE ? &failure : NULL);
	}
	return 0;
}

int postgresql_exchange(struct postgresql *postgresql, const struct postgresql_statement *statements, size_t count,
                        struct error *err)
{
	struct pipeline_reading reading = { .statements = statements, .count = count };

	postgresql->was_refused = false;
	if (!postgresql_is_connected(postgresql))
		return error_set(err, ERROR_UNAVAILABLE, "%s", postgresql->why);
	int64_t deadline_us = deadline_of(postgresql, &reading);
	if (finish_pending(postgresql, deadline_us, err) != 0 ||
	    pipeline_send(postgresql->conn, statements, count, err) != 0 ||
	    finish(postgresql, &reading, deadline_us, err) != 0) {
		postgresql_drop(postgresql, err);
		return -1;
	}
	if (reading.err.code == ERROR_NONE)
		return 0;
	postgresql->was_refused = reading.is_refused;
	postgresql->is_doubted |= reading.is_late;
	*err = reading.err;
	postgresql_drop(postgresql, err);
	return -1;
}

/* --- statements, on the loop --- */

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct postgresql *postgresql = arg;
	struct pipeline_reading nothing = { .statements = NULL };
	struct error err;

	(void)fd;
	(void)what;
	bool is_pending = postgresql->is_pending;
	int done = PQflush(postgresql->conn) < 0 ?
	                   libpq_fail(&err, "send", PQerrorMessage(postgresql->conn)) :
	                   pipeline_read(postgresql->conn, is_pending ? &postgresql->reading : &nothing, &err);
	if (done < 0) {
		postgresql_drop(postgresql, &err);
	} else if (done > 0 && is_pending) {
		err = postgresql->reading.err;
		end_pending(postgresql, err.code != ERROR_NONE ? &err : NULL);
	}
}

static int send_watched(struct postgresql *postgresql, const struct postgresql_statement *statement,
                        postgresql_ended_fn ended, void *arg, struct error *err)
{
	struct timeval patience = clock_timeval(postgresql->timeout_us);

	postgresql->sent = *statement;
	postgresql->reading = (struct pipeline_reading){ .statements = &postgresql->sent, .count = 1 };
	if (pipeline_send(postgresql->conn, statement, 1, err) != 0)
		return -1;
	if (PQflush(postgresql->conn) < 0)
		return libpq_fail(err, "send", PQerrorMessage(postgresql->conn));
	postgresql->is_pending = true;
	postgresql->ended = ended;
	postgresql->arg = arg;
	evtimer_add(postgresql->deadline, &patience);
	return 0;
}

int postgresql_send(struct postgresql *postgresql, const struct postgresql_statement *statement,
                    postgresql_ended_fn ended, void *arg)
{
	struct error err;

	if (!postgresql_is_connected(postgresql) || postgresql->is_pending || !postgresql->base)
		return 0;
	if (send_watched(postgresql, statement, ended, arg, &err) == 0)
		return 1;
	postgresql_drop(postgresql, &err);
	return 0;
}
