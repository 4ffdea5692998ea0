/* SPDX-License-Identifier: ISC */
/*
 * restore.c: `cdrctl restore`, which needs no daemon: a backup is checked, or laid out into an empty data directory.
 */
#include "base/json.h"
#include "ctl/ctl.h"
#include "ctl/progress.h"
#include "backup/restore.h"

static void on_progress(void *arg, const struct restore_counts *counts)
{
	struct progress_view view = { .done = counts->files, .total = counts->files_total };

	progress_draw(arg, &view);
}

static void write_result(struct buf *out, const char *backup, const char *data_dir, const struct restore_counts *counts)
{
	struct json j = json_to(out);

	json_object_begin(&j);
	json_member_text(&j, "backup", backup);
	json_member_bool(&j, "sound", true);
	if (data_dir) {
		json_member_text(&j, "data_dir", data_dir);
		json_member_text(&j, "callbacks", "held until cdrctl callback resume");
	}
	json_member_uint(&j, "files", counts->files);
	json_member_uint(&j, "days", counts->days);
	json_member_uint(&j, "report_files", counts->report_files);
	json_member_uint(&j, "entries", counts->entries);
	json_member_uint(&j, "size_bytes", counts->bytes);
	json_object_end(&j);
}

static int run(const struct ctl *ctl, struct buf *backup, const char *data_dir, struct error *err)
{
	struct restore_counts counts;
	struct progress progress;
	struct buf result = { 0 };

	if (restore_find(args_get(ctl->args, "dir"), backup, err) != 0)
		return -1;
	progress_begin(&progress);
	int status = data_dir ? restore_lay_out(backup->data, data_dir, &counts, on_progress, &progress, err) :
	                        restore_check(backup->data, &counts, on_progress, &progress, err);
	progress_clear(&progress);
	if (status == 0) {
		write_result(&result, backup->data, data_dir, &counts);
		status = buf_cstr(&result) ? ctl_print(ctl, buf_str(&result), err) :
		                             error_set(err, ERROR_NOMEM, "Out of memory for the result");
	}
	buf_free(&result);
	return status;
}

int ctl_restore(const struct ctl *ctl, struct error *err)
{
	const char *data_dir = args_get(ctl->args, "data_dir");
	bool check = args_count(ctl->args, "check") > 0;
	struct buf backup = { 0 };

	if (check == (data_dir != NULL))
		return error_set(err, ERROR_INVALID, "restore: either --check or the DATA_DIR to lay it out into");
	int result = run(ctl, &backup, data_dir, err);
	buf_free(&backup);
	return result;
}
