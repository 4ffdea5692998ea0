/* SPDX-License-Identifier: ISC */
/*
 * parquet_schema.c: the footer. Structures and numbers of fields are those of parquet.thrift:
 *
 *	FileMetaData { 1 version, 2 schema, 3 num_rows, 4 row_groups, 6 created_by, 7 column_orders }
 *	RowGroup { 1 columns, 2 total_byte_size, 3 num_rows, 5 file_offset, 6 total_compressed_size }
 *
 * A directory is a RowGroup as an element of row_groups. Only times have statistics: those of texts would hold parts of
 * records, numbers among them.
 */
#include "config.h"

#include "parquet/parquet_private.h"
#include "parquet/parquet_thrift.h"

#define FORMAT_VERSION 2
#define CREATED_BY STR_LITERAL("cdrd version " PACKAGE_VERSION)
#define REPETITION_OPTIONAL 1
#define TIME_BYTES 8

/* ConvertedType, for older readers */
enum { CONVERTED_UTF8 = 0, CONVERTED_DECIMAL = 5, CONVERTED_TIMESTAMP_MICROS = 10 };
/* The member of the union LogicalType */
enum { LOGICAL_STRING = 1, LOGICAL_DECIMAL = 5, LOGICAL_TIMESTAMP = 8 };
#define UNIT_MICROS 2

static int physical_type(enum parquet_type type)
{
	switch (type) {
	case PARQUET_TIME:
		return TYPE_INT64;
	case PARQUET_DECIMAL:
		return TYPE_FIXED_LEN_BYTE_ARRAY;
	default:
		return TYPE_BYTE_ARRAY;
	}
}

/* --- the schema --- */

/* A member of a union of empty structs. */
static void put_empty(struct thrift_writer *w, int id)
{
	struct thrift_writer empty = thrift_begin(w, id);

	thrift_end(&empty);
}

static void put_timestamp(struct thrift_writer *w)
{
	struct thrift_writer timestamp = thrift_begin(w, LOGICAL_TIMESTAMP);

	thrift_bool(&timestamp, 1, true); /* adjusted to UTC */
	struct thrift_writer unit = thrift_begin(&timestamp, 2);
	put_empty(&unit, UNIT_MICROS);
	thrift_end(&unit);
	thrift_end(&timestamp);
}

static void put_decimal(struct thrift_writer *w)
{
	struct thrift_writer decimal = thrift_begin(w, LOGICAL_DECIMAL);

	thrift_i32(&decimal, 1, DECIMAL_SCALE);
	thrift_i32(&decimal, 2, DECIMAL_PRECISION);
	thrift_end(&decimal);
}

static void put_logical_type(struct thrift_writer *w, enum parquet_type type)
{
	struct thrift_writer logical = thrift_begin(w, 10);

	if (type == PARQUET_TIME)
		put_timestamp(&logical);
	else if (type == PARQUET_DECIMAL)
		put_decimal(&logical);
	else
		put_empty(&logical, LOGICAL_STRING);
	thrift_end(&logical);
}

static void put_column(struct thrift_writer *list, const struct parquet_column *column)
{
	static const int converted[] = { [PARQUET_TEXT] = CONVERTED_UTF8,
		                         [PARQUET_TIME] = CONVERTED_TIMESTAMP_MICROS,
		                         [PARQUET_DECIMAL] = CONVERTED_DECIMAL };
	struct thrift_writer element = thrift_begin(list, 0);

	thrift_i32(&element, 1, physical_type(column->type));
	if (column->type == PARQUET_DECIMAL)
		thrift_i32(&element, 2, DECIMAL_BYTES);
	thrift_i32(&element, 3, REPETITION_OPTIONAL);
	thrift_binary(&element, 4, column->name);
	thrift_i32(&element, 6, converted[column->type]);
	if (column->type == PARQUET_DECIMAL) {
		thrift_i32(&element, 7, DECIMAL_SCALE);
		thrift_i32(&element, 8, DECIMAL_PRECISION);
	}
	put_logical_type(&element, column->type);
	thrift_end(&element);
}

