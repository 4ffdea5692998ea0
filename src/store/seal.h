/*
 * seal.h: hot rows to sealed blocks, in slices; private to store/ but for what store.h exports.
 *
 * One job at a time, of one partition of a day:
 *
 *	gather   in read transactions of a slice each: the rows that were there when the job began become blocks in memory,
 *	         from `hot`, or from runs of blocks that are to be merged (many small ones, or many dead rows)
 *	store    in the day's write transaction, in one go: blocks, their run of ids; the rows or runs they came from go
 *
 * The write transaction is committed with the next group commit. What a put replaces between the two is noted
 * (seal_touch) and is dead in the new blocks from the start. A crash or an abort leaves all of it or none.
 */
#ifndef CDRD_STORE_SEAL_H
#define CDRD_STORE_SEAL_H

#include "store/day.h"
#include "store/store.h"

/* A row at this place is being replaced or moved. */
void seal_touch(struct store *store, struct day *day, const struct partition *partition, const struct place *place);

/* Marks a row of a block dead. */
int seal_mark_dead(struct day *day, MDB_txn *txn, const struct partition *partition, uint32_t block, uint32_t row,
                   struct error *err);

/* The job under way is of no use any more (its day is closed or removed, its transaction was aborted). */
void seal_forget(struct store *store);

/* Frees what sealing keeps. */
void seal_free(struct store *store);

#endif
