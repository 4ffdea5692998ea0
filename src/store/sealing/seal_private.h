/* SPDX-License-Identifier: ISC */
/*
 * seal_private.h: the job that sealing works on; private to seal*.c.
 */
#ifndef CDRD_STORE_SEALING_SEAL_PRIVATE_H
#define CDRD_STORE_SEALING_SEAL_PRIVATE_H

#include "base/clock.h"
#include "base/invariant.h"
#include "store/blocks/block_builder.h"
#include "store/ids/ids.h"
#include "store/sealing/seal.h"
#include "store/sealing/sealed.h"

#define SEAL_RUNS_MAX 32 /* merged at once: as many readers are open */
#define SEAL_MISREAD_RETRY_US (INT64_C(300) * CLOCK_US_PER_SECOND)
#define SEAL_BYTES_MAX ((size_t)16 << 20) /* of blocks in memory, give or take one */

enum seal_state { SEAL_IDLE, SEAL_GATHER, SEAL_STORE, SEAL_TRIM };

/* A finished block that waits to be stored. */
struct seal_block {
	struct day_block entry;
	size_t offset; /* in seal->values */
	uint32_t first_row;
	uint32_t misread; /* parts of it that are kept uncompressed for that */
};

struct seal {
	enum seal_state state;
	bool all;          /* store_seal_all was asked for */
	size_t looked_at;  /* days of this round that had nothing to do */
	bool passed_over;  /* some day of this round waits for a commit */
	bool looks_on;     /* one of those by what sealing itself has put, or has partitions left to look at */
	bool trimmed;      /* choosing has removed dead rows instead (hot_sealed.h), which are to be committed */
	bool misread;      /* the job's end: a block did not read back as it was written */
	int32_t marks_day; /* whose marks are kept in memory (hot.h) */
	int64_t begun_us;  /* monotonic */
	int64_t ended_us;  /* monotonic: of the last job */
	int64_t part_begun_us;
	struct day *day;
	const struct catalog_product *product;
	struct partition partition;
	uint64_t snapshot;    /* rows up to this seq, in the version of this seq or before */
	uint32_t rows_max;    /* of the part that is under way, if hot rows are sealed */
	uint32_t rows_left;   /* hot rows that the job may take, from this part on */
	uint32_t rows_enough; /* a partition of so many is due, even if it has no full seal and is not old */
	bool whole;           /* no such row is left */

	uint32_t runs[SEAL_RUNS_MAX]; /* to be merged; without any, hot rows are sealed */
	uint32_t runs_count;
	struct block_index entries; /* the blocks of these runs */

	seal_change_fn change; /* of these runs' records, or NULL */
	void *change_arg;
	uint64_t changes; /* records that it has changed */

	struct position after;         /* gathering resumes after this position */
	struct block_builder *builder; /* NULL while sealing rests */
	struct buf positions;          /* struct position of each gathered row */
	struct buf ids;                /* ids_entry each */
	struct buf gone;               /* struct hot_gone each: the ids of hot rows; empty when runs are merged */
	struct buf values;             /* of the finished blocks */
	struct buf blocks;             /* struct seal_block each */
	struct buf touched;            /* struct position of rows replaced since they were gathered */
	struct buf scratch;
	uint32_t trim_rows; /* of the log, that are still to be looked at for dead ones */
};

/* The job enters its next state, or is dropped. */
static inline void seal_set_state(struct seal *seal, enum seal_state state)
{
	static const unsigned allowed[] = {
		[SEAL_IDLE] = 1U << SEAL_GATHER,
		[SEAL_GATHER] = 1U << SEAL_STORE | 1U << SEAL_IDLE,
		[SEAL_STORE] = 1U << SEAL_TRIM | 1U << SEAL_IDLE,
		[SEAL_TRIM] = 1U << SEAL_GATHER | 1U << SEAL_IDLE,
	};

	INVARIANT_STEP(allowed, seal->state, state);
	if (state == SEAL_IDLE)
		seal->ended_us = clock_monotonic_us();
	seal->state = state;
}

/* The most rows that one job takes. */
static inline uint32_t seal_job_rows(const struct store *store)
{
	return store->options.seal_rows < STORE_SEAL_ROWS_MAX ? store->options.seal_rows : STORE_SEAL_ROWS_MAX;
}

/* Of these, hot ones that are gathered before they are stored. */
static inline uint32_t seal_part_rows(const struct store *store)
{
	uint32_t rows = store->options.seal_part_rows;

	return rows < seal_job_rows(store) ? rows : seal_job_rows(store);
}

/* A run of fewer rows counts as small: many of them are merged. */
static inline uint32_t seal_few_rows(const struct store *store)
{
	return seal_part_rows(store) / 2;
}

/* Those gathered in this part. */
static inline uint32_t seal_rows(const struct seal *seal)
{
	return (uint32_t)(seal->positions.len / sizeof(struct position));
}

/* Is the job to have another part, now that this one is stored? */
static inline bool seal_has_more(const struct seal *seal)
{
	return !seal->runs_count && !seal->whole && seal->rows_left > 0;
}

/* Stands for the number of a change that is given when the result is stored: the first, the second... */
#define SEAL_CHANGE_PENDING (UINT64_C(1) << 62)

/* The store's, made at first use. */
MUST_CHECK struct seal *seal_of(struct store *store, struct error *err);

/* seal_gather.c: gathers until `deadline_us`; the state becomes SEAL_STORE when all is there, SEAL_IDLE when there is
 * nothing. */
MUST_CHECK int seal_gather(struct store *store, struct seal *seal, int64_t deadline_us, struct error *err);

/* seal_store.c: writes the result into the day's transaction; the state becomes SEAL_TRIM. */
MUST_CHECK int seal_store(struct store *store, struct seal *seal, struct error *err);

/* seal_store.c: removes dead rows until `deadline_us`; when as many have been looked at as the part owes, the job's next
 * part begins, or the state becomes SEAL_IDLE. */
MUST_CHECK int seal_trim(struct store *store, struct seal *seal, int64_t deadline_us, struct error *err);

/* seal.c: begins with the next of the job's hot rows; the state becomes SEAL_GATHER. */
void seal_begin_part(const struct store *store, struct seal *seal);

/* seal_merge.c: fills seal->entries with the blocks of seal->runs. */
MUST_CHECK int seal_take_runs(struct seal *seal, struct day *day, MDB_txn *txn, struct error *err);

/* seal_due.c: are more rows hot than memory is for? Then store->sheds, until there are an eighth fewer. */
void seal_look_at_memory(struct store *store);

/* seal_due.c: how many rows make a partition of a day due before its time, because the store sheds. */
uint32_t seal_rows_enough(const struct store *store, struct day *day);

/* seal_due.c: the next partition of a day that is to be sealed, or NULL. *again: it is to be called again, now or after
 * a commit. */
const struct hot_partition *seal_due_partition(const struct store *store, const struct seal *seal, struct day *day,
                                               bool *again);

/* seal_due.c: more is due than a round that is under way has looked for. */
void seal_due_restart(struct day *day);

enum seal_search { SEAL_SEARCH_NOTHING, SEAL_SEARCH_MORE, SEAL_SEARCH_FOUND };

/* seal_merge.c: looks for runs of a day that are worth merging, in some of its blocks. FOUND: the job's partition and
 * runs are set; MORE: the rest is for the next call. */
MUST_CHECK int seal_find_runs(struct store *store, struct seal *seal, struct day *day, enum seal_search *result,
                              struct error *err);

/* The job, which merges, has failed: the day's other partitions have their turn. */
void seal_pass_over(const struct seal *seal);

#endif
