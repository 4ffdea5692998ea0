/*
 * command_erase.c: `erase`, a person's number out of everything, in slices.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "admin/job.h"
#include "keep/erasure.h"

struct erasing {
	struct admin_job job;
	struct erasure *erasure;
	char account[ACCOUNT_ID_LEN + 1];
};

static void erasing_free(void *arg)
{
	struct erasing *job = arg;
	erasure_free(job->erasure);
	free(job);
}

static int erasing_step(void *arg, int64_t deadline_us, bool *done, struct error *err)
{
	struct erasing *job = arg;
	int result = erasure_step(job->erasure, deadline_us, done, err);
	if (result != 0)
		admin_reply_log(job->job.reply, "a number erased in part from account %s: %s", job->account, err->message);
	return result;
}

static void write_progress(void *arg, struct json *j)
{
	struct erasing *job = arg;
	struct erasure_counts counts;
	erasure_counts(job->erasure, &counts);
	json_member_uint(j, "done", counts.records.days_done);
	json_member_uint(j, "total", counts.records.days_total);
	json_member_uint(j, "pass", (uint64_t)counts.records.pass);
	json_member_uint(j, "records", counts.records.records);
}

static void write_counts(struct json *j, const struct erasure_counts *counts)
{
	const struct erase_counts *records = &counts->records;
	json_object_begin(j);
	json_key(j, "nothing_left");
	json_bool(j, records->left == 0);
	json_member_uint(j, "records", records->records);
	json_member_uint(j, "runs_written_anew", records->runs);
	json_member_uint(j, "days_written_anew", records->days_packed);
	json_member_uint(j, "passes", (uint64_t)records->pass);
	json_member_uint(j, "accounts", counts->accounts);
	json_member_uint(j, "report_files_removed", counts->report_files);
	json_member_uint(j, "reports_begun_again", counts->reports_again);
	json_member_uint(j, "reports_cancelled", counts->reports_cancelled);
	json_member_uint(j, "callbacks", counts->callbacks);
	json_member_uint(j, "quarantine_dropped", counts->quarantine);
	json_object_end(j);
}

static void write_result(void *arg, struct admin_reply *reply)
{
	struct erasing *job = arg;
	struct erasure_counts counts;
	erasure_counts(job->erasure, &counts);
	write_counts(admin_reply_result(reply), &counts);
	admin_reply_log(reply, "a number erased from account %s: %" PRIu64 " records, %" PRIu64 " report files%s",
	                job->account, counts.records.records, counts.report_files,
	                counts.records.left ? "; records with it keep arriving" : "");
}

static const struct admin_job_kind kind = { erasing_step, write_progress, write_result, erasing_free };

void admin_erase(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct erasing *job = calloc(1, sizeof(*job));
	struct erasure_context own = { context->store, context->ingest, context->reports, context->callbacks };
	struct error err;
	if (job)
		job->erasure = erasure_new(&own, args_get(args, "account"), args_count(args, "subaccounts") > 0,
		                           args_get(args, "number"), &err);
	else
		error_set(&err, ERROR_NOMEM, "erase: out of memory");
	if (!job || !job->erasure) {
		admin_reply_error(reply, &err);
		free(job);
		return;
	}
	memcpy(job->account, args_get(args, "account"), ACCOUNT_ID_LEN);
	admin_job_begin(&job->job, &kind, reply);
}
