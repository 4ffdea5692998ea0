/* SPDX-License-Identifier: ISC */
/*
 * hot_rows.h: a day's hot rows, read and written; private to store/. No other file knows the form they are kept in.
 *
 *	hot_rows    seq(8) partition(10) time(8) -> row or tombstone     day.h says what these are
 *	hot         partition(10) time(8) seq(8) -> row or tombstone     written by a cdrd of format 1
 *
 * A new row has the greatest number yet, so whoever it belongs to it is appended to the last page: pages are written
 * once, and full. A newer version that keeps the position overwrites the row in its place. The order of a partition's
 * rows is known in memory only (hot_order.h), and loaded with what else is known of the day's hot rows.
 *
 * Rows of `hot` are read where they stand, and are gone from it once they are sealed or written over. Nothing is put
 * into it.
 *
 * What a transaction does not see is passed over: a row that is not committed yet, one that was removed, one that is
 * dead, though another is to be put over it.
 */
#ifndef CDRD_STORE_DAYS_HOT_ROWS_H
#define CDRD_STORE_DAYS_HOT_ROWS_H

#include "store/days/day.h"
#include "store/days/hot_sealed.h"

/* The row or tombstone at a position. 1, 0 if there is none, -1. */
MUST_CHECK int hot_row_get(struct day *day, MDB_txn *txn, const struct partition *partition,
                           const struct position *position, MDB_val *val, struct error *err);

/* The one of a number, if it is of the partition's account and product, in whichever direction; *position becomes where
 * it is. The day's hot rows are loaded. 1, 0 if there is none, -1. */
MUST_CHECK int hot_row_find(struct day *day, MDB_txn *txn, const struct partition *partition, uint64_t seq,
                            struct position *position, MDB_val *val, struct error *err);

/* Puts one into the open write transaction. `over`: one stands at the position. */
MUST_CHECK int hot_row_put(struct day *day, const struct partition *partition, const struct position *position,
                           MDB_val val, bool over, struct error *err);

/* Removes one in the open write transaction; others see it until the commit. One that is not there is no error. */
MUST_CHECK int hot_row_remove(struct day *day, const struct partition *partition, const struct position *position,
                              struct error *err);

/* In the open write transaction: a row is in a block now. It is to be covered by a mark (hot_sealed.h). 1 if it is dead
 * from there on, 0 if it was removed, -1. */
MUST_CHECK int hot_row_leave(struct day *day, const struct partition *partition, const struct position *position,
                             struct error *err);

/* The greatest number of a row in the log, be it dead; 0 if there is none. */
MUST_CHECK int hot_rows_newest(struct day *day, MDB_txn *txn, uint64_t *seq, struct error *err);

/* How many rows and tombstones there are. */
MUST_CHECK int hot_rows_count(struct day *day, MDB_txn *txn, uint64_t *count, struct error *err);

/* A partition's rows, in order. */
struct hot_cursor {
	struct position position; /* of the current row */
	MDB_val val;              /* its row or tombstone */

	struct day *day;
	MDB_txn *txn;
	MDB_cursor *rows; /* opened when the first is read */
	struct partition partition;
	struct hot_marks marks;
	uint64_t newest; /* rows of later numbers are passed over */
	uint64_t changes;
	const struct hot_order *order; /* NULL: none are known */
	uint32_t next;                 /* of the order */
	uint64_t seq_before;           /* of the row that was read last */
	bool learns_ahead; /* whoever reads many partitions, one after the other, sets it: hot_addresses.h */
};

/* Opens it; loads the day's hot rows if need be. `newest`: rows put by later changes are passed over; UINT64_MAX for
 * all. To be closed even on failure. Rows may be put and removed while it is open. */
MUST_CHECK int hot_cursor_open(struct hot_cursor *cursor, struct day *day, MDB_txn *txn,
                               const struct partition *partition, uint64_t newest, struct error *err);

/* The first row at or after a position, or the next one. 1, 0 if there is none, -1. */
MUST_CHECK int hot_cursor_seek(struct hot_cursor *cursor, const struct position *from, struct error *err);
MUST_CHECK int hot_cursor_next(struct hot_cursor *cursor, struct error *err);

void hot_cursor_close(struct hot_cursor *cursor);

/* Prefetches what reading a partition's first rows takes, for whoever will read them soon: its slot; then, when other rows
 * have been read meanwhile, its positions; then their addresses; then its rows. */
enum hot_ahead { HOT_AHEAD_SLOT, HOT_AHEAD_POSITIONS, HOT_AHEAD_ADDRESSES, HOT_AHEAD_ROWS };
void hot_rows_prefetch(const struct day *day, const struct partition *partition, enum hot_ahead what);

/* A place in a walk over many partitions; zeroed: the beginning. */
struct hot_place {
	bool has_row; /* a row was given or passed over, the last of them this one: */
	bool is_old;  /* of `hot` */
	struct partition partition;
	struct position position;
};

/* Takes a row. 0 to continue, 1 to pause after it, -1 with *err. */
typedef int (*hot_row_fn)(void *arg, const struct hot_place *place, MDB_val val, struct error *err);

/* The rows of a day, in no order that would mean anything, after *place. 1 at the end, 0 when `fn` pauses or
 * much was passed over, -1. */
MUST_CHECK int hot_rows_each(struct day *day, MDB_txn *txn, struct hot_place *place, hot_row_fn fn, void *arg,
                             struct error *err);

/* All of them at once; `fn` does not pause. 0, -1. */
MUST_CHECK int hot_rows_all(struct day *day, MDB_txn *txn, hot_row_fn fn, void *arg, struct error *err);

/* The same for those of an account, partition by partition. `fn` may put and remove rows. */
MUST_CHECK int hot_rows_each_of(struct day *day, MDB_txn *txn, const struct account_key *account,
                                struct hot_place *place, hot_row_fn fn, void *arg, struct error *err);

#endif
