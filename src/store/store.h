/* SPDX-License-Identifier: ISC */
/*
 * store.h: all records, by the UTC day that their time field falls on.
 *
 * One writer and any number of scans on the same thread. Records are put into transactions that stay open across turns
 * of the loop until store_commit; scans see only what is committed. The daemon's engine keeps an LMDB environment a day,
 * data_dir/days/2026-11-24/ (days_engine.c); engine.h is for those who write another one. What a record is the same as, and
 * what a new version does, is in docs/DESIGN.md ("The store").
 */
#ifndef CDRD_STORE_STORE_H
#define CDRD_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/histogram.h"
#include "record/record.h"

struct meta;
struct store;

struct store_cluster;
struct store_ops;

struct store_options {
	const struct store_ops *engine; /* what keeps the records (engine.h); NULL: store_days_engine */
	const char *data_dir;
	size_t day_map_bytes;
	struct meta *meta;           /* stays the caller's, and is closed after the store */
	struct shrinking *shrinking; /* the same; NULL: files are removed in one go */
	int days_open_max;
	uint32_t seal_rows;      /* a partition with as many hot rows is sealed; 0: STORE_SEAL_ROWS */
	uint32_t seal_part_rows; /* as many of these are stored at once, as a run; 0: STORE_SEAL_PART_ROWS */
	int64_t seal_age_us;     /* one whose hot rows are that old is, too; 0: STORE_SEAL_AGE_US */
	const struct store_cluster *cluster; /* of the engine that keeps records in one (cluster.h), or NULL */
};

#define STORE_SEAL_ROWS 16384
#define STORE_SEAL_ROWS_MAX 65536 /* of a job, however large seal_rows; and of a run that is merged */
#define STORE_SEAL_PART_ROWS \
	8192 /* to write them, and their commit, is one piece of work each, which the loop waits for */
#define STORE_SEAL_AGE_US (INT64_C(600) * 1000000)

/* In the data_dir of `meta`. A format that this build does not know is refused with a message. Blocks on disk; for
 * start only. */
MUST_CHECK int store_open(struct store **out, const struct store_options *options, struct error *err);

/* Aborts what was not committed and closes everything. Does nothing on NULL. */
void store_close(struct store *store);

/* How a record meets the version of it that is stored. */
struct store_versions {
	bool merge;     /* values that it does not have stay; otherwise it replaces the whole record */
	bool updates;   /* as merge, and only of what is stored, up to a week before, whose time it keeps */
	uint8_t column; /* tells which version is newer (versions.h), or CATALOG_NONE */
};

enum store_put_result {
	STORE_ACCEPTED,  /* new */
	STORE_UPDATED,   /* replaced an older version of the same account, product, id and UTC day, or day beside it */
	STORE_DUPLICATE, /* the same in every value, or merging changes none: nothing was written */
	STORE_OUTDATED, /* older than what is stored: nothing was written, or merging has filled what was empty there */
	STORE_LACKS_RECORD, /* none is stored that it could update: nothing was written */
	STORE_LACKS_DIRECTION, /* none is stored that a record without direction could be merged into: nothing was written */
};

/*
 * How a put ended: *err, or NULL and the result. On ERROR_FULL or ERROR_IO everything since the last commit is lost:
 * the store has dropped it, and the caller must fail all requests that took part; on ERROR_DAMAGED, where a day that
 * the record needs cannot be read, if store_aborts says so.
 */
typedef void (*store_put_fn)(void *arg, enum store_put_result result, const struct error *err);

/*
 * Puts a record that has passed ingest's checks (account, product, id and `time_us`, parsed from its time field, are
 * right) into the open transactions. `done` is called once: from within, as by the engine that there is, or later, from
 * the loop. `record` dies with the call, `versions` must outlive it.
 *
 * It is the same record if account, product and id are the same, ids by id_equal(). With `versions` an older version
 * never replaces a newer one, and the stored version may be in the UTC day before or after (the day itself is looked
 * at first, then the one before, then the one after): then the record moves to the day of its new time. With `merge`
 * it may lack the direction. If `versions` is NULL, an older version of the day is replaced, whatever it is.
 */
void store_put_begin(struct store *store, const struct record *record, int64_t time_us,
                     const struct store_versions *versions, store_put_fn done, void *arg);

/* The same for callers that cannot wait, with `versions` NULL or not. ERROR_IO, too, if the store would end it later;
 * nothing was put then. Records of the daemon's own products always end at once. */
MUST_CHECK int store_put(struct store *store, const struct record *record, int64_t time_us,
                         enum store_put_result *result, struct error *err);
MUST_CHECK int store_put_version(struct store *store, const struct record *record, int64_t time_us,
                                 const struct store_versions *versions, enum store_put_result *result,
                                 struct error *err);

/* Prefetches what putting the record of this account will read, as far as it can be guessed. The record need not have
 * passed any check. */
void store_expect(const struct store *store, const struct record *record, const struct account_key *account);

