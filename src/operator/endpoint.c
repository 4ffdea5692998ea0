/* SPDX-License-Identifier: ISC */
/*
 * endpoint.c: requests of operators as commands of the admin module, and their results as answers. See operator.h.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/call.h"
#include "base/json.h"
#include "operator/operator_private.h"
#include "query/query.h"

#define JSON_TYPE "application/json"
#define RETRY_SECONDS "1"

struct running {
	struct http_request *request;
	struct admin_call *call;
};

/* --- the answer --- */

static void reply_json(struct http_request *request, struct buf *body)
{
	http_reply_header(request, "Cache-Control", "no-store");
	http_reply(request, 200, JSON_TYPE, body);
}

/* Operators may read what the machine says. */
static void reply_wrong(struct http_request *request, const struct error *err)
{
	if (err->code == ERROR_IO)
		http_reply_problem(request, 500, "Internal Server Error", err->message);
	else
		http_reply_error(request, err);
}

static void on_result(void *arg, struct str result, const struct error *err)
{
	struct running *running = arg;
	struct http_request *request = running->request;
	struct buf body = { 0 };

	free(running);
	if (err) {
		reply_wrong(request, err);
	} else if (str_is(result, "null")) {
		http_reply(request, 204, NULL, NULL);
	} else {
		buf_add_str(&body, result);
		reply_json(request, &body);
	}
}

static void on_gone(void *arg)
{
	struct running *running = arg;

	admin_call_cancel(running->call);
	free(running);
}

static void run(struct http_request *request, const struct operator_listener *listener,
                const struct operator_command *command, struct str args)
{
	struct running *running = calloc(1, sizeof(*running));
	struct error err;

	if (!running) {
		error_set(&err, ERROR_NOMEM, "%s: out of memory", command->spec->words);
		http_reply_error(request, &err);
		return;
	}
	running->request = request;
	running->call = admin_call_begin(listener->context.admin, operator_name(request), command, args, on_result,
	                                 running, &err);
	if (running->call) {
		http_request_on_close(request, on_gone, running);
		return;
	}
	free(running);
	if (err.code == ERROR_LIMIT) {
		http_reply_header(request, "Retry-After", RETRY_SECONDS);
		http_reply_problem(request, 503, "Service Unavailable", err.message);
	} else {
		reply_wrong(request, &err);
	}
}

/* False, with the request answered, if there is no such command of that method. */
static bool find(struct http_request *request, bool changes, struct operator_command *command)
{
	if (!admin_call_find(http_request_segment(request), command)) {
		http_reply_problem(request, 404, "Not Found", "There is no such command; /operator/v1 lists them.");
		return false;
	}
	if (command->changes == changes)
		return true;
	http_reply_header(request, "Allow", command->changes ? "POST" : "GET, HEAD");
	http_reply_problem(request, 405, "Method Not Allowed",
	                   command->changes ? "This command changes something: use POST." :
	                                      "This command changes nothing: use GET.");
	return false;
}

/* --- arguments of a GET --- */

static const struct args_param *find_param(const struct args_synopsis *synopsis, struct str name)
{
	for (size_t i = 0; i < synopsis->count; i++)
		if (str_is(name, synopsis->params[i].name))
			return &synopsis->params[i];
	return NULL;
}

static bool is_first(const struct query_params *params, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (str_equal(params->list[i].name, params->list[index].name))
			return false;
	return true;
}

static size_t count_of(const struct query_params *params, struct str name)
{
	size_t count = 0;

	for (size_t i = 0; i < params->count; i++)
		count += str_equal(params->list[i].name, name);
	return count;
}

static void write_all(struct json *j, const struct query_params *params, struct str name)
{
	json_array_begin(j);
	for (size_t i = 0; i < params->count; i++)
		if (str_equal(params->list[i].name, name))
			json_str(j, params->list[i].value);
	json_array_end(j);
}

static bool is_yes(struct str value)
{
	return value.len == 0 || str_is(value, "yes") || str_is(value, "true") || str_is(value, "1");
}

