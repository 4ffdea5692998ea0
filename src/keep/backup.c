/*
 * backup.c: the course of a backup. See backup.h.
 */
#include "keep/backup.h"

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "keep/backup_private.h"
#include "keep/folder.h"
#include "store/copying.h"

#define LIST_BYTES_MAX ((size_t)256 << 20)
#define KEY_NAME "cursor.key"

/* --- its life --- */

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_NOMEM, "backup: out of memory");
}

static int check_dir(const char *dir, const char *data_dir, struct error *err)
{
	size_t len = strlen(data_dir);
	if (dir[0] != '/')
		return error_set(err, ERROR_INVALID, "DIR \"%s\": must be an absolute path; the daemon runs elsewhere", dir);
	if (strncmp(dir, data_dir, len) == 0 && (dir[len] == '/' || dir[len] == '\0'))
		return error_set(err, ERROR_INVALID, "DIR \"%s\": lies in data_dir", dir);
	return 0;
}

static int take_lock(struct backup *backup, struct error *err)
{
	const char *path = folder_path(&backup->scratch, backup->dir.data, "lock", err);
	if (!path)
		return -1;
	backup->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (backup->lock_fd < 0)
		return error_set_errno(err, errno, "%s: open", path);
	if (flock(backup->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? error_set(err, ERROR_CONFLICT, "%s: a backup is being made there", backup->dir.data) :
	                              error_set_errno(err, errno, "%s: lock", path);
}

static int remove_part(void *arg, const char *name, struct error *err)
{
	struct backup *backup = arg;
	if (!folder_is_part(name))
		return 0;
	const char *path = folder_path(&backup->scratch, backup->dir.data, name, err);
	if (!path || folder_remove(path, err) != 0)
		return -1;
	log_info("keep", "%s: removed, it was not complete", path);
	return 0;
}

/* 2026-11-24T142011.123Z */
static void add_name(struct buf *out, int64_t time_us)
{
	int32_t day = clock_day_of(time_us);
	int64_t ms = (time_us - clock_day_start_us(day)) / 1000;
	clock_format_day(out, day);
	buf_addf(out, "T%02d%02d%02d.%03dZ", (int)(ms / 3600000), (int)(ms / 60000 % 60), (int)(ms / 1000 % 60),
	         (int)(ms % 1000));
}

static int load_previous(struct backup *backup, struct error *err)
{
	struct buf name = { 0 };
	struct error ignored;
	int found = folder_newest(backup->dir.data, &name, err);
	if (found > 0) {
		buf_addf(&backup->previous, "%s/%s", backup->dir.data, name.data);
		const char *sums = buf_cstr(&backup->previous) ?
		                           folder_path(&backup->scratch, backup->previous.data, SUMS_NAME, err) : NULL;
		const char *about = sums ? folder_path(&backup->scratch_to, backup->previous.data, BACKUP_NAME, err) : NULL;
		if (!about)
			found = -1;
		/* One that cannot be read is no help, and no hindrance. */
		else if (folder_read(sums, LIST_BYTES_MAX, &backup->previous_sums, &ignored) != 0 ||
		         folder_read(about, LIST_BYTES_MAX, &backup->previous_about, &ignored) != 0)
			buf_clear(&backup->previous);
	}
	buf_free(&name);
	return found < 0 ? -1 : 0;
}

static int make_part(struct backup *backup, struct error *err)
{
	static const char *const names[] = { "days", "catalog", "reports" };
	int64_t now_us = clock_now_us();
	buf_addf(&backup->path, "%s/", backup->dir.data);
	add_name(&backup->path, now_us);
	buf_add_str(&backup->part, buf_str(&backup->path));
	buf_add_text(&backup->part, ".part");
	if (!buf_cstr(&backup->path) || !buf_cstr(&backup->part))
		return no_memory(err);
	buf_addf(&backup->about, "format %d\nversion %s\nbegun ", BACKUP_FORMAT, PACKAGE_VERSION);
	clock_format_record(&backup->about, now_us);
	buf_add_char(&backup->about, '\n');
	if (folder_make(backup->part.data, false, err) != 0) {
		buf_clear(&backup->part);
		return -1;
	}
	/* The catalog's directory is made by what copies it. */
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *path = strcmp(names[i], "catalog") == 0 ? NULL : backup_part_path(backup, names[i], err);
		if (path && folder_make(path, false, err) != 0)
			return -1;
	}
	return 0;
}

static int begin(struct backup *backup, struct error *err)
{
	if (!buf_cstr(&backup->dir) || !buf_cstr(&backup->data_dir))
		return no_memory(err);
	if (check_dir(backup->dir.data, backup->data_dir.data, err) != 0 || folder_make(backup->dir.data, true, err) != 0 ||
	    take_lock(backup, err) != 0 || folder_each(backup->dir.data, remove_part, backup, err) != 0 ||
	    load_previous(backup, err) != 0)
		return -1;
	return make_part(backup, err);
}

struct backup *backup_new(struct store *store, struct reports *reports, const char *data_dir, const char *dir,
                          uint64_t keep, struct error *err)
{
	size_t count;
	struct backup *backup = calloc(1, sizeof(*backup));
	if (!backup) {
		no_memory(err);
		return NULL;
	}
	*backup = (struct backup){ .store = store, .reports = reports, .keep = keep, .lock_fd = -1, .day = INT32_MIN };
	buf_add_text(&backup->dir, dir);
	while (backup->dir.len > 1 && backup->dir.data[backup->dir.len - 1] == '/')
		backup->dir.len--;
	buf_add_text(&backup->data_dir, data_dir);
	store_days(store, &count);
	backup->counts.days_total = count;
	if (begin(backup, err) == 0)
		return backup;
	backup_free(backup);
	return NULL;
}

void backup_free(struct backup *backup)
{
	if (!backup)
		return;
	struct buf *const bufs[] = { &backup->data_dir, &backup->dir, &backup->part, &backup->path, &backup->previous,
		                     &backup->previous_sums, &backup->previous_about, &backup->sums, &backup->about,
		                     &backup->stamp, &backup->name, &backup->report_ids, &backup->scratch, &backup->scratch_to };
	struct error err;
	if (backup->copying)
		copying_forget(backup->store);
	sums_file_end(&backup->file);
	if (backup->part.len && backup->stage < BACKUP_PRUNE && folder_remove(backup->part.data, &err) != 0)
		log_warn("keep", "%s", err.message);
	if (backup->lock_fd >= 0)
		close(backup->lock_fd);
	for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++)
		buf_free(bufs[i]);
	free(backup);
}

