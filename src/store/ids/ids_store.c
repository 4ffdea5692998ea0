/* SPDX-License-Identifier: ISC */
/*
 * ids_store.c: the runs of ids that seals write: joined to fewer, larger ones, and cut again. See ids.h.
 *
 * A run takes up the ones before it as long as they are not larger than what it has become, so that each id is written
 * again only when its run at least doubles.
 */
#include "store/ids/ids.h"

#include <errno.h>
#include <stdlib.h>

#define ROWS_MAX (UINT32_C(1) << 17) /* of a run that others are joined to: some milliseconds' work */

/* Where runs are stored. */
struct place {
	struct day *day;
	MDB_txn *txn;
	const struct partition *partition;
	struct error *err;
};

static int fail(const struct place *place, int rc, const char *doing)
{
	return env_fail(&place->day->env, rc, doing, place->err);
}

static int no_memory(const struct place *place)
{
	return error_set(place->err, ERROR_NOMEM, "runs of ids: out of memory");
}

static uint32_t rows_of(const struct ids_run *run, uint32_t block)
{
	uint32_t rows;

	memcpy(&rows, run->rows + block * sizeof(rows), sizeof(rows));
	return rows;
}

static uint64_t rows_of_all(const struct ids_run *run)
{
	uint64_t rows = 0;

	for (uint32_t i = 0; i < run->blocks; i++)
		rows += rows_of(run, i);
	return rows;
}

/* --- a run in the making --- */

static uint64_t rows_of_draft(const struct ids_draft *draft)
{
	const uint32_t *rows = (const uint32_t *)(const void *)draft->rows.data;
	uint64_t sum = 0;

	for (size_t i = 0; i < draft->rows.len / sizeof(*rows); i++)
		sum += rows[i];
	return sum;
}

void ids_draft_free(struct ids_draft *draft)
{
	buf_free(&draft->rows);
	buf_free(&draft->entries);
}

static bool sort_draft(struct ids_draft *draft)
{
	struct buf scratch = { 0 };
	bool sorted = buf_reserve(&scratch, draft->entries.len + 1);

	if (sorted)
		ids_sort((ids_entry *)(void *)draft->entries.data, (ids_entry *)(void *)scratch.data,
		         draft->entries.len / sizeof(ids_entry));
	buf_free(&scratch);
	return sorted;
}

static int put_draft(const struct place *place, uint32_t number, const struct ids_draft *draft)
{
	struct buf value = { 0 };
	uint8_t bytes[NUMBER_KEY_LEN];
	int rc = ENOMEM;

	number_key_write(bytes, place->partition, number);
	if (!draft->rows.failed && !draft->entries.failed)
		ids_write(&value, draft->first_block, (const uint32_t *)(const void *)draft->rows.data,
		          (uint32_t)(draft->rows.len / sizeof(uint32_t)),
		          (const ids_entry *)(const void *)draft->entries.data, draft->entries.len / sizeof(ids_entry));
	if (value.len > 0 && !value.failed) {
		MDB_val key = env_val(bytes, sizeof(bytes)), val = env_val(value.data, value.len);

		rc = mdb_put(place->txn, place->day->env.dbi[DAY_BLOCK_IDS], &key, &val, 0);
	}
	buf_free(&value);
	return rc == ENOMEM ? no_memory(place) : rc ? fail(place, rc, "put ids") : 0;
}

/* --- joining --- */

static bool is_worth_joining(const struct ids_run *run, const struct ids_draft *draft)
{
	uint64_t own = rows_of_draft(draft), before = rows_of_all(run);

	return run->first_block + run->blocks == draft->first_block && before <= own && before + own <= ROWS_MAX;
}

