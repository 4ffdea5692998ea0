/* SPDX-License-Identifier: ISC */
/*
 * fuzz_parse.c: bodies of records in every format.
 *
 * The first byte of an input chooses the format (see the end of this file) and the size of pieces, the rest is the body.
 * It is read whole and in pieces. What must hold: both call back with the same items and end at the same place, items keep
 * to the limits, values lie in memory that may be read, and nothing is left out: but for what separates records, each
 * byte of the body is in the `raw` of an item, up to where reading ended. And an item with faults has them again when it
 * is read again by itself. What the values are, fuzz_record_json and fuzz_record_msgpack hold against other readers.
 */
#include <stdint.h>
#include <stdlib.h>

#include "record/parse_json_token.h"
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
	struct str rest; /* of the body, behind the last item */
	bool headed;     /* CSV: the header is passed */
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
		must(json_token_is_valid(value, 100));
}

/* The bytes of the array that the body may be in. */
static size_t array_head(struct str body)
{
	unsigned char first = body.len > 0 ? (unsigned char)body.p[0] : 0;

	return (first & 0xf0) == 0x90 ? 1 : first == 0xdc ? 3 : first == 0xdd ? 5 : 0;
}

/* Takes what separates records off the body. */
static void skip_between(struct reading *reading, const struct parse_item *item)
{
	static const char *const between[] = { [PARSE_NDJSON] = " \t\r\n",
		                               [PARSE_JSON_ARRAY] = " \t\r\n,[]",
		                               [PARSE_MSGPACK] = "",
		                               [PARSE_CSV] = "\r\n" };
	struct str *rest = &reading->rest;

	while (rest->len > 0 && rest->p[0] != '\0' && strchr(between[item->format], rest->p[0]) &&
	       (item->raw.len == 0 || rest->p[0] != item->raw.p[0] || rest->len < item->raw.len ||
	        memcmp(rest->p, item->raw.p, item->raw.len) != 0)) {
		rest->p++;
		rest->len--;
	}
}

static void skip(struct str *rest, uint64_t count)
{
	must(count <= rest->len);
	rest->p += count;
	rest->len -= count;
}

/* The item's bytes come next in the body. */
static void cover(struct reading *reading, const struct parse_item *item)
{
	struct str *rest = &reading->rest;

	if (item->format == PARSE_CSV && !reading->headed) {
		const char *header = memmem(rest->p, rest->len, item->header.p, item->header.len);

		must(header != NULL);
		skip(rest, (uint64_t)(header - rest->p) + item->header.len);
		reading->headed = true;
	}
	if (item->format == PARSE_MSGPACK && reading->items == 0)
		skip(rest, array_head(*rest));
	skip_between(reading, item);
	must(item->raw.len <= rest->len && memcmp(rest->p, item->raw.p, item->raw.len) == 0);
	must(item->size >= item->raw.len && item->raw_cut == (item->size > item->raw.len));
	skip(rest, item->size);
}

static void on_again(void *arg, const struct parse_item *item)
{
	const struct parse_item *before = *(const struct parse_item **)arg;

	must(before != NULL && item->format == before->format && str_equal(item->raw, before->raw));
	must(item->faults_count == before->faults_count && item->columns_at_fault == before->columns_at_fault);
	*(const struct parse_item **)arg = NULL;
}

/* A row with a CR in it is left out: where lines end with CR, it may have been read otherwise. */
static void read_again(const struct parse_item *item)
{
	if (item->format == PARSE_CSV && memchr(item->raw.p, '\r', item->raw.len))
		return;
	struct parse_limits limits = { LINE_MAX_BYTES, VALUE_MAX_BYTES, 5 };
	const struct parse_item *wanted = item;
	struct buf body = { 0 };
	struct error err;
	struct parser *parser =
		parser_new(item->format, &limits, item->format == PARSE_CSV ? "SMS" : NULL, on_again, &wanted);

	must(parser != NULL);
	parse_write_body(&body, item->format, item->header, item->raw);
	MAY_FAIL(parser_feed(parser, body.data, body.len, &err));
	MAY_FAIL(parser_finish(parser, &err));
	must(wanted == NULL);
	parser_free(parser);
	buf_free(&body);
}

static void on_item(void *arg, const struct parse_item *item)
{
	struct reading *reading = arg;
	const struct record *record = item->record;

	cover(reading, item);
	if (item->record && item->faults_count > 0)
		read_again(item);

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

/* Is what is left of a body that was read to its end no record? */
static bool is_between(enum parse_format format, const struct reading *reading, const struct parser *parser)
{
	static const char between[] = " \t\r\n,[]";
	struct str rest = reading->rest;

	if (format == PARSE_CSV && !reading->headed) /* no rows: there is just the header */
		return rest.len <= parser->header.len + 600 || !parser->header.p;
	if (format == PARSE_MSGPACK)
		return rest.len == (reading->items == 0 ? array_head(rest) : 0);
	while (rest.len > 0 && rest.p[0] != '\0' && strchr(between, rest.p[0]))
		skip(&rest, 1);
	return rest.len == 0;
}

static void digest_end(struct reading *reading, const struct parser *parser, const struct error *err)
{
	struct parse_position position;

	parser_position(parser, &position);
	digest(reading, &position.line, sizeof(position.line));
	digest(reading, &position.byte, sizeof(position.byte));
	digest(reading, err->message, reading->result == 0 ? 0 : strlen(err->message));
}

static struct str without_mark(enum parse_format format, struct str body)
{
	if (format != PARSE_MSGPACK && body.len >= 3 && memcmp(body.p, "\xef\xbb\xbf", 3) == 0)
		skip(&body, 3);
	return body;
}

static struct reading read_all(enum parse_format format, struct str body, size_t step)
{
	struct parse_limits limits = { LINE_MAX_BYTES, VALUE_MAX_BYTES, 5 };
	struct reading reading = { .rest = without_mark(format, body) };
	struct parser *parser = parser_new(format, &limits, format == PARSE_CSV ? "SMS" : NULL, on_item, &reading);
	struct error err;

	must(parser != NULL);
	for (size_t at = 0; at < body.len; at += step)
		MAY_FAIL(parser_feed(parser, body.p + at, body.len - at < step ? body.len - at : step, &err));
	reading.result = parser_finish(parser, &err);
	must(reading.result != 0 || is_between(format, &reading, parser));
	must(reading.result == 0 || err.code == ERROR_INVALID);
	digest_end(&reading, parser, &err);
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
	size_t step = 1 + (data[0] >> 2) % 32;
	struct str body = { (const char *)data + 1, size - 1 };

	if (data[0] >= 128 && format <= PARSE_JSON_ARRAY)
		format = PARSE_JSON;
	must_agree(read_all(format, body, size), read_all(format, body, step));
	return 0;
}