void backup_counts(const struct backup *backup, struct backup_counts *counts)
{
	*counts = backup->counts;
	counts->bytes += backup->reading ? backup->file.bytes : copying_bytes(backup->store);
}

const char *backup_path(const struct backup *backup)
{
	return backup->path.data;
}

/* --- days and the catalog --- */

static int set_name(struct backup *backup, struct error *err)
{
	return buf_cstr(&backup->name) ? 0 : no_memory(err);
}

/* A slice of copying, then of reading what was copied. *gone: the day was removed meanwhile. */
static int step_copy(struct backup *backup, int64_t deadline_us, bool *done, bool *gone, struct error *err)
{
	*done = *gone = false;
	if (!backup->copying)
		return backup_step_file(backup, deadline_us, done, err);
	bool copied;
	if (copying_step(backup->store, deadline_us, &copied, err) != 0) {
		backup->copying = false;
		*gone = err->code == ERROR_NOT_FOUND;
		return *gone ? 0 : -1;
	}
	if (!copied)
		return 0;
	backup->copying = false;
	return backup_read_own(backup, err);
}

static void next_day(struct backup *backup)
{
	backup->day++;
	backup->counts.days_done++;
}

/* A day that was removed since leaves nothing behind. */
static int drop_day(struct backup *backup, struct error *err)
{
	buf_clear(&backup->scratch_to);
	buf_add_text(&backup->scratch_to, "days/");
	clock_format_day(&backup->scratch_to, backup->day);
	const char *path = buf_cstr(&backup->scratch_to) ? backup_part_path(backup, backup->scratch_to.data, err) : NULL;
	next_day(backup);
	return path ? folder_remove(path, err) : -1;
}

/* Makes the day's directory with a link in it, or begins to copy it. */
static int begin_day(struct backup *backup, struct error *err)
{
	buf_clear(&backup->name);
	buf_add_text(&backup->name, "days/");
	clock_format_day(&backup->name, backup->day);
	if (set_name(backup, err) != 0)
		return -1;
	if (backup_stamp(backup, backup->day, &backup->stamp, err) != 0) {
		if (err->code == ERROR_NOT_FOUND)
			next_day(backup);
		return err->code == ERROR_NOT_FOUND ? 0 : -1;
	}
	struct buf path = { 0 };
	const char *day_path = folder_path(&path, backup->part.data, backup->name.data, err);
	buf_add_text(&backup->name, "/data.mdb");
	int result = day_path && set_name(backup, err) == 0 ? 0 : -1;
	int linked = 0;
	if (result == 0 && backup_has_stamp(backup)) {
		result = folder_make(day_path, false, err);
		linked = result == 0 ? backup_link(backup, err) : -1;
		if (linked > 0)
			result = folder_sync(day_path, err);
	}
	if (linked < 0)
		result = -1;
	if (result == 0 && linked > 0) {
		buf_add_str(&backup->about, buf_str(&backup->stamp));
		backup->counts.days_linked++;
		next_day(backup);
	} else if (result == 0) {
		result = copying_begin(backup->store, &backup->day, day_path, err);
		backup->copying = result == 0;
	}
	buf_free(&path);
	return result;
}