/* The entries of a run and then those of the draft, whose rows follow the run's, in order. */
static void merge_entries(const struct ids_run *run, const struct ids_draft *draft, struct buf *out)
{
	const ids_entry *own = (const ids_entry *)(const void *)draft->entries.data;
	const ids_entry *own_end = own + draft->entries.len / sizeof(*own);
	ids_entry *to = (ids_entry *)(void *)out->data;
	uint32_t shift = (uint32_t)rows_of_all(run);
	ids_entry entry;
	struct ids_walk walk = { 0 };

	while (ids_run_next(run, &walk, &entry)) {
		while (own < own_end && *own + shift < entry)
			*to++ = *own++ + shift;
		*to++ = entry;
	}
	while (own < own_end)
		*to++ = *own++ + shift;
	out->len = (size_t)((char *)to - out->data);
}

/* Puts what the run has before what the draft has. False when out of memory. */
static bool take_up(struct ids_draft *draft, const struct ids_run *run)
{
	size_t rows_bytes = run->blocks * sizeof(uint32_t);
	struct buf merged = { 0 };

	if (!buf_reserve(&draft->rows, rows_bytes) ||
	    !buf_reserve(&merged, draft->entries.len + run->count * sizeof(ids_entry) + 1))
		return false;
	merge_entries(run, draft, &merged);
	buf_free(&draft->entries);
	draft->entries = merged;
	memmove(draft->rows.data + rows_bytes, draft->rows.data, draft->rows.len);
	memcpy(draft->rows.data, run->rows, rows_bytes);
	draft->rows.len += rows_bytes;
	draft->first_block = run->first_block;
	return true;
}

/* Takes up the partition's last run, and removes it, if that is worth it. 1, 0 if not, -1. */
static int join_last(const struct place *place, struct ids_draft *draft)
{
	struct ids_run run;
	MDB_cursor *cursor;
	MDB_val key, val;
	int result = 0;

	int rc = mdb_cursor_open(place->txn, place->day->env.dbi[DAY_BLOCK_IDS], &cursor);
	if (rc)
		return fail(place, rc, "open cursor");
	rc = number_key_last(cursor, place->partition, &key, &val);
	if (!rc && partition_has_key(place->partition, key) && ids_run_read(val, &run) &&
	    is_worth_joining(&run, draft)) {
		result = take_up(draft, &run) ? 1 : no_memory(place);
		rc = result > 0 ? mdb_cursor_del(cursor, 0) : 0;
	}
	mdb_cursor_close(cursor);
	return rc && rc != MDB_NOTFOUND ? fail(place, rc, "join ids") : result;
}

int ids_store(struct day *day, MDB_txn *txn, const struct partition *partition, uint32_t run, bool join,
              struct ids_draft *draft, struct error *err)
{
	struct place place = { day, txn, partition, err };
	int joined = join;

	if (draft->rows.failed || draft->entries.failed || !sort_draft(draft))
		return no_memory(&place);
	while (joined > 0)
		joined = join_last(&place, draft);
	return joined < 0 ? -1 : put_draft(&place, run, draft);
}

/* --- cutting --- */

/* The run that a stored block belongs to. 1, 0 if there is no such block, -1. */
static int run_of_block(const struct place *place, uint32_t number, uint32_t *run)
{
	uint8_t bytes[NUMBER_KEY_LEN];
	struct day_block block;
	MDB_val val;

	number_key_write(bytes, place->partition, number);
	MDB_val key = env_val(bytes, sizeof(bytes));
	int rc = mdb_get(place->txn, place->day->env.dbi[DAY_BLOCKS], &key, &val);
	if (rc)
		return rc == MDB_NOTFOUND ? 0 : fail(place, rc, "get block");
	if (!day_block_read(val, &block))
		return error_set(place->err, ERROR_CORRUPT, "%s: an entry of blocks cannot be read",
		                 place->day->env.path);
	*run = block.run;
	return 1;
}

/* Fills of[] with the run of each block, or with `gone` for those that are not there any more. */
static int runs_of_blocks(const struct place *place, const struct ids_run *run, uint32_t gone, uint32_t *of)
{
	for (uint32_t i = 0; i < run->blocks; i++) {
		int found = run_of_block(place, run->first_block + i, &of[i]);

		if (found < 0)
			return -1;
		if (!found)
			of[i] = gone;
	}
	return 0;
}

