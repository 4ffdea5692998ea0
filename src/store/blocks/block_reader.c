/* SPDX-License-Identifier: ISC */
/*
 * block_reader.c: the records of a sealed block. See block_reader.h.
 */
#include "store/blocks/block_reader.h"

#include <isa-l/crc.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/clock.h"
#include "deflate/sift.h"
#include "meta/accounts.h"
#include "store/blocks/bundle.h"
#include "store/blocks/inflate_segment.h"
#include "store/blocks/row_cache.h"

#define NO_SEGMENT UINT32_MAX

static int fail(const struct block_reader *reader, enum error_code code, const char *what, struct error *err)
{
	struct buf day = { 0 };

	clock_format_day(&day, reader->day);
	error_set(err, code, "day %s, account %s, %.*s, block %u: %s", buf_cstr(&day) ? day.data : "",
	          accounts_key_text(reader->meta, &reader->partition.account).text, STR_ARGS(reader->product->name),
	          reader->number, what);
	buf_free(&day);
	return -1;
}

static int damaged(const struct block_reader *reader, const char *what, struct error *err)
{
	return fail(reader, ERROR_CORRUPT, what, err);
}

static int no_memory(const struct block_reader *reader, struct error *err)
{
	return fail(reader, ERROR_NOMEM, "out of memory", err);
}

/* Nearly always they are those of the block before. */
static void map_fields(struct block_reader *reader)
{
	uint8_t direction = reader->partition.direction, made_with = reader->view.head.columns_count;
	uint8_t field = 0;

	if (reader->fields_product == reader->product && reader->fields_direction == direction &&
	    reader->fields_made_with == made_with)
		return;
	reader->fields_product = reader->product;
	reader->fields_direction = direction;
	reader->fields_made_with = made_with;
	reader->line_columns = block_line_columns(reader->product, direction, made_with);
	for (uint8_t i = 0; i < reader->product->columns_count; i++)
		reader->fields[i] = reader->line_columns >> i & 1 ? field++ : CATALOG_NONE;
	reader->fields_count = field;
	reader->lines_are_whole =
		reader->line_columns == block_line_columns(reader->product, direction, reader->product->columns_count);
}

static int get_value(struct day *day, MDB_txn *txn, enum day_db db, MDB_val *key, MDB_val *val, struct error *err)
{
	int rc = mdb_get(txn, day->env.dbi[db], key, val);

	if (rc == MDB_NOTFOUND)
		return 0;
	return rc ? env_fail(&day->env, rc, "get block", err) : 1;
}

/* A block's bytes do not change while it exists; a new one at the same address has another head. */
static bool has_block(const struct block_reader *reader, const struct day *day, const struct catalog_product *product,
                      struct str value)
{
	size_t head = block_head_bytes(reader->view.head.magic);

	return reader->value.p == value.p && reader->value.len == value.len && reader->day == day->number &&
	       reader->product == product && value.len >= head && memcmp(value.p, &reader->view.head, head) == 0;
}

static bool is_loaded(const struct block_reader *reader, uint32_t row)
{
	return reader->segment_number != NO_SEGMENT && row >= reader->loaded_row &&
	       row - reader->loaded_row < reader->loaded_rows;
}

/* The reader has no block. */
static void forget_block(struct block_reader *reader, const struct day *day, const struct catalog_product *product)
{
	reader->product = product;
	reader->segment_number = reader->lone_segment = reader->places_number = NO_SEGMENT;
	reader->extra_loaded = reader->columns_loaded = false;
	reader->day = day->number;
	reader->value = (struct str){ NULL, 0 };
}

static int take_block(struct block_reader *reader, const struct day *day, const struct catalog_product *product,
                      struct str value, struct error *err)
{
	forget_block(reader, day, product);
	if (!block_view(&reader->view, value))
		return damaged(reader, "the head is damaged", err);
	reader->value = value;
	map_fields(reader);
	return 0;
}

/* Names the block in the error; the reader has none. */
static int no_block(struct block_reader *reader, const struct day *day, const struct catalog_product *product,
                    struct error *err)
{
	reader->product = product;
	reader->day = day->number;
	reader->value = (struct str){ NULL, 0 };
	return err->code == ERROR_CORRUPT ? damaged(reader, "the bundle that it is in is damaged", err) : -1;
}

