/* SPDX-License-Identifier: ISC */
/*
 * reconcile_private.h: what the files of the module that keep and run reconciliations share.
 *
 *	reconciles.c         the module's life, the list, expiry
 *	reconcile_job.c      one of them: its start, its steps, its end
 *	reconcile_file.c     its directory, and the file `job`
 *	reconcile_upload.c   how it begins
 *	reconcile_status.c   as JSON
 */
#ifndef CDRD_RECONCILE_RECONCILE_PRIVATE_H
#define CDRD_RECONCILE_RECONCILE_PRIVATE_H

#include <sys/queue.h>

#include "reconcile/reconcile.h"

struct reconcile_job {
	TAILQ_ENTRY(reconcile_job) link;
	struct reconciles *reconciles;
	struct reconciliation shown;
	/* while it is being made */
	struct task task;
	struct reconciler *reconciler; /* NULL: it is not */
	struct buf accounts;           /* struct account_key each */
	struct buf dir;
	bool unsaved; /* how it ended is not on disk yet: tried again every second */
};

struct reconciles {
	struct reconciles_context context;
	char *dir;                                      /* data_dir/reconcile */
	TAILQ_HEAD(reconcile_jobs, reconcile_job) jobs; /* newest first */
	struct reconcile_jobs going; /* removed, but not all of their directories: tried again every few seconds */
	int ticks;
	size_t running;
	bool waking;                   /* one that fails at its start does not start the next by itself */
	char last[ACCOUNT_ID_MAX + 1]; /* the creator of the one that was started last */
	struct event *tick;
	struct reconciles_stats stats; /* of those that have ended */
};

/* --- reconciles.c --- */

/* Puts it in its place among the others. */
void reconciles_insert(struct reconciles *reconciles, struct reconcile_job *job);

/* Starts what waits, if there is room. */
void reconciles_wake(struct reconciles *reconciles);

/* --- reconcile_job.c --- */

/* Begins it; one that cannot be has failed. */
void reconcile_job_start(struct reconcile_job *job);
/* Ends it, and writes that down. */
void reconcile_job_end(struct reconcile_job *job, enum report_state state, const char *reason);
/* Stops it, without a trace on disk. */
void reconcile_job_stop(struct reconcile_job *job);
void reconcile_job_free(struct reconcile_job *job);

/* --- reconcile_file.c --- */

/* Appends the path of a file of the job, or of its directory if `name` is NULL. */
void reconcile_path(const struct reconciles *reconciles, const char *id, const char *name, struct buf *out);

/* Writes a file whole, durably, in place of what was there. */
MUST_CHECK int reconcile_write_file(const struct reconciles *reconciles, const char *id, const char *name,
                                    struct str text, struct error *err);
MUST_CHECK int reconcile_read_file(const struct reconciles *reconciles, const char *id, const char *name,
                                   struct buf *text, struct error *err);

/* The file `job`. */
MUST_CHECK int reconcile_save(const struct reconcile_job *job, struct error *err);
MUST_CHECK int reconcile_save_in(const struct reconcile_job *job, const char *dir, struct error *err);
MUST_CHECK int reconcile_load(struct reconcile_job *job, const char *id, struct error *err);

/* Gives a directory another name, durably. */
MUST_CHECK int reconcile_rename_dir(const struct reconciles *reconciles, const char *from, const char *to,
                                    struct error *err);

/* Removes a reconciliation, durably: what was erased must not be back after a power cut. What is left when it fails is
 * removed by another try, or the next start. */
MUST_CHECK int reconcile_remove(const struct reconciles *reconciles, const char *id, struct error *err);

/* Removes a directory that is none, with what is in it, if there is one. */
MUST_CHECK int reconcile_remove_dir(const struct reconciles *reconciles, const char *id, struct error *err);

/* Removes all files that nobody needs once it has ended: without a result all but `job`; with one, the carrier's file and
 * what a crash has left. */
void reconcile_remove_work(const struct reconcile_job *job);
/* The same of the runs alone, which nobody has open any more. */
void reconcile_remove_runs(const struct reconcile_job *job);

#endif
