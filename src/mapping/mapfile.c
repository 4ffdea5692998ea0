/* SPDX-License-Identifier: ISC */
/*
 * mapfile.c: from a file's text to its sections and lines. See mapfile.h.
 */
#include "mapping/mapfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"

#define READ_BYTES ((size_t)64 << 10)

void mapfile_fault(struct mapfile *source, const char *path, int number, const char *format, ...)
{
	char what[400];
	struct error err;
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	(void)error_set(&err, ERROR_INVALID, "%s:%d: %s", path, number, what);
	config_faults_add(source->faults, &err);
}

/* --- files --- */

static int read_all(int fd, const char *path, struct buf *out, struct error *err)
{
	for (;;) {
		if (!buf_reserve(out, READ_BYTES))
			return error_set(err, ERROR_NOMEM, "%s: out of memory", path);
		ssize_t got = read(fd, out->data + out->len, READ_BYTES);
		if (got < 0)
			return error_set_errno(err, errno, "%s", path);
		if (got == 0)
			return 0;
		out->len += (size_t)got;
		if (out->len > MAPFILE_FILE_MAX)
			return error_set(err, ERROR_INVALID, "%s: more than %d bytes", path, MAPFILE_FILE_MAX);
	}
}

int mapfile_load(const char *path, struct buf *out, struct error *err)
{
	struct stat found;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return error_set_errno(err, errno, "%s", path);
	int result = fstat(fd, &found) != 0  ? error_set_errno(err, errno, "%s", path) :
	             !S_ISREG(found.st_mode) ? error_set(err, ERROR_INVALID, "%s: no regular file", path) :
	                                       read_all(fd, path, out, err);
	close(fd);
	return result;
}

/* --- words --- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

const char *mapfile_unquote(struct pool *pool, const char *p, const char *end, struct str *text)
{
	const char *begin = p;
	char *out = NULL;
	size_t len = 0;

	while (p < end && *p != '"')
		p += *p == '\\' && p + 1 < end ? 2 : 1;
	if (p >= end || !(out = pool_alloc(pool, (size_t)(p - begin) + 1)))
		return NULL;
	for (const char *from = begin; from < p; from++) {
		char c = *from;

		if (c == '\\') {
			c = *++from;
			c = c == 't' ? '\t' : c == 'n' ? '\n' : c;
		}
		out[len++] = c;
	}
	*text = (struct str){ out, len };
	return p + 1;
}

static struct str skip_blanks(struct str text)
{
	while (text.len > 0 && is_blank(*text.p)) {
		text.p++;
		text.len--;
	}
	return text;
}

bool mapfile_word(struct pool *pool, struct str *rest, struct str *word, bool *quoted)
{
	struct str text = skip_blanks(*rest);
	const char *end, *p = text.p;

	if (text.len == 0)
		return false;
	end = p + text.len;
	*quoted = *p == '"';
	if (*quoted) {
		p = mapfile_unquote(pool, p + 1, end, word);
		if (!p)
			*word = text;
	} else {
		while (p < end && !is_blank(*p))
			p++;
		*word = (struct str){ text.p, (size_t)(p - text.p) };
	}
	*rest = (struct str){ p, p ? (size_t)(end - p) : 0 };
	return true;
}

bool mapfile_text(struct pool *pool, struct str value, struct str *text)
{
	if (value.len == 0 || value.p[0] != '"') {
		*text = value;
		return true;
	}
	const char *end = value.p + value.len, *after = mapfile_unquote(pool, value.p + 1, end, text);

	return after == end;
}

/* --- lines --- */

/* Without a comment: what a # or ; begins at the line's beginning or after a blank, outside of quotes. */
static struct str without_comment(struct str line)
{
	bool in_quotes = false;

	for (size_t i = 0; i < line.len; i++) {
		char c = line.p[i];

		if (in_quotes && c == '\\')
			i++;
		else if (c == '"')
			in_quotes = !in_quotes;
		else if (!in_quotes && (c == '#' || c == ';') && (i == 0 || is_blank(line.p[i - 1])))
			return (struct str){ line.p, i };
	}
	return line;
}

static void add_line(struct mapfile *source, struct mapfile_line ***end, const struct mapfile_line *line)
{
	struct mapfile_line *copy = pool_alloc(source->pool, sizeof(*copy));

	if (!copy)
		return;
	*copy = *line;
	copy->key = pool_str(source->pool, line->key);
	copy->value = pool_str(source->pool, line->value);
	**end = copy;
	*end = &copy->next;
}

static void take_key_line(struct mapfile *source, const char *path, int number, struct str text,
                          struct mapfile_line ***end)
{
	struct mapfile_line line = { .path = path, .number = number, .quoted = text.p[0] == '"' };
	const char *stop = text.p + text.len, *equals;

