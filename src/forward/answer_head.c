/* SPDX-License-Identifier: ISC */
/*
 * answer_head.c: see answer_head.h.
 */
#include "forward/answer_head.h"

#include <string.h>

static bool is_one_of(struct str name, const char *const *names)
{
	for (; *names; names++)
		if (str_equal_nocase(name, str_from(*names)))
			return true;
	return false;
}

bool answer_head_is_of_connection(struct str name)
{
	static const char *const names[] = { "Connection", "Keep-Alive",        "Proxy-Connection", "TE",
		                             "Trailer",    "Transfer-Encoding", "Upgrade",          NULL };

	return is_one_of(name, names);
}

/* Those that http_reply_outlet writes. */
static bool is_written_anyway(struct str name)
{
	static const char *const names[] = { "Content-Length", "Content-Type", "Date", NULL };

	return is_one_of(name, names);
}

static bool split(struct str line, struct str *name, struct str *value)
{
	const char *colon = line.len > 0 ? memchr(line.p, ':', line.len) : NULL;

	if (!colon)
		return false;
	*name = (struct str){ line.p, (size_t)(colon - line.p) };
	*value = str_trim((struct str){ colon + 1, line.len - name->len - 1 });
	return true;
}

static struct str without_end(struct str line)
{
	while (line.len > 0 && (line.p[line.len - 1] == '\n' || line.p[line.len - 1] == '\r'))
		line.len--;
	return line;
}

/* "HTTP/1.1 200 OK"; 0 if it is none. */
static int read_status(struct str line)
{
	const char *space = memchr(line.p, ' ', line.len);
	int status = 0;

	if (!space || line.p + line.len - space < 4)
		return 0;
	for (int i = 1; i <= 3; i++) {
		if (space[i] < '0' || space[i] > '9')
			return 0;
		status = status * 10 + (space[i] - '0');
	}
	return status;
}

static bool read_length(struct str text, uint64_t *length)
{
	uint64_t value = 0;

	if (text.len == 0 || text.len > 18)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text.p[i] - '0');
	}
	*length = value;
	return true;
}

static bool begin(struct answer_head *head, struct str line)
{
	buf_clear(&head->lines);
	buf_clear(&head->type);
	head->length = HTTP_LENGTH_UNKNOWN;
	head->status = read_status(line);
	return head->status >= 100;
}

bool answer_head_take(struct answer_head *head, struct str line)
{
	struct str text = without_end(line), name, value;

	if (text.len > 5 && memcmp(text.p, "HTTP/", 5) == 0)
		return begin(head, text);
	if (head->status == 0)
		return false;
	if (text.len == 0) {
		head->has_ended = head->status >= 200;
		return true;
	}
	if (!split(text, &name, &value) || head->lines.len + line.len > ANSWER_HEAD_MAX)
		return false;
	if (str_equal_nocase(name, STR_LITERAL("Content-Length")) && !read_length(value, &head->length))
		return false;
	if (str_equal_nocase(name, STR_LITERAL("Content-Type"))) {
		buf_clear(&head->type);
		buf_add_str(&head->type, value);
	}
	buf_add_str(&head->lines, text);
	buf_add_char(&head->lines, '\n');
	return !head->lines.failed && !head->type.failed;
}

/* Cuts the next field off the lines; false after the last one. */
static bool next_field(struct str *lines, struct str *name, struct str *value)
{
	const char *end = lines->len > 0 ? memchr(lines->p, '\n', lines->len) : NULL;

	if (!end)
		return false;
	struct str line = { lines->p, (size_t)(end - lines->p) };

	*lines = (struct str){ end + 1, lines->len - line.len - 1 };
	return split(line, name, value);
}

/* Does a Connection field name it? */
static bool is_named_in_connection(const struct answer_head *head, struct str wanted)
{
	struct str rest = buf_str(&head->lines), name, value;

	while (next_field(&rest, &name, &value))
		if (str_equal_nocase(name, STR_LITERAL("Connection")) && str_is_listed_nocase(wanted, value))
			return true;
	return false;
}

void answer_head_pass_on(const struct answer_head *head, struct http_request *request)
{
	struct str rest = buf_str(&head->lines), name, value;
	struct buf name_text = { 0 }, value_text = { 0 };

	while (next_field(&rest, &name, &value)) {
		if (answer_head_is_of_connection(name) || is_written_anyway(name) || is_named_in_connection(head, name))
			continue;
		buf_clear(&name_text);
		buf_add_str(&name_text, name);
		buf_clear(&value_text);
		buf_add_str(&value_text, value);
		const char *written = buf_cstr(&name_text);
		http_reply_header(request, written ? written : "", written ? buf_cstr(&value_text) : NULL);
	}
	buf_free(&name_text);
	buf_free(&value_text);
}

void answer_head_free(struct answer_head *head)
{
	buf_free(&head->lines);
	buf_free(&head->type);
}
