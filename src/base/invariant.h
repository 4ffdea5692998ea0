/* SPDX-License-Identifier: ISC */
/*
 * invariant.h: what must be true, checked.
 *
 * An invariant that does not hold is a fault of ours, after which nothing that is in memory can be relied on: the process
 * says which one it was and ends. What was acknowledged is on disk; systemd starts it again.
 *
 *	INVARIANT(owner->ready > 0);            a few instructions: in every build
 *	INVARIANT_DEBUG(is_sorted(entries));    where looking takes time: in builds with the sanitizers or --enable-debug
 *
 * Not for what others send, nor for what is read from a disk: that is an error.
 */
#ifndef CDRD_BASE_INVARIANT_H
#define CDRD_BASE_INVARIANT_H

#include <stdbool.h>

#define INVARIANT(condition) \
	do { \
		if (__builtin_expect(!(condition), false)) \
			invariant_failed(#condition, __FILE__, __LINE__); \
	} while (0)

#ifdef CDRD_DEBUG
#define INVARIANT_DEBUG(condition) INVARIANT(condition)
#else
#define INVARIANT_DEBUG(condition) ((void)sizeof(condition))
#endif

/* A state may change so: bit `to` of allowed[from] is set. */
#define INVARIANT_STEP(allowed, from, to) INVARIANT((allowed)[from] >> (to)&1)

/* Logs it and aborts. */
void invariant_failed(const char *condition, const char *file, int line) __attribute__((noreturn, cold));

#endif
