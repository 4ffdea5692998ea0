/* SPDX-License-Identifier: ISC */
/*
 * reader.c: a body in pieces to rows, and each row through its mapping. See mapping.h.
 *
 * A row is a line, a line of CSV with its values' line ends, or a JSON object. Its end is looked for in the piece; a row
 * that the piece cuts is carried over, up to one byte more than allowed, and of a longer one the rest is skipped.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_reader.h"
#include "mapping/mapping_private.h"

#define ARENA_MORE ((size_t)64 << 10) /* beside the row itself, for what is made of its values */

#define MARK "\xef\xbb\xbf" /* of byte order, at a body's beginning */
#define MARK_LEN (sizeof(MARK) - 1)

struct mapping_reader {
	struct mapping *mapping;
	struct parse_limits limits;
	parse_item_fn on_item;
	void *arg;
	struct error end; /* why nothing more is read; code ERROR_NONE while all is well */

	bool opened;        /* the body's first bytes are known to be a mark or none */
	size_t mark_taken;  /* before: how many of a mark's they are */
	uint64_t fed;       /* bytes before the current piece */
	uint64_t begun_at;  /* where the current row begins */
	uint64_t line;      /* that the current row begins in */
	uint64_t line_ends; /* of the row so far */
	bool begun;         /* it was cut */
	size_t size;        /* of it so far */
	struct buf carry;   /* its bytes */
	bool header_wanted; /* the next row is the header line */
	struct buf header;
	uint64_t skipped;

	/* within a row: of CSV, and of JSON */
	bool in_quotes, cell_begins, escaped, in_object;
	size_t depth;

	struct split split;
	struct run run;
	struct buf arena;
	struct json_reader json;
};

/* --- items --- */

static void deliver(struct mapping_reader *reader, struct str raw, const struct record *record,
                    const struct parse_fault *faults, size_t count)
{
	struct parse_item item = {
		.line = reader->line,
		.record = record,
		.faults = faults,
		.faults_count = count,
		.columns_at_fault = record ? reader->run.columns_at_fault : 0,
		.raw = raw,
		.size = reader->size > raw.len ? reader->size : raw.len,
		.raw_cut = reader->size > reader->limits.line_max_bytes,
		.format = PARSE_MAPPED,
		.header = buf_str(&reader->header),
		.updates = record && reader->run.updates,
	};

	reader->on_item(reader->arg, &item);
}

