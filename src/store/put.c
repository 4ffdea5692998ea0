/*
 * put.c: taking a record in. See store_put in store.h, and day.h for what is written.
 *
 * The same record means: account, product, id and the day. The day's id_filter tells at once that an id is new; only
 * otherwise its hot rows and its sealed runs are searched. A new version that keeps time and direction stands where the
 * old one stood (over a hot row, or as a hot row over a sealed one that is then dead), so that scans under way see it
 * once; one that moves leaves a ghost behind.
 */
#include <string.h>

#include "base/clock.h"
#include "store/changes.h"
#include "store/ids.h"
#include "store/seal.h"
#include "store/store_private.h"

/* What a put works on. */
struct put {
	struct store *store;
	struct day *day;
	MDB_txn *txn;
	const struct record *record;
	struct partition partition;
	int64_t time_us;
	uint64_t hashes[CATALOG_COLUMNS_MAX]; /* of the record's ids */
	size_t hashes_count;
	struct id_filter_key *keys;           /* of each hash */
	struct error *err;
};

/* The version that is stored. */
struct stored {
	struct record record; /* points into pages or a reader that the next write may change */
	struct partition partition;
	struct place place;
	bool sealed;
	uint32_t block;
	uint32_t row;
};

static int hot_put(const struct put *put, const struct place *place, MDB_val val, const char *doing)
{
	uint8_t bytes[PLACE_KEY_LEN];
	place_key_write(bytes, &put->partition, place);
	MDB_val key = env_val(bytes, sizeof(bytes));
	/* One cursor for the whole transaction: records come in order, so it most often is at the right page already. */
	struct env *env = &put->day->env;
	int rc = env->cursor ? 0 : mdb_cursor_open(put->txn, env->dbi[DAY_HOT], &env->cursor);
	if (!rc)
		rc = mdb_cursor_put(env->cursor, &key, &val, 0);
	return rc ? env_fail(&put->day->env, rc, doing, put->err) : 0;
}

static int row_write(const struct put *put, const struct place *place, uint64_t seq)
{
	struct buf *row = &put->store->row;
	buf_clear(row);
	record_pack(row, put->record, seq);
	if (row->failed)
		return error_set(put->err, ERROR_NOMEM, "record: out of memory");
	return hot_put(put, place, env_val(row->data, row->len), "put row");
}

static int ghost_write(const struct put *put, const struct place *from, const struct place *to)
{
	uint8_t ghost[DAY_GHOST_MAX];
	size_t len = day_ghost_write(ghost, &(struct day_ghost){ .until = to->seq, .to = *to });
	return hot_put(put, from, env_val(ghost, len), "put ghost");
}

/* --- the stored version --- */

static bool is_same(const struct put *put, const struct record *other)
{
	uint8_t column = put->record->product->id_column;
	return str_equal(other->values[column], put->record->values[column]);
}

/* 1 if a hot row is the record's stored version, 0, -1. */
static int find_hot(const struct put *put, uint64_t hash, struct stored *stored)
{
	size_t iterator = 0;
	while (hot_next(&put->day->hot, hash, &iterator, &stored->place)) {
		MDB_val row;
		uint64_t changed_seq;
		int found = day_row_get(put->day, put->txn, &put->partition, &stored->place, &row, put->err);
		if (found < 0)
			return -1;
		if (!found)
			continue;
		if (record_unpack(&stored->record, put->record->product, env_str(row), &changed_seq, put->err) != 0)
			return -1;
		/* Another record may have this id in another lookup column, or the same hash. */
		if (!is_same(put, &stored->record))
			continue;
		stored->partition = put->partition;
		stored->partition.direction = stored->place.direction;
		return 1;
	}
	return 0;
}

struct sealed_search {
	const struct put *put;
	struct stored *stored;
	int result;
};

static bool take_sealed(void *arg, struct block_reader *reader, uint32_t row)
{
	struct sealed_search *search = arg;
	struct stored *stored = search->stored;
	if (block_reader_record(reader, row, SCAN_COLUMNS_ALL, &stored->record, search->put->err) != 0) {
		search->result = -1;
		return false;
	}
	if (!is_same(search->put, &stored->record))
		return true;
	stored->partition = reader->partition;
	stored->place = *block_reader_place(reader, row);
	stored->sealed = true;
	stored->block = reader->number;
	stored->row = row;
	search->result = 1;
	return false;
}

static int find_sealed(const struct put *put, uint64_t hash, struct stored *stored)
{
	struct sealed_search search = { .put = put, .stored = stored };
	const struct catalog_product *product = put->record->product;
	for (uint8_t direction = 0; direction <= (product->partition_direction ? CATALOG_INBOUND : 0); direction++) {
		struct partition partition = put->partition;
		partition.direction = direction;
		if (ids_find(put->day, put->txn, product, &partition, hash, &put->store->put_reader, take_sealed, &search,
		             put->err) != 0)
			return -1;
		if (search.result)
			return search.result;
	}
	return 0;
}

static int find_stored(const struct put *put, struct stored *stored)
{
	const struct record *record = put->record;
	struct str id = record->values[record->product->id_column];
	uint64_t hash = day_id_hash(put->partition.account, put->partition.product, id);
	struct id_filter_key key;
	id_filter_key_make(&key, (uint32_t)(hash >> 32));
	if (!id_filter_may_have(put->day->filter, &key))
		return 0;
	int found = find_hot(put, hash, stored);
	return found ? found : find_sealed(put, hash, stored);
}

/* --- writing --- */

