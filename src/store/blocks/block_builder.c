/* SPDX-License-Identifier: ISC */
/*
 * block_builder.c: records to sealed blocks. See block_builder.h, and block.h for the layout.
 */
#include "store/blocks/block_builder.h"

#include <isa-l/crc.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/clock.h"
#include "deflate/deflate.h"
#include "store/blocks/block_columns.h"
#include "store/blocks/read_back.h"

#define EXTRA_LEVEL 1
#define RAW_BLOCK_MAX ((size_t)128 << 10)
#define SUMS_MAX SCAN_CURRENCIES_MAX

struct block_builder {
	const struct catalog_product *product;
	struct record_view view;
	uint64_t extra_columns;
	uint8_t currency_column, total_price_column, price_column;
	uint8_t paid_column; /* what a record costs: the total price, or the price of products without */

	bool has_skip; /* and columns, whose dictionaries are in it */
	uint32_t rows;
	uint32_t csv_bytes;
	uint32_t csv_crc32;
	bool seconds;
	struct position positions[BLOCK_ROWS];
	struct buf csv; /* of the segment under way */
	uint32_t segment_rows;
	bool has_doubled;    /* some value of the segment holds quotes */
	struct buf segments; /* struct block_segment each */
	struct buf compressed;
	struct buf packed;  /* places */
	struct buf changed; /* struct block_change each */
	uint64_t changed_min;
	uint64_t changed_max;
	struct buf extra; /* raw */
	bool has_extra;   /* some value is there */
	struct block_sum sums[SUMS_MAX];
	uint8_t sums_count;
	uint16_t unpriced; /* rows */
	struct skip_index_builder skip;
	struct buf skip_bytes;
	struct columns_builder columns;
	struct buf columns_bytes;
	ZSTD_CCtx *zstd;
	struct deflate *deflate;
	struct read_back read_back;
	uint32_t misread; /* parts of the block that failed to read back */
	uint32_t misread_of_last;
};

struct block_builder *block_builder_new(void)
{
	struct block_builder *builder = calloc(1, sizeof(*builder));

	if (!builder)
		return NULL;
	builder->zstd = ZSTD_createCCtx();
	builder->deflate = deflate_new();
	if (!builder->zstd || !builder->deflate) {
		block_builder_free(builder);
		return NULL;
	}
	return builder;
}

void block_builder_free(struct block_builder *builder)
{
	if (!builder)
		return;
	buf_free(&builder->csv);
	buf_free(&builder->segments);
	buf_free(&builder->compressed);
	buf_free(&builder->packed);
	buf_free(&builder->changed);
	buf_free(&builder->extra);
	buf_free(&builder->skip_bytes);
	buf_free(&builder->columns_bytes);
	skip_index_free(&builder->skip);
	ZSTD_freeCCtx(builder->zstd);
	deflate_free(builder->deflate);
	read_back_free(&builder->read_back);
	free(builder);
}

static void begin_block(struct block_builder *builder)
{
	builder->rows = builder->segment_rows = builder->misread = 0;
	builder->csv_bytes = builder->csv_crc32 = 0;
	builder->seconds = true;
	builder->has_extra = builder->has_doubled = false;
	builder->sums_count = 0;
	builder->unpriced = 0;
	buf_clear(&builder->csv);
	buf_clear(&builder->segments);
	buf_clear(&builder->compressed);
	buf_clear(&builder->packed);
	buf_clear(&builder->changed);
	buf_clear(&builder->extra);
	buf_clear(&builder->skip_bytes);
	buf_clear(&builder->columns_bytes);
	skip_index_begin(&builder->skip, builder->product);
	columns_begin(&builder->columns, builder->product, &builder->skip);
}

