/* SPDX-License-Identifier: ISC */
/*
 * split.c: rows of CSV, of keys and values, and of patterns into the values of their fields. See mapping_private.h.
 */
#include <stdarg.h>
#include <stdio.h>

#include "mapping/mapping_private.h"
#include "mapping/mapfile.h"

static bool split_fault(struct split *split, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool split_fault(struct split *split, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(split->fault, sizeof(split->fault), format, args);
	va_end(args);
	return false;
}

static void clear(struct split *split)
{
	memset(split->values, 0, split->mapping->fields_count * sizeof(split->values[0]));
}

/* --- CSV --- */

/* A cell after its opening quote, with doubled quotes undone: after its closing one, or NULL if there is none. */
static const char *take_quoted(struct split *split, const char *p, const char *end, bool used, struct str *cell)
{
	const char *begin = p, *quote_at;
	char quote = split->mapping->quote;
	size_t copied_at = split->arena->len;

	for (;;) {
		quote_at = p < end ? memchr(p, quote, (size_t)(end - p)) : NULL;
		if (!quote_at)
			return NULL;
		if (quote_at + 1 == end || quote_at[1] != quote)
			break;
		if (used)
			buf_add(split->arena, begin, (size_t)(quote_at + 1 - begin));
		begin = p = quote_at + 2;
	}
	*cell = (struct str){ begin, (size_t)(quote_at - begin) };
	if (split->arena->len > copied_at) {
		buf_add_str(split->arena, *cell);
		*cell = (struct str){ split->arena->data + copied_at, split->arena->len - copied_at };
	}
	return quote_at + 1;
}

static const char *take_cell(struct split *split, const char *p, const char *end, bool used, struct str *cell)
{
	const struct mapping *mapping = split->mapping;

	if (p < end && mapping->quote && *p == mapping->quote)
		return take_quoted(split, p + 1, end, used, cell);
	const char *stop = p < end ? memchr(p, mapping->delimiter, (size_t)(end - p)) : NULL;
	stop = stop ? stop : end;
	*cell = (struct str){ p, (size_t)(stop - p) };
	return stop;
}

/* Calls take(split, column, cell) for each cell; the number of columns, or -1 if the quotes are broken. */
static int each_cell(struct split *split, struct str row,
                     void (*take)(struct split *split, size_t column, struct str cell))
{
	const char *p = row.p, *end = row.p + row.len;
	struct str cell = { NULL, 0 };

	for (size_t column = 0;; column++, p++) {
		bool used = column < split->places_count && split->places[column] != MAPPING_NO_FIELD;

		p = take_cell(split, p, end, used, &cell);
		if (!p || (p < end && *p != split->mapping->delimiter))
			return -1;
		take(split, column, cell);
		if (p == end)
			return (int)column + 1;
	}
}

static void take_value(struct split *split, size_t column, struct str cell)
{
	if (column < split->places_count && split->places[column] != MAPPING_NO_FIELD)
		split->values[split->places[column]] = cell;
}

bool split_csv(struct split *split, struct str row)
{
	clear(split);
	int count = each_cell(split, row, take_value);
	if (count < 0)
		return split_fault(split, "Broken quotes: a quoted value must be whole, with its quotes doubled");
	if ((size_t)count < split->places_least)
		return split_fault(split, "%d values, but there must be at least %zu", count, split->places_least);
	if ((size_t)count > split->places_count)
		return split_fault(split, "%d values, but there are names for %zu", count, split->places_count);
	return true;
}

static void take_name(struct split *split, size_t column, struct str cell)
{
	uint16_t field = mapping_find_field(split->mapping, cell);

	split->places_count = column + 1;
	if (column >= MAPPING_FIELDS_MAX)
		return;
	split->places[column] = field;
	if (field == MAPPING_NO_FIELD)
		return;
	if (split->values[field].p)
		split_fault(split, "Given twice in the header line: \"%.*s\"", MAPFILE_SHOWN(cell));
	split->values[field] = cell;
}

/* One that is in no quoted name ends a line. */
static bool has_bare_return(const struct split *split, struct str row)
{
	bool quoted = false;

	for (size_t i = 0; i < row.len; i++) {
		quoted ^= split->mapping->quote && row.p[i] == split->mapping->quote;
		if (!quoted && row.p[i] == '\r')
			return true;
	}
	return false;
}

bool split_csv_header(struct split *split, struct str row)
{
	const struct mapping *mapping = split->mapping;

	clear(split);
	split->fault[0] = '\0';
	if (has_bare_return(split, row)) /* the rows are in it, and would be passed over */
		return split_fault(split, "The header line has a carriage return in it: lines must end in a line feed");
	split->places_count = MAPPING_FIELDS_MAX;
	for (size_t i = 0; i < MAPPING_FIELDS_MAX; i++)
		split->places[i] = 0; /* names are wanted whole */
	if (each_cell(split, row, take_name) < 0)
		return split_fault(split, "The header line has broken quotes");
	if (split->places_count > MAPPING_FIELDS_MAX)
		return split_fault(split, "The header line has %zu names, at most %d allowed", split->places_count,
		                   MAPPING_FIELDS_MAX);
	split->places_least = split->places_count;
	for (uint16_t i = 0; i < mapping->fields_count && !split->fault[0]; i++)
		if (mapping->used[i] && !mapping->optional[i] && !split->values[i].p)
			return split_fault(split, "The header line lacks \"%.*s\", which the mapping uses",
			                   MAPFILE_SHOWN(mapping->fields[i]));
	return !split->fault[0];
}

/* --- keys and values --- */

bool split_pairs(struct split *split, struct str row)
{
	const struct mapping *mapping = split->mapping;
	struct str separator = mapping->separator, equals = mapping->equals;
	bool any = false;

	clear(split);
	for (;;) {
		const char *end = row.len > 0 ? memmem(row.p, row.len, separator.p, separator.len) : NULL;
		struct str pair = { row.p, end ? (size_t)(end - row.p) : row.len };
		const char *sign = pair.len > 0 ? memmem(pair.p, pair.len, equals.p, equals.len) : NULL;

		if (sign) {
			struct str name = str_trim((struct str){ pair.p, (size_t)(sign - pair.p) });
			struct str value = { sign + equals.len, (size_t)(pair.p + pair.len - sign) - equals.len };
			uint16_t field = mapping_find_field(mapping, name);

			any = true;
			if (field != MAPPING_NO_FIELD && !split->values[field].p)
				split->values[field] = str_trim(value);
		}
		if (!end)
			return any || split_fault(split, "No key and value in the row");
		row = (struct str){ end + separator.len, row.len - pair.len - separator.len };
	}
}

/* --- patterns --- */

/* The length that another field says the piece has: of text in hexadecimal, it is half of it. SIZE_MAX if it does not
 * fit. */
static size_t length_of(const struct split *split, const struct pattern_piece *piece, struct str rest)
{
	struct str text = split->values[piece->length];
	size_t length = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9' || length > rest.len)
			return SIZE_MAX;
		length = length * 10 + (size_t)(text.p[i] - '0');
	}
	for (int times = 1; times <= 2; times++) {
		size_t end = length * (size_t)times;

		if (end <= rest.len && rest.len - end >= piece->text.len &&
		    memcmp(rest.p + end, piece->text.p, piece->text.len) == 0 &&
		    (piece->text.len > 0 || end == rest.len))
			return end;
	}
	return SIZE_MAX;
}