static void name_block(struct block_reader *reader, const struct day *day, const struct partition *partition,
                       uint32_t number)
{
	reader->meta = day->meta;
	reader->partition = *partition;
	reader->number = number;
	reader->deleted = (struct str){ NULL, 0 };
}

int block_reader_begin_value(struct block_reader *reader, const struct day *day, const struct catalog_product *product,
                             const struct partition *partition, uint32_t number, struct str value, struct error *err)
{
	name_block(reader, day, partition, number);
	return has_block(reader, day, product, value) ? 0 : take_block(reader, day, product, value, err);
}

int block_reader_begin_whole(struct block_reader *reader, struct bundle_walk *walk, struct day *day, MDB_txn *txn,
                             const struct catalog_product *product, const struct partition *partition, uint32_t number,
                             struct error *err)
{
	uint8_t bytes[NUMBER_KEY_LEN];

	number_key_write(bytes, partition, number);
	MDB_val key = env_val(bytes, sizeof(bytes)), val;
	int found = bundle_get_block(walk, day, txn, key, &val, err);
	if (found > 0)
		return block_reader_begin_value(reader, day, product, partition, number, env_str(val), err) != 0 ? -1 :
		                                                                                                   1;
	name_block(reader, day, partition, number);
	return found < 0 ? no_block(reader, day, product, err) : 0;
}

static int get_deleted(struct block_reader *reader, struct day *day, MDB_txn *txn, struct error *err)
{
	uint8_t bytes[NUMBER_KEY_LEN];
	MDB_val deleted;

	number_key_write(bytes, &reader->partition, reader->number);
	MDB_val key = env_val(bytes, sizeof(bytes));
	int found = get_value(day, txn, DAY_DELETED, &key, &deleted, err);
	reader->deleted = found > 0 ? env_str(deleted) : (struct str){ NULL, 0 };
	return found < 0 ? -1 : 1;
}

int block_reader_begin(struct block_reader *reader, struct day *day, MDB_txn *txn,
                       const struct catalog_product *product, const struct partition *partition, uint32_t number,
                       struct error *err)
{
	int found = block_reader_begin_whole(reader, NULL, day, txn, product, partition, number, err);

	return found <= 0 ? found : get_deleted(reader, day, txn, err);
}

static struct row_key key_of(const struct block_reader *reader, int32_t day, const struct block_head *head,
                             uint32_t row)
{
	return (struct row_key){ .partition = reader->partition,
		                 .columns_count = head->columns_count,
		                 .day = day,
		                 .block = reader->number,
		                 .row = row,
		                 .head_crc32 = head->head_crc32,
		                 .csv_crc32 = head->csv_crc32 };
}

/* Takes a row from the cache in place of its block, whose head is not checked: one that differs has other keys. Otherwise
 * the reader has what it had, or, when out of memory for the row's line, no block. */
static bool recall_row(struct block_reader *reader, const struct day *day, const struct catalog_product *product,
                       struct str value, uint32_t row)
{
	struct block_view view;
	struct position position;
	struct str line;

	if (!block_view_unchecked(&view, value))
		return false;
	struct row_key key = key_of(reader, day->number, &view.head, row);
	if (!row_cache_get(reader->rows, &key, &position, &line))
		return false;
	forget_block(reader, day, product);
	reader->view = view;
	map_fields(reader);
	buf_clear(&reader->text);
	buf_add_str(&reader->text, line);
	if (reader->text.failed ||
	    lines_index_one(&reader->lines, buf_str(&reader->text), 0, reader->fields_count) != 0)
		return false;
	reader->segment = (struct block_segment){ .first_row = row, .rows = 1 };
	reader->segment_number = 0;
	reader->positions[0] = position;
	reader->loaded_row = row;
	reader->loaded_rows = 1;
	return true;
}

