/* SPDX-License-Identifier: ISC */
/*
 * spool_end.c: moves the files of a spool that have ended.
 *
 * A file that was read goes to the folder `done`, one that could not be read as a whole (a header line that does not fit)
 * to `failed`, each with NAME.report.json beside it: the counts and errors that an import's answer has. The place says
 * that a file is finished before it is moved, so that one that a crash left behind is moved, and not read again.
 *
 * Files that have ended together are moved together, so that a directory is synced once for all of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/json.h"
#include "base/log.h"
#include "feed/feed_private.h"

#define NAMES_MAX 1000 /* files of one name in done */
#define UNFINISHED_REPORT ".report"
#define NAME_KEPT (NAME_MAX - (int)sizeof(".1000.report.json") + 1) /* bytes of a file's name, so that all fit */

/* --- a report --- */

static void write_report(const struct feed_file *file, struct buf *out)
{
	struct json j = json_to(out);

	json_object_begin(&j);
	json_member_text(&j, "file", file->place.name);
	json_member_text(&j, "mapping", file->feed->settings.mapping);
	ingest_summary_write(&file->place.counts, &j);
	if (file->failed)
		json_member_text(&j, "failure", file->failure.message);
	if (file->answer.len > 0) {
		json_key(&j, "last_run");
		json_raw(&j, buf_str(&file->answer));
	}
	json_object_end(&j);
	buf_add_char(out, '\n');
}

/* What is there already goes, and is never written to: it may be a link or a FIFO of whoever may write to the spool. */
static int write_file(int directory, const char *name, struct str text, struct error *err)
{
	(void)unlinkat(directory, name, 0);
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	bool written = fd >= 0 && write(fd, text.p, text.len) == (ssize_t)text.len && fsync(fd) == 0;
	int result = written ? 0 : error_set_errno(err, errno, "%s", name);

	if (fd >= 0)
		close(fd);
	return result;
}

