/* SPDX-License-Identifier: ISC */
/*
 * gen.c: records into a buffer, the buffer into a file descriptor.
 *
 * A format is a row in `formats`: how it writes what stands around values, and a function that writes one record. The
 * buffer always has room for the largest record, so that writing values needs no checks for its end.
 */
#include "gen/gen.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "gen/plan.h"

#define OUT_BYTES (1024 * 1024)
#define RECORD_BYTES_MAX (CATALOG_COLUMNS_MAX * (GEN_VALUE_BYTES_MAX + 128))
#define INBOUND_ONE_IN 5

struct gen_run {
	const struct gen_options *options;
	const struct gen_plan *plan;
	struct gen_facts facts;
	char *data; /* OUT_BYTES + RECORD_BYTES_MAX */
	char *out;  /* where the next record goes */
	int fd;
};

struct format {
	struct str name;
	struct gen_plan_format plan;
	void (*header)(struct gen_run *run); /* NULL for none */
	char *(*record)(char *out, struct gen_run *run);
};

/* Writes a column's value of the record whose facts are drawn; nothing for what inbound records do not have. */
static inline char *put_value(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	if (facts->direction == CATALOG_INBOUND && !column->column->inbound)
		return out;
	return column->make(out, column, facts);
}

/* --- NDJSON --- */

static void json_escape(struct buf *out, struct str text)
{
	struct buf quoted = { 0 };

	json_quote(&quoted, text);
	if (quoted.failed)
		out->failed = true;
	else
		buf_add(out, quoted.data + 1, quoted.len - 2);
	buf_free(&quoted);
}

static void json_before(struct buf *out, struct str name, bool first)
{
	(void)first; /* the product's name always comes first */
	buf_add_text(out, ",\"");
	buf_add_str(out, name);
	buf_add_text(out, "\":\"");
}

static char *json_record(char *out, struct gen_run *run)
{
	const struct gen_plan *plan = run->plan;

	out = gen_text_str(out, STR_LITERAL("{\"product\":\""));
	out = gen_text_str(out, plan->product->name);
	*out++ = '"';
	for (size_t i = 0; i < plan->columns_count; i++) {
		const struct gen_column *column = &plan->columns[i];
		char *value = gen_text_str(out, column->before);
		char *end = put_value(value, column, &run->facts);

		if (end == value)
			continue;
		*end = '"';
		out = end + 1;
	}
	*out++ = '}';
	*out++ = '\n';
	return out;
}

/* --- msgpack: map 16, keys fixstr or str 8, values fixstr, str 8 or str 16 --- */

#define MSGPACK_FIXSTR 0xa0
#define MSGPACK_FIXSTR_MAX 31
#define MSGPACK_STR8 0xd9
#define MSGPACK_STR16 0xda
#define MSGPACK_MAP16 0xde

static char *msgpack_string_header(char *out, size_t len)
{
	if (len <= MSGPACK_FIXSTR_MAX) {
		*out++ = (char)(MSGPACK_FIXSTR | len);
	} else if (len <= UINT8_MAX) {
		*out++ = (char)MSGPACK_STR8;
		*out++ = (char)len;
	} else {
		*out++ = (char)MSGPACK_STR16;
		*out++ = (char)(len >> 8);
		*out++ = (char)len;
	}
	return out;
}

static char *msgpack_string(char *out, struct str text)
{
	return gen_text_str(msgpack_string_header(out, text.len), text);
}

static void msgpack_before(struct buf *out, struct str name, bool first)
{
	char header[4];

	(void)first;
	buf_add(out, header, (size_t)(msgpack_string_header(header, name.len) - header));
	buf_add_str(out, name);
}

static char *msgpack_record(char *out, struct gen_run *run)
{
	const struct gen_plan *plan = run->plan;
	char *map = out;
	size_t pairs = 1;

	out = msgpack_string(out + 3, STR_LITERAL("product"));
	out = msgpack_string(out, plan->product->name);
	for (size_t i = 0; i < plan->columns_count; i++) {
		const struct gen_column *column = &plan->columns[i];
		char *header = gen_text_str(out, column->before);
		char *value = header + 1; /* where it stands when it is short, as nearly all are */
		size_t len = (size_t)(put_value(value, column, &run->facts) - value);

		if (len == 0)
			continue;
		if (len > MSGPACK_FIXSTR_MAX)
			memmove(header + (len > UINT8_MAX ? 3 : 2), value, len);
		out = msgpack_string_header(header, len) + len;
		pairs++;
	}
	map[0] = (char)MSGPACK_MAP16;
	map[1] = (char)(pairs >> 8);
	map[2] = (char)pairs;
	return out;
}

/* --- CSV as in a report file: every value quoted --- */

static void csv_escape(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '"')
			buf_add_char(out, '"');
		buf_add_char(out, text.p[i]);
	}
}

static void csv_before(struct buf *out, struct str name, bool first)
{
	(void)name;
	buf_add_text(out, first ? "\"" : "\",\"");
}

