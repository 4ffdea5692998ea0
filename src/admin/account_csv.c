/* SPDX-License-Identifier: ISC */
/*
 * account_csv.c: see account_csv.h.
 */
#include "admin/account_csv.h"

#include <string.h>

#define LINE_MAX_BYTES 4096
#define ROW "row" /* as a column: the fault is of no single one */

static const struct column {
	const char *name;
	size_t offset; /* of its value */
} columns[ACCOUNT_CSV_COLUMNS] = {
	{ "id", offsetof(struct account_new, id) },
	{ "parent", offsetof(struct account_new, parent) },
	{ "name", offsetof(struct account_new, name) },
	{ "plan", offsetof(struct account_new, plan) },
	{ "secret", offsetof(struct account_new, secret) },
	{ "secret_hash", offsetof(struct account_new, secret_hash) },
};

void account_csv_init(struct account_csv *csv, struct account_import *import)
{
	*csv = (struct account_csv){ .import = import, .line.max_bytes = LINE_MAX_BYTES };
}

void account_csv_free(struct account_csv *csv)
{
	buf_free(&csv->line);
}

/* --- a line into cells --- */

/* Takes a quoted cell whose first quote is before p, and writes it without doubled quotes over itself; after its last
 * quote, or NULL. */
static char *take_quoted(char *p, const char *end, struct str *cell)
{
	char *begin = p, *to = p;

	for (; p < end; *to++ = *p++) {
		if (*p != '"')
			continue;
		if (++p == end || *p != '"') {
			*cell = (struct str){ begin, (size_t)(to - begin) };
			return p;
		}
	}
	return NULL;
}

/* Counts all cells, fills in up to ACCOUNT_CSV_COLUMNS + 1; 0 if quotes are broken. */
static size_t split(char *p, const char *end, struct str cells[ACCOUNT_CSV_COLUMNS + 1])
{
	size_t count = 0;

	for (;; p++) {
		struct str cell = { p, 0 };

		if (p < end && *p == '"') {
			p = take_quoted(p + 1, end, &cell);
		} else {
			while (p < end && *p != ',' && *p != '"')
				p++;
			cell.len = (size_t)(p - cell.p);
		}
		if (!p || (p < end && *p != ','))
			return 0;
		if (count <= ACCOUNT_CSV_COLUMNS)
			cells[count] = cell;
		count++;
		if (p == end)
			return count;
	}
}

/* --- the header --- */

static int take_name(struct account_csv *csv, struct str name, struct error *err)
{
	int shown = (int)(name.len < 64 ? name.len : 64);
	size_t column = 0;

	while (column < ACCOUNT_CSV_COLUMNS && !str_is(name, columns[column].name))
		column++;
	if (column == ACCOUNT_CSV_COLUMNS)
		return error_set(err, ERROR_INVALID,
		                 "line %u: \"%.*s\": no such column; may be id, parent, name, plan, secret and "
		                 "secret_hash",
		                 (unsigned)csv->lines, shown, name.p);
	for (size_t i = 0; i < csv->names_count; i++)
		if (csv->names[i] == column)
			return error_set(err, ERROR_INVALID, "line %u: the column %s is there twice",
			                 (unsigned)csv->lines, columns[column].name);
	csv->names[csv->names_count++] = column;
	return 0;
}

static int take_header(struct account_csv *csv, char *line, const char *end, struct error *err)
{
	struct str cells[ACCOUNT_CSV_COLUMNS + 1];
	bool has_id = false;

	if (csv->lines == 1)
		line += str_mark_length((struct str){ line, (size_t)(end - line) });
	size_t count = split(line, end, cells);
	for (size_t i = 0; i < count; i++) {
		/* More names than there are columns: one of the first is unknown, or there twice. */
		if (take_name(csv, cells[i], err) != 0)
			return -1;
		has_id = has_id || csv->names[i] == 0;
	}
	if (has_id)
		return 0;
	return error_set(err, ERROR_INVALID, "line %u: must be a header that names the columns, id at least",
	                 (unsigned)csv->lines);
}

/* --- rows --- */

static int take_row(struct account_csv *csv, char *line, const char *end, struct error *err)
{
	struct account_new account = { .line = csv->lines };
	struct str cells[ACCOUNT_CSV_COLUMNS + 1];
	size_t count = memchr(line, '\0', (size_t)(end - line)) ? 0 : split(line, end, cells);

	if (count != csv->names_count) {
		if (count == 0)
			account_import_fault(csv->import, csv->lines, ROW,
			                     "broken quotes, or a NUL: a quoted value must be whole, in one line, with "
			                     "its quotes doubled");
		else
			account_import_fault(csv->import, csv->lines, ROW,
			                     "%zu values, but the header line has %zu names", count, csv->names_count);
		return 0;
	}
	for (size_t i = 0; i < count; i++)
		*(struct str *)((char *)&account + columns[csv->names[i]].offset) = cells[i];
	return account_import_take(csv->import, &account, err);
}

static int take_line(struct account_csv *csv, struct error *err)
{
	char *line = csv->line.data;
	size_t len = csv->line.len;

	csv->lines++;
	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (len == 0 && !csv->line.failed)
		return 0;
	if (csv->line.failed && csv->names_count > 0) {
		account_import_fault(csv->import, csv->lines, ROW, "longer than the %d bytes that a line may have",
		                     LINE_MAX_BYTES);
		return 0;
	}
	return csv->names_count > 0 ? take_row(csv, line, line + len, err) : take_header(csv, line, line + len, err);
}

int account_csv_feed(struct account_csv *csv, const char *data, size_t len, struct error *err)
{
	const char *end = data + len;

	while (data < end) {
		const char *line_end = memchr(data, '\n', (size_t)(end - data));

		buf_add(&csv->line, data, (size_t)((line_end ? line_end : end) - data));
		if (!line_end)
			return 0;
		if (take_line(csv, err) != 0)
			return -1;
		buf_clear(&csv->line);
		data = line_end + 1;
	}
	return 0;
}

int account_csv_end(struct account_csv *csv, struct error *err)
{
	if (csv->line.len > 0 || csv->line.failed)
		if (take_line(csv, err) != 0)
			return -1;
	if (csv->names_count > 0)
		return 0;
	return error_set(err, ERROR_INVALID, "the file is empty; its first line must name the columns, id at least");
}
