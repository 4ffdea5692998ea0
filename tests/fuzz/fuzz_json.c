/* SPDX-License-Identifier: ISC */
/*
 * fuzz_json.c: the JSON reader, held against json-c and, in json_yajl.c, against yajl.
 *
 * What must hold: what the reader takes, json-c takes, and both find the same values in it. Not the other way round, as
 * json-c takes more (NaN, "1.", 'names', control characters), nor where a name stands twice, as it keeps one of them.
 */
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/json_reader.h"
#include "json_yajl.h"

#define DEPTH_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static enum json_event next(struct json_reader *reader)
{
	struct error err;
	enum json_event event = json_reader_next(reader, &err);

	must(event != JSON_EVENT_FAULT);
	return event;
}

/* Can the two be compared: is it JSON, not too deep for json-c, and without names that it would cut? */
static bool is_comparable(struct str text, size_t *names)
{
	struct json_reader reader = json_reader_of(text);
	enum json_event event;
	struct error err;
	bool fits = true;

	while ((event = json_reader_next(&reader, &err)) > JSON_EVENT_END) {
		must(reader.depth <= text.len && reader.text.len <= text.len);
		fits = fits && reader.depth < DEPTH_MAX - 1;
		*names += event == JSON_EVENT_NAME;
		if (event == JSON_EVENT_NAME && reader.text.len > 0 && memchr(reader.text.p, '\0', reader.text.len))
			fits = false;
	}
	json_reader_free(&reader);
	return event == JSON_EVENT_END && fits;
}

static size_t count_members(struct json_object *value)
{
	size_t count = 0;

	if (json_object_is_type(value, json_type_object)) {
		json_object_object_foreach(value, name, member) {
			(void)name;
			count += 1 + count_members(member);
		}
	}
	for (size_t i = 0; json_object_is_type(value, json_type_array) && i < json_object_array_length(value); i++)
		count += count_members(json_object_array_get_idx(value, i));
	return count;
}

/* json-c keeps a fraction's text; of an integer, what 64 bits hold. */
static bool is_same_number(struct json_object *theirs, struct str text)
{
	char digits[24];

	if (json_object_is_type(theirs, json_type_double))
		return str_equal(str_from(json_object_get_string(theirs)), text);
	if (!json_object_is_type(theirs, json_type_int))
		return false;
	if (text.len > 18)
		return true;
	memcpy(digits, text.p, text.len);
	digits[text.len] = '\0';
	return json_object_get_int64(theirs) == strtoll(digits, NULL, 10);
}

static void compare(struct json_reader *reader, enum json_event event, struct json_object *theirs);

static void compare_object(struct json_reader *reader, struct json_object *theirs)
{
	struct json_object_iterator at = json_object_iter_begin(theirs), end = json_object_iter_end(theirs);

	while (next(reader) == JSON_EVENT_NAME) {
		must(!json_object_iter_equal(&at, &end));
		must(str_is(reader->text, json_object_iter_peek_name(&at)));
		compare(reader, next(reader), json_object_iter_peek_value(&at));
		json_object_iter_next(&at);
	}
	must(json_object_iter_equal(&at, &end));
}

static void compare_array(struct json_reader *reader, struct json_object *theirs)
{
	size_t count = 0;
	enum json_event event;

	while ((event = next(reader)) != JSON_EVENT_ARRAY_END)
		compare(reader, event, json_object_array_get_idx(theirs, count++));
	must(count == json_object_array_length(theirs));
}

static void compare(struct json_reader *reader, enum json_event event, struct json_object *theirs)
{
	switch (event) {
	case JSON_EVENT_OBJECT:
		must(json_object_is_type(theirs, json_type_object));
		compare_object(reader, theirs);
		break;
	case JSON_EVENT_ARRAY:
		must(json_object_is_type(theirs, json_type_array));
		compare_array(reader, theirs);
		break;
	case JSON_EVENT_STRING:
		must(json_object_is_type(theirs, json_type_string));
		must(str_equal(reader->text, (struct str){ json_object_get_string(theirs),
		                                           (size_t)json_object_get_string_len(theirs) }));
		break;
	case JSON_EVENT_NUMBER:
		must(is_same_number(theirs, reader->text));
		break;
	case JSON_EVENT_TRUE:
	case JSON_EVENT_FALSE:
		must(json_object_is_type(theirs, json_type_boolean));
		must(json_object_get_boolean(theirs) == (event == JSON_EVENT_TRUE));
		break;
	default:
		must(event == JSON_EVENT_NULL && theirs == NULL);
	}
}

/* `text` has a NUL after it, which ends a number for json-c. */
static void check_against_json_c(struct str text, size_t names)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	struct json_reader reader = json_reader_of(text);
	struct json_object *theirs;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	theirs = json_tokener_parse_ex(tokener, text.p, (int)text.len + 1);
	must(json_tokener_get_error(tokener) == json_tokener_success);
	if (count_members(theirs) == names)
		compare(&reader, next(&reader), theirs);
	json_object_put(theirs);
	json_reader_free(&reader);
	json_tokener_free(tokener);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = { 0 };
	size_t names = 0;

	buf_add(&text, data, size);
	must(buf_cstr(&text) != NULL);
	if (is_comparable(buf_str(&text), &names))
		check_against_json_c(buf_str(&text), names);
	json_yajl_compare(buf_str(&text));
	buf_free(&text);
	return 0;
}
