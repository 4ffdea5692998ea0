/*
 * backup_files.c: a backup's files: read, copied, linked; its list, and older backups.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "keep/backup_private.h"
#include "keep/folder.h"

#define SETTLED_NS INT64_C(2000000000) /* a file changed more lately may change again without a newer time */
#define NS_PER_SECOND INT64_C(1000000000)

const char *backup_part_path(struct backup *backup, const char *name, struct error *err)
{
	return folder_path(&backup->scratch, backup->part.data, name, err);
}

/* --- one file --- */

int backup_read_own(struct backup *backup, struct error *err)
{
	const char *path = backup_part_path(backup, backup->name.data, err);
	if (!path || sums_file_begin(&backup->file, path, NULL, 0, err) != 0)
		return -1;
	backup->reading = true;
	return 0;
}

int backup_copy_file(struct backup *backup, const char *from, unsigned mode, struct error *err)
{
	const char *path = backup_part_path(backup, backup->name.data, err);
	if (!path || sums_file_begin(&backup->file, from, path, mode, err) != 0)
		return -1;
	backup->reading = true;
	return 0;
}

int backup_step_file(struct backup *backup, int64_t deadline_us, bool *done, struct error *err)
{
	if (sums_file_step(&backup->file, backup->name.data, deadline_us, done, err) != 0) {
		backup->reading = false;
		return -1;
	}
	if (!*done)
		return 0;
	backup->reading = false;
	backup->counts.bytes += backup->file.bytes;
	sums_add(&backup->sums, backup->file.hex, buf_str(&backup->name));
	return backup->sums.failed ? error_set(err, ERROR_NOMEM, "backup: out of memory") : 0;
}

int backup_link(struct backup *backup, struct error *err)
{
	char hex[SUMS_HEX_LEN + 1] = "";
	if (!backup->previous.len)
		return 0;
	struct str sum = sums_find(buf_str(&backup->previous_sums), buf_str(&backup->name));
	if (!sum.p)
		return 0;
	const char *from = folder_path(&backup->scratch_to, backup->previous.data, backup->name.data, err);
	const char *to = from ? backup_part_path(backup, backup->name.data, err) : NULL;
	if (!to)
		return -1;
	if (link(from, to) != 0)
		return 0; /* copied then, whatever the reason: no links here, or too many, or it is gone */
	memcpy(hex, sum.p, SUMS_HEX_LEN);
	sums_add(&backup->sums, hex, buf_str(&backup->name));
	return backup->sums.failed ? error_set(err, ERROR_NOMEM, "backup: out of memory") : 1;
}

/* --- is a day's file the same? --- */

int backup_stamp(const struct backup *backup, int32_t day, struct buf *stamp, struct error *err)
{
	struct buf path = { 0 };
	struct stat st;
	int result = 0;
	buf_addf(&path, "%s/days/", backup->data_dir.data);
	clock_format_day(&path, day);
	buf_add_text(&path, "/data.mdb");
	if (!buf_cstr(&path))
		result = error_set(err, ERROR_NOMEM, "backup: out of memory");
	else if (stat(path.data, &st) != 0)
		result = errno == ENOENT ? error_set(err, ERROR_NOT_FOUND, "%s: is gone", path.data) :
		                           error_set_errno(err, errno, "%s", path.data);
	buf_free(&path);
	if (result != 0)
		return -1;
	int64_t changed_ns = (int64_t)st.st_mtim.tv_sec * NS_PER_SECOND + st.st_mtim.tv_nsec;
	bool settled = clock_now_us() * 1000 - changed_ns >= SETTLED_NS;
	buf_clear(stamp);
	buf_add_text(stamp, "day ");
	clock_format_day(stamp, day);
	if (settled)
		buf_addf(stamp, " %ju %ju %jd %" PRId64, (uintmax_t)st.st_dev, (uintmax_t)st.st_ino, (intmax_t)st.st_size,
		         changed_ns);
	else
		buf_add_text(stamp, " unsettled");
	buf_add_char(stamp, '\n');
	return stamp->failed ? error_set(err, ERROR_NOMEM, "backup: out of memory") : 0;
}

