/* SPDX-License-Identifier: ISC */
/*
 * feed_scan.c: which files of a directory are next.
 *
 * A scan goes through the directory, in slices, and keeps the WINDOW oldest of the files that a feed looks for, which are then
 * read in this order before the next scan. So n files take n / WINDOW scans, whose memory is bounded.
 *
 * A file that is renamed meanwhile may be in no listing. Of a tail it would be passed for good, once a newer one is read: a scan
 * during which names have changed begins again.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/directory.h"
#include "feed/feed_private.h"

#define WINDOW ((size_t)1024)
#define ROOM (2 * WINDOW) /* when so many were found, the newer half is dropped */
#define SCANS_MAX 4       /* of a directory that does not keep still */

static int compare(const void *a, const void *b)
{
	const struct found_file *one = a, *other = b;
	int result = clock_compare(&one->time, &other->time);

	if (result == 0)
		result = one->is_last - other->is_last;
	return result ? result : strcmp(one->name, other->name);
}

/* In order, and no more than WINDOW of them. */
static void keep_oldest(struct feed_scan *scan)
{
	if (scan->count > 1)
		qsort(scan->files, scan->count, sizeof(*scan->files), compare);
	while (scan->count > WINDOW)
		free(scan->files[--scan->count].name);
}

static int add(struct feed_scan *scan, const char *name, const struct stat *found, struct error *err)
{
	if (scan->count == scan->room) {
		size_t room = scan->room ? scan->room * 2 : 64;
		struct found_file *files = realloc(scan->files, room * sizeof(*files));

		if (!files)
			return error_set(err, ERROR_NOMEM, "the files of a directory: out of memory");
		scan->files = files;
		scan->room = room;
	}
	char *copy = strdup(name);
	if (!copy)
		return error_set(err, ERROR_NOMEM, "the files of a directory: out of memory");
	scan->files[scan->count++] = (struct found_file){ .time = found->st_mtim,
		                                          .is_last = scan->last && strcmp(name, scan->last) == 0,
		                                          .inode = (uint64_t)found->st_ino,
		                                          .name = copy };
	if (scan->count == ROOM)
		keep_oldest(scan);
	return 0;
}

static int look_at(struct feed *feed, const char *name, struct error *err)
{
	struct feed_scan *scan = &feed->scan;
	const struct feed_filter *filter = scan->filter;
	struct stat found;

	if (strlen(name) > NAME_MAX || !filter->takes_name(feed, name))
		return 0;
	if (fstatat(dirfd(scan->dir), name, &found, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : error_set_errno(err, errno, "%s", name);
	if (!S_ISREG(found.st_mode) || (filter->takes_file && !filter->takes_file(feed, name, &found)))
		return 0;
	scan->waiting++;
	return add(scan, name, &found, err);
}

static int begin(struct feed *feed, int directory, const struct feed_filter *filter, struct error *err)
{
	struct feed_scan *scan = &feed->scan;
	int own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat now;

	feed_scan_end(scan);
	scan->filter = filter;
	scan->last = feed->kind == FEED_TAIL ? strrchr(feed->path, '/') + 1 : NULL;
	scan->dir = own >= 0 ? fdopendir(own) : NULL;
	if (scan->dir && fstat(dirfd(scan->dir), &now) == 0) {
		scan->begun = now.st_mtim;
		return 0;
	}
	error_set_errno(err, errno, "the directory of %s", feed->path);
	if (own >= 0 && !scan->dir)
		close(own);
	feed_scan_end(scan);
	return -1;
}

/* Of a directory of a tail, whose last scan this was not. */
static bool has_changed(const struct feed *feed)
{
	const struct feed_scan *scan = &feed->scan;
	struct stat now;

	return feed->kind == FEED_TAIL && scan->tries + 1 < SCANS_MAX && fstat(dirfd(scan->dir), &now) == 0 &&
	       clock_compare(&now.st_mtim, &scan->begun) != 0;
}

static int begin_again(struct feed *feed, int directory, struct error *err)
{
	size_t tries = feed->scan.tries + 1;

	if (begin(feed, directory, feed->scan.filter, err) != 0)
		return -1;
	feed->scan.tries = tries;
	return 0;
}

int feed_scan_step(struct feed *feed, int directory, const struct feed_filter *filter, int64_t deadline_us,
                   struct error *err)
{
	struct feed_scan *scan = &feed->scan;
	const char *name;
	int more;

	if (scan->filter == filter && scan->next < scan->count && !scan->dir)
		return 1;
	if ((!scan->dir || scan->filter != filter) && begin(feed, directory, filter, err) != 0)
		return -1;
	do {
		more = directory_next(scan->dir, feed->path, &name, err);
		if (more < 0 || (more > 0 && look_at(feed, name, err) != 0))
			goto fail;
	} while (more > 0 && clock_monotonic_us() < deadline_us);
	if (more > 0)
		return 0;
	if (has_changed(feed))
		return begin_again(feed, directory, err);
	closedir(scan->dir);
	scan->dir = NULL;
	keep_oldest(scan);
	return 1;
fail:
	feed_scan_end(scan);
	return -1;
}

const struct found_file *feed_scan_next(const struct feed_scan *scan)
{
	return !scan->dir && scan->next < scan->count ? &scan->files[scan->next] : NULL;
}

void feed_scan_drop(struct feed_scan *scan)
{
	free(scan->files[scan->next].name);
	scan->files[scan->next++].name = NULL;
	scan->waiting--;
}

void feed_scan_end(struct feed_scan *scan)
{
	if (scan->dir)
		closedir(scan->dir);
	for (size_t i = scan->next; i < scan->count; i++)
		free(scan->files[i].name);
	free(scan->files);
	*scan = (struct feed_scan){ .dir = NULL };
}
