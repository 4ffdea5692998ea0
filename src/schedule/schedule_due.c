/* SPDX-License-Identifier: ISC */
/*
 * schedule_due.c: runs what is due.
 *
 * The task looks at the first entry of the index, whose time says how long it may wait; but never longer than
 * LOOK_EVERY_US, as the clock may be set. When nothing is due, a few schedules are checked, all of them in turn, whether
 * they are due when their fields say, and tried again soon: a clock that was set back, or a time zone that has other rules
 * now, has moved it.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "meta/change.h"
#include "schedule/schedule_private.h"
#include "schedule/schedule_table.h"

#define LOOK_EVERY_US (10 * CLOCK_US_PER_SECOND)
#define AGAIN_US (300 * CLOCK_US_PER_SECOND) /* after a run that could not be made */
#define AFTER_ERROR_US (60 * CLOCK_US_PER_SECOND)
#define CHECKED_AT_ONCE 20

int schedule_set_next(struct schedule *schedule, int64_t now_us, struct error *err)
{
	struct cron cron;
	struct str zone;

	schedule->due_us = 0;
	schedule->at_us = 0;
	buf_clear(&schedule->waits_for);
	if (schedule->paused)
		return 0;
	if (schedule_read_cron(&schedule->params, &cron, &zone, err) != 0 ||
	    cron_next(&cron, zone, now_us, &schedule->due_us, err) != 0)
		return -1;
	schedule->at_us = schedule->due_us;
	return 0;
}

int schedule_find_account(struct schedules *schedules, const struct schedule *schedule, struct account *account,
                          struct error *err)
{
	if (accounts_get(schedules->context.meta, str_from(schedule->account), account, err) != 0)
		return -1;
	if (account->deleted_us)
		return error_set(err, ERROR_FORBIDDEN, "account %s is deleted", account->id);
	return account->disabled ? error_set(err, ERROR_FORBIDDEN, "account %s is disabled", account->id) : 0;
}

/* --- a run --- */

static void add_run(struct schedule *schedule, const struct schedule_run *run)
{
	if (schedule->runs_count < SCHEDULE_RUNS_MAX)
		schedule->runs_count++;
	memmove(&schedule->runs[1], &schedule->runs[0], (schedule->runs_count - 1) * sizeof(schedule->runs[0]));
	schedule->runs[0] = *run;
}

struct making {
	struct schedule *schedule;
	int64_t was_at_us;
};

static int put_with_report(void *arg, struct change *change, const struct report *report, struct error *err)
{
	const struct making *making = arg;

	memcpy(making->schedule->runs[0].report, report->id, sizeof(report->id));
	return schedule_table_put(change, making->schedule, making->was_at_us, err);
}

/* The plan is right; is it also allowed? */
static int check_rights(struct schedules *schedules, const struct account *account, struct query_plan *plan,
                        struct error *err)
{
	int may = accounts_reads(schedules->context.meta, account, str_from(plan->account), &plan->account_key, err);

	if (may != 0)
		return may < 0 ? -1 : 0;
	return error_set(err, ERROR_FORBIDDEN, "account %s may not read account %s", account->id, plan->account);
}

static int create(struct schedules *schedules, struct making *making, const struct account *account,
                  const struct schedule_asked *asked, struct error *err)
{
	const struct schedule *schedule = making->schedule;
	struct report_request request = {
		.creator = account,
		.plan = &asked->plan,
		.params = &asked->params,
		.base_url = buf_str(&schedule->base_url),
		.key = STR_LITERAL(""),
		.received_us = schedule->runs[0].made_us,
		.pending_max = limits_queued_max(schedules->context.limits, account),
		.with = put_with_report,
		.with_arg = making,
	};
	struct report report;

	if (billing_is_free(asked->plan.product))
		billing_settle(schedules->context.billing);
	if (reports_create(schedules->context.reports, &request, &report, err) != 0)
		return -1;
	log_info("schedule", "%s of account %s: report %s", schedule->id, schedule->account, report.id);
	report_free(&report);
	schedules->stats.runs++;
	schedules->stats.late += schedule->runs[0].missed_us != 0;
	return 0;
}

