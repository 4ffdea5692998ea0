/* SPDX-License-Identifier: ISC */
/*
 * put.c: taking a record in. See store_put in store.h, and day.h for what is written.
 *
 * A new version that keeps time and direction stands where the old one stood (over a hot row, or as a hot row over a
 * sealed one that is then deleted), so that scans under way see it once; one that moves, within its day or to a
 * neighbouring one, leaves a tombstone at its old position.
 */
#include <string.h>

#include "base/clock.h"
#include "store/changes/changes_note.h"
#include "store/days/hot_rows.h"
#include "store/erased.h"
#include "store/putting/moves.h"
#include "store/putting/put_private.h"
#include "store/sealing/seal.h"
#include "store/versions.h"

/* `over`: a hot row, or a tombstone, stands at the position. */
static int row_write(const struct put *put, const struct position *position, uint64_t seq, bool over)
{
	struct buf *row = &put->store->row;

	buf_clear(row);
	record_pack(row, put->record, seq);
	if (row->failed)
		return error_set(put->err, ERROR_NOMEM, "record: out of memory");
	return hot_row_put(put->day, &put->partition, position, env_val(row->data, row->len), over, put->err);
}

/* Where the stored version stands. */
static int tombstone_write(const struct put *put, const struct stored *stored, const struct position *to)
{
	uint8_t tombstone[DAY_GHOST_MAX];
	size_t len = day_tombstone_write(tombstone, &(struct day_tombstone){ .until = to->seq, .to = *to });

	if (clock_day_of(to->time_us) != stored->day->number || to->direction != stored->position.direction)
		changes_note_move(put->store, &put->partition, to->seq);
	else
		stored->day->has_moved = true;
	return hot_row_put(stored->day, &put->partition, &stored->position, env_val(tombstone, len), !stored->sealed,
	                   put->err);
}

/* Makes the record's ids known at a position, but for those of the `known` ones that lead there already. */
static int add_ids(const struct put *put, const struct position *position, const uint64_t *known, size_t known_count)
{
	for (size_t i = 0; i < put->hashes_count; i++) {
		size_t at = 0;

		while (at < known_count && known[at] != put->hashes[i])
			at++;
		if (at < known_count)
			continue;
		if (bloom_filter_add(put->day->filter, &put->keys[i], put->err) != 0 ||
		    hot_add_id(&put->day->hot, put->hashes[i], position->seq, put->err) != 0)
			return -1;
	}
	return 0;
}

static int count_row(const struct put *put, const struct partition *partition)
{
	struct hot_partition *own = hot_partition(&put->day->hot, partition, put->err);

	if (!own)
		return -1;
	hot_order_prefetch(&own->order);
	if (++own->rows == put->store->options.seal_rows)
		put->day->hot.grown = true;
	if (put->day->hot.rows++ == 0)
		put->day->hot_since_us = own->since_us;
	put->day->swept = false;
	put->day->has_puts = true;
	return 0;
}

int put_insert(struct put *put, const struct position *position, uint64_t seq)
{
	/* The row first: meanwhile the memory that put_prepare_ids prefetches arrives. */
	if (count_row(put, &put->partition) != 0 || row_write(put, position, seq, false) != 0)
		return -1;
	return add_ids(put, position, NULL, 0);
}

/* --- over the stored version, in its day --- */

/* Puts the record where it is to be, `from` being where its older version stands or stood. */
static int place_version(const struct put *put, const struct stored *stored, uint64_t seq, const uint64_t *known,
                         size_t known_count)
{
	bool moves = put->time_us != stored->position.time_us || put->partition.direction != stored->position.direction;
	struct position to = stored->position;

	if (moves) {
		to = (struct position){ put->time_us, seq, put->partition.direction };
		known_count = 0;
		if (tombstone_write(put, stored, &to) != 0)
			return -1;
	}
	if (add_ids(put, &to, known, known_count) != 0)
		return -1;
	return row_write(put, &to, seq, !moves && !stored->sealed);
}

static int replace_hot(const struct put *put, const struct stored *stored, uint64_t seq)
{
	uint64_t known[CATALOG_COLUMNS_MAX];
	size_t known_count = day_id_hashes(&stored->partition.account, &stored->record, known, NULL);
	bool moves = put->time_us != stored->position.time_us || put->partition.direction != stored->position.direction;

	seal_touch(put->store, put->day, &stored->partition, &stored->position);
	if (moves) {
		hot_rows_gone(&put->day->hot, &stored->partition, 1, known_count);
		if (count_row(put, &put->partition) != 0)
			return -1;
	}
	return place_version(put, stored, seq, known, known_count);
}

