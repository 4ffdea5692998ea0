/* SPDX-License-Identifier: ISC */
/*
 * tail.c: a file that grows and is rotated.
 *
 * When the path leads to another file, the old one is read to its end, which it is given a moment to reach; then the next one
 * (tail_files.c). It is begun before the commit that stores the end of the old one.
 */
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "feed/feed_private.h"

#define LOOK_EVERY_US CLOCK_US_PER_SECOND
#define STILL_US (2 * CLOCK_US_PER_SECOND) /* a rotated file that does not grow for so long is complete */

/* --- at the end of what there is --- */

/* Does the path lead to another file? As long as there is none, the old one may grow. */
static bool is_moved(const struct feed *feed)
{
	struct stat open_file, named;

	return fstat(feed->file->fd, &open_file) == 0 && stat(feed->path, &named) == 0 &&
	       (named.st_ino != open_file.st_ino || named.st_dev != open_file.st_dev);
}

/* No clock tells: that of a file server, which the file's times are of, may be another one. 1, 0; -1: not known before the next
 * step. */
static int is_still(struct feed *feed, int64_t deadline_us)
{
	if (feed->still_since_us != 0 && clock_monotonic_us() - feed->still_since_us >= STILL_US)
		return 1;
	return tail_is_followed(feed, deadline_us);
}

/* The next one is read while it waits for its commit. */
static void finish(struct feed *feed)
{
	struct feed_file *file = feed->file;

	feed->still_since_us = 0;
	feed->is_between = true;
	feed_file_finish(file);
	feed_commit(feed, ingest_batch_is_over(file->batch)); /* then nothing more is read before its end has come */
}

static void at_end(struct feed *feed, int64_t deadline_us)
{
	bool has_moved = is_moved(feed);
	int still = has_moved ? is_still(feed, deadline_us) : 0;

	if (still > 0) {
		finish(feed);
		return;
	}
	feed_commit(feed, true);
	if (still < 0) {
		feed_wake(feed, 0);
	} else if (has_moved && feed->still_since_us == 0) {
		feed->still_since_us = clock_monotonic_us();
		feed_wake(feed, STILL_US);
	} else {
		feed_wake(feed, LOOK_EVERY_US);
	}
}

/* --- one that was cut --- */

/* Has what was read of it gone, to be written from its beginning again? */
static bool is_cut(const struct feed *feed)
{
	const struct feed_file *file = feed->file;
	struct stat now;
	struct error err;

	if (fstat(file->fd, &now) != 0)
		return false;
	return (uint64_t)now.st_size < file->read_to ||
	       place_is_in(&file->place, file->fd, &now, feed->path, &err) == 0;
}

/* Looks for the place again, once all before it is stored: what had come since the last look may be in a copy. */
static void leave_cut(struct feed *feed)
{
	feed->was_cut = true; /* also if it has grown until then */
	feed_commit(feed, true);
	if (!feed_is_on_disk(feed))
		return;
	feed_stop(feed);
	feed_wake(feed, 0);
}

/* --- steps --- */

/* Will one that was read not be stored, as its end will say? Then no other one is begun. */
static bool waits_for_end(const struct feed *feed)
{
	const struct feed_file *file;

	TAILQ_FOREACH(file, &feed->files, link)
		if (file->batch && file->is_ending && ingest_batch_is_over(file->batch))
			return true;
	return false;
}

static bool waits_for_commit(const struct feed *feed)
{
	const struct feed_file *file;

	TAILQ_FOREACH(file, &feed->files, link)
		if (file->batch && file->is_ending)
			return true;
	return false;
}

static void take_result(struct feed *feed, enum feed_result result, int64_t deadline_us)
{
	if (ingest_batch_is_over(feed->file->batch))
		finish(feed); /* its end says why */
	else if (result == FEED_END)
		at_end(feed, deadline_us);
	else if (result == FEED_FULL)
		feed_wake(feed, FEED_FULL_US);
	else
		feed_wake(feed, 0);
}

static int read_on(struct feed *feed, int64_t deadline_us, struct error *err)
{
	uint64_t before = feed->file->read_to;

	if (feed->was_cut || is_cut(feed)) {
		leave_cut(feed);
		return 0;
	}
	enum feed_result result = feed_file_read(feed->file, deadline_us, err);

	if (result == FEED_FAILED)
		return -1;
	if (feed->file->read_to > before) {
		feed->still_since_us = 0;
		feed->told = false;
	}
	take_result(feed, result, deadline_us);
	return 0;
}

static bool has_room(const struct feed *feed)
{
	return feed->file || feed->files_count < FEED_FILES_MAX;
}

static int read_files(struct feed *feed, int64_t deadline_us, struct error *err)
{
	while (has_room(feed)) {
		int begun = feed->file ? 1 : tail_begin_next(feed, deadline_us, err);

		if (begun < 0 || (begun > 0 && read_on(feed, deadline_us, err) != 0))
			return -1;
		if (begun > 0 && (!feed->is_between || waits_for_end(feed)))
			return 0;
		if (clock_monotonic_us() >= deadline_us) {
			feed_wake(feed, 0);
			return 0;
		}
	}
	feed_commit(feed, true); /* whose end wakes the task */
	return 0;
}

/* Why a file that was read is not stored, or NULL. */
static const struct error *failure_of(const struct feed_file *file)
{
	return file->batch && !file->is_ending ? NULL : feed_file_failure(file);
}

/* Of the first one of those. */
static int check_ends(const struct feed *feed, struct error *err)
{
	const struct feed_file *file = TAILQ_FIRST(&feed->files);

	while (file && !failure_of(file))
		file = TAILQ_NEXT(file, link);
	if (!file)
		return 0;
	*err = *failure_of(file);
	if (err->code == ERROR_INVALID && !feed->told)
		log_error("feed", "%s: cannot be read: %s", feed->path, err->message);
	return -1;
}

/* Stops all, to begin again at the place that is stored; but not before what was read to its end is. */
static void take_failure(struct feed *feed, const struct error *err)
{
	bool is_missing = err->code == ERROR_NOT_FOUND; /* it will be made */

	if (waits_for_commit(feed)) {
		if (!is_missing)
			feed_tell(feed, err);
		feed_commit(feed, true);
		feed_wake(feed, LOOK_EVERY_US);
	} else if (is_missing) {
		feed_stop(feed);
		feed_wake(feed, LOOK_EVERY_US);
	} else {
		feed_retry(feed, err);
	}
}

void tail_step(struct feed *feed, int64_t deadline_us)
{
	struct error err;

	if (check_ends(feed, &err) != 0)
		feed_retry(feed, &err);
	else if (!waits_for_end(feed) && read_files(feed, deadline_us, &err) != 0)
		take_failure(feed, &err);
}