static void choose_columns(struct block_builder *builder, const struct catalog_product *product, uint8_t direction)
{
	uint64_t all = UINT64_MAX >> (64 - product->columns_count);

	builder->product = product;
	builder->view = (struct record_view){ .direction = (enum catalog_direction)direction };
	uint64_t line_columns = block_line_columns(product, direction, product->columns_count);
	builder->extra_columns = all & ~line_columns;
	builder->currency_column = catalog_column_find(product, STR_LITERAL("currency"));
	builder->total_price_column = catalog_column_find(product, STR_LITERAL("total_price"));
	builder->price_column = catalog_column_find(product, STR_LITERAL("price"));
	builder->paid_column =
		builder->total_price_column != CATALOG_NONE ? builder->total_price_column : builder->price_column;
}

void block_builder_begin(struct block_builder *builder, const struct catalog_product *product, uint8_t direction,
                         uint32_t rows_max)
{
	builder->has_skip = rows_max >= SKIP_INDEX_ROWS_MIN;
	if (builder->product != product || builder->view.direction != (enum catalog_direction)direction)
		choose_columns(builder, product, direction);
	begin_block(builder);
}

/* --- the parts of a row --- */

static void put_varint(struct buf *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		buf_add_char(out, (char)(value | 0x80));
	buf_add_char(out, (char)value);
}

static void add_extra(struct block_builder *builder, const struct record *record)
{
	for (uint64_t left = builder->extra_columns; left; left &= left - 1) {
		struct str value = record->values[__builtin_ctzll(left)];

		put_varint(&builder->extra, value.p ? value.len + 1 : 0);
		buf_add_str(&builder->extra, value);
		if (value.p)
			builder->has_extra = true;
	}
}

static struct block_sum *sum_of(struct block_builder *builder, struct str currency)
{
	if (builder->sums_count == BLOCK_SUMS_NONE)
		return NULL;
	for (uint8_t i = 0; i < builder->sums_count; i++)
		if (str_is(currency, builder->sums[i].currency))
			return &builder->sums[i];
	if (builder->sums_count == SUMS_MAX || currency.len >= sizeof(builder->sums[0].currency) ||
	    (currency.len > 0 && memchr(currency.p, '\0', currency.len))) {
		builder->sums_count = BLOCK_SUMS_NONE;
		return NULL;
	}
	struct block_sum *sum = &builder->sums[builder->sums_count++];
	*sum = (struct block_sum){ 0 };
	if (currency.len > 0)
		memcpy(sum->currency, currency.p, currency.len);
	return sum;
}

static bool add_amount(decimal_units *sum, struct str text)
{
	struct decimal amount;

	if (text.len == 0)
		return true;
	if (!decimal_read_stored(text, &amount))
		return false;
	*sum += amount.units; /* 4096 times 10^30 fits */
	return true;
}

static void add_sums(struct block_builder *builder, const struct record *record)
{
	struct block_sum *sum = sum_of(builder, record_value(record, builder->currency_column));

	if (!sum)
		return;
	sum->rows++;
	if (record_value(record, builder->paid_column).len == 0)
		builder->unpriced++;
	/* Ingest once took any text for a price. A block with one that is no number has no sums: aggregates then read
	 * its rows, and report it. */
	if (!add_amount(&sum->total_price, record_value(record, builder->total_price_column)) ||
	    !add_amount(&sum->price, record_value(record, builder->price_column)))
		builder->sums_count = BLOCK_SUMS_NONE;
}

/* --- segments --- */

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_NOMEM, "block: out of memory");
}

/* Reads what was compressed from `begin` on back. 1 if it is the same, 0 if not, -1. */
static int segment_is_same(struct block_builder *builder, size_t begin, struct error *err)
{
	struct str made = { builder->compressed.data + begin, builder->compressed.len - begin };
	enum read_back_result result = read_back_lines(&builder->read_back, made, buf_str(&builder->csv));

	return result == READ_BACK_NOMEM ? no_memory(err) : result == READ_BACK_SAME;
}

