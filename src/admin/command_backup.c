/* SPDX-License-Identifier: ISC */
/*
 * command_backup.c: `backup`, whose files go to the client. `restore` is cdrctl's own (ctl/restore.c).
 *
 *	{"backup":{"data_dir":"/var/lib/cdrd","version":"1.0"}}
 *	{"file":{"name":"days/2026-11-24/data.mdb","mode":416,"stamp":"file days/2026-11-24/data.mdb ..."}}
 *		the client answers with a byte of the command's body: y, it wants the file, or n
 *	{"data":65536}        followed by so many bytes; repeated as needed
 *	{"data":0}            the file is complete; {"gone":true} instead: it was removed, discard its data
 *	...
 *	{"end":true}          no more files
 *		the client ends its body when all of it is on its disk, and gets the command's answer
 *
 * A file is read only as the client receives it, so that a slow client costs no memory.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <config.h>

#include "admin/command.h"
#include "base/clock.h"
#include "base/log.h"
#include "backup/backup.h"

#define KEEP_MAX 1000000 /* of --keep, which is cdrctl's; both sides check it */

struct backing_up {
	struct admin_reply *reply;
	struct backup *backup;
	struct meta *meta;
	bool asked; /* the client has not answered the offer yet */
	bool ended; /* everything is sent */
	char dir[PATH_MAX];
};

static void backing_up_free(struct backing_up *job)
{
	backup_free(job->backup);
	free(job);
}

static void fail(struct backing_up *job, const struct error *err)
{
	struct admin_reply *reply = job->reply;

	admin_reply_log(reply, "backup to %s failed: %s", job->dir, err->message);
	backing_up_free(job);
	admin_reply_error(reply, err);
}

/* --- lines to the client --- */

static void write_begin(struct backing_up *job, const char *data_dir)
{
	char real[PATH_MAX];
	struct json *j = admin_reply_line_begin(job->reply);

	json_key(j, "backup");
	json_object_begin(j);
	json_member_text(j, "data_dir", realpath(data_dir, real) ? real : data_dir);
	json_member_text(j, "version", PACKAGE_VERSION);
	json_object_end(j);
	admin_reply_line_end(job->reply, (struct str){ NULL, 0 });
}

static void write_offer(struct backing_up *job, const struct backup_item *item)
{
	struct json *j = admin_reply_line_begin(job->reply);

	json_key(j, "file");
	json_object_begin(j);
	json_member_text(j, "name", item->name);
	json_member_uint(j, "mode", item->mode);
	json_member_str(j, "stamp", item->stamp);
	json_object_end(j);
	admin_reply_line_end(job->reply, (struct str){ NULL, 0 });
	job->asked = true;
}

static void write_data(struct backing_up *job, struct str data)
{
	json_member_uint(admin_reply_line_begin(job->reply), "data", data.len);
	admin_reply_line_end(job->reply, data);
}

static void write_flag(struct backing_up *job, const char *key)
{
	struct json *j = admin_reply_line_begin(job->reply);

	json_key(j, key);
	json_bool(j, true);
	admin_reply_line_end(job->reply, (struct str){ NULL, 0 });
}

static void write_progress(struct backing_up *job)
{
	struct backup_counts counts;

	if (!admin_reply_progress_due(job->reply))
		return;
	backup_counts(job->backup, &counts);
	struct json *j = admin_reply_progress_begin(job->reply);
	json_member_uint(j, "done", counts.days_done);
	json_member_uint(j, "total", counts.days_total);
	json_member_uint(j, "copied_bytes", counts.bytes);
	admin_reply_progress_end(job->reply);
}

/* --- the steps --- */

