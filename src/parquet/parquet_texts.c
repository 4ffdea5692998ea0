/* SPDX-License-Identifier: ISC */
/*
 * parquet_texts.c: the texts of a page that parquet_pages.c has made, for searches.
 */
#include <isa-l/crc.h>

#include "parquet/parquet_private.h"
#include "parquet/parquet_thrift.h"

/* What the header of a page says. */
struct page {
	int64_t type;
	int64_t plain_bytes, packed_bytes;
	uint32_t crc;
	int64_t encoding;
	size_t header_bytes;
};

/* The header's data_page_header or dictionary_page_header, of which field 2 is the encoding. */
static void read_kind(struct thrift_reader *r, struct page *page)
{
	int entered = thrift_enter(r);

	while (thrift_next(r)) {
		if (r->id == 2)
			page->encoding = thrift_int(r);
		else
			thrift_skip(r);
	}
	thrift_leave(r, entered);
}

static bool read_header(struct str bytes, struct page *page)
{
	struct thrift_reader r = { .p = bytes.p, .end = bytes.p + bytes.len };

	*page = (struct page){ .type = -1 };
	while (thrift_next(&r)) {
		if (r.id == 1)
			page->type = thrift_int(&r);
		else if (r.id == 2)
			page->plain_bytes = thrift_int(&r);
		else if (r.id == 3)
			page->packed_bytes = thrift_int(&r);
		else if (r.id == 4)
			page->crc = (uint32_t)thrift_int(&r);
		else if (r.id == 5 || r.id == 7)
			read_kind(&r, page);
		else
			thrift_skip(&r);
	}
	page->header_bytes = (size_t)(r.p - bytes.p);
	return !r.bad && page->plain_bytes >= 0 && page->plain_bytes <= INT32_MAX && page->packed_bytes >= 0 &&
	       page->packed_bytes <= INT32_MAX;
}

bool parquet_page_bytes(struct str bytes, size_t *page_bytes)
{
	struct page page;

	if (!read_header(bytes, &page))
		return false;
	*page_bytes = page.header_bytes + (size_t)page.packed_bytes;
	return true;
}

static uint32_t read_u32(const char *p)
{
	const uint8_t *bytes = (const uint8_t *)p;

	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Cuts off a length and as many bytes. */
static bool take(struct str *rest, struct str *bytes)
{
	if (rest->len < 4 || read_u32(rest->p) > rest->len - 4)
		return false;
	*bytes = (struct str){ rest->p + 4, read_u32(rest->p) };
	*rest = (struct str){ bytes->p + bytes->len, rest->len - 4 - bytes->len };
	return true;
}

/* Values of lengths and bytes, after the levels of a data page. */
static bool add_texts(struct str body, bool has_levels, struct buf *out)
{
	struct str text;

	if (has_levels && !take(&body, &text))
		return false;
	while (body.len > 0) {
		if (!take(&body, &text))
			return false;
		buf_add_str(out, text);
		buf_add_char(out, '\n');
	}
	return true;
}

bool parquet_page_texts(ZSTD_DCtx *zstd, struct str bytes, struct buf *body, struct buf *out)
{
	struct page page;

	if (!read_header(bytes, &page) || bytes.len - page.header_bytes != (size_t)page.packed_bytes)
		return false;
	struct str packed = { bytes.p + page.header_bytes, (size_t)page.packed_bytes };
	if (crc32_gzip_refl(0, (const unsigned char *)packed.p, packed.len) != page.crc)
		return false;
	if (page.encoding != ENCODING_PLAIN)
		return page.encoding == ENCODING_RLE_DICTIONARY; /* their texts are in the dictionary */
	/* What the header says is not under the checksum, what the frame says is. */
	if (ZSTD_getFrameContentSize(packed.p, packed.len) != (unsigned long long)page.plain_bytes)
		return false;
	buf_clear(body);
	if (!buf_reserve(body, (size_t)page.plain_bytes)) {
		out->failed = true;
		return false;
	}
	size_t len = ZSTD_decompressDCtx(zstd, body->data, body->cap, packed.p, packed.len);
	if (ZSTD_isError(len) || len != (size_t)page.plain_bytes)
		return false;
	body->len = len;
	return add_texts(buf_str(body), page.type == PAGE_DATA, out);
}
