/* SPDX-License-Identifier: ISC */
/*
 * invariant.h: checks of what must always be true.
 *
 * A violated invariant is a bug of ours, after which nothing in memory can be trusted: the process logs it and aborts.
 * What was acknowledged is on disk; systemd restarts it.
 *
 *	INVARIANT(owner->ready > 0);            a few instructions: in every build
 *	INVARIANT_DEBUG(is_sorted(entries));    where checking takes time: in builds with the sanitizers or --enable-debug
 *
 * Not for input, nor for what is read from disk: faults there are errors.
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

/* This change of state is allowed: bit `to` of allowed[from] is set. */
#define INVARIANT_STEP(allowed, from, to) INVARIANT((allowed)[from] >> (to)&1)

/* Logs it and aborts. */
void invariant_failed(const char *condition, const char *file, int line) __attribute__((noreturn, cold));

#endif
