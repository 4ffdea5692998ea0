/* SPDX-License-Identifier: ISC */
/*
 * moves.h: records that a newer version takes from one day to the day beside it; private to store/.
 *
 * Days are environments with a commit each, so between the two commits a crash would leave the record in both days or
 * in none. A file that records the moves in advance prevents that:
 *
 *	data_dir/moves      struct move_head and the new version's packed row, for each record that moves
 *
 *	moves_note          the record leaves one day and is put into the other, in their open transactions
 *	moves_write         before the commits of the days: the file is on disk
 *	                    then the days, those that only gain records first
 *	moves_done          after the last commit: the file is empty again, unless a backup is being made
 *	moves_finish        where a start finds it not empty, or a commit has failed: what is missing is done
 *
 * Doing it again does no harm: a record that is in its new day stays as it is there and goes from its old place; one
 * that is in neither day is put into the new one, from the file; one that was put into its old day again, by a later
 * change than the move, stays there. So a backup, which copies days one after the other, holds the moves that were made
 * meanwhile (store_keep_moves), and a start with it finishes them.
 */
#ifndef CDRD_STORE_PUTTING_MOVES_H
#define CDRD_STORE_PUTTING_MOVES_H

#include "store/blocks/position.h"

struct moves;

/* Opens the file, made if need be, and sees what was left in it. Blocks. */
MUST_CHECK int moves_open(struct store *store, struct error *err);

/* Does nothing on NULL. */
void moves_close(struct moves *moves);

/* A record with the packed row `row` has moved from a day to a place of another, in what is not committed. */
MUST_CHECK int moves_note(struct store *store, const struct partition *partition, int32_t from_day,
                          const struct position *to, struct str row, struct error *err);

/* Puts what was noted on disk. Blocks for the fsync, if there is something. */
MUST_CHECK int moves_write(struct store *store, struct error *err);

/* All days have been committed. */
void moves_done(struct store *store);

/* What was noted has been dropped with the days' transactions; or, once some day may have been committed, is to be
 * finished. */
void moves_drop(struct store *store);

/* Is something left to be finished? */
bool moves_are_left(const struct store *store);

/* Finishes what is left, as far as that is possible; what waits for a commit shares its fate. What cannot be finished
 * (a day that is damaged, a full disk) is logged, and tried again later. Blocks for the commits. */
void moves_finish(struct store *store);

/* The same if something is left and nothing waits for a commit. */
void moves_finish_if_idle(struct store *store);

#endif
