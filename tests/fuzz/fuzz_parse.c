/*
 * fuzz_parse.c: bodies of records in every format.
 *
 * The first byte of an input chooses the format and the size of pieces, the rest is the body. It is read three times:
 * whole by the fast readers, in pieces by them, and whole by the full readers alone. What must hold: all three call
 * back with the same items, items keep to the limits, and values lie in memory that may be read.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "record/parse_private.h"

#define LINE_MAX_BYTES 600
#define VALUE_MAX_BYTES 50

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* What a reading of the input came to. */
struct reading {
	uint64_t digest;
	uint64_t items;
	int result;
};

static void digest(struct reading *reading, const void *data, size_t len)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < len; i++)
		reading->digest = (reading->digest ^ bytes[i]) * UINT64_C(0x100000001b3);
	reading->digest = (reading->digest ^ len) * UINT64_C(0x100000001b3);
}

static void check_value(const struct catalog_column *column, struct str value)
{
	must(value.len <= VALUE_MAX_BYTES);
	must(json_is_utf8(value) && (value.len == 0 || !memchr(value.p, '\0', value.len)));
	if (column->kind == CATALOG_JSON && value.len > 0)
		must(parse_json_valid(value, 100));
}

static void on_item(void *arg, const struct parse_item *item)
{
	struct reading *reading = arg;
	const struct record *record = item->record;

	must(record != NULL || item->faults_count > 0);
	must(item->faults_count <= PARSE_FAULTS_MAX);
	must(item->raw.len <= LINE_MAX_BYTES);
	reading->items++;
	digest(reading, &item->line, sizeof(item->line));
	digest(reading, item->raw.p, item->raw.len);
	digest(reading, item->header.p, item->header.len);
	digest(reading, &item->columns_at_fault, sizeof(item->columns_at_fault));
	for (size_t i = 0; i < item->faults_count; i++) {
		digest(reading, item->faults[i].field, strlen(item->faults[i].field));
		digest(reading, item->faults[i].reason, strlen(item->faults[i].reason));
	}
	if (!record)
		return;
	for (uint8_t i = 0; i < record->product->columns_count; i++) {
		digest(reading, record->values[i].p, record->values[i].len);
		check_value(&record->product->columns[i], record->values[i]);
	}
}

static struct reading read_all(enum parse_format format, struct str body, size_t step, bool full_only)
{
	struct parse_limits limits = { LINE_MAX_BYTES, VALUE_MAX_BYTES, 5 };
	struct reading reading = { 0 };
	struct parser *parser = parser_new(format, &limits, format == PARSE_CSV ? "SMS" : NULL, on_item, &reading);
	struct error err;

	must(parser != NULL);
	parser->full_only = full_only;
	for (size_t at = 0; at < body.len; at += step)
		parser_feed(parser, body.p + at, body.len - at < step ? body.len - at : step, &err);
	reading.result = parser_finish(parser, &err);
	must(reading.result == 0 || err.code == ERROR_INVALID);
	parser_free(parser);
	return reading;
}

static void must_agree(struct reading a, struct reading b)
{
	must(a.items == b.items && a.digest == b.digest && a.result == b.result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	enum parse_format format = (enum parse_format)(data[0] % 4);
	size_t step = 1 + (data[0] >> 2);
	struct str body = { (const char *)data + 1, size - 1 };
	struct reading whole = read_all(format, body, size, false);

	must_agree(whole, read_all(format, body, step, false));
	must_agree(whole, read_all(format, body, size, true));
	return 0;
}