	if (line.quoted) {
		equals = mapfile_unquote(source->pool, text.p + 1, stop, &line.key);
		while (equals && equals < stop && is_blank(*equals))
			equals++;
	} else {
		equals = memchr(text.p, '=', text.len);
		if (equals)
			line.key = str_trim((struct str){ text.p, (size_t)(equals - text.p) });
	}
	if (!equals || equals == stop || *equals != '=' || line.key.len == 0) {
		mapfile_fault(source, path, number, "not of the form \"key = value\"");
		return;
	}
	line.value = str_trim((struct str){ equals + 1, (size_t)(stop - equals - 1) });
	add_line(source, end, &line);
}

/* --- sections --- */

static void read_lines(struct mapfile *source, const char *path, struct str text, struct mapfile_line **to);

static void read_from(struct mapfile *source, struct mapfile_section *section, struct str name)
{
	struct buf path = { 0 }, text = { 0 };
	struct error err;

	if (!source->directory || name.len == 0 || memchr(name.p, '/', name.len) || name.p[0] == '.') {
		mapfile_fault(source, section->path, section->number,
		              "\"%.*s\": must be the name of a file in the directory of the mappings",
		              MAPFILE_SHOWN(name));
		return;
	}
	buf_addf(&path, "%s/%.*s", source->directory, STR_ARGS(name));
	if (!buf_cstr(&path))
		source->pool->failed = true;
	else if (mapfile_load(path.data, &text, &err) != 0)
		mapfile_fault(source, section->path, section->number, "%s", err.message);
	else
		read_lines(source, pool_str(source->pool, buf_str(&path)).p, buf_str(&text), &section->lines);
	buf_free(&path);
	buf_free(&text);
}

/* [kind], [kind name] or [kind name from FILE]. */
static struct mapfile_section *begin_section(struct mapfile *source, const char *path, int number, struct str text)
{
	struct mapfile_section *section = &source->sections[source->sections_count];
	struct str words[4] = { { NULL, 0 } },
		   rest = str_trim((struct str){ text.p + 1, text.len > 1 ? text.len - 2 : 0 });
	bool quoted;
	size_t count = 0;

	if (source->sections_count == MAPFILE_SECTIONS_MAX) {
		mapfile_fault(source, path, number, "more than %d sections", MAPFILE_SECTIONS_MAX);
		return NULL;
	}
	while (count < 4 && mapfile_word(source->pool, &rest, &words[count], &quoted))
		count++;
	if (text.len < 2 || text.p[text.len - 1] != ']' || count == 0 || count == 3 || str_trim(rest).len > 0 ||
	    (count == 4 && !str_is(words[2], "from"))) {
		mapfile_fault(source, path, number,
		              "not of the form \"[section]\", \"[section name]\" or "
		              "\"[section name from FILE]\"");
		return NULL;
	}
	*section = (struct mapfile_section){ .path = path,
		                             .number = number,
		                             .kind = pool_str(source->pool, words[0]),
		                             .name = pool_str(source->pool, words[1]) };
	source->sections_count++;
	if (count == 4)
		read_from(source, section, words[3]);
	return section;
}

static struct mapfile_line **end_of(struct mapfile_section *section)
{
	struct mapfile_line **end = &section->lines;

	while (*end)
		end = &(*end)->next;
	return end;
}

/* The next line of *rest, without its end. */
static struct str next_line(struct str *rest)
{
	const char *end = memchr(rest->p, '\n', rest->len);
	struct str line = { rest->p, end ? (size_t)(end - rest->p) : rest->len };

	rest->len -= line.len + (end ? 1 : 0);
	rest->p += line.len + (end ? 1 : 0);
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* Is the line one to look at? If it cannot be, that is a fault. */
static bool check_line(struct mapfile *source, const char *path, int number, struct str line)
{
	if (line.len > MAPFILE_LINE_MAX)
		mapfile_fault(source, path, number, "line too long, at most %d bytes allowed", MAPFILE_LINE_MAX);
	else if (line.len > 0 && (memchr(line.p, '\0', line.len) || !json_is_utf8(line)))
		mapfile_fault(source, path, number, "a NUL byte, or not UTF-8");
	else
		return true;
	return false;
}

/* `to`: the lines of a section from a file, which has no sections of its own; NULL: all of the mapping's file. */
static void read_lines(struct mapfile *source, const char *path, struct str text, struct mapfile_line **to)
{
	struct mapfile_line **end = to;

	if (!to) {
		source->sections[0] = (struct mapfile_section){ .path = path };
		source->sections_count = 1;
		end = &source->sections[0].lines;
	}
	for (int number = 1; text.len > 0; number++) {
		struct str line = next_line(&text);

		if (!check_line(source, path, number, line))
			continue;
		line = str_trim(without_comment(line));
		if (line.len == 0)
			continue;
		if (line.p[0] != '[') {
			take_key_line(source, path, number, line, &end);
			continue;
		}
		struct mapfile_section *section = to ? NULL : begin_section(source, path, number, line);
		if (to)
			mapfile_fault(source, path, number, "a section, but the file is one");
		if (section)
			end = end_of(section);
	}
}

void mapfile_read(struct mapfile *source, const char *path, struct str text)
{
	read_lines(source, pool_str(source->pool, str_from(path)).p, str_without_mark(text), NULL);
}
