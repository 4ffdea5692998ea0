/* SPDX-License-Identifier: ISC */
/*
 * day_count.h: what a day holds, counted in slices, as a day of a hundred thousand accounts has as many blocks.
 *
 *	struct day_count count = { .stats = { .day = day } };
 *	while ((rc = store_count_day(store, &count, deadline_us, &err)) == 0)
 *		...the next slice...
 *
 * Sealed and hot rows are those of one commit: what is sealed between two slices begins the count again. Tombstones, the places
 * that records have left for another time of the day or another day, are not counted, unless they go meanwhile, as they do
 * when their account is removed.
 */
#ifndef CDRD_STORE_DAY_COUNT_H
#define CDRD_STORE_DAY_COUNT_H

#include "store/store.h"

struct store_day_stats {
	int32_t day;
	uint64_t hot_rows;
	uint64_t blocks;
	uint64_t old_blocks; /* of the format before, not upgraded yet */
	uint64_t sealed_rows;
	uint64_t deleted_rows; /* of the sealed ones: newer versions replaced them */
	uint64_t csv_bytes;    /* of the lines in the blocks */
	uint64_t bytes;        /* of files on disk */
};

/* A count under way; zeroed but for the day: the beginning. */
struct day_count {
	struct store_day_stats stats; /* when the count has ended */
	int stage, tries;             /* the store's, with what follows: where it is */
	uint64_t seals;               /* of the day, when this try began */
	uint64_t snapshot;            /* of the hot rows that were counted */
	uint64_t tombstones;
	uint64_t place[8];
};

/* Counts on until the deadline, on clock_monotonic_us. 1 when all is counted, 0 when there is more, -1 with ERROR_NOT_FOUND if
 * there is no such day, ERROR_CORRUPT, ERROR_IO or ERROR_NOMEM. */
MUST_CHECK int store_count_day(struct store *store, struct day_count *count, int64_t deadline_us, struct error *err);

static inline uint64_t day_stats_records(const struct store_day_stats *stats)
{
	return stats->hot_rows + stats->sealed_rows - stats->deleted_rows;
}

/* Is it open now, so that counting it reads no other file? False, too, if there is no such day. */
bool store_day_is_open(const struct store *store, int32_t day);

/* Of files on disk: a day's, and the catalog's. */
uint64_t store_day_bytes(const struct store *store, int32_t day);
uint64_t store_catalog_bytes(const struct store *store);

#endif
