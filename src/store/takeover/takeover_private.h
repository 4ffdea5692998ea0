/* SPDX-License-Identifier: ISC */
/*
 * takeover_private.h: what the files of a takeover share; private to store/takeover/.
 *
 *	takeover.c          its life, and how it finishes
 *	takeover_round.c    rounds, of which each copies what has changed since the one before
 *	takeover_place.c    where it has got to, in the catalog
 *	takeover_walk.c     reads the rows of a day that have changed since, in slices
 *	takeover_copy.c     makes them rows of tables, and inserts these
 *	takeover_check.c    compares days
 *	takeover_sums.c     adds up one here,
 *	takeover_compare.c  and in the cluster
 */
#ifndef CDRD_STORE_TAKEOVER_TAKEOVER_PRIVATE_H
#define CDRD_STORE_TAKEOVER_TAKEOVER_PRIVATE_H

#include "store/cluster/cluster_sql.h"
#include "store/days/hot_rows.h"
#include "store/takeover.h"

/* --- takeover_walk.c --- */

enum takeover_stage { TAKEOVER_HOT, TAKEOVER_BLOCKS };

/* Where a walk is in a day. All zero: at its beginning. */
struct takeover_at {
	enum takeover_stage stage;
	struct hot_place hot;        /* of the first stage */
	uint8_t key[NUMBER_KEY_LEN]; /* of the second: the block that is done, or, with rows, is being read */
	size_t key_len;              /* 0: none */
	uint32_t rows;               /* of it, so many are done; 0: all */
};

struct takeover_row {
	const struct catalog_product *product;
	struct partition partition; /* its direction is that of the position */
	struct position position;
	uint64_t version; /* the change that made it what it is */
	bool is_dead;     /* it has left this place at that change */
	const struct record *record;
};

/* Takes a row. 0 to continue, 1 to pause after it, -1 with *err. */
typedef int (*takeover_row_fn)(void *arg, const struct takeover_row *row, struct error *err);

struct takeover_walk {
	struct store *store;
	int32_t day;
	uint64_t since; /* only what has changed after this one is given */
	takeover_row_fn fn;
	void *arg;
	struct takeover_at at;
	struct block_reader *reader; /* taken of the store, while it lives */
	struct buf left;             /* struct takeover_left each: tombstones that are to be followed */
	int64_t deadline_us;
};

/* Every row that was there when the walk began, and has not changed since, is given at least once; one that is sealed or
 * merged meanwhile perhaps twice. 1 at the day's end, 0 when paused, -1. The place is walk->at. */
MUST_CHECK int takeover_walk_step(struct takeover_walk *walk, int64_t deadline_us, struct error *err);
void takeover_walk_free(struct takeover_walk *walk);

/* --- takeover_place.c --- */

enum takeover_kind {
	PLACE_NONE,
	PLACE_WANTED, /* nothing is in the cluster yet */
	PLACE_BEGUN,
	PLACE_DONE,
};

#define TAKEOVER_DATABASE_MAX 64 /* as of schema_is_name */

/* As the catalog has it. */
struct takeover_place {
	enum takeover_kind kind;
	uint64_t since;        /* all changes up to this one are copied */
	uint64_t until;        /* the round that is under way copies up to this one; 0: none is */
	int32_t day;           /* of the round: the days before are done, */
	struct takeover_at at; /* and of this one so much, if it is in the second stage */
	uint64_t copied;
	size_t shards; /* where to: which of them has an account's rows is decided by how many there are */
	char database[TAKEOVER_DATABASE_MAX + 1];
};

MUST_CHECK int takeover_place_load(struct meta *meta, struct takeover_place *place, struct error *err);
MUST_CHECK int takeover_place_save(struct meta *meta, const struct takeover_place *place, struct error *err);

/* The catalog says from now on that the records are in the cluster; or that they are here. */
MUST_CHECK int takeover_place_done(struct meta *meta, const struct takeover_place *place, struct error *err);
MUST_CHECK int takeover_place_forget(struct meta *meta, struct error *err);

/* --- takeover_copy.c --- */

