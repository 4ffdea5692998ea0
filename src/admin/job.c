/* SPDX-License-Identifier: ISC */
/*
 * job.c: see job.h.
 */
#include "admin/job.h"

static void job_free(void *arg)
{
	struct admin_job *job = arg;

	job->kind->free(job);
}

static void go_on(void *arg, int64_t deadline_us)
{
	struct admin_job *job = arg;
	const struct admin_job_kind *kind = job->kind;
	struct admin_reply *reply = job->reply;
	struct error err;
	bool done;

	/* Freed before the answer: after it, clients may rely on nothing being left of a failed job. */
	if (kind->step(job, deadline_us, &done, &err) != 0) {
		kind->free(job);
		admin_reply_error(reply, &err);
		return;
	}
	if (done) {
		kind->write_result(job, reply);
		kind->free(job);
		admin_reply_send(reply);
		return;
	}
	if (admin_reply_progress_due(reply)) {
		kind->write_progress(job, admin_reply_progress_begin(reply));
		admin_reply_progress_end(reply);
	}
	if (!job->waits)
		admin_reply_later(reply, go_on, job);
}

void admin_job_go_on(struct admin_job *job)
{
	job->waits = false;
	admin_reply_later(job->reply, go_on, job);
}

void admin_job_begin(struct admin_job *job, const struct admin_job_kind *kind, struct admin_reply *reply)
{
	*job = (struct admin_job){ kind, reply, false };
	admin_reply_on_close(reply, job_free, job);
	admin_reply_later(reply, go_on, job);
}
