/* SPDX-License-Identifier: ISC */
/*
 * archive_reader_parquet.c: see archive_reader_parquet.h.
 *
 * Group by group, by their indexes (parquet/parquet.h), up to the footer; of their chunks only those of texts are read.
 */
#include "report/archive_reader_parquet.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "parquet/parquet.h"

#define END_BYTES 8 /* length of the footer, magic */

struct parquet_walk {
	int fd;
	const char *path;
	ZSTD_DCtx *zstd;
	uint64_t at; /* of the next page, or index */
	uint64_t footer_at;
	size_t column;      /* the next one of the group */
	uint64_t chunk_end; /* of the chunk that is being read; 0: none is */
	uint64_t group_end;
	struct buf index, bytes, body, texts;
};

static int corrupt(const struct parquet_walk *walk, struct error *err)
{
	return error_set(err, ERROR_CORRUPT, "%s: no Parquet file of a report, or damaged", walk->path);
}

/* Reads `count` bytes in place of what is in `out`. */
static int read_at(const struct parquet_walk *walk, uint64_t at, size_t count, struct buf *out, struct error *err)
{
	buf_clear(out);
	if (!buf_reserve(out, count))
		return error_set(err, ERROR_NOMEM, "%s: out of memory", walk->path);
	while (out->len < count) {
		ssize_t got = pread(walk->fd, out->data + out->len, count - out->len, (off_t)(at + out->len));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set_errno(err, errno, "%s: read", walk->path);
		if (got == 0)
			return corrupt(walk, err);
		out->len += (size_t)got;
	}
	return 0;
}

/* Where the groups end. */
static int find_footer(struct parquet_walk *walk, struct error *err)
{
	struct stat st;

	if (fstat(walk->fd, &st) != 0)
		return error_set_errno(err, errno, "%s: stat", walk->path);
	uint64_t size = (uint64_t)st.st_size;
	if (size < PARQUET_MAGIC.len + END_BYTES)
		return corrupt(walk, err);
	if (read_at(walk, size - END_BYTES, END_BYTES, &walk->bytes, err) != 0)
		return -1;
	const uint8_t *end = (const uint8_t *)walk->bytes.data;
	uint64_t len = end[0] | (uint64_t)end[1] << 8 | (uint64_t)end[2] << 16 | (uint64_t)end[3] << 24;
	if (memcmp(end + 4, PARQUET_MAGIC.p, PARQUET_MAGIC.len) != 0 || len > size - END_BYTES - PARQUET_MAGIC.len)
		return corrupt(walk, err);
	walk->footer_at = size - END_BYTES - len;
	walk->at = walk->group_end = PARQUET_MAGIC.len;
	return 0;
}

struct parquet_walk *parquet_walk_new(int fd, const char *path, struct error *err)
{
	struct parquet_walk *walk = calloc(1, sizeof(*walk));

	if (walk) {
		walk->fd = fd;
		walk->path = path;
		walk->zstd = ZSTD_createDCtx();
	}
	if (!walk || !walk->zstd)
		error_set(err, ERROR_NOMEM, "%s: out of memory", path);
	else if (find_footer(walk, err) == 0)
		return walk;
	parquet_walk_free(walk);
	return NULL;
}

void parquet_walk_free(struct parquet_walk *walk)
{
	if (!walk)
		return;
	ZSTD_freeDCtx(walk->zstd);
	buf_free(&walk->index);
	buf_free(&walk->bytes);
	buf_free(&walk->body);
	buf_free(&walk->texts);
	free(walk);
}

/* Begins the next group. */
static int begin_group(struct parquet_walk *walk, struct error *err)
{
	uint64_t chunks_bytes;
	uint32_t directory_bytes;

	walk->at = walk->group_end;
	if (read_at(walk, walk->at, PARQUET_INDEX_FIXED, &walk->index, err) != 0)
		return -1;
	size_t index_bytes = parquet_index_bytes(parquet_index_columns(buf_str(&walk->index)));
	if (index_bytes > walk->footer_at - walk->at)
		return corrupt(walk, err);
	if (read_at(walk, walk->at, index_bytes, &walk->index, err) != 0)
		return -1;
	if (!parquet_index_read(buf_str(&walk->index), &chunks_bytes, &directory_bytes))
		return corrupt(walk, err);
	walk->at += index_bytes;
	walk->group_end = walk->at + chunks_bytes + directory_bytes;
	walk->column = 0;
	return walk->group_end <= walk->footer_at ? 0 : corrupt(walk, err);
}

/* Goes to the next chunk of texts. 1, 0 when there are none any more, -1. */
static int next_chunk(struct parquet_walk *walk, struct error *err)
{
	for (;;) {
		uint32_t bytes;

		if (walk->index.len == 0 || walk->column == parquet_index_columns(buf_str(&walk->index))) {
			if (walk->group_end == walk->footer_at)
				return 0;
			if (begin_group(walk, err) != 0)
				return -1;
			continue;
		}
		enum parquet_type type = parquet_index_chunk(buf_str(&walk->index), walk->column++, &bytes);
		if (type == PARQUET_TEXT && bytes > 0) {
			walk->chunk_end = walk->at + bytes;
			return 1;
		}
		walk->at += bytes;
	}
}

/* Reads the next page of the chunk. */
static int read_page(struct parquet_walk *walk, struct error *err)
{
	uint64_t left = walk->chunk_end - walk->at;
	size_t page_bytes;

	if (read_at(walk, walk->at, left < PARQUET_PAGE_HEADER_MAX ? (size_t)left : PARQUET_PAGE_HEADER_MAX,
	            &walk->bytes, err) != 0)
		return -1;
	if (!parquet_page_bytes(buf_str(&walk->bytes), &page_bytes) || page_bytes > left)
		return corrupt(walk, err);
	if (read_at(walk, walk->at, page_bytes, &walk->bytes, err) != 0)
		return -1;
	walk->at += page_bytes;
	if (parquet_page_texts(walk->zstd, buf_str(&walk->bytes), &walk->body, &walk->texts))
		return 0;
	return walk->texts.failed ? error_set(err, ERROR_NOMEM, "%s: out of memory", walk->path) : corrupt(walk, err);
}

int parquet_walk_next(struct parquet_walk *walk, struct str *piece, struct error *err)
{
	buf_clear(&walk->texts);
	do {
		int more = walk->at < walk->chunk_end ? 1 : next_chunk(walk, err);

		if (more <= 0)
			return more;
		if (read_page(walk, err) != 0)
			return -1;
	} while (walk->texts.len == 0);
	if (walk->texts.failed)
		return error_set(err, ERROR_NOMEM, "%s: out of memory", walk->path);
	*piece = buf_str(&walk->texts);
	return 1;
}
