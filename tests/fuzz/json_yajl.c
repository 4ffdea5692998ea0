/* SPDX-License-Identifier: ISC */
/*
 * json_yajl.c: see json_yajl.h.
 */
#include "json_yajl.h"

#include <stdint.h>
#include <stdlib.h>
#include <yajl/yajl_parse.h>

#include "base/json.h"
#include "base/json_reader.h"

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* --- events, one after the other as bytes: which, the length of its text, the text --- */

static int add_event(struct buf *events, enum json_event event, const void *text, size_t len)
{
	buf_add_char(events, (char)event);
	buf_add(events, &len, sizeof(len));
	if (len > 0)
		buf_add(events, text, len);
	return 1;
}

static int on_null(void *arg)
{
	return add_event(arg, JSON_EVENT_NULL, NULL, 0);
}

static int on_boolean(void *arg, int value)
{
	return add_event(arg, value ? JSON_EVENT_TRUE : JSON_EVENT_FALSE, NULL, 0);
}

static int on_number(void *arg, const char *text, size_t len)
{
	return add_event(arg, JSON_EVENT_NUMBER, text, len);
}

static int on_string(void *arg, const unsigned char *text, size_t len)
{
	return add_event(arg, JSON_EVENT_STRING, text, len);
}

static int on_name(void *arg, const unsigned char *text, size_t len)
{
	return add_event(arg, JSON_EVENT_NAME, text, len);
}

static int on_object(void *arg)
{
	return add_event(arg, JSON_EVENT_OBJECT, NULL, 0);
}

static int on_object_end(void *arg)
{
	return add_event(arg, JSON_EVENT_OBJECT_END, NULL, 0);
}

static int on_array(void *arg)
{
	return add_event(arg, JSON_EVENT_ARRAY, NULL, 0);
}

static int on_array_end(void *arg)
{
	return add_event(arg, JSON_EVENT_ARRAY_END, NULL, 0);
}

static bool read_theirs(struct str text, struct buf *events)
{
	static const yajl_callbacks callbacks = {
		.yajl_null = on_null,
		.yajl_boolean = on_boolean,
		.yajl_number = on_number,
		.yajl_string = on_string,
		.yajl_start_map = on_object,
		.yajl_map_key = on_name,
		.yajl_end_map = on_object_end,
		.yajl_start_array = on_array,
		.yajl_end_array = on_array_end,
	};
	yajl_handle yajl = yajl_alloc(&callbacks, NULL, events);
	bool taken;

	must(yajl != NULL);
	taken = yajl_parse(yajl, (const unsigned char *)text.p, text.len) == yajl_status_ok &&
	        yajl_complete_parse(yajl) == yajl_status_ok;
	yajl_free(yajl);
	return taken;
}

/* *ended: the array was whole, whatever follows it. */
static bool read_ours(struct str text, struct buf *events, bool *ended)
{
	struct json_reader reader = json_reader_of(text);
	enum json_event event;
	struct error err;
	size_t depth = 0;

	while ((event = json_reader_next(&reader, &err)) > JSON_EVENT_END) {
		bool has_text = event == JSON_EVENT_NAME || event == JSON_EVENT_STRING || event == JSON_EVENT_NUMBER;

		depth += event == JSON_EVENT_ARRAY || event == JSON_EVENT_OBJECT;
		depth -= event == JSON_EVENT_ARRAY_END || event == JSON_EVENT_OBJECT_END;
		*ended = depth == 0;
		(void)add_event(events, event, reader.text.p, has_text ? reader.text.len : 0);
	}
	json_reader_free(&reader);
	return event == JSON_EVENT_END;
}

/* Can yajl say that it is none? */
static bool is_for_yajl(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] == '\v' || text.p[i] == '\f' || (i > 1 && strncasecmp(text.p + i - 2, "\\ud", 3) == 0))
			return false;
	return json_is_utf8(text);
}

void json_yajl_compare(struct str text)
{
	struct buf array = { 0 }, ours = { 0 }, theirs = { 0 };
	bool taken, taken_by_yajl, ended = false;

	buf_add_char(&array, '[');
	buf_add_str(&array, text);
	buf_add_char(&array, ']');
	taken = read_ours(buf_str(&array), &ours, &ended);
	taken_by_yajl = read_theirs(buf_str(&array), &theirs);
	must(!array.failed && !ours.failed && !theirs.failed);
	must(!taken || taken_by_yajl);
	/* It takes the beginning of a text after a whole array, as in []"], for none. */
	must(taken || !taken_by_yajl || ended || !is_for_yajl(text));
	must(!taken || str_equal(buf_str(&ours), buf_str(&theirs)));
	buf_free(&array);
	buf_free(&ours);
	buf_free(&theirs);
}
