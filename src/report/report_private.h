/* SPDX-License-Identifier: ISC */
/*
 * report_private.h: what the files of report/ that run jobs share; private to it. (Makers and archives need none.)
 *
 *	reports.c    the module's life, and answers about jobs
 *	report_check.c  what may be asked for
 *	queue.c      which job is next: accounts take turns, then an account's jobs
 *	scheduler.c  the events: slices, and checks once a second
 *	job.c        one job: its start, steps, checkpoints and end
 *	job_work.c   what a job needs while its file is made
 *	workers.c    other front ends that make files, and which one a job goes to
 *	away.c       a job whose file a worker makes
 *	worker.c     the worker's side
 *	order.c      what both say to each other
 *	erasing.c    erases a person's number from reports
 *	search.c     is it in a file?
 *	expiry.c     removes files and rows of ended jobs
 *	files.c      data_dir/reports
 *	table.c      jobs on disk
 */
#ifndef CDRD_REPORT_REPORT_PRIVATE_H
#define CDRD_REPORT_REPORT_PRIVATE_H

#include <sys/queue.h>

#include "base/task.h"
#include "callback/callback.h"
#include "report/report.h"

/* What the id of the callback that delivers a file has before the report's. */
#define DELIVERY_PREFIX CALLBACK_DELIVERY_PREFIX
#define DELIVERY_PREFIX_LEN (sizeof(DELIVERY_PREFIX) - 1)

/* What a job needs while it is being made. */
struct report_work {
	struct report report; /* its row */
	struct query_plan plan;
	struct buf accounts; /* struct account_key each */
	struct buf inner_name;
	struct zone zone; /* of the times in the file, unless they stay in UTC */
	struct report_spec spec;
	struct reports *reports;
	struct maker *maker;        /* NULL once it has ended, or where another front end makes the file: */
	struct report_away *away;   /* or NULL */
	bool waits;                 /* the store has nothing for it yet */
	bool ended;                 /* `report` says how, but that could not be written yet: retried every second */
	bool stepped;               /* since the last checkpoint */
	int64_t checkpoint_at_us;   /* monotonic: when the next is due */
	struct maker_progress seen; /* when it last made progress */
	int64_t stalled_us;         /* since then, on the scheduler's clock */
};

/* A job that has not ended. */
struct report_job {
	TAILQ_ENTRY(report_job) link;
	struct report_queue *queue;
	char id[ID_UUID_LEN + 1];
	struct report_work *work; /* NULL while it is pending */
	bool stays_here;          /* no other front end is to make its file */
	bool is_begun;            /* it is pending here, but its row says PROCESSING */
	uint64_t
		lost_by; /* bits of workers that were to make it, and did not (report_worker_bit), or of who has one's number now */
};

TAILQ_HEAD(report_jobs, report_job);

/* The jobs of one creator. */
struct report_queue {
	TAILQ_ENTRY(report_queue) link;
	char account[ACCOUNT_ID_MAX + 1];
	struct report_jobs pending; /* oldest first */
	struct report_jobs running; /* in the order of their turns */
	uint64_t pending_count;
	uint64_t begun_count; /* of these */
	uint64_t running_count;
	uint64_t turn;   /* by reports->turns, when it last started a job, or was created */
	uint64_t number; /* in the order in which queues were created */
};

struct reports {
	struct tasks *tasks;
	const struct config *config;
	struct meta *meta;
	struct store *store;
	struct callbacks *callbacks;
	struct destinations *destinations; /* or NULL */
	const struct disk *disk;           /* NULL: not checked */
	struct shrinking *shrinking;       /* files that are removed */
	reports_end_fn on_end;             /* or NULL */
	void *on_end_arg;
	char *dir;            /* data_dir/reports */
	int64_t kept_from_us; /* reports_keep_from */

	TAILQ_HEAD(, report_queue) queues; /* in the order of their turns */
	uint64_t pending_count;
	uint64_t begun_count; /* of these */
	uint64_t running_count;
	uint64_t turns; /* two per started job: odd numbers are for new queues in between */
	uint64_t queues_made;

	TAILQ_HEAD(, known_worker) workers; /* in the order of their turns */
	size_t workers_count;
	int64_t passed_over_us;      /* monotonic: when it was last said that one more cannot be used; or 0 */
	uint64_t away_count;         /* of those that run */
	struct forward_asker *asker; /* of them; NULL: none are used */
	struct resolver *resolver;
	const uint8_t *key;

	struct buf
		lost; /* ids of reports of which a delivery needs the file, each with its NUL: it was not on this disk */

	bool held; /* a job could not be started: no further start before the next tick */
	struct task slice;
	struct event *tick;
	int64_t tick_at_us; /* monotonic */
	struct reports_stats stats;
};

/* --- status.c --- */

/* Allows only valid transitions (base/invariant.h). */
void report_set_state(struct report *report, enum report_state state);
void report_inner_name(const struct report *report, struct buf *out); /* report_SMS_abcd1234_20241126.csv */
/* The plan of a job, which borrows from report->params; false if this build no longer takes the parameters. */
bool report_make_plan(const struct report *report, struct query_plan *plan);

/* --- queue.c --- */

/* Adds a pending job; NULL when out of memory. */
struct report_job *report_queue_add(struct reports *reports, const char *creator, struct str id);

