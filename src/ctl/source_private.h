/* SPDX-License-Identifier: ISC */
/*
 * source_private.h: what source.c and zip.c share: the bytes of the file itself; private to the two.
 */
#ifndef CDRD_CTL_SOURCE_PRIVATE_H
#define CDRD_CTL_SOURCE_PRIVATE_H

#include <zlib.h>

#include "ctl/source.h"
#include "http/inflate.h"

#define SOURCE_BUFFER ((size_t)64 << 10)
#define SOURCE_NAME_MAX 1024

enum source_kind { SOURCE_UNKNOWN, SOURCE_PLAIN, SOURCE_CODED, SOURCE_ZIP };

/* The current entry of a zip. */
struct zip_entry {
	z_stream stream;
	bool open;      /* the stream is to be ended */
	bool ended;     /* all of it was read */
	bool described; /* its sizes and CRC follow it */
	int method;
	uint32_t crc; /* as given before the data */
	uint64_t compressed;
	uint64_t content;
	uint32_t crc_seen;
	uint64_t compressed_seen;
	uint64_t content_seen;
};

struct source {
	const char *path;
	int fd;
	enum source_kind kind;
	bool begun; /* a file in it */
	struct http_inflate *inflate;
	struct zip_entry entry;
	char file_name[SOURCE_NAME_MAX];
	char shown_name[SOURCE_NAME_MAX * 2];

	char in[SOURCE_BUFFER]; /* of the file itself */
	size_t in_at, in_len;
	bool in_ended;
	uint64_t taken;

	char first[SOURCE_BUFFER]; /* what was peeked at */
	size_t first_at, first_len;
	bool first_ended;
};

/* Makes `count` bytes available at in_at, unless the file ends before: 0, or -1. At most SOURCE_BUFFER. */
MUST_CHECK int source_need(struct source *source, size_t count, struct error *err);

static inline size_t source_left(const struct source *source)
{
	return source->in_len - source->in_at;
}

/* Always -1, with an error that names the file. */
int source_fail(const struct source *source, struct error *err, const char *what);

/* --- zip.c --- */

/* The next entry that is a file, with source->file_name set: 1, 0, -1. */
MUST_CHECK int zip_next(struct source *source, struct error *err);

/* As source_read. */
MUST_CHECK int zip_read(struct source *source, char *to, size_t size, size_t *count, struct error *err);
void zip_close(struct source *source);

#endif
