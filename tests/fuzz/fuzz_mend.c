/* SPDX-License-Identifier: ISC */
/*
 * fuzz_mend.c: any bytes as a record that is to be mended, in every format.
 *
 * An input is the format's number, then the record; in CSV a header line first. What must hold: what was mended is not
 * changed by being mended again, a body can be made of it, and no reader stumbles over that.
 */
#include <stdint.h>
#include <stdlib.h>

#include "record/mend.h"

#define FORMATS 4
#define LINE_MAX ((size_t)1 << 20)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void ignore_item(void *arg, const struct parse_item *item)
{
	(void)arg;
	must(item->record || item->faults_count > 0);
}

static void read_body(enum parse_format format, struct str header, struct str raw)
{
	static const struct parse_limits limits = { LINE_MAX, 1 << 16, 16 };
	struct parser *parser = parser_new(format, &limits, "SMS", ignore_item, NULL);
	struct buf body = { 0 };
	struct error err;

	must(parser != NULL);
	parse_write_body(&body, format, header, raw);
	MAY_FAIL(parser_feed(parser, body.data, body.len, &err));
	MAY_FAIL(parser_finish(parser, &err));
	parser_free(parser);
	buf_free(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mend_change changes[] = {
		{ .field = { "status", 6 }, .value = { "a\"b,\\", 5 } },
		{ .field = { "to", 2 }, .unset = true },
		{ .field = { "id", 2 }, .value = { "", 0 } },
	};
	struct buf bufs[4] = { { 0 } };

	if (size == 0)
		return 0;
	enum parse_format format = (enum parse_format)(data[0] % FORMATS);
	const char *begin = (const char *)data + 1, *end = (const char *)data + size;
	const char *line_end = format == PARSE_CSV ? memchr(begin, '\n', size - 1) : NULL;
	struct str header = { begin, line_end ? (size_t)(line_end - begin) : 0 };
	struct str raw = { line_end ? line_end + 1 : begin, (size_t)(end - (line_end ? line_end + 1 : begin)) };

	if (mend_record(format, header, raw, changes, COUNT(changes), &bufs[0], &bufs[1])) {
		must(mend_record(format, buf_str(&bufs[0]), buf_str(&bufs[1]), changes, COUNT(changes), &bufs[2],
		                 &bufs[3]));
		must(str_equal(buf_str(&bufs[0]), buf_str(&bufs[2])) &&
		     str_equal(buf_str(&bufs[1]), buf_str(&bufs[3])));
		read_body(format, buf_str(&bufs[0]), buf_str(&bufs[1]));
	}
	for (size_t i = 0; i < COUNT(bufs); i++)
		buf_free(&bufs[i]);
	return 0;
}
