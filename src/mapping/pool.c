/* SPDX-License-Identifier: ISC */
/*
 * pool.c: see pool.h.
 */
#include "mapping/pool.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>

#define BLOCK_BYTES ((size_t)16 << 10)

struct pool_block {
	struct pool_block *next;
	alignas(max_align_t) char bytes[];
};

void *pool_alloc(struct pool *pool, size_t size)
{
	size_t rounded = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);

	if (rounded > pool->left) {
		size_t room = rounded > BLOCK_BYTES ? rounded : BLOCK_BYTES;
		struct pool_block *block = calloc(1, sizeof(*block) + room);

		if (!block) {
			pool->failed = true;
			return NULL;
		}
		block->next = pool->blocks;
		pool->blocks = block;
		pool->at = block->bytes;
		pool->left = room;
	}
	void *memory = pool->at;
	pool->at += rounded;
	pool->left -= rounded;
	return memory;
}

struct str pool_str(struct pool *pool, struct str text)
{
	char *copy = pool_alloc(pool, text.len + 1);

	if (!copy)
		return STR_LITERAL("");
	if (text.len > 0)
		memcpy(copy, text.p, text.len);
	return (struct str){ copy, text.len };
}

void pool_free(struct pool *pool)
{
	while (pool->blocks) {
		struct pool_block *next = pool->blocks->next;

		free(pool->blocks);
		pool->blocks = next;
	}
	*pool = (struct pool){ 0 };
}
