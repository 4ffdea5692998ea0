/* SPDX-License-Identifier: ISC */
/*
 * invalid.c: see invalid.h.
 */
#include "api/invalid.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

static void write_parameters(struct buf *out, const struct query_problems *problems)
{
	struct json j = json_to(out);

	if (problems->count == 0 && problems->invalid_filter)
		return;
	json_key(&j, "invalid_parameters");
	json_array_begin(&j);
	for (size_t i = 0; i < problems->count; i++) {
		json_object_begin(&j);
		json_member_text(&j, "name", problems->list[i].name);
		json_member_text(&j, "reason", problems->list[i].reason);
		json_object_end(&j);
	}
	json_array_end(&j);
}

/* The parameters' names, as far as they look like names: the client may have sent values instead. */
static void write_names(struct buf *out, const struct query_problems *problems)
{
	for (size_t i = 0; i < problems->count; i++) {
		const char *name = problems->list[i].name;
		size_t letters = strspn(name, "abcdefghijklmnopqrstuvwxyz_");

		buf_add_text(out, i ? ", " : "");
		buf_add_text(out, letters > 0 && name[letters] == '\0' ? name : "(no parameter's name)");
	}
}

static void reply(struct http_request *request, const struct query_problems *problems, struct str members,
                  const char *names)
{
	struct http_problem problem = {
		.status = 422, .title = "Unprocessable entity", .members = members, .brief = names
	};
	char detail[sizeof(problems->list[0].name) + sizeof(problems->list[0].reason) + 64];

	if (problems->invalid_filter) {
		problem.title = "Invalid filter";
		problem.detail = problems->detail;
	} else if (problems->count > 0) {
		size_t more = problems->count - 1;
		int len = snprintf(detail, sizeof(detail), "%s: %s", problems->list[0].name, problems->list[0].reason);

		if (more > 0)
			snprintf(detail + len, sizeof(detail) - (size_t)len, " (and %zu more, see invalid_parameters)",
			         more);
		problem.detail = detail;
		problem.cause = problems->list[0].reason;
	}
	http_reply_with(request, &problem);
}

void api_reply_invalid(struct http_request *request, const struct query_problems *problems)
{
	struct buf members = { 0 }, names = { 0 };
	struct error err;

	if (problems->failure.code != ERROR_NONE) {
		http_reply_error(request, &problems->failure);
		return;
	}
	write_parameters(&members, problems);
	write_names(&names, problems);
	if (members.failed || !buf_cstr(&names)) {
		error_set(&err, ERROR_NOMEM, "invalid parameters: out of memory");
		http_reply_error(request, &err);
	} else {
		reply(request, problems, buf_str(&members), names.data);
	}
	buf_free(&members);
	buf_free(&names);
}