/* The part of a run from one of its blocks to another, exclusive. */
static void take_part(const struct ids_run *run, uint32_t from, uint32_t to, struct ids_draft *draft)
{
	ids_entry entry;
	struct ids_walk walk = { 0 };
	uint32_t begin = 0, end;

	for (uint32_t i = 0; i < from; i++)
		begin += rows_of(run, i);
	end = begin;
	for (uint32_t i = from; i < to; i++)
		end += rows_of(run, i);
	draft->first_block = run->first_block + from;
	buf_clear(&draft->rows);
	buf_clear(&draft->entries);
	buf_add(&draft->rows, run->rows + from * sizeof(uint32_t), (to - from) * sizeof(uint32_t));
	while (ids_run_next(run, &walk, &entry)) {
		if (ids_entry_row(entry) < begin || ids_entry_row(entry) >= end)
			continue;
		entry -= begin;
		buf_add(&draft->entries, &entry, sizeof(entry));
	}
}

/* Stores again what the run, which is removed, has before, between and after the blocks of `gone`. */
static int put_rest(const struct place *place, const struct ids_run *run, uint32_t gone, const uint32_t *of)
{
	struct ids_draft draft = { 0 };
	int result = 0;

	for (uint32_t i = 0, end; result == 0 && i < run->blocks; i = end) {
		for (end = i + 1; end < run->blocks && (of[end] == gone) == (of[i] == gone); end++)
			;
		if (of[i] == gone)
			continue;
		take_part(run, i, end, &draft);
		result = put_draft(place, of[end - 1], &draft);
	}
	ids_draft_free(&draft);
	return result;
}

static bool has_number(const uint32_t *numbers, uint32_t count, uint32_t wanted)
{
	for (uint32_t i = 0; i < count; i++)
		if (numbers[i] == wanted)
			return true;
	return false;
}

/* Of the run that the cursor is at. Its value moves when the tree changes, so a copy is cut. */
static int remove_from(const struct place *place, MDB_cursor *cursor, const struct ids_run *stored, MDB_val val,
                       uint32_t gone)
{
	uint32_t *of = calloc((size_t)stored->blocks + 1, sizeof(*of));
	void *copy = malloc(val.mv_size);
	struct ids_run run;
	int result = of && copy ? runs_of_blocks(place, stored, gone, of) : no_memory(place);

	if (copy && result == 0 && has_number(of, stored->blocks, gone)) {
		memcpy(copy, val.mv_data, val.mv_size);
		int rc = ids_run_read(env_val(copy, val.mv_size), &run) ? mdb_cursor_del(cursor, 0) : EINVAL;

		result = rc ? fail(place, rc, "remove ids") : put_rest(place, &run, gone, of);
	}
	free(copy);
	free(of);
	return result;
}

int ids_remove(struct day *day, MDB_txn *txn, const struct partition *partition, uint32_t run, struct error *err)
{
	struct place place = { day, txn, partition, err };
	uint8_t bytes[NUMBER_KEY_LEN];
	struct ids_run stored;
	MDB_cursor *cursor;
	int result = 0;

	number_key_write(bytes, partition, run);
	MDB_val key = env_val(bytes, sizeof(bytes)), val;
	int rc = mdb_cursor_open(txn, day->env.dbi[DAY_BLOCK_IDS], &cursor);
	if (rc)
		return fail(&place, rc, "open cursor");
	rc = mdb_cursor_get(cursor, &key, &val, MDB_SET_RANGE);
	if (!rc && partition_has_key(partition, key) && ids_run_read(val, &stored))
		result = remove_from(&place, cursor, &stored, val, run);
	else if (!rc && key.mv_size == sizeof(bytes) && memcmp(key.mv_data, bytes, sizeof(bytes)) == 0)
		rc = mdb_cursor_del(cursor, 0); /* damaged: nothing can be kept of it */
	mdb_cursor_close(cursor);
	return rc && rc != MDB_NOTFOUND ? fail(&place, rc, "remove ids") : result;
}
