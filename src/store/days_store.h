/* SPDX-License-Identifier: ISC */
/*
 * days_store.h: the store's own struct; private to store/.
 *
 * Days are kept in one array sorted by number, known from the directory's listing at start and opened on demand. Of
 * the open ones, those used longest ago are closed when there are more than days_open_max; one with an open write
 * transaction never is.
 */
#ifndef CDRD_STORE_DAYS_STORE_H
#define CDRD_STORE_DAYS_STORE_H

#include "meta/meta.h"
#include "meta/meta_env.h"
#include "store/blocks/block_reader.h"
#include "store/clock_watch.h"
#include "store/days/day.h"
#include "store/engine.h"
#include "store/store.h"

#define STORE_CHANGED_SLOTS 8192 /* accounts that share one see each other's changes as possible */

struct store {
	struct store_head head;
	struct store_options options; /* data_dir is a copy of its own */
	struct meta *meta;            /* the caller's */
	struct erased *erased;        /* erased.h */
	struct cluster *cluster;      /* NULL: records are in days (cluster/cluster_private.h) */
	struct takeover *takeover;    /* to a cluster (takeover.h); NULL: there is none to move to */

	struct day **days; /* ascending */
	int32_t *day_numbers;
	size_t days_count;
	size_t days_cap;
	size_t days_open;
	uint64_t uses;

	uint8_t boot_id[16];     /* this boot's, for Bloom filters */
	struct buf row;          /* of a put; keeps its memory from one record to the next */
	struct buf merged;       /* likewise: the record that is to be written, where it is put together of two */
	struct day *put_days[3]; /* of the last put and, where they were asked, the days beside it; or NULL */
	struct moves *moves;     /* records on their way from one day to another: moves.h */
	struct block_reader put_reader;
	struct block_reader *readers;  /* not in use, the last that was given back first */
	struct block_tools tools;      /* of these, and of those in use */
	struct row_cache *rows;        /* that were found by id, while some are; or NULL */
	struct seal *seal;             /* the job under way and what it keeps, made at first use */
	struct repack *repack;         /* what is under way, or NULL */
	bool repack_demanded;          /* of the catalog */
	int64_t repack_wait_us;        /* monotonic: what was demanded failed and is not tried before */
	bool erasing;                  /* what is demanded waits until that is done */
	struct hot_backup *hot_backup; /* a backup's, or NULL */
	size_t sweep_at;               /* the day that sealing looks at next */
	bool sheds;                    /* more rows are hot than memory is for, or were: seal_due.c */
	bool sheds_rested;             /* of days alone that nothing is put into */
	int64_t put_us;                /* monotonic: when a record was last put into a day, as of its commit */
	size_t rest_at;                /* the day that days_rest looks at next */
	bool has_freed;                /* memory that days_rest has not returned to the system yet */
	int64_t trimmed_us;            /* monotonic: when it last has */
	struct store_seal_stats sealing;

	int32_t ids_as_given_before; /* in days before this one ids are looked for by more hashes: day.h */
	bool lists_days;             /* the catalog lacks one of those that are listed */
	struct clock_watch clock;
	uint64_t commits_failed; /* since the last that succeeded */
	struct error failure;    /* of the last that failed */
	uint64_t reopened;       /* environments of days that are closed by now: health.h */

	uint64_t changed[STORE_CHANGED_SLOTS]; /* newest change of accounts and products, by a hash: changes.h */
	uint64_t moved
		[STORE_CHANGED_SLOTS]; /* the newest that has moved a record to another day or direction: changes_note.h */
	uint64_t last_seq;             /* given out */
	uint64_t reserved_seq;         /* numbers up to this one may be given out: the catalog's meta says so on disk */
	uint64_t snapshot;             /* committed */
	size_t uncommitted;            /* records put since the last commit */
	uint64_t aborts;
};

/* The open day, made if need be when `make`. NULL without error (code ERROR_NONE) when there is none and it is not to
 * be made. */
