/* SPDX-License-Identifier: ISC */
/*
 * pool.h: memory that is allocated piece by piece and freed as a whole, with the mapping that it belongs to.
 */
#ifndef CDRD_MAPPING_POOL_H
#define CDRD_MAPPING_POOL_H

#include "base/str.h"

struct pool_block;

/* Zeroed at first. */
struct pool {
	struct pool_block *blocks;
	char *at;
	size_t left;
	bool failed; /* out of memory, at some time */
};

/* Zeroed, for any type; NULL (and failed set) when out of memory. */
void *pool_alloc(struct pool *pool, size_t size);

/* A copy with a NUL after it; empty when out of memory. */
struct str pool_str(struct pool *pool, struct str text);

void pool_free(struct pool *pool);

#endif
