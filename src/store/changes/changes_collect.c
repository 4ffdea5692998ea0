/* SPDX-License-Identifier: ISC */
/*
 * changes_collect.c: finds the changes with the smallest numbers after `since`. See changes.h.
 *
 * Days, and blocks within a day, are looked at in order of their smallest numbers. As soon as a page of changes has
 * been found, none with a greater number than its last one is wanted; so what can hold no smaller ones is left out.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "store/changes/changes_private.h"
#include "store/days/day_blocks.h"
#include "store/days/hot_rows.h"

#define LOOK_EVERY 256 /* hot rows between looks at the clock */

/* The day's current partition. */
struct collecting {
	struct day_changes *changes;
	struct day *day;
	MDB_txn *txn;
	struct partition partition;
	int64_t deadline_us;
	struct error *err;
};

static bool is_late(const struct collecting *c)
{
	return clock_monotonic_us() >= c->deadline_us;
}

/* --- accounts --- */

/* Of thousands of accounts few have changed since the last page: the others cost one look-up in memory each. */
void changes_list_accounts(struct day_changes *changes)
{
	const struct changes_query *query = &changes->query;

	buf_clear(&changes->accounts);
	for (uint32_t i = 0; i < query->accounts_count; i++)
		if (days_may_have_changes(changes->store, query->product, &query->accounts[i], query->since))
			buf_add(&changes->accounts, &i, sizeof(i));
}

/* The number among the query's accounts of the current one. */
static uint32_t account_at_hand(const struct day_changes *changes)
{
	uint32_t account;

	memcpy(&account, changes->accounts.data + changes->account_at * sizeof(account), sizeof(account));
	return account;
}

/* --- days --- */

static int compare_days(const void *a, const void *b)
{
	const struct change_day *left = a, *right = b;

	return (left->first > right->first) - (left->first < right->first);
}

int changes_list_days(struct day_changes *changes, struct error *err)
{
	struct store *store = changes->store;

	buf_clear(&changes->days);
	for (size_t i = 0; i < store->days_count; i++) {
		struct day *day = store->days[i];

		if (store_day_filter(store, day, err) != 0)
			return -1;
		struct change_day listed = { bloom_filter_next_change(day->filter, changes->query.since), day->number };
		if (listed.first <= changes->snapshot)
			buf_add(&changes->days, &listed, sizeof(listed));
	}
	if (changes->days.len > 0)
		qsort(changes->days.data, changes->days.len / sizeof(struct change_day), sizeof(struct change_day),
		      compare_days);
	return 0;
}

/* --- rows --- */

static bool is_wanted(const struct day_changes *changes, uint64_t seq)
{
	return seq > changes->query.since && seq <= changes->snapshot && seq < changes->limit;
}

static void add(struct day_changes *changes, struct change_row *row)
{
	row->order = changes->order++;
	buf_add(&changes->rows, row, sizeof(*row));
	if (changes_count(changes) >= 2 * (changes->query.max + 1))
		changes_settle(changes);
}

static int add_hot(struct collecting *c, MDB_val val, const struct position *position)
{
	struct day_tombstone tombstone;
	struct change_row row = { .account = account_at_hand(c->changes),
		                  .day = c->day->number,
		                  .position = *position };

	if (day_tombstone_read(val, &tombstone))
		return 0;
	if (!record_changed_seq(env_str(val), &row.seq))
		return error_set(c->err, ERROR_CORRUPT, "%s: a hot row cannot be read", c->day->env.path);
	if (is_wanted(c->changes, row.seq))
		add(c->changes, &row);
	return 0;
}

/* 1 when all are done, 0 when the slice is over, -1. */
static int walk_hot(struct collecting *c, struct hot_cursor *cursor)
{
	struct day_changes *changes = c->changes;
	int found = hot_cursor_seek(cursor, &changes->hot_next, c->err);

	for (; found > 0; found = hot_cursor_next(cursor, c->err)) {
		if (add_hot(c, cursor->val, &cursor->position) != 0)
			return -1;
		changes->hot_next = cursor->position;
		changes->hot_next.seq++;
		if (++changes->seen % LOOK_EVERY == 0 && is_late(c))
			return 0;
	}
	return found < 0 ? -1 : 1;
}

static int collect_hot(struct collecting *c)
{
	struct hot_cursor cursor;
	int result = hot_cursor_open(&cursor, c->day, c->txn, &c->partition, c->changes->snapshot, c->err);

	if (result == 0)
		result = walk_hot(c, &cursor);
	hot_cursor_close(&cursor);
	c->changes->hot_done = result > 0;
	return result;
}

/* --- blocks --- */

/* The state of a walk over a block's rows whose change number is not that of their position. */
struct changed_walk {
	const struct block_view *view;
	uint32_t at;
	struct block_change next;
};

static void changed_load(struct changed_walk *walk)
{
	bool there = walk->at < walk->view->head.changed_count;

	walk->next = there ? block_change(walk->view, walk->at) : (struct block_change){ .row = UINT64_MAX };
}

static uint64_t changed_seq_of(struct changed_walk *walk, uint32_t row, uint64_t place_seq)
{
	if (walk->next.row != row)
		return place_seq;
	uint64_t seq = walk->next.seq;
	walk->at++;
	changed_load(walk);
	return seq;
}

