/* SPDX-License-Identifier: ISC */
/*
 * reconcile.h: a carrier's file of a month beside our records of it.
 *
 *	               its turn comes           all files are on disk
 *	PENDING -------------------> PROCESSING -----------> SUCCESS
 *	    \________ cancelled ________/  |  \_____________ FAILED, with the reason
 *	             ABORTED               `- after a crash: again from the beginning
 *
 * A reconciliation is a directory, data_dir/reconcile/ID, with the carrier's file as it was sent (`upload`), a file
 * `job` that says what is asked for and how it stands, written anew with each change of that, and at its end `result`
 * and a compressed CSV for each class of rows. All of it is removed after report_file_keep. The reconciler (reconciler.h) does
 * the work, as a task of the account that asks.
 */
#ifndef CDRD_RECONCILE_RECONCILE_H
#define CDRD_RECONCILE_RECONCILE_H

#include "base/config.h"
#include "base/disk.h"
#include "base/task.h"
#include "ingest/ingest.h"
#include "meta/accounts.h"
#include "query/query.h"
#include "reconcile/reconciler.h"
#include "report/report.h"
#include "store/store.h"

struct reconciles;
struct shrinking;

/* All stay the caller's and must outlive it. */
struct reconciles_context {
	struct tasks *tasks;
	const struct config *config;
	struct meta *meta;
	struct store *store;
	struct ingest *ingest;
	const struct disk *disk;
	struct shrinking *shrinking;
};

/* Loads those that are on disk; what had not ended is begun again. */
MUST_CHECK struct reconciles *reconciles_new(const struct reconciles_context *context, struct error *err);

/* Call it before ingest_free. Does nothing on NULL. */
void reconciles_free(struct reconciles *reconciles);

/* One of them, as it stands; it belongs to the module, and may change and go with each turn of the loop. */
struct reconciliation {
	char id[ID_UUID_LEN + 1];
	char creator[ACCOUNT_ID_MAX + 1]; /* who asked; empty: an operator */
	struct account_key creator_key;
	struct account_key account_key;            /* of request.account, unless that is empty */
	enum report_state state;                   /* never TRUNCATED */
	int64_t received_us, started_us, ended_us; /* 0: not yet */
	uint64_t upload_bytes;
	struct query_params params;
	struct reconcile_request request; /* what they say */
	struct reconciler_progress progress;
	char reason[256]; /* of FAILED and ABORTED */
	struct reconcile_file {
		char id[ID_UUID_LEN + 1];
		struct class_file_result made;
	} files[RECONCILER_CLASSES]; /* after SUCCESS */
};

struct reconciles_stats {
	uint64_t pending, processing;       /* now */
	uint64_t ended[REPORT_ABORTED + 1]; /* since the start, by state */
};
void reconciles_get_stats(const struct reconciles *reconciles, struct reconciles_stats *stats);

/* --- a new one --- */

struct reconcile_upload;

/*
 * Begins to receive the carrier's file. `params` are copied; `creator` is NULL for an operator, who alone may leave out
 * account_id. Whether the creator may read the account is the caller's business. ERROR_INVALID with *problems, if any;
 * ERROR_NOT_FOUND: no such mapping or account; ERROR_LIMIT: too many of the creator's are waiting; ERROR_FULL; ERROR_IO;
 * ERROR_NOMEM.
 */
MUST_CHECK struct reconcile_upload *reconcile_upload_begin(struct reconciles *reconciles, const struct account *creator,
                                                           const struct query_params *params,
                                                           struct query_problems *problems, struct error *err);

/* ERROR_LIMIT: larger than reconcile_upload_max. */
MUST_CHECK int reconcile_upload_feed(struct reconcile_upload *upload, struct str piece, struct error *err);

/* The file is complete: durably PENDING when it returns, and NULL if that failed. ERROR_LIMIT: too many of the creator's
 * are waiting by now. Ends the upload in any case. */
MUST_CHECK const struct reconciliation *reconcile_upload_finish(struct reconcile_upload *upload, struct error *err);

/* Gives it up. Does nothing on NULL. */
void reconcile_upload_drop(struct reconcile_upload *upload);

/* --- what there is --- */

/* NULL if there is none. */
const struct reconciliation *reconciles_get(const struct reconciles *reconciles, struct str id);

/* Newest first; false from fn ends it. */
typedef bool (*reconciles_fn)(void *arg, const struct reconciliation *job);
void reconciles_each(const struct reconciles *reconciles, reconciles_fn fn, void *arg);

/* By the id of one of its files, whose *class is filled; NULL if there is no such file. */
const struct reconciliation *reconciles_get_file(const struct reconciles *reconciles, struct str file_id,
                                                 enum reconciler_class *class);

/* The name a download is saved under: reconcile_SMS_2026-11_only_ours.zip */
void reconcile_file_name(const struct reconciliation *job, enum reconciler_class class, struct buf *out);

/* A descriptor, or -1. */
MUST_CHECK int reconcile_open_file(const struct reconciles *reconciles, const struct reconciliation *job,
                                   enum reconciler_class class, struct error *err);

/* Appends the status as JSON, with the result after SUCCESS; links begin with `base_url`, and are left out if that is
 * empty. */
MUST_CHECK int reconcile_write_status(const struct reconciles *reconciles, const struct reconciliation *job,
                                      struct str base_url, struct buf *out, struct error *err);

/* The same as one of a list, where one whose result cannot be read is shown without it, and with the reason. -1: out of
 * memory. */
MUST_CHECK int reconcile_write_listed(const struct reconciles *reconciles, const struct reconciliation *job,
                                      struct str base_url, struct buf *out);

/* --- what ends them --- */

/* Ends one that has not ended as ABORTED. `by` stands in the reason. ERROR_NOT_FOUND; ERROR_CONFLICT: it has ended. */
MUST_CHECK int reconciles_cancel(struct reconciles *reconciles, struct str id, const char *by, struct error *err);

/* Removes all that may hold records of these accounts (sorted), with their files; *count of them. Also what they asked
 * for themselves. */
MUST_CHECK int reconciles_remove_of(struct reconciles *reconciles, const struct account_key *accounts, size_t count,
                                    uint64_t *removed, struct error *err);

#endif
