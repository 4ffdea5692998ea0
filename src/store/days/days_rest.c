/* SPDX-License-Identifier: ISC */
/*
 * days_rest.c: memory that days have taken while they were written to is given back when they rest.
 *
 * LMDB keeps the pages of the largest write transaction for the next one, for each day. Records of a month, in order of
 * time, would leave what one day takes in thirty.
 */
#include "base/clock.h"
#include "store/days_store.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#define LOOK_MAX 64                        /* days at once */
#define REST_US (2 * CLOCK_US_PER_SECOND)  /* not committed to for so long, a day rests */
#define TRIM_US (10 * CLOCK_US_PER_SECOND) /* between returns to the system: each walks over all that is free */

static bool may_rest(const struct day *day, int64_t now_us)
{
	return day->is_open && !day->env.is_rested && !day->env.write && !day->env.reading && !day->pins &&
	       now_us - day->changed_us >= REST_US;
}

/* What is freed stays with the C library, unless it happens to be at the end of its heap. */
static void return_to_system(struct store *store, int64_t now_us)
{
	if (!store->has_freed || now_us - store->trimmed_us < TRIM_US)
		return;
#ifdef __GLIBC__
	(void)malloc_trim(0);
#endif
	store->has_freed = false;
	store->trimmed_us = now_us;
}

void days_rest(struct store *store)
{
	int64_t now_us = clock_monotonic_us();

	for (size_t looked = 0; looked < LOOK_MAX && store->rest_at < store->days_count; looked++) {
		struct day *day = store->days[store->rest_at++];

		if (!may_rest(day, now_us))
			continue;
		env_rest(&day->env);
		store->has_freed = true;
		return;
	}
	if (store->rest_at < store->days_count)
		return;
	store->rest_at = 0;
	return_to_system(store, now_us);
}
