/* SPDX-License-Identifier: ISC */
/*
 * schedules.c: the module's life, and what is asked of it. See schedule.h.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "meta/change.h"
#include "schedule/schedule_private.h"
#include "schedule/schedule_table.h"

/* --- the module's life --- */

void schedules_wake(struct schedules *schedules, int64_t pause_us)
{
	struct error err;

	/* It is the daemon's own task: starting it cannot fail. */
	if (pause_us == 0)
		MAY_FAIL(task_start(&schedules->task, &err));
	else
		MAY_FAIL(task_start_in(&schedules->task, pause_us, &err));
}

struct schedules *schedules_new(const struct schedules_context *context)
{
	struct schedules *schedules = calloc(1, sizeof(*schedules));

	if (!schedules)
		return NULL;
	schedules->context = *context;
	task_init(&schedules->task, context->tasks, "", TASK_REPORTS, schedule_step, schedules);
	schedules_wake(schedules, 0);
	return schedules;
}

void schedules_free(struct schedules *schedules)
{
	if (!schedules)
		return;
	task_cancel(&schedules->task);
	free(schedules);
}

void schedules_get_stats(const struct schedules *schedules, struct schedules_stats *stats)
{
	*stats = schedules->stats;
}

/* --- a new one --- */

static int check_count(struct schedules *schedules, const char *account, struct error *err)
{
	int64_t most = schedules->context.config->schedules_per_account_max;
	struct buf ids = { 0 };
	int result = schedule_table_of_account(schedules->context.meta, account, &ids, err);

	if (result == 0 && ids.len / ID_UUID_LEN >= (size_t)most)
		result = error_set(err, ERROR_LIMIT,
		                   "Account %s has %zu schedules, which is all it may have (schedules_per_account_max)",
		                   account, ids.len / ID_UUID_LEN);
	buf_free(&ids);
	return result;
}

/* That what is asked for is right, and may be asked for by this account. */
static int check(struct schedules *schedules, const struct schedule_request *request, int64_t now_us,
                 struct query_problems *problems, struct error *err)
{
	struct schedule_asked *asked = schedule_asked_new();
	int result = asked ? 0 : error_set(err, ERROR_NOMEM, "Out of memory for a schedule");

	if (result == 0)
		result = schedule_ask(schedules->context.reports, request->account->id, request->params, now_us, asked,
		                      problems, err);
	if (result == 0 && problems->failure.code != ERROR_NONE) {
		*err = problems->failure;
		result = -1;
	}
	if (result == 0 && problems->count > 0)
		result = error_set(err, ERROR_INVALID, "%s: %s", problems->list[0].name, problems->list[0].reason);
	if (result == 0) {
		struct account_key key;
		int may = accounts_reads(schedules->context.meta, request->account, str_from(asked->plan.account), &key,
		                         err);

		if (may <= 0)
			result = may < 0 ? -1 :
			                   error_set(err, ERROR_FORBIDDEN,
			                             "User not authorized to query the requested data");
	}
	schedule_asked_free(asked);
	return result;
}

static int fill(struct schedule *schedule, const struct schedule_request *request, int64_t now_us, struct error *err)
{
	memset(schedule, 0, sizeof(*schedule));
	id_uuid(schedule->id);
	memcpy(schedule->account, request->account->id, sizeof(schedule->account));
	schedule->created_us = now_us;
	buf_add_str(&schedule->base_url, request->base_url);
	for (size_t i = 0; i < request->params->count; i++) {
		const struct query_param *param = &request->params->list[i];

		if (param->value.len > 0 && query_params_add(&schedule->params, param->name, param->value, err) < 0)
			return -1;
	}
	if (schedule->base_url.failed)
		return error_set(err, ERROR_NOMEM, "Out of memory for a schedule");
	return schedule_set_next(schedule, now_us, err);
}

int schedules_create(struct schedules *schedules, const struct schedule_request *request,
                     struct query_problems *problems, struct schedule *schedule, struct error *err)
{
	int64_t now_us = clock_now_us();
	struct change change;

