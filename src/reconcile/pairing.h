/* SPDX-License-Identifier: ISC */
/*
 * pairing.h: which row of ours is which of the carrier's, among rows of one key; and what differs between the two.
 *
 * Pairs are made nearest first: those whose durations agree before others, then by the difference of the times, then by
 * that of the durations. Nothing here allocates or knows of files.
 */
#ifndef CDRD_RECONCILE_PAIRING_H
#define CDRD_RECONCILE_PAIRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/decimal.h"
#include "reconcile/match_row.h"

#define PAIRING_ROWS_MAX 1024 /* of a side at once */
#define PAIRING_NEAREST 8     /* rows of ours that are considered for one of the carrier's, in each round */

/* What differs, by bit. */
enum pairing_difference {
	PAIRING_PRICE = 1,
	PAIRING_DURATION = 2,
	PAIRING_STATUS = 4,
};
#define PAIRING_ALL (PAIRING_PRICE | PAIRING_DURATION | PAIRING_STATUS)

struct pairing_rules {
	int64_t time_tolerance_us; /* INT64_MAX: of any times, as the key is an id */
	struct decimal duration_tolerance;
	struct decimal price_tolerance;
	unsigned compared; /* of enum pairing_difference */
};

struct pairing_candidate {
	int64_t apart_us;
	decimal_units duration_apart;
	uint16_t ours, theirs;
	bool far; /* the durations do not agree */
};

/* What pairs are made of, and where they go: all of it is the caller's. */
struct pairing_lot {
	const struct pairing_rules *rules;
	const struct match_row *ours, *theirs;
	size_t ours_count, theirs_count;
	int *pairs;
};

/* Room to work in, too large for the stack. */
struct pairing {
	struct pairing_lot lot;
	struct pairing_candidate candidates[PAIRING_ROWS_MAX * PAIRING_NEAREST];
	uint16_t ours[PAIRING_ROWS_MAX];   /* rows that have no other yet */
	uint16_t theirs[PAIRING_ROWS_MAX]; /* likewise */
	bool ours_taken[PAIRING_ROWS_MAX];
};

#define PAIRING_NONE (-1)

/*
 * Begins to find for each row of the carrier's the index of ours, or PAIRING_NONE. Both sides are in order of time, have
 * one hash and at most PAIRING_ROWS_MAX rows each, and stay until all pairs are made. False if they are, as nearly always;
 * otherwise pairing_round is to be called until it returns false.
 */
bool pairing_begin(struct pairing *pairing, const struct pairing_rules *rules, const struct match_row *ours,
                   size_t ours_count, const struct match_row *theirs, size_t theirs_count, int *pairs);

/* Makes some pairs, in a fraction of a millisecond. Many rows of one key, beside each other, take a hundred rounds. */
bool pairing_round(struct pairing *pairing);

/* Bits of enum pairing_difference. What the carrier's row leaves empty is not compared. */
unsigned pairing_differences(const struct pairing_rules *rules, const struct match_row *ours,
                             const struct match_row *theirs);

#endif
