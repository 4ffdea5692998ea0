/* SPDX-License-Identifier: ISC */
/*
 * reconciler_private.h: what the files of a reconciler share.
 *
 *	reconciler.c        its life and stages, the result
 *	reconciler_sides.c  rows of either side: the carrier's file, the records
 *	reconciler_join.c   rows of one key beside each other, and what becomes of them
 */
#ifndef CDRD_RECONCILE_RECONCILER_PRIVATE_H
#define CDRD_RECONCILE_RECONCILER_PRIVATE_H

#include "reconcile/reconciler.h"
#include "reconcile/pairing.h"
#include "reconcile/sorter.h"
#include "store/scan.h"

enum reconciler_stage { STAGE_READ, STAGE_SCAN, STAGE_OPEN, STAGE_JOIN, STAGE_FINISH, STAGE_DONE };

/* A side, sorted. */
struct reconciler_side {
	struct sorter *sorter;
	uint64_t rows; /* given to the sorter */
	uint64_t joined;
	const char *head; /* the next row; NULL at the end */
	struct match_order head_order;
	/* rows of the key that is being joined */
	struct buf packed;
	size_t count;
	size_t offsets[PAIRING_ROWS_MAX];
	struct match_row list[PAIRING_ROWS_MAX];
};

struct reconciler {
	struct reconciler_spec spec;
	struct request_columns columns;
	enum reconciler_stage stage;
	struct error failure; /* what a callback could not return */
	bool failed;

	struct reconciler_side ours, theirs;
	struct class_file files[RECONCILER_CLASSES];
	struct class_file_result results[RECONCILER_CLASSES];
	size_t finished; /* files */
	struct buf row;  /* packed */

	/* the carrier's file */
	int upload;
	struct ingest_trial *trial;
	uint64_t read_bytes;
	uint64_t skipped;  /* rows that the mapping skips */
	uint64_t others;   /* of another product or direction, or updates of records */
	uint64_t rejected; /* rows */

	/* the records */
	struct scan_query query;
	struct scan_filter filter;
	struct scan *scan;
	double scanned;
	void (*on_ready)(void *arg);
	void *on_ready_arg;

	/* the join */
	struct pairing *pairing;
	int pairs[PAIRING_ROWS_MAX];
	bool ours_paired[PAIRING_ROWS_MAX];
	bool begun;
	uint64_t lot_hash; /* of the rows that are being joined */
	int64_t lot_last_us;
	bool lot_cut;       /* more of the key follows */
	bool is_pairing;    /* the lot has pairs that were not made yet */
	bool lot_again;     /* rows of the carrier's with this hash were in lots before */
	uint64_t rows_ours; /* of the month, or paired */
	uint64_t duplicates;
	uint64_t differences[3]; /* price, duration, status */
};

/* Each: 1 when it is done, 0 when the deadline has passed, -1. */
MUST_CHECK int reconciler_read_begin(struct reconciler *reconciler, struct error *err);
MUST_CHECK int reconciler_read(struct reconciler *reconciler, int64_t deadline_us, struct error *err);
MUST_CHECK int reconciler_scan_begin(struct reconciler *reconciler, struct error *err);
MUST_CHECK int reconciler_scan(struct reconciler *reconciler, int64_t deadline_us, bool *waits, struct error *err);
MUST_CHECK int reconciler_join(struct reconciler *reconciler, int64_t deadline_us, struct error *err);

#endif