/* While a backup is made, data_dir/moves keeps what has moved from one day to another: it belongs to the copies of the
 * days, some of which are older than a move and some newer. */
void store_keep_moves(struct store *store, bool keep);

/* Changes put since the last commit: 0 if there is nothing to commit. */
size_t store_uncommitted(const struct store *store);

/* How often the store has dropped what was uncommitted, even if there was nothing. A caller whose records others may commit
 * or lose compares it to see whether they are still there. */
uint64_t store_aborts(const struct store *store);

/*
 * How a commit ended. `err` NULL: all is on disk that was put before it began. Otherwise some days may have been
 * committed and others not, and what was put since is lost as well; the caller answers none of it as accepted (a
 * producer's repeat finds duplicates).
 */
typedef void (*store_commit_fn)(void *arg, const struct error *err);

/*
 * Commits everything put since the last commit, days in order, each with its fsync. `done` is called once, after those
 * of all puts that it commits: from within, having blocked for the fsyncs, as by the engine that there is, or later,
 * from the loop; not any more once the store is closed. One at a time.
 */
void store_commit_begin(struct store *store, store_commit_fn done, void *arg);

/* The same for callers that cannot wait. ERROR_IO, too, if the store would end it later; it has not begun then. */
MUST_CHECK int store_commit(struct store *store, struct error *err);

/* Does a commit end later? Puts of the daemon's own products never do, nor does store_commit_own, which commits these. */
bool store_ends_later(const struct store *store);
MUST_CHECK int store_commit_own(struct store *store, struct error *err);

/*
 * Does a slice of background work until `deadline_us` of clock_monotonic_us: seals hot rows, merges small or much
 * replaced blocks, builds filters. *more: call again at once; otherwise in a second or so. *dirty: it has written to
 * open transactions, and the caller sees to a store_commit soon.
 */
MUST_CHECK int store_maintain(struct store *store, int64_t deadline_us, bool *more, bool *dirty, struct error *err);

/* Is there so much to seal that maintenance should have more than its usual share of the time? Counts what is due, as
 * there are enough rows of an account or they are old enough, and whether more is hot than memory is for, but no rows that wait to
 * be old enough. */
bool store_is_behind(const struct store *store);

/* Seals everything that is hot, whatever its age or number, when maintenance is called from now on until nothing is
 * left. ERROR_NOMEM. */
MUST_CHECK int store_seal_all(struct store *store, struct error *err);

/* The sequence number of the last committed change: a scan's snapshot. */
uint64_t store_snapshot(const struct store *store);

/* The days there are, ascending; the array belongs to the store and dies with the next put or removal. */
const int32_t *store_days(const struct store *store, size_t *count);

/* Removes whole days before `day`, with the records whose newest version is in them; at most `max` of them in this call.
 * Returns how many went. */
int store_remove_days_before(struct store *store, int32_t day, int max);

/* Days before this one are about to be removed, or are being: a table, a shard or a file after the other. No scan or aggregate from
 * now on has any of their records, and what is being read begins again without them or fails (scan_step). Whoever looks for an id
 * says from which day on. Of a day that was said to be kept no longer before, it is taken back, unless a part of it is gone, or of
 * a later one, maybe in a process before: 0 leaves out such days alone. */
void store_keep_from(struct store *store, int32_t day);

/* The beginning of the first day that is kept; 0: nobody has said. */
int64_t store_kept_from_us(const struct store *store);

/* Says that a day whose file is gone will not come back: it is no longer missed. ERROR_CONFLICT while the file is
 * there. */
MUST_CHECK int store_forget_day(struct store *store, int32_t day, struct error *err);

/* LMDB environments, one or several added up. */
struct store_env_stats {
	uint64_t count;
	uint64_t map_bytes;  /* the most they may grow to */
	uint64_t used_bytes; /* pages up to the last one in use, free ones among them included */
	uint64_t readers;    /* most reader slots that were in use at once */
	uint64_t reader_slots;
	uint64_t fullest_used_bytes; /* of the one that is nearest to its map's end */
	uint64_t fullest_map_bytes;
};

/* What sealing has done since the start. */
struct store_seal_stats {
	uint64_t seals, merges;
	uint64_t rows; /* into blocks, by seals and merges */
	uint64_t blocks;
	uint64_t bytes;   /* of these blocks */
	uint64_t misread; /* parts of blocks that did not read back as they were written */
	struct histogram
		job; /* from a job's beginning until its result is in the transaction, the time between slices included */
};

/* What can be told without looking at the disk: for the metrics. */
struct store_metrics {
	uint64_t days;
	uint64_t hot_rows; /* of open days: not sealed yet */
	struct store_env_stats catalog;
	struct store_env_stats open_days;
	struct store_seal_stats sealing;
};
void store_metrics(const struct store *store, struct store_metrics *metrics);

/* Its sealing alone, which takes no time; belongs to the store. */
const struct store_seal_stats *store_sealing(const struct store *store);

#endif
