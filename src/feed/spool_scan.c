/* SPDX-License-Identifier: ISC */
/*
 * spool_scan.c: which files of a spool are next.
 *
 * A scan goes through the directory, in slices, and keeps the WINDOW oldest files, which are then read in this order
 * before the next scan. So a spool of n files takes n / WINDOW scans, whose memory is bounded.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/directory.h"
#include "feed/feed_private.h"

#define WINDOW ((size_t)1024)
#define ROOM (2 * WINDOW) /* when so many were found, the newer half is dropped */

static int compare_times(const struct timespec *a, const struct timespec *b)
{
	if (a->tv_sec != b->tv_sec)
		return a->tv_sec < b->tv_sec ? -1 : 1;
	return a->tv_nsec < b->tv_nsec ? -1 : a->tv_nsec > b->tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const struct spool_file *one = a, *other = b;
	int result = compare_times(&one->time, &other->time);

	return result ? result : strcmp(one->name, other->name);
}

/* In order, and no more than WINDOW of them. */
static void keep_oldest(struct spool_scan *scan)
{
	if (scan->count > 1)
		qsort(scan->files, scan->count, sizeof(*scan->files), compare);
	while (scan->count > WINDOW)
		free(scan->files[--scan->count].name);
}

static int add(struct spool_scan *scan, const char *name, const struct timespec *time, struct error *err)
{
	if (scan->count == scan->room) {
		size_t room = scan->room ? scan->room * 2 : 64;
		struct spool_file *files = realloc(scan->files, room * sizeof(*files));

		if (!files)
			return error_set(err, ERROR_NOMEM, "the spool's files: out of memory");
		scan->files = files;
		scan->room = room;
	}
	char *copy = strdup(name);
	if (!copy)
		return error_set(err, ERROR_NOMEM, "the spool's files: out of memory");
	scan->files[scan->count++] = (struct spool_file){ *time, copy };
	if (scan->count == ROOM)
		keep_oldest(scan);
	return 0;
}

/* Not those that begin with a point, as programs call files that are not whole yet. */
static int look_at(struct spool_scan *scan, const char *name, struct error *err)
{
	struct stat found;

	if (name[0] == '.')
		return 0;
	if (fstatat(dirfd(scan->dir), name, &found, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : error_set_errno(err, errno, "%s", name);
	if (!S_ISREG(found.st_mode))
		return 0;
	scan->waiting++;
	return add(scan, name, &found.st_mtim, err);
}

static int begin(struct spool_scan *scan, int directory, struct error *err)
{
	int own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	spool_scan_end(scan);
	scan->dir = own >= 0 ? fdopendir(own) : NULL;
	if (scan->dir)
		return 0;
	error_set_errno(err, errno, "the spool");
	if (own >= 0)
		close(own);
	return -1;
}

int spool_scan_step(struct spool_scan *scan, int directory, int64_t deadline_us, struct error *err)
{
	const char *name;
	int more;

	if (scan->next < scan->count && !scan->dir)
		return 1;
	if (!scan->dir && begin(scan, directory, err) != 0)
		return -1;
	do {
		more = directory_next(scan->dir, "the spool", &name, err);
		if (more < 0 || (more > 0 && look_at(scan, name, err) != 0))
			goto fail;
	} while (more > 0 && clock_monotonic_us() < deadline_us);
	if (more > 0)
		return 0;
	closedir(scan->dir);
	scan->dir = NULL;
	keep_oldest(scan);
	return 1;
fail:
	spool_scan_end(scan);
	return -1;
}

const char *spool_scan_next(const struct spool_scan *scan)
{
	return !scan->dir && scan->next < scan->count ? scan->files[scan->next].name : NULL;
}

void spool_scan_drop(struct spool_scan *scan)
{
	free(scan->files[scan->next].name);
	scan->files[scan->next++].name = NULL;
	scan->waiting--;
}

void spool_scan_end(struct spool_scan *scan)
{
	if (scan->dir)
		closedir(scan->dir);
	for (size_t i = scan->next; i < scan->count; i++)
		free(scan->files[i].name);
	free(scan->files);
	*scan = (struct spool_scan){ .dir = NULL };
}
