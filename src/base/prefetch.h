/* SPDX-License-Identifier: ISC */
/*
 * prefetch.h: asks the processor to load memory that is needed soon.
 *
 * The address need not be valid: a prefetch never faults.
 */
#ifndef CDRD_BASE_PREFETCH_H
#define CDRD_BASE_PREFETCH_H

#include <stddef.h>
#include <stdint.h>

/* For functions that only prefetch. GCC considers them functions without effect and drops calls of them, unless they
 * are inlined first, which always_inline ensures. */
#define PREFETCH_INLINE static inline __attribute__((always_inline))

#define PREFETCH_LINE 64 /* bytes of a cache line */

/* Prefetches the `len` bytes before `end`. */
PREFETCH_INLINE void prefetch_before(const void *end, size_t len)
{
	for (size_t back = PREFETCH_LINE; back < len + PREFETCH_LINE; back += PREFETCH_LINE)
		__builtin_prefetch((const void *)((uintptr_t)end - back));
}

#endif
