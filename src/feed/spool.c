/* SPDX-License-Identifier: ISC */
/*
 * spool.c: a directory of whole files, one after the other, the oldest first.
 *
 * A file that was read goes to the folder `done`, one that could not be read as a whole (a header line that does not fit)
 * to `failed`, each with NAME.report.json beside it: the counts and errors that an import's answer has. The place says
 * that a file is finished before it is moved, so that one that a crash left behind is moved, and not read again.
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

#define LOOK_EVERY_US (5 * CLOCK_US_PER_SECOND)
#define NAMES_MAX 1000 /* files of one name in done */
#define UNFINISHED_REPORT ".report"
#define NAME_KEPT (NAME_MAX - (int)sizeof(".1000.report.json") + 1) /* bytes of a file's name, so that all fit */

static int open_directory(const struct feed *feed, struct error *err)
{
	int fd = open(feed->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 ? fd : error_set_errno(err, errno, "%s", feed->path);
}

/* --- the end of a file --- */

static void write_report(const struct feed *feed, struct buf *out)
{
	struct json j = json_to(out);

	json_object_begin(&j);
	json_member_text(&j, "file", feed->place.name);
	json_member_text(&j, "mapping", feed->settings.mapping);
	ingest_summary_write(&feed->place.counts, &j);
	if (feed->failed)
		json_member_text(&j, "failure", feed->failure.message);
	if (feed->answer.len > 0) {
		json_key(&j, "last_run");
		json_raw(&j, buf_str(&feed->answer));
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
 * After a crash the report may be this file's own, which was written and not followed by the file; it is written anew. The
 * end of a very long name is cut off.
 */
static int find_free_name(int folder, const char *name, bool is_after_crash, char new_name[300], struct error *err)
{
	char report[320];

	for (int i = 1; i <= NAMES_MAX; i++) {
		if (i == 1)
			snprintf(new_name, 300, "%.*s", NAME_KEPT, name);
		else
			snprintf(new_name, 300, "%.*s.%d", NAME_KEPT, name, i);
		(void)snprintf(report, sizeof(report), "%s.report.json", new_name);
		int taken = is_there(folder, new_name, err);
		if (taken == 0)
			taken = is_there(folder, report, err);
		if (taken > 0 && is_after_crash && is_own_report(folder, new_name, report, name))
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

static int put_report(const struct feed *feed, int folder, const char *report, struct error *err)
{
	struct buf text = { 0 };

	write_report(feed, &text);
	int result = text.failed ? error_set(err, ERROR_NOMEM, "%s: out of memory", report) :
	                           write_file(folder, UNFINISHED_REPORT, buf_str(&text), err);
	buf_free(&text);
	if (result == 0 && renameat(folder, UNFINISHED_REPORT, folder, report) != 0)
		result = error_set_errno(err, errno, "%s", report);
	return result == 0 ? directory_sync_open(folder, feed->path, err) : -1;
}

/* To its new place first, so that a power cut at no time leaves it in neither. The place of the next file is put on disk
 * later: one that was back in the spool then would be read again, over newer versions of its records. */
static int move_durably(const struct feed *feed, int from, int to, const char *name, struct error *err)
{
	if (renameat2(from, feed->place.name, to, name, RENAME_NOREPLACE) != 0)
		return error_set_errno(err, errno, "%s", feed->place.name);
	return directory_sync_open(to, feed->path, err) == 0 ? directory_sync_open(from, feed->path, err) : -1;
}

/* The report first: a file that was moved is not looked at again, so that its report could not be written later. */
static int move_with_report(const struct feed *feed, int directory, const char *folder, struct error *err)
{
	char name[300], report[320];
	int to = open_folder(feed, directory, folder, err);

	if (to < 0)
		return -1;
	int result = find_free_name(to, feed->place.name, feed->answer.len == 0, name, err);
	if (result == 0) {
		snprintf(report, sizeof(report), "%s.report.json", name);
		result = put_report(feed, to, report, err);
	}
	if (result == 0)
		result = move_durably(feed, directory, to, name, err);
	close(to);
	return result;
}

static int end_file(struct feed *feed, struct error *err)
{
	const char *folder = feed->failed ? "failed" : "done";
	const struct ingest_summary *counts = &feed->place.counts;
	int directory = open_directory(feed, err);

	if (directory < 0)
		return -1;
	int result = move_with_report(feed, directory, folder, err);
	close(directory);
	if (result != 0)
		return -1;
	if (feed->failed)
		log_error("feed", "%s/%s: %s; moved to failed", feed->path, feed->place.name, feed->failure.message);
	else
		log_info("feed", "%s/%s: %llu accepted, %llu updated, %llu duplicates, %llu outdated, %llu rejected",
		         feed->path, feed->place.name, (unsigned long long)counts->accepted,
		         (unsigned long long)counts->updated, (unsigned long long)counts->duplicates,
		         (unsigned long long)counts->outdated, (unsigned long long)counts->rejected);
	buf_clear(&feed->answer);
	feed_file_close(feed);
	feed->told = false;
	feed->moved = true;
	spool_scan_drop(&feed->scan, feed->place.name);
	return 0;
}

/* --- steps --- */

/* Opens a file; 1, or 0 if it is gone meanwhile, or no regular file any more. */
static int begin_file(struct feed *feed, int directory, const char *name, struct error *err)
{
	struct stat opened;
	/* What was a file a moment ago may be a pipe by now: opening it must not wait. */
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT ? 0 : error_set_errno(err, errno, "%s", name);
	if (fstat(fd, &opened) != 0 || !S_ISREG(opened.st_mode)) {
		close(fd);
		return 0;
	}
	if (feed->moved || strcmp(feed->place.name, name) != 0)
		feed->place.inode = 0;
	feed->moved = false;
	if (feed_file_begin(feed, fd, err) != 0)
		return -1;
	snprintf(feed->place.name, sizeof(feed->place.name), "%s", name);
	if (feed->place.finished) { /* before a crash: only to be moved */
		feed->failed = false;
		feed->ended = true;
	}
	return 1;
}

/* Is the file that was being read still there? It is read to its end even if older ones have come. 1, 0, -1. */
static int is_begun(const struct feed *feed, int directory, struct error *err)
{
	const struct place *place = &feed->place;
	struct stat found;

	if (feed->moved || place->inode == 0 || !place->name[0])
		return 0;
	if (fstatat(directory, place->name, &found, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : error_set_errno(err, errno, "%s", place->name);
	return (uint64_t)found.st_ino == place->inode;
}

enum looked { LOOKED_AND_FAILED = -1, LOOKED_AND_NOTHING, LOOKED_AND_FOUND, LOOKED_AND_MORE };

/* The next file of those found, or after another look at the directory. */
static enum looked look_for_next(struct feed *feed, int directory, int64_t deadline_us, struct error *err)
{
	int through = spool_scan_step(&feed->scan, directory, deadline_us, err);

	if (through <= 0)
		return through < 0 ? LOOKED_AND_FAILED : LOOKED_AND_MORE;
	const char *name = spool_scan_next(&feed->scan);
	if (!name)
		return feed->scan.changed ? LOOKED_AND_MORE : LOOKED_AND_NOTHING;
	int begun = begin_file(feed, directory, name, err);
	if (begun == 0)
		spool_scan_drop(&feed->scan, name);
	return begun < 0 ? LOOKED_AND_FAILED : begun == 0 ? LOOKED_AND_MORE : LOOKED_AND_FOUND;
}

/* The file that was begun before, or the next one. */
static enum looked look(struct feed *feed, int64_t deadline_us, struct error *err)
{
	char name[sizeof(feed->place.name)];
	int directory = open_directory(feed, err), begun;
	enum looked result = LOOKED_AND_FAILED;

	if (directory < 0)
		return result;
	begun = place_load(feed, err) == 0 ? is_begun(feed, directory, err) : -1;
	memcpy(name, feed->place.name, sizeof(name));
	if (begun > 0)
		begun = begin_file(feed, directory, name, err);
	if (begun == 0)
		result = look_for_next(feed, directory, deadline_us, err);
	else if (begun > 0)
		result = LOOKED_AND_FOUND;
	close(directory);
	return result;
}

/* What the reading of a file has come to: a failure of the machine is tried again, one of the file's is not. */
static void take_end(struct feed *feed)
{
	struct error err;

	if (feed->failed && feed->failure.code != ERROR_INVALID) {
		feed_retry(feed, &feed->failure);
		return;
	}
	if (end_file(feed, &err) != 0)
		feed_retry(feed, &err);
	else
		feed_wake(feed, 0);
}

static void read_on(struct feed *feed, int64_t deadline_us)
{
	struct error err;

	switch (feed_file_read(feed, deadline_us, &err)) {
	case FEED_FAILED:
		feed_retry(feed, &err);
		break;
	case FEED_END:
		feed_file_finish(feed);
		break;
	case FEED_FULL:
		feed_wake(feed, FEED_FULL_US);
		break;
	default:
		feed_wake(feed, 0);
	}
}

void spool_step(struct feed *feed, int64_t deadline_us)
{
	enum looked looked = LOOKED_AND_FOUND;
	struct error err;

	if (feed->ending)
		return;
	if (feed->fd < 0)
		looked = look(feed, deadline_us, &err);
	if (looked == LOOKED_AND_NOTHING)
		feed->told = false; /* what was wrong is not any more */
	if (looked == LOOKED_AND_FAILED)
		feed_retry(feed, &err);
	else if (looked != LOOKED_AND_FOUND)
		feed_wake(feed, looked == LOOKED_AND_MORE ? 0 : LOOK_EVERY_US);
	else if (feed->ended)
		take_end(feed);
	else
		read_on(feed, deadline_us);
}
