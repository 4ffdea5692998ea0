/* SPDX-License-Identifier: ISC */
/*
 * backup.c: `cdrctl backup`: the daemon sends its files (admin/command_backup.c shows the protocol), and they are
 * written here, with the caller's permissions. An interrupted run leaves no backup.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "admin/tree.h"
#include "base/json.h"
#include "ctl/client.h"
#include "ctl/ctl.h"
#include "ctl/progress.h"
#include "backup/backup_dir.h"

struct backing_up {
	const struct ctl *ctl;
	struct client client;
	struct progress progress;
	struct backup_dir *dir; /* NULL until the daemon has begun */
	bool writing;           /* a file */
	uint64_t keep;
	struct buf unsent;
};

/* --- to the daemon --- */

/* Sends a chunk of the command's body; length 0 ends it. */
static int send_chunk(struct backing_up *job, struct str data, struct error *err)
{
	uint32_t header = htobe32((uint32_t)data.len);

	buf_add(&job->unsent, &header, sizeof(header));
	buf_add_str(&job->unsent, data);
	return job->unsent.failed ? error_set(err, ERROR_NOMEM, "Out of memory for the request") : 0;
}

/* Sends pending bytes, and waits for something to read. */
static int pump(struct backing_up *job, struct error *err)
{
	struct str rest = buf_str(&job->unsent);
	int result = client_pump(&job->client, &rest, err);

	buf_drain(&job->unsent, job->unsent.len - rest.len);
	return result;
}

/* --- from the daemon --- */

static const char *text_of(const struct tree *object, const char *key)
{
	const char *text = tree_text(tree_get(object, key));

	return text ? text : "";
}

static int take_begin(struct backing_up *job, const struct tree *begin, struct error *err)
{
	if (job->dir)
		return error_set(err, ERROR_INVALID, "cannot make sense of the daemon's answer");
	job->dir = backup_dir_new(args_get(job->ctl->args, "dir"), text_of(begin, "data_dir"),
	                          text_of(begin, "version"), err);
	return job->dir ? 0 : -1;
}

static int take_offer(struct backing_up *job, const struct tree *file, struct error *err)
{
	struct str name = str_from(text_of(file, "name")), stamp = str_from(text_of(file, "stamp"));
	int linked = backup_dir_link(job->dir, name, stamp, err);

	if (linked < 0)
		return -1;
	if (linked)
		return send_chunk(job, STR_LITERAL("n"), err);
	if (backup_dir_begin_file(job->dir, name, stamp, (unsigned)tree_uint(tree_get(file, "mode")), err) != 0)
		return -1;
	job->writing = true;
	return send_chunk(job, STR_LITERAL("y"), err);
}

static int take_data(struct backing_up *job, uint64_t bytes, struct error *err)
{
	if (bytes == 0) {
		job->writing = false;
		return backup_dir_end_file(job->dir, err);
	}
	while (bytes > 0) {
		struct str data = client_take_bytes(&job->client, bytes < SIZE_MAX ? (size_t)bytes : SIZE_MAX);

		if (data.len == 0 && pump(job, err) != 0)
			return -1;
		if (data.len > 0 && backup_dir_write(job->dir, data, err) != 0)
			return -1;
		bytes -= data.len;
	}
	return 0;
}

static int take_line(struct backing_up *job, const struct tree *line, struct error *err)
{
	const struct tree *begin = tree_get(line, "backup");
	const struct tree *file = tree_get(line, "file"), *data = tree_get(line, "data");

	if (begin)
		return take_begin(job, begin, err);
	if (job->dir && file && !job->writing)
		return take_offer(job, file, err);
	if (job->dir && job->writing && data)
		return take_data(job, tree_uint(data), err);
	if (job->dir && job->writing && tree_get(line, "gone")) {
		job->writing = false;
		return backup_dir_drop_file(job->dir, err);
	}
	if (job->dir && !job->writing && tree_get(line, "end"))
		return backup_dir_finish(job->dir, job->keep, err) == 0 ? send_chunk(job, STR_LITERAL(""), err) : -1;
	return error_set(err, ERROR_INVALID, "cannot make sense of the daemon's answer");
}

/* Runs until the daemon's answer has arrived. */
static int converse(struct backing_up *job, struct error *err)
{
	struct client_line line;

	for (;;) {
		int got = client_next_line(&job->client, &line, err);

		if (got < 0)
			return -1;
		if (got == 0 && pump(job, err) != 0)
			return -1;
		if (got > 0 && line.is_answer)
			return 0;
		if (got > 0 && line.progress)
			progress_draw_line(&job->progress, line.progress);
		else if (got > 0 && take_line(job, line.other, err) != 0)
			return -1;
	}
}

/* --- the result --- */

static int print(const struct backing_up *job, struct error *err)
{
	struct backup_dir_counts counts;
	struct buf text = { 0 };
	struct json j = json_to(&text);

	backup_dir_counts(job->dir, &counts);
	json_object_begin(&j);
	json_member_text(&j, "backup", backup_dir_path(job->dir));
	json_member_uint(&j, "days_copied", counts.days_copied);
	json_member_uint(&j, "days_linked", counts.days_linked);
	json_member_uint(&j, "report_files", counts.report_files);
	json_member_uint(&j, "copied_bytes", counts.bytes);
	json_member_uint(&j, "removed", counts.removed);
	json_object_end(&j);
	int result = buf_cstr(&text) ? ctl_print(job->ctl, buf_str(&text), err) :
	                               error_set(err, ERROR_NOMEM, "Out of memory for the result");
	buf_free(&text);
	return result;
}

static int run(struct backing_up *job, struct error *err)
{
	const struct ctl *ctl = job->ctl;

	if (args_get_number(ctl->args, "keep", 1, UINT32_MAX, &job->keep, err) != 0)
		return -1;
	client_write_request(&job->unsent, ctl->spec->words, ctl->args);
	if (job->unsent.failed)
		return error_set(err, ERROR_NOMEM, "Out of memory for the request");
	if (client_open(&job->client, ctl->socket, err) != 0)
		return -1;
	job->client.own_lines = true;
	progress_begin(&job->progress);
	int result = converse(job, err);
	progress_clear(&job->progress);
	if (result == 0 && !job->dir)
		return error_set(err, ERROR_INVALID, "cannot make sense of the daemon's answer");
	return result == 0 ? print(job, err) : -1;
}

int ctl_backup(const struct ctl *ctl, struct error *err)
{
	struct backing_up job = { .ctl = ctl, .client = { .fd = -1 } };
	int result = run(&job, err);

	backup_dir_free(job.dir);
	client_close(&job.client);
	buf_free(&job.unsent);
	return result;
}