static void deliver_fault(struct mapping_reader *reader, struct str raw, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void deliver_fault(struct mapping_reader *reader, struct str raw, const char *format, ...)
{
	char reason[256];
	struct parse_fault fault = { "", reason };
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	if (raw.len > reader->limits.line_max_bytes)
		raw.len = reader->limits.line_max_bytes;
	deliver(reader, raw, NULL, &fault, 1);
}

static void stop(struct mapping_reader *reader, enum error_code code, const char *reason)
{
	if (reader->end.code == ERROR_NONE)
		error_set(&reader->end, code, "%s", reason);
}

/* --- a row --- */

/* ASCII without NUL, as nearly all rows are: then the values need no closer look. */
static bool is_plain(struct str row)
{
	unsigned char bits = 0;

	for (size_t i = 0; i < row.len; i++)
		bits |= (unsigned char)row.p[i];
	return bits < 0x80 && !memchr(row.p, '\0', row.len);
}

static bool split_row(struct mapping_reader *reader, struct str row)
{
	switch (reader->mapping->form) {
	case FORM_CSV:
		return split_csv(&reader->split, row);
	case FORM_JSON:
		return split_json(&reader->split, row);
	case FORM_PAIRS:
		return split_pairs(&reader->split, row);
	default:
		return split_pattern(&reader->split, row);
	}
}

static void map_row(struct mapping_reader *reader, struct str raw, struct str row)
{
	struct run *run = &reader->run;

	buf_clear(&reader->arena);
	if (!split_row(reader, row)) {
		if (reader->mapping->skips_unmatched)
			reader->skipped++;
		else
			deliver_fault(reader, raw, "%s", reader->split.fault);
		return;
	}
	run->check_text = reader->mapping->form == FORM_JSON || !is_plain(row);
	switch (mapping_run(run)) {
	case RUN_SKIP:
		reader->skipped++;
		return;
	case RUN_UNTAKEN:
		deliver_fault(reader, raw, "No section [record] or [skip] of the mapping takes this row");
		return;
	default:
		if (reader->arena.failed)
			deliver_fault(reader, raw, "The mapped values are longer than the %zu bytes allowed",
			              reader->arena.cap);
		else
			deliver(reader, raw, &run->record, run->faults, run->faults_count);
	}
}

static void take_header(struct mapping_reader *reader, struct str row)
{
	reader->header_wanted = false;
	buf_clear(&reader->header);
	buf_add_str(&reader->header, row);
	buf_clear(&reader->arena);
	if (reader->header.failed)
		stop(reader, ERROR_NOMEM, "Out of memory");
	else if (!split_csv_header(&reader->split, row))
		stop(reader, ERROR_INVALID, reader->split.fault);
}

/* What follows the mapping's start text; false if that is not in the line. */
static bool find_start(const struct mapping *mapping, struct str *row)
{
	if (mapping->start.len == 0)
		return true;
	const char *found = memmem(row->p, row->len, mapping->start.p, mapping->start.len);
	if (!found)
		return false;
	found += mapping->start.len;
	*row = (struct str){ found, (size_t)(row->p + row->len - found) };
	return true;
}

/* The row is whole, or as much of it as is kept. */
static void complete(struct mapping_reader *reader, struct str raw)
{
	struct str row;

	if (reader->mapping->form != FORM_JSON && raw.len > 0 && raw.p[raw.len - 1] == '\r')
		raw.len--;
	row = raw;
	if (reader->size > reader->limits.line_max_bytes)
		deliver_fault(reader, raw, "Longer than the %zu bytes allowed", reader->limits.line_max_bytes);
	else if (raw.len == 0)
		; /* an empty line */
	else if (reader->header_wanted)
		take_header(reader, raw);
	else if (!find_start(reader->mapping, &row))
		reader->skipped++;
	else
		map_row(reader, raw, row);
	reader->line += reader->line_ends;
	reader->line_ends = 0;
	reader->begun = false;
	reader->size = 0;
	buf_clear(&reader->carry);
}

/* --- where a row ends: after its bytes, or NULL if that is not in the piece --- */

static const char *end_of_line(struct mapping_reader *reader, const char *p, const char *end)
{
	const char *line_end = memchr(p, '\n', (size_t)(end - p));

	reader->line_ends += line_end != NULL;
	return line_end;
}

/* As the cells are split: a quote that begins a cell opens it, and a single one closes it. */
static const char *end_of_csv(struct mapping_reader *reader, const char *p, const char *end)
{
	const struct mapping *mapping = reader->mapping;

	for (; p < end; p++) {
		bool is_quote = mapping->quote && *p == mapping->quote;

		reader->line_ends += *p == '\n';
		if (reader->in_quotes) {
			reader->in_quotes = !is_quote;
			reader->escaped = is_quote; /* another one right after it opens them again */
			continue;
		}
		if (*p == '\n')
			return p;
		if (is_quote && (reader->cell_begins || reader->escaped))
			reader->in_quotes = true;
		reader->escaped = false;
		reader->cell_begins = *p == mapping->delimiter;
	}
	return NULL;
}

static const char *end_of_json(struct mapping_reader *reader, const char *p, const char *end)
{
	for (; p < end; p++) {
		reader->line_ends += *p == '\n';
		if (!reader->in_object && *p == '\n')
			return p; /* text that is no object: to the line's end */
		if (reader->in_quotes) {
			reader->in_quotes = reader->escaped || *p != '"';
			reader->escaped = !reader->escaped && *p == '\\';
			continue;
		}
		reader->in_quotes = *p == '"';
		reader->depth += *p == '{' || *p == '[';
		if ((*p == '}' || *p == ']') && --reader->depth == 0 && reader->in_object)
			return p + 1;
	}
	return NULL;
}

static bool is_lines(const struct mapping *mapping)
{
	return mapping->form == FORM_JSON ? mapping->start.len > 0 : mapping->form != FORM_CSV || !mapping->multiline;
}

static bool ends_before_line(const struct mapping_reader *reader)
{
	return !is_lines(reader->mapping) && reader->mapping->form == FORM_JSON && reader->in_object;
}

static const char *end_of_row(struct mapping_reader *reader, const char *p, const char *end)
{
	if (is_lines(reader->mapping))
		return end_of_line(reader, p, end);
	return reader->mapping->form == FORM_JSON ? end_of_json(reader, p, end) : end_of_csv(reader, p, end);
}

/* Between rows: line ends and, of JSON, white space, commas and the brackets of an array. */
static const char *between(struct mapping_reader *reader, const char *p, const char *end)
{
	bool json = reader->mapping->form == FORM_JSON;

	while (p < end && (*p == '\n' || (json && strchr(" \t\r,[]", *p) && *p))) {
		reader->line += *p == '\n';
		p++;
	}
	return p;
}

static void begin_row(struct mapping_reader *reader, char first)
{
	reader->cell_begins = true;
	reader->in_quotes = reader->escaped = false;
	reader->in_object = first == '{';
	reader->depth = 0;
	reader->size = 0;
}

static void carry_over(struct mapping_reader *reader, struct str text)
{
	size_t room = reader->limits.line_max_bytes + 1 - reader->carry.len;

	buf_add(&reader->carry, text.p, text.len < room ? text.len : room);
	if (reader->carry.failed)
		stop(reader, ERROR_NOMEM, "Out of memory");
}

static const char *take(struct mapping_reader *reader, const char *piece, const char *p, const char *end)
{
	if (!reader->begun) {
		p = between(reader, p, end);
		if (p == end)
			return p;
		begin_row(reader, *p);
		reader->begun_at = reader->fed + (uint64_t)(p - piece);
	}
	const char *after = end_of_row(reader, p, end);
	struct str text = { p, (size_t)((after ? after : end) - p) };

	reader->size += text.len;
	if (!after || reader->begun) {
		carry_over(reader, text);
		text = buf_str(&reader->carry);
	}
	reader->begun = true;
	if (after && reader->end.code == ERROR_NONE)
		complete(reader, text);
	if (!after)
		return end;
	/* The line's end was counted as the row's, but for an object, which ends before it. */
	return after + (after < end && *after == '\n' && !ends_before_line(reader));
}

static void read_piece(struct mapping_reader *reader, const char *data, size_t len)
{
	const char *p = data, *end = data + len;

	while (p < end && reader->end.code == ERROR_NONE)
		p = take(reader, data, p, end);
	reader->fed += len;
}

/* How many bytes of a piece are a byte order mark's, of which each may come by itself; what begins like one and is none is
 * read as all else. */
static size_t take_mark(struct mapping_reader *reader, const char *data, size_t len)
{
	size_t count = 0;

	for (; count < len && reader->mark_taken < MARK_LEN && data[count] == MARK[reader->mark_taken]; count++)
		reader->mark_taken++;
	if (count == len && reader->mark_taken < MARK_LEN)
		return count;
	reader->opened = true;
	if (reader->mark_taken == MARK_LEN)
		reader->fed += MARK_LEN;
	else
		read_piece(reader, MARK, reader->mark_taken);
	return count;
}

/* --- the public functions --- */

struct mapping_reader *mapping_reader_new(struct mapping *mapping, const struct parse_limits *limits,
                                          parse_item_fn on_item, void *arg)
{
	struct mapping_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->mapping = mapping_hold(mapping);
	reader->limits = *limits;
	reader->on_item = on_item;
	reader->arg = arg;
	reader->line = 1;
	reader->json.takes_nan = true;
	reader->header_wanted = mapping->form == FORM_CSV && mapping->header;
	reader->arena.max_bytes = 2 * limits->line_max_bytes + ARENA_MORE;
	reader->split = (struct split){ .mapping = mapping, .arena = &reader->arena, .json = &reader->json };
	reader->run = (struct run){
		.mapping = mapping, .limits = &reader->limits, .values = reader->split.values, .arena = &reader->arena
	};
	for (uint16_t i = 0; i < mapping->named_count; i++) {
		reader->split.places[i] = mapping->used[i] ? i : MAPPING_NO_FIELD;
		reader->split.places_least = mapping->optional[i] ? reader->split.places_least : i + 1U;
	}
	reader->split.places_count = mapping->named_count;
	if (buf_reserve(&reader->arena, reader->arena.max_bytes))
		return reader;
	mapping_reader_free(reader);
	return NULL;
}

static int result(const struct mapping_reader *reader, struct error *err)
{
	if (reader->end.code == ERROR_NONE)
		return 0;
	*err = reader->end;
	return -1;
}

int mapping_reader_resume(struct mapping_reader *reader, struct str header, uint64_t line, uint64_t byte,
                          struct error *err)
{
	if (reader->header_wanted && header.len > 0)
		take_header(reader, header);
	reader->line = line;
	reader->fed = byte;
	reader->opened = byte > 0;
	return result(reader, err);
}

int mapping_reader_feed(struct mapping_reader *reader, const char *data, size_t len, struct error *err)
{
	size_t taken = reader->opened ? 0 : take_mark(reader, data, len);

	read_piece(reader, data + taken, len - taken);
	return result(reader, err);
}

int mapping_reader_finish(struct mapping_reader *reader, struct error *err)
{
	if (!reader->opened)
		read_piece(reader, MARK, reader->mark_taken);
	reader->opened = true;
	if (reader->begun && reader->end.code == ERROR_NONE) {
		struct str text = buf_str(&reader->carry);

		complete(reader, text);
	}
	return result(reader, err);
}

bool mapping_reader_is_between(const struct mapping_reader *reader)
{
	return !reader->begun && reader->end.code == ERROR_NONE;
}

void mapping_reader_position(const struct mapping_reader *reader, struct parse_position *position)
{
	bool between_rows = mapping_reader_is_between(reader);

	*position = (struct parse_position){ .line = reader->line,
		                             .byte = between_rows ? reader->fed : reader->begun_at,
		                             .unit = "line" };
}

struct str mapping_reader_header(const struct mapping_reader *reader)
{
	return buf_str(&reader->header);
}

uint64_t mapping_reader_skipped(const struct mapping_reader *reader)
{
	return reader->skipped;
}

void mapping_reader_free(struct mapping_reader *reader)
{
	if (!reader)
		return;
	mapping_release(reader->mapping);
	buf_free(&reader->carry);
	buf_free(&reader->header);
	buf_free(&reader->arena);
	buf_free(&reader->run.parts);
	json_reader_free(&reader->json);
	free(reader);
}
