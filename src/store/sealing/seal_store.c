/* SPDX-License-Identifier: ISC */
/*
 * seal_store.c: what was gathered goes into the day's write transaction, in one go; then the log is trimmed. See seal.h.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "meta/accounts.h"
#include "store/blocks/bundle.h"
#include "store/changes/changes_note.h"
#include "store/days/hot_rows.h"
#include "store/days/hot_sealed.h"
#include "store/sealing/seal_private.h"

/* Dead rows are looked for among so many: twice the rows that are sealed, as most of them are dead. */
#define TRIM_TIMES 2
#define TRIM_MORE 1024 /* and so many more: where nothing is hot, all are to go */
#define TRIM_STEP 1024 /* rows between looks at the clock */

/* What one store works on. */
struct work {
	struct store *store;
	struct seal *seal;
	struct day *day;
	MDB_txn *txn;
	struct error *err;
};

static int fail(const struct work *work, int rc, const char *doing)
{
	return env_fail(&work->day->env, rc, doing, work->err);
}

static int put(const struct work *work, enum day_db db, uint32_t number, MDB_val val)
{
	uint8_t bytes[NUMBER_KEY_LEN];

	number_key_write(bytes, &work->seal->partition, number);
	MDB_val key = env_val(bytes, sizeof(bytes));
	int rc = mdb_put(work->txn, work->day->env.dbi[db], &key, &val, 0);
	return rc ? fail(work, rc, "put block") : 0;
}

static int del(const struct work *work, enum day_db db, uint32_t number)
{
	uint8_t bytes[NUMBER_KEY_LEN];

	number_key_write(bytes, &work->seal->partition, number);
	MDB_val key = env_val(bytes, sizeof(bytes));
	int rc = mdb_del(work->txn, work->day->env.dbi[db], &key, NULL);
	return rc && rc != MDB_NOTFOUND ? fail(work, rc, "remove block") : 0;
}

/* One more than the last number of the partition in a database. */
static int next_number(const struct work *work, enum day_db db, uint32_t *number)
{
	struct partition partition;
	MDB_cursor *cursor;
	MDB_val key, val;

	int rc = mdb_cursor_open(work->txn, work->day->env.dbi[db], &cursor);
	if (rc)
		return fail(work, rc, "open cursor");
	rc = number_key_last(cursor, &work->seal->partition, &key, &val);
	*number = 0;
	if (!rc && partition_has_key(&work->seal->partition, key) && number_key_read(key, &partition, number))
		++*number;
	mdb_cursor_close(cursor);
	return rc && rc != MDB_NOTFOUND ? fail(work, rc, "last block") : 0;
}

/* --- rows replaced while they were gathered --- */

static int compare_positions(const void *a, const void *b)
{
	return position_compare(a, b);
}

static bool is_touched(const struct seal *seal, const struct position *position)
{
	size_t count = seal->touched.len / sizeof(*position);

	return count && bsearch(position, seal->touched.data, count, sizeof(*position), compare_positions);
}

/* Writes the bitmap of a new block's rows that were touched, and counts them in its entry. */
static int put_touched(const struct work *work, uint32_t number, struct seal_block *block)
{
	struct seal *seal = work->seal;
	const struct position *positions = (const struct position *)(void *)seal->positions.data + block->first_row;
	uint8_t bits[BLOCK_ROWS / 8] = { 0 };

	if (seal->touched.len == 0)
		return 0;
	for (uint32_t i = 0; i < block->entry.rows; i++) {
		if (!is_touched(seal, &positions[i]))
			continue;
		bits[i / 8] |= (uint8_t)(1 << i % 8);
		block->entry.deleted++;
	}
	return block->entry.deleted ? put(work, DAY_DELETED, number, env_val(bits, (block->entry.rows + 7) / 8)) : 0;
}

/* --- writing --- */

static void tell_of_misread(const struct work *work, uint32_t number, const struct seal_block *block)
{
	work->store->sealing.misread += block->misread;
	if (block->misread)
		log_error(
			"store",
			"%s, account %s, %s, direction %u, block %u: %u of its parts did not read back as they were written; "
			"they are stored uncompressed, nothing is lost",
			work->day->env.path, accounts_key_text(work->day->meta, &work->seal->partition.account).text,
			work->seal->product->name.p, work->seal->partition.direction, number, block->misread);
}

