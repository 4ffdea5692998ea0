/* SPDX-License-Identifier: ISC */
/*
 * changes_fetch.c: reads the records of the changes that were found, in the order in which they lie. See changes.h.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "store/changes/changes_private.h"
#include "store/days/hot_rows.h"

#define LOOK_EVERY 16 /* records between looks at the clock */

/* The current day. */
struct fetching {
	struct day_changes *changes;
	struct day *day;
	MDB_txn *txn;
	uint32_t account; /* of the query's: the partition's */
	struct partition partition;
	bool has_block; /* the reader has `block` of the partition, from this transaction */
	uint32_t block;
	struct error *err;
};

static int by_place(const void *a, const void *b)
{
	const struct change_row *left = a, *right = b;

	if (left->day != right->day)
		return left->day < right->day ? -1 : 1;
	if (left->account != right->account)
		return left->account < right->account ? -1 : 1;
	if (left->position.direction != right->position.direction)
		return left->position.direction < right->position.direction ? -1 : 1;
	if (left->sealed != right->sealed)
		return left->sealed ? 1 : -1;
	if (!left->sealed)
		return position_compare(&left->position, &right->position);
	if (left->block != right->block)
		return left->block < right->block ? -1 : 1;
	return (left->row > right->row) - (left->row < right->row);
}

/* 1 with *record if the change is still at its position, 0, -1. */
static int read_hot(struct fetching *f, const struct change_row *row, struct record *record)
{
	struct day_tombstone tombstone;
	uint64_t seq;
	MDB_val val;
	int found = hot_row_get(f->day, f->txn, &f->partition, &row->position, &val, f->err);

	if (found <= 0)
		return found;
	if (day_tombstone_read(val, &tombstone))
		return 0;
	if (record_unpack(record, f->changes->query.product, env_str(val), &seq, f->err) != 0)
		return -1;
	return seq == row->seq;
}

static int begin_block(struct fetching *f, uint32_t number)
{
	if (f->has_block && f->block == number)
		return 1;
	int found = block_reader_begin(f->changes->reader, f->day, f->txn, f->changes->query.product, &f->partition,
	                               number, f->err);
	f->has_block = found > 0;
	f->block = number;
	return found;
}

static int read_sealed(struct fetching *f, const struct change_row *row, struct record *record)
{
	struct block_reader *reader = f->changes->reader;
	int found = begin_block(f, row->block);

	if (found <= 0)
		return found;
	if (row->row >= reader->view.head.rows || block_reader_is_deleted(reader, row->row))
		return 0;
	if (block_reader_load_row(reader, row->row, f->err) != 0)
		return -1;
	if (block_reader_changed(reader, row->row, block_reader_position(reader, row->row)->seq) != row->seq)
		return 0;
	return block_reader_record(reader, row->row, f->changes->query.columns, record, f->err) == 0 ? 1 : -1;
}

static int fetch_row(struct fetching *f, struct change_row *row)
{
	struct day_changes *changes = f->changes;
	struct record record;

	if (row->account != f->account || row->position.direction != f->partition.direction) {
		f->account = row->account;
		f->partition = partition_of(&changes->query.accounts[row->account], changes->query.product->number,
		                            row->position.direction);
		f->has_block = false;
	}
	int found = row->sealed ? read_sealed(f, row, &record) : read_hot(f, row, &record);
	if (found < 0)
		return -1;
	row->text_at = changes->text.len;
	if (found)
		changes->query.write(changes->query.arg, &changes->text, &record);
	else if (row->seq < changes->cut)
		changes->cut = row->seq;
	row->text_len = changes->text.len - row->text_at;
	return 0;
}

/* The changes of a removed day are gone, too. */
static void pass_day(struct day_changes *changes, int32_t number)
{
	const struct change_row *rows = changes_rows(changes);
	size_t count = changes_count(changes);

	for (; changes->fetch_at < count && rows[changes->fetch_at].day == number; changes->fetch_at++)
		if (rows[changes->fetch_at].seq < changes->cut)
			changes->cut = rows[changes->fetch_at].seq;
}

/* 1 when the day is done, 0 when the slice is over, -1. */
static int fetch_rows(struct fetching *f, int64_t deadline_us)
{
	struct day_changes *changes = f->changes;
	struct change_row *rows = changes_rows(changes);
	size_t count = changes_count(changes);

	while (changes->fetch_at < count && rows[changes->fetch_at].day == f->day->number) {
		if (fetch_row(f, &rows[changes->fetch_at]) != 0)
			return -1;
		changes->fetch_at++;
		if (++changes->seen % LOOK_EVERY == 0 && clock_monotonic_us() >= deadline_us)
			return 0;
	}
	return 1;
}

static int fetch_day(struct day_changes *changes, int32_t number, int64_t deadline_us, struct error *err)
{
	struct fetching f = { .changes = changes, .account = UINT32_MAX, .err = err };

	f.day = store_day(changes->store, number, false, err);
	if (!f.day && err->code == ERROR_NONE) {
		pass_day(changes, number);
		return 1;
	}
	f.txn = f.day ? env_read(&f.day->env, err) : NULL;
	if (!f.txn)
		return -1;
	f.day->pins++;
	int result = fetch_rows(&f, deadline_us);
	f.day->pins--;
	return env_read_end(&f.day->env, f.txn, result, err);
}

int changes_fetch(struct day_changes *changes, int64_t deadline_us, struct error *err)
{
	struct change_row *rows = changes_rows(changes);
	size_t count = changes_count(changes);
	int result = 1;

	if (changes->fetch_at == 0 && count > 0)
		qsort(rows, count, sizeof(*rows), by_place);
	while (result > 0 && changes->fetch_at < count) {
		result = fetch_day(changes, rows[changes->fetch_at].day, deadline_us, err);
		if (result > 0 && changes->fetch_at < count && clock_monotonic_us() >= deadline_us)
			result = 0;
	}
	return result;
}
