/* SPDX-License-Identifier: ISC */
/*
 * histogram.h: counts durations in buckets.
 *
 * Buckets are an eighth of an octave wide: exact below 16 us, within 12.5 % above, up to a minute; longer ones count
 * in the last. Adding costs a few instructions, so a hot path may do it; zero-initialised is empty.
 */
#ifndef CDRD_BASE_HISTOGRAM_H
#define CDRD_BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 200

struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS];
	uint64_t total;
	int64_t sum_us;
	int64_t max_us;
};

/* Counts one duration; a negative one counts as 0. */
void histogram_add(struct histogram *histogram, int64_t us);

/* The duration that `per_mille` thousandths of those counted do not exceed (rounded up to its bucket's end, but never
 * above the longest); 0 when there are none. */
int64_t histogram_quantile_us(const struct histogram *histogram, unsigned per_mille);

/* The number of durations of at most `us`, by whole buckets. */
uint64_t histogram_count_to(const struct histogram *histogram, int64_t us);

#endif
