/* SPDX-License-Identifier: ISC */
/*
 * config_file.c: reads settings from a file, its lines with inih.
 *
 * inih gives its handler no line numbers, splits a line that is longer than its buffer, stops at a NUL byte and reports
 * only the first malformed line. So it gets one line at a time. The rest is set by the variables of Debian's library: a
 * # or ; after a blank begins a comment too, and no value continues in the next line.
 */
#include "base/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <ini.h>

#include "base/config_value.h"

/* Room for a text of CONFIG_TEXT_BYTES_MAX, its key and a comment. */
#define LINE_BYTES_MAX 8190
#define LINE_ROOM (LINE_BYTES_MAX + 2) /* its newline and NUL */

struct reader {
	FILE *file;
	const char *path;
	int line;
	bool in_section;
	struct config *config;
	struct config_faults *faults;
	char text[LINE_ROOM]; /* of the line, with its newline */
};

static void fault(struct reader *r, const char *what)
{
	struct error err;

	(void)error_set(&err, ERROR_INVALID, "%s:%d: %s", r->path, r->line, what);
	config_faults_add(r->faults, &err);
}

static void skip_line(FILE *file)
{
	int c;

	while ((c = getc(file)) != EOF && c != '\n')
		;
}

/* The next line: 1, 0 at the end of the file. An unreadable line is a fault, and is skipped. */
static int read_line(struct reader *r)
{
	size_t len = 0;
	int c = 0;

	r->line++;
	while (c != '\n' && (c = getc(r->file)) != EOF) {
		if (c == '\0' || len == sizeof(r->text) - 1) {
			fault(r, c == '\0' ?
			                 "a NUL byte" :
			                 "line too long, at most " CONFIG_NUMBER_TEXT(LINE_BYTES_MAX) " bytes allowed");
			skip_line(r->file);
			len = 0;
			break;
		}
		r->text[len++] = (char)c;
	}
	r->text[len] = '\0';
	return c != EOF || len > 0;
}

/* Takes one key and its value; inih wants 0 for an error. */
static int take_setting(void *user, const char *section, const char *key, const char *value)
{
	struct reader *r = user;
	struct error err;

	(void)section;
	if (r->in_section)
		fault(r, "a key in a section, but there are no sections");
	else if (config_set(r->config, key, value, &err) != 0)
		fault(r, err.message);
	return 1;
}

static void take_line(struct reader *r)
{
	const char *first = r->text + strspn(r->text, " \t\r\n");
	int result = ini_parse_string(r->text, take_setting, r);

	r->in_section |= *first == '[';
	if (result > 0)
		fault(r, "not of the form \"key = value\"");
	else if (result < 0)
		fault(r, "out of memory");
}

static void set_up_inih(void)
{
	static char comment_prefixes[] = "#;";

	ini_use_stack = false;
	ini_initial_alloc = LINE_ROOM;
	ini_max_line = LINE_ROOM;
	ini_allow_multiline = false;
	ini_allow_inline_comments = true;
	ini_inline_comment_prefixes = comment_prefixes;
}

int config_read_file(struct config *config, const char *path, struct config_faults *faults)
{
	struct reader r = { .path = path, .config = config, .faults = faults };
	size_t before = faults->count;
	struct error err;

	r.file = fopen(path, "re");
	if (!r.file) {
		(void)error_set_errno(&err, errno, "%s", path);
		config_faults_add(faults, &err);
		return -1;
	}
	set_up_inih();
	while (read_line(&r))
		take_line(&r);
	if (ferror(r.file)) {
		(void)error_set_errno(&err, errno, "%s", path);
		config_faults_add(faults, &err);
	}
	(void)fclose(r.file);
	return faults->count > before ? -1 : 0;
}
