/* SPDX-License-Identifier: ISC */
/*
 * reports_body.c: from a JSON object to parameters. See reports.h.
 *
 * Clients write booleans as true or "true" and numbers with or without quotes: all become the text that a query string
 * would hold, so that one set of rules serves both sides.
 */
#include "api/reports.h"

#include "base/decimal.h"
#include "base/json_reader.h"

struct body {
	struct json_reader reader;
	struct query_params *params;
	struct query_problems *problems;
	struct error *err;
	struct buf name; /* of the member that is being read */
	struct buf made; /* its value where that is not as it was sent: of an array the texts, joined by commas */
};

static int malformed(struct body *body)
{
	return error_set(body->err, ERROR_INVALID, "Malformed JSON payload.");
}

static int out_of_memory(struct body *body)
{
	return error_set(body->err, ERROR_NOMEM, "Out of memory for a JSON body");
}

static enum json_event next(struct body *body)
{
	enum json_event event = json_reader_next(&body->reader, body->err);

	if (event != JSON_EVENT_FAULT)
		return event;
	if (body->err->code == ERROR_NOMEM)
		out_of_memory(body);
	else
		malformed(body);
	return event;
}

static void refuse(struct body *body, const char *reason)
{
	query_problems_add(body->problems, buf_str(&body->name), "%s", reason);
}

static int add(struct body *body, struct str value)
{
	if (value.len > 0 && memchr(value.p, '\0', value.len)) {
		refuse(body, "Has a NUL");
		return 0;
	}
	return query_params_add(body->params, buf_str(&body->name), value, body->err);
}

static bool is_in_digits(struct str text)
{
	return !memchr(text.p, '.', text.len) && !memchr(text.p, 'e', text.len) && !memchr(text.p, 'E', text.len);
}

/* Programs that have numbers of floating point alone write 447700900123 as 447700900123.0 or 4.47700900123e+11, which
 * is no record's text. */
static int add_number(struct body *body, struct str text)
{
	struct decimal number;

	if (is_in_digits(text) || decimal_read(text, &number) != DECIMAL_FINE)
		return add(body, text);
	buf_clear(&body->made);
	decimal_format(&body->made, number);
	if (body->made.failed)
		return out_of_memory(body);
	return add(body, is_in_digits(buf_str(&body->made)) ? buf_str(&body->made) : text);
}

/* Reads to the end of an array that is a member's value: its texts into body->made. Anything else sets *wrong. */
static int read_list(struct body *body, bool *wrong)
{
	size_t depth = body->reader.depth;

	buf_clear(&body->made);
	while (body->reader.depth >= depth) {
		switch (next(body)) {
		case JSON_EVENT_FAULT:
			return -1;
		case JSON_EVENT_STRING:
			if (body->made.len > 0)
				buf_add_char(&body->made, ',');
			buf_add_str(&body->made, body->reader.text);
			break;
		case JSON_EVENT_ARRAY_END:
			break;
		default:
			*wrong = true;
		}
	}
	return body->made.failed ? out_of_memory(body) : 0;
}

/* Skips to the end of a container that is no parameter's value. */
static int skip(struct body *body)
{
	size_t depth = body->reader.depth;

	while (body->reader.depth >= depth)
		if (next(body) == JSON_EVENT_FAULT)
			return -1;
	return 0;
}

static int read_member(struct body *body)
{
	bool wrong = false;

	switch (next(body)) {
	case JSON_EVENT_STRING:
		return add(body, body->reader.text);
	case JSON_EVENT_NUMBER:
		return add_number(body, body->reader.text);
	case JSON_EVENT_TRUE:
		return add(body, STR_LITERAL("true"));
	case JSON_EVENT_FALSE:
		return add(body, STR_LITERAL("false"));
	case JSON_EVENT_NULL:
		return 0;
	case JSON_EVENT_ARRAY:
		if (read_list(body, &wrong) != 0)
			return -1;
		break;
	case JSON_EVENT_OBJECT:
		wrong = true;
		if (skip(body) != 0)
			return -1;
		break;
	default:
		return -1;
	}
	if (!wrong)
		return add(body, buf_str(&body->made));
	refuse(body, "Neither text, number, true, false nor a list of texts");
	return 0;
}

static int read_members(struct body *body)
{
	enum json_event event = next(body);

	if (event != JSON_EVENT_OBJECT)
		return event == JSON_EVENT_FAULT ? -1 : malformed(body);
	while ((event = next(body)) == JSON_EVENT_NAME) {
		buf_clear(&body->name);
		buf_add_str(&body->name, body->reader.text);
		if (body->name.failed) /* a truncated name would be another parameter */
			return out_of_memory(body);
		if (read_member(body) != 0)
			return -1;
	}
	return event == JSON_EVENT_OBJECT_END && next(body) == JSON_EVENT_END ? 0 : -1;
}

int api_report_params(struct query_params *params, struct query_problems *problems, struct str text, struct error *err)
{
	/* RFC 8259, 8.1 lets a byte order mark be ignored. */
	struct body body = {
		.reader = json_reader_of(str_without_mark(text)), .params = params, .problems = problems, .err = err
	};
	int result = read_members(&body);

	json_reader_free(&body.reader);
	buf_free(&body.name);
	buf_free(&body.made);
	return result;
}
