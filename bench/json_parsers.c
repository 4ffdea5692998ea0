/* SPDX-License-Identifier: ISC */
/*
 * json_parsers.c: which JSON library reads flat NDJSON records fastest. `make bench-json` builds and runs it.
 *
 *	cdrgen --product SMS --account ABCD1234 --count 200000 | bench/json_parsers
 *
 * Every library does the same work on the same lines in one run: find each line, parse it, visit every name and value,
 * and add up their bytes, which must come out equal. The best of ROUNDS passes counts, on one core. The last two rows
 * are cdrd's: base/json_reader.h, which requests are read with, and the parser of records, which also resolves columns
 * and checks repeated fields and limits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json_reader.h"
#include "json_parsers.h"
#include "record/parse.h"

#define ROUNDS 3
#define READ_BYTES ((size_t)1 << 20)
#define FEED_BYTES ((size_t)64 << 10) /* as much as a body's pieces hold */

_Noreturn void die(const char *text)
{
	fprintf(stderr, "json_parsers: %s\n", text);
	exit(1);
}

void for_lines(struct str input, void (*fn)(void *state, struct str line), void *state)
{
	const char *end = input.p + input.len;

	for (const char *p = input.p; p < end;) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));

		if (!lf)
			die("the last line has no LF");
		fn(state, (struct str){ p, (size_t)(lf - p) });
		p = lf + 1;
	}
}

/* --- cdrd's reader of any JSON --- */

static void read_line(void *arg, struct str line)
{
	struct json_reader reader = json_reader_of(line);
	struct tally *tally = arg;
	enum json_event event;
	struct error err;

	while ((event = json_reader_next(&reader, &err)) > JSON_EVENT_END) {
		if (event == JSON_EVENT_NAME || event == JSON_EVENT_STRING)
			tally->bytes += reader.text.len;
	}
	json_reader_free(&reader);
	if (event != JSON_EVENT_END)
		die(err.message);
	tally->records++;
}

static struct tally run_reader(struct str input)
{
	struct tally tally = { 0 };

	for_lines(input, read_line, &tally);
	return tally;
}

/* --- cdrd's reader of records --- */

static void take_item(void *arg, const struct parse_item *item)
{
	struct tally *tally = arg;
	const struct record *record = item->record;

	if (item->faults_count > 0)
		die(item->faults[0].reason);
	tally->bytes += strlen("product") + record->product->name.len;
	for (uint8_t i = 0; i < record->product->columns_count; i++) {
		if (record->values[i].p)
			tally->bytes += record->product->columns[i].name.len + record->values[i].len;
	}
	tally->records++;
}

static struct tally run_cdrd(struct str input)
{
	struct parse_limits limits = { .line_max_bytes = 1 << 20, .value_max_bytes = 1 << 16, .depth_max = 8 };
	struct tally tally = { 0 };
	struct parser *parser = parser_new(PARSE_NDJSON, &limits, NULL, take_item, &tally);
	struct error err;

	if (!parser)
		die("out of memory");
	for (size_t at = 0; at < input.len; at += FEED_BYTES) {
		size_t len = input.len - at < FEED_BYTES ? input.len - at : FEED_BYTES;

		if (parser_feed(parser, input.p + at, len, &err) != 0)
			die(err.message);
	}
	if (parser_finish(parser, &err) != 0)
		die(err.message);
	parser_free(parser);
	return tally;
}

/* --- the run --- */

static const struct contestant {
	const char *name;
	struct tally (*run)(struct str input);
} contestants[] = {
	{ "jansson", run_jansson },
	{ "json-c", run_json_c },
	{ "cdrd, any JSON", run_reader },
	{ "cdrd, records", run_cdrd },
};

static struct str read_all(struct buf *buf)
{
	size_t got;

	do {
		if (!buf_reserve(buf, READ_BYTES))
			die("out of memory");
		got = fread(buf->data + buf->len, 1, READ_BYTES, stdin);
		buf->len += got;
	} while (got > 0);
	if (buf->len == 0)
		die("no records on standard input");
	return buf_str(buf);
}

static void report(const struct contestant *contestant, struct str input, uint64_t bytes_expected)
{
	int64_t best_us = INT64_MAX;
	struct tally tally = { 0 };

	for (int round = 0; round < ROUNDS; round++) {
		int64_t begun_us = clock_monotonic_us();

		tally = contestant->run(input);
		int64_t took_us = clock_monotonic_us() - begun_us;

		if (took_us < best_us)
			best_us = took_us;
	}
	if (tally.bytes != bytes_expected)
		die("the libraries do not agree on what was read");
	printf("%-24s %8.0f MB/s %10.0f records/s\n", contestant->name, (double)input.len / (double)best_us,
	       (double)tally.records * 1e6 / (double)best_us);
}

int main(void)
{
	struct buf buf = { 0 };
	struct str input = read_all(&buf);
	struct tally expected = run_reader(input);

	printf("%llu records, %.0f bytes each\n", (unsigned long long)expected.records,
	       (double)input.len / (double)expected.records);
	for (size_t i = 0; i < sizeof(contestants) / sizeof(contestants[0]); i++)
		report(&contestants[i], input, expected.bytes);
	buf_free(&buf);
	return 0;
}
