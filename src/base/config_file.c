/*
 * config_file.c: settings from a file, read with inih.
 *
 * inih gives its handler no line numbers, cuts a line that is longer than its buffer in two, and stops at a NUL byte.
 * It takes its lines from read_line here, which counts them and refuses those. The rest is set in the variables that
 * Debian's library has for it: a # or ; behind a blank begins a comment too, and no value goes on in the next line.
 */
#include "base/config.h"

#include <errno.h>
#include <stdio.h>

#include <ini.h>

#include "base/config_value.h"

/* Room for a text of CONFIG_TEXT_BYTES_MAX, its key and a comment. */
#define LINE_BYTES_MAX 8190
#define LINE_ROOM (LINE_BYTES_MAX + 2) /* its newline and NUL */

struct reader {
	FILE *file;
	const char *path;
	int line;
	struct config *config;
	struct error *err;
	bool failed; /* err is filled */
};

static void fail(struct reader *r, enum error_code code, const char *what)
{
	r->failed = true;
	(void)error_set(r->err, code, "%s:%d: %s", r->path, r->line, what);
}

/* As fgets, for inih. */
static char *read_line(char *line, int room, void *user)
{
	struct reader *r = user;
	int len = 0;
	int c = 0;

	if (r->failed)
		return NULL;
	r->line++;
	while (c != '\n' && (c = getc(r->file)) != EOF) {
		if (c == '\0') {
			fail(r, ERROR_INVALID, "a NUL byte");
			return NULL;
		}
		if (len == room - 1) {
			fail(r, ERROR_INVALID,
			     "line too long, at most " CONFIG_NUMBER_TEXT(LINE_BYTES_MAX) " bytes allowed");
			return NULL;
		}
		line[len++] = (char)c;
	}
	if (c == EOF && ferror(r->file)) {
		r->failed = true;
		(void)error_set_errno(r->err, errno, "%s", r->path);
		return NULL;
	}
	line[len] = '\0';
	return len > 0 ? line : NULL;
}

/* Takes one key and its value; inih wants 0 for an error. */
static int take_setting(void *user, const char *section, const char *key, const char *value)
{
	struct reader *r = user;

	if (*section) {
		fail(r, ERROR_INVALID, "a key in a section, but there are no sections");
		return 0;
	}
	if (config_set(r->config, key, value, r->err) != 0) {
		fail(r, r->err->code, r->err->message);
		return 0;
	}
	return 1;
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
	ini_stop_on_first_error = true;
}

int config_read_file(struct config *config, const char *path, struct error *err)
{
	struct reader r = { .path = path, .config = config, .err = err };
	int result;

	r.file = fopen(path, "re");
	if (!r.file)
		return error_set_errno(err, errno, "%s", path);
	set_up_inih();
	result = ini_parse_stream(read_line, &r, take_setting, &r);
	if (!r.failed && result > 0)
		fail(&r, ERROR_INVALID, "not of the form \"key = value\"");
	else if (!r.failed && result < 0)
		fail(&r, ERROR_NOMEM, "out of memory");
	(void)fclose(r.file);
	return r.failed ? -1 : 0;
}
