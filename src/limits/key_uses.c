/* SPDX-License-Identifier: ISC */
/*
 * key_uses.c: see key_uses.h.
 */
#include "limits/key_uses.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"

#define SETS 512
#define WAYS 4
#define KEY_MAX 32

struct key_uses {
	uint64_t seed;
	uint64_t count;
	uint64_t seen[SETS][WAYS]; /* hashes, the newest of a set first; 0: none */
};

struct key_uses *key_uses_new(void)
{
	struct key_uses *uses = calloc(1, sizeof(*uses));

	if (uses)
		id_random(&uses->seed, sizeof(uses->seed));
	return uses;
}

void key_uses_free(struct key_uses *uses)
{
	free(uses);
}

static uint64_t hash_of(const struct key_uses *uses, const char *key_id, const struct ip *from, int64_t now_us)
{
	struct {
		char key[KEY_MAX];
		uint8_t network[8];
		int64_t day;
	} use = { .day = now_us / CLOCK_US_PER_DAY };
	size_t len = strlen(key_id);

	memcpy(use.key, key_id, len < KEY_MAX ? len : KEY_MAX);
	memcpy(use.network, from->bytes, from->len == 4 ? 3 : 6);
	use.network[7] = (uint8_t)from->len;
	return id_hash64(&use, sizeof(use), uses->seed) | 1;
}

bool key_uses_first(struct key_uses *uses, const char *key_id, const struct ip *from, int64_t now_us)
{
	uint64_t hash = hash_of(uses, key_id, from, now_us);
	uint64_t *set = uses->seen[hash >> 1 & (SETS - 1)];

	for (int i = 0; i < WAYS; i++)
		if (set[i] == hash)
			return false;
	memmove(set + 1, set, (WAYS - 1) * sizeof(*set));
	set[0] = hash;
	uses->count++;
	return true;
}

uint64_t key_uses_count(const struct key_uses *uses)
{
	return uses->count;
}
