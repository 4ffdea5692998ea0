/* SPDX-License-Identifier: ISC */
/*
 * hot_sealed.h: which rows of `hot_rows` are sealed, and their removal; private to store/.
 *
 *	hot_sealed  partition(10) -> snapshot(8) time(8) seq(8)      how far the partition is sealed; big-endian
 *	            "dead" -> count(8)                               sealed rows that are still there
 *
 * Rows stand by arrival, those of a partition among those of all others: to remove a small account's when they are
 * sealed would write a page for each. So a seal writes its mark instead: a row at or before the position whose last
 * change was in the snapshot is in a block, and dead. That holds because a seal takes every such row from the
 * partition's first on, and one that is put there later, or put again, has a later number. A tombstone never is dead.
 * Each transaction sees its own marks, so it sees a row in one place.
 *
 * Once most rows are dead, the log is trimmed in its own order, by as much as is sealed: pages of dead rows are freed
 * at once. Where all are, as after the last seal of a day, they are dropped without being looked at.
 */
#ifndef CDRD_STORE_DAYS_HOT_SEALED_H
#define CDRD_STORE_DAYS_HOT_SEALED_H

#include "store/days/day.h"

/* Looks marks up. Zeroed, then `day` and `txn` are set; it keeps the last one. */
struct hot_marks {
	struct day *day;
	MDB_txn *txn;
	struct partition partition;
	struct hot_mark mark;
	bool has_mark;
};

/* Is a row of `hot_rows` dead? 1, 0, -1. */
MUST_CHECK int hot_marks_is_dead(struct hot_marks *marks, const struct partition *partition,
                                 const struct position *position, MDB_val val, struct error *err);

/* In the open write transaction: sets a partition's mark. `whole`: none of its rows of the snapshot is left after the
 * mark either, so it may stay where a seal before has set it further. 1, 0 if one that is there reaches further, -1. */
MUST_CHECK int hot_mark_set(struct day *day, const struct partition *partition, const struct hot_mark *mark, bool whole,
                            struct error *err);

/* The number of dead rows; and in the open write transaction, adds to it. */
MUST_CHECK int hot_dead_count(struct day *day, MDB_txn *txn, uint64_t *count, struct error *err);
MUST_CHECK int hot_dead_add(struct day *day, int64_t rows, struct error *err);

/* Removes dead rows in the open write transaction, from where it was last on, looking at so many rows. Unless `all`,
 * only where at least three quarters of the rows are dead: each page that has dead rows is copied for them. Where all are
 * dead, all go at once, unless that may take long. */
MUST_CHECK int hot_trim(struct day *day, uint32_t rows, bool all, struct error *err);

/* A slice of removing all of them, before a day's file is packed. 1 when none are there, 0 when it is to be committed and
 * called again, -1 after which the transaction is to be aborted. */
MUST_CHECK int hot_trim_step(struct day *day, struct error *err);

#endif
