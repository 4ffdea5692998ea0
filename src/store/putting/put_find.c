/* SPDX-License-Identifier: ISC */
/*
 * put_find.c: is a version of this record stored? See put_private.h.
 *
 * The same record means: account, product, id, and the day or one beside it. The days' Bloom filters say at once that
 * an id is new; only otherwise are hot rows and sealed runs searched.
 */
#include "base/id.h"
#include "store/changes/changes_note.h"
#include "store/ids/ids.h"
#include "store/putting/put_private.h"

#define UPDATE_DAYS 7 /* how long a message's delivery report may take: no carrier tries for longer */

static bool is_same(const struct put *put, const struct record *other)
{
	uint8_t column = put->record->product->id_column;

	return id_equal(other->values[column], put->record->values[column]);
}

/* 1 if a hot row is the record's stored version, 0, -1. */
static int find_hot(const struct put *put, struct day *day, struct stored *stored)
{
	size_t iterator = 0;
	uint64_t hash = put->hashes[put->id_at], seq;

	while (hot_next(&day->hot, hash, &iterator, &seq)) {
		MDB_val row;
		int found = day_row_find(day, day->env.write, &put->partition, seq, &stored->position, &row, put->err);

		if (found < 0)
			return -1;
		if (!found)
			continue;
		if (record_unpack(&stored->record, put->record->product, env_str(row), &stored->changed_seq,
		                  put->err) != 0)
			return -1;
		/* Another record may have this id in another lookup column, or the same hash. */
		if (!is_same(put, &stored->record))
			continue;
		stored->partition = put->partition;
		stored->partition.direction = stored->position.direction;
		stored->sealed = false;
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
	stored->position = *block_reader_position(reader, row);
	stored->changed_seq = block_reader_changed(reader, row, stored->position.seq);
	stored->sealed = true;
	stored->block = reader->number;
	stored->row = row;
	search->result = 1;
	return false;
}

/* The hashes, besides that of put->hashes, by which a day may have the id. */
static size_t hashes_as_given(const struct put *put, const struct day *day, uint64_t hashes[DAY_AS_GIVEN_MAX])
{
	const struct catalog_product *product = put->record->product;

	if (day->number >= put->store->ids_as_given_before)
		return 0;
	return day_id_hashes_as_given(&put->partition.account, product->number, put->record->values[product->id_column],
	                              hashes);
}

static int find_sealed(const struct put *put, struct day *day, struct stored *stored)
{
	struct sealed_search search = { .put = put, .stored = stored };
	uint64_t hashes[1 + DAY_AS_GIVEN_MAX] = { put->hashes[put->id_at] };
	size_t count = 1 + hashes_as_given(put, day, hashes + 1);
	const struct catalog_product *product = put->record->product;
	uint8_t last = product->partition_direction ? CATALOG_INBOUND : 0;

	for (uint8_t direction = 0; direction <= last; direction++) {
		struct partition partition = put->partition;

		partition.direction = direction;
		for (size_t i = 0; i < count; i++) {
			if (ids_find(day, day->env.write, product, &partition, hashes[i], &put->store->put_reader,
			             take_sealed, &search, put->err) != 0)
				return -1;
			if (search.result)
				return search.result;
		}
	}
	return 0;
}

int put_find_in(const struct put *put, struct day *day, struct stored *stored)
{
	stored->day = day;
	int found = find_hot(put, day, stored);
	return found ? found : find_sealed(put, day, stored);
}

static bool may_have(const struct put *put, const struct day *day)
{
	uint64_t hashes[DAY_AS_GIVEN_MAX];

	if (bloom_filter_may_have(day->filter, &put->keys[put->id_at]))
		return true;
	size_t count = hashes_as_given(put, day, hashes);
	for (size_t i = 0; i < count; i++) {
		struct bloom_filter_key key;

		bloom_filter_key_make(&key, (uint32_t)(hashes[i] >> 32));
		if (bloom_filter_may_have(day->filter, &key))
			return true;
	}
	return false;
}

int put_find(const struct put *put, struct stored *stored)
{
	if (!may_have(put, put->day))
		return 0;
	return put_find_in(put, put->day, stored);
}

/* --- the days beside it --- */

/* Opens a day that may have the id, and looks. Nothing is written to it here, so a transaction that is begun for this
 * ends with it unless the record is there. */
static int look_beside(const struct put *put, int32_t number, struct stored *stored)
{
	struct day *day = store_day(put->store, number, false, put->err);

	if (!day) /* one that is damaged as a whole does not stop what is put into the days beside it */
		return put->err->code == ERROR_NONE || put->err->code == ERROR_DAMAGED ? 0 : -1;
	bool was_open = day->env.write;
	if (!put_open_day(put->store, number, false, put->err))
		return -1;
	int found = put_find_in(put, day, stored);
	if (found == 0 && !was_open)
		env_abort(&day->env);
	return found;
}

int put_find_beside(const struct put *put, struct stored *stored)
{
	int found = 0;

	for (int i = 0; i < 2 && found == 0; i++) {
		const struct day *day = put->beside[i];

		if (day && may_have(put, day))
			found = look_beside(put, day->number, stored);
	}
	return found;
}

int put_find_before(const struct put *put, struct stored *stored)
{
	struct store *store = put->store;
	int32_t number = put->day->number;
	int found = 0;

	for (size_t at = store_day_index(store, number - 1); at > 0 && found == 0; at--) {
		int32_t before = store->day_numbers[at - 1];
		struct day *day = store->days[at - 1];

		if (before < number - UPDATE_DAYS)
			break;
		if (!day || (!day->filter && store_day_filter(store, day, put->err) != 0)) {
			if (day && put->err->code != ERROR_DAMAGED)
				return -1;
			continue;
		}
		if (may_have(put, day))
			found = look_beside(put, before, stored);
	}
	return found;
}

/* --- before looking --- */

/* Which days are beside it, their filters mapped. */
static int list_beside(struct put *put)
{
	struct store *store = put->store;
	int32_t number = put->day->number;
	size_t at = store_day_index(store, number);

	if (at > 0 && store->day_numbers[at - 1] == number - 1)
		put->beside[0] = store->days[at - 1];
	if (at + 1 < store->days_count && store->day_numbers[at + 1] == number + 1)
		put->beside[1] = store->days[at + 1];
	for (int i = 0; i < 2; i++) {
		if (!put->beside[i] || put->beside[i]->filter || store_day_filter(store, put->beside[i], put->err) == 0)
			continue;
		if (put->err->code != ERROR_DAMAGED)
			return -1;
		put->beside[i] = NULL;
	}
	return 0;
}

void days_expect(const struct store *store, const struct record *record, const struct account_key *account)
{
	const struct catalog_product *product = record->product;
	struct str id = record->values[product->id_column];

	if (id.len == 0 || !store->put_days[0])
		return;
	uint64_t hash = day_id_hash(account, product->number, id);
	struct partition partition = partition_of(account, product->number, (uint8_t)record_partition(record));
	hot_prefetch(&store->put_days[0]->hot, hash);
	hot_partition_prefetch(&store->put_days[0]->hot, &partition);
	changes_expect(store, &partition);
	for (int i = 0; i < 3 && store->put_days[i]; i++)
		bloom_filter_prefetch_hash(store->put_days[i]->filter, (uint32_t)(hash >> 32));
}

/* Guesses that the next record is of the same day. */
static void note_days(const struct put *put)
{
	struct day **days = put->store->put_days;
	int count = 0;

	days[count++] = put->day;
	for (int i = 0; i < 2; i++)
		if (put->beside[i])
			days[count++] = put->beside[i];
	while (count < 3)
		days[count++] = NULL;
}

int put_prepare_ids(struct put *put)
{
	put->hashes_count = day_id_hashes(&put->partition.account, put->record, put->hashes, &put->id_at);
	for (size_t i = 0; i < put->hashes_count; i++) {
		bloom_filter_key_make(&put->keys[i], (uint32_t)(put->hashes[i] >> 32));
		bloom_filter_prefetch(put->day->filter, &put->keys[i]);
		hot_prefetch(&put->day->hot, put->hashes[i]);
	}
	if (put->versions && list_beside(put) != 0)
		return -1;
	for (int i = 0; i < 2; i++)
		if (put->beside[i])
			bloom_filter_prefetch(put->beside[i]->filter, &put->keys[put->id_at]);
	note_days(put);
	return 0;
}
