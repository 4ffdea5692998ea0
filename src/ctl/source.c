/* SPDX-License-Identifier: ISC */
/*
 * source.c: see source.h. The layers are plain, one of http/inflate.h's codings, and zip.c's.
 */
#include "ctl/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/source_private.h"

#define MAGIC_BYTES 4

static const struct magic {
	const char *bytes;
	size_t len;
	enum source_kind kind;
	enum http_coding coding;
} magics[] = {
	{ "\x1f\x8b", 2, SOURCE_CODED, HTTP_CODING_GZIP },
	{ "\x28\xb5\x2f\xfd", 4, SOURCE_CODED, HTTP_CODING_ZSTD },
	{ "PK\3\4", 4, SOURCE_ZIP, HTTP_CODING_IDENTITY },
	{ "PK\5\6", 4, SOURCE_ZIP, HTTP_CODING_IDENTITY }, /* an empty one */
};

/* --- the file itself --- */

int source_fail(const struct source *source, struct error *err, const char *what)
{
	return error_set(err, ERROR_INVALID, "%s: %s", source->shown_name, what);
}

static int fill(struct source *source, struct error *err)
{
	ssize_t count;

	do
		count = read(source->fd, source->in + source->in_len, SOURCE_BUFFER - source->in_len);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return error_set_errno(err, errno, "%s", source->shown_name);
	source->in_len += (size_t)count;
	source->taken += (uint64_t)count;
	source->in_ended = count == 0;
	return 0;
}

int source_need(struct source *source, size_t count, struct error *err)
{
	if (source_left(source) >= count)
		return 0;
	memmove(source->in, source->in + source->in_at, source_left(source));
	source->in_len = source_left(source);
	source->in_at = 0;
	while (source->in_len < count && !source->in_ended)
		if (fill(source, err) != 0)
			return -1;
	return 0;
}

/* --- layers --- */

static int read_plain(struct source *source, char *to, size_t size, size_t *count, struct error *err)
{
	if (source_need(source, 1, err) != 0)
		return -1;
	*count = source_left(source) < size ? source_left(source) : size;
	memcpy(to, source->in + source->in_at, *count);
	source->in_at += *count;
	return *count > 0;
}

static int read_coded(struct source *source, char *to, size_t size, size_t *count, struct error *err)
{
	*count = 0;
	while (*count == 0) {
		if (source_need(source, 1, err) != 0)
			return -1;
		struct str rest = { source->in + source->in_at, source_left(source) };
		bool at_end = rest.len == 0;
		if (at_end && http_inflate_complete(source->inflate))
			return 0;
		const char *fault = http_inflate_step(source->inflate, &rest, to, size, count);
		source->in_at = source->in_len - rest.len;
		if (fault)
			return source_fail(source, err, fault);
		if (at_end && *count == 0)
			return source_fail(source, err, "ends in the middle of its compressed data");
	}
	return 1;
}

static int read_layer(struct source *source, char *to, size_t size, size_t *count, struct error *err)
{
	if (source->kind == SOURCE_ZIP)
		return zip_read(source, to, size, count, err);
	return (source->kind == SOURCE_CODED ? read_coded : read_plain)(source, to, size, count, err);
}

/* --- the public functions --- */

struct source *source_open(const char *name, struct error *err)
{
	struct stat file;
	bool is_stdin = strcmp(name, "-") == 0;
	struct source *source = calloc(1, sizeof(*source));

	if (!source) {
		error_set(err, ERROR_NOMEM, "Out of memory for %s", name);
		return NULL;
	}
	source->path = is_stdin ? "standard input" : name;
	snprintf(source->shown_name, sizeof(source->shown_name), "%s", source->path);
	source->fd = is_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
	if (source->fd < 0)
		error_set_errno(err, errno, "%s", name);
	else if (!is_stdin && fstat(source->fd, &file) == 0 && S_ISDIR(file.st_mode))
		error_set(err, ERROR_INVALID, "%s: is a directory", name);
	else
		return source;
	source_close(source);
	return NULL;
}

void source_close(struct source *source)
{
	if (!source)
		return;
	zip_close(source);
	http_inflate_free(source->inflate);
	if (source->fd > STDIN_FILENO)
		close(source->fd);
	free(source);
}

static int find_kind(struct source *source, struct error *err)
{
	enum http_coding coding = HTTP_CODING_IDENTITY;

	if (source_need(source, MAGIC_BYTES, err) != 0)
		return -1;
	source->kind = SOURCE_PLAIN;
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		const struct magic *magic = &magics[i];

		if (source_left(source) < magic->len ||
		    memcmp(source->in + source->in_at, magic->bytes, magic->len) != 0)
			continue;
		source->kind = magic->kind;
		coding = magic->coding;
	}
	if (source->kind == SOURCE_CODED && !(source->inflate = http_inflate_new(coding)))
		return error_set(err, ERROR_NOMEM, "Out of memory for %s", source->path);
	return 0;
}

int source_next(struct source *source, struct error *err)
{
	source->first_at = source->first_len = 0;
	source->first_ended = false;
	if (source->kind == SOURCE_UNKNOWN && find_kind(source, err) != 0)
		return -1;
	if (source->kind == SOURCE_ZIP) {
		int result = zip_next(source, err);

		if (result > 0)
			snprintf(source->shown_name, sizeof(source->shown_name), "%.*s: %s", SOURCE_NAME_MAX - 2,
			         source->path, source->file_name);
		return result;
	}
	if (source->begun)
		return 0;
	const char *slash = strrchr(source->path, '/');
	source->begun = true;
	snprintf(source->file_name, sizeof(source->file_name), "%s", slash ? slash + 1 : source->path);
	return 1;
}

const char *source_file_name(const struct source *source)
{
	return source->file_name;
}

const char *source_shown_name(const struct source *source)
{
	return source->shown_name;
}

int source_peek(struct source *source, struct str *first, struct error *err)
{
	size_t enough = 16, count;

	while (source->first_len < enough && !source->first_ended) {
		int result = read_layer(source, source->first + source->first_len, SOURCE_BUFFER - source->first_len,
		                        &count, err);

		if (result < 0)
			return -1;
		source->first_ended = result == 0;
		source->first_len += result > 0 ? count : 0;
	}
	*first = (struct str){ source->first, source->first_len };
	return 0;
}

int source_read(struct source *source, char *to, size_t size, size_t *count, struct error *err)
{
	size_t peeked = source->first_len - source->first_at;

	if (peeked == 0)
		return read_layer(source, to, size, count, err);
	*count = peeked < size ? peeked : size;
	memcpy(to, source->first + source->first_at, *count);
	source->first_at += *count;
	return 1;
}

uint64_t source_taken(const struct source *source)
{
	return source->taken;
}

int source_read_whole(const char *name, const char *what, struct buf *out, struct error *err)
{
	char piece[4096];
	size_t count;
	struct source *source = source_open(name, err);
	int result = source ? source_next(source, err) : -1;

	while (result > 0 && (result = source_read(source, piece, sizeof(piece), &count, err)) > 0) {
		buf_add(out, piece, count);
		if (!out->failed)
			continue;
		result = error_set(err, ERROR_LIMIT, "%s: longer than the %zu bytes that %s may have", name,
		                   out->max_bytes, what);
	}
	source_close(source);
	return result;
}
