/* SPDX-License-Identifier: ISC */
/*
 * histogram.c: the buckets' arithmetic. The first eight hold one microsecond each; from 8 us on, each doubling has
 * eight of equal width.
 */
#include "base/histogram.h"

#include <stddef.h>

#define OCTAVE_BITS 3
#define PER_OCTAVE (1u << OCTAVE_BITS)

static size_t bucket_of(uint64_t us)
{
	if (us < PER_OCTAVE)
		return (size_t)us;
	unsigned exponent = 63u - (unsigned)__builtin_clzll(us);
	size_t bucket = (size_t)(exponent - OCTAVE_BITS) * PER_OCTAVE + (size_t)(us >> (exponent - OCTAVE_BITS));
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The longest duration that counts in a bucket. */
static int64_t bucket_end(size_t bucket)
{
	if (bucket < PER_OCTAVE)
		return (int64_t)bucket;
	size_t octave = bucket / PER_OCTAVE - 1;
	uint64_t first = (uint64_t)(PER_OCTAVE + bucket % PER_OCTAVE) << octave;
	return (int64_t)(first + (UINT64_C(1) << octave) - 1);
}

void histogram_add(struct histogram *histogram, int64_t us)
{
	if (us < 0)
		us = 0;
	histogram->counts[bucket_of((uint64_t)us)]++;
	histogram->total++;
	histogram->sum_us += us;
	if (us > histogram->max_us)
		histogram->max_us = us;
}

int64_t histogram_quantile_us(const struct histogram *histogram, unsigned per_mille)
{
	uint64_t wanted = (histogram->total * per_mille + 999) / 1000;
	uint64_t seen = 0;

	for (size_t i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->counts[i];
		if (seen >= wanted)
			return bucket_end(i) < histogram->max_us ? bucket_end(i) : histogram->max_us;
	}
	return histogram->max_us;
}

uint64_t histogram_count_to(const struct histogram *histogram, int64_t us)
{
	uint64_t count = 0;

	for (size_t i = 0; i + 1 < HISTOGRAM_BUCKETS && bucket_end(i) <= us; i++)
		count += histogram->counts[i];
	return us >= histogram->max_us ? histogram->total : count;
}
