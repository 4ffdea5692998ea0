/* SPDX-License-Identifier: ISC */
/*
 * seal.h: hot rows to sealed blocks, in slices; private to store/ but for what store.h exports.
 *
 * One job at a time, of one partition of a day:
 *
 *	gather   in read transactions of a slice each: the rows that were there when the job began become blocks in memory,
 *	         from the hot rows, or from runs of blocks that are to be merged (many small ones, or many deleted rows)
 *	store    in the day's write transaction, in one go: blocks, their run of ids; the rows or runs they came from are removed.
 *	         In memory, the ids of hot rows stay until the commit, as others see the rows until then
 *	trim     rows of the log that are dead by now are removed, as many at a time as a slice allows. What is left when
 *	         that is cut short goes with a later job
 *
 * Of hot rows, up to `seal_rows` in a job, a part (STORE_SEAL_PART_ROWS) goes through all of these, and then the next one:
 * the loop waits for what is stored at once, and for its commit.
 *
 * The write transaction is committed with the next group commit. What a put replaces between the two is noted
 * (seal_touch) and is deleted in the new blocks from the start. A crash or an abort leaves all of it or none.
 */
#ifndef CDRD_STORE_SEALING_SEAL_H
#define CDRD_STORE_SEALING_SEAL_H

#include "store/days/day.h"
#include "store/store.h"

/* A row at this position is being replaced or moved. */
void seal_touch(struct store *store, struct day *day, const struct partition *partition,
                const struct position *position);

/* Marks a row of a block deleted. */
MUST_CHECK int seal_mark_deleted(struct day *day, MDB_txn *txn, const struct partition *partition, uint32_t block,
                                 uint32_t row, struct error *err);

/* Changes a record on its way into a new block, if it wants to; what it puts there lives until the next call. */
typedef bool (*seal_change_fn)(void *arg, struct record *record);

/*
 * Begins the job of rewriting a run of a partition, with records that `fn` changes; store_maintain does it. The changed
 * ones get numbers of changes as if they had been put. 1; 0 when there is no such run; -1. No job is under way, and
 * nothing waits for a commit.
 */
MUST_CHECK int seal_begin_change(struct store *store, struct day *day, const struct partition *partition, uint32_t run,
                                 seal_change_fn fn, void *arg, struct error *err);

/* Is a job under way that began at `until_us` (monotonic) or before? */
bool seal_is_under_way(const struct store *store, int64_t until_us);

/* Drops the job under way (its day is closed or removed, its transaction was aborted). */
void seal_forget(struct store *store);

/* The same if it is of a partition of this account. */
void seal_forget_account(struct store *store, const struct account_key *account);

/* Frees what jobs leave to the next one if none is under way and the last ended before then (monotonic): true if there was
 * something. */
bool seal_rest(struct store *store, int64_t before_us);

/* Frees what sealing keeps. */
void seal_free(struct store *store);

#endif
