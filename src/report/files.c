/* SPDX-License-Identifier: ISC */
/*
 * files.c: data_dir/reports, one file a report under its file id.
 *
 * A file has its name from the start of its job; only the row says whether it may be downloaded. A file is removed
 * after its row, updated, no longer owns it; a crash in between leaves a file without owner, which the next start
 * removes.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/log.h"
#include "base/shrinking.h"
#include "meta/meta.h"
#include "report/report_private.h"
#include "report/table.h"

int report_files_init(struct reports *reports, struct error *err)
{
	struct buf dir = { 0 };

	buf_addf(&dir, "%s/reports", reports->config->data_dir);
	if (!buf_cstr(&dir))
		return error_set(err, ERROR_NOMEM, "%s: out of memory", reports->config->data_dir);
	reports->dir = dir.data;
	return directory_make(reports->dir, err);
}

void report_file_path(const struct reports *reports, const char *file_id, struct buf *out)
{
	buf_addf(out, "%s/%s", reports->dir, file_id);
}

void report_file_remove(const struct reports *reports, const char *file_id)
{
	struct buf path = { 0 };

	report_file_path(reports, file_id, &path);
	if (buf_cstr(&path) && shrinking_unlink(reports->shrinking, AT_FDCWD, path.data) != 0 && errno != ENOENT)
		log_error("report", "%s: remove: %s", path.data, strerror(errno));
	buf_free(&path);
}

#define LOST "its file was on a front end that is gone"

/* --- which making it is of --- */

/* A whole file has the time at which its making was begun, by which it is told from one that was begun here or made, before another
 * front end made the report again: clocks of hosts differ, and both may be of the same length. */
void report_file_mark(const struct reports *reports, const struct report *report)
{
	int64_t us = report->started_us;
	const struct timespec time = { us / CLOCK_US_PER_SECOND, us % CLOCK_US_PER_SECOND * 1000 };
	const struct timespec times[2] = { time, time };
	struct buf path = { 0 };

	report_file_path(reports, report->file_id, &path);
	if (!buf_cstr(&path) || utimensat(AT_FDCWD, path.data, times, AT_SYMLINK_NOFOLLOW) != 0)
		log_error("report", "%s: its time: %s", report->file_id, strerror(errno));
	buf_free(&path);
}

/* Some file systems keep seconds alone. */
static bool is_marked(const struct report *report, const struct timespec *modified)
{
	return modified->tv_sec == report->started_us / CLOCK_US_PER_SECOND &&
	       (modified->tv_nsec == 0 || modified->tv_nsec / 1000 == report->started_us % CLOCK_US_PER_SECOND);
}

/* What a front end has left that had served before another one: the report was made again there. */
static bool is_stale(const struct reports *reports, const struct report *report, int fd)
{
	struct stat st;

	return meta_is_shared(reports->meta) && fstat(fd, &st) == 0 &&
	       ((uint64_t)st.st_size != report->bytes || !is_marked(report, &st.st_mtim));
}

/* A descriptor, or -1 with errno: ENOENT also where it was stale. */
static int open_fresh(const struct reports *reports, const struct report *report, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || !is_stale(reports, report, fd))
		return fd;
	close(fd);
	report_file_remove(reports, report->file_id);
	errno = ENOENT;
	return -1;
}

/* Files are on the disk of the front end that held the catalog when they were made. Where that is another one, which is gone, the
 * report is made again. */
static int fail_to_open(struct reports *reports, const struct report *report, const char *path, struct error *err)
{
	struct report row;
	int number = errno;

	if (number != ENOENT || !meta_is_shared(reports->meta) ||
	    reports_get(reports, str_from(report->id), &row, err) != 0)
		return error_set_errno(err, number, "%s: open", path);
	int result = row.has_file ? report_make_anew(reports, &row, LOST, err) : 0;
	report_free(&row);
	return result != 0 ? -1 :
	                     error_set(err, ERROR_UNAVAILABLE,
	                               "The file is being made anew, as it was on a front end that is gone");
}

int reports_open_file(struct reports *reports, const struct report *report, struct error *err)
{
	struct buf path = { 0 };
	int fd = -1;

	report_file_path(reports, report->file_id, &path);
	if (!buf_cstr(&path))
		error_set(err, ERROR_NOMEM, "report %s: out of memory", report->id);
	else if ((fd = open_fresh(reports, report, path.data)) < 0)
		MAY_FAIL(fail_to_open(reports, report, path.data, err) != 0); /* it does */
	buf_free(&path);
	return fd;
}

bool report_file_is_lost(const struct reports *reports, const struct report *report)
{
	struct buf path = { 0 };
	int fd = -1;

	if (!meta_is_shared(reports->meta))
		return false;
	report_file_path(reports, report->file_id, &path);
	bool is_lost = buf_cstr(&path) && (fd = open_fresh(reports, report, path.data)) < 0 && errno == ENOENT;
	if (fd >= 0)
		close(fd);
	buf_free(&path);
	return is_lost;
}

void report_note_lost(struct reports *reports, const struct report *report)
{
	/* Without memory, the next attempt at the delivery notes it again. */
	if (buf_reserve(&reports->lost, sizeof(report->id)))
		buf_add(&reports->lost, report->id, sizeof(report->id));
}

static void make_anew(struct reports *reports, const char *id)
{
	struct report report;
	struct error err;
	int result = reports_get(reports, str_from(id), &report, &err);

	if (result == 0) {
		if (report.has_file && report_file_is_lost(reports, &report))
			result = report_make_anew(reports, &report, LOST, &err);
		report_free(&report);
	}
	if (result != 0 && err.code != ERROR_NOT_FOUND) /* it may have been removed meanwhile */
		log_error("report", "%s: cannot be made anew yet: %s", id, err.message);
}

void report_make_lost_anew(struct reports *reports, int64_t deadline_us)
{
	size_t at = 0;

	for (; at < reports->lost.len && clock_monotonic_us() < deadline_us; at += ID_UUID_LEN + 1)
		make_anew(reports, reports->lost.data + at);
	buf_drain(&reports->lost, at);
}

/* 1 if a job owns the file, 0 if not, -1. */
static int is_owned(struct reports *reports, const char *name, struct error *err)
{
	char id[ID_UUID_LEN + 1];

	return table_find_file(reports->meta, str_from(name), id, err);
}

int report_files_sweep(struct reports *reports, struct error *err)
{
	DIR *dir = opendir(reports->dir);
	const char *name;
	int more = 1;

	if (!dir)
		return error_set_errno(err, errno, "%s: open", reports->dir);
	while (more > 0 && (more = directory_next(dir, reports->dir, &name, err)) > 0) {
		if (name[0] == '.')
			continue;
		int owned = is_owned(reports, name, err);

		if (owned < 0)
			more = -1;
		if (owned == 0) {
			log_info("report", "removing %s/%s, which no report owns", reports->dir, name);
			report_file_remove(reports, name);
		}
	}
	closedir(dir);
	return more;
}