/* False when the job is gone. */
static bool take_event(struct backing_up *job, int64_t deadline_us)
{
	struct backup_item item;
	struct error err;

	switch (backup_step(job->backup, deadline_us, &item, &err)) {
	case BACKUP_BUSY:
		break;
	case BACKUP_OFFER:
		write_offer(job, &item);
		break;
	case BACKUP_DATA:
		write_data(job, item.data);
		break;
	case BACKUP_FILE_END:
		write_data(job, (struct str){ NULL, 0 });
		break;
	case BACKUP_FILE_GONE:
		write_flag(job, "gone");
		break;
	case BACKUP_END:
		write_flag(job, "end");
		job->ended = true;
		break;
	case BACKUP_FAILED:
		fail(job, &err);
		return false;
	}
	return true;
}

static void go_on(void *arg, int64_t deadline_us)
{
	struct backing_up *job = arg;

	do {
		if (!take_event(job, deadline_us))
			return;
	} while (!job->asked && !job->ended && admin_reply_is_read(job->reply) && clock_monotonic_us() < deadline_us);
	if (job->asked || job->ended)
		return; /* the client's answer resumes it */
	write_progress(job);
	admin_reply_when_read(job->reply, go_on, job);
}

static void on_data(void *arg, const char *data, size_t len)
{
	struct backing_up *job = arg;
	struct error err;

	if (len != 1 || !job->asked || (data[0] != 'y' && data[0] != 'n')) {
		error_set(&err, ERROR_INVALID, "backup: each file must be answered with y or n, after it was offered");
		fail(job, &err);
		return;
	}
	job->asked = false;
	backup_answer(job->backup, data[0] == 'y');
	admin_reply_when_read(job->reply, go_on, job);
}

static void on_end(void *arg)
{
	struct backing_up *job = arg;
	struct admin_reply *reply = job->reply;
	struct backup_counts counts;
	struct error err;

	if (!job->ended) {
		error_set(&err, ERROR_INVALID, "backup: given up by the client");
		fail(job, &err);
		return;
	}
	/* The backup is made; that `overview` does not know of it is worth a line. */
	if (backup_note_last(job->meta, clock_now_us(), &err) != 0)
		log_warn("admin", "backup: its time could not be kept: %s", err.message);
	backup_counts(job->backup, &counts);
	struct json *j = admin_reply_result(reply);
	json_object_begin(j);
	json_member_uint(j, "days_sent", counts.days_sent);
	json_member_uint(j, "days_kept", counts.days_kept);
	json_member_uint(j, "sent_bytes", counts.bytes);
	json_object_end(j);
	admin_reply_log(reply, "backup to %s made: %" PRIu64 " days copied, %" PRIu64 " linked", job->dir,
	                counts.days_sent, counts.days_kept);
	backing_up_free(job);
	admin_reply_send(reply);
}

static void on_close(void *arg)
{
	struct backing_up *job = arg;

	admin_reply_log(job->reply, "backup to %s: ends, as %s", job->dir, admin_reply_close_reason(job->reply));
	backing_up_free(job);
}

void admin_backup(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	static const struct admin_body body = { on_data, on_end };
	struct backing_up *job = calloc(1, sizeof(*job));
	uint64_t keep = 0;
	struct error err;

	if (!job)
		error_set(&err, ERROR_NOMEM, "backup: out of memory");
	else if (args_get_number(args, "keep", 1, KEEP_MAX, &keep, &err) == 0)
		job->backup =
			backup_new(context->store, context->reports, context->disk, context->config->data_dir, &err);
	/* Declare the body before an error, so that the connection is closed after it. */
	admin_reply_body(reply, &body, job);
	if (!job || !job->backup) {
		admin_reply_error(reply, &err);
		free(job);
		return;
	}
	job->reply = reply;
	job->meta = context->meta;
	strncpy(job->dir, args_get(args, "dir"), sizeof(job->dir) - 1);
	admin_reply_on_close(reply, on_close, job);
	write_begin(job, context->config->data_dir);
	admin_reply_when_read(reply, go_on, job);
}

void admin_restore(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct error err;

	(void)context;
	(void)args;
	error_set(&err, ERROR_INVALID, "restore: cdrctl does that by itself, without the daemon");
	admin_reply_error(reply, &err);
}