bool backup_has_stamp(const struct backup *backup)
{
	const struct buf *about = &backup->previous_about, *stamp = &backup->stamp;
	return about->len > 0 && !memmem(stamp->data, stamp->len, "unsettled", 9) &&
	       memmem(about->data, about->len, stamp->data, stamp->len);
}

/* --- report files --- */

static bool take_report(void *arg, const struct report *report)
{
	struct backup *backup = arg;
	if (report->has_file && report_state_ended(report->state))
		buf_add(&backup->report_ids, report->file_id, sizeof(report->file_id));
	return true;
}

int backup_list_reports(struct backup *backup, struct error *err)
{
	buf_clear(&backup->report_ids);
	backup->report = 0;
	if (reports_each(backup->reports, NULL, INT64_MIN, INT64_MAX, take_report, backup, err) != 0)
		return -1;
	return backup->report_ids.failed ? error_set(err, ERROR_NOMEM, "backup: out of memory") : 0;
}

/* --- the end --- */

static int write_about(struct backup *backup, struct error *err)
{
	const char *path = backup_part_path(backup, BACKUP_NAME, err);
	if (backup->about.failed)
		return error_set(err, ERROR_NOMEM, "backup: out of memory");
	return path ? folder_write(path, buf_str(&backup->about), 0640, err) : -1;
}

/* It is small: read at once. */
static int sum_about(struct backup *backup, struct error *err)
{
	bool done;
	buf_clear(&backup->name);
	buf_add_text(&backup->name, BACKUP_NAME);
	if (!buf_cstr(&backup->name))
		return error_set(err, ERROR_NOMEM, "backup: out of memory");
	return backup_read_own(backup, err) == 0 ? backup_step_file(backup, INT64_MAX, &done, err) : -1;
}

int backup_finish(struct backup *backup, struct error *err)
{
	static const char *const names[] = { "days", "catalog", "reports" };
	if (write_about(backup, err) != 0 || sum_about(backup, err) != 0)
		return -1;
	const char *path;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!(path = backup_part_path(backup, names[i], err)) || folder_sync(path, err) != 0)
			return -1;
	if (!(path = backup_part_path(backup, SUMS_NAME, err)) ||
	    folder_write(path, buf_str(&backup->sums), 0640, err) != 0 || folder_sync(backup->part.data, err) != 0)
		return -1;
	if (rename(backup->part.data, backup->path.data) != 0)
		return error_set_errno(err, errno, "%s: rename", backup->part.data);
	return folder_sync(backup->dir.data, err);
}

struct oldest {
	uint64_t count;
	struct buf name;
};

static int take_oldest(void *arg, const char *name, struct error *err)
{
	struct oldest *oldest = arg;
	if (!folder_is_backup(name))
		return 0;
	oldest->count++;
	if (oldest->name.len && strcmp(name, oldest->name.data) >= 0)
		return 0;
	buf_clear(&oldest->name);
	buf_add_text(&oldest->name, name);
	return buf_cstr(&oldest->name) ? 0 : error_set(err, ERROR_NOMEM, "backup: out of memory");
}

int backup_prune(struct backup *backup, bool *more, struct error *err)
{
	struct oldest oldest = { 0 };
	int result = folder_each(backup->dir.data, take_oldest, &oldest, err);
	*more = false;
	if (result == 0 && backup->keep && oldest.count > backup->keep) {
		const char *path = folder_path(&backup->scratch, backup->dir.data, oldest.name.data, err);
		/* What is cut short here must not look complete. */
		const char *part = path ? folder_path(&backup->scratch_to, path, SUMS_NAME, err) : NULL;
		result = part && (unlink(part) == 0 || errno == ENOENT) ? folder_remove(path, err) : -1;
		if (!part || result != 0)
			result = part ? error_set_errno(err, errno, "%s: remove", path) : -1;
		backup->counts.removed += result == 0;
		*more = result == 0 && oldest.count - 1 > backup->keep;
	}
	buf_free(&oldest.name);
	return result;
}
