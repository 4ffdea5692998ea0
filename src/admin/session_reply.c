/* SPDX-License-Identifier: ISC */
/*
 * session_reply.c: answers. See command.h for the handlers' side.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/audit.h"
#include "admin/session.h"
#include "base/clock.h"
#include "base/log.h"

#define PROGRESS_EVERY_US 200000
#define LOG_TEXT_MAX 512
#define LEFT_MAX 512 /* of all sessions; some 20 kB each, with their batches */

void session_reply_drop(struct admin_reply *reply)
{
	struct session *session = reply->session;

	args_free(&reply->args);
	tree_free(reply->request);
	buf_free(&reply->result);
	*reply = (struct admin_reply){ .session = session };
}

static void take_out(struct admin_reply *reply)
{
	TAILQ_REMOVE(&reply->session->left, reply, link);
	reply->session->admin->left_count--;
}

void session_reply_free(struct admin_reply *reply)
{
	if (!reply)
		return;
	if (reply != reply->session->reply)
		take_out(reply);
	session_reply_drop(reply);
	free(reply);
}

/* False without memory for the session's next one. */
static bool leave(struct admin_reply *reply)
{
	struct session *session = reply->session;
	struct admin_reply *next = calloc(1, sizeof(*next));

	if (!next)
		return false;
	next->session = session;
	session->reply = next;
	TAILQ_INSERT_TAIL(&session->left, reply, link);
	session->admin->left_count++;
	return true;
}

void admin_reply_leave(struct admin_reply *reply)
{
	if (reply->session->admin->left_count < LEFT_MAX)
		(void)leave(reply);
}

/* "not_found": for programs, so without spaces. */
static void write_code(struct json *j, enum error_code code)
{
	char name[32];

	snprintf(name, sizeof(name), "%s", error_code_name(code));
	for (char *c = name; *c; c++)
		if (*c == ' ')
			*c = '_';
	json_text(j, name);
}

/* Writes an answer except its end; `err` is NULL on success. */
static void begin_answer(struct json *j, const struct error *err)
{
	json_object_begin(j);
	json_member_bool(j, "ok", !err);
	if (!err)
		return;
	json_member_text(j, "error", err->message);
	json_key(j, "code");
	write_code(j, err->code);
}

static void write_error(struct buf *out, const struct error *err)
{
	struct json j = json_to(out);

	begin_answer(&j, err);
	json_object_end(&j);
	buf_add_char(out, '\n');
}

static void begin_result(struct admin_reply *reply, const struct error *err)
{
	struct json j = json_to(&reply->result);

	reply->result.max_bytes = ADMIN_RESULT_MAX;
	begin_answer(&j, err);
	json_key(&j, "result");
	reply->result_json = json_to(&reply->result);
	reply->result_begun = true;
}

struct json *admin_reply_result(struct admin_reply *reply)
{
	if (!reply->result_begun)
		begin_result(reply, NULL);
	return &reply->result_json;
}

struct json *admin_reply_result_with_error(struct admin_reply *reply, const struct error *err)
{
	begin_result(reply, err);
	return &reply->result_json;
}

/* Takes over the line's memory if nothing is queued before it, as results can be large. */
static void move_line(struct buf *out, struct buf *line)
{
	if (out->len > 0) {
		buf_add_str(out, buf_str(line));
		out->failed |= line->failed;
		return;
	}
	buf_free(out);
	*out = *line;
	out->max_bytes = 0;
	*line = (struct buf){ 0 };
}

/* Those that wait for no other one any more. */
static void send_left(struct session *session)
{
	struct admin_reply *reply;

	while ((reply = TAILQ_FIRST(&session->left)) && reply->is_answered) {
		move_line(&session->out, &reply->result);
		session_reply_free(reply);
	}
	session->waits_for_left = session->waits_for_left && reply;
}

/* `reply->result` is the line. */
static void send_line(struct admin_reply *reply)
{
	struct session *session = reply->session;

	reply->on_close = NULL;
	/* The rest of a body that is not read would be taken for requests. */
	if (reply->body.handler && !reply->body.ended)
		session->close_when_out = true;
	if (reply == session->reply && TAILQ_EMPTY(&session->left)) {
		move_line(&session->out, &reply->result);
		session_reply_drop(reply);
	} else if (reply != session->reply || leave(reply)) {
		reply->is_answered = true;
		send_left(session);
	} else {
		session->broken = true; /* the line cannot wait for those before it */
	}
	session_flush(session);
	session_wake(session);
}

void admin_reply_error(struct admin_reply *reply, const struct error *err)
{
	if (reply->body.handler)
		reply->session->close_when_out = true;
	buf_free(&reply->result);
	write_error(&reply->result, err);
	send_line(reply);
}

