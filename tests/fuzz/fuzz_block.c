/* SPDX-License-Identifier: ISC */
/*
 * fuzz_block.c: sealed blocks whose bytes were changed, and all that reads them.
 *
 *	input = product, rows, seed, how; then edits of 4 bytes: part, place (2, of the part), flips
 *
 * The block is a valid one, made of random records. What must hold where `how` is even, after one edit: the damage is
 * told, by whatever check covers it. Where it is odd the checksums are made right again, as a faulty writer would have
 * it: then readers may say anything, but keep within the block, and come to an end.
 */
#include <isa-l/crc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/store_sample.h"
#include "base/clock.h"
#include "store/aggregates/fold.h"
#include "store/blocks/block_builder.h"
#include "store/blocks/block_reader.h"
#include "store/blocks/skip_index.h"

#define HEAD 4 /* bytes of the input before the edits */
#define EDIT 4
#define EDITS_MAX 16
#define SEEDS 4
#define RAW_BYTES_MAX (1u << 22) /* what a head may say that something inflates to */
#define DAY_US (INT64_C(20500) * CLOCK_US_PER_DAY)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
	const char *name;
	enum catalog_direction direction;
} products[] = {
	{ "SMS", CATALOG_OUTBOUND },
	{ "VOICE-CALL", CATALOG_NO_DIRECTION },
	{ "MESSAGES", CATALOG_INBOUND },
};
static const uint32_t row_counts[] = { 1, 20, SEGMENT_ROWS, 300 };

static struct day day = { .number = 20500 };
static const struct catalog_product *product;
static struct partition partition;
static struct error err;

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* --- making --- */

static void build(struct buf *out, uint32_t rows, uint64_t seed)
{
	struct block_builder *builder = block_builder_new();
	struct sampler sampler = { .pick = { seed + 1 }, .styles = seed * 77, .wild = seed % 2 };
	struct position position = { DAY_US, 1000, partition.direction };
	struct sample *samples[COUNT(row_counts) * 100];
	struct day_block entry;
	bool full = false;

	must(builder != NULL && rows <= COUNT(samples));
	block_builder_begin(builder, product, partition.direction, UINT32_MAX);
	for (uint32_t i = 0; i < rows; i++) {
		position.time_us += seed < 2 ? CLOCK_US_PER_SECOND : pick_below(&sampler.pick, 100000);
		position.seq += 1 + (pick_percent(&sampler.pick, 10) ? pick_below(&sampler.pick, 5000) : 0);
		samples[i] = sample_new(&sampler, product, "acct0001", i, products[product->number % 2].direction,
		                        position.time_us);
		uint64_t changed = position.seq + (pick_percent(&sampler.pick, 10) ? 7 : 0);
		must(block_builder_add(builder, &samples[i]->record, &position, changed, &full, &err) == 0);
	}
	must(block_builder_finish(builder, out, &entry, &err) == 0);
	for (uint32_t i = 0; i < rows; i++)
		free(samples[i]);
	block_builder_free(builder);
}

/* The valid block of an input, made once. */
static struct str original(const uint8_t *data)
{
	static struct buf blocks[COUNT(products)][COUNT(row_counts)][SEEDS];
	size_t which = data[0] % COUNT(products), count = data[1] % COUNT(row_counts);
	struct buf *block = &blocks[which][count][data[2] % SEEDS];

	product = catalog_product_find(str_from(products[which].name));
	partition =
		partition_of(&(struct account_key){ "acct0001" }, product->number, (uint8_t)products[which].direction);
	if (block->len == 0)
		build(block, row_counts[count], data[2] % SEEDS);
	return buf_str(block);
}

/* --- changing --- */

enum part { HEAD_PART, SUMS, SEGMENTS, PLACES, CHANGED, SKIP, COLUMNS, EXTRA, DEFLATE, PARTS };