int block_reader_begin_row(struct block_reader *reader, struct day *day, MDB_txn *txn,
                           const struct catalog_product *product, const struct partition *partition, uint32_t number,
                           uint32_t row, struct error *err)
{
	uint8_t bytes[NUMBER_KEY_LEN];
	MDB_val val;

	number_key_write(bytes, partition, number);
	MDB_val key = env_val(bytes, sizeof(bytes));
	int found = bundle_get_block(NULL, day, txn, key, &val, err);
	name_block(reader, day, partition, number);
	if (found <= 0)
		return found < 0 ? no_block(reader, day, product, err) : 0;
	struct str value = env_str(val);
	bool is_here = (has_block(reader, day, product, value) && is_loaded(reader, row)) ||
	               (reader->rows && recall_row(reader, day, product, value, row));
	if (!is_here && !has_block(reader, day, product, value) && take_block(reader, day, product, value, err) != 0)
		return -1;
	return get_deleted(reader, day, txn, err);
}

static int fail_lines(const struct block_reader *reader, struct error *err)
{
	return reader->lines.no_memory ? no_memory(reader, err) : damaged(reader, "the records are damaged", err);
}

static struct str compressed_of(const struct block_reader *reader, const struct block_segment *segment)
{
	return (struct str){ reader->view.deflate.p + segment->deflate_begin, segment->deflate_bytes };
}

static int check_segment(const struct block_reader *reader, const struct block_segment *segment, struct error *err)
{
	struct str compressed = compressed_of(reader, segment);

	if (crc32_gzip_refl(0, (const uint8_t *)compressed.p, compressed.len) != segment->deflate_crc32)
		return damaged(reader, "the records are damaged", err);
	return 0;
}

static struct block_tools *tools_of(struct block_reader *reader)
{
	return reader->tools ? reader->tools : &reader->own;
}

/* Inflates the first `len` bytes of a segment's text; its checksum has been checked. */
static int inflate_first(struct block_reader *reader, const struct block_segment *segment, size_t len,
                         struct error *err)
{
	struct str compressed = compressed_of(reader, segment);
	struct block_tools *tools = tools_of(reader);
	size_t left;

	if (!tools->inflate)
		tools->inflate = inflate_segment_new();
	buf_clear(&reader->text);
	if (!tools->inflate || !buf_reserve(&reader->text, (size_t)segment->csv_bytes + 1))
		return no_memory(reader, err);
	if (inflate_segment(tools->inflate, compressed, reader->text.data, len, &left) != len)
		return damaged(reader, "the records are damaged", err);
	reader->text.len = len;
	return 0;
}

static bool has_places(const struct block_reader *reader, uint32_t row)
{
	return reader->places_number != NO_SEGMENT && row >= reader->segment.first_row &&
	       row - reader->segment.first_row < reader->segment.rows;
}

int block_reader_load_places(struct block_reader *reader, uint32_t row, struct error *err)
{
	if (has_places(reader, row))
		return 0;
	uint32_t number = block_segment_of(&reader->view, row);
	struct block_segment segment = block_segment(&reader->view, number);
	reader->segment_number = reader->places_number = NO_SEGMENT;
	if (!block_places_read(&reader->view, &segment, reader->partition.direction, reader->positions))
		return damaged(reader, "the positions are damaged", err);
	reader->places_number = number;
	reader->segment = segment;
	return 0;
}

/* Before the text of a row's segment is loaded. */
static int begin_segment(struct block_reader *reader, uint32_t row, struct error *err)
{
	if (block_reader_load_places(reader, row, err) != 0)
		return -1;
	reader->segment_number = NO_SEGMENT;
	return check_segment(reader, &reader->segment, err);
}

static int inflate_all(struct block_reader *reader, struct error *err)
{
	return inflate_first(reader, &reader->segment, reader->segment.csv_bytes, err);
}

int block_reader_load(struct block_reader *reader, uint32_t row, struct error *err)
{
	if (is_loaded(reader, row) && reader->loaded_rows == reader->segment.rows)
		return 0;
	if (begin_segment(reader, row, err) != 0 || inflate_all(reader, err) != 0)
		return -1;
	if (lines_index(&reader->lines, buf_str(&reader->text), reader->segment.rows, reader->fields_count) != 0)
		return fail_lines(reader, err);
	reader->segment_number = reader->places_number;
	reader->loaded_row = reader->segment.first_row;
	reader->loaded_rows = reader->segment.rows;
	return 0;
}

