/* SPDX-License-Identifier: ISC */
/*
 * work.c: see work.h.
 */
#include "api/work.h"

#include <stdio.h>

#include "api/later.h"

#define WAITING_TIMES 10 /* sync_concurrent_max: those that may wait besides the ones under way */
#define RETRY_SECONDS "1"

static void on_step(void *arg, int64_t deadline_us)
{
	struct api_work *work = arg;
	struct error err = { 0 };
	enum api_work_state end = work->step(work->arg, deadline_us, &err);

	if (end == API_WORK_MORE && task_start(&work->task, &err) == 0)
		return;
	if (end == API_WORK_WAITS && task_suspend(&work->task, &err) == 0)
		return;
	if (end != API_WORK_ANSWERED)
		http_reply_error(work->request, &err);
	work->free(work->arg);
}

void api_work_init(struct api_work *work, struct http_request *request, const struct api *app,
                   enum api_work_state (*step)(void *arg, int64_t deadline_us, struct error *err),
                   void (*free)(void *arg), void *arg)
{
	*work = (struct api_work){ .request = request, .app = app, .step = step, .free = free, .arg = arg };
	task_init(&work->task, app->tasks, api_account(request)->id, TASK_PAGES, on_step, work);
}

bool api_work_admit(struct api_work *work)
{
	const char *account = api_account(work->request)->id;
	size_t max = (size_t)work->app->config->sync_concurrent_max;
	char detail[ACCOUNT_ID_MAX + 160];

	if (max == 0 || tasks_count(work->app->tasks, account) < max * (1 + WAITING_TIMES))
		return true;
	(void)snprintf(detail, sizeof(detail),
	               "Account %s has %zu requests under way (sync_concurrent_max) and %zu waiting, "
	               "which is all it may have.",
	               account, max, max * WAITING_TIMES);
	api_reply_too_many(work->request, RETRY_SECONDS, detail);
	return false;
}

void api_work_run(struct api_work *work)
{
	struct error err;

	if (task_try_now(&work->task) || task_start(&work->task, &err) == 0)
		return;
	http_reply_error(work->request, &err);
	work->free(work->arg);
}

void api_work_begin(struct api_work *work, enum task_priority priority)
{
	work->task.priority = priority;
	tasks_count_begun(work->app->tasks, priority);
	http_request_on_close(work->request, work->free, work->arg);
	api_work_run(work);
}

int api_work_wait(struct api_work *work, enum task_priority priority, struct error *err)
{
	work->task.priority = priority;
	if (task_reserve(&work->task, err) < 0)
		return -1;
	tasks_count_begun(work->app->tasks, priority);
	http_request_on_close(work->request, work->free, work->arg);
	return 0;
}

void api_work_resume(struct api_work *work)
{
	struct error err;

	MAY_FAIL(task_start(&work->task, &err)); /* its memory is reserved: this cannot fail */
}

void api_work_end(struct api_work *work)
{
	task_cancel(&work->task);
}
