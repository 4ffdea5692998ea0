/* SPDX-License-Identifier: ISC */
/*
 * parquet_group.c: a row group in the making, and what of it becomes bytes of the file.
 */
#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"
#include "parquet/parquet_private.h"

#define LEVEL 1
#define INDEX_FIXED PARQUET_INDEX_FIXED /* length of the directory, count of columns */
#define INDEX_COLUMN 5

struct parquet_group *parquet_group_new(const struct parquet_column *columns, size_t count)
{
	struct parquet_group *group = calloc(1, sizeof(*group));

	INVARIANT(count <= PARQUET_COLUMNS_MAX);
	if (!group)
		return NULL;
	group->zstd = ZSTD_createCCtx();
	bool made = group->zstd;
	if (made)
		ZSTD_CCtx_setParameter(group->zstd, ZSTD_c_compressionLevel, LEVEL);
	for (; made && group->count < count; group->count++) {
		struct column *column = &group->columns[group->count];

		column->name = columns[group->count].name;
		column->type = columns[group->count].type;
		made = column_init(column);
	}
	if (made)
		return group;
	parquet_group_free(group);
	return NULL;
}

void parquet_group_free(struct parquet_group *group)
{
	if (!group)
		return;
	for (size_t i = 0; i < PARQUET_COLUMNS_MAX; i++)
		column_free(&group->columns[i]);
	ZSTD_freeCCtx(group->zstd);
	buf_free(&group->body);
	buf_free(&group->packed);
	buf_free(&group->header);
	buf_free(&group->index);
	buf_free(&group->directory);
	free(group);
}

void parquet_group_clear(struct parquet_group *group)
{
	for (size_t i = 0; i < group->count; i++)
		column_clear(&group->columns[i]);
	group->rows = 0;
	group->finished = 0;
	group->packed_bytes = 0;
	buf_clear(&group->index);
	buf_clear(&group->directory);
}

bool parquet_group_add(struct parquet_group *group, size_t i, struct str value)
{
	struct column *column = &group->columns[i];

	if (!column_add(column, value))
		return false;
	if (column_page_is_full(column)) {
		group->packed_bytes -= column->pages_bytes;
		pages_add(group, column);
		group->packed_bytes += column->pages_bytes;
	}
	return true;
}

void parquet_group_end_row(struct parquet_group *group)
{
	group->rows++;
}

uint64_t parquet_group_rows(const struct parquet_group *group)
{
	return group->rows;
}

bool parquet_group_is_full(const struct parquet_group *group)
{
	return group->rows >= PARQUET_GROUP_ROWS || group->packed_bytes >= PARQUET_GROUP_BYTES;
}

/* --- the group as bytes --- */

int parquet_group_finish_some(struct parquet_group *group)
{
	if (group->finished == group->count)
		return 0;
	struct column *column = &group->columns[group->finished++];
	pages_add(group, column);
	pages_add_dictionary(group, column);
	if (column->failed)
		return -1;
	INVARIANT(column->rows == group->rows);
	return group->finished < group->count;
}

static void add_number(struct buf *out, uint64_t number, int size)
{
	for (int i = 0; i < size; i++)
		buf_add_char(out, (char)(number >> (8 * i) & 0xff));
}

size_t parquet_index_bytes(size_t columns)
{
	return INDEX_FIXED + INDEX_COLUMN * columns;
}

bool parquet_group_close(struct parquet_group *group, uint64_t offset)
{
	INVARIANT(group->finished == group->count);
	buf_clear(&group->index);
	buf_clear(&group->directory);
	schema_add_group(&group->directory, group, offset + parquet_index_bytes(group->count));
	add_number(&group->index, group->directory.len, 4);
	add_number(&group->index, group->count, 2);
	for (size_t i = 0; i < group->count; i++) {
		add_number(&group->index, group->columns[i].type, 1);
		add_number(&group->index, column_bytes(&group->columns[i]), 4);
	}
	return !group->index.failed && !group->directory.failed;
}

static uint64_t read_number(const char *p, int size)
{
	uint64_t number = 0;

	for (int i = 0; i < size; i++)
		number |= (uint64_t)(uint8_t)p[i] << (8 * i);
	return number;
}

size_t parquet_index_columns(struct str index)
{
	return (size_t)read_number(index.p + 4, 2);
}

enum parquet_type parquet_index_chunk(struct str index, size_t column, uint32_t *bytes)
{
	const char *entry = index.p + parquet_index_bytes(column);

	*bytes = (uint32_t)read_number(entry + 1, 4);
	return (enum parquet_type)(uint8_t)entry[0];
}

bool parquet_index_read(struct str index, uint64_t *chunks_bytes, uint32_t *directory_bytes)
{
	*chunks_bytes = 0;
	if (index.len < INDEX_FIXED || index.len != parquet_index_bytes(parquet_index_columns(index)))
		return false;
	*directory_bytes = (uint32_t)read_number(index.p, 4);
	for (size_t at = INDEX_FIXED; at < index.len; at += INDEX_COLUMN) {
		*chunks_bytes += read_number(index.p + at + 1, 4);
		if ((uint8_t)index.p[at] > PARQUET_DECIMAL)
			return false;
	}
	return true;
}

size_t parquet_group_directory_bytes(const struct parquet_group *group)
{
	return group->directory.len;
}

uint64_t parquet_group_bytes(const struct parquet_group *group)
{
	uint64_t bytes = group->index.len + group->directory.len;

	for (size_t i = 0; i < group->count; i++)
		bytes += column_bytes(&group->columns[i]);
	return bytes;
}

/* Is `at` in this part of the group? Otherwise passes it. */
static bool is_in(struct str part, uint64_t *at, struct str *piece)
{
	if (*at >= part.len) {
		*at -= part.len;
		return false;
	}
	*piece = (struct str){ part.p + *at, part.len - (size_t)*at };
	if (piece->len > PARQUET_PIECE_BYTES)
		piece->len = PARQUET_PIECE_BYTES;
	return true;
}

static bool are_in(const struct packed_page *page, uint64_t *at, struct str *piece)
{
	for (; page; page = page->next)
		if (is_in((struct str){ page->bytes, page->len }, at, piece))
			return true;
	return false;
}

bool parquet_group_piece(const struct parquet_group *group, uint64_t at, struct str *piece)
{
	if (is_in(buf_str(&group->index), &at, piece))
		return true;
	for (size_t i = 0; i < group->count; i++) {
		const struct column *column = &group->columns[i];

		if (are_in(column->dictionary_page, &at, piece))
			return true;
		if (at >= column->pages_bytes)
			at -= column->pages_bytes;
		else if (are_in(column->pages, &at, piece))
			return true;
	}
	return is_in(buf_str(&group->directory), &at, piece);
}