	if (check(schedules, request, now_us, problems, err) != 0 ||
	    check_count(schedules, request->account->id, err) != 0)
		return -1;
	if (fill(schedule, request, now_us, err) != 0 || change_begin(&change, schedules->context.meta, err) != 0 ||
	    change_end(&change, schedule_table_add(&change, schedule, err), err) != 0) {
		schedule_free(schedule);
		return -1;
	}
	log_info("schedule", "%s of account %s: added", schedule->id, schedule->account);
	schedules_wake(schedules, 0);
	return 0;
}

/* --- those there are --- */

int schedules_get(struct schedules *schedules, struct str id, struct schedule *schedule, struct error *err)
{
	int found = schedule_table_get(schedules->context.meta, id, schedule, err);

	if (found == 0)
		return error_set(err, ERROR_NOT_FOUND, "schedule %.*s: there is none", (int)(id.len < 64 ? id.len : 64),
		                 id.p);
	return found < 0 ? -1 : 0;
}

int schedules_each(struct schedules *schedules, const char *account, schedules_fn fn, void *arg, struct error *err)
{
	struct meta *meta = schedules->context.meta;
	struct buf ids = { 0 };
	bool goes_on = true;

	if (!account)
		return schedule_table_each(meta, STR_LITERAL(""), fn, arg, err);
	int result = schedule_table_of_account(meta, account, &ids, err);
	for (size_t at = 0; at < ids.len && result == 0 && goes_on; at += ID_UUID_LEN) {
		struct schedule schedule;
		int found = schedule_table_get(meta, (struct str){ ids.data + at, ID_UUID_LEN }, &schedule, err);

		if (found < 0)
			result = -1;
		if (found <= 0)
			continue;
		goes_on = fn(arg, &schedule);
		schedule_free(&schedule);
	}
	buf_free(&ids);
	return result;
}

static int remove_one(struct meta *meta, const struct schedule *schedule, struct error *err)
{
	struct change change;

	if (change_begin(&change, meta, err) != 0)
		return -1;
	return change_end(&change, schedule_table_remove(&change, schedule, err), err);
}

int schedules_remove(struct schedules *schedules, struct str id, struct error *err)
{
	struct schedule schedule;

	if (schedules_get(schedules, id, &schedule, err) != 0)
		return -1;
	int result = remove_one(schedules->context.meta, &schedule, err);
	if (result == 0)
		log_info("schedule", "%s of account %s: removed", schedule.id, schedule.account);
	schedule_free(&schedule);
	return result;
}

int schedules_set_paused(struct schedules *schedules, struct str id, bool paused, struct error *err)
{
	struct schedule schedule;
	struct change change;
	int result = 0;

	if (schedules_get(schedules, id, &schedule, err) != 0)
		return -1;
	if (schedule.paused != paused) {
		int64_t was_at_us = schedule.at_us;

		schedule.paused = paused;
		result = schedule_set_next(&schedule, clock_now_us(), err);
		if (result == 0)
			result = change_begin(&change, schedules->context.meta, err);
		if (result == 0)
			result = change_end(&change, schedule_table_put(&change, &schedule, was_at_us, err), err);
	}
	schedule_free(&schedule);
	schedules_wake(schedules, 0);
	return result;
}

int schedules_run(struct schedules *schedules, struct str id, char report[ID_UUID_LEN + 1], struct error *err)
{
	int64_t now_us = clock_now_us();
	struct schedule_run run = { .due_us = now_us - now_us % CLOCK_US_PER_SECOND, .made_us = now_us };
	struct schedule schedule;
	struct account account;

	if (schedules_get(schedules, id, &schedule, err) != 0)
		return -1;
	int result = schedule_find_account(schedules, &schedule, &account, err);
	if (result == 0)
		result = schedule_make_report(schedules, &schedule, &account, &run, schedule.at_us, err);
	if (result == 0)
		memcpy(report, schedule.runs[0].report, sizeof(schedule.runs[0].report));
	schedule_free(&schedule);
	return result;
}

int schedules_forget_account(struct schedules *schedules, const char *account, struct error *err)
{
	struct meta *meta = schedules->context.meta;
	struct buf ids = { 0 };
	int result = schedule_table_of_account(meta, account, &ids, err);

	for (size_t at = 0; at < ids.len && result == 0; at += ID_UUID_LEN)
		result = schedules_remove(schedules, (struct str){ ids.data + at, ID_UUID_LEN }, err);
	buf_free(&ids);
	return result;
}
