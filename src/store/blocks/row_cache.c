/* SPDX-License-Identifier: ISC */
/*
 * row_cache.c: see row_cache.h.
 *
 * A place is counted from the first byte that was ever written, so that it says itself whether it was overwritten. A
 * bucket has the places of the newest rows of its hashes, each with a part of the hash, so that others' rows are
 * seldom looked at.
 */
#include "store/blocks/row_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"

#define BUCKETS (1U << 14)
#define BUCKET_PLACES 4
#define PLACE_BITS 48
#define ALIGNMENT 8

struct entry {
	struct row_key key;
	struct position position;
	uint64_t len;
	/* the line follows */
};

_Static_assert(sizeof(struct row_key) == 32, "without padding, which would be compared");
_Static_assert(sizeof(struct entry) % ALIGNMENT == 0, "entries are aligned");

struct row_cache {
	uint64_t written; /* the place of the next entry */
	int64_t kept_us;
	int64_t round_from_us; /* when the ring was begun again */
	int64_t used_us;
	uint64_t buckets[BUCKETS][BUCKET_PLACES]; /* tag and place, newest first; 0: none */
	uint8_t ring[ROW_CACHE_BYTES];
};

struct row_cache *row_cache_new(int64_t kept_us)
{
	struct row_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return NULL;
	cache->written = ROW_CACHE_BYTES; /* no place is 0 */
	cache->kept_us = kept_us;
	cache->used_us = clock_monotonic_us();
	return cache;
}

static struct entry *entry_at(struct row_cache *cache, uint64_t place)
{
	return (struct entry *)(void *)(cache->ring + place % ROW_CACHE_BYTES);
}

static bool is_there(const struct row_cache *cache, uint64_t place)
{
	return place + ROW_CACHE_BYTES >= cache->written;
}

bool row_cache_get(struct row_cache *cache, const struct row_key *key, struct position *position, struct str *line)
{
	uint64_t hash = id_hash64(key, sizeof(*key), 0), tag = hash >> PLACE_BITS;
	const uint64_t *bucket = cache->buckets[hash % BUCKETS];

	cache->used_us = clock_monotonic_us();
	for (int i = 0; i < BUCKET_PLACES && bucket[i]; i++) {
		uint64_t place = bucket[i] & ((UINT64_C(1) << PLACE_BITS) - 1);

		if (bucket[i] >> PLACE_BITS != tag || !is_there(cache, place))
			continue;
		const struct entry *entry = entry_at(cache, place);
		if (memcmp(&entry->key, key, sizeof(*key)) != 0)
			continue;
		*position = entry->position;
		*line = (struct str){ (const char *)(entry + 1), entry->len };
		return true;
	}
	return false;
}

/* Begins the ring again where the next entry does not fit behind the last one, and where it was begun long ago: then the
 * first ones are old, and as much is used as is asked for in that time, however long that goes on. */
static void begin_again(struct row_cache *cache, size_t bytes)
{
	size_t at = cache->written % ROW_CACHE_BYTES;
	bool is_old = cache->used_us - cache->round_from_us >= cache->kept_us;

	if (at > 0 && !is_old && bytes <= ROW_CACHE_BYTES - at)
		return;
	if (at > 0)
		cache->written += ROW_CACHE_BYTES - at;
	cache->round_from_us = cache->used_us;
}

void row_cache_put(struct row_cache *cache, const struct row_key *key, const struct position *position, struct str line)
{
	uint64_t hash = id_hash64(key, sizeof(*key), 0);
	uint64_t *bucket = cache->buckets[hash % BUCKETS];

	if (line.len > ROW_CACHE_LINE_MAX)
		return;
	size_t bytes = (sizeof(struct entry) + line.len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	begin_again(cache, bytes);
	struct entry *entry = entry_at(cache, cache->written);
	*entry = (struct entry){ *key, *position, line.len };
	memcpy(entry + 1, line.p, line.len);
	memmove(bucket + 1, bucket, (BUCKET_PLACES - 1) * sizeof(*bucket));
	bucket[0] = cache->written | hash >> PLACE_BITS << PLACE_BITS;
	cache->written += bytes;
}

int64_t row_cache_used_us(const struct row_cache *cache)
{
	return cache->used_us;
}

void row_cache_free(struct row_cache *cache)
{
	free(cache);
}
