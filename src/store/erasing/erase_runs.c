/* SPDX-License-Identifier: ISC */
/*
 * erase_runs.c: erasing in sealed runs: those that hold the number are found by the skip indexes of their blocks, then
 * by reading these, and rewritten (seal.h).
 */
#include "store/blocks/skip_index.h"
#include "store/erasing/erase_private.h"
#include "store/sealing/repack.h"
#include "store/sealing/seal.h"

/* Can the block hold it, by its skip index? */
static bool block_may_have_it(const struct erase *erase, const struct block_view *view, uint64_t columns)
{
	for (uint64_t left = columns; left; left &= left - 1) {
		struct scan_filter filter = { .column = (uint8_t)__builtin_ctzll(left),
			                      .value = erase_bare_number(erase) };

		if (skip_index_may_pass(view->skip, &filter, 1))
			return true;
		filter.value = (struct str){ erase->number, erase->number_len + 1 };
		if (skip_index_may_pass(view->skip, &filter, 1))
			return true;
	}
	return false;
}

/* Is it in the columns that lines do not show? Loads these. 1, 0, -1. */
static int extra_may_have_it(struct erase *erase, uint64_t columns, struct error *err)
{
	struct block_reader *reader = &erase->reader;
	struct record record;

	columns &= ~reader->line_columns;
	if (!columns)
		return 0;
	if (block_reader_load(reader, 0, err) != 0 || block_reader_record(reader, 0, columns, &record, err) != 0)
		return -1;
	return erase_may_be_in(erase, reader->extra.data, reader->extra.len);
}

int64_t erase_search_block(struct erase *erase, uint64_t columns, erase_row_fn fn, void *arg, struct error *err)
{
	struct block_reader *reader = &erase->reader;
	uint32_t rows = reader->view.head.rows;
	int64_t found = 0;

	if (!block_may_have_it(erase, &reader->view, columns))
		return 0;
	int in_extra = extra_may_have_it(erase, columns, err);
	if (in_extra < 0)
		return -1;
	erase->counts.blocks++;
	erase->counts.rows += rows;
	for (uint32_t row = 0; row < rows;) {
		struct record record;

		if (block_reader_load(reader, row, err) != 0)
			return -1;
		uint32_t end = reader->segment.first_row + reader->segment.rows;
		if (!in_extra && !erase_may_be_in(erase, reader->text.data, reader->text.len))
			row = end;
		for (; row < end; row++) {
			if (block_reader_record(reader, row, columns, &record, err) != 0)
				return -1;
			if (!erase_record_has_it(erase, &record, columns))
				continue;
			found++;
			if (fn && fn(arg, reader, row, err) != 0)
				return -1;
		}
	}
	return found;
}

/* Looks at a block; notes its run if it holds the number. */
static int look_in_block(struct erase *erase, struct day *day, MDB_txn *txn, const struct partition *partition,
                         uint32_t number, uint32_t run, struct error *err)
{
	const uint32_t *runs = (const uint32_t *)(void *)erase->runs.data;
	size_t count = erase->runs.len / sizeof(run);
	const struct catalog_product *product = catalog_product_numbered(partition->product);

	if (!product)
		return error_set(err, ERROR_CORRUPT, "%s: product number %u is unknown", day->env.path,
		                 partition->product);
	uint64_t columns = erase_columns_of(erase, product);
	for (size_t i = 0; i < count; i++)
		if (runs[i] == run)
			return 0; /* noted */
	if (!columns)
		return 0;
	int there = block_reader_begin(&erase->reader, day, txn, product, partition, number, err);
	if (there <= 0)
		return there;
	int64_t found = erase_search_block(erase, columns, NULL, NULL, err);
	if (found <= 0)
		return found < 0 ? -1 : 0;
	erase->found += (uint64_t)found;
	erase->partition = *partition;
	buf_add(&erase->runs, &run, sizeof(run));
	return erase->runs.failed ? error_set(err, ERROR_NOMEM, "erasing: out of memory") : 0;
}

/* The next block. 1 at the account's end, 0, -1. */
static int walk_blocks(struct erase *erase, struct day *day, MDB_txn *txn, MDB_cursor *cursor, struct error *err)
{
	struct partition partition;
	struct day_block block;
	uint32_t number;
	MDB_val key, val;
	int rc = erase_seek(erase, cursor, &key, &val);

	if (rc && rc != MDB_NOTFOUND)
		return env_fail(&day->env, rc, "read blocks", err);
	if (rc || !erase_is_of_account(erase, key)) {
		if (!erase->runs.len)
			return 1;
		erase->stage = ERASE_STAGE_REWRITE;
		return 0;
	}
	if (!number_key_read(key, &partition, &number) || !day_block_read(val, &block))
		return error_set(err, ERROR_CORRUPT, "%s: an entry of blocks cannot be read", day->env.path);
	if (erase->runs.len && !partition_equal(&partition, &erase->partition)) {
		erase->stage = ERASE_STAGE_REWRITE; /* and then this one */
		return 0;
	}
	if (look_in_block(erase, day, txn, &partition, number, block.run, err) != 0)
		return -1;
	memcpy(erase->key, key.mv_data, NUMBER_KEY_LEN);
	erase->has_key = true;
	return 0;
}

int erase_find_step(struct erase *erase, struct day *day, struct error *err)
{
	MDB_cursor *cursor;
	MDB_txn *txn = env_read(&day->env, err);

	if (!txn)
		return -1;
	erase->reader.number = UINT32_MAX; /* what it had was another transaction's */
	int rc = mdb_cursor_open(txn, day->env.dbi[DAY_BLOCKS], &cursor);
	int result = rc ? env_fail(&day->env, rc, "open cursor", err) : walk_blocks(erase, day, txn, cursor, err);
	if (!rc)
		mdb_cursor_close(cursor);
	result = env_read_end(&day->env, txn, result, err);
	if (result > 0)
		erase_next_account(erase);
	if (result >= 0 && erase->account == erase->all_count)
		erase->stage = ERASE_STAGE_PACK;
	return result < 0 ? -1 : 0;
}

int erase_drive(struct erase *erase, int64_t deadline_us, bool *dirty, struct error *err)
{
	bool more;

	return store_maintain(erase->store, deadline_us, &more, dirty, err);
}

int erase_rewrite_step(struct erase *erase, struct day *day, int64_t deadline_us, bool *dirty, struct error *err)
{
	struct store *store = erase->store;
	uint32_t run;

	if (repack_is_of(store, day))
		repack_forget(store);
	if (repack_is_running(store) || seal_is_under_way(store, INT64_MAX))
		return erase_drive(erase, deadline_us, dirty, err);
	if (day->env.write || day->blocks_changed) {
		*dirty = true;
		return 0;
	}
	if (!erase->runs.len) {
		erase->stage = ERASE_STAGE_FIND;
		return 0;
	}
	if (repack_demand(store, day, err) != 0)
		return -1;
	erase->runs.len -= sizeof(run);
	memcpy(&run, erase->runs.data + erase->runs.len, sizeof(run));
	int begun = seal_begin_change(store, day, &erase->partition, run, erase_change, erase, err);
	if (begun <= 0)
		return begun; /* one that was merged meanwhile comes up again */
	erase->counts.runs++;
	return erase_drive(erase, deadline_us, dirty, err);
}
