/* SPDX-License-Identifier: ISC */
/*
 * scan_partition.c: one account's records of one day, hot and sealed merged by position. See scan.h.
 *
 * Two sources, each in order: visible hot rows (rows, and tombstones as the snapshot sees them) and sealed rows. A
 * block with which no hot row and no other block interferes, and of which every row is wanted, goes to the sink whole.
 */

#include "base/clock.h"
#include "store/blocks/skip_index.h"
#include "store/days/day_blocks.h"
#include "store/scans/scan_private.h"

#define LOOK_EVERY 128 /* records between looks at the clock */

struct merge {
	struct day_scan *scan;
	struct day *day;
	MDB_txn *txn;
	struct partition partition;
	struct hot_source *hot; /* the scan's */
	struct sealed sealed;
};

/* --- a record that a tombstone leads to --- */

/* Where a tombstone leads. */
struct lead {
	struct day *day;
	MDB_txn *txn;
	struct partition partition;
	struct position position;
};

int scan_end_moved(struct day_scan *scan, int result)
{
	struct day *day = scan->moved_day;

	if (!day)
		return result;
	scan->moved_day = NULL;
	day->pins--;
	return env_read_end(&day->env, scan->moved_txn, result, scan->err);
}

/* Follows it into the day that lead->position is in. What is read there lives until the next tombstone. 1, 0 when there
 * is no such day any more, -1. */
static int lead_to_day(struct day_scan *scan, struct lead *lead)
{
	if (scan_end_moved(scan, 0) != 0)
		return -1;
	struct day *day = store_day(scan->store, clock_day_of(lead->position.time_us), false, scan->err);
	if (!day)
		return scan->err->code == ERROR_NONE ? 0 : -1;
	MDB_txn *txn = env_read(&day->env, scan->err);
	if (!txn)
		return -1;
	day->pins++;
	scan->moved_day = lead->day = day;
	scan->moved_txn = lead->txn = txn;
	return 1;
}

/* Looks for the sealed row at lead->position. 1 with scan->moved at *row, 0, -1. */
static int find_position(struct day_scan *scan, struct lead *lead, uint32_t *row)
{
	const struct position *position = &lead->position;
	struct partition *partition = &lead->partition;

	partition->direction = position->direction;
	const struct block_index *block_index = block_index_get(lead->day, lead->txn, partition, scan->err);
	if (!block_index || (!scan->moved && !(scan->moved = store_reader_take(scan->store, scan->err))))
		return -1;
	for (size_t i = 0; i < block_index->count; i++) {
		const struct block_index_entry *entry = &block_index->entries[i];
		struct position first = day_block_first(&entry->block, position->direction);
		struct position last = day_block_last(&entry->block, position->direction);

		if (position_compare(&first, position) > 0 || position_compare(&last, position) < 0)
			continue;
		int found = block_reader_begin(scan->moved, lead->day, lead->txn, scan->base.query.product, partition,
		                               entry->number, scan->err);
		if (found < 0 || (found && block_reader_seek(scan->moved, position, row, scan->err) != 0))
			return -1;
		if (found && *row < scan->moved->view.head.rows && !block_reader_is_deleted(scan->moved, *row) &&
		    position_equal(block_reader_position(scan->moved, *row), position))
			return block_reader_load(scan->moved, *row, scan->err) == 0 ? 1 : -1;
	}
	return 0;
}

/* The newest version of the record that stood where a tombstone is. 1, 0 when it is gone, -1. */
static int follow_tombstone(struct merge *merge, struct record *record)
{
	struct day_scan *scan = merge->scan;
	struct lead lead = { merge->day, merge->txn, merge->partition, merge->hot->position };
	uint64_t changed_seq;
	uint32_t row_number;
	MDB_val row;
	int found;

	for (;;) {
		found = day_row_get(lead.day, lead.txn, &lead.partition, &lead.position, &row, scan->err);
		if (found < 0)
			return -1;
		if (found)
			return record_unpack(record, scan->base.query.product, env_str(row), &changed_seq, scan->err) ?
			               -1 :
			               1;
		if (clock_day_of(lead.position.time_us) == lead.day->number)
			break;
		found = lead_to_day(scan, &lead);
		if (found <= 0)
			return found;
	}
	found = find_position(scan, &lead, &row_number);
	/* Its line is made again: what the block's shows depends on the direction that the record had. */
	uint64_t columns = scan->base.sink.lines ? SCAN_COLUMNS_ALL : scan->columns;
	if (found > 0 && block_reader_record(scan->moved, row_number, columns, record, scan->err) != 0)
		return -1;
	return found;
}