/* Sealing has removed the hot row of what is hot again, but that is not committed. */
static void note_unsealed(struct day *day, const struct stored *stored)
{
	if (day->removed.len > 0)
		buf_add(&day->unsealed_seqs, &stored->position.seq, sizeof(stored->position.seq));
}

static int replace_sealed(const struct put *put, const struct stored *stored, uint64_t seq)
{
	struct day *day = put->day;

	seal_touch(put->store, day, &stored->partition, &stored->position);
	if (seal_mark_deleted(day, day->env.write, &stored->partition, stored->block, stored->row, put->err) != 0 ||
	    count_row(put, &put->partition) != 0)
		return -1;
	note_unsealed(day, stored);
	return place_version(put, stored, seq, NULL, 0);
}

/* --- to another day --- */

static int remove_row(const struct put *put, const struct stored *stored)
{
	return stored->sealed ? 0 : hot_row_remove(stored->day, &stored->partition, &stored->position, put->err);
}

int put_leave(const struct put *put, const struct stored *stored, const struct position *to)
{
	uint64_t known[CATALOG_COLUMNS_MAX];
	struct day *day = stored->day;

	seal_touch(put->store, day, &stored->partition, &stored->position);
	if (stored->sealed) {
		if (seal_mark_deleted(day, day->env.write, &stored->partition, stored->block, stored->row, put->err) !=
		    0)
			return -1;
		note_unsealed(day, stored);
	} else {
		hot_rows_gone(&day->hot, &stored->partition, 1,
		              day_id_hashes(&stored->partition.account, &stored->record, known, NULL));
	}
	day->swept = false;
	/* No record of the day has changed, but who copies what has changed (takeover.h) wants to know of it, too. */
	if (to)
		bloom_filter_note_changes(day->filter, to->seq, to->seq);
	return to ? tombstone_write(put, stored, to) : remove_row(put, stored);
}

/* Each day has a commit of its own; moves.h ensures that a crash between the two leaves one record. */
static int move(struct put *put, const struct stored *stored, uint64_t seq)
{
	struct position position = { put->time_us, seq, put->partition.direction };

	put->day->gains = true;
	if (put_leave(put, stored, &position) != 0 || put_insert(put, &position, seq) != 0)
		return -1;
	return moves_note(put->store, &put->partition, stored->day->number, &position, buf_str(&put->store->row),
	                  put->err);
}

/* --- versions --- */

static int begin_change(struct put *put, uint64_t *seq)
{
	if (store_next_seq(put->store, seq, put->err) != 0)
		return -1;
	put->store->uncommitted++;
	bloom_filter_note_changes(put->day->filter, *seq, *seq);
	changes_note(put->store, &put->partition, *seq);
	return 0;
}

static int replace(struct put *put, const struct stored *stored)
{
	uint64_t seq;

	if (begin_change(put, &seq) != 0)
		return -1;
	if (stored->day != put->day)
		return move(put, stored, seq);
	return stored->sealed ? replace_sealed(put, stored, seq) : replace_hot(put, stored, seq);
}

/* Continues with the stored and the new version merged. The result is copied, as it points into pages that writing
 * changes. */
static int replace_merged(struct put *put, const struct stored *stored, const struct record *merged)
{
	struct record copy;
	uint64_t seq;
	struct buf *bytes = &put->store->merged;

	buf_clear(bytes);
	record_pack(bytes, merged, 0);
	if (bytes->failed)
		return error_set(put->err, ERROR_NOMEM, "record: out of memory");
	if (record_unpack(&copy, merged->product, buf_str(bytes), &seq, put->err) != 0)
		return -1;
	copy.account_number = put->record->account_number;
	/* What came was checked for erased numbers as of its own time, which is not always that of the result. */
	(void)erased_clean(put->store, &copy, put->time_us);
	/* NOLINTNEXTLINE(autoVariables): the put ends with this call, days_put looks at its record no more. */
	put->record = &copy;
	put->partition = partition_of_record(&copy);
	return put_prepare_ids(put) == 0 ? replace(put, stored) : -1;
}

