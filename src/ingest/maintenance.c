/* SPDX-License-Identifier: ISC */
/*
 * maintenance.c: the store's background work (sealing, merging), in slices between requests.
 *
 * What a slice writes is committed with the next group commit, which is why this is part of ingest. It is a task of the
 * lowest priority (base/task.h), an urgent one when records come faster than they are sealed.
 */
#include "base/clock.h"
#include "base/log.h"
#include "ingest/ingest_private.h"

#define IDLE_US 500000
#define SHARED_COMMIT_US 60000
#define AFTER_ERROR_US (10 * CLOCK_US_PER_SECOND)

/* Runs the task, which is the daemon's own, after the pause. */
static void run_in(struct ingest *ingest, int64_t pause_us)
{
	struct error err;

	if (task_start_in(&ingest->maintenance, pause_us, &err) < 0)
		MAY_FAIL(task_start(&ingest->maintenance, &err)); /* without the pause, this cannot fail */
}

void ingest_maintenance_begin(struct ingest *ingest)
{
	task_init(&ingest->maintenance, ingest->tasks, "", TASK_MAINTENANCE, ingest_on_maintenance, ingest);
	run_in(ingest, IDLE_US);
}

void ingest_maintenance_rest(struct ingest *ingest)
{
	if (ingest->maintenance.tasks)
		run_in(ingest, AFTER_ERROR_US);
}

/* Commits what slices have written: when nothing more is written before, in the next turn, after sockets, as its fsync
 * gets a turn of its own; or else when a few slices share it. What is waiting for a commit sooner has it. */
static void commit_dirty(struct ingest *ingest, bool dirty)
{
	struct timeval delay = clock_timeval(dirty ? SHARED_COMMIT_US : 0);

	if (dirty && event_pending(ingest->commit_event, EV_TIMEOUT, NULL))
		return;
	event_add(ingest->commit_event, &delay);
	ingest->maintenance_is_dirty = dirty;
}

void ingest_on_maintenance(void *arg, int64_t deadline_us)
{
	struct ingest *ingest = arg;
	int64_t begin_us = clock_monotonic_us();
	uint64_t losses = ingest_losses(ingest);
	bool more, dirty;
	struct error err;

	if (store_maintain(ingest->store, deadline_us, &more, &dirty, &err) != 0) {
		/* Uncommitted records have been lost with it, maybe those of which the round has only duplicates. */
		if (ingest_losses(ingest) != losses)
			ingest_fail_round(ingest, &err);
		log_error("ingest", "maintenance: %s", err.message);
		ingest->stats.maintenance_failed++;
		run_in(ingest, AFTER_ERROR_US);
		return;
	}
	if (more || dirty)
		histogram_add(&ingest->stats.maintenance_duration, clock_monotonic_us() - begin_us);
	if (dirty || ingest->maintenance_is_dirty)
		commit_dirty(ingest, dirty);
	task_set_urgent(&ingest->maintenance, store_is_behind(ingest->store));
	run_in(ingest, more ? 0 : IDLE_US);
}