/* False where the segment is not of a kind that can be sifted, too. */
static bool read_to_sift(struct block_reader *reader)
{
	const struct block_segment *segment = &reader->segment;

	if (!reader->sift)
		reader->sift = deflate_sift_new();
	buf_clear(&reader->text);
	if (!reader->sift || !buf_reserve(&reader->text, (size_t)segment->csv_bytes + DEFLATE_SIFT_SLACK) ||
	    !deflate_sift_read(reader->sift, compressed_of(reader, segment), reader->text.data, segment->csv_bytes))
		return false;
	reader->text.len = segment->csv_bytes;
	return true;
}

int block_reader_load_text(struct block_reader *reader, uint32_t row, bool *sift, struct error *err)
{
	bool is_wanted = *sift;

	*sift = false;
	if (begin_segment(reader, row, err) != 0)
		return -1;
	*sift = is_wanted && read_to_sift(reader);
	if (!*sift && inflate_all(reader, err) != 0)
		return -1;
	return lines_ends(&reader->lines, buf_str(&reader->text), reader->segment.rows) == 0;
}

bool block_reader_sift(struct block_reader *reader, const struct str *lines, size_t count, struct buf *out)
{
	return deflate_sift_write(reader->sift, lines, count, out);
}

struct str block_reader_text(const struct block_reader *reader, uint32_t row, uint32_t end)
{
	uint32_t first = reader->segment.first_row;
	const uint32_t *ends = reader->lines.edges;
	size_t at = row == first ? 0 : (size_t)ends[row - first - 1] + 1;

	return (struct str){ reader->text.data + at, (size_t)ends[end - first - 1] + 1 - at };
}

/* Lines are of similar length: inflates as far as the row should reach, or else all. */
static int inflate_row(struct block_reader *reader, const struct block_segment *segment, uint32_t row,
                       struct error *err)
{
	size_t len = (size_t)((uint64_t)segment->csv_bytes * (row + 2) / segment->rows);

	if (len > segment->csv_bytes)
		len = segment->csv_bytes;
	for (;; len = segment->csv_bytes) {
		if (inflate_first(reader, segment, len, err) != 0)
			return -1;
		if (lines_index_one(&reader->lines, buf_str(&reader->text), row, reader->fields_count) == 0)
			return 0;
		if (len == segment->csv_bytes || reader->lines.no_memory)
			return fail_lines(reader, err);
	}
}

static void keep_row(struct block_reader *reader, uint32_t row)
{
	struct row_key key = key_of(reader, reader->day, &reader->view.head, row);

	if (reader->rows)
		row_cache_put(reader->rows, &key, block_reader_position(reader, row), lines_row(&reader->lines, 0));
}

int block_reader_load_row(struct block_reader *reader, uint32_t row, struct error *err)
{
	if (is_loaded(reader, row))
		return 0;
	uint32_t number = block_segment_of(&reader->view, row);
	struct block_segment segment = block_segment(&reader->view, number);
	if (segment.has_doubled || number == reader->lone_segment)
		return block_reader_load(reader, row, err);
	uint32_t in_segment = row - segment.first_row;
	reader->segment_number = reader->places_number = NO_SEGMENT;
	if (check_segment(reader, &segment, err) != 0 || inflate_row(reader, &segment, in_segment, err) != 0)
		return -1;
	if (!block_places_read_one(&reader->view, &segment, reader->partition.direction, in_segment, reader->positions))
		return damaged(reader, "the records are damaged", err);
	reader->segment_number = reader->lone_segment = number;
	reader->segment = segment;
	reader->loaded_row = row;
	reader->loaded_rows = 1;
	keep_row(reader, row);
	return 0;
}

/* Appends a value with its doubled quotes made single. */
static void unescape(struct buf *out, struct str value)
{
	while (value.len > 0) {
		const char *quote = memchr(value.p, '"', value.len);
		size_t len = quote ? (size_t)(quote - value.p) + 1 : value.len;

		buf_add(out, value.p, len);
		len += quote && len < value.len;
		value.p += len;
		value.len -= len;
	}
}

