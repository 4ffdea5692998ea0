/* SPDX-License-Identifier: ISC */
/*
 * spool.c: a directory of whole files, the oldest first.
 *
 * Each file is a batch. When one was read to its end, the next one is begun, so that a commit takes as many files as are
 * read until it is asked for, or while another one is under way: one of a cluster takes as long for few records as for many.
 * After the commit that decides about their ends, files are moved (spool_end.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "feed/feed_private.h"

#define LOOK_EVERY_US (5 * CLOCK_US_PER_SECOND)

static int open_directory(const struct feed *feed, struct error *err)
{
	int fd = open(feed->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 ? fd : error_set_errno(err, errno, "%s", feed->path);
}

/* --- the file that is read --- */

static enum spool_next read_on(struct feed *feed, int64_t deadline_us, struct error *err)
{
	switch (feed_file_read(feed->file, deadline_us, err)) {
	case FEED_FAILED:
		return SPOOL_FAILED;
	case FEED_END:
		feed_file_finish(feed->file);
		feed_commit(feed, false);
		return SPOOL_MORE;
	case FEED_FULL:
		return SPOOL_WAITS;
	default:
		return SPOOL_MORE;
	}
}

void spool_close(struct feed *feed)
{
	struct feed_file *file = feed->file;
	struct error err;

	/* Where commits end at once, what is stored is not read, and counted, again. */
	if (file->dirty && !ingest_ends_later(feed->feeds->ingest))
		MAY_FAIL(ingest_commit(feed->feeds->ingest, &err));
	feed_file_stop(file);
	if (file->stored.len > 0)
		return;
	feed_file_free(file);
	feed_scan_end(&feed->scan); /* the next one finds it again */
}

/* 1; 0 if it is gone meanwhile, or no regular file any more; -1. */
static int open_file(int directory, const char *name, int *fd, struct stat *opened, struct error *err)
{
	/* What was a file a moment ago may be a pipe by now: opening it must not wait. */
	*fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (*fd < 0)
		return errno == ENOENT ? 0 : error_set_errno(err, errno, "%s", name);
	if (fstat(*fd, opened) == 0 && S_ISREG(opened->st_mode))
		return 1;
	close(*fd);
	return 0;
}

static enum spool_next begin_file(struct feed *feed, int directory, const char *name, struct error *err)
{
	struct stat opened;
	int fd, is_open = open_file(directory, name, &fd, &opened, err);

	if (is_open < 0) { /* it does not hold up the others */
		feed->skipped_us = clock_monotonic_us();
		feed_tell(feed, err);
	}
	if (is_open <= 0)
		return SPOOL_MORE;
	struct feed_file *file = feed_file_new(feed, err);
	if (!file) {
		close(fd);
		return SPOOL_FAILED;
	}
	if (feed_file_begin(file, fd, err) != 0)
		return SPOOL_FAILED;
	snprintf(file->place.name, sizeof(file->place.name), "%s", name);
	return SPOOL_MORE;
}

/* Reads on from the place that is stored, as after a crash. What was replaced meanwhile, or taken away, is dropped. */
static enum spool_next resume(int directory, struct feed_file *file, struct error *err)
{
	struct stat opened;
	int fd;

	if (place_take_back(file, err) != 0)
		return SPOOL_FAILED;
	if (file->place.finished) { /* only to be moved */
		file->failed = false;
		file->has_ended = true;
		return SPOOL_MORE;
	}
	int is_open = open_file(directory, file->place.name, &fd, &opened, err);
	if (is_open < 0) {
		spool_file_stick(file, err);
		return SPOOL_MORE;
	}
	int is_in = is_open > 0 ? place_is_in(&file->place, fd, &opened, file->place.name, err) : 0;
	if (is_in > 0)
		return feed_file_begin(file, fd, err) == 0 ? SPOOL_MORE : SPOOL_FAILED;
	if (is_open > 0)
		close(fd);
	if (is_in == 0)
		feed_file_free(file);
	return is_in == 0 ? SPOOL_MORE : SPOOL_FAILED;
}

/* --- which file is next --- */

/* Not those that begin with a point, as programs call files that are not whole yet. */
static bool takes_name(const struct feed *feed, const char *name)
{
	(void)feed;
	return name[0] != '.';
}

static const struct feed_filter all_files = { .takes_name = takes_name };

/* One that is read to its end even if older ones have come. */
static struct feed_file *next_begun(const struct feed *feed)
{
	struct feed_file *file;

	TAILQ_FOREACH(file, &feed->files, link)
		if (!file->batch && !file->has_ended && !spool_file_is_stuck(file))
			return file;
	return NULL;
}

static const struct feed_file *find(const struct feed *feed, const char *name)
{
	const struct feed_file *file;

	TAILQ_FOREACH(file, &feed->files, link)
		if (strcmp(file->place.name, name) == 0)
			return file;
	return NULL;
}

