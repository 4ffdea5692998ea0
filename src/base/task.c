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
#include "base/lag.h"
#include "base/log.h"

#define PASSED_OVER_MAX 3  /* turns in which a priority may get nothing */
#define STEP_LEAST_US 1000 /* of a turn that has taken its time already */
#define LATELY_US 10000    /* after a request that had its step at once, more are likely to come */

TAILQ_HEAD(task_queue, task);

struct lane {
	TAILQ_ENTRY(lane) entry; /* of the priority's ring, while it has tasks */
	struct task_queue queue;
};

struct task_owner {
	LIST_ENTRY(task_owner) entry;
	char id[TASK_OWNER_LEN];
	size_t references;               /* tasks that hold it */
	size_t under_way, waiting_count; /* requests alone; under way are those that are ready or suspended */
	struct task_queue waiting;       /* until one of the ready ends */
	struct lane lanes[TASK_PRIORITIES];
};

struct tasks {
	struct event_base *base;
	const struct config *config;
	struct event *timer;   /* of the next turn */
	struct event *turn;    /* active when all that is due in it has been served */
	struct task_owner own; /* the daemon itself */
	LIST_HEAD(, task_owner) owners;
	TAILQ_HEAD(, lane) rings[TASK_PRIORITIES];
	uint64_t begun[TASK_PRIORITIES];
	size_t ready_count;
	int passed_over[TASK_PRIORITIES]; /* turns in a row */
	bool gave_way;                    /* to sockets, in the last turn */
	int64_t tried_us;                 /* when a request had its last step at once */
	void (*before_long_work)(void *arg);
	void *before_long_work_arg;
};

/* --- the turn's time --- */

/* TASK_PRIORITIES if there is nothing to do. */
static int highest_priority(const struct tasks *tasks)
{
	int i = 0;

	while (i < TASK_PRIORITIES && TAILQ_EMPTY(&tasks->rings[i]))
		i++;
	return i;
}

/* Short turns for requests that wait beside others; a task that is alone would only lose by them, and so would ingest
 * beside background work. */
static bool turns_are_short(const struct tasks *tasks)
{
	return tasks->ready_count > 1 && tasks_have_requests(tasks);
}

static int64_t whole_turn_us(const struct tasks *tasks)
{
	return turns_are_short(tasks) ? TASK_SHARED_TURN_US : TASK_TURN_US;
}

static int64_t step_us(const struct tasks *tasks)
{
	return turns_are_short(tasks) ? TASK_SHARED_STEP_US : TASK_STEP_US;
}

/* Negative when the turn has overrun. */
static int64_t left_us(const struct tasks *tasks)
{
	int64_t turn_us = lag_turn_us(tasks->base);

	return turn_us < 0 ? 0 : whole_turn_us(tasks) - turn_us; /* the clock was set back: nobody knows */
}

static void run_step(struct task *task, int64_t slice_us, int64_t most_us)
{
	if (task->priority != TASK_IDS)
		tasks_tell_of_long_work(task->tasks);
	if (slice_us < STEP_LEAST_US)
		slice_us = STEP_LEAST_US;
	task->step(task->arg, clock_monotonic_us() + (slice_us < most_us ? slice_us : most_us));
}

/* Requests that have their steps at once (task_try_now) are never seen to wait, but they do wait for the step that is under
 * way when they come. */
static bool is_beside_requests(const struct task *task)
{
	return task->priority == TASK_MAINTENANCE && !task->urgent &&
	       clock_monotonic_us() - task->tasks->tried_us < LATELY_US;
}

/* A step of maintenance beside such requests: as long as the turn has been, so that each of both gets a half. */
static void run_step_beside_requests(struct task *task)
{
	int64_t turn_us = lag_turn_us(task->tasks->base), most_us = step_us(task->tasks);

	run_step(task, most_us, turn_us < TASK_BESIDE_US ? TASK_BESIDE_US : turn_us < most_us ? turn_us : most_us);
}

/* --- whose step is next --- */

static struct task *first_task(const struct tasks *tasks, int priority)
{
	const struct lane *lane = TAILQ_FIRST(&tasks->rings[priority]);

