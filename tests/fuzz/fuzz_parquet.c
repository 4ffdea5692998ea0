/* SPDX-License-Identifier: ISC */
/*
 * fuzz_parquet.c: Parquet groups of fields of any bytes, and what searches read of them.
 *
 *	input = how, flip's place (2), flip; then values: column, repeats, length, bytes
 *
 * What must hold: a value that a column cannot hold is refused; the pages of a finished group hold each text that was
 * given, and no other; the pieces make up the group. After a flip readers may say anything, but keep within the bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "parquet/parquet.h"

#define HEAD 4
#define VALUES_MAX 64
#define MANY 3000 /* different texts, more than a dictionary's bytes */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT, TIME, NUMBER, COLUMNS };

static const struct parquet_column columns[COLUMNS] = {
	{ { "text", 4 }, PARQUET_TEXT },
	{ { "time", 4 }, PARQUET_TIME },
	{ { "number", 6 }, PARQUET_DECIMAL },
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void add_row(struct parquet_group *group, struct str text, struct str time, struct str number)
{
	must(parquet_group_add(group, TEXT, text));
	must(parquet_group_add(group, TIME, time) && parquet_group_add(group, NUMBER, number));
	parquet_group_end_row(group);
}

/* Can a column hold it? Asked of a group that is then given up, as one must be. */
static bool fits(struct parquet_group *asked, size_t column, struct str value)
{
	bool added = parquet_group_add(asked, column, value);

	parquet_group_clear(asked);
	return added;
}

/* Texts that all differ, so that the dictionary is given up on. */
static void add_many(struct parquet_group *group, struct str text, struct buf *texts)
{
	char value[64] = { 0 };

	memcpy(value, text.p, text.len < 32 ? text.len : 32);
	for (uint32_t i = 0; i < MANY; i++) {
		for (int k = 0; k < 8; k++)
			value[32 + k] = (char)('a' + (i >> 4 * k & 15));
		add_row(group, (struct str){ value, sizeof(value) }, STR_LITERAL(""), STR_LITERAL(""));
		buf_add(texts, value, sizeof(value));
		buf_add_char(texts, '\n');
	}
}

/* What is given is appended to `texts`, each with LF after it. */
static void fill(struct parquet_group *group, struct parquet_group *asked, struct str rest, bool many,
                 struct buf *texts)
{
	for (int i = 0; i < VALUES_MAX && rest.len > 3; i++) {
		size_t column = (uint8_t)rest.p[0] % COLUMNS, repeats = 1 + (uint8_t)rest.p[1] % 40;
		size_t len = (uint8_t)rest.p[2] < rest.len - 3 ? (uint8_t)rest.p[2] : rest.len - 3;
		struct str value = { rest.p + 3, len }, none = STR_LITERAL("");

		rest = (struct str){ rest.p + 3 + len, rest.len - 3 - len };
		if (!fits(asked, column, value)) {
			must(column != TEXT);
			continue;
		}
		for (size_t k = 0; k < repeats; k++)
			add_row(group, column == TEXT ? value : none, column == TIME ? value : none,
			        column == NUMBER ? value : none);
		if (column == TEXT && len > 0) {
			buf_add_str(texts, value);
			buf_add_char(texts, '\n');
		}
	}
	if (many)
		add_many(group, rest, texts);
}

static void finish(struct parquet_group *group, struct buf *out)
{
	uint64_t at = 0;
	struct str piece;
	int more;

	while ((more = parquet_group_finish_some(group)) > 0)
		;
	must(more == 0 && parquet_group_close(group, 4));
	for (; parquet_group_piece(group, at, &piece); at += piece.len) {
		must(piece.len > 0 && piece.len <= PARQUET_PIECE_BYTES);
		buf_add_str(out, piece);
	}
	must(at == parquet_group_bytes(group));
}

/* The texts of the pages of a chunk, as far as they can be read; false where they cannot. */
static bool read_texts(struct str chunk, struct buf *out)
{
	static ZSTD_DCtx *zstd;
	struct buf body = { 0 };
	size_t bytes;
	bool readable = true;

	if (!zstd)
		zstd = ZSTD_createDCtx();
	while (readable && chunk.len > 0) {
		readable = parquet_page_bytes(chunk, &bytes) && bytes <= chunk.len &&
		           parquet_page_texts(zstd, (struct str){ chunk.p, bytes }, &body, out);
		if (readable)
			chunk = (struct str){ chunk.p + bytes, chunk.len - bytes };
	}
	buf_free(&body);
	return readable;
}

static bool read_group(struct str bytes, struct buf *out)
{
	uint64_t chunks_bytes;
	uint32_t directory_bytes, chunk_bytes;
	size_t index_bytes;

	if (bytes.len < PARQUET_INDEX_FIXED || parquet_index_columns(bytes) != COLUMNS)
		return false;
	index_bytes = parquet_index_bytes(COLUMNS);
	if (bytes.len < index_bytes ||
	    !parquet_index_read((struct str){ bytes.p, index_bytes }, &chunks_bytes, &directory_bytes))
		return false;
	if (parquet_index_chunk(bytes, TEXT, &chunk_bytes) != PARQUET_TEXT || chunk_bytes > bytes.len - index_bytes)
		return false;
	return read_texts((struct str){ bytes.p + index_bytes, chunk_bytes }, out);
}

/* Is each line of `some` one of `all`? Texts may have line ends themselves, so only whole ones count. */
static bool has_all(const struct buf *all, const struct buf *some)
{
	const char *at = buf_str(some).p, *end = at + some->len;

	for (; at < end; at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1) {
		size_t len = (size_t)((const char *)memchr(at, '\n', (size_t)(end - at)) + 1 - at);

		if (!memmem(all->data, all->len, at, len))
			return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct parquet_group *group, *asked;
	struct buf texts = { 0 }, out = { 0 }, found = { 0 };

	if (size < HEAD)
		return 0;
	if (!group) {
		group = parquet_group_new(columns, COLUMNS);
		asked = parquet_group_new(columns, COLUMNS);
	}
	must(group && asked);
	bool many = data[0] % 64 == 63;
	fill(group, asked, (struct str){ (const char *)data + HEAD, size - HEAD }, many, &texts);
	if (parquet_group_rows(group) > 0) {
		finish(group, &out);
		must(read_group(buf_str(&out), &found));
		must(many || (has_all(&found, &texts) && has_all(&texts, &found)));
		must(!many || found.len > 0);
		/* damaged, in a copy as long as it is and no longer */
		char *copy = malloc(out.len);
		must(copy != NULL);
		memcpy(copy, out.data, out.len);
		copy[((size_t)data[1] | (size_t)data[2] << 8) % out.len] ^= (char)data[3];
		buf_clear(&found);
		(void)read_group((struct str){ copy, out.len }, &found);
		free(copy);
	}
	/* and any bytes as pages */
	buf_clear(&found);
	(void)read_texts((struct str){ (const char *)data, size }, &found);
	parquet_group_clear(group);
	buf_free(&texts);
	buf_free(&out);
	buf_free(&found);
	return 0;
}
