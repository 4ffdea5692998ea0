/* SPDX-License-Identifier: ISC */
/*
 * bucket.h: a token bucket: `rate` requests a second, as many at once. Pure.
 */
#ifndef CDRD_LIMITS_BUCKET_H
#define CDRD_LIMITS_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#define BUCKET_TOKEN INT64_C(1000000) /* a token, in the units of `level`: one a microsecond at 1 request a second */

/* Zero-initialised it is filled at first use. */
struct bucket {
	int64_t level;
	int64_t at_us; /* monotonic: time of `level` */
};

/* Adds what has come since the last call. `rate` is from 1 to 1,000,000 and may change between calls. */
static inline void bucket_fill(struct bucket *bucket, int64_t rate, int64_t now_us)
{
	int64_t full = rate * BUCKET_TOKEN;
	int64_t elapsed_us = now_us - bucket->at_us;

	if (bucket->at_us == 0 || elapsed_us >= BUCKET_TOKEN)
		bucket->level = full;
	else if (elapsed_us > 0)
		bucket->level += elapsed_us * rate;
	if (bucket->level > full)
		bucket->level = full;
	bucket->at_us = now_us;
}

/* Takes a token, if there is one. */
static inline bool bucket_take(struct bucket *bucket, int64_t rate, int64_t now_us)
{
	bucket_fill(bucket, rate, now_us);
	if (bucket->level < BUCKET_TOKEN)
		return false;
	bucket->level -= BUCKET_TOKEN;
	return true;
}

/* Whole tokens left after the last take or fill. */
static inline int64_t bucket_left(const struct bucket *bucket)
{
	return bucket->level / BUCKET_TOKEN;
}

#endif
