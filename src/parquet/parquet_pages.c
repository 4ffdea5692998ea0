/* SPDX-License-Identifier: ISC */
/*
 * parquet_pages.c: pages. A header (PageHeader of parquet.thrift), and compressed:
 *
 *	data         u32 length of the levels, levels, which are 1 where there is a value; then the values that there are,
 *	             or u8 width and their codes
 *	dictionary   values
 */
#include <isa-l/crc.h>
#include <stdlib.h>
#include <string.h>

#include "parquet/parquet_private.h"
#include "parquet/parquet_thrift.h"

static void add_u32(struct buf *out, uint32_t number)
{
	for (int shift = 0; shift < 32; shift += 8)
		buf_add_char(out, (char)(number >> shift & 0xff));
}

static void add_levels(struct buf *body, const struct column *column)
{
	size_t begin = body->len;

	add_u32(body, 0);
	if (column->mixed)
		hybrid_add(body, column->levels, column->page_rows, 1);
	else
		hybrid_add_run(body, column->page_nulls == 0, column->page_rows, 1);
	if (body->failed)
		return;
	uint32_t len = (uint32_t)(body->len - begin - 4);
	for (int i = 0; i < 4; i++)
		body->data[begin + (size_t)i] = (char)(len >> (8 * i) & 0xff);
}

static void add_codes(struct buf *body, const struct column *column)
{
	int width = hybrid_width(column->entries_count - 1);

	buf_add_char(body, (char)width);
	hybrid_add(body, column->codes, column->page_rows - column->page_nulls, width);
}

/* Compresses group->body into group->packed. */
static bool pack(struct parquet_group *group)
{
	struct buf *packed = &group->packed;

	buf_clear(packed);
	if (group->body.failed || !buf_reserve(packed, ZSTD_compressBound(group->body.len)))
		return false;
	size_t len = ZSTD_compress2(group->zstd, packed->data, packed->cap, group->body.data, group->body.len);
	if (ZSTD_isError(len))
		return false;
	packed->len = len;
	return true;
}

static void add_data_header(struct thrift_writer *header, uint32_t values, int encoding)
{
	struct thrift_writer data = thrift_begin(header, 5);

	thrift_i32(&data, 1, (int32_t)values);
	thrift_i32(&data, 2, encoding);
	thrift_i32(&data, 3, ENCODING_RLE);
	thrift_i32(&data, 4, ENCODING_RLE);
	thrift_end(&data);
}

static void add_dictionary_header(struct thrift_writer *header, uint32_t values)
{
	struct thrift_writer dictionary = thrift_begin(header, 7);

	thrift_i32(&dictionary, 1, (int32_t)values);
	thrift_i32(&dictionary, 2, ENCODING_PLAIN);
	thrift_end(&dictionary);
}

/* The header of a page of what is in group->packed, in group->header. */
static void make_header(struct parquet_group *group, int page, uint32_t values, int encoding)
{
	struct thrift_writer header = { &group->header, 0 };
	uint32_t crc = crc32_gzip_refl(0, (const unsigned char *)group->packed.data, group->packed.len);

	buf_clear(&group->header);
	thrift_i32(&header, 1, page);
	thrift_i32(&header, 2, (int32_t)group->body.len);
	thrift_i32(&header, 3, (int32_t)group->packed.len);
	thrift_i32(&header, 4, (int32_t)crc);
	if (page == PAGE_DATA)
		add_data_header(&header, values, encoding);
	else
		add_dictionary_header(&header, values);
	thrift_end(&header);
}

/* Makes a page of what is in group->body. NULL when out of memory. */
static struct packed_page *make_page(struct parquet_group *group, struct column *column, int type, uint32_t values,
                                     int encoding)
{
	struct packed_page *page = NULL;

	if (pack(group)) {
		make_header(group, type, values, encoding);
		if (!group->header.failed)
			page = malloc(sizeof(*page) + group->header.len + group->packed.len);
	}
	if (!page) {
		column->failed = true;
		return NULL;
	}
	page->next = NULL;
	page->len = group->header.len + group->packed.len;
	memcpy(page->bytes, group->header.data, group->header.len);
	memcpy(page->bytes + group->header.len, group->packed.data, group->packed.len);
	column->plain_bytes += group->header.len + group->body.len;
	return page;
}

static void append(struct column *column, struct packed_page *page)
{
	if (!page)
		return;
	if (column->last_page)
		column->last_page->next = page;
	else
		column->pages = page;
	column->last_page = page;
	column->pages_bytes += page->len;
}

void pages_add(struct parquet_group *group, struct column *column)
{
	bool coded = column->coded && column->page_rows > column->page_nulls;

	if (column->page_rows == 0)
		return;
	buf_clear(&group->body);
	add_levels(&group->body, column);
	if (coded)
		add_codes(&group->body, column);
	else
		buf_add_str(&group->body, buf_str(&column->plain));
	column->failed |= column->plain.failed;
	column->has_coded_pages |= coded;
	column->has_plain_pages |= !coded;
	append(column, make_page(group, column, PAGE_DATA, column->page_rows,
	                         coded ? ENCODING_RLE_DICTIONARY : ENCODING_PLAIN));
	column->rows += column->page_rows;
	column->nulls += column->page_nulls;
	column->page_rows = column->page_nulls = 0;
	column->mixed = false;
	buf_clear(&column->plain);
}

void pages_add_dictionary(struct parquet_group *group, struct column *column)
{
	if (!column->has_coded_pages)
		return;
	buf_clear(&group->body);
	buf_add_str(&group->body, buf_str(&column->values));
	column->failed |= column->values.failed || column->keys.failed;
	column->dictionary_page = make_page(group, column, PAGE_DICTIONARY, column->entries_count, ENCODING_PLAIN);
}