/* --- the hot source --- */

/* Takes the row under the cursor if the snapshot sees it. 1, 0, -1. */
static int take_hot(struct merge *merge)
{
	const struct scan_query *query = &merge->scan->base.query;
	struct hot_source *hot = merge->hot;
	MDB_val val = hot->cursor.val;
	struct day_tombstone tombstone;
	uint64_t changed_seq;

	hot->position = hot->cursor.position;
	if (!day_tombstone_read(val, &tombstone))
		return record_unpack(&merge->scan->hot_record, query->product, env_str(val), &changed_seq,
		                     merge->scan->err) ?
		               -1 :
		               1;
	if (query->snapshot >= tombstone.until)
		return 0;
	return follow_tombstone(merge, &merge->scan->hot_record);
}

/* Takes the first visible row from the one under the cursor on, if there is one: `found` says so. */
static int hot_take_next(struct merge *merge, int found)
{
	struct hot_source *hot = merge->hot;
	int taken = 0;

	hot->there = false;
	for (; found > 0 && taken == 0; found = taken == 0 ? hot_cursor_next(&hot->cursor, merge->scan->err) : 0) {
		if (hot->cursor.position.time_us >= merge->scan->base.query.to_us)
			return 0;
		taken = take_hot(merge);
	}
	hot->there = taken > 0;
	return found < 0 || taken < 0 ? -1 : 0;
}

static int hot_begin(struct merge *merge, const struct position *after)
{
	struct hot_cursor *cursor = &merge->hot->cursor;
	struct position from = *after;

	from.seq++;
	if (hot_cursor_open(cursor, merge->day, merge->txn, &merge->partition, merge->scan->base.query.snapshot,
	                    merge->scan->err) != 0)
		return -1;
	return hot_take_next(merge, hot_cursor_seek(cursor, &from, merge->scan->err));
}

/* --- giving --- */

static void go_after(struct day_scan *scan, const struct position *position)
{
	scan->at.time_us = position->time_us;
	scan->at.seq = position->seq;
}

/* Looks at the clock once in a while. False when the scan ends here. */
static bool has_time(struct day_scan *scan)
{
	if (++scan->seen % LOOK_EVERY != 0 || clock_monotonic_us() < scan->deadline_us)
		return true;
	scan->end = SCAN_PAUSED;
	return false;
}

/* Can the line of a sealed record be copied? Not from a block older than a column that was added to lines. */
static bool has_line(const struct day_scan *scan, const struct sealed_head *head)
{
	return head && scan->weaves && head->reader->lines_are_whole;
}

/* The line that the sink wants of a record, which came from `head` unless that is NULL. */
static struct str line_of(struct day_scan *scan, const struct record *record, const struct sealed_head *head)
{
	bool has = has_line(scan, head);

	if (has && !scan->woven)
		return block_reader_line(head->reader, head->row);
	buf_clear(&scan->line);
	if (has)
		block_reader_weave(head->reader, head->row, scan->woven, record, &scan->line);
	else
		(void)record_write_csv(&scan->line, record, scan->base.sink.lines);
	return buf_str(&scan->line);
}

/* Gives a record to the sink if it passes; `head` is where it is sealed, or NULL. 1 to continue, 0 when the scan ends
 * here, -1. */
static int give(struct day_scan *scan, const struct record *record, const struct position *position,
                const struct sealed_head *head)
{
	struct str line = { NULL, 0 };

	go_after(scan, position);
	if (!(head && head->decides) && !scan_passes(&scan->base.query, record))
		return has_time(scan);
	if (scan->base.sink.lines)
		line = line_of(scan, record, head);
	if (scan->line.failed)
		return error_set(scan->err, ERROR_NOMEM, "A line of a report: out of memory");
	scan_at_write(&scan->at, &scan->after);
	struct scan_row row = { record, line, position->time_us, position->seq, &scan->after };
	if (!scan->base.sink.on_record(scan->base.sink.arg, &row)) {
		scan->end = SCAN_STOPPED;
		return 0;
	}
	return has_time(scan);
}

