/* SPDX-License-Identifier: ISC */
/*
 * days_rest.c: memory that days have taken while they were written to is given back when they rest.
 *
 * LMDB keeps the pages of the largest write transaction for the next one, for each day. Records of a month, in order of
 * time, would leave what one day takes in thirty. And what comes and goes while all days are written to leaves holes in
 * the heap, which grow for hours. Rows that were found by id are forgotten when none has been asked for a while; readers of
 * blocks, which keep 120 KiB each, when fewer are in use at once than were; and what sealing builds blocks with, of a merge of
 * many runs some MiB, when nothing is sealed.
 */
#include "base/clock.h"
#include "store/blocks/row_cache.h"
#include "store/days_store.h"
#include "store/sealing/seal.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#define LOOK_MAX 64                       /* days at once */
#define REST_US (2 * CLOCK_US_PER_SECOND) /* not committed to for so long, a day rests */
#define ROWS_REST_US (60 * CLOCK_US_PER_SECOND)
#define READERS_REST_US (10 * CLOCK_US_PER_SECOND)
#define SEAL_REST_US (10 * CLOCK_US_PER_SECOND)
/* Between returns to the system, each of which walks over all that is free: where a day has rested, and where none has. */
#define TRIM_US (10 * CLOCK_US_PER_SECOND)
#define TRIM_BUSY_US (60 * CLOCK_US_PER_SECOND)

static bool may_rest(const struct day *day, int64_t now_us)
{
	return day->is_open && !day->env.is_rested && !day->env.write && !day->env.reading && !day->pins &&
	       now_us - day->changed_us >= REST_US;
}

/* What is freed stays with the C library, unless it happens to be at the end of its heap. */
static void return_to_system(struct store *store, int64_t now_us)
{
	if (now_us - store->trimmed_us < (store->has_freed ? TRIM_US : TRIM_BUSY_US))
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

	if (store->rows && now_us - row_cache_used_us(store->rows) >= ROWS_REST_US) {
		store_forget_rows(store);
		store->has_freed = true;
	}
	store->has_freed |= store_readers_rest(store, now_us - READERS_REST_US);
	store->has_freed |= seal_rest(store, now_us - SEAL_REST_US);
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
