/* SPDX-License-Identifier: ISC */
/*
 * workers.h: other front ends that make files of reports, as the one that holds the catalog knows them; private to report/.
 */
#ifndef CDRD_REPORT_WORKERS_H
#define CDRD_REPORT_WORKERS_H

#include "base/host_address.h"
#include "report/report_private.h"

#define WORKERS_MAX 64 /* as many as bits of report_job.lost_by */

struct known_worker {
	TAILQ_ENTRY(known_worker) link;
	char url[HOST_NAME_MAX_LEN + 16];
	char connect_to[HOST_CONNECT_TO_SIZE]; /* "": it is not known where its name leads */
	uint64_t room;                         /* files that it makes at once */
	uint64_t running;
	int64_t seen_us;        /* monotonic: when it was last told of */
	int64_t aside_until_us; /* likewise: it has lost a job, and gets none before */
	int64_t resolved_at_us; /* likewise: when that was last begun */
	struct lookup *lookup;  /* under way; or NULL */
	char problem[64];       /* why its name leads nowhere; "" */
	unsigned number;        /* below WORKERS_MAX, and of no other one that is known */
	bool is_told;           /* that it makes files: the log has it */
};

static inline uint64_t report_worker_bit(const struct known_worker *worker)
{
	return UINT64_C(1) << worker->number;
}

/* Has this front end room for one more, or has a worker that has not lost the job? */
bool report_workers_have_room_here(const struct reports *reports);
bool report_workers_have_room(const struct reports *reports, uint64_t lost_by);

/* Who makes the next file: of those with room that have not lost it the one that makes the fewest, this front end first; NULL: this
 * one. */
struct known_worker *report_workers_choose(struct reports *reports, uint64_t lost_by);

/* It could not make a file. */
void report_worker_set_aside(struct known_worker *worker);

/* All jobs are freed before. */
void report_workers_free(struct reports *reports);

#endif
