/* SPDX-License-Identifier: ISC */
/*
 * pick.h: random choices that a seed repeats, for property tests (SplitMix64).
 */
#ifndef CDRD_TESTS_UNIT_PICK_H
#define CDRD_TESTS_UNIT_PICK_H

#include <stdbool.h>
#include <stdint.h>

struct pick {
	uint64_t state;
};

static inline uint64_t pick_u64(struct pick *pick)
{
	uint64_t x = pick->state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* From 0 to count - 1. */
static inline uint32_t pick_below(struct pick *pick, uint32_t count)
{
	return (uint32_t)((pick_u64(pick) >> 32) * count >> 32);
}

static inline uint32_t pick_between(struct pick *pick, uint32_t low, uint32_t high)
{
	return low + pick_below(pick, high - low + 1);
}

static inline bool pick_percent(struct pick *pick, uint32_t percent)
{
	return pick_below(pick, 100) < percent;
}

#endif
