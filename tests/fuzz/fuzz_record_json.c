/* SPDX-License-Identifier: ISC */
/*
 * fuzz_record_json.c: a record in JSON, held against json-c.
 *
 * An input is one JSON text. What must hold: the reader takes it if and only if json-c does in its strict mode, and finds
 * the same values. The two differ, and are meant to, in this:
 *
 *	NaN, Infinity, -Infinity      json-c takes them; they are no JSON
 *	1. and -.5, 1e+, 01.5         json-c takes what there is of a number, and zeros before it
 *	control characters in texts   json-c 0.16 takes them
 *	NUL                           ends a text for json-c; it cuts names at \u0000
 *	\ud800 without its other half becomes U+FFFD for json-c; the reader finds fault with the record
 *	invalid UTF-8                 json-c takes no such text; for the reader it is the fault of one field
 *	a name that stands twice      json-c keeps the last; the reader finds fault with the field
 *	nesting                       both have a limit, but count otherwise
 *	integers of over 64 bits      json-c takes the nearest that it has; the reader keeps the digits
 *
 * Whatever json-c takes only for the first three is told by may_be_lax().
 */
#define json_bool json_c_bool /* a type there, a function of ours */
#include <json-c/json.h>
#undef json_bool
#include <stdint.h>
#include <stdlib.h>

#include "record/parse_json_token.h"
#include "record/parse_private.h"

#define DEPTH_MAX 30
#define SIZE_MAX_BYTES ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* --- the oracle --- */

struct oracle {
	struct json_object *value;
	enum json_tokener_error error;
};

/* To be put by the caller. */
static struct oracle ask(struct str text)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX + 2);
	struct oracle oracle;
	char *copy = malloc(text.len + 1);

	must(tokener && copy);
	memcpy(copy, text.p, text.len);
	copy[text.len] = '\0'; /* the end of a number */
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	oracle.value = json_tokener_parse_ex(tokener, copy, (int)text.len + 1);
	oracle.error = json_tokener_get_error(tokener);
	json_tokener_free(tokener);
	free(copy);
	return oracle;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Is there anything in the text of what json-c takes and JSON does not have? */
static bool may_be_lax(struct str text)
{
	bool lax = memmem(text.p, text.len, "NaN", 3) || memmem(text.p, text.len, "Infinity", 8);

	for (size_t i = 0; i < text.len; i++) {
		char next = i + 1 < text.len ? text.p[i + 1] : '\0';

		lax |= (unsigned char)text.p[i] < 0x20;
		lax |= (text.p[i] == '.' || text.p[i] == '-') && !is_digit(next);
		lax |= text.p[i] == '0' && is_digit(next) && (i == 0 || !is_digit(text.p[i - 1]));
		lax |= (text.p[i] | 0x20) == 'e' && !is_digit(next) && i > 0 &&
		       (is_digit(text.p[i - 1]) || text.p[i - 1] == '.');
	}
	return lax;
}

/* --- values --- */

static void check_number(struct json_object *value, struct str text)
{
	char *copy = strndup(text.p, text.len), *end;
	double number;

	must(copy && text.len > 0);
	number = strtod(copy, &end);
	must(end == copy + text.len);
	if (json_object_is_type(value, json_type_double) || strspn(copy, "-0123456789") < text.len)
		must(number == json_object_get_double(value));
	else if (text.len <= 18)
		must(strtoll(copy, NULL, 10) == json_object_get_int64(value));
	free(copy);
}

static void check_nested(struct json_object *value, struct str text)
{
	struct oracle again = ask(text);

	must(json_object_equal(again.value, value));
	json_object_put(again.value);
}

static void check_value(struct json_object *value, struct str got)
{
	must((value == NULL) == (got.p == NULL));
	switch (json_object_get_type(value)) {
	case json_type_null:
		break;
	case json_type_boolean:
		must(str_is(got, json_object_get_boolean(value) ? "true" : "false"));
		break;
	case json_type_double:
	case json_type_int:
		check_number(value, got);
		break;
	case json_type_string:
		must(str_equal(got, (struct str){ json_object_get_string(value),
		                                  (size_t)json_object_get_string_len(value) }));
		break;
	case json_type_object:
	case json_type_array:
		check_nested(value, got);
		break;
	}
}

/* --- the reader --- */

struct reading {
	struct json_object *wanted; /* an object, or something else */
	bool is_json, is_deep, is_half_pair, is_delivered;
};

static bool begins_with(const char *text, const char *beginning)
{
	return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* The values of the record that are not at fault. */
static void check_record(const struct reading *reading, const struct parse_item *item)
{
	const struct catalog_product *product = item->record->product;
	struct json_object *value;

	must(json_object_is_type(reading->wanted, json_type_object));
	if (json_object_object_get_ex(reading->wanted, "product", &value) && value)
		must(str_is(product->name, json_object_get_string(value)));
	for (uint8_t i = 0; i < product->columns_count; i++) {
		char *name = strndup(product->columns[i].name.p, product->columns[i].name.len);

		value = NULL;
		json_object_object_get_ex(reading->wanted, name, &value);
		if (!(item->columns_at_fault >> i & 1))
			check_value(value, item->record->values[i]);
		free(name);
	}
}

static void on_item(void *arg, const struct parse_item *item)
{
	struct reading *reading = arg;
	const char *reason = item->faults_count > 0 ? item->faults[0].reason : "";

	must(!reading->is_delivered);
	reading->is_delivered = true;
	reading->is_json = !begins_with(reason, "Not JSON");
	reading->is_deep = begins_with(reason, "Nested deeper");
	reading->is_half_pair = begins_with(reason, "Escape of half");
	if (!item->record || reading->is_deep)
		return;
	if (reading->wanted)
		check_record(reading, item);
}

static struct reading read_record(struct str text, struct json_object *wanted)
{
	static const struct parse_limits limits = { SIZE_MAX_BYTES, SIZE_MAX_BYTES, DEPTH_MAX };
	struct reading reading = { .wanted = wanted };
	struct parser *parser = parser_new(PARSE_NDJSON, &limits, "SMS", on_item, &reading);

	must(parser != NULL);
	parse_json_record(parser, text);
	must(reading.is_delivered && parser->end.code == ERROR_NONE);
	parser_free(parser);
	return reading;
}

static struct str trimmed(struct str text)
{
	while (text.len > 0 && parse_json_is_space(text.p[0])) {
		text.p++;
		text.len--;
	}
	return parse_json_trimmed(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = trimmed((struct str){ (const char *)data, size });

	if (text.len == 0 || text.len > SIZE_MAX_BYTES || memchr(text.p, '\0', text.len))
		return 0;
	bool cuts_names = memmem(text.p, text.len, "\\u0000", 6) != NULL;
	struct oracle oracle = ask(text);
	struct reading reading = read_record(text, cuts_names ? NULL : oracle.value);
	bool taken = oracle.error == json_tokener_success;

	if (reading.is_json && !reading.is_deep && json_is_utf8(text))
		must(taken || oracle.error == json_tokener_error_depth);
	if (taken && !reading.is_json)
		must(may_be_lax(text));
	bool valid = json_token_is_valid(text, DEPTH_MAX);

	must(!valid || (reading.is_json && !reading.is_deep && !reading.is_half_pair));
	must(valid || text.p[0] != '{' || !reading.is_json || reading.is_deep || reading.is_half_pair);
	json_object_put(oracle.value);
	return 0;
}
