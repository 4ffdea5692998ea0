/*
 * command_backup.c: `backup`, in slices. `restore` is cdrctl's own (ctl/restore.c).
 */
#include <inttypes.h>
#include <stdlib.h>

#include "admin/command.h"
#include "base/clock.h"
#include "keep/backup.h"

#define SLICE_US 5000
#define KEEP_MAX 1000000

struct backing_up {
	struct admin_reply *reply;
	struct backup *backup;
};

static void backing_up_free(void *arg)
{
	struct backing_up *job = arg;
	backup_free(job->backup);
	free(job);
}

static void finish(struct backing_up *job)
{
	struct backup_counts counts;
	struct json *j = admin_reply_result(job->reply);
	backup_counts(job->backup, &counts);
	json_object_begin(j);
	json_member_text(j, "backup", backup_path(job->backup));
	json_member_uint(j, "days_copied", counts.days_copied);
	json_member_uint(j, "days_linked", counts.days_linked);
	json_member_uint(j, "report_files", counts.report_files);
	json_member_uint(j, "copied_bytes", counts.bytes);
	json_member_uint(j, "removed", counts.removed);
	json_object_end(j);
	admin_reply_log(job->reply, "backup %s made: %" PRIu64 " days copied, %" PRIu64 " linked", backup_path(job->backup),
	                counts.days_copied, counts.days_linked);
	admin_reply_send(job->reply);
	backing_up_free(job);
}

static void show_progress(struct backing_up *job)
{
	struct backup_counts counts;
	struct json *j = admin_reply_progress_begin(job->reply);
	backup_counts(job->backup, &counts);
	json_member_uint(j, "done", counts.days_done);
	json_member_uint(j, "total", counts.days_total);
	json_member_uint(j, "copied_bytes", counts.bytes);
	admin_reply_progress_end(job->reply);
}

static void go_on(void *arg)
{
	struct backing_up *job = arg;
	struct error err;
	bool done;
	if (backup_step(job->backup, clock_monotonic_us() + SLICE_US, &done, &err) != 0) {
		admin_reply_error(job->reply, &err);
		backing_up_free(job);
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
	job->reply = reply;
	admin_reply_on_close(reply, backing_up_free, job);
	go_on(job);
}

void admin_restore(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct error err;
	(void)context;
	(void)args;
	error_set(&err, ERROR_INVALID, "restore: cdrctl does that by itself, without the daemon");
	admin_reply_error(reply, &err);
}
