/* SPDX-License-Identifier: ISC */
/*
 * access.c: lines of the access log. See access.h for their form.
 */
#include "http/access.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/logfile.h"
#include "http/connection.h"

#define SECOND_LEN (sizeof("2026-11-24T14:20:11") - 1)

struct http_access {
	struct event_base *base;
	const struct config *config;
	bool to_log;
	struct logfile *file; /* NULL: off, or to the log */
	uint64_t dropped;     /* by files that were closed since */
	struct buf line;      /* for the log */
	time_t second;        /* that second_text says */
	char second_text[SECOND_LEN + 1];
};

/* --- its destination --- */

static bool is_off(const char *setting)
{
	return !setting[0] || strcmp(setting, "off") == 0;
}

static bool is_log(const char *setting)
{
	return strcmp(setting, "log") == 0;
}

static void close_file(struct http_access *access)
{
	if (access->file)
		access->dropped += logfile_dropped(access->file);
	logfile_close(access->file);
	access->file = NULL;
}

int http_access_reopen(struct http_access *access, struct error *err)
{
	const char *setting = access->config->access_log;

	if (is_off(setting) || is_log(setting)) {
		close_file(access);
	} else if (access->file) {
		if (logfile_reopen(access->file, setting, err) != 0)
			return -1;
	} else {
		access->file = logfile_open(access->base, setting, err);
		if (!access->file)
			return -1;
	}
	access->to_log = is_log(setting);
	return 0;
}

struct http_access *http_access_new(struct event_base *base, const struct config *config, struct error *err)
{
	struct http_access *access = calloc(1, sizeof(*access));

	if (!access) {
		error_set(err, ERROR_NOMEM, "access_log: out of memory");
		return NULL;
	}
	access->base = base;
	access->config = config;
	if (http_access_reopen(access, err) == 0)
		return access;
	http_access_free(access);
	return NULL;
}

void http_access_free(struct http_access *access)
{
	if (!access)
		return;
	logfile_close(access->file);
	buf_free(&access->line);
	free(access);
}

uint64_t http_access_dropped(const struct http_access *access)
{
	return access->dropped + (access->file ? logfile_dropped(access->file) : 0);
}

/* --- a line --- */

/* Decimal with at least `digits` digits. */
static void add_number(struct buf *out, uint64_t value, int digits)
{
	char text[20];
	size_t at = sizeof(text);

	for (; value > 0 || digits > 0; digits--) {
		text[--at] = (char)('0' + value % 10);
		value /= 10;
	}
	buf_add(out, text + at, sizeof(text) - at);
}

static void add_time(struct http_access *access, struct buf *out)
{
	int64_t now_us = clock_now_us();
	time_t second = (time_t)(now_us / CLOCK_US_PER_SECOND);
	struct tm utc;

	if (second != access->second) {
		access->second = second;
		strftime(access->second_text, sizeof(access->second_text), "%FT%T", gmtime_r(&second, &utc));
	}
	buf_add(out, access->second_text, SECOND_LEN);
	buf_add_char(out, '.');
	add_number(out, (uint64_t)(now_us % CLOCK_US_PER_SECOND / 1000), 3);
	buf_add_text(out, "Z ");
}

static void add_word(struct buf *out, struct str word)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < word.len; i++) {
		unsigned char byte = (unsigned char)word.p[i];
		char escape[3] = { '%', hex[byte >> 4], hex[byte & 15] };

		if (byte > ' ' && byte < 0x7f)
			buf_add_char(out, (char)byte);
		else
			buf_add(out, escape, sizeof(escape));
	}
	if (word.len == 0)
		buf_add_char(out, '-');
}

/* Where the path proper ends in one that contains a query after all, as some clients write it (records%3Fto=1,
 * records&to=1). */
static size_t bare_path_length(struct str path)
{
	for (size_t i = 0; i < path.len; i++) {
		bool encoded =
			i + 2 < path.len && path.p[i] == '%' && path.p[i + 1] == '3' && (path.p[i + 2] | 0x20) == 'f';

		if (encoded || path.p[i] == '&' || path.p[i] == ';' || path.p[i] == '=')
			return i;
	}
	return path.len;
}

void http_access_add_target(struct buf *out, const struct http_request *request)
{
	const struct http_head *head = &request->head;
	bool whole = request->connection->server->config->access_log_query;

	add_word(out, (struct str){ head->path.p, whole ? head->path.len : bare_path_length(head->path) });
	if (head->query.len == 0 || !whole)
		return;
	buf_add_char(out, '?');
	add_word(out, head->query);
}

static void add_line(struct buf *out, const struct http_request *request, int status, uint64_t bytes, int64_t took_us)
{
	const struct http_head *head = &request->head;
	char client[IP_TEXT_LEN];

	ip_format(client, &request->client.ip);
	add_word(out, str_from(client));
	buf_add_char(out, ' ');
	add_word(out, request->user_name.failed ? STR_LITERAL("") : buf_str(&request->user_name));
	buf_add_char(out, ' ');
	add_word(out, head->method);
	buf_add_char(out, ' ');
	http_access_add_target(out, request);
	buf_add_char(out, ' ');
	add_number(out, (uint64_t)status, 1);
	buf_add_char(out, ' ');
	add_number(out, bytes, 1);
	buf_add_char(out, ' ');
	add_number(out, (uint64_t)took_us / 1000, 1);
	buf_add_char(out, '.');
	add_number(out, (uint64_t)took_us % 1000, 3);
}

static void write_to_log(struct http_access *access, const struct http_request *request, int status, uint64_t bytes,
                         int64_t took_us)
{
	buf_clear(&access->line);
	add_line(&access->line, request, status, bytes, took_us);
	if (buf_cstr(&access->line))
		log_info("access", "%s", access->line.data);
}

void http_access_write(struct http_access *access, const struct http_request *request, int status, uint64_t bytes,
                       int64_t took_us)
{
	struct buf *out;

	if (access->to_log)
		write_to_log(access, request, status, bytes, took_us);
	if (!access->file)
		return;
	out = logfile_begin(access->file);
	if (!out)
		return;
	add_time(access, out);
	add_line(out, request, status, bytes, took_us);
	buf_add_char(out, '\n');
	logfile_end(access->file);
}
