/* SPDX-License-Identifier: ISC */
/*
 * erase_private.h: what the files of erasing share; private to them.
 */
#ifndef CDRD_STORE_ERASING_ERASE_PRIVATE_H
#define CDRD_STORE_ERASING_ERASE_PRIVATE_H

#include "store/erase.h"
#include "store/days/hot_rows.h"
#include "store/days_store.h"

enum erase_stage { ERASE_STAGE_HOT, ERASE_STAGE_DRAIN, ERASE_STAGE_FIND, ERASE_STAGE_REWRITE, ERASE_STAGE_PACK };

struct erase {
	int (*step)(struct erase *erase, int64_t deadline_us, bool *dirty, bool *done,
	            struct error *err); /* erase_step */
	struct store *store;
	struct cluster_erase *cluster; /* of what is not in days; or NULL */
	bool waits;                    /* for that */
	uint64_t cluster_left;
	int cluster_pass;
	struct buf accounts; /* struct account_key each: those of the scope, then owners */
	size_t accounts_count;
	size_t all_count;                  /* owners included */
	char number[ERASE_NUMBER_MAX + 2]; /* a plus, then the number */
	size_t number_len;                 /* without the plus */

	int32_t day; /* the current one, or the next to look for */
	bool has_day;
	enum erase_stage stage;
	size_t account;              /* current */
	struct hot_place hot_place;  /* in the first stage */
	uint8_t key[NUMBER_KEY_LEN]; /* of the block looked at last, unless the account is started again */
	bool has_key;
	int64_t drain_us;           /* jobs of sealing that began until then have to end */
	struct partition partition; /* of the runs */
	struct buf runs;            /* uint32_t: to be rewritten */
	bool packing;
	uint64_t found;        /* in this pass */
	uint64_t found_before; /* the current day */

	struct block_reader reader;
	struct buf json;
	struct erase_counts counts;
};

/* --- erase_number.c: is it the number? --- */

struct str erase_bare_number(const struct erase *erase);

/* Is it there at all, if only as a part of something? */
bool erase_may_be_in(const struct erase *erase, const void *data, size_t len);

/* The columns that may hold it, for the current account. */
uint64_t erase_columns_of(const struct erase *erase, const struct catalog_product *product);

bool erase_record_has_it(const struct erase *erase, const struct record *record, uint64_t columns);

/* Takes it out of a record; false if it was not there. A seal_change_fn; `arg` is the struct erase. */
bool erase_change(void *arg, struct record *record);

/* --- erase.c: walking --- */

/* The entry after erase->key, or the account's first; MDB_NOTFOUND when the account has no more. */
int erase_seek(const struct erase *erase, MDB_cursor *cursor, MDB_val *key, MDB_val *val);
bool erase_is_of_account(const struct erase *erase, MDB_val key);
void erase_next_account(struct erase *erase);

/* --- erase_runs.c: sealed runs --- */

/* Takes a row of erase->reader that holds the number in one of the columns, deleted ones too. 0, or -1 with *err. */
typedef int (*erase_row_fn)(void *arg, struct block_reader *reader, uint32_t row, struct error *err);

/* Looks for rows that hold it in the current block of erase->reader; `fn` is given each, or is NULL. How many there
 * were, or -1. */
MUST_CHECK int64_t erase_search_block(struct erase *erase, uint64_t columns, erase_row_fn fn, void *arg,
                                      struct error *err);

/* Lets sealing, merging and packing do a slice. */
MUST_CHECK int erase_drive(struct erase *erase, int64_t deadline_us, bool *dirty, struct error *err);

/* A step of looking for runs that hold it, and one of rewriting these; the stage says what comes next. */
MUST_CHECK int erase_find_step(struct erase *erase, struct day *day, struct error *err);
MUST_CHECK int erase_rewrite_step(struct erase *erase, struct day *day, int64_t deadline_us, bool *dirty,
                                  struct error *err);

#endif