	return lane ? TAILQ_FIRST(&lane->queue) : NULL;
}

/* The priority passed over for longest beyond its limit; TASK_PRIORITIES if none is. */
static int starving_priority(const struct tasks *tasks)
{
	int starving = TASK_PRIORITIES, most = 0;

	for (int i = 0; i < TASK_PRIORITIES; i++) {
		const struct task *task = first_task(tasks, i);
		int beyond = tasks->passed_over[i] - (task && task->urgent ? 0 : PASSED_OVER_MAX);

		if (!task || beyond <= most)
			continue;
		starving = i;
		most = beyond;
	}
	return starving;
}

/* Its turn is over then. */
static struct task *next_task(struct tasks *tasks, int priority)
{
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

	/* A timer of zero, not event_active: an active event runs before the loop looks at sockets again. One of more would
	 * have the loop sleep: libevent counts both it and the sleep from the begin of this turn. */
	if (evtimer_pending(tasks->timer, NULL) || evtimer_add(tasks->timer, &now) == 0)
		return;
	log_error("main", "cannot add a timer: tasks run before sockets are served");
	event_active(tasks->turn, EV_TIMEOUT, 0);
}

/* The timer has overtaken those that have become due since it was added, commits for instance. They go first. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct tasks *tasks = arg;

	(void)fd;
	(void)what;
	event_active(tasks->turn, EV_TIMEOUT, 0);
}

/* Has the turn been long already, with a commit for instance? Then another one begins, in which sockets are served, but
 * not twice in a row: under load all turns are long. */
static bool gives_way(struct tasks *tasks)
{
	tasks->gave_way = left_us(tasks) < 0 && !tasks->gave_way;
	return tasks->gave_way;
}

/* However much the turn has taken already, who starves gets a step and, if that is another one, the highest priority. */
static void run_steps(struct tasks *tasks)
{
	int starving = starving_priority(tasks);
	struct task *task = next_task(tasks, starving);
	bool had_all = task && is_beside_requests(task);
	int highest;

	if (had_all)
		run_step_beside_requests(task);
	else if (task)
		run_step(task, task->urgent ? step_us(tasks) : left_us(tasks), step_us(tasks));
	while ((highest = highest_priority(tasks)) != starving || (left_us(tasks) > 0 && !had_all)) {
		task = next_task(tasks, highest);
		if (!task)
			break;
		if (is_beside_requests(task)) {
			run_step_beside_requests(task);
			break;
		}
		run_step(task, left_us(tasks), tasks->ready_count > 1 ? step_us(tasks) : TASK_TURN_US);
		if (left_us(tasks) <= 0)
			break;
	}
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct tasks *tasks = arg;

	(void)fd;
	(void)what;
	if (!gives_way(tasks)) {
		for (int i = 0; i < TASK_PRIORITIES; i++)
			tasks->passed_over[i] = TAILQ_EMPTY(&tasks->rings[i]) ? 0 : tasks->passed_over[i] + 1;
		run_steps(tasks);
	}
	if (highest_priority(tasks) != TASK_PRIORITIES)
		run_next_turn(tasks);
}

bool tasks_turn_is_over(const struct tasks *tasks)
{
	return left_us(tasks) <= (tasks->ready_count > 0 ? whole_turn_us(tasks) / 2 : 0);
}

bool tasks_have_requests(const struct tasks *tasks)
{
	return highest_priority(tasks) < TASK_ADMIN;
}

void tasks_before_long_work(struct tasks *tasks, void (*fn)(void *arg), void *arg)
{
	tasks->before_long_work = fn;
	tasks->before_long_work_arg = arg;
}

void tasks_tell_of_long_work(const struct tasks *tasks)
{
	if (tasks->before_long_work)
		tasks->before_long_work(tasks->before_long_work_arg);
}

struct event_base *tasks_base(const struct tasks *tasks)
{
	return tasks->base;
}

static void init_owner(struct task_owner *owner, const char id[TASK_OWNER_LEN])
{
	memcpy(owner->id, id, TASK_OWNER_LEN);
	TAILQ_INIT(&owner->waiting);
	for (int i = 0; i < TASK_PRIORITIES; i++)
		TAILQ_INIT(&owner->lanes[i].queue);
}

