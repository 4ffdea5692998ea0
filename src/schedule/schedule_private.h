/* SPDX-License-Identifier: ISC */
/*
 * schedule_private.h: what the files of schedule/ share; private to it.
 *
 *	cron.c             times: five fields
 *	period.c           relative ranges
 *	schedule_check.c   from parameters to a report's request
 *	schedule_row.c     a schedule as it is stored
 *	schedule_table.c   where it is stored, and what leads to it
 *	schedules.c        the module's life, and what is asked of it
 *	schedule_due.c     what is due
 *	schedule_write.c   one as JSON
 */
#ifndef CDRD_SCHEDULE_PRIVATE_H
#define CDRD_SCHEDULE_PRIVATE_H

#include "base/task.h"
#include "schedule/cron.h"
#include "schedule/period.h"
#include "schedule/schedule.h"

struct schedules {
	struct schedules_context context;
	struct task task;
	char checked[ID_UUID_LEN + 1]; /* the last one that was checked against the clock */
	struct schedules_stats stats;
};

/* --- schedule_check.c --- */

/* What a schedule's parameters say. Large: not for the stack. */
struct schedule_asked {
	struct cron cron;
	struct str zone;            /* borrows from the schedule's parameters, like all below */
	struct query_params params; /* of the report of one run */
	struct query_plan plan;     /* which borrows from them */
};

/* NULL when out of memory. Does nothing on NULL. */
struct schedule_asked *schedule_asked_new(void);
void schedule_asked_free(struct schedule_asked *asked);

/* Reads when it runs. ERROR_INVALID names the parameter. */
MUST_CHECK int schedule_read_cron(const struct query_params *params, struct cron *cron, struct str *zone,
                                  struct error *err);

/* The request of the run at `run_us`, with all that is wrong with it. 0, also with problems; -1 when out of memory. */
MUST_CHECK int schedule_ask(const struct reports *reports, const char *account, const struct query_params *params,
                            int64_t run_us, struct schedule_asked *asked, struct query_problems *problems,
                            struct error *err);

/* --- schedule_due.c --- */

void schedule_step(void *schedules, int64_t deadline_us);

/* Sets when it runs next, after `now_us`. */
MUST_CHECK int schedule_set_next(struct schedule *schedule, int64_t now_us, struct error *err);

/* Makes the report of the run, and writes the schedule, whose first run it becomes, in the same change.
 * `was_at_us`: as schedule_table_put. */
MUST_CHECK int schedule_make_report(struct schedules *schedules, struct schedule *schedule,
                                    const struct account *account, const struct schedule_run *run, int64_t was_at_us,
                                    struct error *err);

/* The account, if it may run anything. ERROR_FORBIDDEN if it is disabled or deleted, ERROR_NOT_FOUND if it is gone. */
MUST_CHECK int schedule_find_account(struct schedules *schedules, const struct schedule *schedule,
                                     struct account *account, struct error *err);

/* --- schedules.c --- */

/* Looks soon for what is due. */
void schedules_wake(struct schedules *schedules, int64_t pause_us);

#endif