MUST_CHECK struct day *store_day(struct store *store, int32_t number, bool make, struct error *err);

/* The index in store->days of the first day not before `number`. */
size_t store_day_index(const struct store *store, int32_t number);

/* Loads the day's hot rows and completes its filter, unless that is done. */
MUST_CHECK int store_day_ready(struct store *store, struct day *day, MDB_txn *txn, struct error *err);

/* Maps the day's filter, if that is not done yet; without opening its environment. */
MUST_CHECK int store_day_filter(struct store *store, struct day *day, struct error *err);

/* This engine's side of engine.h, for store_days_engine. */
MUST_CHECK int days_put(struct store *store, const struct record *record, int64_t time_us,
                        const struct store_versions *versions, enum store_put_result *result, struct error *err);
void days_expect(const struct store *store, const struct record *record, const struct account_key *account);
MUST_CHECK int days_commit(struct store *store, struct error *err);
MUST_CHECK struct scan *days_scan(struct store *store, const struct scan_query *query, const struct scan_position *from,
                                  const struct scan_sink *sink, struct error *err);
double days_share(const struct store *store, const struct scan_query *query, const struct scan_position *position);
MUST_CHECK struct scan *days_find(struct store *store, const struct scan_find *find, const struct scan_sink *sink,
                                  struct error *err);
MUST_CHECK struct aggregate *days_aggregate(struct store *store, const struct aggregate_query *query,
                                            struct error *err);
MUST_CHECK struct changes *days_changes(struct store *store, const struct changes_query *query, struct error *err);
bool days_may_have_changes(const struct store *store, const struct catalog_product *product,
                           const struct account_key *account, uint64_t since);
MUST_CHECK struct erase *days_erase(struct store *store, const struct erase_scope *scope, struct error *err);
const int32_t *days_listed(const struct store *store, size_t *count);
int days_remove_before(struct store *store, int32_t day, int max);

/* days.c: the array of days. */
MUST_CHECK int days_list(struct store *store, struct error *err);
void days_remove(struct store *store, size_t at);

/* The day, added if need be; it is not opened. NULL when out of memory. */
MUST_CHECK struct day *days_known(struct store *store, int32_t number, struct error *err);

/* Is there a file of records? 1 or 0; -1 when that cannot be known. */
MUST_CHECK int days_has_data(const struct store *store, const struct day *day, struct error *err);

/* Closes a day whose pages cannot be read, and forgets what is under way with it. -1 while it is in use. */
MUST_CHECK int days_give_up_lost(struct store *store, struct day *day, struct error *err);
void days_close(struct store *store, struct day *day);

/* Closes those used longest ago until `count` are open, or all that are have a write transaction or are pinned. */
void days_close_down_to(struct store *store, size_t count);

/* days_rest.c: gives back memory of days that are not written to any more, of one at most. For every slice of
 * maintenance. */
void days_rest(struct store *store);

/* A reader for the caller to keep as long as it likes; NULL when out of memory. */
MUST_CHECK struct block_reader *store_reader_take(struct store *store, struct error *err);
void store_reader_give(struct store *store, struct block_reader *reader);

/* Frees those that were given back before then, which are more than were in use at once since. Were there any? */
bool store_readers_rest(struct store *store, int64_t before_us);

/* As above, for rows that are loaded one by one: it keeps them in the store's row cache. */
MUST_CHECK struct block_reader *store_reader_take_for_rows(struct store *store, struct error *err);

/* Forgets the rows that were found by id. */
void store_forget_rows(struct store *store);

/* The next sequence number. Reserves more on disk once in a long while: -1 when that fails. */
MUST_CHECK int store_next_seq(struct store *store, uint64_t *seq, struct error *err);

/* The same of so many that follow each other. */
MUST_CHECK int store_take_seqs(struct store *store, uint64_t count, uint64_t *first, struct error *err);

/* Drops everything uncommitted, in the days and in the catalog. */
void store_abort(struct store *store);

#endif