static int put_blocks(const struct work *work, uint32_t first_block, uint32_t run)
{
	struct seal *seal = work->seal;
	struct seal_block *blocks = (struct seal_block *)(void *)seal->blocks.data;
	uint32_t count = (uint32_t)(seal->blocks.len / sizeof(*blocks));

	for (uint32_t i = 0; i < count; i++) {
		struct seal_block *block = &blocks[i];

		block->entry.run = run;
		tell_of_misread(work, first_block + i, block);
		if (put_touched(work, first_block + i, block) != 0 ||
		    bundle_put_block(work->day, &seal->partition, first_block + i,
		                     (struct str){ seal->values.data + block->offset, block->entry.value_bytes },
		                     work->err) != 0 ||
		    put(work, DAY_BLOCKS, first_block + i, env_val(&block->entry, sizeof(block->entry))) != 0)
			return -1;
	}
	return 0;
}

/* Runs of a day that may hold ids as they were given (day.h) are left as they are: verify tells both kinds apart. */
static int put_ids(const struct work *work, uint32_t first_block, uint32_t run)
{
	struct seal *seal = work->seal;
	const struct seal_block *blocks = (const struct seal_block *)(void *)seal->blocks.data;
	bool join = work->day->number >= work->store->ids_as_given_before;
	struct ids_draft draft = { .first_block = first_block, .entries = seal->ids };

	for (size_t i = 0; i < seal->blocks.len / sizeof(*blocks); i++)
		buf_add(&draft.rows, &blocks[i].entry.rows, sizeof(blocks[i].entry.rows));
	int result = ids_store(work->day, work->txn, &seal->partition, run, join, &draft, work->err);
	seal->ids = draft.entries;
	buf_free(&draft.rows);
	return result;
}

/* What is to be forgotten of the hot rows when the commit comes; not the ids of those that newer versions stand
 * over. */
static int note_gone(const struct work *work)
{
	const struct seal *seal = work->seal;
	const struct hot_gone *gone = (const struct hot_gone *)(const void *)seal->gone.data;
	const struct position *positions = (const struct position *)(const void *)seal->positions.data;
	struct buf *ids = &work->day->sealed_ids;

	for (size_t i = 0, row = 0; i < seal->gone.len / sizeof(*gone); i++) {
		while (positions[row].seq != gone[i].seq)
			row++;
		if (!is_touched(seal, &positions[row]))
			buf_add(ids, &gone[i], sizeof(gone[i]));
	}
	return ids->failed ? error_set(work->err, ERROR_NOMEM, "sealing: out of memory") : 0;
}

/* None while all rows of the day are being sealed: the log is dropped whole then, which takes no time. */
static uint32_t rows_to_trim(const struct work *work)
{
	const struct seal *seal = work->seal;
	const struct day *day = work->day;

	if (day->hot.rows == 0)
		return TRIM_TIMES * (seal_job_rows(work->store) - seal->rows_left) + TRIM_MORE;
	return seal->all || day->sheds ? 0 : TRIM_TIMES * seal_rows(seal);
}

/* Takes out the hot rows that are in blocks now, but not those that newer versions stand over. Their ids and positions
 * are known until the commit: others do not see the blocks before. */
static int remove_hot(const struct work *work)
{
	struct seal *seal = work->seal;
	struct day *day = work->day;
	uint32_t rows = seal_rows(seal), removed = 0;
	const struct position *positions = (const struct position *)(void *)seal->positions.data;
	const struct position *last = &positions[rows - 1];
	struct hot_mark mark = { seal->snapshot, { last->time_us, last->seq } };
	int64_t dead = 0;
	int marked = hot_mark_set(day, &seal->partition, &mark, seal->whole, work->err);

	for (uint32_t i = 0; i < rows && marked >= 0; i++) {
		if (is_touched(seal, &positions[i]))
			continue;
		int left = marked ? hot_row_leave(day, &seal->partition, &positions[i], work->err) :
		                    hot_row_remove(day, &seal->partition, &positions[i], work->err);
		if (left < 0)
			return -1;
		dead += left;
		removed++;
	}
	if (marked < 0 || hot_dead_add(day, dead, work->err) != 0)
		return -1;
	hot_rows_gone(&day->hot, &seal->partition, removed, 0);
	seal->trim_rows = rows_to_trim(work);
	return note_gone(work);
}

