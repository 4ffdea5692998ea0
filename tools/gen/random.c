/* SPDX-License-Identifier: ISC */
/*
 * random.c: the seeding of cdrgen's generator.
 *
 * splitmix64 spreads one number over the 256 bits of state, so that seeds 1 and 2 have nothing in common and no seed
 * gives the all-zero state that xoshiro cannot leave.
 */
#include "gen/random.h"

static uint64_t splitmix64(uint64_t *x)
{
	uint64_t z = (*x += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void gen_random_seed(struct gen_random *random, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		random->state[i] = splitmix64(&seed);
}