/* Where the parts of a valid block are. */
static void find_parts(struct str parts[PARTS], struct str value)
{
	struct block_view view;
	size_t head;

	must(block_view(&view, value));
	head = block_head_bytes(view.head.magic);
	parts[HEAD_PART] = (struct str){ value.p, head };
	parts[SUMS] = (struct str){ (const char *)view.sums, (size_t)(view.segments - view.sums) };
	parts[SEGMENTS] =
		(struct str){ (const char *)view.segments, (size_t)(view.positions.p - (const char *)view.segments) };
	parts[PLACES] = view.positions;
	parts[CHANGED] = (struct str){ (const char *)view.changed, (size_t)(view.skip.p - (const char *)view.changed) };
	parts[SKIP] = view.skip;
	parts[COLUMNS] = view.columns;
	parts[EXTRA] = view.extra;
	parts[DEFLATE] = view.deflate;
}

static void edit(const struct str parts[PARTS], const uint8_t bytes[EDIT])
{
	const struct str *part = &parts[bytes[0] % PARTS];
	size_t at = (size_t)bytes[1] | (size_t)bytes[2] << 8;

	if (part->len > 0)
		((char *)(uintptr_t)part->p)[at % part->len] ^= (char)bytes[3];
}

static uint32_t crc_of(struct str part)
{
	return crc32_gzip_refl(0, (const uint8_t *)part.p, part.len);
}

static uint32_t within(uint32_t bytes)
{
	return bytes % RAW_BYTES_MAX;
}

/* Makes the checksums right, from the inside out. The parts keep their places: the head's lengths do, or it is no block. */
static void reseal(const struct str parts[PARTS])
{
	char *begin = (char *)(uintptr_t)parts[HEAD_PART].p, *at = (char *)(uintptr_t)parts[SEGMENTS].p;
	struct block_head head = { 0 };

	for (size_t left = parts[SEGMENTS].len; left >= sizeof(struct block_segment);
	     left -= sizeof(struct block_segment), at += sizeof(struct block_segment)) {
		struct block_segment segment;

		memcpy(&segment, at, sizeof(segment));
		segment.csv_bytes = within(segment.csv_bytes);
		if (segment.deflate_begin <= parts[DEFLATE].len &&
		    segment.deflate_bytes <= parts[DEFLATE].len - segment.deflate_begin)
			segment.deflate_crc32 =
				crc_of((struct str){ parts[DEFLATE].p + segment.deflate_begin, segment.deflate_bytes });
		memcpy(at, &segment, sizeof(segment));
	}
	memcpy(&head, begin, parts[HEAD_PART].len);
	head.extra_raw_bytes = within(head.extra_raw_bytes);
	head.skip_crc32 = crc_of(parts[SKIP]);
	head.columns_crc32 = crc_of(parts[COLUMNS]);
	head.extra_crc32 = crc_of(parts[EXTRA]);
	head.head_crc32 = 0;
	memcpy(begin, &head, parts[HEAD_PART].len);
	head.head_crc32 = crc_of((struct str){ begin, (size_t)(parts[SKIP].p - begin) });
	memcpy(begin, &head, parts[HEAD_PART].len);
}

/* --- reading --- */

/* A copy as long as it is and no longer, for whoever reads past it. */
static struct str copy_of(struct str bytes)
{
	char *copy = malloc(bytes.len ? bytes.len : 1);

	must(copy != NULL);
	if (bytes.len > 0)
		memcpy(copy, bytes.p, bytes.len);
	return (struct str){ copy, bytes.len };
}

static int read_row(struct block_reader *reader, uint32_t row)
{
	struct record_view all = { .include_message = true, .show_concatenated = true };
	struct buf woven = { 0 };
	struct record record;

	if (block_reader_record(reader, row, SCAN_COLUMNS_ALL, &record, &err) != 0)
		return -1;
	for (uint8_t i = 0; i < product->columns_count; i++)
		buf_add_str(&woven, record.values[i]);
	buf_clear(&woven);
	block_reader_weave(reader, row, record_view_columns(product, &all) & ~reader->line_columns, &record, &woven);
	(void)block_reader_changed(reader, row, block_reader_position(reader, row)->seq);
	buf_free(&woven);
	return 0;
}

