/* SPDX-License-Identifier: ISC */
/*
 * archive_reader.c: see archive_reader.h.
 */
#include "report/archive_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "report/archive_reader_parquet.h"

#define PIECE_BYTES ((size_t)64 << 10)
#define ZIP_HEADER_BYTES 30
#define ZIP_NAME_AT 26
#define ZIP_EXTRA_AT 28

struct archive_reader {
	enum archive_kind kind;
	int fd;
	char *path;
	struct parquet_walk *parquet;
	bool inflating;
	z_stream z;
	ZSTD_DCtx *zstd;
	ZSTD_inBuffer in;
	bool frame_open; /* zstd: the data may not end here */
	bool ended;
	char input[PIECE_BYTES];
	char output[PIECE_BYTES];
};

static int corrupt(const struct archive_reader *reader, struct error *err)
{
	return error_set(err, ERROR_CORRUPT, "%s: no archive, or cut short", reader->path);
}

static int no_memory(const struct archive_reader *reader, struct error *err)
{
	return error_set(err, ERROR_NOMEM, "%s: out of memory", reader->path);
}

static unsigned le16(const unsigned char *p)
{
	return p[0] | (unsigned)p[1] << 8;
}

static int skip_zip_header(struct archive_reader *reader, struct error *err)
{
	unsigned char header[ZIP_HEADER_BYTES];
	ssize_t got = pread(reader->fd, header, sizeof(header), 0);

	if (got < 0)
		return error_set_errno(err, errno, "%s: read", reader->path);
	if (got != ZIP_HEADER_BYTES || memcmp(header, "PK\3\4", 4) != 0)
		return corrupt(reader, err);
	off_t at = ZIP_HEADER_BYTES + (off_t)le16(header + ZIP_NAME_AT) + (off_t)le16(header + ZIP_EXTRA_AT);
	return lseek(reader->fd, at, SEEK_SET) == at ? 0 : error_set_errno(err, errno, "%s: seek", reader->path);
}

static int begin(struct archive_reader *reader, struct error *err)
{
	bool ready;

	if (reader->kind == ARCHIVE_PARQUET) {
		reader->parquet = parquet_walk_new(reader->fd, reader->path, err);
		return reader->parquet ? 0 : -1;
	}
	if (reader->kind == ARCHIVE_ZSTD) {
		reader->zstd = ZSTD_createDCtx();
		ready = reader->zstd;
	} else {
		ready = inflateInit2(&reader->z, reader->kind == ARCHIVE_ZIP ? -15 : 15 + 16) == Z_OK;
		reader->inflating = ready;
	}
	if (!ready)
		return no_memory(reader, err);
	return reader->kind == ARCHIVE_ZIP ? skip_zip_header(reader, err) : 0;
}

struct archive_reader *archive_reader_new(const char *path, enum archive_kind kind, struct error *err)
{
	struct archive_reader *reader = calloc(1, sizeof(*reader));

	if (!reader || !(reader->path = strdup(path))) {
		free(reader);
		error_set(err, ERROR_NOMEM, "%s: out of memory", path);
		return NULL;
	}
	reader->kind = kind;
	reader->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (reader->fd < 0 && errno == ENOENT)
		error_set(err, ERROR_NOT_FOUND, "%s: is not there", path);
	else if (reader->fd < 0)
		error_set_errno(err, errno, "%s: open", path);
	else if (begin(reader, err) == 0)
		return reader;
	archive_reader_free(reader);
	return NULL;
}

void archive_reader_free(struct archive_reader *reader)
{
	if (!reader)
		return;
	if (reader->inflating)
		inflateEnd(&reader->z);
	ZSTD_freeDCtx(reader->zstd);
	parquet_walk_free(reader->parquet);
	if (reader->fd >= 0)
		close(reader->fd);
	free(reader->path);
	free(reader);
}

/* 1 with something to inflate, 0 at the end of the file, -1. */
static int fill(struct archive_reader *reader, struct error *err)
{
	ssize_t got;

	if (reader->in.pos < reader->in.size)
		return 1;
	do
		got = read(reader->fd, reader->input, sizeof(reader->input));
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return error_set_errno(err, errno, "%s: read", reader->path);
	reader->in = (ZSTD_inBuffer){ reader->input, (size_t)got, 0 };
	return got > 0;
}

/* Bytes made, or -1. */
static ssize_t inflate_some(struct archive_reader *reader, struct error *err)
{
	z_stream *z = &reader->z;
	z->next_in = (Bytef *)reader->input + reader->in.pos;
	z->avail_in = (uInt)(reader->in.size - reader->in.pos);
	z->next_out = (Bytef *)reader->output;
	z->avail_out = sizeof(reader->output);
	int result = inflate(z, Z_NO_FLUSH);
	reader->in.pos = reader->in.size - z->avail_in;
	if (result == Z_STREAM_END)
		reader->ended = true;
	else if (result == Z_MEM_ERROR)
		return no_memory(reader, err);
	else if (result != Z_OK && result != Z_BUF_ERROR)
		return corrupt(reader, err);
	return (ssize_t)(sizeof(reader->output) - z->avail_out);
}

static ssize_t unzstd_some(struct archive_reader *reader, struct error *err)
{
	ZSTD_outBuffer out = { reader->output, sizeof(reader->output), 0 };
	size_t left = ZSTD_decompressStream(reader->zstd, &out, &reader->in);

	if (ZSTD_isError(left) && ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation)
		return no_memory(reader, err);
	if (ZSTD_isError(left))
		return corrupt(reader, err);
	reader->frame_open = left > 0;
	return (ssize_t)out.pos;
}

int archive_reader_next(struct archive_reader *reader, struct str *piece, struct error *err)
{
	if (reader->parquet)
		return parquet_walk_next(reader->parquet, piece, err);
	while (!reader->ended) {
		int more = fill(reader, err);

		if (more < 0)
			return -1;
		if (more == 0 && (reader->kind != ARCHIVE_ZSTD || reader->frame_open))
			return corrupt(reader, err);
		if (more == 0)
			break;
		ssize_t made = reader->kind == ARCHIVE_ZSTD ? unzstd_some(reader, err) : inflate_some(reader, err);
		if (made < 0)
			return -1;
		*piece = (struct str){ reader->output, (size_t)made };
		if (made > 0)
			return 1;
	}
	reader->ended = true;
	return 0;
}
