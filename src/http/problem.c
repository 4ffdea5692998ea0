/* SPDX-License-Identifier: ISC */
/*
 * problem.c: every error answer, as application/problem+json (RFC 9457).
 *
 *	{"type": "http://host/problems/not-found", "title": "Not Found", "detail": "...", "instance": "<uuid>"}
 *
 * `type` is the URL of the title's page, which the application serves: stable as long as the title is. `instance` is a
 * new UUID each time, which the log shows with the request, so that support can find what a user quotes.
 */
#include <string.h>

#include "base/id.h"
#include "base/json.h"
#include "base/log.h"
#include "http/connection.h"

#define LOGGED_TARGET_MAX 200
#define RETRY_SECONDS "5" /* with 503 and 507: the shortage may be over by then */

static const struct problem_row {
	enum error_code code;
	int status;
	const char *title;
	const char *detail; /* NULL: the error's message, which is meant for the client */
} rows[] = {
	{ ERROR_INVALID, 400, "Invalid request parameter", NULL },
	{ ERROR_UNAUTHORIZED, 401, "Unauthorized", "You did not provide correct credentials." },
	{ ERROR_FORBIDDEN, 403, "Forbidden", NULL },
	{ ERROR_NOT_FOUND, 404, "Not Found", NULL },
	{ ERROR_CONFLICT, 409, "Conflict", NULL },
	{ ERROR_LIMIT, 413, "Content Too Large", NULL },
	{ ERROR_FULL, 507, "Insufficient Storage", "There is no room to store the data; try again later." },
	{ ERROR_NOMEM, 503, "Service Unavailable", "The server is short of memory; try again later." },
	{ ERROR_UNAVAILABLE, 503, "Service Unavailable",
	  "Records, or what else this needs, cannot be reached for now; try again later." },
	{ ERROR_CORRUPT, 500, "Internal Server Error",
	  "Data that this request needs is damaged on the server. Quote the instance when you report it." },
	{ ERROR_DAMAGED, 500, "Internal Server Error", NULL },
	/* Any other error must not reveal anything about the machine; the log has the message. */
	{ ERROR_NONE, 500, "Internal Server Error", "The request failed. Quote the instance when you report it." },
};

static const struct problem_row *find_row(enum error_code code)
{
	const struct problem_row *row = rows;

	while (row->code != code && row->code != ERROR_NONE)
		row++;
	return row;
}

void http_problem_name(struct buf *out, const char *title)
{
	for (; *title; title++) {
		char c = *title;

		buf_add_char(out, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c == ' ' ? '-' : c);
	}
}

static void add_type(struct json *j, const struct http_request *request, const char *title)
{
	struct buf type = { 0 };

	http_request_base_url(request, &type);
	buf_add_text(&type, "/problems/");
	http_problem_name(&type, title);
	if (type.failed)
		j->out->failed = true;
	json_member_str(j, "type", buf_str(&type));
	buf_free(&type);
}

static void write_problem(struct buf *out, const struct http_request *request, const struct http_problem *problem,
                          const char *instance)
{
	struct json j = json_to(out);

	json_object_begin(&j);
	add_type(&j, request, problem->title);
	json_member_text(&j, "title", problem->title);
	if (problem->detail)
		json_member_text(&j, "detail", problem->detail);
	json_member_text(&j, "instance", instance);
	if (problem->members.len > 0)
		json_raw(&j, problem->members);
	json_object_end(&j);
}

/* Messages for clients quote what they sent, which is not logged unless queries are logged, too. The server's own
 * errors always are. */
static void add_cause(struct buf *out, const struct http_request *request, const struct http_problem *problem)
{
	const char *cause = problem->cause ? problem->cause : problem->detail ? problem->detail : "";
	bool is_ours = problem->status >= 500;

	if (is_ours || request->connection->server->config->access_log_query)
		buf_addf(out, ": %s", cause);
	else if (problem->brief && problem->brief[0])
		buf_addf(out, ": %s", problem->brief);
}

static void log_problem(const struct http_request *request, const struct http_problem *problem, const char *instance)
{
	struct buf cause = { 0 }, target = { 0 };

	add_cause(&cause, request, problem);
	http_access_add_target(&target, request);
	if (target.len > LOGGED_TARGET_MAX)
		target.len = LOGGED_TARGET_MAX;
	log_write(problem->status >= 500 ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "http",
	          "%d %s%.*s (%.*s %.*s, instance %s)", problem->status, problem->title, STR_ARGS(buf_str(&cause)),
	          STR_ARGS(request->head.method), STR_ARGS(buf_str(&target)), instance);
	buf_free(&cause);
	buf_free(&target);
}

/* A page's script asks its user itself: browsers do not know the other scheme, so that none opens its own dialog. */
static const char *challenge(const struct http_request *request)
{
	return http_request_header(request, "X-Requested-With").p ? "Form realm=\"cdrd\"" : "Basic realm=\"cdrd\"";
}

void http_reply_with(struct http_request *request, const struct http_problem *problem)
{
	char instance[ID_UUID_LEN + 1];
	struct buf body = { 0 };

	id_uuid(instance);
	log_problem(request, problem, instance);
	write_problem(&body, request, problem, instance);
	if (problem->status == 401)
		http_reply_header(request, "WWW-Authenticate", challenge(request));
	http_reply(request, problem->status, "application/problem+json", &body);
}

void http_reply_error(struct http_request *request, const struct error *err)
{
	http_reply_error_with(request, err, (struct str){ NULL, 0 });
}

void http_reply_error_with(struct http_request *request, const struct error *err, struct str members)
{
	const struct problem_row *row = find_row(err->code);

	if (row->status == 503 || row->status == 507)
		http_reply_header(request, "Retry-After", RETRY_SECONDS);
	http_reply_with(request, &(struct http_problem){
					 .status = row->status,
					 .title = row->title,
					 .detail = row->detail ? row->detail : err->message,
					 .cause = err->message,
					 .members = members,
				 });
}

void http_reply_problem(struct http_request *request, int status, const char *title, const char *detail)
{
	http_reply_problem_with(request, status, title, detail, (struct str){ NULL, 0 });
}

void http_reply_problem_with(struct http_request *request, int status, const char *title, const char *detail,
                             struct str members)
{
	struct http_problem problem = { .status = status, .title = title, .detail = detail, .members = members };

	http_reply_with(request, &problem);
}

void http_reply_fault(struct http_request *request, const struct http_fault *fault)
{
	http_reply_problem(request, fault->status, http_status_phrase(fault->status), fault->detail);
}
