/* SPDX-License-Identifier: ISC */
/*
 * day_blocks.c: see day_blocks.h.
 */
#include "store/days/day_blocks.h"

int block_index_read(struct day *day, MDB_txn *txn, const struct partition *partition, struct block_index *block_index,
                     struct error *err)
{
	uint8_t bytes[NUMBER_KEY_LEN];
	MDB_cursor *cursor;
	int result = 0;

	block_index->partition = *partition;
	block_index->count = 0;
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
			result = block_index_add(block_index, number, &block, err);
	}
	mdb_cursor_close(cursor);
	if (result == 0 && rc && rc != MDB_NOTFOUND)
		return env_fail(&day->env, rc, "read blocks", err);
	block_index_sort(block_index);
	return result;
}

const struct block_index *block_index_get(struct day *day, MDB_txn *txn, const struct partition *partition,
                                          struct error *err)
{
	struct block_index *oldest = &day->block_indexes[0];

	for (int i = 0; i < BLOCK_INDEX_SLOTS; i++) {
		struct block_index *block_index = &day->block_indexes[i];

		if (block_index->partition.product && block_index->seals == day->seals &&
		    partition_equal(&block_index->partition, partition)) {
			block_index->used = ++day->block_index_uses;
			return block_index;
		}
		if (block_index->used < oldest->used)
			oldest = block_index;
	}
	if (block_index_read(day, txn, partition, oldest, err) != 0) {
		oldest->partition.product = 0;
		return NULL;
	}
	oldest->seals = day->seals;
	oldest->used = ++day->block_index_uses;
	return oldest;
}