static int remove_runs(const struct work *work)
{
	struct seal *seal = work->seal;

	for (size_t i = 0; i < seal->entries.count; i++) {
		uint32_t number = seal->entries.entries[i].number;

		if (del(work, DAY_BLOCKS, number) != 0 || del(work, DAY_DELETED, number) != 0 ||
		    bundle_remove_block(work->day, &seal->partition, number, work->err) != 0)
			return -1;
	}
	for (uint32_t i = 0; i < seal->runs_count; i++)
		if (ids_remove(work->day, work->txn, &seal->partition, seal->runs[i], work->err) != 0)
			return -1;
	return 0;
}

static uint64_t number_of(uint64_t seq, uint64_t first)
{
	return seq >= SEAL_CHANGE_PENDING ? first + (seq - SEAL_CHANGE_PENDING) : seq;
}

/* Numbers the changed records. Not earlier: what was committed before must not have greater numbers. */
static int number_changes(const struct work *work)
{
	struct seal *seal = work->seal;
	struct seal_block *blocks = (struct seal_block *)(void *)seal->blocks.data;
	size_t count = seal->blocks.len / sizeof(*blocks);
	uint64_t first = 0, seq = 0;

	for (uint64_t i = 0; i < seal->changes; i++) {
		if (store_next_seq(work->store, &seq, work->err) != 0)
			return -1;
		first = i == 0 ? seq : first;
	}
	if (seal->changes) {
		bloom_filter_note_changes(work->day->filter, first, seq);
		changes_note(work->store, &seal->partition, seq);
	}
	for (size_t i = 0; i < count && seal->changes; i++) {
		struct day_block *entry = &blocks[i].entry;

		if (!block_number_changes(seal->values.data + blocks[i].offset, entry->value_bytes, SEAL_CHANGE_PENDING,
		                          first))
			return error_set(work->err, ERROR_CORRUPT, "%s: a block cannot be read again",
			                 work->day->env.path);
		/* Of all rows' numbers the new ones are the last. */
		entry->changed_min = number_of(entry->changed_min, first);
		entry->changed_max = number_of(entry->changed_max, first);
	}
	return 0;
}

static uint64_t rows_of_blocks(const struct seal *seal)
{
	const struct seal_block *blocks = (const struct seal_block *)(const void *)seal->blocks.data;
	uint64_t rows = 0;

	for (size_t i = 0; i < seal->blocks.len / sizeof(*blocks); i++)
		rows += blocks[i].entry.rows;
	return rows;
}

static int store_all(const struct work *work)
{
	struct seal *seal = work->seal;
	uint32_t first_block, run;

	if (seal->touched.len > 0)
		qsort(seal->touched.data, seal->touched.len / sizeof(struct position), sizeof(struct position),
		      compare_positions);
	if (number_changes(work) != 0 || next_number(work, DAY_BLOCKS, &first_block) != 0 ||
	    next_number(work, DAY_BLOCK_IDS, &run) != 0)
		return -1;
	INVARIANT(rows_of_blocks(seal) == seal_rows(seal));
	if (seal->blocks.len > 0 && (put_blocks(work, first_block, run) != 0 || put_ids(work, first_block, run) != 0))
		return -1;
	if (seal->runs_count)
		return remove_runs(work);
	seal->rows_left -= seal_rows(seal);
	if (remove_hot(work) != 0)
		return -1;
	struct hot *hot = &work->day->hot;
	struct hot_partition *own = hot_partition_find(hot, &seal->partition);
	if (own && !seal_has_more(seal))
		own->since_us = seal->begun_us; /* what is left came after the job had begun */
	if (own)
		own->sealed_in = work->day->seals + 1;
	if (hot->rows == 0)
		work->day->hot_since_us = 0;
	return 0;
}

