/*
 * command_erase.c: `erase`, a person's number out of everything, in slices.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "admin/command.h"
#include "base/clock.h"
#include "keep/erasure.h"

#define SLICE_US 5000

struct erasing {
	struct admin_reply *reply;
	struct erasure *erasure;
	char account[ACCOUNT_ID_LEN + 1];
};

static void erasing_free(void *arg)
{
	struct erasing *job = arg;
	erasure_free(job->erasure);
	free(job);
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

static void finish(struct erasing *job)
{
	struct erasure_counts counts;
	erasure_counts(job->erasure, &counts);
	write_counts(admin_reply_result(job->reply), &counts);
	admin_reply_log(job->reply, "a number erased from account %s: %" PRIu64 " records, %" PRIu64 " report files%s",
	                job->account, counts.records.records, counts.report_files,
	                counts.records.left ? "; records with it keep arriving" : "");
	admin_reply_send(job->reply);
	erasing_free(job);
}

static void show_progress(struct erasing *job)
{
	struct erasure_counts counts;
	struct json *j = admin_reply_progress_begin(job->reply);
	erasure_counts(job->erasure, &counts);
	json_member_uint(j, "done", counts.records.days_done);
	json_member_uint(j, "total", counts.records.days_total);
	json_member_uint(j, "pass", (uint64_t)counts.records.pass);
	json_member_uint(j, "records", counts.records.records);
	admin_reply_progress_end(job->reply);
}

static void go_on(void *arg)
{
	struct erasing *job = arg;
	struct error err;
	bool done;
	if (erasure_step(job->erasure, clock_monotonic_us() + SLICE_US, &done, &err) != 0) {
		admin_reply_log(job->reply, "a number erased in part from account %s: %s", job->account, err.message);
		admin_reply_error(job->reply, &err);
		erasing_free(job);
		return;
	}
	if (done) {
		finish(job);
		return;
	}
	if (admin_reply_progress_due(job->reply))
		show_progress(job);
	admin_reply_later(job->reply, go_on, job);
}

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
	job->reply = reply;
	admin_reply_on_close(reply, erasing_free, job);
	go_on(job);
}
