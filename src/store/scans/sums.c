/* SPDX-License-Identifier: ISC */
/*
 * sums.c: the records of a day, in any order. See sums.h.
 */
#include "store/sums.h"

#include "base/clock.h"
#include "store/blocks/block_skip.h"
#include "store/scans/scan_private.h"

#define LOOK_EVERY 128 /* records between looks at the clock */

struct summing {
	struct store *store;
	const struct scan_query *query;
	struct sums *sums;
	const struct scan_sink *sink;
	enum sums_end end; /* why it gives up */
	int64_t deadline_us;
	struct error *err;
	uint64_t columns; /* of the sink and the filters */
	unsigned seen;
	struct day *day;
	MDB_txn *txn;
	struct partition partition;
	struct block_reader *reader;
};

/* 1 to go on, 0 when the slice is over. */
static int look(struct summing *s)
{
	if (clock_monotonic_us() < s->deadline_us)
		return 1;
	s->end = SUMS_PAUSED;
	return 0;
}

/* 1 to go on, 0 when the sink has had enough. */
static int give(struct summing *s, const struct record *record, const struct place *place)
{
	struct scan_row row = { .record = record, .time_us = place->time_us, .seq = place->seq };
	if (!scan_passes(s->query, record) || s->sink->on_record(s->sink->arg, &row))
		return 1;
	s->end = SUMS_STOPPED;
	return 0;
}

/* --- blocks: each function returns 1 to go on, 0 when it ends here, -1. A block is read in one go --- */

static int give_row(struct summing *s, uint32_t row)
{
	struct block_reader *reader = s->reader;
	struct record record;
	if (block_reader_is_dead(reader, row))
		return 1;
	if (block_reader_load(reader, row, s->err) != 0)
		return -1;
	const struct place *place = block_reader_place(reader, row);
	if (place->time_us < s->query->from_us || place->time_us >= s->query->to_us)
		return 1;
	if (block_reader_record(reader, row, s->columns, &record, s->err) != 0)
		return -1;
	return give(s, &record, place);
}

static int give_rows(struct summing *s)
{
	int result = 1;
	for (uint32_t row = 0; result > 0 && row < s->reader->view.head.rows; row++)
		result = give_row(s, row);
	return result;
}

/* May the block that the reader has be given whole? */
static bool is_whole(const struct summing *s, const struct day_block *block, struct scan_span *span)
{
	const struct scan_query *query = s->query;
	const struct scan_sink *sink = s->sink;
	return block->dead == 0 && block->first_us >= query->from_us && block->last_us < query->to_us &&
	       block_skip_all_pass(s->reader->view.skip, query->filters, query->filters_count) &&
	       (!sink->wants_span || sink->wants_span(sink->arg, block->first_us, block->last_us)) &&
	       scan_span_fill(span, s->reader, block);
}

static int give_block(struct summing *s, const struct directory_entry *entry)
{
	const struct scan_query *query = s->query;
	struct scan_span span;
	int found = block_reader_begin(s->reader, s->day, s->txn, query->product, &s->partition, entry->number, s->err);
	if (found <= 0)
		return found < 0 ? -1 : 1;
	if (!block_skip_may_pass(s->reader->view.skip, query->filters, query->filters_count))
		return 1;
	if (!is_whole(s, &entry->block, &span))
		return give_rows(s);
	if (s->sink->on_span(s->sink->arg, &span, NULL))
		return 1;
	s->end = SUMS_STOPPED;
	return 0;
}

static int give_blocks(struct summing *s)
{
	const struct directory *directory = directory_get(s->day, s->txn, &s->partition, s->err);
	if (!directory)
		return -1;
	while (s->sums->entry < directory->count) {
		const struct directory_entry *entry = &directory->entries[s->sums->entry++];
		if (entry->block.first_us >= s->query->to_us)
			break;
		if (entry->block.last_us < s->query->from_us || entry->block.dead == entry->block.rows)
			continue;
		int result = give_block(s, entry);
		if (result > 0)
			result = look(s);
		if (result <= 0)
			return result;
	}
	s->sums->hot = true;
	s->sums->hot_us = s->query->from_us - 1;
	s->sums->hot_seq = UINT64_MAX - 1;
	return 1;
}

