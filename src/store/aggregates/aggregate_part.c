/* SPDX-License-Identifier: ISC */
/*
 * aggregate_part.c: what an account has in a day, added up in any order.
 *
 * A scan merges blocks and hot rows, so blocks that overlap in time, as late records make them, must be read row by
 * row. Sums and counts do not care about order. Each block is taken by itself: by the block index alone where all of its
 * rows are only counted, by its head where they are added up whole, else by its columns part (fold.h), and by its lines
 * only where that does not have what the query asks for. `hot` has one row for each record whose newest
 * version is not sealed; its older one in a block is deleted then.
 */
#include "base/clock.h"
#include "meta/accounts.h"
#include "store/aggregates/aggregate_days.h"
#include "store/days/day_blocks.h"
#include "store/days/hot_rows.h"
#include "store/blocks/skip_index.h"

#define LOOK_EVERY 128 /* hot rows between looks at the clock */

static bool is_late(const struct day_aggregate *a)
{
	return clock_monotonic_us() >= a->deadline_us;
}

/* --- blocks --- */

static void count(struct day_aggregate *a, uint64_t rows, uint64_t seen)
{
	if (a->hurries) {
		a->base.rough += seen;
		return;
	}
	a->part.rows += rows;
	a->part.seen += seen;
}

/* The share of the rows that the range has of the block's time. */
static uint64_t share_of(const struct day_aggregate *a, const struct day_block *block)
{
	int64_t first = block->first_us > a->from_us ? block->first_us : a->from_us;
	int64_t last = block->last_us < a->to_us ? block->last_us : a->to_us;
	double share = (double)(last - first + 1) / (double)(block->last_us - block->first_us + 1);

	return (uint64_t)(share * (block->rows - block->deleted));
}

static int add_record(struct day_aggregate *a, const struct record *record, int64_t time_us)
{
	struct aggregate *base = &a->base;
	bool passes = scan_passes(&base->query.scan, record);

	count(a, passes, 1);
	if (!passes || aggregate_counts_only(base))
		return 0;
	return aggregate_add_record(&a->part.groups, aggregate_interval(base, time_us), record, a->err);
}

static int add_row(struct day_aggregate *a, uint32_t row)
{
	struct block_reader *reader = a->reader;
	struct record record;

	if (block_reader_is_deleted(reader, row))
		return 0;
	if (block_reader_load(reader, row, a->err) != 0)
		return -1;
	int64_t time_us = block_reader_position(reader, row)->time_us;
	if (time_us < a->from_us || time_us >= a->to_us)
		return 0;
	if (!a->base.columns) {
		count(a, 1, 1);
		return 0;
	}
	if (block_reader_record(reader, row, a->base.columns, &record, a->err) != 0)
		return -1;
	return add_record(a, &record, time_us);
}

/* All of the block's rows, one by one. */
static int add_rows(struct day_aggregate *a)
{
	for (uint32_t row = 0; row < a->reader->view.head.rows; row++)
		if (add_row(a, row) != 0)
			return -1;
	return 0;
}

static int positions_damaged(struct day_aggregate *a)
{
	return error_set(a->err, ERROR_CORRUPT, "day %d, account %s, block %u: the positions are damaged", a->part.day,
	                 accounts_key_text(a->day->meta, &a->partition.account).text, a->reader->number);
}

/* The rows of the block that are in the range: [*row, *end). */
static bool find_range(const struct day_aggregate *a, const struct day_block *block, uint32_t *row, uint32_t *end)
{
	const struct block_view *view = &a->reader->view;

	*row = 0;
	*end = view->head.rows;
	return (block->first_us >= a->from_us || block_places_find(view, a->from_us, row)) &&
	       (block->last_us < a->to_us || block_places_find(view, a->to_us, end));
}

/* Rows of the block, interval by interval. */
static int fold_range(struct day_aggregate *a, const struct day_block *block, uint32_t row, uint32_t end)
{
	const struct block_view *view = &a->reader->view;

	while (row < end) {
		uint32_t next = end;
		int64_t time_us = block->first_us, start_us = INT64_MIN;

		if (a->base.query.interval != ZONE_WHOLE && !aggregate_counts_only(&a->base)) {
			if (row > 0 && !block_places_time(view, row, &time_us))
				return positions_damaged(a);
			start_us = aggregate_interval(&a->base, time_us);
			if (block->last_us >= a->base.interval_until_us &&
			    !block_places_find(view, a->base.interval_until_us, &next))
				return positions_damaged(a);
			next = next < end ? next : end;
		}
		if (fold_rows(a->fold, start_us, row, next, a->reader->deleted, a->err) != 0)
			return -1;
		row = next;
	}
	return 0;
}

/* Adds a block by its columns part. 1, 0 if that does not have all that it takes, -1. */
static int add_columns(struct day_aggregate *a, const struct day_block *block)
{
	uint32_t row, end;
	int has_columns = block_reader_columns(a->reader, a->err);

	if (has_columns <= 0)
		return has_columns;
	if (!a->fold && !(a->fold = fold_new(&a->base, &a->part.groups, a->err)))
		return -1;
	int folds = fold_begin(a->fold, &a->reader->columns, a->err);
	if (folds <= 0)
		return folds;
	if (!find_range(a, block, &row, &end))
		return positions_damaged(a);
	return fold_range(a, block, row, end) == 0 ? 1 : -1;
}

