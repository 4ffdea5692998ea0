/* SPDX-License-Identifier: ISC */
/*
 * reports_body.c: a JSON object to parameters, read with yajl. See reports.h.
 *
 * Clients write booleans as true or "true" and numbers with or without quotes: all become the text that a query string
 * would hold, so that one set of rules serves both sides.
 */
#include "api/reports.h"

#include <yajl/yajl_parse.h>

#include "base/yajl_room.h"

struct body {
	struct query_params *params;
	struct query_problems *problems;
	struct error *err;
	struct buf name;   /* of the member that is being read */
	struct buf value;  /* of one that is an array */
	int depth;         /* of what is open: 1 within the object */
	bool in_list;      /* within an array that is a member's value */
	bool wrong_form;   /* the member has no form that a parameter takes */
	bool failed;       /* *err says why */
};

static void refuse(struct body *body, const char *reason)
{
	query_problems_add(body->problems, buf_str(&body->name), "%s", reason);
}

static int add(struct body *body, struct str value)
{
	if (memchr(value.p, '\0', value.len)) {
		refuse(body, "Has a NUL");
		return 1;
	}
	if (query_params_add(body->params, buf_str(&body->name), value, body->err) == 0)
		return 1;
	body->failed = true;
	return 0;
}

/* A value that is text, or becomes it. */
static int take(struct body *body, struct str value, bool is_text)
{
	if (body->depth == 0)
		return 0; /* the body must be an object */
	if (body->depth == 1)
		return add(body, value);
	if (!body->in_list || !is_text) {
		body->wrong_form = true;
		return 1;
	}
	if (body->value.len > 0)
		buf_add_char(&body->value, ',');
	buf_add_str(&body->value, value);
	return !body->value.failed;
}

static int on_null(void *arg)
{
	struct body *body = arg;

	if (body->depth > 1)
		body->wrong_form = true;
	return body->depth > 0;
}

static int on_boolean(void *arg, int on)
{
	return take(arg, on ? STR_LITERAL("true") : STR_LITERAL("false"), false);
}

static int on_number(void *arg, const char *text, size_t len)
{
	return take(arg, (struct str){ text, len }, false);
}

static int on_string(void *arg, const unsigned char *text, size_t len)
{
	return take(arg, (struct str){ (const char *)text, len }, true);
}

static int on_key(void *arg, const unsigned char *text, size_t len)
{
	struct body *body = arg;

	if (body->depth == 1) {
		buf_clear(&body->name);
		buf_add(&body->name, text, len);
	}
	return !body->name.failed; /* a name that is cut would be another parameter */
}

/* What opens within a member: a list may be right, anything deeper is not. */
static void open_member(struct body *body, bool is_list)
{
	if (body->depth == 1) {
		body->in_list = is_list;
		body->wrong_form = !is_list;
		buf_clear(&body->value);
	} else {
		body->wrong_form = true;
	}
	body->depth++;
}

static int close_member(struct body *body)
{
	body->depth--;
	if (body->depth != 1)
		return 1;
	body->in_list = false;
	if (!body->wrong_form)
		return add(body, buf_str(&body->value));
	refuse(body, "Neither text, number, true, false nor a list of texts");
	return 1;
}

static int on_map_begin(void *arg)
{
	struct body *body = arg;

	if (body->depth == 0)
		body->depth = 1;
	else
		open_member(body, false);
	return 1;
}

static int on_map_end(void *arg)
{
	struct body *body = arg;

	if (body->depth > 1)
		return close_member(body);
	body->depth = 0;
	return 1;
}

static int on_list_begin(void *arg)
{
	struct body *body = arg;

	if (body->depth == 0)
		return 0;
	open_member(body, true);
	return 1;
}

static int on_list_end(void *arg)
{
	return close_member(arg);
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_map_begin,
	.yajl_map_key = on_key,
	.yajl_end_map = on_map_end,
	.yajl_start_array = on_list_begin,
	.yajl_end_array = on_list_end,
};

static int parse(struct body *body, struct str text)
{
	struct yajl_room room;
	yajl_handle handle;
	yajl_status status;

	if (yajl_room_take(&room, text.len) != 0)
		return error_set(body->err, ERROR_NOMEM, "Out of memory for a JSON body");
	handle = yajl_alloc(&callbacks, &room.funcs, body);
	status = yajl_parse(handle, (const unsigned char *)text.p, text.len);
	if (status == yajl_status_ok)
		status = yajl_complete_parse(handle);
	yajl_free(handle);
	yajl_room_give(&room);
	if (body->failed)
		return -1;
	if (body->name.failed || body->value.failed)
		return error_set(body->err, ERROR_NOMEM, "Out of memory for a JSON body");
	return status == yajl_status_ok ? 0 : error_set(body->err, ERROR_INVALID, "Malformed JSON payload.");
}

int http_report_params(struct query_params *params, struct query_problems *problems, struct str text,
                       struct error *err)
{
	struct body body = { .params = params, .problems = problems, .err = err };
	int result = parse(&body, text);

	buf_free(&body.name);
	buf_free(&body.value);
	return result;
}
