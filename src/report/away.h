/* SPDX-License-Identifier: ISC */
/*
 * away.h: a job whose file another front end makes, seen from the one that holds the catalog; private to report/.
 */
#ifndef CDRD_REPORT_AWAY_H
#define CDRD_REPORT_AWAY_H

#include "report/report_private.h"

struct known_worker;

/* Orders the file of a job that is about to run; on success work->away is set. From then on, the job is told of its end from the
 * loop: report_job_succeed; report_job_put_back, not to go to this worker again, where that is lost or cannot make it; or
 * report_job_fail, where this front end cannot take the file. ERROR_FULL, ERROR_IO, ERROR_NOMEM. */
MUST_CHECK int report_away_begin(struct reports *reports, struct report_job *job, struct report_work *work,
                                 struct known_worker *worker, struct error *err);

/* Once a second: where the worker is not heard of, or does not get on, the job is put back, and this is freed. */
void report_away_look_after(struct report_away *away, int64_t elapsed_us);

/* As of about a second ago. */
const struct maker_progress *report_away_progress(const struct report_away *away);

/* The worker hears of it, and gives it up, if it has not ended. Does nothing on NULL. */
void report_away_free(struct report_away *away);

#endif
