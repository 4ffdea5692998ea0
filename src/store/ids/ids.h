/* SPDX-License-Identifier: ISC */
/*
 * ids.h: where sealed records with an id are; private to store/.
 *
 * Each seal of a partition appends one run to block_ids: the hashes of all ids of its records, sorted, each with the
 * row it leads to. Seals join their run with those before it, so that a look-up has few to search (ids_store.c). A
 * look-up asks the day's Bloom filters first, so runs are searched only where the id is, and once in some hundred
 * look-ups for nothing.
 *
 *	key    partition, number of the last seal (day_block.run) whose ids are in the run
 *	value  u32 first block, u32 blocks, u32 entries, then u32 rows of each block,
 *	       then each entry in 6 bytes, big-endian: upper half of the hash (4), row within the run (2)
 *
 * A run of more than 65,536 rows is of the wide form, which the highest bit of its number of blocks tells: its entries
 * have the second to fourth byte of the hash (3) and the row (3), and before them is u32[256]: for each first byte of
 * a hash, how many entries have a lower one.
 */
#ifndef CDRD_STORE_IDS_IDS_H
#define CDRD_STORE_IDS_IDS_H

#include "store/blocks/block_reader.h"

#define IDS_ENTRY_BYTES 6
#define IDS_BEGINS 256

/* An entry while a run is made: the upper half of the hash, then the row. */
typedef uint64_t ids_entry;

static inline ids_entry ids_entry_of(uint64_t hash, uint32_t row)
{
	return hash >> 32 << 32 | row;
}

static inline uint32_t ids_entry_row(ids_entry entry)
{
	return (uint32_t)entry;
}

/* Sorts entries, given in the order of their rows, by hash and row. `scratch` has room for as many. */
void ids_sort(ids_entry *entries, ids_entry *scratch, size_t count);

/* Appends the value of a run. The entries are sorted. */
void ids_write(struct buf *out, uint32_t first_block, const uint32_t *rows, uint32_t blocks, const ids_entry *entries,
               size_t count);

/* A run, taken apart; it points into its value. */
struct ids_run {
	uint32_t first_block;
	uint32_t blocks;
	uint32_t count;
	const uint8_t *rows;   /* uint32_t of each block */
	const uint8_t *begins; /* uint32_t[IDS_BEGINS] of the wide form, or NULL */
	const uint8_t *entries;
};

/* False if the value is not one. */
bool ids_run_read(MDB_val val, struct ids_run *run);

/* Where a walk over a run's entries is; begins with zeros. */
struct ids_walk {
	uint32_t number;
	int byte; /* the first one of the hash */
};

/* The next entry, in order of hash and row; false at the end. */
bool ids_run_next(const struct ids_run *run, struct ids_walk *walk, ids_entry *entry);

/* A run in the making. */
struct ids_draft {
	uint32_t first_block;
	struct buf rows;    /* uint32_t of each block */
	struct buf entries; /* ids_entry each, in the order of their rows */
};

void ids_draft_free(struct ids_draft *draft);

/*
 * ids_store.c: stores the ids of a seal as the partition's last run. With `join`, the runs before it become part of it
 * where that is worth it: while the blocks of both follow each other and it has at least as many rows. Changes *draft.
 */
MUST_CHECK int ids_store(struct day *day, MDB_txn *txn, const struct partition *partition, uint32_t run, bool join,
                         struct ids_draft *draft, struct error *err);

/* Removes the ids of a seal, whose blocks may be gone already, and cuts the run that has them and others' there. */
MUST_CHECK int ids_remove(struct day *day, MDB_txn *txn, const struct partition *partition, uint32_t run,
                          struct error *err);

/* Called for each sealed, living record that may have the id; it alone is loaded. False ends the search. */
typedef bool (*ids_found_fn)(void *arg, struct block_reader *reader, uint32_t row);

/*
 * Searches the runs of a partition for the hash of an id. Fills `reader` in turn. 0 or -1 with *err; hashes may
 * collide, so the caller compares.
 */
MUST_CHECK int ids_find(struct day *day, MDB_txn *txn, const struct catalog_product *product,
                        const struct partition *partition, uint64_t hash, struct block_reader *reader, ids_found_fn fn,
                        void *arg, struct error *err);

/* A slice of making day->filter anew where it has much more room than its keys need: of a day without hot rows, and of whose
 * rows no id is known, to which nothing is being put. 1 when there is nothing to do, 0, -1. */
MUST_CHECK int ids_filter_fit_step(struct day *day, struct error *err);

/* Rebuilds day->filter from all runs and hot rows; the environment is open. */
MUST_CHECK int ids_filter_build(struct day *day, MDB_txn *txn, struct error *err);

#endif