/* A pending job was begun before: it does not count as one that waits. */
void report_queue_note_begun(struct reports *reports, struct report_job *job);

/* How many of the creator's jobs wait, as their statuses say: PENDING. */
uint64_t report_queue_pending(const struct reports *reports, const char *creator);

struct report_job *report_queue_find(const struct reports *reports, const char *creator, struct str id);

/* The pending job that may start now, or NULL; and the running one whose turn it is, whose turn is then over. */
struct report_job *report_queue_next_pending(struct reports *reports);
struct report_job *report_queue_next_running(struct reports *reports);

/* From pending to running; job->work is set. */
void report_queue_started(struct reports *reports, struct report_job *job);

/* From running to the first that is pending; its work is the caller's. */
void report_queue_put_back(struct reports *reports, struct report_job *job);

/* Removes the job and frees it, but not its work. */
void report_queue_remove(struct reports *reports, struct report_job *job);

/* --- callback_note.c --- */

/* A callbacks_file_fn: the file of the report that a delivery is of. */
MUST_CHECK int report_find_delivered(void *reports, struct str id, struct buf *sha256, struct error *err);

/* --- job.c --- */

/*
 * Starts a pending job, or resumes one that a crash or restart interrupted. If it returns 0, one that cannot be made has
 * ended as FAILED, and one that only this front end can make, which has no room, is still pending. -1 when it stays
 * pending, out of memory or disk, ERROR_CORRUPT when it has no row.
 */
MUST_CHECK int report_job_start(struct reports *reports, struct report_job *job, struct error *err);

/* One slice. The job may be gone afterwards. */
void report_job_step(struct reports *reports, struct report_job *job, int64_t deadline_us);

/* Writes a checkpoint. Errors are logged and it is retried. */
void report_job_checkpoint(struct reports *reports, struct report_job *job);

/* Once a second, `elapsed_us` after the last time. The job may be gone afterwards. */
void report_job_look_after(struct reports *reports, struct report_job *job, int64_t elapsed_us);

/* Ends it as ABORTED; gone when it returns 0. -1 when that cannot be written: it then continues. */
MUST_CHECK int report_job_cancel(struct reports *reports, struct report_job *job, const char *reason,
                                 struct error *err);

/* An ended report, whose row is *report, is queued once more, without charge and callback, and its file removed; the reason
 * that its status gives ends with `why`. */
MUST_CHECK int report_make_anew(struct reports *reports, struct report *report, const char *why, struct error *err);

/* Starts a job in progress over, now or when it is resumed: the data it has read has changed. */
MUST_CHECK int report_job_begin_again(struct reports *reports, struct report_job *job, struct error *err);

/* A running job that reaches back beyond reports->kept_from_us begins again from there. The job may be gone afterwards. */
void report_job_leave_out_removed(struct reports *reports, struct report_job *job);

/* Its file is there, and on disk. */
void report_job_succeed(struct reports *reports, struct report_job *job, enum report_state state,
                        const struct maker_result *result);

/* Ends it as FAILED, for that reason. */
void report_job_fail(struct reports *reports, struct report_job *job, const struct error *err);

/* One that runs is pending again, before all others of its creator; what was made of it is lost. */
void report_job_put_back(struct reports *reports, struct report_job *job);

/* --- job_work.c --- */

/* Does nothing on NULL. */
void report_work_free(struct report_work *work);

/* Fills the plan from the report; then, once accounts are there, the zone and the spec. */
MUST_CHECK int report_work_plan(struct report_work *work, struct error *err);
MUST_CHECK int report_work_specify(struct report_work *work, struct error *err);

/* False when nobody makes the file. */
bool report_work_progress(const struct report_work *work, struct maker_progress *progress);

/* Copies progress, where there is any, or a result, into a report. */
void report_take_progress(struct report *report, const struct report_work *work);
void report_take_result(struct report *report, const struct maker_result *result);

/* --- scheduler.c --- */

MUST_CHECK int report_scheduler_init(struct reports *reports, struct error *err);

/* There may be something to start or to step: schedules it. */
void report_scheduler_wake(struct reports *reports);

/* --- expiry.c --- */

/* When the next part of an ended job expires. */
int64_t report_due_us(const struct reports *reports, const struct report *report);

/* Drops what is due, until `deadline_us` (monotonic) or nothing is left. */
void report_expire(struct reports *reports, int64_t deadline_us);

/* --- files.c --- */

MUST_CHECK int report_files_init(struct reports *reports, struct error *err);
void report_file_path(const struct reports *reports, const char *file_id, struct buf *out);
void report_file_remove(const struct reports *reports, const char *file_id);
void report_file_mark(const struct reports *reports, const struct report *report); /* it is whole, and on disk */

/* Is the file of an ended report not here, but on the disk of a front end that is gone? What is left here of an earlier time under
 * its name is removed. */
bool report_file_is_lost(const struct reports *reports, const struct report *report);

/* In a tick that follows, the report is made again if its file is lost; as many in one as there is time for until
 * `deadline_us` (monotonic). */
void report_note_lost(struct reports *reports, const struct report *report);
void report_make_lost_anew(struct reports *reports, int64_t deadline_us);

/* Removes every file that no job owns. */
MUST_CHECK int report_files_sweep(struct reports *reports, struct error *err);

#endif
