/* SPDX-License-Identifier: ISC */
/*
 * aggregate_days.h: what the files of aggregates/ share of an aggregate of days.
 *
 * It goes through its range part by part: a part is what an account has in a day and a direction. The result of a
 * part is kept apart until the part is complete, since it is restarted when blocks change meanwhile.
 */
#ifndef CDRD_STORE_AGGREGATES_AGGREGATE_DAYS_H
#define CDRD_STORE_AGGREGATES_AGGREGATE_DAYS_H

#include "store/aggregates/fold.h"
#include "store/engine.h"
#include "store/scans/scan_private.h"

struct day_part {
	int32_t day;
	uint32_t account; /* of the query's */
	uint8_t direction;

	/* where it stands */
	bool begun;
	uint64_t seals; /* of the day, when it was begun */
	size_t entry;   /* blocks done */
	bool hot;       /* all of them are */
	int64_t hot_us; /* after this hot row */
	uint64_t hot_seq;
	uint64_t moves; /* of the day, when the hot rows were begun */

	/* its result so far */
	uint64_t rows, seen;
	struct aggregate_groups groups;
};

struct day_aggregate {
	struct aggregate base;
	struct day_part part;
	int changed;       /* times that the part was restarted, */
	int begun_again;   /* and all of it */
	bool has_paused;   /* since it was begun, */
	uint64_t snapshot; /* when this was the store's */
	bool hurries;
	bool done;
	struct aggregate *scanned; /* what reads the part instead, or NULL */
	struct fold *fold;         /* NULL until a block is folded */

	/* of the step that runs */
	int64_t deadline_us;
	struct error *err;
	struct day *day;
	MDB_txn *txn;
	struct partition partition;
	struct block_reader *reader;
	int64_t from_us, to_us; /* of the range, in the day */
};

/* Resumes adding up the current part. 1 when that is done, 0 when the deadline has passed, -1. */
int aggregate_read_part(struct day_aggregate *aggregate);

#endif
