/* SPDX-License-Identifier: ISC */
/*
 * cluster_row.c: rows of a cluster's tables, as RowBinary has them: numbers little-endian, texts after their length as a
 * varint. See clickhouse/schema.h.
 */
#include "store/cluster/cluster_private.h"

#include "base/clock.h"

/* --- out --- */

static void add_number(struct buf *out, uint64_t number, size_t bytes)
{
	uint64_t little = htole64(number);

	buf_add(out, &little, bytes);
}

static void add_text(struct buf *out, struct str text)
{
	size_t len = text.len;

	for (; len >= 128; len >>= 7)
		buf_add_char(out, (char)(len & 127) | (char)128);
	buf_add_char(out, (char)len);
	if (text.len > 0)
		buf_add_str(out, text);
}

struct str cluster_id(char *out, struct str id)
{
	if (id_is_uuid(id))
		id_uuid_lower(out, id.p);
	else if (id.len > 0)
		memcpy(out, id.p, id.len);
	return (struct str){ out, id.len };
}

/* The three texts of a row have these columns. */
enum part { PART_LINE, PART_REST, PART_BODY };

static enum part part_of(const struct catalog_column *column, enum catalog_direction direction)
{
	if (column->shown == CATALOG_WITH_MESSAGE)
		return PART_BODY;
	return catalog_column_shown(column, direction, false, false) ? PART_LINE : PART_REST;
}

/* A line of the columns of a part; empty if none has a value. */
static void write_part(struct buf *out, const struct record *record, enum catalog_direction direction, enum part part)
{
	const struct catalog_product *product = record->product;
	bool has_value = part == PART_LINE, is_first = true;

	buf_clear(out);
	for (uint8_t i = 0; i < product->columns_count && !has_value; i++)
		has_value = part_of(&product->columns[i], direction) == part && record->values[i].len > 0;
	for (uint8_t i = 0; i < product->columns_count && has_value; i++) {
		if (part_of(&product->columns[i], direction) != part)
			continue;
		if (!is_first)
			buf_add_char(out, ',');
		is_first = false;
		record_write_csv_value(out, record->values[i]);
	}
	if (has_value)
		buf_add_char(out, '\n');
}

void cluster_row_write(struct buf *out, const struct record *record, const struct cluster_row *row, struct buf *scratch)
{
	const struct catalog_product *product = record->product;
	uint64_t filters = schema_filter_columns(product);
	size_t id_len = row->id.len;

	add_number(out, row->account, 8);
	add_number(out, row->direction, 1);
	add_number(out, (uint64_t)(int64_t)row->day, 2);
	add_number(out, (uint64_t)row->time_us, 8);
	buf_clear(scratch);
	if (buf_reserve(scratch, id_len + 1))
		add_text(out, cluster_id(scratch->data, row->id));
	add_number(out, row->version, 8);
	add_number(out, row->is_dead, 1);
	add_number(out, row->first, 8);
	for (uint8_t i = 0; i < product->lookup_count; i++) {
		struct str value = record_value(record, product->lookup[i]);

		add_number(out, value.len > 0 ? id_hash64_of_id(value, 0) : 0, 8);
	}
	for (uint8_t i = 0; i < product->columns_count; i++)
		if (filters >> i & 1)
			add_text(out, record->values[i]);
	for (enum part part = PART_LINE; part <= PART_BODY; part++) {
		write_part(scratch, record, (enum catalog_direction)row->direction, part);
		out->failed |= scratch->failed;
		add_text(out, buf_str(scratch));
	}
}

/* --- in --- */

static bool take_number(struct str *text, size_t bytes, uint64_t *number)
{
	uint64_t little = 0;

	if (text->len < bytes)
		return false;
	memcpy(&little, text->p, bytes);
	*number = le64toh(little);
	*text = (struct str){ text->p + bytes, text->len - bytes };
	return true;
}

static bool take_text(struct str *text, struct str *value)
{
	size_t len = 0;

	for (unsigned shift = 0; shift < 35; shift += 7) {
		uint64_t byte;

		if (!take_number(text, 1, &byte))
			return false;
		len |= (size_t)(byte & 127) << shift;
		if (byte & 128)
			continue;
		if (len > text->len)
			return false;
		*value = (struct str){ text->p, len };
		*text = (struct str){ text->p + len, text->len - len };
		return true;
	}
	return false;
}

bool cluster_row_read(struct str *text, struct cluster_row *row)
{
	uint64_t direction, day, time, dead;

	if (!take_number(text, 8, &row->account) || !take_number(text, 1, &direction) || !take_number(text, 2, &day) ||
	    !take_number(text, 8, &time) || !take_text(text, &row->id) || !take_number(text, 8, &row->version) ||
	    !take_number(text, 1, &dead) || !take_number(text, 8, &row->first) || !take_text(text, &row->line) ||
	    !take_text(text, &row->rest) || !take_text(text, &row->body))
		return false;
	row->direction = (uint8_t)direction;
	row->day = (int32_t)day;
	row->time_us = (int64_t)time;
	row->is_dead = dead != 0;
	return direction <= CATALOG_INBOUND;
}

/* A value without the doubling of quotes. */
static struct str undouble(struct buf *arena, struct str value)
{
	size_t at = arena->len;

	if (!memchr(value.p, '"', value.len) || !buf_reserve(arena, value.len))
		return value;
	for (size_t i = 0; i < value.len; i++) {
		buf_add_char(arena, value.p[i]);
		i += value.p[i] == '"';
	}
	return (struct str){ arena->data + at, arena->len - at };
}

static int read_part(struct cluster_reader *reader, struct str text, enum catalog_direction direction, enum part part,
                     struct record *record)
{
	const struct catalog_product *product = record->product;
	uint32_t fields = 0, field = 0;

	for (uint8_t i = 0; i < product->columns_count; i++)
		fields += part_of(&product->columns[i], direction) == part;
	if (text.len == 0)
		return 0;
	if (fields == 0 || lines_index(&reader->lines, text, 1, fields) != 0)
		return -1;
	for (uint8_t i = 0; i < product->columns_count; i++) {
		if (part_of(&product->columns[i], direction) != part)
			continue;
		struct str value = lines_value(&reader->lines, 0, field++);

		record->values[i] = reader->lines.has_doubled ? undouble(&reader->arena, value) : value;
	}
	return 0;
}

int cluster_row_record(struct cluster_reader *reader, const struct cluster_row *row,
                       const struct catalog_product *product, struct record *record, struct error *err)
{
	const struct str parts[] = { row->line, row->rest, row->body };
	size_t len = row->line.len + row->rest.len + row->body.len;

	record_clear(record, product);
	buf_clear(&reader->arena);
	if (!buf_reserve(&reader->arena, len + 1)) /* its values must not move */
		return error_set(err, ERROR_NOMEM, "a record of the cluster: out of memory");
	for (enum part part = PART_LINE; part <= PART_BODY; part++)
		if (read_part(reader, parts[part], (enum catalog_direction)row->direction, part, record) != 0)
			return error_set(err, reader->lines.no_memory ? ERROR_NOMEM : ERROR_CORRUPT,
			                 "table of %.*s: record with version %llu cannot be read",
			                 STR_ARGS(product->name), (unsigned long long)row->version);
	struct account_key key;
	uint64_t big_endian = htobe64(row->account);

	memcpy(key.bytes, &big_endian, sizeof(key.bytes));
	record_set_account_key(record, &key);
	return 0;
}

void cluster_reader_free(struct cluster_reader *reader)
{
	lines_free(&reader->lines);
	buf_free(&reader->arena);
}
