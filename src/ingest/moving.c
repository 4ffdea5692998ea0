/* SPDX-License-Identifier: ISC */
/*
 * moving.c: see moving.h.
 */
#include "ingest/moving.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/task.h"
#include "store/takeover.h"

#define AFTER_ERROR_US (10 * CLOCK_US_PER_SECOND)

struct moving {
	struct store *store;
	struct task task;
};

static void run_in(struct moving *moving, int64_t pause_us)
{
	struct error err;

	/* The daemon's own tasks need no memory but for a pause. */
	if (pause_us <= 0 || task_start_in(&moving->task, pause_us, &err) < 0)
		MAY_FAIL(task_start(&moving->task, &err));
}

static void on_step(void *arg, int64_t deadline_us)
{
	struct moving *moving = arg;
	int64_t pause_us;
	struct error err;

	if (takeover_step(moving->store, deadline_us, &pause_us, &err) != 0)
		pause_us = AFTER_ERROR_US;
	run_in(moving, pause_us);
}

static void on_ready(void *arg)
{
	run_in(arg, 0);
}

struct moving *moving_new(struct tasks *tasks, struct store *store)
{
	struct moving *moving = calloc(1, sizeof(*moving));

	if (!moving)
		return NULL;
	moving->store = store;
	task_init(&moving->task, tasks, "", TASK_MAINTENANCE, on_step, moving);
	takeover_on_ready(store, on_ready, moving);
	run_in(moving, 0);
	return moving;
}

void moving_free(struct moving *moving)
{
	if (!moving)
		return;
	takeover_on_ready(moving->store, NULL, NULL);
	task_cancel(&moving->task);
	free(moving);
}