/* Appends the lines to builder->compressed: uncompressed if the compressed ones do not read back. */
static int compress_lines(struct block_builder *builder, struct error *err)
{
	size_t begin = builder->compressed.len;

	if (!deflate_add(builder->deflate, buf_str(&builder->csv), &builder->compressed))
		return no_memory(err);
	int same = segment_is_same(builder, begin, err);
	if (same)
		return same < 0 ? -1 : 0;
	builder->misread++;
	builder->compressed.len = begin;
	if (!deflate_add_stored(buf_str(&builder->csv), &builder->compressed))
		return no_memory(err);
	same = segment_is_same(builder, begin, err);
	return same ? same < 0 ? -1 : 0 : error_set(err, ERROR_CORRUPT, "lines do not read back as they were written");
}

static int compress_segment(struct block_builder *builder, struct block_segment *segment, struct error *err)
{
	size_t begin = builder->compressed.len;

	if (compress_lines(builder, err) != 0)
		return -1;
	segment->deflate_begin = (uint32_t)begin;
	segment->deflate_bytes = (uint32_t)(builder->compressed.len - begin);
	segment->deflate_crc32 =
		crc32_gzip_refl(0, (const uint8_t *)builder->compressed.data + begin, segment->deflate_bytes);
	return 0;
}

static int finish_segment(struct block_builder *builder, struct error *err)
{
	struct block_segment segment = {
		.first_row = builder->rows - builder->segment_rows,
		.rows = builder->segment_rows,
		.csv_bytes = (uint32_t)builder->csv.len,
		.has_doubled = builder->has_doubled,
	};

	if (compress_segment(builder, &segment, err) != 0)
		return -1;
	builder->csv_bytes += (uint32_t)builder->csv.len;
	builder->csv_crc32 = crc32_gzip_refl(builder->csv_crc32, (const uint8_t *)builder->csv.data, builder->csv.len);
	buf_add(&builder->segments, &segment, sizeof(segment));
	buf_clear(&builder->csv);
	builder->segment_rows = 0;
	builder->has_doubled = false;
	return 0;
}

static void note_change(struct block_builder *builder, const struct position *position, uint64_t changed_seq)
{
	struct block_change change = { builder->rows, changed_seq };

	if (changed_seq != position->seq)
		buf_add(&builder->changed, &change, sizeof(change));
	if (builder->rows == 0 || changed_seq < builder->changed_min)
		builder->changed_min = changed_seq;
	if (builder->rows == 0 || changed_seq > builder->changed_max)
		builder->changed_max = changed_seq;
}

uint32_t block_builder_rows(const struct block_builder *builder)
{
	return builder->rows;
}

int block_builder_add(struct block_builder *builder, const struct record *record, const struct position *position,
                      uint64_t changed_seq, bool *full, struct error *err)
{
	builder->has_doubled |= !record_write_csv(&builder->csv, record, &builder->view);
	add_extra(builder, record);
	add_sums(builder, record);
	if (builder->has_skip) {
		skip_index_add(&builder->skip, record);
		columns_add(&builder->columns, &builder->skip, record);
	}
	if (position->time_us % CLOCK_US_PER_SECOND != 0)
		builder->seconds = false;
	note_change(builder, position, changed_seq);
	builder->positions[builder->rows++] = *position;
	builder->segment_rows++;
	if (builder->csv.failed || builder->extra.failed)
		return no_memory(err);
	if ((builder->segment_rows == SEGMENT_ROWS || builder->csv.len >= SEGMENT_CSV_BYTES) &&
	    finish_segment(builder, err) != 0)
		return -1;
	*full = builder->rows == BLOCK_ROWS || builder->csv_bytes >= BLOCK_CSV_BYTES ||
	        builder->extra.len >= BLOCK_CSV_BYTES;
	return 0;
}

/* --- the block --- */

