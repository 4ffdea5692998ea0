/* SPDX-License-Identifier: ISC */
/*
 * job.h: a long command's work, done in slices until it has ended; private to admin/.
 *
 *	struct backing_up {
 *		struct admin_job job; // first
 *		struct backup *backup;
 *	};
 *
 * The functions of a kind get the struct that the job is the first member of.
 */
#ifndef CDRD_ADMIN_JOB_H
#define CDRD_ADMIN_JOB_H

#include "admin/command.h"

struct admin_job_kind {
	/* Works until `deadline_us` of clock_monotonic_us, or until all is *done. Where it has nothing to do before
	 * something has come, it sets job.waits, and is called again after admin_job_go_on. */
	int (*step)(void *arg, int64_t deadline_us, bool *done, struct error *err);
	void (*write_progress)(void *arg, struct json *j);          /* members of the progress line */
	void (*write_result)(void *arg, struct admin_reply *reply); /* when done; must not send it */
	void (*free)(void *arg);
};

struct admin_job {
	const struct admin_job_kind *kind;
	struct admin_reply *reply;
	bool waits;
};

/* Takes over the job: frees it when it has ended, then answers; or frees it when the client is gone. */
void admin_job_begin(struct admin_job *job, const struct admin_job_kind *kind, struct admin_reply *reply);

/* What the job waits for has come. */
void admin_job_go_on(struct admin_job *job);

#endif