/* Is `report` a report of the file `name`, and is there no `new_name` that it belongs to? */
static bool is_own_report(int folder, const char *new_name, const char *report, const char *name)
{
	struct stat found;
	struct buf head = { 0 };
	struct json j = json_to(&head);
	char text[512];
	int fd = openat(folder, report, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t got = fd >= 0 ? read(fd, text, sizeof(text)) : -1;

	if (fd >= 0)
		close(fd);
	json_object_begin(&j);
	json_member_text(&j, "file", name);
	json_key(&j, "mapping");
	bool is_own = !head.failed && got >= (ssize_t)head.len && memcmp(text, head.data, head.len) == 0 &&
	              fstatat(folder, new_name, &found, AT_SYMLINK_NOFOLLOW) != 0;
	buf_free(&head);
	return is_own;
}

/* 1, 0, -1. */
static int is_there(int folder, const char *name, struct error *err)
{
	struct stat found;

	if (fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : error_set_errno(err, errno, "%s", name);
}

/*
 * NAME, or NAME.2 and so on if there is one, or what its report would be called: a file of that name, which came by itself.
 * After a crash, or where moving it failed before, the report may be this file's own, which was written and not followed by the
 * file; it is written anew. The end of a very long name is cut off.
 */
static int find_free_name(int folder, struct feed_file *file, struct error *err)
{
	bool may_have_report = file->answer.len == 0 || file->stuck_us != 0;
	const char *name = file->place.name;
	char *new_name = file->new_name, report[320];

	for (int i = 1; i <= NAMES_MAX; i++) {
		if (i == 1)
			snprintf(new_name, sizeof(file->new_name), "%.*s", NAME_KEPT, name);
		else
			snprintf(new_name, sizeof(file->new_name), "%.*s.%d", NAME_KEPT, name, i);
		(void)snprintf(report, sizeof(report), "%s.report.json", new_name);
		int taken = is_there(folder, new_name, err);
		if (taken == 0)
			taken = is_there(folder, report, err);
		if (taken > 0 && may_have_report && is_own_report(folder, new_name, report, name))
			taken = 0;
		if (taken <= 0)
			return taken;
	}
	return error_set(err, ERROR_CONFLICT, "%s: %d files of this name were read already", name, NAMES_MAX);
}

/* Never through a link, which may lead anywhere. */
static int open_folder(const struct feed *feed, int directory, const char *folder, struct error *err)
{
	bool made = mkdirat(directory, folder, 0750) == 0;

	if (!made && errno != EEXIST)
		return error_set_errno(err, errno, "%s/%s", feed->path, folder);
	if (made && directory_sync_open(directory, feed->path, err) != 0)
		return -1;
	int fd = openat(directory, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno == ENOTDIR || errno == ELOOP)
		return error_set(err, ERROR_CONFLICT, "%s/%s: must be a directory, and not a link", feed->path, folder);
	return error_set_errno(err, errno, "%s/%s", feed->path, folder);
}

static int put_report(const struct feed_file *file, int folder, struct error *err)
{
	struct buf text = { 0 };
	char report[320];

	snprintf(report, sizeof(report), "%s.report.json", file->new_name);
	write_report(file, &text);
	int result = text.failed ? error_set(err, ERROR_NOMEM, "%s: out of memory", report) :
	                           write_file(folder, UNFINISHED_REPORT, buf_str(&text), err);
	buf_free(&text);
	if (result == 0 && renameat(folder, UNFINISHED_REPORT, folder, report) != 0)
		result = error_set_errno(err, errno, "%s", report);
	return result;
}

/* --- moves --- */

#define TOGETHER_MAX 128 /* renamed in one slice */

struct move {
	struct feed *feed;
	int directory;
	int folders[2]; /* done and failed, once any file is for it; otherwise -1 */
};

/* That the file is moved to; -1. */
static int folder_of(struct move *move, const struct feed_file *file, struct error *err)
{
	int *folder = &move->folders[file->failed];

	if (*folder < 0)
		*folder = open_folder(move->feed, move->directory, file->failed ? "failed" : "done", err);
	return *folder;
}

/* Is what has its name still the file that was read? After a crash, as far as bytes of it tell. 1, 0, -1. */
static int is_still_there(const struct move *move, const struct feed_file *file, struct error *err)
{
	const char *name = file->place.name;
	struct stat found;

	if (fstatat(move->directory, name, &found, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : error_set_errno(err, errno, "%s", name);
	if ((uint64_t)found.st_ino != file->place.inode || !S_ISREG(found.st_mode))
		return 0;
	/* The time alone does not tell what came within a tick of its clock. */
	bool is_whole = (uint64_t)found.st_size == file->place.offset;
	if (file->answer.len > 0)
		return !file->place.finished || (is_whole && place_is_of_time(&file->place, &found));
	/* After a stop, it may be another one, or have rows that were not read. */
	if (!is_whole)
		return 0;
	int fd = openat(move->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? 0 : error_set_errno(err, errno, "%s", name);
	int is_in = place_is_in(&file->place, fd, &found, name, err);
	close(fd);
	return is_in;
}

void spool_file_stick(struct feed_file *file, const struct error *err)
{
	file->stuck_us = clock_monotonic_us();
	file->has_report = false;
	feed_tell(file->feed, err);
}

bool spool_file_is_stuck(const struct feed_file *file)
{
	return file->stuck_us != 0 && clock_monotonic_us() - file->stuck_us < FEED_RETRY_US;
}

static bool is_to_move(const struct feed_file *file)
{
	return file->has_ended && !spool_file_is_stuck(file);
}

bool spool_has_to_move(const struct feed *feed)
{
	const struct feed_file *file;

	TAILQ_FOREACH(file, &feed->files, link)
		if (is_to_move(file))
			return true;
	return false;
}

/* The report first: a file that was moved is not looked at again, so that its report could not be written later. */
static void prepare(struct move *move, struct feed_file *file)
{
	struct error err;
	int is_there = is_still_there(move, file, &err), folder = -1;

	if (is_there == 0) { /* its records are stored */
		feed_file_free(file);
		return;
	}
	if (is_there > 0)
		folder = folder_of(move, file, &err);
	if (folder < 0 || find_free_name(folder, file, &err) != 0 || put_report(file, folder, &err) != 0)
		spool_file_stick(file, &err);
	else
		file->has_report = true;
}

/* 1 if all are, or as many as are moved together; 0 if there are more. */
static int prepare_all(struct move *move, int64_t deadline_us)
{
	struct feed_file *file, *next;
	size_t count = 0;

	for (file = TAILQ_FIRST(&move->feed->files); file && count < TOGETHER_MAX; file = next) {
		next = TAILQ_NEXT(file, link);
		count += file->has_report;
		if (file->has_report || !is_to_move(file))
			continue;
		if (clock_monotonic_us() >= deadline_us)
			return 0;
		prepare(move, file);
		count++;
	}
	return 1;
}

static int sync_folders(const struct move *move, struct error *err)
{
	for (size_t i = 0; i < 2; i++)
		if (move->folders[i] >= 0 && directory_sync_open(move->folders[i], move->feed->path, err) != 0)
			return -1;
	return 0;
}

static int open_folders(struct move *move, struct error *err)
{
	const struct feed_file *file;

	TAILQ_FOREACH(file, &move->feed->files, link)
		if (file->has_report && folder_of(move, file, err) < 0)
			return -1;
	return 0;
}

static void rename_all(struct move *move)
{
	struct feed_file *file;
	struct error err;

	TAILQ_FOREACH(file, &move->feed->files, link) {
		const char *name = file->place.name;

		if (!file->has_report || renameat2(move->directory, name, move->folders[file->failed], file->new_name,
		                                   RENAME_NOREPLACE) == 0)
			continue;
		error_set_errno(&err, errno, "%s", name);
		spool_file_stick(file, &err);
	}
}

/* To their new places first, so that a power cut at no time leaves one in neither. The places of the next files are put on disk
 * later: one that was back in the spool then would be read again, over newer versions of its records. */
static int move_prepared(struct move *move, struct error *err)
{
	if (open_folders(move, err) != 0 || sync_folders(move, err) != 0)
		return -1;
	rename_all(move);
	return sync_folders(move, err) == 0 ? directory_sync_open(move->directory, move->feed->path, err) : -1;
}

static void tell_end(const struct feed_file *file)
{
	const struct ingest_summary *counts = &file->place.counts;
	const char *path = file->feed->path, *name = file->place.name;

	if (file->failed)
		log_error("feed", "%s/%s: %s; moved to failed", path, name, file->failure.message);
	else
		log_info("feed", "%s/%s: %llu accepted, %llu updated, %llu duplicates, %llu outdated, %llu rejected",
		         path, name, (unsigned long long)counts->accepted, (unsigned long long)counts->updated,
		         (unsigned long long)counts->duplicates, (unsigned long long)counts->outdated,
		         (unsigned long long)counts->rejected);
}

/* `why`: they could not be moved; or NULL. */
static void end_prepared(struct feed *feed, const struct error *why)
{
	struct feed_file *file, *next;

	for (file = TAILQ_FIRST(&feed->files); file; file = next) {
		next = TAILQ_NEXT(file, link);
		if (!file->has_report)
			continue;
		if (why) {
			spool_file_stick(file, why);
			continue;
		}
		tell_end(file);
		feed_file_free(file);
	}
}

void spool_move(struct feed *feed, int directory, int64_t deadline_us)
{
	struct move move = { .feed = feed, .directory = directory, .folders = { -1, -1 } };
	struct error err;

	if (prepare_all(&move, deadline_us)) {
		bool moved = move_prepared(&move, &err) == 0;

		end_prepared(feed, moved ? NULL : &err);
	}
	for (size_t i = 0; i < 2; i++)
		if (move.folders[i] >= 0)
			close(move.folders[i]);
}