static int collect_rows(struct collecting *c, uint32_t number)
{
	struct day_changes *changes = c->changes;
	struct block_reader *reader = changes->reader;
	const struct block_view *view = &reader->view;
	struct changed_walk walk = { .view = view };
	struct position positions[SEGMENT_ROWS];

	changed_load(&walk);
	for (uint32_t s = 0; s < view->head.segments; s++) {
		struct block_segment segment = block_segment(view, s);

		if (segment.rows > SEGMENT_ROWS ||
		    !block_places_read(view, &segment, c->partition.direction, positions))
			return error_set(c->err, ERROR_CORRUPT, "%s: block %u: a segment is damaged", c->day->env.path,
			                 number);
		for (uint32_t i = 0; i < segment.rows; i++) {
			uint32_t row = segment.first_row + i;
			uint64_t seq = changed_seq_of(&walk, row, positions[i].seq);

			if (!is_wanted(changes, seq) || block_reader_is_deleted(reader, row))
				continue;
			add(changes, &(struct change_row){ .seq = seq,
			                                   .account = account_at_hand(changes),
			                                   .day = c->day->number,
			                                   .position = positions[i],
			                                   .sealed = true,
			                                   .block = number,
			                                   .row = row });
		}
	}
	return 0;
}

static int compare_blocks(const void *a, const void *b)
{
	const struct change_block *left = a, *right = b;

	return (left->changed_min > right->changed_min) - (left->changed_min < right->changed_min);
}

static int list_blocks(struct collecting *c)
{
	struct day_changes *changes = c->changes;
	const struct block_index *block_index = block_index_get(c->day, c->txn, &c->partition, c->err);

	if (!block_index)
		return -1;
	buf_clear(&changes->blocks);
	for (size_t i = 0; i < block_index->count; i++) {
		const struct day_block *block = &block_index->entries[i].block;
		struct change_block listed = { block->changed_min, block_index->entries[i].number };

		if (block->changed_max > changes->query.since && block->changed_min < changes->limit &&
		    block->changed_min <= changes->snapshot && block->deleted < block->rows)
			buf_add(&changes->blocks, &listed, sizeof(listed));
	}
	if (changes->blocks.failed) /* the next partition's list would hide it */
		return error_set(c->err, ERROR_NOMEM, "changes: out of memory");
	if (changes->blocks.len > 0)
		qsort(changes->blocks.data, changes->blocks.len / sizeof(struct change_block),
		      sizeof(struct change_block), compare_blocks);
	changes->block_at = 0;
	changes->seals = c->day->seals;
	changes->listed = true;
	return 0;
}

static int collect_blocks(struct collecting *c)
{
	struct day_changes *changes = c->changes;

	if ((!changes->listed || changes->seals != c->day->seals) && list_blocks(c) != 0)
		return -1;
	size_t count = changes->blocks.len / sizeof(struct change_block);
	while (changes->block_at < count) {
		struct change_block block;

		memcpy(&block, changes->blocks.data + changes->block_at * sizeof(block), sizeof(block));
		if (block.changed_min >= changes->limit)
			break;
		int found = block_reader_begin(changes->reader, c->day, c->txn, changes->query.product, &c->partition,
		                               block.number, c->err);
		if (found < 0 || (found > 0 && collect_rows(c, block.number) != 0))
			return -1;
		changes->block_at++;
		if (is_late(c))
			return 0;
	}
	return 1;
}

/* --- a day --- */

static void begin_partition(struct day_changes *changes, uint8_t direction)
{
	changes->direction = direction;
	changes->hot_done = changes->listed = false;
	changes->hot_next = (struct position){ .direction = direction };
}

static int collect_partitions(struct collecting *c)
{
	struct day_changes *changes = c->changes;
	const struct catalog_product *product = changes->query.product;
	uint8_t last = product->partition_direction ? CATALOG_INBOUND : CATALOG_NO_DIRECTION;
	int result = 1;

	while (changes->direction <= last) {
		c->partition = partition_of(&changes->query.accounts[account_at_hand(changes)], product->number,
		                            changes->direction);
		if (!changes->hot_done)
			result = collect_hot(c);
		if (result > 0)
			result = collect_blocks(c);
		if (result <= 0)
			return result;
		begin_partition(changes, (uint8_t)(changes->direction + 1));
	}
	return 1;
}

/* The accounts from the current one on. */
static int collect_accounts(struct collecting *c)
{
	struct day_changes *changes = c->changes;
	size_t count = changes->accounts.len / sizeof(uint32_t);

	while (changes->account_at < count) {
		int result = collect_partitions(c);

		if (result <= 0)
			return result;
		changes->account_at++;
		begin_partition(changes, CATALOG_NO_DIRECTION);
		if (changes->account_at < count && is_late(c))
			return 0;
	}
	changes->account_at = 0;
	return 1;
}

/* 1 when the day is done, 0 when the slice is over, -1. */
static int collect_day(struct collecting *c, int32_t number)
{
	struct store *store = c->changes->store;

	c->day = store_day(store, number, false, c->err);
	if (!c->day)
		return c->err->code == ERROR_NONE ? 1 : -1;
	c->txn = env_read(&c->day->env, c->err);
	if (!c->txn)
		return -1;
	c->day->pins++;
	int result = 0;
	if (!bloom_filter_ready(c->day->filter))
		result = store_day_ready(store, c->day, c->txn, c->err);
	if (result == 0)
		result = collect_accounts(c);
	c->day->pins--;
	return env_read_end(&c->day->env, c->txn, result, c->err);
}

int changes_collect(struct day_changes *changes, int64_t deadline_us, struct error *err)
{
	struct collecting c = { .changes = changes, .deadline_us = deadline_us, .err = err };
	size_t count = changes->days.len / sizeof(struct change_day);

	while (changes->day_at < count) {
		struct change_day day;

		memcpy(&day, changes->days.data + changes->day_at * sizeof(day), sizeof(day));
		if (day.first >= changes->limit)
			break;
		int result = collect_day(&c, day.number);
		if (result <= 0)
			return result;
		changes->day_at++;
		begin_partition(changes, CATALOG_NO_DIRECTION);
		if (is_late(&c))
			return 0;
	}
	return 1;
}
