/* SPDX-License-Identifier: ISC */
/*
 * day_blocks.c: see day_blocks.h.
 */
#include "store/days/day_blocks.h"

/* Moves to the first key of a partition, or the first one after it. A result of LMDB. */
static int walk_to(struct block_walk *walk, const struct day *day, MDB_txn *txn, const struct partition *partition)
{
	struct env_walk *blocks = &walk->blocks;
	uint8_t bytes[NUMBER_KEY_LEN];
	bool is_before = walk->has_before && partition_compare(&walk->before, partition) < 0;

	number_key_write(bytes, partition, 0);
	walk->before = *partition;
	walk->has_before = true;
	if (is_before && blocks->rc == MDB_NOTFOUND)
		return blocks->rc;
	if (is_before && !blocks->rc && blocks->key.mv_size == sizeof(bytes) &&
	    memcmp(blocks->key.mv_data, bytes, sizeof(bytes)) >= 0)
		return 0;
	return env_walk_to(blocks, txn, day->env.dbi[DAY_BLOCKS], env_val(bytes, sizeof(bytes)));
}

/* Adds the entry that the walk is at. */
static int add_entry(const struct day *day, const struct env_walk *blocks, struct block_index *block_index,
                     struct error *err)
{
	struct partition of;
	struct day_block block;
	uint32_t number;

	if (!number_key_read(blocks->key, &of, &number) || !day_block_read(blocks->val, &block))
		return error_set(err, ERROR_CORRUPT, "%s: an entry of blocks cannot be read", day->env.path);
	return block_index_add(block_index, number, &block, err);
}

int block_index_walk(struct block_walk *walk, struct day *day, MDB_txn *txn, const struct partition *partition,
                     struct block_index *block_index, struct error *err)
{
	block_index->partition = *partition;
	block_index->count = 0;
	int rc = walk_to(walk, day, txn, partition);
	for (; !rc && partition_has_key(partition, walk->blocks.key); rc = env_walk_next(&walk->blocks))
		if (add_entry(day, &walk->blocks, block_index, err) != 0)
			return -1;
	if (rc && rc != MDB_NOTFOUND)
		return env_fail(&day->env, rc, "read blocks", err);
	block_index_sort(block_index);
	return 0;
}

void block_walk_end(struct block_walk *walk)
{
	env_walk_end(&walk->blocks);
	*walk = (struct block_walk){ .has_before = false };
}

int block_index_read(struct day *day, MDB_txn *txn, const struct partition *partition, struct block_index *block_index,
                     struct error *err)
{
	struct block_walk walk = { .has_before = false };
	int result = block_index_walk(&walk, day, txn, partition, block_index, err);

	block_walk_end(&walk);
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
