/* SPDX-License-Identifier: ISC */
/*
 * call.c: see call.h.
 *
 * Our end is a bufferevent. Lines of progress are passed over; the answer is the line that begins with {"ok":, and what
 * follows in it is cut out rather than read, as results may be large and only errors need to be understood.
 */
#include "admin/call.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/session.h"
#include "base/bufferevents.h"
#include "base/log.h"

#define SESSIONS_MAX (ADMIN_SESSIONS_MAX / 2) /* the others are left for cdrctl */
#define RESULT_MAX ((size_t)8 << 20)
#define BEGIN_RIGHT "{\"ok\":true,\"result\":"
#define BEGIN_WRONG "{\"ok\":false,"

struct admin_call {
	struct bufferevent *socket;
	struct buf in;
	size_t scanned; /* bytes of `in` that have no line end */
	admin_call_fn fn;
	void *arg;
};

/* --- which commands --- */

#define OPERATOR(words, changes, without) { words, changes, without },
static const struct row {
	const char *words;
	bool changes;
	const char *without;
} rows[] = {
#include "admin/operator_commands.def"
};
#undef OPERATOR

static struct operator_command command_of(const struct row *row)
{
	return (struct operator_command){ command_spec_find(row->words), row->changes, row->without };
}

static bool is_named(const char *words, struct str name)
{
	size_t len = strlen(words);

	if (len != name.len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (name.p[i] != (words[i] == ' ' ? '-' : words[i]))
			return false;
	return true;
}

bool admin_call_find(struct str name, struct operator_command *command)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!is_named(rows[i].words, name))
			continue;
		*command = command_of(&rows[i]);
		return command->spec != NULL;
	}
	return false;
}

void admin_call_each(void (*fn)(void *arg, const struct operator_command *command), void *arg)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct operator_command command = command_of(&rows[i]);

		fn(arg, &command);
	}
}

/* --- the answer --- */

static void call_free(struct admin_call *call)
{
	if (call->socket)
		bufferevent_free(call->socket);
	buf_free(&call->in);
	free(call);
}

void admin_call_cancel(struct admin_call *call)
{
	call_free(call);
}

static void finish(struct admin_call *call, struct str result, const struct error *err)
{
	call->fn(call->arg, result, err);
	call_free(call);
}

static enum error_code code_of(const char *name)
{
	for (int code = ERROR_NONE + 1; code <= ERROR_NOMEM; code++) {
		const char *known = error_code_name((enum error_code)code);
		size_t i = 0;

		/* As they are written for programs: without spaces. */
		while (known[i] && name[i] == (known[i] == ' ' ? '_' : known[i]))
			i++;
		if (!known[i] && !name[i])
			return (enum error_code)code;
	}
	return ERROR_IO;
}

static void finish_wrong(struct admin_call *call, struct str line)
{
	struct error err;
	struct tree *tree = tree_parse(line, &err);
	const char *text = tree_text(tree_get(tree, "error")), *code = tree_text(tree_get(tree, "code"));

	error_set(&err, code ? code_of(code) : ERROR_IO, "%s", text ? text : "the command's answer cannot be read");
	tree_free(tree);
	finish(call, (struct str){ NULL, 0 }, &err);
}

static bool begins_with(struct str line, const char *text)
{
	return line.len >= strlen(text) && memcmp(line.p, text, strlen(text)) == 0;
}

/* False for a line before the answer. The call is gone if it is true. */
static bool take_line(struct admin_call *call, struct str line)
{
	size_t begin = sizeof(BEGIN_RIGHT) - 1;

	if (begins_with(line, BEGIN_RIGHT))
		finish(call, (struct str){ line.p + begin, line.len - begin - 1 }, NULL);
	else if (begins_with(line, BEGIN_WRONG))
		finish_wrong(call, line);
	else
		return false;
	return true;
}

/* Takes the lines that are complete; true if the call is gone. */
static bool take_lines(struct admin_call *call)
{
	struct buf *in = &call->in;
	const char *end;

	while ((end = memchr(in->data + call->scanned, '\n', in->len - call->scanned))) {
		size_t len = (size_t)(end - in->data);

		if (take_line(call, (struct str){ in->data, len }))
			return true;
		buf_drain(in, len + 1);
		call->scanned = 0;
	}
	call->scanned = in->len;
	return false;
}

