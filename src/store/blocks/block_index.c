/* SPDX-License-Identifier: ISC */
/*
 * block_index.c: reading the blocks of a partition. See block_index.h.
 */
#include "store/blocks/block_index.h"

#include <stdlib.h>

#include "store/days/day.h"

bool day_block_read(MDB_val val, struct day_block *block)
{
	if (val.mv_size != sizeof(*block))
		return false;
	memcpy(block, val.mv_data, sizeof(*block));
	return true;
}

static int add(struct block_index *directory, uint32_t number, const struct day_block *block, struct error *err)
{
	if (directory->count == directory->cap) {
		size_t cap = directory->cap ? 2 * directory->cap : 16;
		struct block_index_entry *entries = realloc(directory->entries, cap * sizeof(*entries));

		if (!entries)
			return error_set(err, ERROR_NOMEM, "directory of %zu blocks: out of memory", cap);
		directory->entries = entries;
		directory->cap = cap;
	}
	directory->entries[directory->count++] = (struct block_index_entry){ .number = number, .block = *block };
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct block_index_entry *left = a, *right = b;
	struct position left_first = day_block_first(&left->block, 0), right_first = day_block_first(&right->block, 0);
	int order = position_compare(&left_first, &right_first);

	return order ? order : (left->number > right->number) - (left->number < right->number);
}

static void put_in_order(struct block_index *directory)
{
	struct position last = { INT64_MIN, 0, 0 };
	bool ordered = true;

	for (size_t i = 1; i < directory->count && ordered; i++)
		ordered = compare(&directory->entries[i - 1], &directory->entries[i]) < 0;
	if (!ordered)
		qsort(directory->entries, directory->count, sizeof(*directory->entries), compare);
	for (size_t i = 0; i < directory->count; i++) {
		struct position own = day_block_last(&directory->entries[i].block, 0);

		if (position_compare(&own, &last) > 0)
			last = own;
		directory->entries[i].last_before = last;
	}
}

int block_index_read(struct day *day, MDB_txn *txn, const struct partition *partition, struct block_index *directory,
                     struct error *err)
{
	uint8_t bytes[NUMBER_KEY_LEN];
	MDB_cursor *cursor;
	int result = 0;

	directory->partition = *partition;
	directory->count = 0;
	number_key_write(bytes, partition, 0);
	int rc = mdb_cursor_open(txn, day->env.dbi[DAY_BLOCKS], &cursor);
	if (rc)
		return env_fail(&day->env, rc, "open cursor", err);
	MDB_val key = env_val(bytes, sizeof(bytes)), val;
	for (rc = mdb_cursor_get(cursor, &key, &val, MDB_SET_RANGE); !rc && result == 0;
	     rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) {
		struct partition of;
		struct day_block block;
		uint32_t number;

		if (!partition_has_key(partition, key))
			break;
		if (!number_key_read(key, &of, &number) || !day_block_read(val, &block))
			result = error_set(err, ERROR_CORRUPT, "%s: an entry of blocks cannot be read", day->env.path);
		else
			result = add(directory, number, &block, err);
	}
	mdb_cursor_close(cursor);
	if (result == 0 && rc && rc != MDB_NOTFOUND)
		return env_fail(&day->env, rc, "read blocks", err);
	put_in_order(directory);
	return result;
}

const struct block_index *block_index_get(struct day *day, MDB_txn *txn, const struct partition *partition,
                                          struct error *err)
{
	struct block_index *oldest = &day->directories[0];

	for (int i = 0; i < DIRECTORY_SLOTS; i++) {
		struct block_index *directory = &day->directories[i];

		if (directory->partition.product && directory->seals == day->seals &&
		    partition_equal(&directory->partition, partition)) {
			directory->used = ++day->block_index_uses;
			return directory;
		}
		if (directory->used < oldest->used)
			oldest = directory;
	}
	if (block_index_read(day, txn, partition, oldest, err) != 0) {
		oldest->partition.product = 0;
		return NULL;
	}
	oldest->seals = day->seals;
	oldest->used = ++day->block_index_uses;
	return oldest;
}

size_t block_index_find(const struct block_index *directory, const struct position *position)
{
	size_t low = 0, high = directory->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (position_compare(&directory->entries[mid].last_before, position) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

size_t block_index_end(const struct block_index *directory, int64_t time_us)
{
	size_t low = 0, high = directory->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (directory->entries[mid].block.first_us < time_us)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void block_index_free(struct block_index *directory)
{
	free(directory->entries);
	*directory = (struct block_index){ 0 };
}
