/* SPDX-License-Identifier: ISC */
/*
 * work.h: a request that is worked on in slices; private to api/.
 *
 * Its account owns the slices (base/task.h). The first one is run from within the handler if the loop has time for it,
 * so that an answer which takes no longer is given at once. The work ends with its client.
 */
#ifndef CDRD_API_WORK_H
#define CDRD_API_WORK_H

#include "base/task.h"
#include "api/routes.h"

/* What a step came to: more is to be done; it waits for something other than its slice, and api_work_run goes on; the
 * request is answered; it failed, and *err is the answer. */
enum api_work_state { API_WORK_MORE, API_WORK_WAITS, API_WORK_ANSWERED, API_WORK_FAILED };

struct api_work {
	struct http_request *request;
	const struct api *app;
	struct task task;
	enum api_work_state (*step)(void *arg, int64_t deadline_us, struct error *err);
	void (*free)(void *arg); /* frees all that belongs to the work; calls api_work_end */
	void *arg;
};

/* Before anything else; the rest of the functions may be called after this one only. */
void api_work_init(struct api_work *work, struct http_request *request, const struct api *app,
                   enum api_work_state (*step)(void *arg, int64_t deadline_us, struct error *err),
                   void (*free)(void *arg), void *arg);

/* False when the account has as many requests under way and waiting as it may: the request is then answered 429. */
bool api_work_admit(struct api_work *work);

/* Runs the first step, now or later; the request may be answered and the work gone when it returns. */
void api_work_begin(struct api_work *work, enum task_priority priority);

/* Frees the work when its client goes, and takes the memory that api_work_resume needs. ERROR_NOMEM. */
MUST_CHECK int api_work_wait(struct api_work *work, enum task_priority priority, struct error *err);

/* After api_work_wait: has the next step run, not from within this function. Cannot fail. */
void api_work_resume(struct api_work *work);

/* After a step that waits: runs the next one, now or later, as api_work_begin does. */
void api_work_run(struct api_work *work);

/* No step is run any more. */
void api_work_end(struct api_work *work);

#endif