static void on_read(struct bufferevent *socket, void *arg)
{
	struct evbuffer *from = bufferevent_get_input(socket);
	size_t len = evbuffer_get_length(from);
	struct admin_call *call = arg;
	struct error err;

	if (!buf_reserve(&call->in, len)) {
		error_set(&err, ERROR_LIMIT,
		          "the result has more than %zu bytes, or there is no memory for it: ask for less", RESULT_MAX);
		finish(call, (struct str){ NULL, 0 }, &err);
		return;
	}
	if (len == 0)
		return;
	evbuffer_remove(from, call->in.data + call->in.len, len);
	call->in.len += len;
	(void)take_lines(call);
}

static void on_event(struct bufferevent *socket, short what, void *arg)
{
	struct error err;

	(void)socket;
	(void)what;
	error_set(&err, ERROR_IO, "the command ended without an answer");
	finish(arg, (struct str){ NULL, 0 }, &err);
}

/* --- the request --- */

/* Is it one of these words? */
static bool is_among(const char *words, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = words; len > 0 && (at = strstr(at, name)); at += len)
		if ((at == words || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
			return true;
	return false;
}

static int check_args(const struct operator_command *command, struct str args, struct error *err)
{
	struct tree *tree = args.len > 0 ? tree_parse(args, err) : NULL;
	int result = 0;

	if (args.len == 0)
		return 0;
	if (!tree)
		return -1;
	if (!tree_is(tree, TREE_OBJECT))
		result = error_set(err, ERROR_INVALID, "the arguments must be a JSON object");
	TREE_EACH(member, tree)
	{
		if (result == 0 && is_among(command->without, member->name))
			result = error_set(err, ERROR_INVALID, "%s: only cdrctl has this argument", member->name);
	}
	tree_free(tree);
	return result;
}

static bool send_request(struct admin_call *call, const struct command_spec *spec, struct str args)
{
	struct evbuffer *out = bufferevent_get_output(call->socket);
	struct buf line = { 0 };
	struct json j = json_to(&line);

	json_object_begin(&j);
	json_member_text(&j, "command", spec->words);
	if (args.len > 0) {
		json_key(&j, "args");
		json_raw(&j, args);
	}
	json_object_end(&j);
	/* A line end between the members of an object is white space, but would end the request. */
	for (size_t i = 0; i < line.len; i++)
		if (line.data[i] == '\n')
			line.data[i] = ' ';
	buf_add_char(&line, '\n');
	bool sent = !line.failed && evbuffer_add(out, line.data, line.len) == 0;
	buf_free(&line);
	return sent;
}

/* Opens the session at the other end. */
static bool connect_pair(struct admin_call *call, struct admin *admin, const char *operator_name)
{
	struct session_peer peer = { .uid = geteuid(), .pid = getpid() };
	int ends[2];

	strncpy(peer.operator_name, operator_name, sizeof(peer.operator_name) - 1);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
		return false;
	call->socket = bufferevents_new(admin->context.base, ends[0], NULL, BUFFEREVENT_SSL_OPEN, 0);
	if (!call->socket) {
		close(ends[0]);
		close(ends[1]);
		return false;
	}
	session_open(admin, ends[1], &peer, NULL);
	return true;
}

struct admin_call *admin_call_begin(struct admin *admin, const char *operator_name,
                                    const struct operator_command *command, struct str args, admin_call_fn fn,
                                    void *arg, struct error *err)
{
	if (admin->sessions_count >= SESSIONS_MAX) {
		error_set(err, ERROR_LIMIT, "%d commands are under way, at most %d allowed", admin->sessions_count,
		          SESSIONS_MAX);
		return NULL;
	}
	if (check_args(command, args, err) != 0)
		return NULL;
	struct admin_call *call = calloc(1, sizeof(*call));

	if (!call || !connect_pair(call, admin, operator_name) || !send_request(call, command->spec, args) ||
	    bufferevent_enable(call->socket, EV_READ | EV_WRITE) != 0) {
		error_set(err, ERROR_NOMEM, "%s: out of memory or of file descriptors", command->spec->words);
		if (call)
			call_free(call);
		return NULL;
	}
	call->in.max_bytes = RESULT_MAX;
	call->fn = fn;
	call->arg = arg;
	bufferevent_setcb(call->socket, on_read, NULL, on_event, call);
	return call;
}