/* Makes the record's ids known at a place, but for those of the `known` ones that lead there already. */
static int add_ids(const struct put *put, const struct place *place, const uint64_t *known, size_t known_count)
{
	for (size_t i = 0; i < put->hashes_count; i++) {
		size_t at = 0;
		while (at < known_count && known[at] != put->hashes[i])
			at++;
		if (at < known_count)
			continue;
		if (id_filter_add(put->day->filter, &put->keys[i], put->err) != 0 ||
		    hot_add_id(&put->day->hot, put->hashes[i], place, put->err) != 0)
			return -1;
	}
	return 0;
}

/* Works the keys of the ids out, and asks for the memory where they are to be. */
static void prepare_ids(const struct put *put)
{
	for (size_t i = 0; i < put->hashes_count; i++) {
		id_filter_key_make(&put->keys[i], (uint32_t)(put->hashes[i] >> 32));
		id_filter_prefetch(put->day->filter, &put->keys[i]);
		hot_prefetch(&put->day->hot, put->hashes[i]);
	}
}

static int count_row(const struct put *put, const struct partition *partition)
{
	struct hot_partition *own = hot_partition(&put->day->hot, partition, put->err);
	if (!own)
		return -1;
	own->rows++;
	if (put->day->hot.rows++ == 0)
		put->day->hot_since_us = own->since_us;
	put->day->swept = false;
	return 0;
}

static int insert(const struct put *put, const struct place *place)
{
	/* The row first: meanwhile the memory that prepare_ids has asked for arrives. */
	if (count_row(put, &put->partition) != 0 || row_write(put, place, place->seq) != 0)
		return -1;
	return add_ids(put, place, NULL, 0);
}

/* Puts the record where it is to be, `from` being where its older version stands or stood. */
static int place_version(const struct put *put, const struct stored *stored, uint64_t seq, const uint64_t *known,
                         size_t known_count)
{
	bool moves = put->time_us != stored->place.time_us || put->partition.direction != stored->place.direction;
	struct place to = stored->place;
	if (moves) {
		to = (struct place){ put->time_us, seq, put->partition.direction };
		known_count = 0;
		if (ghost_write(put, &stored->place, &to) != 0)
			return -1;
	}
	return add_ids(put, &to, known, known_count) == 0 ? row_write(put, &to, seq) : -1;
}

static int replace_hot(const struct put *put, const struct stored *stored, uint64_t seq)
{
	uint64_t known[CATALOG_COLUMNS_MAX];
	size_t known_count = day_id_hashes(&stored->record, known);
	bool moves = put->time_us != stored->place.time_us || put->partition.direction != stored->place.direction;
	seal_touch(put->store, put->day, &stored->partition, &stored->place);
	if (moves) {
		hot_rows_gone(&put->day->hot, &stored->partition, 1, known_count);
		if (count_row(put, &put->partition) != 0)
			return -1;
	}
	return place_version(put, stored, seq, known, known_count);
}

static int replace_sealed(const struct put *put, const struct stored *stored, uint64_t seq)
{
	seal_touch(put->store, put->day, &stored->partition, &stored->place);
	if (seal_mark_dead(put->day, put->txn, &stored->partition, stored->block, stored->row, put->err) != 0 ||
	    count_row(put, &put->partition) != 0)
		return -1;
	if (put->day->sealed_seqs.len > 0)
		buf_add(&put->day->unsealed_seqs, &stored->place.seq, sizeof(stored->place.seq));
	return place_version(put, stored, seq, NULL, 0);
}

static int put_record(struct put *put, enum store_put_result *result)
{
	struct stored stored = { .sealed = false };
	struct id_filter_key keys[CATALOG_COLUMNS_MAX]; /* here, so that only those that are used are touched */
	uint64_t seq;
	put->hashes_count = day_id_hashes(put->record, put->hashes);
	put->keys = keys;
	prepare_ids(put);
	int found = find_stored(put, &stored);
	if (found < 0)
		return -1;
	if (found && record_equal(&stored.record, put->record)) {
		*result = STORE_DUPLICATE;
		return 0;
	}
	if (store_next_seq(put->store, &seq, put->err) != 0)
		return -1;
	put->store->uncommitted++;
	id_filter_note_changes(put->day->filter, seq, seq);
	changes_note(put->store, &put->partition, seq);
	*result = found ? STORE_UPDATED : STORE_ACCEPTED;
	if (found)
		return stored.sealed ? replace_sealed(put, &stored, seq) : replace_hot(put, &stored, seq);
	struct place place = { put->time_us, seq, put->partition.direction };
	return insert(put, &place);
}

static int load_hot(struct day *day, struct error *err)
{
	MDB_txn *txn = env_read(&day->env, err);
	int result = txn ? day_hot_load(day, txn, err) : -1;
	if (txn)
		mdb_txn_abort(txn);
	return result;
}

int store_put(struct store *store, const struct record *record, int64_t time_us, enum store_put_result *result,
              struct error *err)
{
	struct put put = { .store = store, .record = record, .time_us = time_us, .err = err };
	put.partition = partition_of_record(record);
	put.day = store_day(store, clock_day_of(time_us), true, err);
	bool begins = put.day && (!day_hot_is_worn(put.day) || load_hot(put.day, err) == 0);
	put.txn = begins ? env_write(&put.day->env, err) : NULL;
	if (put.txn && store_day_ready(store, put.day, put.txn, err) == 0 && put_record(&put, result) == 0)
		return 0;
	store_abort(store);
	return -1;
}
