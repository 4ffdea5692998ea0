/* SPDX-License-Identifier: ISC */
/*
 * job_work.c: what a job needs while its file is made, here or by a worker.
 */
#include <stdlib.h>

#include "report/away.h"
#include "report/report_private.h"

_Static_assert((int)QUERY_CSV == (int)REPORT_CSV && (int)QUERY_NDJSON == (int)REPORT_NDJSON &&
                       (int)QUERY_PARQUET == (int)REPORT_PARQUET,
               "the same order");
_Static_assert((int)QUERY_ZIP == (int)REPORT_ZIP && (int)QUERY_GZIP == (int)REPORT_GZIP &&
                       (int)QUERY_ZSTD == (int)REPORT_ZSTD,
               "the same order");

void report_work_free(struct report_work *work)
{
	if (!work)
		return;
	maker_free(work->maker);
	report_away_free(work->away);
	report_free(&work->report);
	buf_free(&work->accounts);
	buf_free(&work->inner_name);
	zone_free(&work->zone);
	free(work);
}

int report_work_plan(struct report_work *work, struct error *err)
{
	if (report_make_plan(&work->report, &work->plan))
		return 0;
	return error_set(err, ERROR_INVALID, "This version of the server does not take the report's parameters");
}

/* A record's other times lie within days of its time field. */
static int load_zone(struct report_work *work, struct error *err)
{
	const struct report *report = &work->report;

	if (!work->plan.time_zone.p)
		return 0;
	return zone_load(&work->zone, work->plan.time_zone, report->from_us, report->to_us, err);
}

static void make_spec(struct report_work *work)
{
	const struct report *report = &work->report;
	const struct query_plan *plan = &work->plan;
	struct record_view view = query_plan_view(plan);

	report_inner_name(report, &work->inner_name);
	work->spec = (struct report_spec){
		.query = {
			.product = plan->product,
			.direction = view.direction,
			.accounts = (const struct account_key *)(const void *)work->accounts.data,
			.accounts_count = work->accounts.len / sizeof(struct account_key),
			.from_us = report->from_us,
			.to_us = report->to_us,
			.snapshot = report->snapshot,
			.filters = plan->filters,
			.filters_count = plan->filters_count,
		},
		.view = view,
		.format = (enum report_format)plan->format,
		.dialect = (enum report_dialect)plan->dialect,
		.zone = plan->time_zone.p ? &work->zone : NULL,
		.compression = (enum report_compression)plan->compression,
		.columns = plan->columns_count > 0 ? plan->columns : NULL,
		.columns_count = plan->columns_count,
		.inner_name = buf_str(&work->inner_name),
		.time_us = report->received_us,
		.max_rows = report->max_rows,
		.max_bytes = report->max_bytes,
	};
}

int report_work_specify(struct report_work *work, struct error *err)
{
	if (load_zone(work, err) < 0)
		return -1;
	make_spec(work);
	return work->inner_name.failed ? error_set(err, ERROR_NOMEM, "report %s: out of memory", work->report.id) : 0;
}

bool report_work_progress(const struct report_work *work, struct maker_progress *progress)
{
	if (work->maker)
		maker_progress(work->maker, progress);
	else if (work->away)
		*progress = *report_away_progress(work->away);
	return work->maker || work->away;
}

void report_take_progress(struct report *report, const struct report_work *work)
{
	struct maker_progress progress;

	if (!report_work_progress(work, &progress))
		return;
	report->rows = progress.rows;
	report->bytes = progress.bytes;
	report->share = progress.share;
}

void report_take_result(struct report *report, const struct maker_result *result)
{
	report->rows = result->rows;
	report->bytes = result->bytes;
	report->share = 1;
	report->first_us = result->first_us;
	report->last_us = result->last_us;
	memcpy(report->sha256, result->sha256, sizeof(report->sha256));
	report->unsummed = result->unsummed;
	report->sums_count = result->sums_count;
	memcpy(report->sums, result->sums, sizeof(report->sums));
}