/* Two lots: one is filled while the other is inserted, chunk after chunk. */
struct takeover_copy {
	struct cluster *cluster;
	struct cluster_chunks filling, sending;
	size_t rows, bytes; /* of `filling` */
	bool is_full;
	struct clickhouse_query *insert; /* of the first of `sending`; NULL: none is under way */
	struct takeover_place after;     /* the place when all of `sending` is inserted */
	uint64_t inserted;               /* rows, of the chunks that are */
	struct error failure;            /* of the last insert; ERROR_NONE */
	void (*ended)(void *arg);        /* an insert has */
	void *arg;
};

/* A takeover_row_fn: pauses when the lot is full. `arg` is the struct takeover_copy. */
MUST_CHECK int takeover_copy_add(void *arg, const struct takeover_row *row, struct error *err);

static inline bool takeover_copy_sends(const struct takeover_copy *copy)
{
	return !TAILQ_EMPTY(&copy->sending);
}

/* What is filled is to be sent, of which `after` is the place; nothing is being sent. */
void takeover_copy_send(struct takeover_copy *copy, const struct takeover_place *after);

/* Begins the next insert, unless one is under way, or nothing is to be sent. */
MUST_CHECK int takeover_copy_go_on(struct takeover_copy *copy, struct error *err);
void takeover_copy_forget(struct takeover_copy *copy);

/* --- takeover_sums.c --- */

struct takeover_compare;

/* Adds the records of a day to `compare`, as scans show them: each once, whatever is sealed meanwhile. */
struct takeover_summing {
	struct store *store;
	struct takeover_compare *compare;
	int32_t day;
	uint64_t snapshot;
	enum { SUMMING_HOT, SUMMING_BLOCKS, SUMMING_SCANS } stage;
	struct hot_place hot;
	uint8_t key[NUMBER_KEY_LEN]; /* of the block looked at last */
	size_t key_len;
	struct partition *partitions; /* those that have records, in an open table; of product 0: a free place */
	size_t count, cap;
	size_t at;            /* the place that is scanned next, or now */
	struct scan *scan;    /* or NULL */
	struct error failure; /* in a sink */
};
void takeover_summing_begin(struct takeover_summing *summing, int32_t day);

/* 1 at the end, 0, -1. */
MUST_CHECK int takeover_summing_step(struct takeover_summing *summing, int64_t deadline_us, struct error *err);
void takeover_summing_free(struct takeover_summing *summing);

/* --- takeover_compare.c --- */

struct takeover_entry {
	uint8_t product; /* 0: free */
	struct account_key account;
	struct takeover_sums here, there;
};

/* Accounts from this one on, as tables number them, to where the next span begins. */
struct takeover_span {
	uint64_t account;
	uint64_t rows; /* of them, here */
};

struct takeover_compare {
	struct cluster *cluster;
	int32_t day;
	struct takeover_entry *entries; /* an open table */
	size_t count, cap;
	size_t product;   /* of catalog_products, that is asked for, */
	size_t shard;     /* and where */
	struct buf spans; /* struct takeover_span each, of the two; empty: not known yet */
	size_t span_at;
	int64_t from_us, span_us; /* within the day: what is asked for next; 0: not known yet */
	struct clickhouse_query *query;
	struct error failure;
	void (*ended)(void *arg);
	void *arg;
};

void takeover_compare_begin(struct takeover_compare *compare, int32_t day);

/* Adds a record of this host, of which the columns that are summed are there; `seq` is the number of its place. */
MUST_CHECK int takeover_compare_add(struct takeover_compare *compare, const struct account_key *account,
                                    const struct record *record, uint64_t seq, struct error *err);

/* Takes a row off an answer of compare->shard about compare->product. -1: ERROR_CORRUPT, ERROR_NOMEM. */
MUST_CHECK int takeover_compare_take(struct takeover_compare *compare, struct str *text, struct error *err);

/* Sets compare->spans. */
MUST_CHECK int takeover_compare_divide(struct takeover_compare *compare, struct error *err);

/* Asks the cluster on, unless a query is under way. 1: all of the day is there, 0: it waits, -1: not now. */
MUST_CHECK int takeover_compare_ask(struct takeover_compare *compare, struct error *err);

typedef void (*takeover_difference_fn)(void *arg, const struct takeover_difference *difference);
void takeover_compare_tell(const struct takeover_compare *compare, takeover_difference_fn fn, void *arg);
void takeover_compare_free(struct takeover_compare *compare);

