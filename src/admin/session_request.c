/* SPDX-License-Identifier: ISC */
/*
 * session_request.c: from a line to its command. admin.h describes the lines.
 */
#include <string.h>

#include "admin/commands.h"
#include "admin/session.h"
#include "admin/specs.h"
#include "base/log.h"

/* Fills reply->request and *words, which point into it. */
static int parse(struct admin_reply *reply, struct str line, const char **words, struct error *err)
{
	reply->request = tree_parse(line, err);
	if (!reply->request)
		return -1;
	*words = tree_text(tree_get(reply->request, "command"));
	if (!*words)
		return error_set(err, ERROR_INVALID, "the request must be an object with \"command\", a text");
	return 0;
}

static int prepare(struct admin_reply *reply, struct str line, const struct command_spec **spec, struct error *err)
{
	const char *words;

	if (parse(reply, line, &words, err) != 0)
		return -1;
	*spec = command_spec_find(words);
	if (!*spec)
		return error_set(err, ERROR_NOT_FOUND, "\"%.64s\": no such command", words);
	if (args_synopsis_parse(&reply->synopsis, (*spec)->arguments, err) != 0)
		return -1;
	if (args_read_json(&reply->args, &reply->synopsis, tree_get(reply->request, "args"), err) != 0)
		return -1;
	if (args_get(&reply->args, "secret_file"))
		return error_set(err, ERROR_INVALID, "secret_file: files are read by cdrctl; give the secret itself");
	return 0;
}

/* What tells nothing of the catalog. */
static const char *const of_the_daemon[] = {
	"status", "top", "products", "schema clickhouse", "schema postgresql", "log-level", "shutdown"
};

/* Another front end may hold the catalog by now, and know what this one does not. */
static int check_current(const struct session *session, const struct command_spec *spec, struct error *err)
{
	for (size_t i = 0; i < sizeof(of_the_daemon) / sizeof(of_the_daemon[0]); i++)
		if (strcmp(spec->words, of_the_daemon[i]) == 0)
			return 0;
	return meta_check_current(session->admin->context.meta, err);
}

/* May it be run before those before it are answered? */
static bool may_overtake(const struct command_spec *spec)
{
	return strcmp(spec->words, "import") == 0;
}

bool session_request_run(struct session *session, struct str line)
{
	struct admin_reply *reply = session->reply;
	const struct command_spec *spec;
	struct error err;

	if (prepare(reply, line, &spec, &err) != 0 || check_current(session, spec, &err) != 0) {
		session_refuse(session, &err);
		return true;
	}
	if (!TAILQ_EMPTY(&session->left) && !may_overtake(spec)) {
		session_reply_drop(reply);
		return false;
	}
	log_debug("admin", "%s (uid %u, pid %d)", spec->words, (unsigned)session->peer.uid, (int)session->peer.pid);
	reply->open = true;
	reply->words = spec->words;
	command_handlers[spec - command_specs](&session->admin->context, &reply->args, reply);
	return true;
}
