/* SPDX-License-Identifier: ISC */
/*
 * report.h: asynchronous reports, from the request to the file's expiry.
 *
 *	            a slot is free           the file is whole
 *	PENDING -------------------> PROCESSING ------------> SUCCESS, or TRUNCATED by report_max_rows or report_max_bytes
 *	    \_________ cancelled ________/ |  \_______________ FAILED, with the reason
 *	             ABORTED               `- every report_checkpoint: how far it is, on disk
 *
 * A job is a row of the catalog environment; each change of state is one durable transaction, and the one that ends a
 * job also enqueues its callback. Files are made by makers (maker.h) in slices of a few milliseconds on the loop, by
 * turns between accounts and then between an account's jobs. After kill -9 a job resumes at its last checkpoint, or
 * begins again if another front end made it, or its file is not what it was at that; files in data_dir/reports that no
 * job owns are removed at start.
 */
#ifndef CDRD_REPORT_REPORT_H
#define CDRD_REPORT_REPORT_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/disk.h"
#include "base/error.h"
#include "base/id.h"
#include "base/json.h"
#include "query/query.h"
#include "report/maker.h"
#include "report/search.h"
#include "meta/accounts.h"
#include "store/store.h"

#define REPORT_KEY_MAX 255 /* bytes of an idempotency key */

struct callbacks;
struct report;
struct reports;
struct shrinking;
struct tasks;

/*
 * Loads the jobs that are on disk. All but `err` stay the caller's and must outlive it; `callbacks` may be NULL,
 * callbacks then wait for the next start. Slices are a task of the priority TASK_REPORTS.
 */
MUST_CHECK struct reports *reports_new(struct tasks *tasks, const struct config *config, struct meta *meta,
                                       struct store *store, struct callbacks *callbacks, struct shrinking *shrinking,
                                       struct error *err);

/* From now on, no report is started while the disk is low; those already started continue. The disk stays the
 * caller's. */
void reports_watch_disk(struct reports *reports, const struct disk *disk);

/* Records before this time are about to be removed, days of them: no report that is made from now on has them, and one that is
 * being made and reaches back further begins again, so that it has all or none of a day. */
void reports_keep_from(struct reports *reports, int64_t from_us);

/* Writes checkpoints of running jobs and frees them. Does nothing on NULL. */
void reports_free(struct reports *reports);

/*
 * From now on, other front ends make files, too, each as many at once as it says: those that reports_note_worker tells of, for
 * some seconds each time. `url` is where one is reached (forward.h), and `key` of HTTP_RELAY_KEY_BYTES what front ends share,
 * which stays the caller's. Files are here all the same when they are whole. A job whose worker is lost begins again.
 */
MUST_CHECK int reports_use_workers(struct reports *reports, const uint8_t *key, struct error *err);
void reports_note_worker(struct reports *reports, struct str url, uint64_t room);

/*
 * Called with each report that ends with a file, before its end is written; it may block for an fsync. -1 keeps the
 * report from ending: it is called again every second, and after a crash with the same report. Optional; set it before
 * the loop runs.
 */
typedef int (*reports_end_fn)(void *arg, const struct report *report, struct error *err);
void reports_on_end(struct reports *reports, reports_end_fn fn, void *arg);

enum report_state {
	REPORT_PENDING,
	REPORT_PROCESSING,
	REPORT_SUCCESS,
	REPORT_TRUNCATED,
	REPORT_FAILED,
	REPORT_ABORTED,
	REPORT_STATES,
};

/* "PENDING" */
const char *report_state_name(enum report_state state);
bool report_state_parse(struct str name, enum report_state *state);

static inline bool report_state_ended(enum report_state state)
{
	return state >= REPORT_SUCCESS;
}

/* A job's row, with its current progress. Owns its texts; freed with report_free. */
struct report {
	char id[ID_UUID_LEN + 1];
	char file_id[ID_UUID_LEN + 1];
	struct account_key account_key, creator_key;
	char account[ACCOUNT_ID_MAX + 1]; /* whose records */
	char creator[ACCOUNT_ID_MAX + 1]; /* who asked: that account or its parent */
	enum report_state state;
	int64_t received_us;
	int64_t started_us; /* 0: not yet */
	int64_t ended_us;   /* 0: not yet */

