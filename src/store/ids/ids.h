/* SPDX-License-Identifier: ISC */
/*
 * ids.h: where sealed records with an id are; private to store/.
 *
 * Each seal of a partition appends one run to block_ids: the hashes of all ids of its records, sorted, each with the
 * row it leads to. A look-up asks the day's Bloom filters first, so runs are searched only where the id is, and once in
 * some hundred look-ups for nothing.
 *
 *	value  u32 first block, u32 blocks, u32 entries, then u32 rows of each block,
 *	       then each entry in 6 bytes, big-endian: upper half of the hash (4), row within the run (2)
 */
#ifndef CDRD_STORE_IDS_IDS_H
#define CDRD_STORE_IDS_IDS_H

#include "store/blocks/block_reader.h"

/* An entry while a run is made: hash >> 32 << 16 | row. */
typedef uint64_t ids_entry;

static inline ids_entry ids_entry_of(uint64_t hash, uint32_t row)
{
	return hash >> 32 << 16 | row;
}

/* Sorts the entries and appends the value of a run. `scratch` has room for as many entries. */
void ids_write(struct buf *out, uint32_t first_block, const uint32_t *rows, uint32_t blocks, ids_entry *entries,
               ids_entry *scratch, size_t count);

/* A run, taken apart; it points into its value. */
struct ids_run {
	uint32_t first_block;
	uint32_t blocks;
	uint32_t count;
	const uint8_t *rows; /* uint32_t of each block */
	const uint8_t *entries;
};

/* False if the value is not one. */
bool ids_run_read(MDB_val val, struct ids_run *run);

/* Called for each sealed, living record that may have the id; it alone is loaded. False ends the search. */
typedef bool (*ids_found_fn)(void *arg, struct block_reader *reader, uint32_t row);

/*
 * Searches the runs of a partition for the hash of an id. Fills `reader` in turn. 0 or -1 with *err; hashes may
 * collide, so the caller compares.
 */
MUST_CHECK int ids_find(struct day *day, MDB_txn *txn, const struct catalog_product *product,
                        const struct partition *partition, uint64_t hash, struct block_reader *reader, ids_found_fn fn,
                        void *arg, struct error *err);

/* Rebuilds day->filter from all runs and hot rows; the environment is open. */
MUST_CHECK int ids_filter_build(struct day *day, MDB_txn *txn, struct error *err);

#endif