static void csv_header(struct gen_run *run)
{
	for (size_t i = 0; i < run->plan->columns_count; i++) {
		run->out = gen_text_str(run->out, run->plan->columns[i].before);
		run->out = gen_text_str(run->out, run->plan->columns[i].column->name);
	}
	run->out = gen_text_str(run->out, STR_LITERAL("\"\n"));
}

static char *csv_record(char *out, struct gen_run *run)
{
	const struct gen_plan *plan = run->plan;

	for (size_t i = 0; i < plan->columns_count; i++) {
		out = gen_text_str(out, plan->columns[i].before);
		out = put_value(out, &plan->columns[i], &run->facts);
	}
	return gen_text_str(out, STR_LITERAL("\"\n"));
}

static const struct format formats[GEN_FORMATS] = {
	[GEN_NDJSON] = { { "ndjson", 6 }, { json_escape, json_before }, NULL, json_record },
	[GEN_MSGPACK] = { { "msgpack", 7 }, { buf_add_str, msgpack_before }, NULL, msgpack_record },
	[GEN_CSV] = { { "csv", 3 }, { csv_escape, csv_before }, csv_header, csv_record },
};

bool gen_format_parse(struct str name, enum gen_format *format)
{
	for (size_t i = 0; i < GEN_FORMATS; i++) {
		if (str_equal(name, formats[i].name)) {
			*format = (enum gen_format)i;
			return true;
		}
	}
	return false;
}

/* --- the run --- */

static int flush(struct gen_run *run, struct error *err)
{
	const char *from = run->data;

	while (from < run->out) {
		ssize_t written = write(run->fd, from, (size_t)(run->out - from));

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return error_set_errno(err, errno, "writing records");
		from += written;
	}
	run->out = run->data;
	return 0;
}

static enum catalog_direction draw_direction(struct gen_run *run)
{
	const struct gen_options *options = run->options;

	if (options->product->direction_column == CATALOG_NONE)
		return CATALOG_NO_DIRECTION;
	if (options->direction != CATALOG_NO_DIRECTION)
		return options->direction;
	return gen_random_below(&run->facts.random, INBOUND_ONE_IN) == 0 ? CATALOG_INBOUND : CATALOG_OUTBOUND;
}

static struct str draw_account(struct gen_run *run)
{
	const struct gen_options *options = run->options;
	struct gen_random *random = &run->facts.random;

	if (options->sized_accounts)
		return options->sized_accounts->ids[gen_accounts_draw(options->sized_accounts, random)];
	return options->accounts[gen_random_below(random, (uint32_t)options->accounts_count)];
}

static bool has_duration(const struct catalog_product *product)
{
	return catalog_column_find(product, STR_LITERAL("duration")) != CATALOG_NONE;
}

static int write_records(struct gen_run *run, int64_t from_us, struct error *err)
{
	const struct gen_options *options = run->options;
	struct gen_facts *facts = &run->facts;
	double part_us = (double)(options->to_us - from_us) / (double)options->count;
	const struct format *format = &formats[options->format];

	for (uint64_t i = 0; i < options->count; i++) {
		double jitter = (double)(gen_random_next(&facts->random) >> 11) * 0x1p-53; /* [0, 1) */

		facts->time_us = from_us + (int64_t)(((double)i + jitter) * part_us);
		facts->account = draw_account(run);
		facts->direction = draw_direction(run);
		gen_facts_draw(facts);
		run->out = format->record(run->out, run);
		if (run->out - run->data >= OUT_BYTES && flush(run, err) < 0)
			return -1;
	}
	return flush(run, err);
}

int gen_write(const struct gen_options *options, int fd, struct error *err)
{
	int64_t from_us = (options->from_us + CLOCK_US_PER_SECOND - 1) / CLOCK_US_PER_SECOND * CLOCK_US_PER_SECOND;
	const struct format *format = &formats[options->format];
	struct gen_plan plan;
	struct gen_run run = { .options = options, .plan = &plan, .fd = fd };
	int result = -1;

	if (from_us >= options->to_us)
		return error_set(err, ERROR_INVALID, "the time range holds no whole second");
	if (gen_plan_make(&plan, options, &format->plan, err) < 0)
		return -1;
	run.data = malloc(OUT_BYTES + RECORD_BYTES_MAX);
	if (!run.data) {
		error_set(err, ERROR_NOMEM, "records: out of memory");
		goto out;
	}
	run.out = run.data;
	run.facts.bodies = plan.bodies;
	run.facts.pool_seed = options->seed;
	run.facts.by_the_minute = has_duration(options->product);
	/* products of one seed must not repeat each other's ids */
	gen_random_seed(&run.facts.random, options->seed + ((uint64_t)options->product->number << 48));
	if (format->header)
		format->header(&run);
	result = write_records(&run, from_us, err);
out:
	free(run.data);
	gen_plan_free(&plan);
	return result;
}