/* --- takeover.c --- */

enum takeover_work { TAKEOVER_WORK_NONE, TAKEOVER_WORK_ROUND, TAKEOVER_WORK_COMPARE };

enum takeover_finishing {
	TAKEOVER_FINISHING_NOT,
	TAKEOVER_FINISHING_ROUNDS,
	TAKEOVER_FINISHING_COMPARE, /* the days at rest */
	TAKEOVER_FINISHING_HOLD,
	TAKEOVER_FINISHING_LAST_ROUND,
	TAKEOVER_FINISHING_COMPARE_REST,
	TAKEOVER_FINISHING_DONE, /* it is in the catalog */
};

/* A day that did not differ, with all changes up to this one. */
struct takeover_compared {
	int32_t day;
	uint64_t since;
};

struct takeover {
	struct store *store;
	struct cluster *cluster;
	struct takeover_place place;
	struct takeover_walk walk;
	struct takeover_copy copy;
	bool has_after; /* copy.after is a place that is not reached yet */
	enum takeover_work work;
	enum takeover_finishing finishing;
	unsigned rounds; /* while finishing */
	int64_t round_began_us, round_took_us, saved_us, retry_us, rest_until_us;
	uint64_t inserted;   /* as of copy.inserted, when no insert had failed since */
	bool is_last_walked; /* all days of the round are */
	size_t days, days_total;

	struct takeover_summing summing;
	struct takeover_compare compare;
	bool is_summed;  /* the current day is, here */
	struct buf list; /* int32_t each: days to be compared */
	size_t list_at;
	struct clickhouse_query *parts; /* of a shard: which days there are */
	size_t parts_shard;
	struct buf compared;    /* struct takeover_compared each */
	struct buf differences; /* struct takeover_difference each */
	uint64_t differences_count;
	bool was_compared;
	int32_t first_day; /* that retention leaves: what it removes on both sides may be on one for a moment */

	bool was_ready; /* the cluster, in the last step */
	struct error failure;
	int64_t failed_us; /* monotonic: since when there has been one */
	void (*on_ready)(void *arg);
	void *arg;
};

/* Is nothing let in any more, and all copied, so that all days are at rest? */
static inline bool takeover_is_final(const struct takeover *takeover)
{
	return takeover->finishing == TAKEOVER_FINISHING_COMPARE_REST;
}

/* Tells whoever drives it that there is something to do. `arg` is the struct takeover. */
void takeover_wake(void *arg);

/* Why it waits, which is in the log once; and that it does not. */
void takeover_note_failure(struct takeover *takeover, const struct error *err);
void takeover_clear_failure(struct takeover *takeover);

/* Notes the place. */
void takeover_save(struct takeover *takeover);

/* --- takeover_round.c --- */

#define TAKEOVER_RETRY_US CLOCK_US_PER_SECOND      /* after a failure of the cluster */
#define TAKEOVER_REST_US (2 * CLOCK_US_PER_SECOND) /* between rounds, at least */
#define TAKEOVER_FOREVER_US (60 * CLOCK_US_PER_SECOND)

/* May the day have changes after this one? 1, 0, -1. */
MUST_CHECK int takeover_has_changed(const struct takeover *takeover, struct day *day, uint64_t since,
                                    struct error *err);

/* Begins one, or goes on with the one of the place. work is TAKEOVER_WORK_NONE when it has ended. */
MUST_CHECK int takeover_begin_round(struct takeover *takeover, struct error *err);
/* How long a rest is after a round. */
int64_t takeover_rest_us(int64_t round_took_us);
MUST_CHECK int takeover_step_round(struct takeover *takeover, int64_t deadline_us, int64_t *pause_us,
                                   struct error *err);

/* --- takeover_check.c --- */

/* A comparison of all days that are due: of those at rest, or, when nothing is let in, of all that were not compared yet. */
MUST_CHECK int takeover_begin_check(struct takeover *takeover, struct error *err);

/* 1 when it has ended, 0, -1. */
MUST_CHECK int takeover_step_check(struct takeover *takeover, int64_t deadline_us, int64_t *pause_us,
                                   struct error *err);
void takeover_free_check(struct takeover *takeover);

#endif