/* Room for all of a row's unescaped values first: they must not move while the record points to them. */
static int unescape_record(struct block_reader *reader, struct str line, struct record *record, uint64_t columns,
                           struct error *err)
{
	buf_clear(&reader->unescaped);
	if (!buf_reserve(&reader->unescaped, line.len))
		return no_memory(reader, err);
	for (uint64_t left = columns; left; left &= left - 1) {
		struct str *value = &record->values[__builtin_ctzll(left)];

		if (value->len == 0 || !memchr(value->p, '"', value->len))
			continue;
		size_t begin = reader->unescaped.len;
		unescape(&reader->unescaped, *value);
		*value = (struct str){ reader->unescaped.data + begin, reader->unescaped.len - begin };
	}
	return 0;
}

/* --- the extra part --- */

static int load_extra(struct block_reader *reader, struct error *err)
{
	const struct block_view *view = &reader->view;
	struct block_tools *tools = tools_of(reader);

	buf_clear(&reader->extra);
	reader->extra_row = 0;
	reader->extra_at = 0;
	if (view->extra.len > 0) {
		if (crc32_gzip_refl(0, (const uint8_t *)view->extra.p, view->extra.len) != view->head.extra_crc32)
			return damaged(reader, "the extra part is damaged", err);
		if (!tools->zstd)
			tools->zstd = ZSTD_createDCtx();
		if (!tools->zstd || !buf_reserve(&reader->extra, view->head.extra_raw_bytes))
			return no_memory(reader, err);
		size_t made = ZSTD_decompressDCtx(tools->zstd, reader->extra.data, view->head.extra_raw_bytes,
		                                  view->extra.p, view->extra.len);
		if (ZSTD_isError(made) || made != view->head.extra_raw_bytes)
			return damaged(reader, "the extra part is damaged", err);
		reader->extra.len = made;
	}
	reader->extra_loaded = true;
	return 0;
}

/* Reads a varint and as many bytes; false where the part is damaged. */
static bool take_extra(struct block_reader *reader, struct str *value)
{
	uint64_t len = 0;

	for (int shift = 0; shift < 35; shift += 7) {
		if (reader->extra_at >= reader->extra.len)
			return false;
		uint8_t byte = (uint8_t)reader->extra.data[reader->extra_at++];
		len |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			break;
	}
	*value = (struct str){ NULL, 0 };
	if (len == 0)
		return true;
	if (len - 1 > reader->extra.len - reader->extra_at)
		return false;
	*value = (struct str){ reader->extra.data + reader->extra_at, (size_t)(len - 1) };
	reader->extra_at += (size_t)(len - 1);
	return true;
}

static int read_extra(struct block_reader *reader, uint32_t row, uint64_t wanted, struct record *record,
                      struct error *err)
{
	uint8_t made_with = reader->view.head.columns_count;
	uint64_t all = made_with < 64 ? (UINT64_C(1) << made_with) - 1 : UINT64_MAX;
	uint64_t columns = all & ~reader->line_columns;

	if (!reader->extra_loaded && load_extra(reader, err) != 0)
		return -1;
	if (reader->extra.len == 0)
		return 0;
	if (row < reader->extra_row) {
		reader->extra_row = 0;
		reader->extra_at = 0;
	}
	for (; reader->extra_row <= row; reader->extra_row++)
		for (uint64_t left = columns; left; left &= left - 1) {
			int column = __builtin_ctzll(left);
			struct str value;

			if (!take_extra(reader, &value))
				return damaged(reader, "the extra part is damaged", err);
			if (reader->extra_row == row && wanted >> column & 1)
				record->values[column] = value;
		}
	return 0;
}

int block_reader_record(struct block_reader *reader, uint32_t row, uint64_t columns, struct record *record,
                        struct error *err)
{
	const struct catalog_product *product = reader->product;
	uint32_t in_lines = row - reader->loaded_row;
	uint64_t all = UINT64_MAX >> (64 - product->columns_count);
	uint64_t in_line = columns & reader->line_columns, extra = columns & all & ~reader->line_columns;

	record_clear(record, product);
	for (uint64_t left = in_line; left; left &= left - 1) {
		int column = __builtin_ctzll(left);

		record->values[column] = lines_value(&reader->lines, in_lines, reader->fields[column]);
	}
	if (reader->lines.has_doubled &&
	    unescape_record(reader, block_reader_line(reader, row), record, in_line, err) != 0)
		return -1;
	return extra ? read_extra(reader, row, extra, record, err) : 0;
}