static void count(struct store_seal_stats *stats, const struct seal *seal)
{
	const struct seal_block *blocks = (const struct seal_block *)(const void *)seal->blocks.data;
	size_t blocks_count = seal->blocks.len / sizeof(*blocks);

	stats->seals += seal->runs_count == 0;
	stats->merges += seal->runs_count > 0;
	stats->rows += seal_rows(seal);
	stats->blocks += blocks_count;
	for (size_t i = 0; i < blocks_count; i++)
		stats->bytes += blocks[i].entry.value_bytes;
	histogram_add(&stats->job, clock_monotonic_us() - seal->part_begun_us);
}

int seal_store(struct store *store, struct seal *seal, struct error *err)
{
	struct work work = { .store = store, .seal = seal, .day = seal->day, .err = err };

	work.txn = env_write(&seal->day->env, err);
	if (!work.txn || seal->touched.failed || store_all(&work) != 0) {
		if (seal->touched.failed)
			error_set(err, ERROR_NOMEM, "sealing: out of memory");
		store_abort(store);
		return -1;
	}
	log_debug("store", "%s %s %s: %u rows in %zu blocks%s", seal->day->env.path,
	          account_key_text(&seal->partition.account).text, seal->product->name.p, seal_rows(seal),
	          seal->blocks.len / sizeof(struct seal_block), seal->runs_count ? ", merged" : "");
	count(&store->sealing, seal);
	seal->day->blocks_changed = true;
	seal_set_state(seal, SEAL_TRIM);
	return 0;
}

int seal_trim(struct store *store, struct seal *seal, int64_t deadline_us, struct error *err)
{
	struct day *day = seal->day;

	while (seal->trim_rows > 0) {
		uint32_t rows = seal->trim_rows < TRIM_STEP ? seal->trim_rows : TRIM_STEP;

		if (!env_write(&day->env, err) || hot_trim(day, rows, day->hot.rows == 0, err) != 0) {
			store_abort(store);
			return -1;
		}
		seal->trim_rows -= rows;
		if (clock_monotonic_us() >= deadline_us)
			break;
	}
	if (seal->trim_rows > 0)
		return 0;
	if (seal_has_more(seal))
		seal_begin_part(store, seal);
	else
		seal_forget(store);
	return 0;
}

int seal_mark_deleted(struct day *day, MDB_txn *txn, const struct partition *partition, uint32_t block, uint32_t row,
                      struct error *err)
{
	uint8_t key_bytes[NUMBER_KEY_LEN], bits[BLOCK_ROWS / 8] = { 0 };
	struct day_block entry;
	MDB_val val;

	number_key_write(key_bytes, partition, block);
	MDB_val key = env_val(key_bytes, sizeof(key_bytes));
	int rc = mdb_get(txn, day->env.dbi[DAY_BLOCKS], &key, &val);
	if (rc)
		return env_fail(&day->env, rc, "get block", err);
	if (!day_block_read(val, &entry) || row >= entry.rows || entry.rows > BLOCK_ROWS)
		return error_set(err, ERROR_CORRUPT, "%s: an entry of blocks cannot be read", day->env.path);
	rc = mdb_get(txn, day->env.dbi[DAY_DELETED], &key, &val);
	if (rc && rc != MDB_NOTFOUND)
		return env_fail(&day->env, rc, "get deleted rows", err);
	if (!rc)
		memcpy(bits, val.mv_data, val.mv_size < sizeof(bits) ? val.mv_size : sizeof(bits));
	bits[row / 8] |= (uint8_t)(1 << row % 8);
	entry.deleted++;
	MDB_val deleted = env_val(bits, (entry.rows + 7) / 8), changed = env_val(&entry, sizeof(entry));
	rc = mdb_put(txn, day->env.dbi[DAY_DELETED], &key, &deleted, 0);
	if (!rc)
		rc = mdb_put(txn, day->env.dbi[DAY_BLOCKS], &key, &changed, 0);
	day->blocks_changed = true;
	return rc ? env_fail(&day->env, rc, "put deleted rows", err) : 0;
}