static int step_days(struct backup *backup, int64_t deadline_us, struct error *err)
{
	bool done, gone;
	size_t count;
	if (backup->copying || backup->reading) {
		if (step_copy(backup, deadline_us, &done, &gone, err) != 0)
			return -1;
		if (gone)
			return drop_day(backup, err);
		if (done) {
			buf_add_str(&backup->about, buf_str(&backup->stamp));
			backup->counts.days_copied++;
			next_day(backup);
		}
		return 0;
	}
	const int32_t *days = store_days(backup->store, &count);
	size_t at = 0;
	while (at < count && days[at] < backup->day)
		at++;
	if (at == count) {
		backup->stage = BACKUP_CATALOG;
		return 0;
	}
	backup->day = days[at];
	return begin_day(backup, err);
}

static int step_catalog(struct backup *backup, int64_t deadline_us, struct error *err)
{
	bool done, gone;
	if (backup->copying || backup->reading) {
		if (step_copy(backup, deadline_us, &done, &gone, err) != 0 || gone)
			return -1;
		if (done)
			backup->stage = BACKUP_KEY;
		return 0;
	}
	const char *path = backup_part_path(backup, "catalog", err);
	buf_clear(&backup->name);
	buf_add_text(&backup->name, "catalog/data.mdb");
	if (!path || set_name(backup, err) != 0 || copying_begin(backup->store, NULL, path, err) != 0)
		return -1;
	backup->copying = true;
	return 0;
}

/* --- other files --- */

static int step_key(struct backup *backup, int64_t deadline_us, struct error *err)
{
	bool done;
	if (!backup->reading) {
		struct buf from = { 0 };
		buf_clear(&backup->name);
		buf_add_text(&backup->name, KEY_NAME);
		const char *path = folder_path(&from, backup->data_dir.data, KEY_NAME, err);
		int result = path && set_name(backup, err) == 0 ? backup_copy_file(backup, path, 0600, err) : -1;
		buf_free(&from);
		return result;
	}
	if (backup_step_file(backup, deadline_us, &done, err) != 0)
		return -1;
	if (done) {
		backup->stage = BACKUP_REPORTS;
		return backup_list_reports(backup, err);
	}
	return 0;
}

/* A file that has expired meanwhile is left out. */
static int begin_report(struct backup *backup, struct error *err)
{
	struct buf from = { 0 };
	buf_clear(&backup->name);
	buf_addf(&backup->name, "reports/%s", backup->report_ids.data + backup->report++ * (ID_UUID_LEN + 1));
	if (set_name(backup, err) != 0)
		return -1;
	int linked = backup_link(backup, err);
	if (linked != 0) {
		backup->counts.report_files += linked > 0;
		return linked > 0 ? 0 : -1;
	}
	const char *path = folder_path(&from, backup->data_dir.data, backup->name.data, err);
	int result = -1;
	if (path && access(path, F_OK) != 0)
		result = 0;
	else if (path)
		result = backup_copy_file(backup, path, 0640, err);
	buf_free(&from);
	return result;
}

static int step_reports(struct backup *backup, int64_t deadline_us, struct error *err)
{
	bool done;
	if (backup->reading) {
		int result = backup_step_file(backup, deadline_us, &done, err);
		backup->counts.report_files += result == 0 && done;
		return result;
	}
	if (backup->report == backup->report_ids.len / (ID_UUID_LEN + 1)) {
		backup->stage = BACKUP_FINISH;
		return 0;
	}
	return begin_report(backup, err);
}

static int step_prune(struct backup *backup, struct error *err)
{
	bool more;
	if (backup_prune(backup, &more, err) != 0)
		return -1;
	if (!more)
		backup->stage = BACKUP_DONE;
	return 0;
}

static int step(struct backup *backup, int64_t deadline_us, struct error *err)
{
	switch (backup->stage) {
	case BACKUP_DAYS:
		return step_days(backup, deadline_us, err);
	case BACKUP_CATALOG:
		return step_catalog(backup, deadline_us, err);
	case BACKUP_KEY:
		return step_key(backup, deadline_us, err);
	case BACKUP_REPORTS:
		return step_reports(backup, deadline_us, err);
	case BACKUP_FINISH:
		if (backup_finish(backup, err) != 0)
			return -1;
		backup->stage = BACKUP_PRUNE;
		return 0;
	case BACKUP_PRUNE:
		return step_prune(backup, err);
	case BACKUP_DONE:
		break;
	}
	return 0;
}

int backup_step(struct backup *backup, int64_t deadline_us, bool *done, struct error *err)
{
	int result;
	do
		result = step(backup, deadline_us, err);
	while (result == 0 && backup->stage != BACKUP_DONE && clock_monotonic_us() < deadline_us);
	*done = result == 0 && backup->stage == BACKUP_DONE;
	return result;
}
