/* SPDX-License-Identifier: ISC */
/*
 * parquet.h: makes an Apache Parquet file, a row group at a time, in memory that does not grow with the file.
 *
 * Values are given as the texts that the store has, and are written typed. A group's pages are compressed as they fill
 * and are kept until the group is complete; then they are pieces of the file. What the footer says of a group is written
 * after the group, too, so that neither memory nor a checkpoint needs to hold it: at the end it is copied from there.
 *
 *	file    "PAR1", group..., footer, u32 length of the footer, "PAR1"
 *	group   index, chunk of each column, directory
 *	index   u32 length of the directory, u16 count of columns, for each of them u8 type and u32 length of its chunk
 *	chunk   [dictionary page,] data pages: of version 1, compressed with zstd
 *	directory   the group's RowGroup, as it will be in the footer
 *
 * Readers find chunks by the offsets in the footer; what lies between them is none of their business. Numbers are
 * little endian. Source: parquet-format's README, Encodings.md and parquet.thrift.
 *
 *	group = parquet_group_new(columns, count);
 *	parquet_group_add(group, i, value) for each column in order, parquet_group_end_row(group)
 *	when parquet_group_is_full(group), and at the end:
 *		while (parquet_group_finish_some(group) > 0) ...
 *		parquet_group_close(group, offset), parquet_group_piece(group, n, &piece) until false, into the file
 *		parquet_group_clear(group)
 *	parquet_footer_begin, the directories in order, parquet_footer_end
 *
 * Nothing here touches a file or blocks. How a group is encoded depends on its own rows alone.
 */
#ifndef CDRD_PARQUET_PARQUET_H
#define CDRD_PARQUET_PARQUET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

#define PARQUET_COLUMNS_MAX 64
#define PARQUET_MAGIC STR_LITERAL("PAR1")
#define PARQUET_GROUP_ROWS 65536              /* rows of a group at most */
#define PARQUET_GROUP_BYTES ((size_t)8 << 20) /* a group of more, compressed, is full */
#define PARQUET_PIECE_BYTES ((size_t)256 << 10)

enum parquet_type {
	PARQUET_TEXT,    /* BYTE_ARRAY, STRING */
	PARQUET_TIME,    /* INT64, TIMESTAMP in microseconds, UTC, of ISO 8601 */
	PARQUET_DECIMAL, /* FIXED_LEN_BYTE_ARRAY(13), DECIMAL(30, 12): every number that base/decimal.h reads */
};

struct parquet_column {
	struct str name;
	enum parquet_type type;
};

struct parquet_group;

/* Copies the columns, but for their names. NULL when out of memory. */
MUST_CHECK struct parquet_group *parquet_group_new(const struct parquet_column *columns, size_t count);

/* The value of a column in the next row; an empty one is null. False if it cannot be of the column's type: then it is
 * not added, and the group is to be given up. */
MUST_CHECK bool parquet_group_add(struct parquet_group *group, size_t column, struct str value);

/* After a value of each column. */
void parquet_group_end_row(struct parquet_group *group);

uint64_t parquet_group_rows(const struct parquet_group *group);
bool parquet_group_is_full(const struct parquet_group *group);

/* Compresses what is left of the next column, about a millisecond's work at most. 1 when there are more, 0 when all are
 * finished, -1 when memory ran out, now or while adding. */
MUST_CHECK int parquet_group_finish_some(struct parquet_group *group);

/* Then: the group as it is at `offset` of the file. False when out of memory. */
MUST_CHECK bool parquet_group_close(struct parquet_group *group, uint64_t offset);

/* Then: the bytes of the whole group, and of its directory among them. */
uint64_t parquet_group_bytes(const struct parquet_group *group);
size_t parquet_group_directory_bytes(const struct parquet_group *group);

/* And what is to be written, from byte `at` of the group on: at most PARQUET_PIECE_BYTES. False at its end. */
bool parquet_group_piece(const struct parquet_group *group, uint64_t at, struct str *piece);

/* Makes it empty, whatever was done with it. Keeps memory for the next rows. */
void parquet_group_clear(struct parquet_group *group);

/* Does nothing on NULL. */
void parquet_group_free(struct parquet_group *group);

/* The bytes that an index takes, and what is in it: the bytes of the chunks after it and of the directory after those.
 * False if it is none. */
size_t parquet_index_bytes(size_t columns);
MUST_CHECK bool parquet_index_read(struct str index, uint64_t *chunks_bytes, uint32_t *directory_bytes);

/* How many columns an index, of which at least INDEX_FIXED bytes are here, has; and of the column's chunk, the type and
 * the bytes. */
#define PARQUET_INDEX_FIXED 6
size_t parquet_index_columns(struct str index);
enum parquet_type parquet_index_chunk(struct str index, size_t column, uint32_t *bytes);

/* For searches in chunks of texts: the bytes of the page that begins here, of which at least the header must be here;
 * false if it is none. And the texts in it, each with LF after it, appended to `out`; `body` is memory to work in. False
 * if the page is damaged, or when out of memory (out->failed). */
#define PARQUET_PAGE_HEADER_MAX 64
MUST_CHECK bool parquet_page_bytes(struct str bytes, size_t *page_bytes);
struct ZSTD_DCtx_s;
MUST_CHECK bool parquet_page_texts(struct ZSTD_DCtx_s *zstd, struct str page, struct buf *body, struct buf *out);

/* Append what stands in the footer before the directories of `groups` groups, and all that follows them; their bytes
 * and those of the directories are `before` and `directories`. Check out->failed. */
void parquet_footer_begin(struct buf *out, const struct parquet_column *columns, size_t count, uint64_t rows,
                          uint64_t groups);
void parquet_footer_end(struct buf *out, size_t columns, uint64_t before, uint64_t directories);

#endif