/* Positions are packed last, when it is known whether whole seconds suffice. */
static void pack_places(struct block_builder *builder)
{
	size_t count = builder->segments.len / sizeof(struct block_segment);

	for (size_t i = 0; i < count; i++) {
		struct block_segment segment;
		char *at = builder->segments.data + i * sizeof(segment);

		memcpy(&segment, at, sizeof(segment));
		segment.places_begin = (uint32_t)builder->packed.len;
		block_places_write(&builder->packed, &segment, &builder->positions[segment.first_row],
		                   builder->seconds);
		memcpy(at, &segment, sizeof(segment));
	}
}

static void put_le(struct buf *out, uint32_t value, unsigned bytes)
{
	for (; bytes > 0; bytes--, value >>= 8)
		buf_add_char(out, (char)value);
}

/* A zstd frame (RFC 8878) of raw blocks: its head has a content size of 4 bytes and neither window nor checksum. */
static void put_raw_frame(struct buf *out, struct str content)
{
	put_le(out, ZSTD_MAGICNUMBER, 4);
	put_le(out, 0xa0, 1);
	put_le(out, (uint32_t)content.len, 4);
	for (size_t at = 0; at < content.len;) {
		size_t len = content.len - at < RAW_BLOCK_MAX ? content.len - at : RAW_BLOCK_MAX;

		put_le(out, (uint32_t)len << 3 | (at + len == content.len), 3);
		buf_add(out, content.p + at, len);
		at += len;
	}
}

static int extra_is_same(struct block_builder *builder, struct error *err)
{
	enum read_back_result result =
		read_back_extra(&builder->read_back, buf_str(&builder->csv), buf_str(&builder->extra));

	return result == READ_BACK_NOMEM ? no_memory(err) : result == READ_BACK_SAME;
}

/* Compresses the extra part into builder->csv, which is free by now; uncompressed if that does not read back. */
static int compress_extra(struct block_builder *builder, struct error *err)
{
	if (!builder->has_extra) {
		buf_clear(&builder->extra);
		return 0;
	}
	size_t bound = ZSTD_compressBound(builder->extra.len);
	if (!buf_reserve(&builder->csv, bound))
		return no_memory(err);
	size_t made = ZSTD_compressCCtx(builder->zstd, builder->csv.data, bound, builder->extra.data,
	                                builder->extra.len, EXTRA_LEVEL);
	if (ZSTD_isError(made))
		return error_set(err, ERROR_IO, "block: %s", ZSTD_getErrorName(made));
	builder->csv.len = made;
	int same = extra_is_same(builder, err);
	if (same)
		return same < 0 ? -1 : 0;
	builder->misread++;
	buf_clear(&builder->csv);
	put_raw_frame(&builder->csv, buf_str(&builder->extra));
	if (builder->csv.failed)
		return no_memory(err);
	same = extra_is_same(builder, err);
	return same ? same < 0 ? -1 : 0 :
	              error_set(err, ERROR_CORRUPT, "the extra part does not read back as it was written");
}

/* What is not read back as it was written is left out: the lines have it all. */
static void write_columns(struct block_builder *builder)
{
	struct buf *out = &builder->columns_bytes;

	columns_write(&builder->columns, &builder->skip, out);
	if (out->len == 0 || out->failed ||
	    columns_read_back(&builder->columns, &builder->skip, buf_str(out), buf_str(&builder->skip_bytes)))
		return;
	builder->misread++;
	buf_clear(out);
}

static uint32_t crc_of(uint32_t crc, struct str bytes)
{
	return crc32_gzip_refl(crc, (const uint8_t *)bytes.p, bytes.len);
}

static void fill_entry(const struct block_builder *builder, struct day_block *entry)
{
	const struct position *first = &builder->positions[0], *last = &builder->positions[builder->rows - 1];

	*entry = (struct day_block){
		.first_us = first->time_us,
		.first_seq = first->seq,
		.last_us = last->time_us,
		.last_seq = last->seq,
		.changed_min = builder->changed_min,
		.changed_max = builder->changed_max,
		.rows = builder->rows,
		.csv_bytes = builder->csv_bytes,
	};
	for (uint32_t i = 0; i < builder->rows; i++)
		if (builder->positions[i].seq > entry->seq_max)
			entry->seq_max = builder->positions[i].seq;
}

