/* SPDX-License-Identifier: ISC */
/*
 * hot.h: what is known in memory of a day's hot rows: where each id is, which rows each partition has, in order;
 * private to store/.
 *
 * Rebuilt from the rows themselves when a day is opened for writing, so it costs nothing on disk. (A tree of random
 * keys in LMDB took ingest from hundreds of thousands of records a second to tens.) Sealing keeps hot rows few.
 *
 * The ids' table is in parts that grow by themselves: to double one of hundreds of thousands of entries takes 20 ms. Its
 * entries are small, as there are hundreds of thousands: half of an id's hash, and the number of the row, which the log
 * is ordered by (hot_rows.h).
 *
 * Entries lead to rows that may hold the id, of any account and product; the caller must check the row. Those of rows
 * that were sealed are dropped one by one; those of the few that moved stay until it is rebuilt. Parts that are mostly
 * empty then shrink; once a day has no hot row, nothing is kept of it.
 */
#ifndef CDRD_STORE_DAYS_HOT_H
#define CDRD_STORE_DAYS_HOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/prefetch.h"
#include "store/blocks/position.h"
#include "store/days/hot_addresses.h"
#include "store/days/hot_order.h"

#define HOT_PARTS_LOG2 6
#define HOT_PARTS (1 << HOT_PARTS_LOG2)
#define HOT_SIZES 32

struct hot_entry {
	uint32_t hash;   /* the upper half */
	uint32_t seq[2]; /* the upper half, the lower half; both 0 for an empty slot */
};

static inline uint64_t hot_entry_seq(const struct hot_entry *entry)
{
	return (uint64_t)entry->seq[0] << 32 | entry->seq[1];
}

/* An id of a row that has left the hot ones. */
struct hot_gone {
	uint64_t hash;
	uint64_t seq;
};

/* How far a partition is sealed (hot_sealed.h). */
struct hot_mark {
	uint64_t snapshot; /* 0: nothing is sealed */
	struct hot_at last;
};

/* A mark as the write transaction sees it. */
struct hot_kept_mark {
	bool is_known;
	struct hot_mark mark;
};

/* A row that was removed. */
struct hot_removed {
	struct partition partition;
	struct hot_at at;
};

/* The entries whose hashes begin alike. */
struct hot_part {
	struct hot_entry *entries;
	size_t cap; /* a power of two, or 0 */
	size_t used;
};

struct hot_partition {
	struct partition partition; /* product 0 for an empty slot */
	uint32_t rows;
	struct hot_order order; /* tombstones are there, too */
	int64_t since_us;       /* monotonic: when the oldest of them was first seen here */
	int64_t wait_us;        /* monotonic: not sealed before this; the last time a block did not read back */
	uint64_t
		sealed_in; /* the commit that makes its newest blocks visible, by the day's count of seals; 0 for none */
};

/* Looking for partitions that are to be sealed goes round the table, some slots at a time. */
struct hot_round {
	size_t at;                        /* the slot that is next */
	size_t looked;                    /* slots looked at in this round; 0: it has not begun */
	uint64_t rows_due;                /* of partitions with a full seal or with rows that are old enough */
	int64_t oldest_us;                /* of those with rows that were passed over, and the round's own beginning */
	bool look_again;                  /* one waits for a commit, or has more rows than a job takes */
	bool gave;                        /* some were sealed */
	uint64_t rows_of_size[HOT_SIZES]; /* of those passed over with 1 row, with 2 and 3, with 4 to 7 ... */
};

/* Trimming goes through `hot_rows` again and again (hot_sealed.h). */
struct hot_trim {
	bool begun;
	uint8_t after[ROW_KEY_LEN]; /* of the row looked at last */
	uint64_t removed;           /* in this round */
	uint64_t seals;             /* of the day, when it began */
};

