/* SPDX-License-Identifier: ISC */
/*
 * random.h: cdrgen's random numbers, the same on every machine for the same seed.
 *
 * xoshiro256++ (Blackman and Vigna, prng.di.unimi.it), its state filled by splitmix64. Not for secrets: those come
 * from base/id.h.
 */
#ifndef CDRD_GEN_RANDOM_H
#define CDRD_GEN_RANDOM_H

#include <stdint.h>

struct gen_random {
	uint64_t state[4];
};

void gen_random_seed(struct gen_random *random, uint64_t seed);

static inline uint64_t gen_random_rotate(uint64_t x, int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

/* The next 64 bits. */
static inline uint64_t gen_random_next(struct gen_random *random)
{
	uint64_t *s = random->state;
	uint64_t result = gen_random_rotate(s[0] + s[3], 23) + s[0];
	uint64_t shifted = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= shifted;
	s[3] = gen_random_rotate(s[3], 45);
	return result;
}

/* A number of [0, limit). The bias of the multiplication is below one in four billion for the small limits here. */
static inline uint32_t gen_random_below(struct gen_random *random, uint32_t limit)
{
	return (uint32_t)(((gen_random_next(random) >> 32) * limit) >> 32);
}

#endif