void parquet_footer_begin(struct buf *out, const struct parquet_column *columns, size_t count, uint64_t rows,
                          uint64_t groups)
{
	struct thrift_writer file = { out, 0 };

	thrift_i32(&file, 1, FORMAT_VERSION);
	thrift_list(&file, 2, THRIFT_STRUCT, count + 1);
	struct thrift_writer root = thrift_begin(&file, 0);
	thrift_binary(&root, 4, STR_LITERAL("schema"));
	thrift_i32(&root, 5, (int32_t)count);
	thrift_end(&root);
	for (size_t i = 0; i < count; i++)
		put_column(&file, &columns[i]);
	thrift_i64(&file, 3, (int64_t)rows);
	thrift_list(&file, 4, THRIFT_STRUCT, groups);
}

void parquet_footer_end(struct buf *out, size_t columns, uint64_t before, uint64_t directories)
{
	size_t begin = out->len;
	struct thrift_writer file = { out, 4 };

	thrift_binary(&file, 6, CREATED_BY);
	thrift_list(&file, 7, THRIFT_STRUCT, columns);
	for (size_t i = 0; i < columns; i++) {
		struct thrift_writer order = thrift_begin(&file, 0);

		put_empty(&order, 1); /* by type */
		thrift_end(&order);
	}
	thrift_end(&file);
	uint64_t len = before + directories + (out->len - begin);
	for (int i = 0; i < 4; i++)
		buf_add_char(out, (char)(len >> (8 * i) & 0xff));
	buf_add_str(out, PARQUET_MAGIC);
}

/* --- a group --- */

static void put_time(struct thrift_writer *w, int id, int64_t time_us)
{
	char bytes[TIME_BYTES];

	for (int i = 0; i < TIME_BYTES; i++)
		bytes[i] = (char)((uint64_t)time_us >> (8 * i) & 0xff);
	thrift_binary(w, id, (struct str){ bytes, sizeof(bytes) });
}

static void put_statistics(struct thrift_writer *w, const struct column *column)
{
	struct thrift_writer statistics = thrift_begin(w, 12);

	thrift_i64(&statistics, 3, (int64_t)column->nulls);
	if (column->type == PARQUET_TIME && column->rows > column->nulls) {
		put_time(&statistics, 5, column->most);
		put_time(&statistics, 6, column->least);
	}
	thrift_end(&statistics);
}

static void put_encodings(struct thrift_writer *w, const struct column *column)
{
	bool plain = column->has_plain_pages || column->has_coded_pages; /* a dictionary is plain, too */

	thrift_list(w, 2, THRIFT_I32, 1U + plain + column->has_coded_pages);
	thrift_element_i32(w, ENCODING_RLE);
	if (plain)
		thrift_element_i32(w, ENCODING_PLAIN);
	if (column->has_coded_pages)
		thrift_element_i32(w, ENCODING_RLE_DICTIONARY);
}

static void put_chunk(struct thrift_writer *list, const struct column *column, uint64_t offset)
{
	struct thrift_writer chunk = thrift_begin(list, 0);

	thrift_i64(&chunk, 2, 0); /* unused by now, but required */
	struct thrift_writer meta = thrift_begin(&chunk, 3);
	thrift_i32(&meta, 1, physical_type(column->type));
	put_encodings(&meta, column);
	thrift_list(&meta, 3, THRIFT_BINARY, 1);
	thrift_element_binary(&meta, column->name);
	thrift_i32(&meta, 4, CODEC_ZSTD);
	thrift_i64(&meta, 5, (int64_t)column->rows);
	thrift_i64(&meta, 6, (int64_t)column->plain_bytes);
	thrift_i64(&meta, 7, (int64_t)column_bytes(column));
	thrift_i64(&meta, 9, (int64_t)(offset + column_dictionary_bytes(column)));
	if (column->dictionary_page)
		thrift_i64(&meta, 11, (int64_t)offset);
	put_statistics(&meta, column);
	thrift_end(&meta);
	thrift_end(&chunk);
}

void schema_add_group(struct buf *out, const struct parquet_group *group, uint64_t offset)
{
	struct thrift_writer w = { out, 0 };
	uint64_t at = offset, plain_bytes = 0;

	thrift_list(&w, 1, THRIFT_STRUCT, group->count);
	for (size_t i = 0; i < group->count; i++) {
		const struct column *column = &group->columns[i];

		put_chunk(&w, column, at);
		at += column_bytes(column);
		plain_bytes += column->plain_bytes;
	}
	thrift_i64(&w, 2, (int64_t)plain_bytes);
	thrift_i64(&w, 3, (int64_t)group->rows);
	thrift_i64(&w, 5, (int64_t)offset);
	thrift_i64(&w, 6, (int64_t)(at - offset));
	thrift_end(&w);
}
