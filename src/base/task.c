/* SPDX-License-Identifier: ISC */
/*
 * task.c: see task.h.
 *
 * Each priority has a ring of lanes, a lane being what an owner has of that priority. The lane at the ring's head is
 * next; lane and task move to the ends of their queues before the step is run, so that nothing is looked at afterwards
 * that the step may have freed.
 */
#include "base/task.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/invariant.h"
#include "base/log.h"

#define PASSED_OVER_MAX 3 /* turns that a priority may get nothing in */

TAILQ_HEAD(task_queue, task);

struct lane {
	TAILQ_ENTRY(lane) entry; /* of the priority's ring, while it has tasks */
	struct task_queue queue;
};

struct task_owner {
	LIST_ENTRY(task_owner) entry;
	char id[TASK_OWNER_LEN];
	size_t references; /* tasks that have it reserved */
	size_t ready, waiting_count;
	struct task_queue waiting; /* for one of the ready to end */
	struct lane lanes[TASK_PRIORITIES];
};

struct tasks {
	struct event_base *base;
	const struct config *config;
	struct event *timer;
	LIST_HEAD(, task_owner) owners;
	TAILQ_HEAD(, lane) rings[TASK_PRIORITIES];
	unsigned passed_over[TASK_PRIORITIES]; /* turns in a row */
	struct timeval turn;                   /* the one that spent_us is about */
	int64_t spent_us;
};

/* --- the turn's time --- */

static int64_t left_us(struct tasks *tasks)
{
	struct timeval turn;

	if (event_base_gettimeofday_cached(tasks->base, &turn) != 0 || turn.tv_sec != tasks->turn.tv_sec ||
	    turn.tv_usec != tasks->turn.tv_usec) {
		tasks->turn = turn;
		tasks->spent_us = 0;
	}
	return TASK_TURN_US - tasks->spent_us;
}

static void run_step(struct tasks *tasks, struct task *task, int64_t slice_us)
{
	int64_t begin_us = clock_monotonic_us();

	task->step(task->arg, begin_us + slice_us);
	tasks->spent_us += clock_monotonic_us() - begin_us;
}

/* --- whose step is next --- */

static int next_priority(const struct tasks *tasks)
{
	int next = TASK_PRIORITIES;

	for (int i = TASK_PRIORITIES - 1; i >= 0; i--) {
		if (TAILQ_EMPTY(&tasks->rings[i]))
			continue;
		if (tasks->passed_over[i] > PASSED_OVER_MAX)
			return i;
		next = i;
	}
	return next;
}

/* NULL: there is nothing to do. */
static struct task *next_task(struct tasks *tasks)
{
	int priority = next_priority(tasks);
	struct lane *lane;
	struct task *task;

	if (priority == TASK_PRIORITIES)
		return NULL;
	lane = TAILQ_FIRST(&tasks->rings[priority]);
	task = TAILQ_FIRST(&lane->queue);
	tasks->passed_over[priority] = 0;
	TAILQ_REMOVE(&tasks->rings[priority], lane, entry);
	TAILQ_INSERT_TAIL(&tasks->rings[priority], lane, entry);
	TAILQ_REMOVE(&lane->queue, task, entry);
	TAILQ_INSERT_TAIL(&lane->queue, task, entry);
	return task;
}

static void run_next_turn(struct tasks *tasks)
{
	static const struct timeval now = { 0, 0 };

	/* A timer of zero, not event_active: an active event runs before the loop looks at sockets again. */
	if (evtimer_pending(tasks->timer, NULL) || evtimer_add(tasks->timer, &now) == 0)
		return;
	log_error("main", "cannot add a timer: tasks run before sockets are served");
	event_active(tasks->timer, EV_TIMEOUT, 0);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct tasks *tasks = arg;
	int64_t slice_us = left_us(tasks);
	struct task *task;

	(void)fd;
	(void)what;
	for (int i = 0; i < TASK_PRIORITIES; i++)
		tasks->passed_over[i] = TAILQ_EMPTY(&tasks->rings[i]) ? 0 : tasks->passed_over[i] + 1;
	/* However much the turn has taken already, one step is made: otherwise other work could hold all tasks up. */
	if (slice_us <= 0)
		slice_us = TASK_STEP_US;
	while (slice_us > 0 && (task = next_task(tasks))) {
		run_step(tasks, task, slice_us < TASK_STEP_US ? slice_us : TASK_STEP_US);
		slice_us = TASK_TURN_US - tasks->spent_us;
	}
	if (next_priority(tasks) != TASK_PRIORITIES)
		run_next_turn(tasks);
}

struct tasks *tasks_new(struct event_base *base, const struct config *config)
{
	struct tasks *tasks = calloc(1, sizeof(*tasks));

	if (!tasks)
		return NULL;
	tasks->base = base;
	tasks->config = config;
	LIST_INIT(&tasks->owners);
	for (int i = 0; i < TASK_PRIORITIES; i++)
		TAILQ_INIT(&tasks->rings[i]);
	tasks->timer = evtimer_new(base, on_turn, tasks);
	if (tasks->timer)
		return tasks;
	free(tasks);
	return NULL;
}

void tasks_free(struct tasks *tasks)
{
	if (!tasks)
		return;
	INVARIANT(LIST_EMPTY(&tasks->owners));
	event_free(tasks->timer);
	free(tasks);
}

