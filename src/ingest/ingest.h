/* SPDX-License-Identifier: ISC */
/*
 * ingest.h: batches of records in, acknowledged after they are on disk.
 *
 * A batch is one request's (or one import's) records. Pieces of its body are parsed as they arrive, checked, and put
 * into the store's open transactions; when the body has ended, the batch waits for the commit that all batches of the
 * same turn of the loop (or commit_delay) share. Large bodies are also committed every commit_records_max records.
 * Rejected records wait in memory, and go to quarantine in the same commit.
 */
#ifndef CDRD_INGEST_INGEST_H
#define CDRD_INGEST_INGEST_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/disk.h"
#include "base/error.h"
#include "base/heavy_hitters.h"
#include "base/histogram.h"
#include "base/json.h"
#include "record/ingest_settings.h"
#include "record/parse.h"
#include "store/store.h"

struct ingest;
struct ingest_batch;
struct meta;
struct tasks;

/* `tasks`, `config`, `meta` and `store` stay the caller's and must outlive it. NULL when out of memory. */
struct ingest *ingest_new(struct tasks *tasks, const struct config *config, struct meta *meta, struct store *store);

/* It takes records in and does no more: what is in quarantine is not removed for its age, nor anything maintained, as the front end
 * that holds the catalog does that. */
void ingest_only_take_in(struct ingest *ingest);

/* From now on, while the disk is low new batches are refused and those under way fail, with ERROR_FULL. The disk stays
 * the caller's. */
void ingest_watch_disk(struct ingest *ingest, const struct disk *disk);

/* Batches may name a mapping of these, which stay the caller's. */
struct mappings;
void ingest_use_mappings(struct ingest *ingest, struct mappings *mappings);

/* Commits and answers the waiting batches. Does nothing on NULL. */
void ingest_free(struct ingest *ingest);

struct ingest_summary {
	uint64_t accepted, updated, duplicates, outdated, rejected;
};

/* Writes the counts as members of an object. */
void ingest_summary_write(const struct ingest_summary *summary, struct json *json);

/*
 * Called once when the whole batch is on disk (err NULL), or when the rest of it won't be (err set: it could not be
 * read, ERROR_INVALID or what ingest_batch_stop was given, or not be written). `summary` and `answer`, as JSON
 * {"accepted",...,"errors":[...]}, say what is on disk in either case; `answer` gives the place where reading has
 * stopped by "line" or "element" and "byte". The batch is gone afterwards.
 */
typedef void (*ingest_done_fn)(void *arg, const struct ingest_summary *summary, struct buf *answer,
                               const struct error *err);

/* `producer` is copied; it stands in quarantine entries. NULL for records that are in quarantine already: rejected ones are
 * not put there again. The format is PARSE_MAPPED if the settings name a mapping. `product_name` as in parser_new.
 * `settings` are copied; NULL: nothing is set. */
MUST_CHECK struct ingest_batch *ingest_batch_new(struct ingest *ingest, enum parse_format format, const char *producer,
                                                 const char *product_name, const struct ingest_settings *settings,
                                                 ingest_done_fn done, void *arg, struct error *err);

/* Makes the answer list equal errors once: with the line of the first, their number ("times"), and how many are not
 * listed ("errors_unlisted"). Call it before the first piece. */
void ingest_batch_fold_errors(struct ingest_batch *batch);

/*
 * For bodies that are read from a place on: mapped rows alone. `resume`, before the first piece: the body begins at byte
 * `byte`, in line `line`, of what has the header line `header` and begins with `beginning`, a few bytes at least where it
 * has an encoding. Of JSON that is not UTF-8, the place is that of a line that begins a row. `hold`: no commit begins
 * within a call of feed, so that the caller can note the place first, which is that of the first row that is not complete;
 * then it calls ingest_commit_held, which commits if the round is large, or soon. Nor does finish or stop ask for one: who
 * has more to put into the same commit may do so first.
 */
MUST_CHECK int ingest_batch_resume(struct ingest_batch *batch, struct str beginning, struct str header, uint64_t line,
                                   uint64_t byte, struct error *err);
void ingest_batch_hold(struct ingest_batch *batch);

/* The body may have come before: what is rejected of it is not put into quarantine once more if it is among the newest there. */
void ingest_batch_may_repeat(struct ingest_batch *batch);
void ingest_batch_place(const struct ingest_batch *batch, struct parse_position *position, struct str *header);
void ingest_commit_held(struct ingest *ingest, bool soon);

/* How often what was not committed was lost: if two counts are equal, what was put before the first is still there. */
uint64_t ingest_losses(const struct ingest *ingest);

/* Do commits end after their call (store_ends_later)? Then nobody can wait for one. */
bool ingest_ends_later(const struct ingest *ingest);

/* Whoever can should read no more until the next commit has ended: as much waits as one takes. */
bool ingest_is_full(const struct ingest *ingest);

/* Takes the next piece. Faults of records are counted, not returned. */
void ingest_batch_feed(struct ingest_batch *batch, const char *data, size_t len);

/* After a piece, for a body whose sender can be stopped: true if ingest_is_full. Then `room` is called once, with the batch's
 * arg, when the commit has ended, unless the batch is finished or gone by then; it must not call into ingest. */
bool ingest_batch_must_wait(struct ingest_batch *batch, void (*room)(void *arg));

/* The body is complete; `done` follows after the commit, never from within this call. */
void ingest_batch_finish(struct ingest_batch *batch);

/* The rest of the body will not come, for the reason *why: its last record is dropped unless it was complete. `done`
 * follows after the commit, with *why. */
void ingest_batch_stop(struct ingest_batch *batch, const struct error *why);

