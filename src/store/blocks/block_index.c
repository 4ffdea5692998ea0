/* SPDX-License-Identifier: ISC */
/*
 * block_index.c: see block_index.h.
 */
#include "store/blocks/block_index.h"

#include <stdlib.h>

#include "base/buf.h"

bool day_block_read(MDB_val val, struct day_block *block)
{
	if (val.mv_size != sizeof(*block))
		return false;
	memcpy(block, val.mv_data, sizeof(*block));
	return true;
}

int block_index_add(struct block_index *block_index, uint32_t number, const struct day_block *block, struct error *err)
{
	if (block_index->count == block_index->cap) {
		size_t cap = block_index->cap ? 2 * block_index->cap : 16;
		struct block_index_entry *entries = realloc(block_index->entries, cap * sizeof(*entries));

		if (!entries)
			return error_set(err, ERROR_NOMEM, "index of %zu blocks: out of memory", cap);
		block_index->entries = entries;
		block_index->cap = cap;
	}
	block_index->entries[block_index->count++] = (struct block_index_entry){ .number = number, .block = *block };
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct block_index_entry *left = a, *right = b;
	struct position left_first = day_block_first(&left->block, 0), right_first = day_block_first(&right->block, 0);
	int order = position_compare(&left_first, &right_first);

	return order ? order : (left->number > right->number) - (left->number < right->number);
}

void block_index_sort(struct block_index *block_index)
{
	struct position last = { INT64_MIN, 0, 0 };
	bool ordered = true;

	for (size_t i = 1; i < block_index->count && ordered; i++)
		ordered = compare(&block_index->entries[i - 1], &block_index->entries[i]) < 0;
	if (!ordered)
		qsort(block_index->entries, block_index->count, sizeof(*block_index->entries), compare);
	for (size_t i = 0; i < block_index->count; i++) {
		struct position own = day_block_last(&block_index->entries[i].block, 0);

		if (position_compare(&own, &last) > 0)
			last = own;
		block_index->entries[i].last_before = last;
	}
}

size_t block_index_find(const struct block_index *block_index, const struct position *position)
{
	size_t low = 0, high = block_index->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (position_compare(&block_index->entries[mid].last_before, position) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

size_t block_index_end(const struct block_index *block_index, int64_t time_us)
{
	size_t low = 0, high = block_index->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (block_index->entries[mid].block.first_us < time_us)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void block_index_free(struct block_index *block_index)
{
	free(block_index->entries);
	*block_index = (struct block_index){ 0 };
}
