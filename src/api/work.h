/* SPDX-License-Identifier: ISC */
/*
 * work.h: a request that is processed in slices; private to api/.
 *
 * Its account owns the slices (base/task.h). The first slice runs within the handler if the loop has time for it, so
 * that short answers are given at once. The work ends when its client disconnects.
 */
#ifndef CDRD_API_WORK_H
#define CDRD_API_WORK_H

#include "base/task.h"
#include "api/routes.h"

/* The result of a step: more is to be done; it waits for something other than its slice, and api_work_run resumes it;
 * the request is answered; it failed, and *err is the answer. */
enum api_work_state { API_WORK_MORE, API_WORK_WAITS, API_WORK_ANSWERED, API_WORK_FAILED };

struct api_work {
	struct http_request *request;
	const struct api *app;
	struct task task;
	enum api_work_state (*step)(void *arg, int64_t deadline_us, struct error *err);
	void (*free)(void *arg); /* frees all that belongs to the work; calls api_work_end */
	void *arg;
};

/* Must be called before any other function here. */
void api_work_init(struct api_work *work, struct http_request *request, const struct api *app,
                   enum api_work_state (*step)(void *arg, int64_t deadline_us, struct error *err),
                   void (*free)(void *arg), void *arg);

/* False when the account has as many requests under way and waiting as it may: the request is then answered 429. */
bool api_work_admit(struct api_work *work);

/* Runs the first step, now or later; the request may be answered and the work gone when it returns. */
void api_work_begin(struct api_work *work, enum task_priority priority);

/* Frees the work when its client disconnects, and reserves the memory that api_work_resume needs. ERROR_NOMEM. */
MUST_CHECK int api_work_wait(struct api_work *work, enum task_priority priority, struct error *err);

/* After api_work_wait: schedules the next step, which does not run within this function. Cannot fail. */
void api_work_resume(struct api_work *work);

/* After a step that waits: runs the next one, now or later, as api_work_begin does. */
void api_work_run(struct api_work *work);

/* No further step is run. */
void api_work_end(struct api_work *work);

#endif
