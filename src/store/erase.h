/* SPDX-License-Identifier: ISC */
/*
 * erase.h: a person's number out of all records of some accounts, and out of texts for those that erase it from what
 * they keep.
 *
 * A record is a person's when one of its columns of kind CATALOG_NUMBER holds the number, a plus before it or not. Then
 * each such column becomes ERASE_TEXT and each CATALOG_BODY column empty; in records of the daemon's own (usage) the
 * number goes from CATALOG_JSON columns. Ids, times and all else stay. The feed of changes has it as a change.
 *
 *	day by day  hot rows      are put again, as if a producer had sent them
 *	            sealed runs   that hold the number, in deleted rows too, are rewritten (seal_begin_change)
 *	            the file      is rewritten, as free pages still hold what was there (repack.h)
 *
 * In a cluster, its servers are asked for such records first (cluster_erase.h); days are those of the daemon's own.
 *
 * then all of it once more, to see that nothing is left. What arrives meanwhile is found by that or, if it comes still
 * later, is a new record. A record that is merged with what arrives loses the number there and then (erased.h), as it may
 * move to where nobody looks any more. A crash leaves a part of the records erased: erasing again does the rest, and files
 * that were still to be rewritten are, from the next start on.
 */
#ifndef CDRD_STORE_ERASE_H
#define CDRD_STORE_ERASE_H

#include "store/scan.h"

#define ERASE_TEXT "erased"
#define ERASE_NUMBER_MIN 3 /* characters, without the plus */
#define ERASE_NUMBER_MAX 64

struct erase;

/*
 * `accounts` (sorted, without repeats) and `number` are copied. Of `owners`, which may be among them, only the daemon's
 * own records are looked at: they tell of queries about these accounts. ERROR_INVALID for a number that is none.
 */
struct erase_scope {
	const struct account_key *accounts;
	size_t accounts_count;
	const struct account_key *owners;
	size_t owners_count;
	struct str number;
	void (*on_ready)(
		void *arg); /* what erase_waits for may be there; from the loop; may free it; or NULL: it is asked */
	void *arg;
};

/* One at a time: ERROR_CONFLICT. */
MUST_CHECK struct erase *erase_new(struct store *store, const struct erase_scope *scope, struct error *err);

/* One that erases nothing, and any number of them: for the functions that look at texts below, and number_search.h. */
MUST_CHECK struct erase *erase_new_matcher(struct str number, struct error *err);

/* Does nothing on NULL. */
void erase_free(struct erase *erase);

/*
 * Works until about `deadline_us`. When *dirty, the caller commits (store_commit) before it calls again, at once if it
 * can. *done: a whole pass has found nothing, or ERASE_PASSES_MAX have found something each (counts.left > 0).
 * On -1 transactions may have been dropped (store_put).
 */
#define ERASE_PASSES_MAX 5
MUST_CHECK int erase_step(struct erase *erase, int64_t deadline_us, bool *dirty, bool *done, struct error *err);

/* Has the last step nothing to do before on_ready is called? */
bool erase_waits(const struct erase *erase);

struct erase_counts {
	uint64_t records;     /* erased, of all passes */
	uint64_t blocks;      /* inflated and searched */
	uint64_t rows;        /* looked at, of the pass under way */
	uint64_t runs;        /* rewritten */
	uint64_t days_packed; /* files rewritten */
	uint64_t days_done;   /* of the pass under way */
	uint64_t days_total;
	uint64_t left; /* found in the last pass */
	int pass;      /* 1: erasing; later ones look whether anything is left */
};
void erase_counts(const struct erase *erase, struct erase_counts *counts);

/* Does a text hold the number, not as a part of a longer one? For quarantine, callbacks and other texts. */
bool erase_is_in(const struct erase *erase, struct str text);

/* Copies `text` with each such number replaced by ERASE_TEXT; returns how many there were. */
size_t erase_from_text(const struct erase *erase, struct str text, struct buf *out);

/* Call before changing a row of the catalog: its file must be repacked. */
MUST_CHECK int erase_demand_catalog(struct erase *erase, struct error *err);

/* Repacks the catalog if that was demanded, as erase_step does with days. */
MUST_CHECK int erase_pack_catalog(struct erase *erase, int64_t deadline_us, bool *dirty, bool *done, struct error *err);

#endif