static void free_events(struct tasks *tasks)
{
	if (tasks->timer)
		event_free(tasks->timer);
	if (tasks->turn)
		event_free(tasks->turn);
}

struct tasks *tasks_new(struct event_base *base, const struct config *config)
{
	struct tasks *tasks = calloc(1, sizeof(*tasks));

	if (!tasks)
		return NULL;
	tasks->base = base;
	tasks->config = config;
	init_owner(&tasks->own, (const char[TASK_OWNER_LEN]){ 0 });
	LIST_INIT(&tasks->owners);
	for (int i = 0; i < TASK_PRIORITIES; i++)
		TAILQ_INIT(&tasks->rings[i]);
	tasks->timer = evtimer_new(base, on_timer, tasks);
	tasks->turn = evtimer_new(base, on_turn, tasks);
	if (tasks->timer && tasks->turn)
		return tasks;
	free_events(tasks);
	free(tasks);
	return NULL;
}

void tasks_free(struct tasks *tasks)
{
	if (!tasks)
		return;
	INVARIANT(LIST_EMPTY(&tasks->owners) && tasks->own.references == 0);
	free_events(tasks);
	free(tasks);
}

/* --- owners --- */

static struct task_owner *find_owner(struct tasks *tasks, const char id[TASK_OWNER_LEN])
{
	struct task_owner *owner;

	if (id[0] == '\0')
		return &tasks->own;
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
	init_owner(owner, id);
	LIST_INSERT_HEAD(&tasks->owners, owner, entry);
	return owner;
}

static bool is_request(const struct task *task)
{
	return task->priority >= TASK_IDS && task->priority <= TASK_SUMMARIES;
}

static bool may_have_more(const struct tasks *tasks, const struct task_owner *owner)
{
	size_t max = (size_t)tasks->config->sync_concurrent_max;

	return owner->id[0] == '\0' || max == 0 || owner->under_way < max;
}

static void enter_lane(struct task *task)
{
	struct lane *lane = &task->owner->lanes[task->priority];

	task->tasks->ready_count++;
	if (TAILQ_EMPTY(&lane->queue))
		TAILQ_INSERT_TAIL(&task->tasks->rings[task->priority], lane, entry);
	TAILQ_INSERT_TAIL(&lane->queue, task, entry);
	task->state = TASK_READY;
	run_next_turn(task->tasks);
}

static void leave_lane(struct task *task)
{
	struct lane *lane = &task->owner->lanes[task->priority];

	INVARIANT(task->state == TASK_READY);
	TAILQ_REMOVE(&lane->queue, task, entry);
	if (TAILQ_EMPTY(&lane->queue))
		TAILQ_REMOVE(&task->tasks->rings[task->priority], lane, entry);
	task->tasks->ready_count--;
}

static void make_ready(struct task *task)
{
	INVARIANT(task->state == TASK_IDLE && task->owner);
	task->owner->under_way += is_request(task);
	enter_lane(task);
}

static void stop_waiting(struct task *task)
{
	INVARIANT(task->state == TASK_WAITING && task->owner->waiting_count > 0);
	TAILQ_REMOVE(&task->owner->waiting, task, entry);
	task->owner->waiting_count--;
	task->state = TASK_IDLE;
}

/* Of one that was ready or suspended: another one of the owner may begin. */
static void end_under_way(struct task *task)
{
	struct task_owner *owner = task->owner;
	struct task *next;

	INVARIANT(owner->under_way > 0 || !is_request(task));
	task->state = TASK_IDLE;
	owner->under_way -= is_request(task);
	while (may_have_more(task->tasks, owner) && (next = TAILQ_FIRST(&owner->waiting))) {
		stop_waiting(next);
		make_ready(next);
	}
}

/* --- a task --- */

static void on_pause_end(evutil_socket_t fd, short what, void *arg)
{
	struct task *task = arg;
	struct error err;

	(void)fd;
	(void)what;
	MAY_FAIL(task_start(task, &err)); /* its memory is reserved: this cannot fail */
}