/* --- hot rows --- */

static int give_hot_row(struct summing *s, const struct place *place, MDB_val val)
{
	struct day_ghost ghost;
	struct record record;
	uint64_t changed_seq;
	if (day_ghost_read(val, &ghost))
		return 1;
	if (record_unpack(&record, s->query->product, env_str(val), &changed_seq, s->err) != 0)
		return -1;
	return give(s, &record, place);
}

static int give_hot(struct summing *s)
{
	uint8_t bytes[PLACE_KEY_LEN];
	struct place place = { s->sums->hot_us, s->sums->hot_seq + 1, s->partition.direction };
	MDB_val key = env_val(bytes, sizeof(bytes)), val;
	MDB_cursor *cursor;
	int result = 1;
	place_key_write(bytes, &s->partition, &place);
	int rc = mdb_cursor_open(s->txn, s->day->env.dbi[DAY_HOT], &cursor);
	if (rc)
		return env_fail(&s->day->env, rc, "open cursor", s->err);
	for (rc = mdb_cursor_get(cursor, &key, &val, MDB_SET_RANGE); !rc && result > 0;
	     rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) {
		struct partition partition;
		if (!partition_has_key(&s->partition, key) || !place_key_read(key, &partition, &place) ||
		    place.time_us >= s->query->to_us)
			break;
		result = give_hot_row(s, &place, val);
		s->sums->hot_us = place.time_us;
		s->sums->hot_seq = place.seq;
		if (result > 0 && ++s->seen % LOOK_EVERY == 0)
			result = look(s);
	}
	mdb_cursor_close(cursor);
	return result > 0 && rc && rc != MDB_NOTFOUND ? env_fail(&s->day->env, rc, "sum", s->err) : result;
}

/* --- the day --- */

/* Is all as it was when the sum was begun? */
static bool is_same(struct summing *s)
{
	if (s->sums->begun && s->sums->seals != s->day->seals) {
		s->end = SUMS_CHANGED;
		return false;
	}
	s->sums->begun = true;
	s->sums->seals = s->day->seals;
	return true;
}

static int give_day(struct summing *s)
{
	if (!is_same(s))
		return 0;
	s->txn = env_read(&s->day->env, s->err);
	s->reader = s->txn ? store_reader_take(s->store, s->err) : NULL;
	int result = s->reader ? 1 : -1;
	if (result > 0 && !s->sums->hot)
		result = give_blocks(s);
	if (result > 0)
		result = give_hot(s);
	if (s->reader)
		store_reader_give(s->store, s->reader);
	return s->txn ? env_read_end(&s->day->env, s->txn, result, s->err) : result;
}

int sums_run(struct store *store, const struct scan_query *query, struct sums *sums, int64_t deadline_us,
             const struct scan_sink *sink, enum sums_end *end, struct error *err)
{
	struct summing s = { .store = store, .query = query, .sums = sums, .sink = sink, .deadline_us = deadline_us,
		             .err = err };
	s.columns = query->columns ? query->columns : SCAN_COLUMNS_ALL;
	for (size_t i = 0; i < query->filters_count; i++)
		s.columns |= UINT64_C(1) << query->filters[i].column;
	s.partition = partition_of(query->accounts[0], query->product->number, (uint8_t)query->direction);
	s.day = store_day(store, clock_day_of(query->from_us), false, err);
	*end = SUMS_DONE;
	if (!s.day)
		return err->code == ERROR_NONE ? 0 : -1;
	int result = give_day(&s);
	*end = result == 0 ? s.end : SUMS_DONE;
	return result < 0 ? -1 : 0;
}
