/* SPDX-License-Identifier: ISC */
/*
 * scheduler.c: when jobs run. One slice at a time, of the job whose turn it is, as one task (base/task.h): requests go
 * first, but not for ever.
 */
#include "base/clock.h"
#include "base/log.h"
#include "report/report_private.h"
#include "store/cluster.h"

#define TICK_US CLOCK_US_PER_SECOND
#define TICK_WORK_US 5000 /* of a tick, for each kind of what is due */

/* --- slices --- */

/* A job that was there before the daemon does not fail because a cluster has not answered yet. */
static bool may_start(const struct reports *reports)
{
	return !reports->held && !disk_is_low(reports->disk) && store_cluster_is_known(reports->store);
}

/* Starts a job that may start. One per slice, since each start waits for the disk. */
static bool start_next(struct reports *reports)
{
	struct report_job *job = may_start(reports) ? report_queue_next_pending(reports) : NULL;
	struct error err;

	if (!job)
		return false;
	if (report_job_start(reports, job, &err) == 0)
		return true;
	log_error("report", "%s: cannot be started: %s", job->id, err.message);
	if (err.code == ERROR_CORRUPT)
		report_queue_remove(reports, job);
	else
		reports->held = true;
	return err.code == ERROR_CORRUPT;
}

static bool step_next(struct reports *reports, int64_t deadline_us)
{
	struct report_job *job = report_queue_next_running(reports);

	if (job)
		report_job_step(reports, job, deadline_us);
	return job != NULL;
}

static void on_slice(void *arg, int64_t deadline_us)
{
	struct reports *reports = arg;
	int64_t begin_us = clock_monotonic_us();
	struct error err;

	/* otherwise there is nothing to do before the next tick or request */
	if (start_next(reports) || step_next(reports, deadline_us)) {
		if (task_start_in(&reports->slice, reports->config->report_pause, &err) < 0)
			log_error("report", "%s; the next second tries again", err.message);
	} else {
		task_cancel(&reports->slice);
	}
	int64_t took_us = clock_monotonic_us() - begin_us;

	if (took_us > reports->stats.slice_us_max)
		reports->stats.slice_us_max = took_us;
}

/* --- the tick --- */

static void look_after_all(struct reports *reports, int64_t elapsed_us)
{
	struct report_queue *queue = TAILQ_FIRST(&reports->queues);

	while (queue) {
		struct report_queue *next_queue = TAILQ_NEXT(queue, link);
		struct report_job *job = TAILQ_FIRST(&queue->running);

		while (job) {
			struct report_job *next = TAILQ_NEXT(job, link);

			/* the queue is freed with its last job */
			report_job_look_after(reports, job, elapsed_us);
			job = next;
		}
		queue = next_queue;
	}
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct reports *reports = arg;
	int64_t now_us = clock_monotonic_us();
	int64_t elapsed_us = now_us - reports->tick_at_us;

	(void)fd;
	(void)what;
	reports->tick_at_us = now_us;
	/* a job is not stuck because the process was stopped */
	look_after_all(reports, elapsed_us < 2 * TICK_US ? elapsed_us : TICK_US);
	report_make_lost_anew(reports, clock_monotonic_us() + TICK_WORK_US);
	reports->held = false;
	report_scheduler_wake(reports);
	report_expire(reports, clock_monotonic_us() + TICK_WORK_US);
}

void report_scheduler_wake(struct reports *reports)
{
	struct error err;

	if (reports->running_count + reports->pending_count > 0 && !task_is_started(&reports->slice))
		MAY_FAIL(task_start(&reports->slice, &err)); /* it is the daemon's own: this cannot fail */
}

int report_scheduler_init(struct reports *reports, struct error *err)
{
	struct timeval tick = clock_timeval(TICK_US);

	task_init(&reports->slice, reports->tasks, "", TASK_REPORTS, on_slice, reports);
	reports->tick = event_new(tasks_base(reports->tasks), -1, EV_PERSIST, on_tick, reports);
	if (!reports->tick || event_add(reports->tick, &tick) < 0)
		return error_set(err, ERROR_NOMEM, "reports: out of memory");
	reports->tick_at_us = clock_monotonic_us();
	return 0;
}
