/* SPDX-License-Identifier: ISC */
/*
 * count.c: see count.h.
 *
 * For a count, order does not matter, and neither does what stands where: each block has its living rows, and `hot` has
 * one row for each record whose newest version is not sealed (its older one in a block is dead then).
 */
#include "store/count.h"

#include "base/clock.h"
#include "store/blocks/block_skip.h"
#include "store/scans/scan_private.h"

#define LOOK_EVERY 256 /* hot rows between looks at the clock */

struct counting {
	struct store *store;
	const struct scan_query *query;
	struct count *count;
	int64_t deadline_us;
	struct error *err;
	uint64_t columns; /* of the filters */

	/* the account's day at hand */
	struct day *day;
	MDB_txn *txn;
	struct partition partition;
	struct block_reader *reader;
};

static bool is_late(const struct counting *c)
{
	return clock_monotonic_us() >= c->deadline_us;
}

/* --- blocks --- */

static void add_whole(struct counting *c, uint64_t rows)
{
	c->count->rows += rows;
	c->count->seen += rows;
}

/* As many of the rows as the range has of the block's time. */
static void add_share(struct counting *c, const struct day_block *block)
{
	const struct scan_query *query = c->query;
	int64_t first = block->first_us > query->from_us ? block->first_us : query->from_us;
	int64_t last = block->last_us < query->to_us ? block->last_us : query->to_us;
	double share = (double)(last - first + 1) / (double)(block->last_us - block->first_us + 1);
	add_whole(c, (uint64_t)(share * (block->rows - block->dead)));
}

static int count_row(struct counting *c, uint32_t row)
{
	const struct scan_query *query = c->query;
	struct block_reader *reader = c->reader;
	struct record record;
	if (block_reader_is_dead(reader, row))
		return 0;
	if (block_reader_load(reader, row, c->err) != 0)
		return -1;
	int64_t time_us = block_reader_place(reader, row)->time_us;
	if (time_us < query->from_us || time_us >= query->to_us)
		return 0;
	c->count->seen++;
	if (query->filters_count > 0 && block_reader_record(reader, row, c->columns, &record, c->err) != 0)
		return -1;
	c->count->rows += query->filters_count == 0 || scan_passes(query, &record);
	return 0;
}

static int count_rows(struct counting *c)
{
	uint32_t rows = c->reader->view.head.rows;
	for (uint32_t row = 0; row < rows; row++)
		if (count_row(c, row) != 0)
			return -1;
	return 0;
}

/* A block that the range does not take whole, or that filters have a say in. */
static int look_into(struct counting *c, const struct directory_entry *entry, bool whole)
{
	const struct scan_query *query = c->query;
	uint64_t living = entry->block.rows - entry->block.dead;
	if (!c->reader && !(c->reader = store_reader_take(c->store, c->err)))
		return -1;
	int found = block_reader_begin(c->reader, c->day, c->txn, query->product, &c->partition, entry->number, c->err);
	if (found <= 0)
		return found;
	struct str skip = c->reader->view.skip;
	if (!block_skip_may_pass(skip, query->filters, query->filters_count)) {
		c->count->seen += living;
		return 0;
	}
	if (whole && block_skip_all_pass(skip, query->filters, query->filters_count)) {
		add_whole(c, living);
		return 0;
	}
	return count_rows(c);
}

static int count_block(struct counting *c, const struct directory_entry *entry)
{
	const struct day_block *block = &entry->block;
	const struct scan_query *query = c->query;
	bool whole = block->first_us >= query->from_us && block->last_us < query->to_us;
	if (block->dead == block->rows || block->last_us < query->from_us)
		return 0;
	if (whole && (query->filters_count == 0 || c->count->rough))
		add_whole(c, block->rows - block->dead);
	else if (c->count->rough)
		add_share(c, block);
	else
		return look_into(c, entry, whole);
	return 0;
}

/* The directory's blocks, in order of their beginnings. 1 when they are done, 0 when it is late, -1. */
static int count_blocks(struct counting *c)
{
	struct count *count = c->count;
	const struct directory *directory = directory_get(c->day, c->txn, &c->partition, c->err);
	if (!directory)
		return -1;
	if (count->entry > 0 && count->seals != c->day->seals) {
		count->entry = 0;
		count->rows = count->begun_rows;
		count->seen = count->begun_seen;
	}
	if (count->entry == 0) {
		count->seals = c->day->seals;
		count->begun_rows = count->rows;
		count->begun_seen = count->seen;
	}
	while (count->entry < directory->count) {
		const struct directory_entry *entry = &directory->entries[count->entry];
		if (entry->block.first_us >= c->query->to_us)
			break;
		if (count_block(c, entry) != 0)
			return -1;
		count->entry++;
		if (is_late(c))
			return 0;
	}
	return 1;
}

