/* SPDX-License-Identifier: ISC */
/*
 * queue.c: which job is next. Accounts take turns, and so do the jobs of an account: a job waits for a hundred earlier
 * ones of its own account, but not for those of another.
 */
#include <stdlib.h>
#include <string.h>

#include "report/report_private.h"
#include "report/workers.h"

static struct report_queue *find(const struct reports *reports, const char *creator)
{
	struct report_queue *queue;

	TAILQ_FOREACH(queue, &reports->queues, link) {
		if (strcmp(queue->account, creator) == 0)
			return queue;
	}
	return NULL;
}

static struct report_queue *find_or_make(struct reports *reports, const char *creator)
{
	struct report_queue *queue = find(reports, creator);

	if (queue)
		return queue;
	queue = calloc(1, sizeof(*queue));
	if (!queue)
		return NULL;
	str_copy(queue->account, sizeof(queue->account), creator);
	queue->turn = reports->turns > 0 ? reports->turns - 1 : 0;
	queue->number = ++reports->queues_made;
	TAILQ_INIT(&queue->pending);
	TAILQ_INIT(&queue->running);
	TAILQ_INSERT_TAIL(&reports->queues, queue, link);
	return queue;
}

struct report_job *report_queue_add(struct reports *reports, const char *creator, struct str id)
{
	struct report_job *job = calloc(1, sizeof(*job));
	struct report_queue *queue = job ? find_or_make(reports, creator) : NULL;

	if (!queue) {
		free(job);
		return NULL;
	}
	memcpy(job->id, id.p, ID_UUID_LEN);
	job->queue = queue;
	TAILQ_INSERT_TAIL(&queue->pending, job, link);
	queue->pending_count++;
	reports->pending_count++;
	return job;
}

void report_queue_note_begun(struct reports *reports, struct report_job *job)
{
	job->is_begun = true;
	job->queue->begun_count++;
	reports->begun_count++;
}

/* Of a job that was pending. */
static void take_from_pending(struct reports *reports, struct report_job *job)
{
	struct report_queue *queue = job->queue;

	TAILQ_REMOVE(&queue->pending, job, link);
	queue->pending_count--;
	reports->pending_count--;
	queue->begun_count -= job->is_begun;
	reports->begun_count -= job->is_begun;
	job->is_begun = false;
}

uint64_t report_queue_pending(const struct reports *reports, const char *creator)
{
	const struct report_queue *queue = find(reports, creator);

	return queue ? queue->pending_count - queue->begun_count : 0;
}

static struct report_job *find_in(const struct report_jobs *jobs, struct str id)
{
	struct report_job *job;

	TAILQ_FOREACH(job, jobs, link) {
		if (str_is(id, job->id))
			return job;
	}
	return NULL;
}

struct report_job *report_queue_find(const struct reports *reports, const char *creator, struct str id)
{
	const struct report_queue *queue = find(reports, creator);
	struct report_job *job = queue ? find_in(&queue->running, id) : NULL;

	return queue && !job ? find_in(&queue->pending, id) : job;
}

static void to_the_end(struct reports *reports, struct report_queue *queue)
{
	TAILQ_REMOVE(&reports->queues, queue, link);
	TAILQ_INSERT_TAIL(&reports->queues, queue, link);
}

/*
 * Of the accounts that may start one, the one with the fewest running comes first, then the one whose last start is
 * longest ago. A new account counts as if it had started one just before the last start.
 */
static bool comes_before(const struct report_queue *a, const struct report_queue *b)
{
	if (a->running_count != b->running_count)
		return a->running_count < b->running_count;
	if (a->turn != b->turn)
		return a->turn < b->turn;
	return a->number < b->number;
}

/* The account's first one for which there is room; NULL. Those that wait for this front end hold up none that a worker may make. */
static struct report_job *first_with_room(const struct reports *reports, const struct report_queue *queue, bool here)
{
	struct report_job *job;

	TAILQ_FOREACH(job, &queue->pending, link) {
		if (here || (!job->stays_here && report_workers_have_room(reports, job->lost_by)))
			return job;
	}
	return NULL;
}

struct report_job *report_queue_next_pending(struct reports *reports)
{
	uint64_t most = (uint64_t)reports->config->reports_per_account_max;
	struct report_job *job, *best = NULL;
	struct report_queue *queue;

	bool here = report_workers_have_room_here(reports);

	if (!here && !report_workers_have_room(reports, 0))
		return NULL;
	TAILQ_FOREACH(queue, &reports->queues, link) {
		if (queue->running_count >= most || (best && !comes_before(queue, best->queue)))
			continue;
		job = first_with_room(reports, queue, here);
		if (job)
			best = job;
	}
	return best;
}

static struct report_job *first_ready(struct report_queue *queue)
{
	struct report_job *job;

	TAILQ_FOREACH(job, &queue->running, link) {
		if (!job->work->ended && !job->work->waits && !job->work->away)
			return job;
	}
	return NULL;
}

struct report_job *report_queue_next_running(struct reports *reports)
{
	struct report_queue *queue;

	TAILQ_FOREACH(queue, &reports->queues, link) {
		struct report_job *job = first_ready(queue);

		if (!job)
			continue;
		TAILQ_REMOVE(&queue->running, job, link);
		TAILQ_INSERT_TAIL(&queue->running, job, link);
		to_the_end(reports, queue);
		return job;
	}
	return NULL;
}

void report_queue_started(struct reports *reports, struct report_job *job)
{
	struct report_queue *queue = job->queue;

	take_from_pending(reports, job);
	queue->turn = reports->turns += 2;
	TAILQ_INSERT_TAIL(&queue->running, job, link);
	queue->running_count++;
	reports->running_count++;
}

void report_queue_put_back(struct reports *reports, struct report_job *job)
{
	struct report_queue *queue = job->queue;

	TAILQ_REMOVE(&queue->running, job, link);
	queue->running_count--;
	reports->running_count--;
	job->work = NULL;
	TAILQ_INSERT_HEAD(&queue->pending, job, link);
	queue->pending_count++;
	reports->pending_count++;
	report_queue_note_begun(reports, job);
}

void report_queue_remove(struct reports *reports, struct report_job *job)
{
	struct report_queue *queue = job->queue;

	if (job->work) {
		TAILQ_REMOVE(&queue->running, job, link);
		queue->running_count--;
		reports->running_count--;
	} else {
		take_from_pending(reports, job);
	}
	free(job);
	if (queue->pending_count == 0 && queue->running_count == 0) {
		TAILQ_REMOVE(&reports->queues, queue, link);
		free(queue);
	}
}
