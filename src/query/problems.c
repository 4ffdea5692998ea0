/* SPDX-License-Identifier: ISC */
/*
 * problems.c: collects what is wrong with a request for one answer, and small helpers that write the reasons.
 */
#include "query/query_private.h"

#include <stdarg.h>
#include <stdio.h>

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

struct str query_clip(struct str text, size_t max)
{
	if (text.len <= max)
		return text;
	while (max > 0 && is_continuation(text.p[max]))
		max--;
	return (struct str){ text.p, max };
}

static struct str trim(struct str text)
{
	while (text.len > 0 && text.p[0] == ' ') {
		text.p++;
		text.len--;
	}
	while (text.len > 0 && text.p[text.len - 1] == ' ')
		text.len--;
	return text;
}

bool query_list_next(struct str *rest, struct str *item)
{
	const char *comma;

	if (!rest->p)
		return false;
	comma = memchr(rest->p, ',', rest->len);
	*item = trim((struct str){ rest->p, comma ? (size_t)(comma - rest->p) : rest->len });
	*rest = comma ? (struct str){ comma + 1, rest->len - (size_t)(comma + 1 - rest->p) } : (struct str){ NULL, 0 };
	return true;
}

void query_list_add(struct buf *list, struct str item)
{
	if (list->len > 0)
		buf_add_text(list, ", ");
	buf_add_str(list, item);
}

void query_problems_add_error(struct query_problems *problems, struct str name, const struct error *err,
                              const char *reason)
{
	if (err->code != ERROR_INVALID && err->code != ERROR_NOT_FOUND)
		problems->failure = *err;
	query_problems_add(problems, name, "%s", reason);
}

void query_problems_add(struct query_problems *problems, struct str name, const char *format, ...)
{
	struct query_problem *problem;
	struct str shown;
	va_list args;

	if (problems->count == QUERY_PROBLEMS_MAX)
		return;
	problem = &problems->list[problems->count++];
	shown = query_clip(name, sizeof(problem->name) - 1);
	snprintf(problem->name, sizeof(problem->name), "%.*s", STR_ARGS(shown));
	va_start(args, format);
	vsnprintf(problem->reason, sizeof(problem->reason), format, args);
	va_end(args);
}
