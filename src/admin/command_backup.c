/*
 * command_backup.c: `backup`, in slices. `restore` is cdrctl's own (ctl/restore.c).
 */
#include <inttypes.h>
#include <stdlib.h>

#include "admin/job.h"
#include "keep/backup.h"

#define KEEP_MAX 1000000

struct backing_up {
	struct admin_job job;
	struct backup *backup;
};

static void backing_up_free(void *arg)
{
	struct backing_up *job = arg;
	backup_free(job->backup);
	free(job);
}

static int backing_up_step(void *arg, int64_t deadline_us, bool *done, struct error *err)
{
	struct backing_up *job = arg;
	return backup_step(job->backup, deadline_us, done, err);
}

static void write_progress(void *arg, struct json *j)
{
	struct backing_up *job = arg;
	struct backup_counts counts;
	backup_counts(job->backup, &counts);
	json_member_uint(j, "done", counts.days_done);
	json_member_uint(j, "total", counts.days_total);
	json_member_uint(j, "copied_bytes", counts.bytes);
}

static void write_result(void *arg, struct admin_reply *reply)
{
	struct backing_up *job = arg;
	struct backup_counts counts;
	struct json *j = admin_reply_result(reply);
	backup_counts(job->backup, &counts);
	json_object_begin(j);
	json_member_text(j, "backup", backup_path(job->backup));
	json_member_uint(j, "days_copied", counts.days_copied);
	json_member_uint(j, "days_linked", counts.days_linked);
	json_member_uint(j, "report_files", counts.report_files);
	json_member_uint(j, "copied_bytes", counts.bytes);
	json_member_uint(j, "removed", counts.removed);
	json_object_end(j);
	admin_reply_log(reply, "backup %s made: %" PRIu64 " days copied, %" PRIu64 " linked", backup_path(job->backup),
	                counts.days_copied, counts.days_linked);
}

static const struct admin_job_kind kind = { backing_up_step, write_progress, write_result, backing_up_free };

void admin_backup(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct backing_up *job = calloc(1, sizeof(*job));
	uint64_t keep = 0;
	struct error err;
	if (!job)
		error_set(&err, ERROR_NOMEM, "backup: out of memory");
	else if (args_get_number(args, "keep", 1, KEEP_MAX, &keep, &err) == 0)
		job->backup = backup_new(context->store, context->reports, context->config->data_dir, args_get(args, "dir"), keep,
		                         &err);
	if (!job || !job->backup) {
		admin_reply_error(reply, &err);
		free(job);
		return;
	}
	admin_job_begin(&job->job, &kind, reply);
}

void admin_restore(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct error err;
	(void)context;
	(void)args;
	error_set(&err, ERROR_INVALID, "restore: cdrctl does that by itself, without the daemon");
	admin_reply_error(reply, &err);
}