void block_reader_weave(const struct block_reader *reader, uint32_t row, uint64_t columns, const struct record *record,
                        struct buf *out)
{
	struct str rest = block_reader_line(reader, row);

	for (uint64_t left = columns; left; left &= left - 1) {
		int column = __builtin_ctzll(left);
		uint64_t before = reader->line_columns & ((UINT64_C(1) << column) - 1);

		if (before) {
			uint8_t field = reader->fields[63 - __builtin_clzll(before)];
			struct str value = lines_value(&reader->lines, row - reader->loaded_row, field);
			size_t len = (size_t)(value.p + value.len + 1 - rest.p);

			buf_add(out, rest.p, len);
			buf_add_char(out, ',');
			rest = (struct str){ rest.p + len, rest.len - len };
		}
		record_write_csv_value(out, record->values[column]);
		if (!before)
			buf_add_char(out, ',');
	}
	buf_add_str(out, rest);
}

uint64_t block_reader_changed(const struct block_reader *reader, uint32_t row, uint64_t seq)
{
	uint32_t low = 0, high = reader->view.head.changed_count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		struct block_change change = block_change(&reader->view, mid);

		if (change.row == row)
			return change.seq;
		if (change.row < row)
			low = mid + 1;
		else
			high = mid;
	}
	return seq;
}

int block_reader_seek(struct block_reader *reader, const struct position *position, uint32_t *row, struct error *err)
{
	uint32_t low = 0, high = reader->view.head.segments;

	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;
		struct block_segment segment = block_segment(&reader->view, mid);
		struct position first = { segment.first_us, segment.first_seq, position->direction };

		if (position_compare(&first, position) <= 0)
			low = mid;
		else
			high = mid;
	}
	uint32_t at = block_segment(&reader->view, low).first_row;
	if (block_reader_load_places(reader, at, err) != 0)
		return -1;
	uint32_t end = at + reader->segment.rows;
	while (at < end && position_compare(block_reader_position(reader, at), position) < 0)
		at++;
	*row = at;
	return at < reader->view.head.rows ? block_reader_load_places(reader, at, err) : 0;
}

int block_reader_check(struct block_reader *reader, struct error *err)
{
	for (uint32_t i = 0; i < reader->view.head.segments; i++) {
		struct block_segment segment = block_segment(&reader->view, i);

		if (check_segment(reader, &segment, err) != 0)
			return -1;
	}
	return 0;
}

int block_reader_check_skip(struct block_reader *reader, struct error *err)
{
	const struct block_view *view = &reader->view;

	if (crc32_gzip_refl(0, (const uint8_t *)view->skip.p, view->skip.len) != view->head.skip_crc32)
		return damaged(reader, "the skip part is damaged", err);
	return 0;
}

int block_reader_columns(struct block_reader *reader, struct error *err)
{
	const struct block_view *view = &reader->view;

	if (reader->columns_loaded || view->columns.len == 0)
		return reader->columns_loaded;
	if (block_reader_check_skip(reader, err) != 0)
		return -1;
	if (crc32_gzip_refl(0, (const uint8_t *)view->columns.p, view->columns.len) != view->head.columns_crc32 ||
	    !block_columns_read(&reader->columns, view->columns, view->skip, view->head.rows))
		return damaged(reader, "the columns part is damaged", err);
	reader->columns_loaded = true;
	return 1;
}

void block_reader_drop_extra(struct block_reader *reader)
{
	buf_free(&reader->extra);
	reader->extra_loaded = false;
}

void block_tools_free(struct block_tools *tools)
{
	free(tools->inflate);
	ZSTD_freeDCtx(tools->zstd);
	*tools = (struct block_tools){ 0 };
}

void block_reader_free(struct block_reader *reader)
{
	buf_free(&reader->text);
	buf_free(&reader->extra);
	buf_free(&reader->unescaped);
	lines_free(&reader->lines);
	deflate_sift_free(reader->sift);
	block_tools_free(&reader->own);
}
