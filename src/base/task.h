/* SPDX-License-Identifier: ISC */
/*
 * task.h: one scheduler for work that is done in slices on the event loop.
 *
 * All tasks share what is left of a turn of the loop after sockets and commits have been served: of
 * TASK_SHARED_TURN_US when requests wait beside others, otherwise of TASK_TURN_US. A step gets at most
 * TASK_SHARED_STEP_US or TASK_STEP_US of it, if there are others, and is told its deadline. What is left waits for the
 * next turn, in which sockets are served first; code that reads much from one asks tasks_turn_is_over when to stop.
 * While requests are answered in the very turns in which they come, maintenance gets one step a turn, as long as the turn has
 * been so far, TASK_BESIDE_US at least: its steps are what these wait for.
 *
 * The task of the highest priority runs next; a lower priority with something to do gets a step every few turns at
 * least, an urgent task one in every turn. Within a priority the owners (accounts) take turns, and an owner's tasks
 * among themselves, so that an owner gets its share and no more, however many tasks it has. Of an owner's requests
 * (TASK_IDS to TASK_SUMMARIES), at most sync_concurrent_max (a setting) are under way at once; the others wait in the
 * order in which they were started.
 *
 *	task_init(&task, tasks, account, TASK_PAGES, step, arg);
 *	if (!task_try_now(&task))
 *		task_start(&task, &err);   step(arg, deadline_us) is called again and again until task_cancel
 */
#ifndef CDRD_BASE_TASK_H
#define CDRD_BASE_TASK_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/config.h"
#include "base/error.h"

#define TASK_TURN_US 4000
#define TASK_STEP_US 2000
#define TASK_SHARED_TURN_US 2000 /* when more than one task has something to do, and a request is among them */
#define TASK_SHARED_STEP_US 1000
#define TASK_BESIDE_US 300 /* the least of maintenance that is not urgent, while requests have their steps at once */
#define TASK_OWNER_LEN 64

/* Ingest and commits come between answers and ids, by events of their own. */
enum task_priority {
	TASK_ANSWERS, /* ready answers, being compressed */
	TASK_IDS,
	TASK_PAGES,
	TASK_CHANGES,
	TASK_SUMMARIES,
	TASK_ADMIN,
	TASK_REPORTS,
	TASK_MAINTENANCE, /* sealing, and removing expired data */
	TASK_PRIORITIES
};

struct tasks;
struct task_owner;

/* Belongs to the caller, who cancels it before its memory goes. */
struct task {
	TAILQ_ENTRY(task) entry; /* of its owner's queue */
	struct event pause;      /* its end, for task_start_in */
	struct tasks *tasks;
	struct task_owner *owner; /* NULL: nothing is reserved */
	char owner_id[TASK_OWNER_LEN];
	enum task_priority priority;
	bool urgent;
	enum { TASK_IDLE, TASK_PAUSED, TASK_WAITING, TASK_READY, TASK_SUSPENDED } state;
	void (*step)(void *arg, int64_t deadline_us);
	void *arg;
};

/* A scheduler; NULL when out of memory. `config` stays the caller's. */
struct tasks *tasks_new(struct event_base *base, const struct config *config);

/* All tasks must have been cancelled. Does nothing on NULL. */
void tasks_free(struct tasks *tasks);

/*
 * A task that is not started yet. `owner` is an account's id or, for the daemon's own work, which no cap holds, "".
 * step(arg, deadline_us) works until about deadline_us of clock_monotonic_us. It may start and cancel any task, and free
 * its own after having cancelled it.
 */
void task_init(struct task *task, struct tasks *tasks, const char *owner, enum task_priority priority,
               void (*step)(void *arg, int64_t deadline_us), void *arg);

/* Runs one step from within the caller, so that short work need not wait for a turn of the loop; if there is more to do,
 * the step starts the task. False, without having done anything, when the turn's time is spent, or when the owner has
 * other tasks started or suspended: they come first. */
bool task_try_now(struct task *task);

/* Reserves the memory that starting needs. ERROR_NOMEM, but not for the daemon's own work. */
MUST_CHECK int task_reserve(struct task *task, struct error *err);

/* Calls its step from the next turn of the loop on. Does nothing when it is started, unless task_start_in has: the
 * pause ends now. ERROR_NOMEM, but not after task_reserve. */
MUST_CHECK int task_start(struct task *task, struct error *err);

/* The same after a pause of `pause_us`; of a task that is started, the next step waits that long. */
MUST_CHECK int task_start_in(struct task *task, int64_t pause_us, struct error *err);

/* Its step is not called before task_start or task_try_now, as it waits for an answer of another program; it stays one of its
 * owner's that are under way. ERROR_NOMEM, but not after task_reserve or task_start. */
MUST_CHECK int task_suspend(struct task *task, struct error *err);

/* Has it been started, if after a pause that is not over yet, and not been cancelled since? */
bool task_is_started(const struct task *task);

/* An urgent one gets a step in every turn, because it must keep up with what other work leaves to it. */
void task_set_urgent(struct task *task, bool urgent);

/* Its step is not called any more; its reservation is released. Does nothing when it is not started. */
void task_cancel(struct task *task);

/* How many requests the owner has started, including those that wait for its other ones. */
size_t tasks_count(struct tasks *tasks, const char *owner);

/* Counts a piece of work of a priority as begun, and gives the number of those since the start. */
void tasks_count_begun(struct tasks *tasks, enum task_priority priority);
uint64_t tasks_begun(const struct tasks *tasks, enum task_priority priority);

/* Has this turn of the loop taken its time, or, if tasks are to have some of it, half of that? For what is no task. */
bool tasks_turn_is_over(const struct tasks *tasks);

/* Has a request something to do (TASK_ANSWERS to TASK_SUMMARIES), or background work alone? */
bool tasks_have_requests(const struct tasks *tasks);

/* Has fn(arg), unless NULL, called before what may take long: each step of a task other than of TASK_IDS, and what tells by
 * tasks_tell_of_long_work. So what is kept for the end of a turn does not wait for it. */
void tasks_before_long_work(struct tasks *tasks, void (*fn)(void *arg), void *arg);
void tasks_tell_of_long_work(const struct tasks *tasks);

struct event_base *tasks_base(const struct tasks *tasks);

#endif