static void write_value(struct block_builder *builder, struct buf *out)
{
	struct str sums = { (const char *)builder->sums, builder->sums_count == BLOCK_SUMS_NONE ?
		                                                 0 :
		                                                 builder->sums_count * sizeof(struct block_sum) };
	struct str extra = buf_str(&builder->csv);
	struct block_head head = {
		.magic = BLOCK_MAGIC,
		.rows = builder->rows,
		.segments = (uint32_t)(builder->segments.len / sizeof(struct block_segment)),
		.csv_bytes = builder->csv_bytes,
		.csv_crc32 = builder->csv_crc32,
		.places_bytes = (uint32_t)builder->packed.len,
		.changed_count = (uint32_t)(builder->changed.len / sizeof(struct block_change)),
		.skip_bytes = (uint32_t)builder->skip_bytes.len,
		.skip_crc32 = crc_of(0, buf_str(&builder->skip_bytes)),
		.extra_bytes = (uint32_t)extra.len,
		.extra_crc32 = crc_of(0, extra),
		.extra_raw_bytes = (uint32_t)builder->extra.len,
		.deflate_bytes = (uint32_t)builder->compressed.len,
		.columns_count = builder->product->columns_count,
		.sums_count = builder->sums_count,
		.seconds = builder->seconds,
		.unpriced = (uint16_t)(builder->unpriced + 1),
		.columns_bytes = (uint32_t)builder->columns_bytes.len,
		.columns_crc32 = crc_of(0, buf_str(&builder->columns_bytes)),
	};

	head.head_crc32 = crc_of(0, (struct str){ (const char *)&head, sizeof(head) });
	head.head_crc32 = crc_of(head.head_crc32, sums);
	head.head_crc32 = crc_of(head.head_crc32, buf_str(&builder->segments));
	head.head_crc32 = crc_of(head.head_crc32, buf_str(&builder->packed));
	head.head_crc32 = crc_of(head.head_crc32, buf_str(&builder->changed));
	buf_add(out, &head, sizeof(head));
	buf_add_str(out, sums);
	buf_add_str(out, buf_str(&builder->segments));
	buf_add_str(out, buf_str(&builder->packed));
	buf_add_str(out, buf_str(&builder->changed));
	buf_add_str(out, buf_str(&builder->skip_bytes));
	buf_add_str(out, buf_str(&builder->columns_bytes));
	buf_add_str(out, extra);
	buf_add_str(out, buf_str(&builder->compressed));
}

int block_builder_finish(struct block_builder *builder, struct buf *out, struct day_block *entry, struct error *err)
{
	size_t begin = out->len;

	if (builder->segment_rows > 0 && finish_segment(builder, err) != 0)
		return -1;
	pack_places(builder);
	skip_index_write(&builder->skip, &builder->skip_bytes);
	write_columns(builder);
	if (compress_extra(builder, err) != 0)
		return -1;
	fill_entry(builder, entry);
	write_value(builder, out);
	entry->value_bytes = (uint32_t)(out->len - begin);
	bool failed = builder->segments.failed || builder->packed.failed || builder->changed.failed ||
	              builder->skip_bytes.failed || builder->columns_bytes.failed || builder->skip.hashes.failed ||
	              out->failed;
	if (failed)
		return no_memory(err);
	struct str value = { out->data + begin, out->len - begin };
	if (read_back_places(&builder->read_back, value, builder->positions) != READ_BACK_SAME)
		return error_set(err, ERROR_CORRUPT, "rows' places do not read back as they were written");
	builder->misread_of_last = builder->misread;
	begin_block(builder);
	return 0;
}

uint32_t block_builder_misread(const struct block_builder *builder)
{
	return builder->misread_of_last;
}
