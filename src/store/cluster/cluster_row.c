/* SPDX-License-Identifier: ISC */
/*
 * cluster_row.c: rows of a cluster's tables, as RowBinary has them: numbers little-endian, texts after their length as a
 * varint. See clickhouse/schema.h.
 */
#include "store/cluster/cluster_private.h"

#include "base/clock.h"
#include "base/decimal.h"

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

/* The id as the table has it. `out` has at least as many bytes as the id. */
static struct str table_id(char *out, struct str id)
{
	if (id_is_uuid(id))
		id_uuid_lower(out, id.p);
	else if (id.len > 0)
		memcpy(out, id.p, id.len);
	return (struct str){ out, id.len };
}

/* The three texts of a row have these columns. */
enum part { PART_LINE, PART_REST, PART_BODY }; /* CLUSTER_PARTS */

static enum part part_of(const struct catalog_column *column, enum catalog_direction direction)
{
	if (column->shown == CATALOG_WITH_MESSAGE)
		return PART_BODY;
	return catalog_column_shown(column, direction, false, false) ? PART_LINE : PART_REST;
}

bool cluster_reads_rest(const struct catalog_product *product, enum catalog_direction direction, uint64_t columns,
                        bool of_body)
{
	for (uint8_t i = 0; i < product->columns_count; i++)
		if ((columns >> i & 1) && part_of(&product->columns[i], direction) == (of_body ? PART_BODY : PART_REST))
			return true;
	return false;
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

/* Columns that are summed, as aggregate_add_record reads them. */
static void add_amounts(struct buf *out, const struct record *record)
{
	const struct catalog_product *product = record->product;
	uint8_t amounts[SCHEMA_AMOUNTS_MAX], paid = catalog_column_find(product, STR_LITERAL("total_price"));
	size_t count = schema_amounts(product, amounts);
	bool is_unreadable = false;

	if (paid == CATALOG_NONE)
		paid = catalog_column_find(product, STR_LITERAL("price"));
	for (size_t i = 0; i < count; i++) {
		struct str text = record->values[amounts[i]];
		struct decimal value = { 0 };

		if (text.len > 0 && !decimal_read_stored(text, &value)) {
			is_unreadable = true;
			value.units = 0;
		}
		add_number(out, (uint64_t)value.units, 8);
		add_number(out, (uint64_t)(value.units >> 64), 8);
	}
	add_number(out, paid != CATALOG_NONE && record->values[paid].len == 0, 1);
	add_number(out, is_unreadable, 1);
}

void cluster_row_write(struct buf *out, const struct record *record, const struct cluster_row *row, struct buf *scratch)
{
	const struct catalog_product *product = record->product;
	uint64_t values = schema_value_columns(product);
	size_t id_len = row->id.len;

	add_number(out, row->account, 8);
	add_number(out, row->direction, 1);
	add_number(out, (uint64_t)(int64_t)row->day, 2);
	add_number(out, (uint64_t)row->time_us, 8);
	buf_clear(scratch);
	if (buf_reserve(scratch, id_len + 1))
		add_text(out, table_id(scratch->data, row->id));
	out->failed |= scratch->failed; /* which a part's line would hide */
	add_number(out, row->version, 8);
	add_number(out, row->is_dead, 1);
	add_number(out, row->first, 8);
	add_number(out, row->past.len / 8, 1);
	buf_add_str(out, row->past);
	for (uint8_t i = 0; i < product->lookup_count; i++) {
		struct str value = record_value(record, product->lookup[i]);

		add_number(out, value.len > 0 ? id_hash64_of_id(value, 0) : 0, 8);
	}
	for (uint8_t i = 0; i < product->columns_count; i++)
		if (values >> i & 1)
			add_text(out, record->values[i]);
	add_amounts(out, record);
	for (enum part part = PART_LINE; part <= PART_BODY; part++) {
		write_part(scratch, record, (enum catalog_direction)row->direction, part);
		out->failed |= scratch->failed;
		add_text(out, buf_str(scratch));
	}
}

/* --- in --- */

bool cluster_take_number(struct str *text, size_t bytes, uint64_t *number)
{
	uint64_t little = 0;

	if (text->len < bytes)
		return false;
	memcpy(&little, text->p, bytes);
	*number = le64toh(little);
	*text = (struct str){ text->p + bytes, text->len - bytes };
	return true;
}

bool cluster_take_text(struct str *text, struct str *value)
{
	size_t len = 0;

	for (unsigned shift = 0; shift < 35; shift += 7) {
		uint64_t byte;

		if (!cluster_take_number(text, 1, &byte))
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

static bool take_past(struct str *text, struct str *past)
{
	uint64_t count;

	if (!cluster_take_number(text, 1, &count) || count > CLUSTER_PAST_NUMBERS || 8 * count > text->len)
		return false;
	*past = (struct str){ text->p, 8 * count };
	*text = (struct str){ text->p + past->len, text->len - past->len };
	return true;
}

bool cluster_row_read(struct str *text, struct cluster_row *row)
{
	uint64_t direction, day, time, dead;

	if (!cluster_take_number(text, 8, &row->account) || !cluster_take_number(text, 1, &direction) ||
	    !cluster_take_number(text, 2, &day) || !cluster_take_number(text, 8, &time) ||
	    !cluster_take_text(text, &row->id) || !cluster_take_number(text, 8, &row->version) ||
	    !cluster_take_number(text, 1, &dead) || !cluster_take_number(text, 8, &row->first) ||
	    !take_past(text, &row->past) || !cluster_take_text(text, &row->line) ||
	    !cluster_take_text(text, &row->rest) || !cluster_take_text(text, &row->body))
		return false;
	row->direction = (uint8_t)direction;
	row->day = (int32_t)day;
	row->time_us = (int64_t)time;
	row->is_dead = dead != 0;
	return direction <= CATALOG_INBOUND;
}

bool cluster_row_is_shown(struct cluster_row *row, uint64_t snapshot)
{
	struct str left = row->past;
	uint64_t came, went;

	if (row->first <= snapshot)
		return !row->is_dead || row->version > snapshot;
	while (cluster_take_number(&left, sizeof(came), &came) && cluster_take_number(&left, sizeof(went), &went)) {
		if (came > snapshot || went <= snapshot)
			continue;
		row->first = came;
		return true;
	}
	return false;
}

bool cluster_row_is_same_key(const struct cluster_row *a, const struct cluster_row *b)
{
	return a->account == b->account && a->direction == b->direction && a->time_us == b->time_us &&
	       str_equal(a->id, b->id);
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

/* The columns of each text are the same for all rows of a product and direction. */
static void list_columns(struct cluster_reader *reader, const struct catalog_product *product, uint8_t direction)
{
	if (reader->product == product && reader->direction == direction)
		return;
	reader->product = product;
	reader->direction = direction;
	memset(reader->columns_count, 0, sizeof(reader->columns_count));
	for (uint8_t i = 0; i < product->columns_count; i++) {
		enum part part = part_of(&product->columns[i], (enum catalog_direction)direction);

		reader->columns[part][reader->columns_count[part]++] = i;
	}
}

static int read_part(struct cluster_reader *reader, struct str text, enum part part, struct record *record)
{
	uint8_t count = reader->columns_count[part];

	if (text.len == 0)
		return 0;
	if (count == 0 || lines_index(&reader->lines, text, 1, count) != 0)
		return -1;
	for (uint8_t field = 0; field < count; field++) {
		struct str value = lines_value(&reader->lines, 0, field);

		record->values[reader->columns[part][field]] =
			reader->lines.has_doubled ? undouble(&reader->arena, value) : value;
	}
	return 0;
}

int cluster_row_record(struct cluster_reader *reader, const struct cluster_row *row,
                       const struct catalog_product *product, struct record *record, struct error *err)
{
	const struct str parts[CLUSTER_PARTS] = { row->line, row->rest, row->body };
	size_t len = row->line.len + row->rest.len + row->body.len;

	list_columns(reader, product, row->direction);
	record_clear(record, product);
	buf_clear(&reader->arena);
	if (!buf_reserve(&reader->arena, len + 1)) /* its values must not move */
		return error_set(err, ERROR_NOMEM, "a record of the cluster: out of memory");
	for (enum part part = PART_LINE; part <= PART_BODY; part++)
		if (read_part(reader, parts[part], part, record) != 0)
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