static int merge(struct put *put, const struct stored *stored, bool outdated)
{
	struct record merged, old = stored->record;

	/* Erasing may not have come to it yet, and must not miss what it becomes. */
	record_set_account_key(&old, &stored->partition.account);
	(void)erased_clean(put->store, &old, stored->position.time_us);
	if (!outdated) {
		versions_merge(&merged, put->record, &old);
		return replace_merged(put, stored, &merged);
	}
	if (!versions_fill(&merged, put->record, &old))
		return 0;
	/* The stored version is the newer one: its time applies. */
	put->time_us = stored->position.time_us;
	put->day = stored->day;
	return replace_merged(put, stored, &merged);
}

static bool updates(const struct put *put)
{
	return put->versions && put->versions->updates;
}

static int put_version(struct put *put, const struct stored *stored, enum store_put_result *result)
{
	const struct store_versions *versions = put->versions;
	bool merges = versions && (versions->merge || versions->updates);
	struct record came;

	if (updates(put)) { /* its time only said where to look */
		came = *put->record;
		came.values[came.product->time_column] = (struct str){ NULL, 0 };
		(void)erased_clean(put->store, &came, stored->position.time_us);
		/* NOLINTNEXTLINE(autoVariables): the put ends with this call, days_put looks at its record no more. */
		put->record = &came;
		put->time_us = stored->position.time_us;
		put->day = stored->day;
	}

	if (merges ? versions_adds_nothing(put->record, &stored->record) : record_equal(&stored->record, put->record)) {
		*result = STORE_DUPLICATE;
		return 0;
	}
	bool outdated = versions && versions_is_older(put->record, &stored->record, versions->column);
	*result = outdated ? STORE_OUTDATED : STORE_UPDATED;
	if (merges)
		return merge(put, stored, outdated);
	return outdated ? 0 : replace(put, stored);
}

static bool lacks_direction(const struct put *put)
{
	return put->record->product->partition_direction && put->partition.direction == CATALOG_NO_DIRECTION;
}

static int put_record(struct put *put, enum store_put_result *result)
{
	struct stored stored;
	uint64_t seq;

	if (put_prepare_ids(put) != 0)
		return -1;
	int found = put_find(put, &stored);
	if (found == 0 && put->versions)
		found = put_find_beside(put, &stored);
	if (found == 0 && updates(put))
		found = put_find_before(put, &stored);
	if (found)
		return found < 0 ? -1 : put_version(put, &stored, result);
	if (updates(put)) {
		*result = STORE_LACKS_RECORD;
		return 0;
	}
	if (lacks_direction(put)) {
		*result = STORE_LACKS_DIRECTION;
		return 0;
	}
	if (begin_change(put, &seq) != 0)
		return -1;
	*result = STORE_ACCEPTED;
	return put_insert(put, &(struct position){ put->time_us, seq, put->partition.direction }, seq);
}

static int load_hot(struct day *day, struct error *err)
{
	MDB_txn *txn = env_read(&day->env, err);
	int result = txn ? day_hot_load(day, txn, err) : -1;

	return txn ? env_read_end(&day->env, txn, result, err) : result;
}

struct day *put_open_day(struct store *store, int32_t number, bool make, struct error *err)
{
	struct day *day = store_day(store, number, make, err);

	if (!day || (day_hot_needs_rebuild(day) && load_hot(day, err) != 0))
		return NULL;
	MDB_txn *txn = env_write(&day->env, err);
	return txn && store_day_ready(store, day, txn, err) == 0 ? day : NULL;
}

int days_put(struct store *store, const struct record *record, int64_t time_us, const struct store_versions *versions,
             enum store_put_result *result, struct error *err)
{
	struct bloom_filter_key keys[CATALOG_COLUMNS_MAX]; /* here, so that only those that are used are touched */
	struct put put = {
		.store = store, .record = record, .versions = versions, .time_us = time_us, .keys = keys, .err = err
	};

	put.partition = partition_of_record(record);
	size_t before = store->uncommitted;
	put.day = put_open_day(store, clock_day_of(time_us), true, err);
	if (put.day && put_record(&put, result) == 0)
		return 0;
	/* A day that cannot be opened or read does not harm what others have put: nothing was written yet. */
	if (err->code != ERROR_DAMAGED || store->uncommitted != before)
		store_abort(store);
	return -1;
}