/* 1 to continue, 0 when the scan ends here, -1. */
static int give_sealed(struct merge *merge, const struct sealed_head *head)
{
	struct day_scan *scan = merge->scan;
	struct record record;

	if (head->position.seq > scan->base.query.snapshot) {
		go_after(scan, &head->position);
		return has_time(scan);
	}
	if (block_reader_load(head->reader, head->row, scan->err) != 0)
		return -1;
	uint64_t columns = head->decides ? scan->columns_decided : scan->columns;
	if (scan->base.sink.lines && !has_line(scan, head))
		columns = SCAN_COLUMNS_ALL;
	if (block_reader_record(head->reader, head->row, columns, &record, scan->err) != 0)
		return -1;
	return give(scan, &record, &head->position, head);
}

/* --- whole blocks --- */

/* Is the block alone in its range, and does the scan want all of it? */
static bool is_alone(const struct merge *merge, const struct block_index_entry *entry)
{
	const struct sealed *sealed = &merge->sealed;
	const struct day_block *block = &entry->block;
	const struct scan_query *query = &merge->scan->base.query;
	struct position first = day_block_first(block, 0), last = day_block_last(block, 0);

	if (sealed->heads_count || block->deleted || block->seq_max > query->snapshot ||
	    block->last_us >= query->to_us || position_compare(&first, &sealed->after) <= 0)
		return false;
	if (merge->hot->there && position_compare(&merge->hot->position, &last) < 0)
		return false;
	if (merge->scan->base.sink.wants_span &&
	    !merge->scan->base.sink.wants_span(merge->scan->base.sink.arg, block->first_us, block->last_us))
		return false;
	if (sealed->next + 1 < sealed->entries_count) {
		struct position begin = day_block_first(&sealed->entries[sealed->next + 1].block, 0);

		if (position_compare(&begin, &last) < 0)
			return false;
	}
	return true;
}

bool scan_span_fill(struct scan_span *span, const struct block_reader *reader, const struct day_block *block)
{
	const struct block_view *view = &reader->view;

	if (view->head.sums_count > SCAN_CURRENCIES_MAX || !reader->lines_are_whole)
		return false;
	span->deflate = view->deflate;
	span->csv_bytes = view->head.csv_bytes;
	span->csv_crc32 = view->head.csv_crc32;
	span->rows = view->head.rows;
	span->first_us = block->first_us;
	span->last_us = block->last_us;
	span->counts_unpriced = view->head.unpriced > 0;
	span->unpriced = view->head.unpriced > 0 ? view->head.unpriced - 1U : 0;
	span->sums_count = view->head.sums_count;
	for (uint32_t i = 0; i < view->head.sums_count; i++) {
		struct block_sum sum = block_sum(view, i);

		memcpy(span->sums[i].currency, sum.currency, sizeof(sum.currency));
		span->sums[i].total_price.units = sum.total_price;
		span->sums[i].price.units = sum.price;
		span->sums[i].rows = sum.rows;
	}
	return true;
}

/* Gives the next entry whole if it can be. 1 if that was done, 0 if it is to be read row by row, -1; *on says whether
 * the scan continues. */
static int give_span(struct merge *merge, bool *on)
{
	struct day_scan *scan = merge->scan;
	struct sealed *sealed = &merge->sealed;
	const struct block_index_entry *entry = &sealed->entries[sealed->next];
	struct scan_span span;
	struct block_reader *reader = store_reader_take(scan->store, scan->err);

	if (!reader)
		return -1;
	int result = block_reader_begin_whole(reader, &scan->bundles, merge->day, merge->txn, scan->base.query.product,
	                                      &merge->partition, entry->number, scan->err);
	if (result > 0 && scan->base.query.filters_count && block_reader_check_skip(reader, scan->err) != 0)
		result = -1;
	if (result > 0 &&
	    (!skip_index_all_pass(reader->view.skip, scan->base.query.filters, scan->base.query.filters_count) ||
	     !scan_span_fill(&span, reader, &entry->block)))
		result = 0;
	if (result > 0 && !scan->base.sink.sums_only && block_reader_check(reader, scan->err) != 0)
		result = -1;
	if (result > 0) {
		struct position last = day_block_last(&entry->block, merge->partition.direction);

		go_after(scan, &last);
		sealed_skip_entry(sealed);
		scan_at_write(&scan->at, &scan->after);
		*on = scan->base.sink.on_span(scan->base.sink.arg, &span, &scan->after);
		if (!*on)
			scan->end = SCAN_STOPPED;
	}
	store_reader_give(scan->store, reader);
	return result;
}