/* `last`: the text that follows the field is the row's end. */
static size_t end_of_field(const struct split *split, const struct pattern_piece *piece, struct str rest, bool last)
{
	if (piece->length != MAPPING_NO_FIELD)
		return length_of(split, piece, rest);
	if (last) {
		bool fits = rest.len >= piece->text.len &&
		            memcmp(rest.p + rest.len - piece->text.len, piece->text.p, piece->text.len) == 0;

		return fits ? rest.len - piece->text.len : SIZE_MAX;
	}
	const char *end = rest.len == 0        ? NULL :
	                  piece->text.len == 1 ? memchr(rest.p, piece->text.p[0], rest.len) :
	                                         memmem(rest.p, rest.len, piece->text.p, piece->text.len);
	return end ? (size_t)(end - rest.p) : SIZE_MAX;
}

static bool match(struct split *split, const struct pattern *pattern, struct str row)
{
	for (size_t i = 0; i < pattern->count; i++) {
		const struct pattern_piece *piece = &pattern->pieces[i];
		size_t end = 0;

		if (piece->is_field) {
			end = end_of_field(split, piece, row, i + 1 == pattern->count);
			if (end == SIZE_MAX)
				return false;
			if (piece->field != MAPPING_NO_FIELD)
				split->values[piece->field] = (struct str){ row.p, end };
		} else if (row.len < piece->text.len || memcmp(row.p, piece->text.p, piece->text.len) != 0) {
			return false;
		}
		row = (struct str){ row.p + end + piece->text.len, row.len - end - piece->text.len };
	}
	return row.len == 0;
}

bool split_pattern(struct split *split, struct str row)
{
	const struct mapping *mapping = split->mapping;

	for (size_t i = 0; i < mapping->patterns_count; i++) {
		clear(split);
		if (match(split, &mapping->patterns[i], row))
			return true;
	}
	return split_fault(split, mapping->patterns_count == 1 ? "Does not have the form of the pattern" :
	                                                         "Has the form of none of the patterns");
}
