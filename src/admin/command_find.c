/* SPDX-License-Identifier: ISC */
/*
 * command_find.c: `find`, which lists all that is kept of a number or an id, in slices.
 */
#include <stdlib.h>

#include "admin/job.h"
#include "privacy/finding.h"

#define LIMIT_DEFAULT 1000
#define LIMIT_MAX 100000

struct finding_job {
	struct admin_job job;
	struct finding *finding;
	struct json *json;
	bool whole;
	bool csv;    /* values that are no scalars must be texts */
	bool failed; /* out of memory for a record */
	struct buf text;
};

static void finding_job_free(void *arg)
{
	struct finding_job *job = arg;

	finding_free(job->finding);
	buf_free(&job->text);
	free(job);
}

static int finding_job_step(void *arg, int64_t deadline_us, bool *done, struct error *err)
{
	struct finding_job *job = arg;

	if (finding_step(job->finding, deadline_us, done, err) != 0)
		return -1;
	job->job.waits = finding_waits(job->finding);
	return job->failed ? error_set(err, ERROR_NOMEM, "find: out of memory for a record") : 0;
}

static void on_ready(void *arg)
{
	struct finding_job *job = arg;

	admin_job_go_on(&job->job);
}

static void write_progress(void *arg, struct json *j)
{
	struct finding_job *job = arg;
	struct finding_counts counts;

	finding_counts(job->finding, &counts);
	json_member_uint(j, "done", counts.steps_done);
	json_member_uint(j, "total", counts.steps_total);
	json_member_uint(j, "found", counts.found);
}

/* The whole record, or the text of a rejected one. */
static void write_whole(struct finding_job *job, const struct finding_item *item)
{
	struct json *j = job->json;

	json_key(j, "record");
	if (!item->record) {
		json_str(j, item->text);
		return;
	}
	struct record_view all = { .include_message = true, .show_concatenated = true };
	buf_clear(&job->text);
	record_write_json(&job->text, item->record, &all);
	job->failed |= job->text.failed;
	if (job->csv || job->text.failed)
		json_str(j, buf_str(&job->text));
	else
		json_raw(j, buf_str(&job->text));
}

static void write_item(void *arg, const struct finding_item *item)
{
	struct finding_job *job = arg;
	struct json *j = job->json;

	json_object_begin(j);
	json_member_text(j, "kind", item->kind);
	json_member_str(j, "account", item->account);
	json_member_str(j, "product", item->product);
	admin_member_time(j, "time", item->time_us);
	json_member_str(j, "id", item->id);
	json_member_str(j, "where", item->where);
	if (job->whole)
		write_whole(job, item);
	json_object_end(j);
}

static void write_result(void *arg, struct admin_reply *reply)
{
	struct finding_job *job = arg;
	struct finding_counts counts;

	finding_counts(job->finding, &counts);
	json_array_end(job->json);
	json_member_uint(job->json, "count", counts.found);
	json_member_bool(job->json, "truncated", counts.truncated);
	json_object_end(job->json);
	admin_reply_log(reply, "searched for what is kept: %llu found%s", (unsigned long long)counts.found,
	                counts.truncated ? ", and there is more" : "");
}

static const struct admin_job_kind kind = { finding_job_step, write_progress, write_result, finding_job_free };

static int begin(struct finding_job *job, const struct admin_context *context, const struct args *args,
                 struct admin_reply *reply, struct error *err)
{
	struct finding_context own = { context->meta,      context->store,      context->reports,
		                       context->schedules, context->reconciles, context->callbacks };
	struct finding_request request = {
		.number = args_get(args, "number"),
		.id = args_get(args, "id"),
		.account = args_get(args, "account"),
		.max = LIMIT_DEFAULT,
		.on_ready = on_ready,
	};

	if (args_get_number(args, "limit", 1, LIMIT_MAX, &request.max, err) != 0)
		return -1;
	job->finding = finding_new(&own, &request, write_item, job, err);
	if (!job->finding)
		return -1;
	job->whole = args_count(args, "whole") > 0;
	job->csv = args_count(args, "csv") > 0;
	job->json = admin_reply_result(reply);
	json_object_begin(job->json);
	json_key(job->json, "found");
	json_array_begin(job->json);
	return 0;
}

void admin_find(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct finding_job *job = calloc(1, sizeof(*job));
	struct error err;

	if (!job)
		error_set(&err, ERROR_NOMEM, "find: out of memory");
	if (!job || begin(job, context, args, reply, &err) != 0) {
		admin_reply_error(reply, &err);
		free(job);
		return;
	}
	admin_job_begin(&job->job, &kind, reply);
}