/* Gives blocks for as long as they can be given whole. 1 to continue row by row, 0 when the scan ends here, -1. */
static int give_spans(struct merge *merge)
{
	struct day_scan *scan = merge->scan;
	struct sealed *sealed = &merge->sealed;

	while (scan->base.sink.on_span && sealed->next < sealed->entries_count) {
		bool on = true;
		int result = is_alone(merge, &sealed->entries[sealed->next]) ? give_span(merge, &on) : 0;

		if (result < 0)
			return -1;
		if (result == 0)
			return 1;
		if (!on)
			return 0;
		if (scan_is_late(scan, sealed->entries[sealed->next - 1].block.value_bytes)) {
			scan->end = SCAN_PAUSED;
			return 0;
		}
	}
	return 1;
}

/* --- merging --- */

/* Is the hot row the one that comes next? A hot row at the position of a sealed one is its newer version. */
static bool hot_is_first(const struct merge *merge, const struct sealed_head *head)
{
	return merge->hot->there && (!head || position_compare(&merge->hot->position, &head->position) <= 0);
}

static int step_hot(struct merge *merge)
{
	int result = give(merge->scan, &merge->scan->hot_record, &merge->hot->position, NULL);

	if (result <= 0)
		return result;
	return hot_take_next(merge, hot_cursor_next(&merge->hot->cursor, merge->scan->err)) == 0 ? 1 : -1;
}

/* Are the records of the head's segment all that the sink can have in its time, and as they are in the block? */
static bool has_lines(const struct merge *merge, const struct sealed_head *head)
{
	const struct day_scan *scan = merge->scan;
	const struct sealed *sealed = &merge->sealed;
	const struct day_block *block = &head->entry->block;

	if (!scan->base.sink.on_lines || !head->decides || scan->woven || !has_line(scan, head) ||
	    sealed->heads_count > 1 || block->seq_max > scan->base.query.snapshot ||
	    block->last_us >= scan->base.query.to_us)
		return false;
	struct position last = head->reader->positions[head->reader->segment.rows - 1];
	if (merge->hot->there && position_compare(&merge->hot->position, &last) <= 0)
		return false;
	if (sealed->next == sealed->entries_count)
		return true;
	struct position begin = day_block_first(&sealed->entries[sealed->next].block, 0);
	return position_compare(&begin, &last) > 0;
}

/* Gives what the filters have chosen of the head's segment. 1 to continue, 0 when the scan ends here, -1. *given: there was
 * something, of which this says where it ends. */
static int give_lines(struct merge *merge, const struct sealed_head *head, bool *given)
{
	struct day_scan *scan = merge->scan;
	struct scan_lines lines;
	struct position last;
	int result = has_lines(merge, head) ? scan_lines_read(scan, head, &lines, &last) : 0;

	*given = result > 0;
	if (result <= 0)
		return result < 0 ? -1 : 1;
	go_after(scan, &last);
	scan_at_write(&scan->at, &scan->after);
	if (!scan->base.sink.on_lines(scan->base.sink.arg, &lines, &scan->after)) {
		scan->end = SCAN_STOPPED;
		return 0;
	}
	if (sealed_go_to(&merge->sealed, lines.last_row + 1, &last) != 0)
		return -1;
	if (clock_monotonic_us() < scan->deadline_us)
		return 1;
	scan->end = SCAN_PAUSED;
	return 0;
}

static int step_sealed(struct merge *merge, const struct sealed_head *head)
{
	bool given;
	int result = give_lines(merge, head, &given);

	if (result <= 0 || given)
		return result;
	result = give_sealed(merge, head);
	if (result <= 0)
		return result;
	return sealed_next(&merge->sealed) == 0 ? 1 : -1;
}

/* Where no block is open: is there a hot row before all that are still to come? */
static bool hot_is_before_blocks(const struct merge *merge)
{
	const struct sealed *sealed = &merge->sealed;
	struct position first = day_block_first(&sealed->entries[sealed->next].block, 0);

	return merge->hot->there && position_compare(&merge->hot->position, &first) < 0;
}

/* Ends the scan for now between blocks that were passed over and the next one, if that is further than it has come. */
static bool pause_before_next(const struct merge *merge)
{
	struct day_scan *scan = merge->scan;
	const struct sealed *sealed = &merge->sealed;
	struct position at = { scan->at.time_us, scan->at.seq, 0 };

	if (sealed->next == sealed->entries_count || hot_is_before_blocks(merge))
		return false;
	struct position before = day_block_first(&sealed->entries[sealed->next].block, 0);
	before.seq--;
	if (position_compare(&before, &at) <= 0)
		return false;
	go_after(scan, &before);
	scan->end = SCAN_PAUSED;
	return true;
}

