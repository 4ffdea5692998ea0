/* SPDX-License-Identifier: ISC */
/*
 * parquet_private.h: what the parts of parquet/ share.
 *
 *	parquet_group.c    rows of all columns, and the group as bytes
 *	parquet_column.c   a column's values: codes of a dictionary, or as they are
 *	parquet_pages.c    pages of them, compressed
 *	parquet_hybrid.c   codes and levels as runs and packed bits
 *	parquet_texts.c    a page's texts, read back
 *	parquet_schema.c   what the footer says of columns and of a group
 *	parquet_thrift.c   the footer's encoding
 */
#ifndef CDRD_PARQUET_PARQUET_PRIVATE_H
#define CDRD_PARQUET_PARQUET_PRIVATE_H

#include <zstd.h>

#include "parquet/parquet.h"

#define DECIMAL_BYTES 13 /* 10^30 needs 103 bits with its sign */
#define DECIMAL_PRECISION 30
#define DECIMAL_SCALE 12
#define PAGE_ROWS 16384
#define PAGE_BYTES ((size_t)128 << 10)
#define DICTIONARY_MAX 4096 /* values of it; then what follows is written as it is */
#define DICTIONARY_BYTES ((size_t)64 << 10)
#define SLOTS (2 * DICTIONARY_MAX) /* a power of two */

/* The numbers of parquet.thrift. */
enum { TYPE_INT64 = 2, TYPE_BYTE_ARRAY = 6, TYPE_FIXED_LEN_BYTE_ARRAY = 7 };
enum { ENCODING_PLAIN = 0, ENCODING_RLE = 3, ENCODING_RLE_DICTIONARY = 8 };
enum { CODEC_ZSTD = 6 };
enum { PAGE_DATA = 0, PAGE_DICTIONARY = 2 };

struct dictionary_entry {
	uint32_t at; /* of its text in `keys` */
	uint32_t len;
	uint32_t hash;
};

/* A finished page, or a dictionary: each allocated by itself, as columns that grow side by side would otherwise leave
 * holes of their former sizes. */
struct packed_page {
	struct packed_page *next;
	size_t len;
	char bytes[];
};

/* A column of the group that is being made. */
struct column {
	struct str name;
	enum parquet_type type;

	/* the open page */
	uint32_t page_rows, page_nulls;
	bool mixed;       /* it has nulls and others: `levels` says which */
	uint16_t *levels; /* PAGE_ROWS: 1 where there is a value */
	uint16_t *codes;  /* PAGE_ROWS, of the values that there are */
	bool coded;       /* values are codes of the dictionary; false: they are in `plain` */
	struct buf plain;

	/* the dictionary, by the texts that were given */
	struct dictionary_entry *entries; /* DICTIONARY_MAX */
	uint32_t entries_count;
	uint32_t last;     /* the entry used last */
	uint16_t *slots;   /* 1 + entry, or 0 */
	struct buf keys;   /* texts of entries */
	struct buf values; /* entries as they are written */

	/* finished pages */
	struct packed_page *pages, *last_page;
	size_t pages_bytes;
	struct packed_page *dictionary_page; /* or NULL */
	bool has_coded_pages, has_plain_pages;
	uint64_t rows, nulls;
	uint64_t plain_bytes; /* of pages and their headers before compression */
	int64_t least, most;  /* of times */
	bool failed;          /* memory ran out */
};

struct parquet_group {
	ZSTD_CCtx *zstd;
	struct buf body, packed, header; /* of a page; `packed` is the body compressed */
	uint64_t rows;
	size_t packed_bytes; /* of finished pages */
	size_t finished;     /* columns */
	struct buf index, directory;
	size_t count;
	struct column columns[PARQUET_COLUMNS_MAX];
};

/* --- parquet_column.c --- */

static inline size_t column_dictionary_bytes(const struct column *column)
{
	return column->dictionary_page ? column->dictionary_page->len : 0;
}

static inline size_t column_bytes(const struct column *column)
{
	return column_dictionary_bytes(column) + column->pages_bytes;
}

bool column_init(struct column *column);
void column_free(struct column *column);
void column_clear(struct column *column);

/* Adds a value, not to a full page. False if it cannot be of the type. */
MUST_CHECK bool column_add(struct column *column, struct str value);

static inline bool column_page_is_full(const struct column *column)
{
	return column->page_rows >= PAGE_ROWS || column->plain.len >= PAGE_BYTES;
}

/* --- parquet_pages.c --- */

/* Makes a page of the column's open one; writes the dictionary of a column without open page. */
void pages_add(struct parquet_group *group, struct column *column);
void pages_add_dictionary(struct parquet_group *group, struct column *column);

/* --- parquet_hybrid.c --- */

/* How many bits codes up to `most` take, at least 1. */
int hybrid_width(uint32_t most);

/* Appends numbers below 1 << width, in runs: varint(length << 1), number; or varint(eights << 1 | 1), packed bits. */
void hybrid_add(struct buf *out, const uint16_t *numbers, size_t count, int width);

/* A run of one number. */
void hybrid_add_run(struct buf *out, uint16_t number, size_t count, int width);

/* --- parquet_schema.c --- */

void schema_add_group(struct buf *out, const struct parquet_group *group, uint64_t offset);

#endif