void session_refuse(struct session *session, const struct error *err)
{
	session->close_when_out = true;
	admin_reply_error(session->reply, err);
}

void admin_reply_send(struct admin_reply *reply)
{
	struct json *j = admin_reply_result(reply);
	struct error err;

	if (!j->comma)
		json_null(j);
	buf_add_text(&reply->result, "}\n");
	if (reply->result.failed) {
		error_set(&err, ERROR_LIMIT, "the result has more than %zu bytes, or there is no memory for it",
		          ADMIN_RESULT_MAX);
		admin_reply_error(reply, &err);
		return;
	}
	send_line(reply);
}

void admin_reply_end(struct admin_reply *reply, int result, const struct error *err)
{
	if (result == 0)
		admin_reply_send(reply);
	else
		admin_reply_error(reply, err);
}

void admin_reply_on_close(struct admin_reply *reply, void (*on_close)(void *arg), void *arg)
{
	reply->on_close = on_close;
	reply->on_close_arg = arg;
}

const char *admin_reply_close_reason(const struct admin_reply *reply)
{
	const struct session *session = reply->session;

	if (session->end_of_input || session->broken)
		return "the client went away";
	return session->close_when_out ? "one before it has failed" : "the daemon stops";
}

void admin_reply_later(struct admin_reply *reply, void (*fn)(void *arg, int64_t deadline_us), void *arg)
{
	struct error err;

	reply->later = fn;
	reply->later_arg = arg;
	reply->later_waits = false;
	MAY_FAIL(task_start(&reply->session->task, &err)); /* it is the daemon's own: this cannot fail */
}

bool admin_reply_is_read(const struct admin_reply *reply)
{
	return reply->session->out.len == 0;
}

void admin_reply_when_read(struct admin_reply *reply, void (*fn)(void *arg, int64_t deadline_us), void *arg)
{
	admin_reply_later(reply, fn, arg);
	reply->later_waits = true;
}

struct json *admin_reply_line_begin(struct admin_reply *reply)
{
	struct json *j = &reply->progress_json;

	*j = json_to(&reply->session->out);
	json_object_begin(j);
	return j;
}

void admin_reply_line_end(struct admin_reply *reply, struct str data)
{
	json_object_end(&reply->progress_json);
	buf_add_char(&reply->session->out, '\n');
	buf_add_str(&reply->session->out, data);
	session_flush(reply->session);
}

void admin_reply_body(struct admin_reply *reply, const struct admin_body *body, void *arg)
{
	reply->body = (struct session_body){ .handler = body, .arg = arg };
	session_wake(reply->session);
}

void admin_reply_hold_body(struct admin_reply *reply, bool held)
{
	reply->body.held = held;
	if (!held)
		session_wake(reply->session);
}

bool admin_reply_progress_due(struct admin_reply *reply)
{
	int64_t now_us = clock_monotonic_us();

	/* A line before the answers of those that are left would be taken for one of the first of them. */
	if (reply->session->out.len > 0 || !TAILQ_EMPTY(&reply->session->left) ||
	    now_us - reply->progress_us < PROGRESS_EVERY_US)
		return false;
	reply->progress_us = now_us;
	return true;
}

struct json *admin_reply_progress_begin(struct admin_reply *reply)
{
	struct json *j = admin_reply_line_begin(reply);

	json_key(j, "progress");
	json_object_begin(j);
	return j;
}

void admin_reply_progress_end(struct admin_reply *reply)
{
	json_object_end(&reply->progress_json);
	admin_reply_line_end(reply, (struct str){ NULL, 0 });
}

/* For the log: "uid 0, pid 4711", or "operator jane". */
static void add_peer(struct buf *out, const struct session_peer *peer)
{
	if (peer->operator_name[0])
		buf_addf(out, "operator %s", peer->operator_name);
	else
		buf_addf(out, "uid %u, pid %d", (unsigned)peer->uid, (int)peer->pid);
}

void admin_reply_log(const struct admin_reply *reply, const char *format, ...)
{
	char text[LOG_TEXT_MAX];
	struct buf who = { 0 };
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	add_peer(&who, &reply->session->peer);
	log_info("admin", "%s (%s)", text, buf_cstr(&who) ? who.data : "?");
	buf_free(&who);
	admin_audit(reply, text);
}

uint32_t admin_reply_uid(const struct admin_reply *reply)
{
	return (uint32_t)reply->session->peer.uid;
}

void admin_write_time(struct json *j, int64_t time_us)
{
	struct buf text = { 0 };
	int64_t second_us = time_us - time_us % CLOCK_US_PER_SECOND;

	clock_format_record(&text, second_us);
	json_str(j, buf_str(&text));
	buf_free(&text);
}

void admin_member_time(struct json *j, const char *key, int64_t time_us)
{
	json_key(j, key);
	admin_write_time(j, time_us);
}