/* Adds a block, all of whose rows count, by what its head says. 1, 0 if that does not say it, -1. */
static int add_head(struct day_aggregate *a, const struct day_block *block)
{
	struct scan_span span;
	int64_t start_us = aggregate_interval(&a->base, block->first_us);

	if (a->base.query.group_by_count > 0 || a->base.groups.duration != CATALOG_NONE || block->deleted ||
	    start_us != aggregate_interval(&a->base, block->last_us) || !scan_span_fill(&span, a->reader, block) ||
	    !span.counts_unpriced)
		return 0;
	count(a, block->rows, block->rows);
	return aggregate_add_span(&a->part.groups, start_us, &span, a->err) == 0 ? 1 : -1;
}

/* Adds a block by what is known without its rows, if it can be. 1, 0 if its rows must be read, -1. */
static int add_known(struct day_aggregate *a, const struct block_index_entry *entry)
{
	const struct day_block *block = &entry->block;
	const struct scan_query *query = &a->base.query.scan;
	uint64_t living = block->rows - block->deleted;
	bool counts = aggregate_counts_only(&a->base);
	bool whole = block->first_us >= a->from_us && block->last_us < a->to_us;

	if (counts && (a->hurries || (whole && query->filters_count == 0))) {
		uint64_t rows = whole ? living : share_of(a, block);

		count(a, rows, rows);
		return 1;
	}
	int found = block_reader_begin(a->reader, a->day, a->txn, query->product, &a->partition, entry->number, a->err);
	if (found <= 0)
		return found < 0 ? -1 : 1;
	struct str skip = a->reader->view.skip;
	if (!skip_index_may_pass(skip, query->filters, query->filters_count)) {
		count(a, 0, living);
		return 1;
	}
	if (!whole || !skip_index_all_pass(skip, query->filters, query->filters_count))
		return 0;
	if (!counts)
		return add_head(a, block);
	count(a, living, living);
	return 1;
}

/* A block is read in one go. */
static int add_block(struct day_aggregate *a, const struct block_index_entry *entry)
{
	const struct day_block *block = &entry->block;

	if (block->deleted == block->rows || block->last_us < a->from_us)
		return 0;
	int known = add_known(a, entry);
	if (known == 0)
		known = add_columns(a, block);
	if (known != 0)
		return known < 0 ? -1 : 0;
	return add_rows(a);
}

/* What was folded belongs to the part, and to this step. */
static int end_fold(struct day_aggregate *a)
{
	uint64_t rows, seen;

	if (!a->fold)
		return 0;
	int result = fold_end(a->fold, &rows, &seen, a->err);
	count(a, rows, seen);
	return result;
}

/* In order of their beginnings. 1 when they are done, 0 when it is late, -1. */
static int walk_blocks(struct day_aggregate *a)
{
	struct day_part *part = &a->part;
	const struct block_index *block_index = block_index_get(a->day, a->txn, &a->partition, a->err);

	if (!block_index)
		return -1;
	while (part->entry < block_index->count) {
		const struct block_index_entry *entry = &block_index->entries[part->entry];

		if (entry->block.first_us >= a->to_us)
			break;
		if (add_block(a, entry) != 0)
			return -1;
		part->entry++;
		if (is_late(a))
			return 0;
	}
	return 1;
}

static int add_blocks(struct day_aggregate *a)
{
	struct day_part *part = &a->part;
	int result = walk_blocks(a);

	if (result >= 0 && end_fold(a) != 0)
		return -1;
	if (result > 0) {
		part->hot = true;
		part->hot_us = a->from_us - 1;
		part->hot_seq = UINT64_MAX - 1;
	}
	return result;
}

/* --- hot rows --- */

static int add_hot_row(struct day_aggregate *a, const struct position *position, MDB_val val)
{
	struct record record;
	struct day_tombstone tombstone;
	uint64_t changed_seq;

	if (day_tombstone_read(val, &tombstone))
		return 0;
	if (!a->base.columns || a->hurries) {
		count(a, 1, 1);
		return 0;
	}
	if (record_unpack(&record, a->base.query.scan.product, env_str(val), &changed_seq, a->err) != 0)
		return -1;
	return add_record(a, &record, position->time_us);
}

static int walk_hot(struct day_aggregate *a, struct hot_cursor *cursor)
{
	struct day_part *part = &a->part;
	struct position from = { part->hot_us, part->hot_seq + 1, a->partition.direction };
	int found = hot_cursor_seek(cursor, &from, a->err);

	for (unsigned seen = 1; found > 0 && cursor->position.time_us < a->to_us;
	     found = hot_cursor_next(cursor, a->err), seen++) {
		if (add_hot_row(a, &cursor->position, cursor->val) != 0)
			return -1;
		part->hot_us = cursor->position.time_us;
		part->hot_seq = cursor->position.seq;
		if (seen % LOOK_EVERY == 0 && is_late(a))
			return 0;
	}
	return found < 0 ? -1 : 1;
}

static int add_hot(struct day_aggregate *a)
{
	struct hot_cursor cursor;
	int result = hot_cursor_open(&cursor, a->day, a->txn, &a->partition, a->base.store->snapshot, a->err);

	if (result == 0)
		result = walk_hot(a, &cursor);
	hot_cursor_close(&cursor);
	return result;
}

int aggregate_read_part(struct day_aggregate *a)
{
	int result = a->part.hot ? 1 : add_blocks(a);

	return result > 0 ? add_hot(a) : result;
}
