/* SPDX-License-Identifier: ISC */
/*
 * session.h: one connection to the admin socket; private to admin/.
 *
 * A session reads a line, runs its command and writes the answer, then reads the next one. While a command runs it
 * reads at most READ_AHEAD bytes; the next command waits until the client has read its answer. But an import whose body has
 * ended does not hold up the next import (admin_reply_leave): their answers come in the order of the requests all the same. A
 * session is only ever freed from its own events or with the whole server, never from within a handler's call.
 */
#ifndef CDRD_ADMIN_SESSION_H
#define CDRD_ADMIN_SESSION_H

#include <sys/queue.h>
#include <sys/types.h>

#include "admin/command.h"
#include "admin/server.h"
#include "admin/tree.h"
#include "base/buf.h"
#include "meta/account.h"

#define SESSION_LINE_MAX ((size_t)1 << 20)
#define SESSION_PIECE_MAX ((size_t)64 << 10)

struct session;

/* The body of the current command: chunks of a 4-byte big-endian length and so many bytes, the last of length 0. */
struct session_body {
	const struct admin_body *handler; /* NULL: it has none */
	void *arg;
	uint32_t chunk_left;
	bool held; /* for now */
	bool ended;
};

struct admin_reply {
	TAILQ_ENTRY(admin_reply) link; /* once it is left */
	struct session *session;
	bool is_answered;  /* it is left, and `result` is its whole line, which waits for those before it */
	bool open;         /* a command is running */
	const char *words; /* of that command */
	struct tree *request;
	struct args_synopsis synopsis;
	struct args args;

	struct buf result; /* the whole line, from {"ok": on */
	struct json result_json;
	bool result_begun;
	struct json progress_json;
	int64_t progress_us; /* when the last progress line was due, on the monotonic clock */

	void (*on_close)(void *arg);
	void *on_close_arg;
	bool later_waits; /* for the client to have read all */
	void (*later)(void *arg, int64_t deadline_us);
	void *later_arg;
	struct session_body body;
};

/* Who is at the other end: a process, or an operator, whose requests come by HTTP (call.h). */
struct session_peer {
	uid_t uid;
	pid_t pid;
	char operator_name[PRODUCER_NAME_MAX + 1]; /* "" for a process */
};

struct session {
	TAILQ_ENTRY(session) link;
	struct admin *admin;
	int fd;
	struct session_peer peer;
	struct event *read_event;
	struct event *write_event;
	struct event *work_event; /* the next turn: the next command, or the end */
	struct task task;         /* what handlers left for later */

	struct buf in;
	size_t scanned; /* bytes of `in` known to have no line end */
	bool end_of_input;
	bool gone; /* and the client no longer reads */
	struct buf out;
	bool broken;         /* nothing can be written */
	bool close_when_out; /* when `out` is empty */

	struct admin_reply *reply;      /* of the command that runs, or will next */
	TAILQ_HEAD(, admin_reply) left; /* of those before it that are not answered, in order */
	bool waits_for_left;            /* the next command may not overtake them */
};

/* Takes over fd. If `refusal` is not NULL, it is sent and the connection closed. Closes fd when there is no memory. */
void session_open(struct admin *admin, int fd, const struct session_peer *peer, const struct error *refusal);

/* Calls on_close of the current command, then frees the session. */
void session_close(struct session *session);

/* Schedules work for the next turn. */
void session_wake(struct session *session);

/* Writes what it can of `out`; the rest is written when the socket is ready. */
void session_flush(struct session *session);

/* --- session_reply.c --- */

/* Answers with an error before any handler: the client may be out of step with us. */
void session_refuse(struct session *session, const struct error *err);

/* Ends the reply without an answer. */
void session_reply_drop(struct admin_reply *reply);

/* Drops it and frees it; takes it out of those that are left. Does nothing on NULL. */
void session_reply_free(struct admin_reply *reply);

/* --- session_request.c --- */

/* Runs the command of a line; there is a NUL after it. False: its turn comes when those that are left are answered. */
MUST_CHECK bool session_request_run(struct session *session, struct str line);

#endif