static int read_rows(struct block_reader *reader)
{
	struct position somewhere = { DAY_US + 50 * CLOCK_US_PER_SECOND, 1050, partition.direction };
	uint32_t rows = reader->view.head.rows, found;
	int64_t time_us;
	int result = 0;

	for (uint32_t row = 0; row < rows && result == 0; row++)
		result = block_reader_load(reader, row, &err) != 0 ? -1 : read_row(reader, row);
	/* backwards and single */
	for (uint32_t row = rows, step = rows / 7 + 1; row >= step && result == 0; row -= step)
		result = block_reader_load_row(reader, row - 1, &err) != 0 ? -1 : read_row(reader, row - 1);
	if (result == 0)
		result = block_reader_seek(reader, &somewhere, &found, &err);
	if (result == 0)
		result = block_places_find(&reader->view, somewhere.time_us, &found) && found <= rows &&
		                         block_places_time(&reader->view, rows / 2, &time_us) ?
		                 0 :
		                 -1;
	return result;
}

static void filter_by(struct str skip, const struct block_columns *columns)
{
	uint8_t bits[BLOCK_ROWS / 8];
	bool decides;

	for (uint8_t i = 0; i < product->filters_count; i++) {
		struct scan_filter filter = { product->filters[i].column, (enum scan_match)(i % 3), STR_LITERAL("GB") };

		(void)skip_index_may_pass(skip, &filter, 1);
		(void)skip_index_all_pass(skip, &filter, 1);
		if (columns)
			must(block_columns_choose(columns, &filter, 1, bits, &decides) <= columns->rows);
	}
}

static void fold(const struct block_columns *columns)
{
	const uint8_t by[] = { catalog_column_find(product, STR_LITERAL("status")),
		               catalog_column_find(product, STR_LITERAL("country")) };
	struct aggregate aggregate = { .query = { .groups_max = 1000 } };

	aggregate_groups_init(&aggregate.groups, product, by, by[1] == CATALOG_NONE ? 1 : 2, 1000);
	struct fold *adding = fold_new(&aggregate, &aggregate.groups, &err);
	must(adding != NULL);
	uint64_t passing, seen;
	if (fold_begin(adding, columns, &err) > 0 &&
	    fold_rows(adding, 0, 0, columns->rows, (struct str){ NULL, 0 }, &err) == 0 &&
	    fold_end(adding, &passing, &seen, &err) == 0)
		must(passing <= seen && seen <= columns->rows);
	free(adding);
	aggregate_groups_free(&aggregate.groups);
}

static void read_columns(const struct block_view *view)
{
	struct str skip = copy_of(view->skip), part = copy_of(view->columns);
	struct block_columns columns;
	bool readable = part.len > 0 && block_columns_read(&columns, part, skip, view->head.rows);

	filter_by(skip, readable ? &columns : NULL);
	if (readable) {
		for (uint8_t i = 0; i < columns.count; i++)
			for (uint32_t row = 0; row < columns.rows && columns.columns[i].form == COLUMN_NUMBERS; row++)
				(void)block_column_number(&columns.columns[i], row);
		fold(&columns);
	}
	free((char *)(uintptr_t)skip.p);
	free((char *)(uintptr_t)part.p);
}

/* 0, or -1 when damage was told. */
static int read_all(struct str value)
{
	struct block_reader reader = { .number = 0 };
	int result = block_reader_begin_value(&reader, &day, product, &partition, 3, value, &err);

	if (result == 0) {
		read_columns(&reader.view);
		result = block_reader_check(&reader, &err) | block_reader_check_skip(&reader, &err) |
		         (block_reader_columns(&reader, &err) < 0 ? -1 : 0) | read_rows(&reader);
	}
	must(result == 0 || err.code == ERROR_CORRUPT);
	block_reader_free(&reader);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str parts[PARTS];

	if (size < HEAD + EDIT)
		return 0;
	struct str before = original(data), value = copy_of(before);
	bool sealed = data[3] & 1;
	find_parts(parts, value);
	edit(parts, data + HEAD);
	for (size_t at = HEAD + EDIT; sealed && at + EDIT <= size && at < HEAD + EDITS_MAX * EDIT; at += EDIT)
		edit(parts, data + at);
	bool same = memcmp(before.p, value.p, value.len) == 0;
	if (sealed)
		reseal(parts);
	err = (struct error){ 0 };
	int result = read_all(value);
	if (!sealed)
		must((result == 0) == same);
	if (block_number_changes((char *)(uintptr_t)value.p, value.len, 1000, 1))
		(void)read_all(value);
	free((char *)(uintptr_t)value.p);
	return 0;
}