/* --- hot rows --- */

static int count_hot_row(struct counting *c, MDB_val val)
{
	const struct scan_query *query = c->query;
	struct record record;
	struct day_ghost ghost;
	uint64_t changed_seq;
	if (day_ghost_read(val, &ghost))
		return 0;
	c->count->seen++;
	if (query->filters_count > 0 && !c->count->rough) {
		if (record_unpack(&record, query->product, env_str(val), &changed_seq, c->err) != 0)
			return -1;
		if (!scan_passes(query, &record))
			return 0;
	}
	c->count->rows++;
	return 0;
}

static int walk_hot(struct counting *c, MDB_cursor *cursor)
{
	struct count *count = c->count;
	uint8_t bytes[PLACE_KEY_LEN];
	struct place place = { count->hot_us, count->hot_seq + 1, c->partition.direction };
	MDB_val key = env_val(bytes, sizeof(bytes)), val;
	place_key_write(bytes, &c->partition, &place);
	int rc = mdb_cursor_get(cursor, &key, &val, MDB_SET_RANGE);
	for (unsigned seen = 1; !rc; rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT), seen++) {
		struct partition partition;
		if (!partition_has_key(&c->partition, key) || !place_key_read(key, &partition, &place) ||
		    place.time_us >= c->query->to_us)
			return 1;
		if (count_hot_row(c, val) != 0)
			return -1;
		count->hot_us = place.time_us;
		count->hot_seq = place.seq;
		if (seen % LOOK_EVERY == 0 && is_late(c))
			return 0;
	}
	return rc == MDB_NOTFOUND ? 1 : env_fail(&c->day->env, rc, "count", c->err);
}

static int count_hot(struct counting *c)
{
	struct count *count = c->count;
	MDB_cursor *cursor;
	if (!count->hot) {
		count->hot = true;
		count->hot_us = c->query->from_us - 1;
		count->hot_seq = UINT64_MAX - 1;
	}
	int rc = mdb_cursor_open(c->txn, c->day->env.dbi[DAY_HOT], &cursor);
	if (rc)
		return env_fail(&c->day->env, rc, "open cursor", c->err);
	int result = walk_hot(c, cursor);
	mdb_cursor_close(cursor);
	return result;
}

/* --- days --- */

static void begin_account(struct count *count, int32_t day, uint32_t account)
{
	count->day = day;
	count->account = account;
	count->entry = 0;
	count->hot = false;
}

static int count_account(struct counting *c)
{
	struct count *count = c->count;
	const struct scan_query *query = c->query;
	c->partition = partition_of(query->accounts[count->account], query->product->number, (uint8_t)query->direction);
	int result = count->hot ? 1 : count_blocks(c);
	return result > 0 ? count_hot(c) : result;
}

/* 1 when the day is done, 0 when it is late, -1. */
static int count_accounts(struct counting *c)
{
	struct count *count = c->count;
	while (count->account < c->query->accounts_count) {
		int result = count_account(c);
		if (result <= 0)
			return result;
		begin_account(count, count->day, count->account + 1);
		if (is_late(c))
			return 0;
	}
	return 1;
}

static int count_day(struct counting *c, int32_t number)
{
	if (c->count->day != number)
		begin_account(c->count, number, 0);
	c->day = store_day(c->store, number, false, c->err);
	if (!c->day)
		return c->err->code == ERROR_NONE ? 1 : -1;
	c->txn = env_read(&c->day->env, c->err);
	if (!c->txn)
		return -1;
	c->day->pins++;
	int result = count_accounts(c);
	c->day->pins--;
	return env_read_end(&c->day->env, c->txn, result, c->err);
}

int count_run(struct store *store, const struct scan_query *query, struct count *count, int64_t deadline_us,
              enum scan_end *end, struct error *err)
{
	struct counting c = { .store = store, .query = query, .count = count, .deadline_us = deadline_us, .err = err };
	int32_t first = clock_day_of(query->from_us), last = clock_day_of(query->to_us - 1);
	int result = 1;
	for (size_t i = 0; i < query->filters_count; i++)
		c.columns |= UINT64_C(1) << query->filters[i].column;
	if (count->day > first)
		first = count->day;
	for (size_t i = store_day_index(store, first); result > 0 && i < store->days_count && store->day_numbers[i] <= last;
	     i++)
		result = count_day(&c, store->day_numbers[i]);
	if (c.reader)
		store_reader_give(store, c.reader);
	*end = result == 0 ? SCAN_PAUSED : SCAN_DONE;
	return result < 0 ? -1 : 0;
}
