/* SPDX-License-Identifier: ISC */
/*
 * fuzz_record_msgpack.c: records in msgpack, held against msgpack-c.
 *
 * An input is a body, a sequence of values. What must hold: both find the same values one after the other, each as long,
 * and what a record holds is what msgpack-c has unpacked, up to where one of them ends. Where msgpack-c meets a byte that
 * is none of msgpack, or the end, the reader does, too. The reader takes what is nested deeper than msgpack-c can unpack,
 * and needs no memory for values that are not there.
 */
#include <inttypes.h>
#include <math.h>
#include <msgpack.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "record/parse_private.h"

#define DEPTH_MAX 20 /* msgpack-c has 32 */
#define SIZE_MAX_BYTES ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* Does the text say just what the value is, but for a text itself? */
static void check_value(const msgpack_object *value, struct str got)
{
	char text[32] = "";
	char *copy;

	switch (value->type) {
	case MSGPACK_OBJECT_NIL:
		must(got.p == NULL);
		return;
	case MSGPACK_OBJECT_STR:
		must(str_equal(got, (struct str){ value->via.str.ptr, value->via.str.size }));
		return;
	case MSGPACK_OBJECT_BOOLEAN:
		must(str_is(got, value->via.boolean ? "true" : "false"));
		return;
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		(void)snprintf(text, sizeof(text), "%" PRIu64, value->via.u64);
		must(str_is(got, text));
		return;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		(void)snprintf(text, sizeof(text), "%" PRId64, value->via.i64);
		must(str_is(got, text));
		return;
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		copy = strndup(got.p, got.len);
		must(copy && strspn(copy, "-.0123456789") == got.len);
		must(value->type == MSGPACK_OBJECT_FLOAT64 ? strtod(copy, NULL) == value->via.f64 :
		                                             strtof(copy, NULL) == (float)value->via.f64);
		free(copy);
		return;
	case MSGPACK_OBJECT_MAP:
		must(got.len >= 2 && got.p[0] == '{' && got.p[got.len - 1] == '}');
		return;
	case MSGPACK_OBJECT_ARRAY:
		must(got.len >= 2 && got.p[0] == '[' && got.p[got.len - 1] == ']');
		return;
	default:
		must(false);
	}
}

static bool is_text(const msgpack_object *object, struct str text)
{
	return object->type == MSGPACK_OBJECT_STR &&
	       str_equal((struct str){ object->via.str.ptr, object->via.str.size }, text);
}

/* The value of the field, of which there is one at most, unless there is a fault. */
static const msgpack_object *find_field(const msgpack_object *map, struct str name)
{
	for (uint32_t i = 0; i < map->via.map.size; i++)
		if (is_text(&map->via.map.ptr[i].key, name))
			return &map->via.map.ptr[i].val;
	return NULL;
}

static void check_record(const msgpack_object *map, const struct parse_item *item)
{
	const struct catalog_product *product = item->record->product;
	const msgpack_object *value = find_field(map, STR_LITERAL("product"));

	must(!value || value->type == MSGPACK_OBJECT_NIL || is_text(value, product->name));
	for (uint8_t i = 0; i < product->columns_count; i++) {
		value = find_field(map, product->columns[i].name);
		if (value && !(item->columns_at_fault >> i & 1))
			check_value(value, item->record->values[i]);
		else
			must(!item->record->values[i].p);
	}
}

/* Is there an array or map that says to have more values than the body has bytes? msgpack-c asks for their memory first.
 * And it takes the longest ext for one without bytes, as its length with the type does not fit 32 bits. */
static bool is_beyond_oracle(struct str body)
{
	for (size_t i = 0; i + 4 < body.len; i++) {
		const unsigned char *p = (const unsigned char *)body.p + i;
		uint32_t count = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];

		if (((p[0] == 0xdd || p[0] == 0xdf) && count > body.len) || (p[0] == 0xc9 && count == UINT32_MAX))
			return true;
	}
	return false;
}

struct reading {
	msgpack_unpacked unpacked;
	struct str body;
	size_t at;   /* what msgpack-c has read of it */
	bool silent; /* it can't say any more of the body */
};

static void on_item(void *arg, const struct parse_item *item)
{
	struct reading *reading = arg;
	const msgpack_object *object = &reading->unpacked.data;
	const char *reason = item->faults_count > 0 ? item->faults[0].reason : "";
	size_t begin = reading->at;

	if (reading->silent)
		return;
	switch (msgpack_unpack_next(&reading->unpacked, reading->body.p, reading->body.len, &reading->at)) {
	case MSGPACK_UNPACK_SUCCESS:
	case MSGPACK_UNPACK_EXTRA_BYTES:
		break;
	case MSGPACK_UNPACK_CONTINUE:
		must(strncmp(reason, "Cut off", 7) == 0);
		reading->silent = true;
		return;
	case MSGPACK_UNPACK_PARSE_ERROR:
		must(strncmp(reason, "Broken msgpack", 14) == 0);
		reading->silent = true;
		return;
	default: /* it is nested too deep */
		reading->silent = true;
		return;
	}
	must(item->size == reading->at - begin);
	must((object->type == MSGPACK_OBJECT_MAP) == (strncmp(reason, "Must be a map", 13) != 0));
	if (item->record)
		check_record(object, item);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct parse_limits limits = { SIZE_MAX_BYTES, SIZE_MAX_BYTES, DEPTH_MAX };
	struct reading reading = { .body = { (const char *)data, size } };
	struct parser *parser = parser_new(PARSE_MSGPACK, &limits, "SMS", on_item, &reading);
	struct error err;
	int result;

	must(parser != NULL);
	if (size > SIZE_MAX_BYTES)
		size = 0;
	reading.silent = is_beyond_oracle(reading.body);
	msgpack_unpacked_init(&reading.unpacked);
	/* An array at the beginning is that of the records: this one is, and the body's own are values like others. */
	MAY_FAIL(parser_feed(parser, "\x90", 1, &err));
	MAY_FAIL(parser_feed(parser, (const char *)data, size, &err));
	result = parser_finish(parser, &err);
	must(result != 0 || reading.silent || reading.at == size);
	msgpack_unpacked_destroy(&reading.unpacked);
	parser_free(parser);
	return 0;
}
