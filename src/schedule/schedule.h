/* SPDX-License-Identifier: ISC */
/*
 * schedule.h: reports that are asked for again and again, at times of a time zone.
 *
 * A schedule is the body of a report's request, with these members beside it:
 *
 *	cron       when: five fields (cron.h), in the time zone `time_zone`, which is also that of the report's times
 *	range      of what: last_month (period.h), instead of date_start and date_end
 *	name       for people; optional
 *
 * At each time a report is made as if the account had asked for it then: with its rights, plan and charges, its
 * callback_url, and its limit of reports that wait. Each run is one transaction, of the report and the schedule, so that
 * a crash neither loses nor repeats one. Runs that were missed, because the daemon or its disk was not there, are made
 * up for once, by the latest of them; one that cannot be made for want of room is tried again every few minutes.
 *
 * Nothing is kept in memory: the index on disk has them in the order in which they are due (schedule_table.h).
 */
#ifndef CDRD_SCHEDULE_SCHEDULE_H
#define CDRD_SCHEDULE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/error.h"
#include "base/id.h"
#include "base/json.h"
#include "billing/billing.h"
#include "limits/limits.h"
#include "meta/accounts.h"
#include "query/query.h"
#include "report/report.h"

#define SCHEDULE_RUNS_MAX 10 /* last runs that are kept */
#define SCHEDULE_NEXT_SHOWN 5
#define SCHEDULE_NAME_MAX 100
#define SCHEDULE_ERROR_MAX 255

struct schedules;

/* All stay the caller's and must outlive it. */
struct schedules_context {
	struct tasks *tasks;
	const struct config *config;
	struct meta *meta;
	struct reports *reports;
	struct billing *billing;
	struct limits *limits;
};

/* NULL when out of memory. What is due runs from the loop's first turn on. */
struct schedules *schedules_new(const struct schedules_context *context);

/* Call it before reports_free. Does nothing on NULL. */
void schedules_free(struct schedules *schedules);

struct schedule_run {
	int64_t due_us;
	int64_t missed_us; /* the first of the missed runs that it makes up for; 0: there was none */
	int64_t made_us;
	char report[ID_UUID_LEN + 1]; /* "" when none was made */
	char error[SCHEDULE_ERROR_MAX + 1];
};

/* Owns its texts; freed with schedule_free. */
struct schedule {
	char id[ID_UUID_LEN + 1];
	char account[ACCOUNT_ID_MAX + 1]; /* that asks */
	int64_t created_us;
	bool paused;
	int64_t due_us; /* of the next run; 0 while paused */
	int64_t at_us;  /* when it is tried: then, or later if it could not be made; 0 while paused */
	struct buf base_url;
	struct buf waits_for; /* why the run that is due could not be made yet; or empty */
	struct query_params params;
	size_t runs_count;
	struct schedule_run runs[SCHEDULE_RUNS_MAX]; /* newest first */
};

void schedule_free(struct schedule *schedule);

struct schedule_request {
	const struct account *account;     /* that asks */
	const struct query_params *params; /* of the report, and the schedule's own */
	struct str base_url;               /* of links in callbacks */
};

/*
 * Checks everything as if the report was asked for now, and keeps the schedule durably: *schedule, which the caller
 * frees if this returns 0. ERROR_INVALID with the problems listed, ERROR_FORBIDDEN for an account that it may not read,
 * ERROR_LIMIT when the account has schedules_per_account_max of them.
 */
MUST_CHECK int schedules_create(struct schedules *schedules, const struct schedule_request *request,
                                struct query_problems *problems, struct schedule *schedule, struct error *err);

/* ERROR_NOT_FOUND if there is none; *schedule needs no schedule_free then. */
MUST_CHECK int schedules_get(struct schedules *schedules, struct str id, struct schedule *schedule, struct error *err);

/* Gives each of an account's (NULL: of all accounts') to fn, in the order of their ids, until it returns false. */
typedef bool (*schedules_fn)(void *arg, const struct schedule *schedule);
MUST_CHECK int schedules_each(struct schedules *schedules, const char *account, schedules_fn fn, void *arg,
                              struct error *err);

/* ERROR_NOT_FOUND if there is none. Reports that it has asked for stay. */
MUST_CHECK int schedules_remove(struct schedules *schedules, struct str id, struct error *err);

/* A paused one does not run; resumed, it continues with the next time from now on. ERROR_NOT_FOUND. */
MUST_CHECK int schedules_set_paused(struct schedules *schedules, struct str id, bool paused, struct error *err);

/* Runs it now, beside its times, also while paused; `report` is the id of the report. ERROR_NOT_FOUND, or why it cannot
 * be made. */
MUST_CHECK int schedules_run(struct schedules *schedules, struct str id, char report[ID_UUID_LEN + 1],
                             struct error *err);

/* Removes all of an account's. */
MUST_CHECK int schedules_forget_account(struct schedules *schedules, const char *account, struct error *err);

/*
 * Removes those that ask for records of these accounts (their ids, each with its NUL) and whose parameters have a
 * person's number (store/erase.h): without it, they would ask for other records. *count: how many.
 */
struct erase;
MUST_CHECK int schedules_erase(struct schedules *schedules, struct str accounts, struct erase *erase, uint64_t *count,
                               struct error *err);

/* One as a JSON object; links begin with `base_url`, p NULL: without links. `whole`: with what its next run will ask
 * for, its next and last runs and the states of their reports. Memory that runs out shows in json->out. */
void schedule_write(struct schedules *schedules, const struct schedule *schedule, struct str base_url, bool whole,
                    struct json *json);

struct schedules_stats {
	uint64_t runs;    /* that made a report, since the start, as below */
	uint64_t failed;  /* that made none */
	uint64_t late;    /* of the former: that made up for missed ones */
	uint64_t put_off; /* attempts at a run that is tried again */
};
void schedules_get_stats(const struct schedules *schedules, struct schedules_stats *stats);

#endif