/* Before all that were found are moved, another look would find them again. */
static bool may_look(const struct feed *feed)
{
	const struct feed_file *file;

	TAILQ_FOREACH(file, &feed->files, link)
		if (!file->stuck_us)
			return false;
	return true;
}

static bool is_told_of(const struct feed *feed)
{
	return feed->skipped_us || !TAILQ_EMPTY(&feed->files);
}

/* Looks at the directory again. */
static enum spool_next look(struct feed *feed, int directory, int64_t deadline_us, struct error *err)
{
	bool begins = !feed->scan.dir;
	bool rests = feed->skipped_us && clock_monotonic_us() - feed->skipped_us < FEED_RETRY_US;

	if (begins && rests && !feed->scan.changed)
		return SPOOL_NOTHING;
	if (begins)
		feed->skipped_us = 0;
	int through = feed_scan_step(feed, directory, &all_files, deadline_us, err);
	if (through < 0)
		return SPOOL_FAILED;
	if (through == 0 || feed_scan_next(&feed->scan) || feed->scan.changed)
		return SPOOL_MORE;
	feed->told = feed->told && is_told_of(feed); /* what was wrong is not any more */
	return SPOOL_NOTHING;
}

/* The next file of those found, or after another look at the directory. */
static enum spool_next begin_next(struct feed *feed, int directory, int64_t deadline_us, struct error *err)
{
	const struct found_file *next = feed_scan_next(&feed->scan);
	char name[sizeof(feed->file->place.name)];

	if (feed->files_count >= FEED_FILES_MAX || (!next && !may_look(feed))) {
		feed_commit(feed, true);
		return SPOOL_WAITS;
	}
	if (!next)
		return look(feed, directory, deadline_us, err);
	snprintf(name, sizeof(name), "%s", next->name);
	feed_scan_drop(&feed->scan);
	if (!find(feed, name))
		return begin_file(feed, directory, name, err);
	feed->skipped_us = clock_monotonic_us();
	return SPOOL_MORE;
}

/* --- steps --- */

static enum spool_next read_next(struct feed *feed, int directory, int64_t deadline_us, struct error *err)
{
	struct feed_file *file;

	if (feed->file)
		return read_on(feed, deadline_us, err);
	file = next_begun(feed);
	return file ? resume(directory, file, err) : begin_next(feed, directory, deadline_us, err);
}

static enum spool_next read_files(struct feed *feed, int directory, int64_t deadline_us, struct error *err)
{
	enum spool_next next;

	do
		next = read_next(feed, directory, deadline_us, err);
	while (next == SPOOL_MORE && clock_monotonic_us() < deadline_us);
	return next;
}

/* The files that a stop or a crash left. */
static int load(struct feed *feed, struct error *err)
{
	struct feed_file *file;

	if (feed->is_loaded)
		return 0;
	feed->is_loaded = places_load(feed, err) == 0;
	while (!feed->is_loaded && (file = TAILQ_FIRST(&feed->files)))
		feed_file_free(file);
	return feed->is_loaded ? 0 : -1;
}

/* What has failed for another reason than the file itself, or NULL. */
static const struct error *failure_of(const struct feed_file *file)
{
	if (file->batch)
		return ingest_batch_failure(file->batch);
	return file->has_ended && file->failed && file->failure.code != ERROR_INVALID ? &file->failure : NULL;
}

/* Where one has failed, those after it are read again as well, so that none is stored before it. */
static int check_all(const struct feed *feed, struct error *err)
{
	const struct feed_file *file;

	TAILQ_FOREACH(file, &feed->files, link) {
		const struct error *failure = failure_of(file);

		if (!failure)
			continue;
		*err = *failure;
		return -1;
	}
	return 0;
}

/* Files are moved while a commit decides about others, and in turns with reading. */
static enum spool_next read_or_move(struct feed *feed, int directory, int64_t deadline_us, struct error *err)
{
	enum spool_next next = SPOOL_MORE;

	if (load(feed, err) != 0 || check_all(feed, err) != 0)
		return SPOOL_FAILED;
	feed->moves = !feed->moves && spool_has_to_move(feed);
	if (feed->moves)
		spool_move(feed, directory, deadline_us);
	else
		next = read_files(feed, directory, deadline_us, err);
	return next > SPOOL_MORE && spool_has_to_move(feed) ? SPOOL_MORE : next;
}

void spool_step(struct feed *feed, int64_t deadline_us)
{
	static const int64_t pauses_us[] = {
		[SPOOL_MORE] = 0, [SPOOL_WAITS] = FEED_FULL_US, [SPOOL_NOTHING] = LOOK_EVERY_US
	};
	struct error err;
	int directory = open_directory(feed, &err);
	enum spool_next next = directory >= 0 ? read_or_move(feed, directory, deadline_us, &err) : SPOOL_FAILED;

	if (directory >= 0)
		close(directory);
	if (next == SPOOL_FAILED)
		feed_retry(feed, &err);
	else
		feed_wake(feed, pauses_us[next]);
}