void task_init(struct task *task, struct tasks *tasks, const char *owner, enum task_priority priority,
               void (*step)(void *arg, int64_t deadline_us), void *arg)
{
	*task = (struct task){ .tasks = tasks, .priority = priority, .state = TASK_IDLE, .step = step, .arg = arg };
	owner_id(owner, task->owner_id);
	evtimer_assign(&task->pause, tasks->base, on_pause_end, task);
}

/* An id is found in less than a step: it may begin in a turn that is over, but not without end. */
static bool turn_has_time(const struct task *task)
{
	return left_us(task->tasks) > (task->priority <= TASK_IDS ? -whole_turn_us(task->tasks) : 0);
}

bool task_try_now(struct task *task)
{
	const struct task_owner *owner = find_owner(task->tasks, task->owner_id);

	if (!turn_has_time(task) || (owner && is_request(task) && owner->under_way > (task->state == TASK_SUSPENDED)))
		return false;
	if (is_request(task))
		task->tasks->tried_us = clock_monotonic_us();
	run_step(task, left_us(task->tasks), step_us(task->tasks));
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

static void stop(struct task *task)
{
	if (task->state == TASK_READY)
		leave_lane(task);
	if (task->state == TASK_READY || task->state == TASK_SUSPENDED)
		end_under_way(task);
	else if (task->state == TASK_WAITING)
		stop_waiting(task);
	else if (task->state == TASK_PAUSED)
		event_del(&task->pause);
	task->state = TASK_IDLE;
}

int task_start(struct task *task, struct error *err)
{
	if (task->state == TASK_PAUSED)
		stop(task);
	if (task->state == TASK_SUSPENDED)
		enter_lane(task);
	if (task->state != TASK_IDLE)
		return 0;
	if (task_reserve(task, err) < 0)
		return -1;
	if (!is_request(task) || may_have_more(task->tasks, task->owner)) {
		make_ready(task);
		return 0;
	}
	TAILQ_INSERT_TAIL(&task->owner->waiting, task, entry);
	task->owner->waiting_count++;
	task->state = TASK_WAITING;
	return 0;
}

int task_start_in(struct task *task, int64_t pause_us, struct error *err)
{
	struct timeval pause = clock_timeval(pause_us);

	if (pause_us <= 0)
		return task_start(task, err);
	if (task_reserve(task, err) < 0)
		return -1;
	stop(task);
	if (evtimer_add(&task->pause, &pause) < 0)
		return error_set(err, ERROR_NOMEM, "Out of memory for a task's timer");
	task->state = TASK_PAUSED;
	return 0;
}

int task_suspend(struct task *task, struct error *err)
{
	if (task->state == TASK_SUSPENDED)
		return 0;
	if (task_reserve(task, err) < 0)
		return -1;
	if (task->state == TASK_READY) {
		leave_lane(task);
	} else {
		stop(task);
		task->owner->under_way += is_request(task);
	}
	task->state = TASK_SUSPENDED;
	return 0;
}

bool task_is_started(const struct task *task)
{
	return task->state != TASK_IDLE;
}

void task_set_urgent(struct task *task, bool urgent)
{
	task->urgent = urgent;
}

void task_cancel(struct task *task)
{
	stop(task);
	if (!task->owner)
		return;
	INVARIANT(task->owner->references > 0);
	if (--task->owner->references == 0 && task->owner != &task->tasks->own) {
		INVARIANT(task->owner->under_way == 0 && task->owner->waiting_count == 0);
		LIST_REMOVE(task->owner, entry);
		free(task->owner);
	}
	task->owner = NULL;
}

size_t tasks_count(struct tasks *tasks, const char *owner)
{
	char id[TASK_OWNER_LEN];
	const struct task_owner *found;

	owner_id(owner, id);
	found = find_owner(tasks, id);
	return found ? found->under_way + found->waiting_count : 0;
}

void tasks_count_begun(struct tasks *tasks, enum task_priority priority)
{
	tasks->begun[priority]++;
}

uint64_t tasks_begun(const struct tasks *tasks, enum task_priority priority)
{
	return tasks->begun[priority];
}