struct hot {
	bool loaded;
	bool has_old;    /* there are rows of format 1, or were when it was loaded: hot_rows.h */
	bool is_damaged; /* the ids of some row are not known */
	struct hot_trim trim;
	uint64_t changes; /* grows whenever an order may have changed, or have another place in memory */
	uint64_t rows;    /* of all partitions */
	uint64_t stale;   /* entries that no longer lead to a row, at most */
	size_t entries_used;
	struct hot_part parts[HOT_PARTS];
	struct hot_partition *partitions;
	size_t partitions_cap;
	size_t partitions_used;
	struct hot_addresses addresses;
	struct hot_round round;
	struct hot_kept_mark *marks; /* of the slots of `partitions`, while rows are trimmed; or NULL */
	struct buf due;              /* struct partition: those that a round has found, in order of their keys */
	size_t due_at;               /* the one that is sealed next */
	bool due_all;                /* they are gathered, and are being sealed */
	int64_t oldest_us;           /* no row is older; 0 where there are none */
	/* Of partitions with a full seal or with rows that are old enough, when a round last saw them all; 0 once that has
	 * sealed them. */
	uint64_t rows_due;
	/* Partitions with as many rows have a quarter of all, or had in the last round; 0: not known. */
	uint32_t rows_large;
	bool all_wait; /* the last round of a day at rest found none to seal: those left cannot be sealed for a while */
	bool grown;    /* since the round began, a partition has reached a number of rows that is worth a look */
	struct error damage; /* why */
};

/* Adds an id of the row of a number. */
MUST_CHECK int hot_add_id(struct hot *hot, uint64_t hash, uint64_t seq, struct error *err);

/* The number of the next row that may hold the id; zero *iterator first. False when there are no more. */
bool hot_next(const struct hot *hot, uint64_t hash, size_t *iterator, uint64_t *seq);

/* Every entry in turn, then NULL; zero *iterator first. */
const struct hot_entry *hot_each(const struct hot *hot, size_t *iterator);

static inline size_t hot_part_number(uint64_t hash)
{
	return hash >> (64 - HOT_PARTS_LOG2);
}

/* Prefetches the slot that hot_add_id and hot_next begin with. */
PREFETCH_INLINE void hot_prefetch(const struct hot *hot, uint64_t hash)
{
	const struct hot_part *part = &hot->parts[hot_part_number(hash)];

	if (part->cap)
		__builtin_prefetch(&part->entries[(hash >> 32) & (part->cap - 1)], 1);
}

/* Counts rows of a partition, made if need be; NULL when out of memory. */
MUST_CHECK struct hot_partition *hot_partition(struct hot *hot, const struct partition *partition, struct error *err);

/* Prefetches the slot that hot_partition and hot_partition_find begin with. */
void hot_partition_prefetch(const struct hot *hot, const struct partition *partition);

/* As above, NULL if it is not known. */
struct hot_partition *hot_partition_find(const struct hot *hot, const struct partition *partition);

/* Keeps marks of partitions from now on, as far as there is memory; and keeps none any more. */
void hot_keep_marks(struct hot *hot);
void hot_forget_marks(struct hot *hot);

/* Where the mark of a partition is kept; NULL if none are, or it is not known. */
struct hot_kept_mark *hot_kept_mark(const struct hot *hot, const struct partition *partition);

/* Adds the position of a row to its partition's order. */
MUST_CHECK int hot_add_position(struct hot *hot, const struct partition *partition, const struct position *position,
                                struct error *err);

/* Rows have left a partition. `stale` entries that led to them are still there. */
void hot_rows_gone(struct hot *hot, const struct partition *partition, uint32_t rows, size_t stale);

/* Drops the entries of `gone` (struct hot_gone, in no order), but those of rows whose seq is one of `kept` (uint64_t),
 * which it puts in order. The same of `removed` (struct hot_removed): the positions, which are dropped at once where
 * those of a partition follow each other in order. `removed` is empty then. */
void hot_drop(struct hot *hot, struct str gone, struct buf *removed, struct buf *kept);

/* Frees what is known where there is no row and no tombstone; it stays loaded. False if nothing was freed. */
bool hot_free_if_empty(struct hot *hot);

/* Do most entries lead to no row, so that it is time to rebuild it? */
static inline bool hot_needs_rebuild(const struct hot *hot)
{
	return hot->stale > 131072 && hot->stale > hot->entries_used / 2;
}

/* Empties it, to be rebuilt; only `changes` stays, and what addresses must not be learned (hot_addresses.h). */
void hot_free(struct hot *hot);

#endif