/* --- owners --- */

static struct task_owner *find_owner(const struct tasks *tasks, const char id[TASK_OWNER_LEN])
{
	struct task_owner *owner;

	LIST_FOREACH(owner, &tasks->owners, entry)
		if (memcmp(owner->id, id, TASK_OWNER_LEN) == 0)
			return owner;
	return NULL;
}

static void owner_id(const char *owner, char id[TASK_OWNER_LEN])
{
	size_t len = strnlen(owner, TASK_OWNER_LEN);

	memset(id, 0, TASK_OWNER_LEN);
	memcpy(id, owner, len);
}

static struct task_owner *add_owner(struct tasks *tasks, const char id[TASK_OWNER_LEN])
{
	struct task_owner *owner = calloc(1, sizeof(*owner));

	if (!owner)
		return NULL;
	memcpy(owner->id, id, TASK_OWNER_LEN);
	TAILQ_INIT(&owner->waiting);
	for (int i = 0; i < TASK_PRIORITIES; i++)
		TAILQ_INIT(&owner->lanes[i].queue);
	LIST_INSERT_HEAD(&tasks->owners, owner, entry);
	return owner;
}

static bool may_have_more(const struct tasks *tasks, const struct task_owner *owner)
{
	size_t max = (size_t)tasks->config->sync_concurrent_max;

	return owner->id[0] == '\0' || max == 0 || owner->ready < max;
}

static void make_ready(struct task *task)
{
	struct task_owner *owner = task->owner;
	struct lane *lane = &owner->lanes[task->priority];

	INVARIANT(task->state == TASK_IDLE && owner);
	if (TAILQ_EMPTY(&lane->queue))
		TAILQ_INSERT_TAIL(&task->tasks->rings[task->priority], lane, entry);
	TAILQ_INSERT_TAIL(&lane->queue, task, entry);
	task->state = TASK_READY;
	owner->ready++;
	run_next_turn(task->tasks);
}

static void stop_waiting(struct task *task)
{
	INVARIANT(task->state == TASK_WAITING && task->owner->waiting_count > 0);
	TAILQ_REMOVE(&task->owner->waiting, task, entry);
	task->owner->waiting_count--;
	task->state = TASK_IDLE;
}

static void end_ready(struct task *task)
{
	struct task_owner *owner = task->owner;
	struct lane *lane = &owner->lanes[task->priority];
	struct task *next;

	INVARIANT(task->state == TASK_READY && owner->ready > 0);
	TAILQ_REMOVE(&lane->queue, task, entry);
	if (TAILQ_EMPTY(&lane->queue))
		TAILQ_REMOVE(&task->tasks->rings[task->priority], lane, entry);
	task->state = TASK_IDLE;
	owner->ready--;
	while (may_have_more(task->tasks, owner) && (next = TAILQ_FIRST(&owner->waiting))) {
		stop_waiting(next);
		make_ready(next);
	}
}

/* --- a task --- */

void task_init(struct task *task, struct tasks *tasks, const char *owner, enum task_priority priority,
               void (*step)(void *arg, int64_t deadline_us), void *arg)
{
	*task = (struct task){ .tasks = tasks, .priority = priority, .state = TASK_IDLE, .step = step, .arg = arg };
	owner_id(owner, task->owner_id);
}

bool task_try_now(struct task *task)
{
	struct tasks *tasks = task->tasks;
	const struct task_owner *owner = find_owner(tasks, task->owner_id);
	int64_t slice_us = left_us(tasks);

	if (slice_us <= 0 || (owner && owner->ready > 0))
		return false;
	run_step(tasks, task, slice_us < TASK_STEP_US ? slice_us : TASK_STEP_US);
	return true;
}

int task_reserve(struct task *task, struct error *err)
{
	if (task->owner)
		return 0;
	task->owner = find_owner(task->tasks, task->owner_id);
	if (!task->owner)
		task->owner = add_owner(task->tasks, task->owner_id);
	if (!task->owner)
		return error_set(err, ERROR_NOMEM, "Out of memory for a task");
	task->owner->references++;
	return 0;
}

int task_start(struct task *task, struct error *err)
{
	if (task->state != TASK_IDLE)
		return 0;
	if (task_reserve(task, err) < 0)
		return -1;
	if (may_have_more(task->tasks, task->owner)) {
		make_ready(task);
		return 0;
	}
	TAILQ_INSERT_TAIL(&task->owner->waiting, task, entry);
	task->owner->waiting_count++;
	task->state = TASK_WAITING;
	return 0;
}

void task_cancel(struct task *task)
{
	if (task->state == TASK_READY)
		end_ready(task);
	else if (task->state == TASK_WAITING)
		stop_waiting(task);
	if (!task->owner)
		return;
	INVARIANT(task->owner->references > 0);
	if (--task->owner->references == 0) {
		INVARIANT(task->owner->ready == 0 && task->owner->waiting_count == 0);
		LIST_REMOVE(task->owner, entry);
		free(task->owner);
	}
	task->owner = NULL;
}

size_t tasks_count(const struct tasks *tasks, const char *owner)
{
	char id[TASK_OWNER_LEN];
	const struct task_owner *found;

	owner_id(owner, id);
	found = find_owner(tasks, id);
	return found ? found->ready + found->waiting_count : 0;
}
