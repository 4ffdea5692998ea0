/* SPDX-License-Identifier: ISC */
/*
 * sealed.h: the sealed records of a partition in order, out of blocks that may overlap; private to store/.
 *
 *	struct sealed sealed = { .store = ..., .day = ..., ... };
 *	sealed_begin(&sealed, 0, &after);
 *	for (rc = sealed_open(&sealed); rc == 0 && (head = sealed_head(&sealed)); rc = sealed_next(&sealed))
 *		block_reader_record(head->reader, head->row, ...);
 *	sealed_end(&sealed);
 *
 * Most often one block is open at a time; where blocks overlap, as many as do. Deleted rows are passed over, and so are
 * rows that do not pass the filters, as far as the block's columns part tells.
 */
#ifndef CDRD_STORE_SEALING_SEALED_H
#define CDRD_STORE_SEALING_SEALED_H

#include "store/days_store.h"

struct sealed_head {
	struct block_reader *reader;
	const struct block_index_entry *entry;
	uint32_t row;
	struct position position;
	bool chooses;
	bool decides;                   /* it chooses, and those chosen pass all filters */
	uint8_t chosen[BLOCK_ROWS / 8]; /* a bit for each row that may pass the filters, if it chooses */
	uint32_t chosen_count;
};

struct sealed {
	/* the caller's */
	struct store *store;
	struct day *day;
	MDB_txn *txn;
	const struct catalog_product *product;
	struct partition partition;
	const struct block_index_entry *entries; /* by first position */
	size_t entries_count;
	const struct scan_filter *filters; /* blocks and rows that are known not to pass them are left out */
	size_t filters_count;
	bool places_only; /* the segment of the record that comes next is not loaded yet, only its positions are */
	struct error *err;

	/* sealed.c's */
	size_t next; /* entry not opened yet */
	struct position after;
	struct sealed_head *heads;
	size_t heads_count;
	size_t heads_cap;
	size_t first; /* the head that comes next */
};

/* Fills what is not the caller's. Begins after a position; `next` is the first entry that may hold a record there. Opens
 * nothing yet. */
void sealed_begin(struct sealed *sealed, size_t next, const struct position *after);

/* Opens what is needed to know which record comes next. Where filters pass over many blocks in a row it returns between
 * them, without a head: it is to be called again for as long as `next` has not reached the last entry. */
int sealed_open(struct sealed *sealed);

/* The record that comes next, its segment loaded, unless `places_only`; NULL at the end. */
static inline const struct sealed_head *sealed_head(const struct sealed *sealed)
{
	return sealed->heads_count ? &sealed->heads[sealed->first] : NULL;
}

/* Passes over the record that comes next. Where that was the last of the open blocks, the following are opened by
 * sealed_open, not here: the caller may want them whole. */
int sealed_next(struct sealed *sealed);

/* Passes over the rows before `row` of the block that has the record that comes next, of which the last one was given. */
int sealed_go_to(struct sealed *sealed, uint32_t row, const struct position *last);

/* Passes over a whole entry that has not been opened: the next one, when there is no head. */
void sealed_skip_entry(struct sealed *sealed);

/* Frees what was taken. Safe on one that was zeroed or has ended. */
void sealed_end(struct sealed *sealed);

#endif