/* The client is gone: what was put stays and is committed, `done` is not called. What was rejected of a batch that holds
 * (which is read from a place, and so comes again) goes, unless it was committed. */
void ingest_batch_abandon(struct ingest_batch *batch);

/* Counts so far, for an import's progress. */
void ingest_batch_summary(const struct ingest_batch *batch, struct ingest_summary *summary);

/* From within on_stored of a watch: the counts of what the commit has decided about. */
void ingest_batch_decided(const struct ingest_batch *batch, struct ingest_summary *summary);

/* After finish, for bodies whose sender gets no answer: if the body could not be read to its end (ERROR_INVALID), puts all
 * of it into quarantine, to last with the batch's commit. `body` is what is there of it, `cut` whether that is not all.
 * 1 if it did, 0 if there is no need to, -1 if it failed, and the batch with it. */
MUST_CHECK int ingest_batch_keep_unreadable(struct ingest_batch *batch, struct str body, bool cut, struct error *err);

/* From within on_stored of a watch: is all of this batch, which is finished, in the commit? */
bool ingest_batch_is_decided(const struct ingest_batch *batch);

/* Has the batch ended early, so that feeding it more is useless? `done` will say why once it is finished. */
bool ingest_batch_is_over(const struct ingest_batch *batch);

/* Has it done so as it could not be stored? What it has put since the last commit is lost, or its sender will send it again. */
bool ingest_batch_has_failed(const struct ingest_batch *batch);

/* Why; NULL if it has not. */
const struct error *ingest_batch_failure(const struct ingest_batch *batch);

/* --- what would be stored --- */

/* One record: as it would be stored, or why it would not be. Valid during the call. */
struct ingest_trial_row {
	uint64_t line;
	const struct record *record;      /* with its values normalized; NULL if there are faults */
	const struct parse_fault *faults; /* of the record */
	size_t faults_count;
	bool updates; /* only if such a record is stored */
};
typedef void (*ingest_trial_fn)(void *arg, const struct ingest_trial_row *row);

/* As ingest_batch_new for a mapping's rows, but nothing is stored: `on_row` is called instead, from within the calls
 * below. */
struct ingest_trial;
MUST_CHECK struct ingest_trial *ingest_trial_new(struct ingest *ingest, const struct ingest_settings *settings,
                                                 ingest_trial_fn on_row, void *arg, struct error *err);

/* Takes the next piece; and the body's end, with the number of rows that were skipped. */
MUST_CHECK int ingest_trial_feed(struct ingest_trial *trial, struct str piece, struct error *err);
MUST_CHECK int ingest_trial_finish(struct ingest_trial *trial, uint64_t *skipped, struct error *err);
void ingest_trial_free(struct ingest_trial *trial);

/*
 * For others that put records into the store's open transactions (billing/): commits them with everything else pending,
 * blocking for the fsyncs; -1 when that failed, and everything since the last commit is lost. And when a put has
 * failed, so that the store has dropped its transactions: all batches that took part fail.
 */
MUST_CHECK int ingest_commit(struct ingest *ingest, struct error *err);

/* Commits what the daemon itself has put (store_commit_own), and `meta`; with the round, where that ends at once. */
MUST_CHECK int ingest_commit_own(struct ingest *ingest, struct error *err);
void ingest_fail(struct ingest *ingest, const struct error *err);

/* Watches commits. The struct is the caller's and must live as long as the ingest, or until it is removed. */
struct ingest_watch {
	struct ingest_watch *next;
	/* Or NULL. A commit begins, of what was put so far; must not call into ingest. Unless ingest_ends_later, its end
	 * follows within the same call. */
	void (*on_begin)(void *arg);
	void (*on_commit)(void *arg); /* after each successful commit; must not call into ingest; or NULL */
	void (*on_others)(void *arg); /* what another front end has put is stored; must not call into ingest; or NULL */
	/* Or NULL. The records are on disk that were put before on_begin, and what was rejected of them will be with the
	 * next meta_commit, which follows: what is put into meta here lasts with it. -1 fails the commit. Must not call
	 * into ingest, but may abandon batches, of which nothing that waits goes to quarantine then if they are held
	 * (ingest_batch_hold). */
	int (*on_stored)(void *arg, struct error *err);
	void *arg;
};
void ingest_watch_commits(struct ingest *ingest, struct ingest_watch *watch);
/* What another front end has put is stored: on_others is called. */
void ingest_others_committed(struct ingest *ingest);
void ingest_unwatch_commits(struct ingest *ingest, struct ingest_watch *watch);

struct ingest_stats {
	struct ingest_summary total;
	uint64_t bytes;                 /* of bodies, decompressed */
	uint64_t batches;               /* begun */
	uint64_t quarantine_expired;    /* rejected records removed after quarantine_keep, */
	uint64_t quarantine_pushed_out; /* or to make room, */
	uint64_t quarantine_unkept;     /* or never kept, as there was no room */
	uint64_t commits;
	uint64_t commits_failed; /* or failed puts; each loses all that was put since the last commit */
	struct histogram commit_duration;
	struct histogram maintenance_duration; /* of slices of maintenance that had something to do */
	uint64_t maintenance_failed;
	uint64_t erased;         /* records that arrived with an erased number and were stored without it */
	uint64_t erased_rejects; /* rejected records not kept because they hold such a number */
	uint64_t unknown_values
		[CATALOG_LISTED_MAX]; /* values other than the known ones of a column, by rows of catalog_listed */
};
void ingest_stats(const struct ingest *ingest, struct ingest_stats *stats);

/* The accounts with the most records today that were new or newer, since the start; also those of commits that failed.
 * Belongs to `ingest`. */
const struct heavy_hitters *ingest_accounts(struct ingest *ingest);

#endif