	int64_t from_us;
	int64_t to_us;
	uint64_t snapshot; /* from here to max_bytes: fixed at its start, so that a resumed one is the same */
	uint64_t max_rows;
	uint64_t max_bytes;

	bool has_file; /* that can be downloaded */
	uint64_t rows; /* so far, like bytes and share; once ended with a file, the manifest's */
	uint64_t bytes;
	double share; /* of the range that is done, 0 to 1 */
	int64_t first_us;
	int64_t last_us;
	char sha256[MAKER_SHA256_LEN + 1];
	uint64_t unsummed; /* as of struct maker_result */
	size_t sums_count;
	struct maker_sum sums[MAKER_CURRENCIES_MAX];

	/* The outcome of the callback's attempts; 0 attempts: none was made, or there is no callback_url. */
	struct report_callback {
		int64_t attempts;
		int64_t last_us;
		int64_t next_us; /* 0: there is none */
		int64_t status;  /* of HTTP, of the last attempt; 0 without an answer */
		bool delivered;
		struct buf error; /* of the last attempt; empty if it succeeded */
	} callback;
	struct report_callback delivery; /* likewise, of the file to `destination` */

	bool remade; /* remade, because a number was erased or its file is on no disk any more: already charged and called back */
	struct buf reason;     /* of FAILED and ABORTED, and of a remade one */
	struct buf base_url;   /* of the request; for links in the callback */
	struct buf key;        /* Idempotency-Key, or empty */
	struct buf checkpoint; /* of the maker */
	struct query_params params;
};

void report_free(struct report *report);

/* Is its file one of Parquet, and no archive? */
bool report_is_parquet(const struct report *report);

/* The name a download is saved under: SMS_<request id>.zip */
void report_file_name(const struct report *report, struct buf *out);

/* The status as JSON; links begin with `base_url`. -1 with ERROR_NOMEM. */
MUST_CHECK int report_write_status(const struct report *report, struct str base_url, struct buf *out,
                                   struct error *err);

/* About how many bytes a report's file will have, going by what rows of the product have in that form. */
uint64_t report_file_size(const struct query_plan *plan, uint64_t rows);

/* Does it have a callback, and is that due? Has its file been delivered to a destination, or is it to be? */
bool report_has_callback(const struct report *report);
bool report_has_delivery(const struct report *report);
/* "delivered", "waiting" or "failed". */
const char *report_callback_state(const struct report_callback *callback);

/* Where files can be delivered to; it stays the caller's. Set it before the loop runs. */
struct destinations;
void reports_deliver_to(struct reports *reports, struct destinations *destinations);

/*
 * Makes the plan of a request of `creator` by the settings, and lists all that is wrong with it: true if nothing is.
 * `range_end_us` is the end of a range that names none. The plan borrows from `params`. Whether the account may read is the
 * caller's business.
 */
bool report_check(const struct reports *reports, const char *creator, const struct query_params *params,
                  int64_t range_end_us, struct query_plan *plan, struct query_problems *problems);

/* Writes rows of the caller's in the change that makes a report, or fails it. */
struct change;
typedef int (*reports_with_fn)(void *arg, struct change *change, const struct report *report, struct error *err);

/* A request for a report. All is copied. */
struct report_request {
	const struct account *creator;
	const struct query_plan *plan; /* QUERY_ASYNC */
	const struct query_params *params;
	struct str base_url;
	struct str key;       /* Idempotency-Key; empty without */
	uint64_t body_hash;   /* detects another body under the same key */
	uint64_t pending_max; /* how many of the creator's may wait; 0: reports_pending_max */
	int64_t received_us;
	reports_with_fn with; /* or NULL */
	void *with_arg;
};

/* Makes the job, durably, and fills *report. ERROR_LIMIT when too many of the creator's wait. */
MUST_CHECK int reports_create(struct reports *reports, const struct report_request *request, struct report *report,
                              struct error *err);

/* How many of the creator's jobs are PENDING. */
uint64_t reports_pending(const struct reports *reports, const char *creator);

/* The job that `creator` made under this key: 1 with its id and the body's hash, 0 if there is none, -1. */
MUST_CHECK int reports_find_key(struct reports *reports, const struct account_key *creator, struct str key,
                                char id[ID_UUID_LEN + 1], uint64_t *body_hash, struct error *err);