int schedule_make_report(struct schedules *schedules, struct schedule *schedule, const struct account *account,
                         const struct schedule_run *run, int64_t was_at_us, struct error *err)
{
	struct making making = { schedule, was_at_us };
	struct schedule_asked *asked = schedule_asked_new();
	struct query_problems problems;
	int result = asked ? 0 : error_set(err, ERROR_NOMEM, "Out of memory for a schedule");

	if (result == 0)
		result = schedule_ask(schedules->context.reports, schedule->account, &schedule->params, run->due_us,
		                      asked, &problems, err);
	if (result == 0 && problems.failure.code != ERROR_NONE) {
		*err = problems.failure;
		result = -1;
	}
	/* NOLINTNEXTLINE(uninitvar): schedule_ask has filled it in. */
	if (result == 0 && problems.count > 0)
		result = error_set(err, ERROR_INVALID, "%s: %s", problems.list[0].name, problems.list[0].reason);
	if (result == 0)
		result = check_rights(schedules, account, &asked->plan, err);
	if (result == 0) {
		add_run(schedule, run);
		result = create(schedules, &making, account, asked, err);
	}
	schedule_asked_free(asked);
	return result;
}

/* --- one that is due --- */

/* Will it be otherwise in a few minutes? */
static bool may_pass(enum error_code code)
{
	return code == ERROR_LIMIT || code == ERROR_FULL || code == ERROR_IO || code == ERROR_NOMEM ||
	       code == ERROR_UNAVAILABLE;
}

static int put(struct schedules *schedules, const struct schedule *schedule, int64_t was_at_us, struct error *err)
{
	struct change change;

	if (change_begin(&change, schedules->context.meta, err) != 0)
		return -1;
	return change_end(&change, schedule_table_put(&change, schedule, was_at_us, err), err);
}

/* It stays due, and is tried again. */
static int put_off(struct schedules *schedules, struct schedule *schedule, int64_t now_us, const char *why,
                   struct error *err)
{
	int64_t was_at_us = schedule->at_us;

	schedules->stats.put_off++;
	schedule->at_us = now_us + AGAIN_US;
	buf_clear(&schedule->waits_for);
	buf_add_text(&schedule->waits_for, why);
	log_warn("schedule", "%s of account %s: is tried again in %d minutes: %s", schedule->id, schedule->account,
	         (int)(AGAIN_US / CLOCK_US_PER_SECOND / 60), why);
	return put(schedules, schedule, was_at_us, err);
}

static int note_failure(struct schedules *schedules, struct schedule *schedule, const struct schedule_run *run,
                        const char *why, struct error *err)
{
	struct schedule_run failed = *run;
	struct error next_err;
	int64_t was_at_us = schedule->at_us;

	(void)snprintf(failed.error, sizeof(failed.error), "%.*s", SCHEDULE_ERROR_MAX, why);
	add_run(schedule, &failed);
	schedules->stats.failed++;
	log_warn("schedule", "%s of account %s: %s", schedule->id, schedule->account, why);
	/* A time zone that is no longer there may come back. */
	if (schedule_set_next(schedule, run->made_us, &next_err) != 0)
		schedule->due_us = schedule->at_us = run->made_us + CLOCK_US_PER_DAY;
	return put(schedules, schedule, was_at_us, err);
}

/* The run to make now: the latest that is due. */
static int find_run(const struct schedule *schedule, int64_t now_us, struct schedule_run *run, struct error *err)
{
	struct cron cron;
	struct str zone;

	*run = (struct schedule_run){ .due_us = schedule->due_us, .made_us = now_us };
	if (schedule_read_cron(&schedule->params, &cron, &zone, err) != 0 ||
	    cron_latest(&cron, zone, schedule->due_us, now_us, &run->due_us, err) != 0)
		return -1;
	run->missed_us = run->due_us == schedule->due_us ? 0 : schedule->due_us;
	return 0;
}

static int make_run(struct schedules *schedules, struct schedule *schedule, struct schedule_run *run, struct error *err)
{
	int64_t was_at_us = schedule->at_us;
	struct account account;

	if (find_run(schedule, run->made_us, run, err) != 0 ||
	    schedule_find_account(schedules, schedule, &account, err) != 0 ||
	    schedule_set_next(schedule, run->made_us, err) != 0)
		return -1;
	return schedule_make_report(schedules, schedule, &account, run, was_at_us, err);
}