/* What the synopsis does not know is passed on, for the command to refuse. */
static int write_param(struct json *j, const struct args_synopsis *synopsis, const struct query_params *params,
                       size_t index, struct error *err)
{
	struct str name = params->list[index].name, value = params->list[index].value;
	const struct args_param *param = find_param(synopsis, name);
	bool repeated = param && param->repeated;

	if (!repeated && count_of(params, name) > 1)
		return error_set(err, ERROR_INVALID, "%.*s: given twice", STR_ARGS(name));
	if (param && param->kind == ARGS_SWITCH && !is_yes(value))
		return error_set(err, ERROR_INVALID, "%.*s: \"%.*s\": must be yes, or not be given", STR_ARGS(name),
		                 STR_ARGS(value));
	json_key_str(j, name);
	if (repeated)
		write_all(j, params, name);
	else if (param && param->kind == ARGS_SWITCH)
		json_bool(j, true);
	else
		json_str(j, value);
	return 0;
}

static int write_args(struct buf *out, const struct command_spec *spec, const struct query_params *params,
                      struct error *err)
{
	struct args_synopsis synopsis;
	struct json j = json_to(out);

	if (args_synopsis_parse(&synopsis, spec->arguments, err) != 0)
		return -1;
	json_object_begin(&j);
	for (size_t i = 0; i < params->count; i++)
		if (is_first(params, i) && write_param(&j, &synopsis, params, i, err) != 0)
			return -1;
	json_object_end(&j);
	return out->failed ? error_set(err, ERROR_NOMEM, "%s: out of memory", spec->words) : 0;
}

void operator_run_get(struct http_request *request, void *app)
{
	struct operator_command command;
	struct query_params params = { .count = 0 };
	struct buf args = { 0 };
	struct error err;

	if (!find(request, false, &command))
		return;
	if (query_params_decode(&params, http_request_query(request), &err) != 0 ||
	    write_args(&args, command.spec, &params, &err) != 0)
		http_reply_error(request, &err);
	else
		run(request, app, &command, buf_str(&args));
	query_params_free(&params);
	buf_free(&args);
}

/* --- POST --- */

static bool is_json(struct str content_type)
{
	const struct str json = STR_LITERAL(JSON_TYPE);

	return content_type.len >= json.len && strncasecmp(content_type.p, json.p, json.len) == 0 &&
	       (content_type.len == json.len || strchr("; \t", content_type.p[json.len]));
}

void operator_run_post(struct http_request *request, void *app)
{
	struct operator_command command;

	if (!find(request, true, &command))
		return;
	if (is_json(http_request_header(request, "Content-Type")))
		run(request, app, &command, http_request_body(request));
	else
		http_reply_problem(request, 415, "Unsupported Media Type", "The body must be " JSON_TYPE ".");
}

/* --- the list --- */

static void list_command(void *arg, const struct operator_command *command)
{
	struct json *j = arg;
	struct buf path = { 0 };

	buf_addf(&path, "/operator/v1/%s", command->spec->words);
	for (size_t i = 0; i < path.len; i++)
		if (path.data[i] == ' ')
			path.data[i] = '-';
	json_object_begin(j);
	json_member_text(j, "method", command->changes ? "POST" : "GET");
	json_member_str(j, "path", buf_str(&path));
	json_member_text(j, "command", command->spec->words);
	json_member_text(j, "arguments", command->spec->arguments);
	json_member_text(j, "without", command->without);
	json_member_text(j, "help", command->spec->help);
	json_object_end(j);
	buf_free(&path);
}

void operator_list_commands(struct http_request *request, void *app)
{
	struct buf body = { 0 };
	struct json j = json_to(&body);

	(void)app;
	json_object_begin(&j);
	json_member_text(&j, "operator", operator_name(request));
	json_key(&j, "commands");
	json_array_begin(&j);
	admin_call_each(list_command, &j);
	json_array_end(&j);
	json_object_end(&j);
	reply_json(request, &body);
}
