/* SPDX-License-Identifier: ISC */
/*
 * seal_gather.c: rows of a partition become blocks in memory, a slice at a time. See seal.h.
 */
#include "base/clock.h"
#include "base/prefetch.h"
#include "meta/accounts.h"
#include "store/days/hot_rows.h"
#include "store/sealing/seal_private.h"

#define LOOK_EVERY 16 /* rows */
#define NODE_HEAD 8   /* bytes before a key in a page of LMDB */
#define NODE_MAX 2048 /* about; longer rows have pages of their own */

/* Names the day, partition and block of an error. */
static int cannot_build(struct seal *seal, struct error *err)
{
	const struct error cause = *err;

	seal->misread = cause.code == ERROR_CORRUPT;
	return error_set(err, cause.code, "%s, account %s, %s, direction %u: block %zu of the %s is not stored: %s",
	                 seal->day->env.path, accounts_key_text(seal->day->meta, &seal->partition.account).text,
	                 seal->product->name.p, seal->partition.direction, seal->blocks.len / sizeof(struct seal_block),
	                 seal->runs_count ? "merge" : "seal", cause.message);
}

static int finish_block(struct seal *seal, struct error *err)
{
	struct seal_block block = { .offset = seal->values.len };
	uint32_t rows = block_builder_rows(seal->builder);

	if (rows == 0)
		return 0;
	block.first_row = seal_rows(seal) - rows;
	if (block_builder_finish(seal->builder, &seal->values, &block.entry, err) != 0)
		return cannot_build(seal, err);
	block.misread = block_builder_misread(seal->builder);
	buf_add(&seal->blocks, &block, sizeof(block));
	return 0;
}

static int add_row(struct seal *seal, const struct record *record, const struct position *position,
                   uint64_t changed_seq, struct error *err)
{
	uint64_t hashes[CATALOG_COLUMNS_MAX];
	size_t count = day_id_hashes(&seal->partition.account, record, hashes, NULL);
	uint32_t row = seal_rows(seal);
	bool full = false;

	for (size_t i = 0; i < count; i++) {
		ids_entry entry = ids_entry_of(hashes[i], row);
		buf_add(&seal->ids, &entry, sizeof(entry));
	}
	for (size_t i = 0; i < count && !seal->runs_count; i++)
		buf_add(&seal->gone, &(struct hot_gone){ hashes[i], position->seq }, sizeof(struct hot_gone));
	buf_add(&seal->positions, position, sizeof(*position));
	if (seal->ids.failed || seal->gone.failed || seal->positions.failed)
		return error_set(err, ERROR_NOMEM, "sealing: out of memory");
	if (block_builder_add(seal->builder, record, position, changed_seq, &full, err) != 0)
		return cannot_build(seal, err);
	seal->after = *position;
	return full ? finish_block(seal, err) : 0;
}

/* Does gathering pause or end after this row? 1 when all is gathered, 0 to continue, 2 to pause. */
static int look(const struct seal *seal, int64_t deadline_us)
{
	uint32_t rows = seal_rows(seal);

	if (rows >= seal->rows_max || seal->values.len >= SEAL_BYTES_MAX)
		return 1;
	return rows % LOOK_EVERY == 0 && clock_monotonic_us() >= deadline_us ? 2 : 0;
}

/* Prefetches the row that is probably next. LMDB fills a page from its end on: the row that was put after this one
 * stands right before it, after a head and a key of its own. If that is another row, it is needed soon, too. */
PREFETCH_INLINE void prefetch_next(MDB_val val)
{
	if (val.mv_size < NODE_MAX)
		prefetch_before(val.mv_data, val.mv_size + 2 * (NODE_HEAD + ROW_KEY_LEN));
}

/* Takes the current row. As gather_hot, or 0 to continue. */
static int add_hot(struct seal *seal, const struct hot_cursor *cursor, int64_t deadline_us, struct error *err)
{
	struct day_tombstone tombstone;
	struct record record;
	uint64_t changed_seq;

	if (day_tombstone_read(cursor->val, &tombstone))
		return 0;
	prefetch_next(cursor->val);
	if (record_unpack(&record, seal->product, env_str(cursor->val), &changed_seq, err) != 0)
		return -1;
	/* Committed since the job began: it is not dead by the job's mark (hot_sealed.h), so it must stay hot. */
	if (changed_seq > seal->snapshot)
		return 0;
	if (add_row(seal, &record, &cursor->position, changed_seq, err) != 0)
		return -1;
	return look(seal, deadline_us);
}