/* -1 only where the catalog cannot be written. */
static int run_due(struct schedules *schedules, const char *id, int64_t at_us, int64_t now_us, struct error *err)
{
	struct schedule_run run = { .made_us = now_us };
	struct schedule schedule, before;
	struct error why;
	struct change change;
	int found = schedule_table_get(schedules->context.meta, str_from(id), &schedule, &why);

	if (found < 0 && why.code != ERROR_CORRUPT) {
		*err = why;
		return -1;
	}
	if (found <= 0) { /* one that cannot be read must not keep the others from running */
		log_error("schedule", "%s: cannot run: %s", id, found < 0 ? why.message : "it has no row");
		if (change_begin(&change, schedules->context.meta, err) != 0)
			return -1;
		return change_end(&change, schedule_table_remove_due(&change, str_from(id), at_us, err), err);
	}
	int result = make_run(schedules, &schedule, &run, &why);
	schedule_free(&schedule);
	if (result == 0)
		return 0;
	/* As it was, since the attempt has changed it. */
	if (schedule_table_get(schedules->context.meta, str_from(id), &before, err) <= 0)
		return -1;
	if (why.code == ERROR_NOT_FOUND)
		result = schedules_remove(schedules, str_from(id), err); /* its account is gone */
	else if (may_pass(why.code))
		result = put_off(schedules, &before, now_us, why.message, err);
	else
		result = note_failure(schedules, &before, &run, why.message, err);
	schedule_free(&before);
	return result;
}

/* --- those that are not due --- */

struct checking {
	struct schedules *schedules;
	int64_t now_us;
	int left;
	char wrong[ID_UUID_LEN + 1]; /* one to be due at another time; or "" */
};

/* Is it tried when it should be? */
static bool is_right(const struct schedule *schedule, int64_t now_us)
{
	struct cron cron;
	struct str zone;
	struct error err;
	int64_t next_us;

	if (schedule->due_us <= now_us)
		return schedule->at_us <= now_us + AGAIN_US;
	return schedule_read_cron(&schedule->params, &cron, &zone, &err) != 0 ||
	       cron_next(&cron, zone, now_us, &next_us, &err) != 0 || next_us == schedule->due_us;
}

static bool check_one(void *arg, const struct schedule *schedule)
{
	struct checking *checking = arg;

	memcpy(checking->schedules->checked, schedule->id, sizeof(schedule->id));
	if (!is_right(schedule, checking->now_us))
		memcpy(checking->wrong, schedule->id, sizeof(schedule->id));
	return --checking->left > 0 && !checking->wrong[0];
}

static int set_right(struct schedules *schedules, const char *id, int64_t now_us, struct error *err)
{
	struct schedule schedule;

	if (schedule_table_get(schedules->context.meta, str_from(id), &schedule, err) <= 0)
		return -1;
	int64_t was_at_us = schedule.at_us;
	int result = 0;
	if (schedule.due_us <= now_us)
		schedule.at_us = schedule.due_us; /* it was put off by a clock that was ahead */
	else
		result = schedule_set_next(&schedule, now_us, err);
	if (result == 0) {
		log_info("schedule", "%s of account %s: is due at another time now", schedule.id, schedule.account);
		result = put(schedules, &schedule, was_at_us, err);
	}
	schedule_free(&schedule);
	return result;
}

static int check_some(struct schedules *schedules, int64_t now_us, struct error *err)
{
	struct checking checking = { .schedules = schedules, .now_us = now_us, .left = CHECKED_AT_ONCE };

	if (schedule_table_each(schedules->context.meta, str_from(schedules->checked), check_one, &checking, err) != 0)
		return -1;
	if (checking.wrong[0])
		return set_right(schedules, checking.wrong, now_us, err);
	if (checking.left > 0)
		schedules->checked[0] = '\0';
	return 0;
}

/* --- the task --- */

/* Runs what is due, until the deadline; *pause_us: until the next look. */
static int step(struct schedules *schedules, int64_t deadline_us, int64_t *pause_us, struct error *err)
{
	char id[ID_UUID_LEN + 1];
	int64_t at_us;

	do {
		int64_t now_us = clock_now_us();
		int found = schedule_table_first_due(schedules->context.meta, id, &at_us, err);

		if (found < 0)
			return -1;
		if (found == 0 || at_us > now_us) {
			*pause_us = found > 0 && at_us - now_us < LOOK_EVERY_US ? at_us - now_us : LOOK_EVERY_US;
			return check_some(schedules, now_us, err);
		}
		if (run_due(schedules, id, at_us, now_us, err) != 0)
			return -1;
	} while (clock_monotonic_us() < deadline_us);
	return 0;
}

void schedule_step(void *arg, int64_t deadline_us)
{
	struct schedules *schedules = arg;
	int64_t pause_us = 0;
	struct error err;

	if (step(schedules, deadline_us, &pause_us, &err) != 0) {
		log_error("schedule", "%s", err.message);
		pause_us = AFTER_ERROR_US;
	}
	schedules_wake(schedules, pause_us);
}