/* Where no block is open, whole ones are tried first; only then is the next one opened. 1 when something was given,
 * opened or passed over, 0 when the scan ends here, -1. */
static int go_to_next(struct merge *merge)
{
	struct sealed *sealed = &merge->sealed;
	size_t next = sealed->next;
	int result = give_spans(merge);

	if (result <= 0 || sealed->next > next)
		return result;
	if (sealed_open(sealed) != 0)
		return -1;
	if (sealed_head(sealed) || clock_monotonic_us() < merge->scan->deadline_us)
		return 1;
	return pause_before_next(merge) ? 0 : 1;
}

static int run(struct merge *merge)
{
	struct sealed *sealed = &merge->sealed;

	for (;;) {
		if (!sealed_head(sealed) && sealed->next < sealed->entries_count && !hot_is_before_blocks(merge)) {
			int result = go_to_next(merge);

			if (result <= 0)
				return result;
			if (!sealed_head(sealed))
				continue;
		}
		const struct sealed_head *head = sealed_head(sealed);
		if (head && head->position.time_us >= merge->scan->base.query.to_us)
			head = NULL;
		if (!head && !merge->hot->there)
			return 1;
		int result = hot_is_first(merge, head) ? step_hot(merge) : step_sealed(merge, head);
		if (result <= 0)
			return result;
	}
}

/* Where the partition is to be read from: after the position, or at the range's beginning. */
static struct position begin_position(const struct day_scan *scan)
{
	const struct scan_query *query = &scan->base.query;
	struct position after = { scan->at.time_us, scan->at.seq, (uint8_t)query->direction };

	if (after.time_us < query->from_us)
		after = (struct position){ query->from_us - 1, UINT64_MAX - 1, (uint8_t)query->direction };
	return after;
}

/* Of one account, the day may have it; those of many are read one after the other. NULL with *err. */
static const struct block_index *get_index(struct day_scan *scan, struct day *day, MDB_txn *txn,
                                           const struct partition *partition)
{
	if (scan->base.query.accounts_count == 1)
		return block_index_get(day, txn, partition, scan->err);
	return block_index_walk(&scan->walk, day, txn, partition, &scan->index, scan->err) == 0 ? &scan->index : NULL;
}

/* Merges what there is of a partition. As scan_partition. */
static int merge_all(struct day_scan *scan, struct day *day, MDB_txn *txn, const struct partition *partition,
                     const struct block_index *block_index, bool has_hot)
{
	const struct scan_query *query = &scan->base.query;
	struct position after = begin_position(scan);
	struct merge merge; /* not filled with zeros: partitions of a few rows are many */
	int result = 0;

	merge.scan = scan;
	merge.day = day;
	merge.txn = txn;
	merge.partition = *partition;
	merge.hot = &scan->hot;
	merge.hot->there = false;
	merge.sealed.store = scan->store;
	merge.sealed.day = day;
	merge.sealed.txn = txn;
	merge.sealed.product = query->product;
	merge.sealed.partition = *partition;
	merge.sealed.entries = block_index->entries;
	merge.sealed.entries_count = block_index_end(block_index, query->to_us);
	merge.sealed.filters = query->filters;
	merge.sealed.filters_count = query->filters_count;
	merge.sealed.places_only = true;
	merge.sealed.err = scan->err;
	sealed_begin(&merge.sealed, block_index_find(block_index, &after), &after);
	if (has_hot)
		result = hot_begin(&merge, &after);
	if (result == 0)
		result = run(&merge);
	if (has_hot)
		hot_cursor_close(&merge.hot->cursor);
	sealed_end(&merge.sealed);
	return result;
}

/* Of many accounts, most may have nothing on a day. */
int scan_partition(struct day_scan *scan, struct day *day, MDB_txn *txn, const struct account_key *account)
{
	const struct scan_query *query = &scan->base.query;
	struct partition partition = partition_of(account, query->product->number, (uint8_t)query->direction);

	scan->prices.block = NULL; /* an address may be another block's now */
	if (!day->hot.loaded && day_hot_load(day, txn, scan->err) != 0)
		return -1;
	const struct block_index *block_index = get_index(scan, day, txn, &partition);
	if (!block_index)
		return -1;
	bool has_hot = hot_partition_find(&day->hot, &partition) != NULL;
	return has_hot || block_index->count > 0 ? merge_all(scan, day, txn, &partition, block_index, has_hot) : 1;
}