/* ERROR_NOT_FOUND if there is none; *report needs no report_free then. */
MUST_CHECK int reports_get(struct reports *reports, struct str id, struct report *report, struct error *err);

/* By the id in a download link. ERROR_NOT_FOUND also when the file has gone. Without has_file it is being made anew, as a link is
 * there after the first end. */
MUST_CHECK int reports_get_file(struct reports *reports, struct str file_id, struct report *report, struct error *err);

/* Opens the file for reading: a descriptor, or -1. */
MUST_CHECK int reports_open_file(struct reports *reports, const struct report *report, struct error *err);

/*
 * Ends a job that has not ended as ABORTED, with its file gone; takes effect before it returns. `by` stands in the
 * reason: "account abcd1234". ERROR_NOT_FOUND, or ERROR_CONFLICT when it has ended.
 */
MUST_CHECK int reports_cancel(struct reports *reports, struct str id, const char *by, struct error *err);

/*
 * Calls fn with the jobs over an account's records (account NULL: any account's) received from `from_us` until before
 * `to_us`, newest first, until fn returns false. The report is valid until fn returns.
 */
typedef bool (*reports_fn)(void *arg, const struct report *report);
MUST_CHECK int reports_each(struct reports *reports, const struct account_key *account, int64_t from_us, int64_t to_us,
                            reports_fn fn, void *arg, struct error *err);

/*
 * Erasing a person's number (store/erase.h). The first collects the ids (ID_UUID_LEN + 1 bytes each, with their NULs)
 * of reports that may hold records of these accounts (in order) with a number or a message in them,
 * or whose parameters hold the number. The second erases it from one of them. A file begun up to `snapshot`, the store's
 * when the last record was freed of it (a clock may have been set since), is searched, or assumed to hold it if it shows
 * messages without all numbers: if it does, the report is remade under its old ids, without charge and callback; its
 * status returns to PENDING. One in progress starts over; one whose parameters have the number cannot be remade: it is
 * cancelled, or its file is removed, and its reason says so. *done
 * says what was done; while it is REPORTS_SEARCHING, call again. `search` is zeroed before the first call of all, and
 * ended after the last one.
 */
struct erase;
enum reports_erased {
	REPORTS_SEARCHING,
	REPORTS_NOTHING,
	REPORTS_FILE_GONE,
	REPORTS_MADE_ANEW,
	REPORTS_BEGUN_AGAIN,
	REPORTS_CANCELLED,
	REPORTS_PARAMS,
};
MUST_CHECK int reports_find_to_erase(struct reports *reports, const struct erase *erase,
                                     const struct account_key *accounts, size_t accounts_count, struct buf *ids,
                                     struct error *err);
MUST_CHECK int reports_erase(struct reports *reports, const char *id, struct erase *erase, uint64_t snapshot,
                             struct report_search *search, int64_t deadline_us, enum reports_erased *done,
                             struct error *err);

/*
 * Where does a report have what the matcher looks for (store/erase.h)? Fills *report, which the caller frees; all zero
 * when there is none. While *has is REPORTS_HAS_SEARCHING, its file is being searched: call again, *report is not
 * filled then. `number`: a file that shows messages without all numbers may hold it even if the search does not find
 * it.
 */
enum reports_has {
	REPORTS_HAS_SEARCHING,
	REPORTS_HAS_NOTHING,
	REPORTS_HAS_PARAMS,
	REPORTS_HAS_FILE,
	REPORTS_HAS_PERHAPS,
};
MUST_CHECK int reports_search(struct reports *reports, const char *id, const struct erase *matcher, bool number,
                              struct report_search *search, int64_t deadline_us, struct report *report,
                              enum reports_has *has, struct error *err);

struct reports_stats {
	uint64_t pending;              /* now */
	uint64_t processing;           /* now */
	uint64_t ended[REPORT_STATES]; /* since the start, by state */
	uint64_t rows;                 /* of reports that ended with a file, since the start */
	uint64_t bytes;
	int64_t slice_us_max; /* the longest slice since the start */
};
void reports_stats(const struct reports *reports, struct reports_stats *stats);

#endif
