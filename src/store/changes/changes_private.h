/* SPDX-License-Identifier: ISC */
/*
 * changes_private.h: what the files of changes share; private to them.
 *
 *	changes.c          the page: its beginning, its order, its end
 *	changes_collect.c  finds the changes with the smallest numbers after `since`, a slice at a time
 *	changes_fetch.c    reads the records that were found
 *
 * Days change while a page waits for its next slice, so what was found may lie elsewhere when it is read. Its number
 * tells: a row with another one, or none, is not the change that was found, and the page then ends before it. Within a
 * partition hot rows are looked at first: one that is sealed meanwhile is found again in its block, never missed.
 *
 * There is no index of changes on disk. What finds them instead, from coarse to fine:
 *
 *	store->changed   newest change of an account and product (a table of hashes, of all until the start): is there anything?
 *	Bloom filters    ranges of changes of a day (seq_ranges.h): which days?
 *	day_block        changed_min and changed_max: which blocks?
 *	block            seqs of rows and `changed`, both outside of the compressed part: which rows?
 *
 * So a page of the newest changes reads the hot rows of a day and perhaps a block; one of old changes, the blocks that
 * hold them. The rows found are read last, in the order in which they lie.
 */
#ifndef CDRD_STORE_CHANGES_CHANGES_PRIVATE_H
#define CDRD_STORE_CHANGES_CHANGES_PRIVATE_H

#include "store/engine.h"
#include "store/days_store.h"

/* A change that was found, and where. */
struct change_row {
	uint64_t seq;
	uint32_t order;   /* of finding: the latest position of a number is the valid one */
	uint32_t account; /* of the query's */
	int32_t day;
	struct position position; /* of a hot row; of a sealed one only its direction */
	bool sealed;
	uint32_t block;
	uint32_t row;
	size_t text_at; /* what `write` made of it */
	size_t text_len;
};

struct change_day {
	uint64_t first; /* no change of the day that is wanted has a smaller number */
	int32_t number;
};

struct change_block {
	uint64_t changed_min;
	uint32_t number;
};

enum changes_state { CHANGES_BEGIN, CHANGES_COLLECT, CHANGES_FETCH, CHANGES_COMPLETE };

struct day_changes {
	struct changes base;
	struct store *store;
	struct changes_query query;
	enum changes_state state;
	uint64_t snapshot;
	uint64_t limit;  /* numbers from here on are not wanted any more */
	struct buf rows; /* struct change_row each; ordered and cut to max + 1 once in a while */
	uint32_t order;
	struct block_reader *reader;
	unsigned seen; /* to look at the clock once in a while */

	struct buf days; /* struct change_day each, by `first` */
	size_t day_at;
	struct buf accounts; /* uint32_t each: of the query's, those that may have something */
	size_t account_at;   /* of these, the current one */
	uint8_t direction;   /* of the day's current partition */
	bool hot_done;
	struct position hot_next; /* where reading its hot rows resumes */
	bool listed;
	uint64_t seals;    /* of the day when its blocks were listed */
	struct buf blocks; /* struct change_block each, by changed_min */
	size_t block_at;

	size_t fetch_at;
	uint64_t cut; /* smallest number that was not found again, or UINT64_MAX */
	struct buf text;
	struct changes_page page;
};

static inline struct change_row *changes_rows(const struct day_changes *changes)
{
	return (struct change_row *)(void *)changes->rows.data;
}

static inline size_t changes_count(const struct day_changes *changes)
{
	return changes->rows.len / sizeof(struct change_row);
}

/* Orders the rows by number, drops what was found twice and what is more than a page and one. */
void changes_settle(struct day_changes *changes);

/* Both: 1 when all is done, 0 when the slice is over, -1. */
MUST_CHECK int changes_collect(struct day_changes *changes, int64_t deadline_us, struct error *err);
MUST_CHECK int changes_fetch(struct day_changes *changes, int64_t deadline_us, struct error *err);

/* List the accounts and the days to look at. */
void changes_list_accounts(struct day_changes *changes);
MUST_CHECK int changes_list_days(struct day_changes *changes, struct error *err);

#endif