/* 1 when all rows are there, 2 when the slice is over, -1. */
static int gather_hot(struct seal *seal, MDB_txn *txn, int64_t deadline_us, struct error *err)
{
	struct hot_cursor cursor;
	struct position from = seal->after;

	from.seq++;
	int result = hot_cursor_open(&cursor, seal->day, txn, &seal->partition, seal->snapshot, err);
	cursor.learns_ahead = true;
	int found = result == 0 ? hot_cursor_seek(&cursor, &from, err) : -1;
	for (; found > 0 && result == 0; found = result == 0 ? hot_cursor_next(&cursor, err) : 0)
		result = add_hot(seal, &cursor, deadline_us, err);
	hot_cursor_close(&cursor);
	if (found < 0)
		return -1;
	seal->whole = result == 0;
	return result ? result : 1;
}

static int add_sealed(struct seal *seal, const struct sealed_head *head, struct error *err)
{
	struct record record;
	uint64_t changed_seq = block_reader_changed(head->reader, head->row, head->position.seq);

	if (block_reader_record(head->reader, head->row, SCAN_COLUMNS_ALL, &record, err) != 0)
		return -1;
	if (seal->change && seal->change(seal->change_arg, &record))
		changed_seq = SEAL_CHANGE_PENDING + seal->changes++;
	return add_row(seal, &record, &head->position, changed_seq, err);
}

static int gather_runs(struct store *store, struct seal *seal, MDB_txn *txn, int64_t deadline_us, struct error *err)
{
	struct sealed sealed = { .store = store,
		                 .day = seal->day,
		                 .txn = txn,
		                 .product = seal->product,
		                 .partition = seal->partition,
		                 .entries = seal->entries.entries,
		                 .entries_count = seal->entries.count,
		                 .err = err };
	const struct sealed_head *head;
	int result = 0;

	sealed_begin(&sealed, block_index_find(&seal->entries, &seal->after), &seal->after);
	int rc = sealed_open(&sealed);
	while (rc == 0 && !result && (head = sealed_head(&sealed))) {
		if (add_sealed(seal, head, err) != 0)
			rc = -1;
		else
			rc = sealed_next(&sealed);
		if (rc == 0 && !sealed_head(&sealed))
			rc = sealed_open(&sealed);
		result = look(seal, deadline_us) == 2 ? 2 :
		                                        0; /* all of the runs are taken, however many rows they have */
	}
	sealed_end(&sealed);
	if (rc != 0)
		return -1;
	return result ? result : 1;
}

/* Where the part before this one has taken all, what is left came after the job had begun. */
static void note_nothing(const struct store *store, const struct seal *seal)
{
	struct hot_partition *own = hot_partition_find(&seal->day->hot, &seal->partition);

	if (own && seal->rows_left < seal_job_rows(store))
		own->since_us = seal->begun_us;
}

int seal_gather(struct store *store, struct seal *seal, int64_t deadline_us, struct error *err)
{
	MDB_txn *txn = env_read(&seal->day->env, err);

	if (!txn)
		return -1;
	int result = seal->runs_count ? gather_runs(store, seal, txn, deadline_us, err) :
	                                gather_hot(seal, txn, deadline_us, err);
	result = env_read_end(&seal->day->env, txn, result, err);
	if (result < 0 || result == 2)
		return result < 0 ? -1 : 0;
	if (finish_block(seal, err) != 0)
		return -1;
	if (seal->values.failed || seal->blocks.failed)
		return error_set(err, ERROR_NOMEM, "sealing: out of memory");
	seal_set_state(seal, SEAL_STORE);
	if (seal_rows(seal) == 0 && !seal->runs_count) {
		note_nothing(store, seal);
		seal_forget(store);
	}
	return 0;
}
