/* SPDX-License-Identifier: ISC */
/*
 * command.h: what a command's handler gets and how it answers; private to admin/.
 *
 * A command is a row in commands.def and a function admin_HANDLER in one of the command_*.c files. Its arguments are
 * already checked against the row's synopsis. It answers once, with admin_reply_send or admin_reply_error, now or in a
 * later turn of the loop; after that, arguments and reply are invalid.
 *
 *	void admin_account_enable(const struct admin_context *context, const struct args *args,
 *	                          struct admin_reply *reply)
 *	{
 *		struct error err;
 *		if (accounts_set_disabled(context->meta, args_get(args, "id"), false, &err) != 0) {
 *			admin_reply_error(reply, &err);
 *			return;
 *		}
 *		admin_reply_send(reply);
 *	}
 *
 * A long command works in slices, as a task (base/task.h): it keeps its state in its own struct, which
 * admin_reply_later passes back to it, reports progress with progress lines, and frees its state in on_close if the
 * client disconnects first; job.h does that for work in steps. cdrctl shows whatever result it gets: an object as lines
 * of keys and values, an array of objects as a table. ctl/render.h says what names of keys mean there.
 */
#ifndef CDRD_ADMIN_COMMAND_H
#define CDRD_ADMIN_COMMAND_H

#include "admin/context.h"
#include "admin/args.h"
#include "base/json.h"

struct admin_reply;

typedef void (*admin_handler_fn)(const struct admin_context *context, const struct args *args,
                                 struct admin_reply *reply);

/* Every row's handler is declared here and is in commands.c's table. */
#define COMMAND(words, handler, arguments, help) \
	void admin_##handler(const struct admin_context *context, const struct args *args, struct admin_reply *reply);
#include "admin/commands.def"
#undef COMMAND

/* --- the answer --- */

/* Where to write the result: one JSON value, at once or in pieces over several turns; nothing written means null. A
 * result over ADMIN_RESULT_MAX bytes becomes an error when it is sent. */
#define ADMIN_RESULT_MAX ((size_t)64 << 20)
struct json *admin_reply_result(struct admin_reply *reply);

/* Use this instead when the work is done and its finding is an error, damage for instance: the answer has both, and
 * cdrctl prints the result and fails. Also ends with admin_reply_send. */
MUST_CHECK struct json *admin_reply_result_with_error(struct admin_reply *reply, const struct error *err);

/* One of these ends it: with the result, or with the error in its place; `end` sends the result if `result` is 0, and
 * otherwise the error. */
void admin_reply_send(struct admin_reply *reply);
void admin_reply_error(struct admin_reply *reply, const struct error *err);
void admin_reply_end(struct admin_reply *reply, int result, const struct error *err);

/* --- answering later --- */

/* on_close is called when the client is gone or the daemon ends the connection: the handler frees its state, and the reply is
 * invalid when it returns. Must be set by every handler that returns without having answered. */
void admin_reply_on_close(struct admin_reply *reply, void (*on_close)(void *arg), void *arg);

/* Within on_close: why, for the log. */
const char *admin_reply_close_reason(const struct admin_reply *reply);

/* Calls fn(arg, deadline_us) in a later turn of the loop, unless the reply has ended by then; it works until about
 * deadline_us of clock_monotonic_us. One at a time. */
void admin_reply_later(struct admin_reply *reply, void (*fn)(void *arg, int64_t deadline_us), void *arg);

/* The same once the client has read everything written to it, so that a slow client costs no memory. */
void admin_reply_when_read(struct admin_reply *reply, void (*fn)(void *arg, int64_t deadline_us), void *arg);
bool admin_reply_is_read(const struct admin_reply *reply);

/* A command-specific line before the answer, which only its client understands: begin an object; write keys and values;
 * end it. `data` follows the line unchanged. */
struct json *admin_reply_line_begin(struct admin_reply *reply);
void admin_reply_line_end(struct admin_reply *reply, struct str data);

/* Is it time for another progress line? A few times a second, and only while the client reads them. */
bool admin_reply_progress_due(struct admin_reply *reply);

/* A progress line: begin, keys and values, end. "done" and "total" (left out if unknown) make cdrctl's bar. */
struct json *admin_reply_progress_begin(struct admin_reply *reply);
void admin_reply_progress_end(struct admin_reply *reply);

/* --- a body after the command's line --- */

/* on_data gets pieces of at most 64 KiB; on_end comes once after the last of them. If the client disconnects first,
 * only on_close is called. Once the handler has answered, none of them is called and the connection is closed. */
struct admin_body {
	void (*on_data)(void *arg, const char *data, size_t len);
	void (*on_end)(void *arg);
};
void admin_reply_body(struct admin_reply *reply, const struct admin_body *body, void *arg);

/* While held, on_data and on_end are not called, and the client is stopped by its socket. */
void admin_reply_hold_body(struct admin_reply *reply, bool held);

/* The body has ended, and all that is missing is the answer: the session's next command is run meanwhile if it is an import.
 * Does nothing where too many are left already. */
void admin_reply_leave(struct admin_reply *reply);

/* --- the log --- */

/* Logs what a command has changed, and for whom: "account abcd1234 disabled (uid 0, pid 4711)". Also writes it to the
 * audit log, so every command that changes something calls this once it is done, before it answers. */
void admin_reply_log(const struct admin_reply *reply, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The user id of the client. */
uint32_t admin_reply_uid(const struct admin_reply *reply);

/* Answers with a name and, unless it was given, the secret that was made for it, which is shown once. */
void admin_reply_credentials(struct admin_reply *reply, const char *name, const char *made);

/* Appends a person's number with all but its ends hidden. */
void admin_mask_number(struct buf *out, const char *number);

/* Writes a time as a text, to the second. */
void admin_write_time(struct json *j, int64_t time_us);
void admin_member_time(struct json *j, const char *key, int64_t time_us);

#endif
