/* SPDX-License-Identifier: ISC */
/*
 * tail.c: a file that grows and is rotated.
 *
 * The place names the file by its inode and its first bytes, whatever it is called meanwhile. When the path leads to
 * another file, the old one is read to its end, which it is given a moment to reach; then the next one in order of their
 * last change, of those in the directory whose names begin alike: Master.csv.2, Master.csv.1, Master.csv. Compressed ones
 * are none of them. It is begun before the commit that stores the end of the old one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/log.h"
#include "feed/feed_private.h"

#define LOOK_EVERY_US CLOCK_US_PER_SECOND
#define STILL_US (2 * CLOCK_US_PER_SECOND) /* a rotated file that does not grow for so long is complete */

/* --- the files of the directory --- */

struct search {
	const struct feed *feed;
	uint64_t inode;            /* that is looked for; 0: the next one after those that the feed has passed, */
	const struct stat *before; /* and, if this is not NULL, after this one and other than what the path leads to */
	char name[256];            /* of what was found; empty: nothing */
	struct timespec time;
};

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* The place of an inode among those passed; their number if it is none of them. */
static size_t find_passed(const struct feed *feed, uint64_t inode)
{
	const char *passed = feed->passed.data;
	size_t count = feed->passed.len / sizeof(inode);

	for (size_t i = 0; i < count; i++)
		if (memcmp(passed + i * sizeof(inode), &inode, sizeof(inode)) == 0)
			return i;
	return count;
}

/* The last one that was read and waits for its commit, or NULL. */
static const struct feed_file *last_read(const struct feed *feed)
{
	const struct feed_file *last = TAILQ_LAST(&feed->files, feed_files);

	return last && last == feed->file ? TAILQ_PREV(last, feed_files, link) : last;
}

/* Was the inode read, among those that wait or are passed? */
static bool is_read(const struct feed *feed, uint64_t inode)
{
	const struct feed_file *file;

	TAILQ_FOREACH(file, &feed->files, link)
		if (file != feed->file && (uint64_t)file->stat.st_ino == inode)
			return true;
	return find_passed(feed, inode) < feed->passed.len / sizeof(inode);
}

/* Files may have the same time: copied ones, or one that was rotated before anything was written to it. */
static bool is_passed(const struct feed *feed, const struct stat *found)
{
	const struct feed_file *last = last_read(feed);
	size_t count = feed->passed.len / sizeof(uint64_t);
	const struct timespec *time = last ? &last->stat.st_mtim : &feed->passed_time;
	bool is_last = last ? found->st_ino == last->stat.st_ino :
	                      count > 0 && find_passed(feed, (uint64_t)found->st_ino) == count - 1;

	/* The last one even if it has grown since, as it has ended. */
	if (is_before(&found->st_mtim, time) || is_last)
		return true;
	return !is_before(time, &found->st_mtim) && is_read(feed, (uint64_t)found->st_ino);
}

/* As many as there are files in the directory, at most. Without memory it is read again if another one has its very time. */
static void pass(struct feed *feed, const struct stat *ended)
{
	uint64_t inode = (uint64_t)ended->st_ino;

	if (is_before(&feed->passed_time, &ended->st_mtim))
		buf_clear(&feed->passed);
	size_t at = find_passed(feed, inode) * sizeof(inode);
	if (at < feed->passed.len) {
		memmove(feed->passed.data + at, feed->passed.data + at + sizeof(inode),
		        feed->passed.len - at - sizeof(inode));
		feed->passed.len -= sizeof(inode);
	}
	feed->passed.failed = false; /* there may be memory again */
	if (buf_reserve(&feed->passed, sizeof(inode)))
		buf_add(&feed->passed, &inode, sizeof(inode));
	feed->passed_time = ended->st_mtim;
}

void tail_pass(struct feed *feed)
{
	struct feed_file *file, *next;

	for (file = TAILQ_FIRST(&feed->files); file; file = next) {
		next = TAILQ_NEXT(file, link);
		if (file == feed->file || file->failed || !file->place.finished || file->dirty)
			continue;
		pass(feed, &file->stat);
		if (file->has_ended)
			feed_file_free(file);
	}
}

static bool is_compressed(const char *name)
{
	static const char *const ends[] = { ".gz", ".bz2", ".xz", ".zst" };
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (len > strlen(ends[i]) && strcmp(name + len - strlen(ends[i]), ends[i]) == 0)
			return true;
	return false;
}

static const char *base_of(const struct feed *feed)
{
	return strrchr(feed->path, '/') + 1;
}

static bool is_rotated_after(const struct search *search, const char *name, const struct stat *found)
{
	return strcmp(name, base_of(search->feed)) != 0 && found->st_ino != search->before->st_ino &&
	       !is_before(&found->st_mtim, &search->before->st_mtim);
}

/* Of files of one time, that of the path is the last one. */
static bool is_after(const struct search *search, const struct stat *found)
{
	if (is_before(&search->time, &found->st_mtim))
		return true;
	return !is_before(&found->st_mtim, &search->time) && strcmp(search->name, base_of(search->feed)) != 0;
}

static int look_at(struct search *search, int directory, const char *name, struct error *err)
{
	const char *base = base_of(search->feed);
	struct stat found;

	if (strncmp(name, base, strlen(base)) != 0 || is_compressed(name) || strlen(name) >= sizeof(search->name))
		return 0;
	if (fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : error_set_errno(err, errno, "%s", name);
	if (!S_ISREG(found.st_mode) ||
	    (search->inode ? (uint64_t)found.st_ino != search->inode : is_passed(search->feed, &found)) ||
	    (search->before && !is_rotated_after(search, name, &found)) ||
	    (search->name[0] && is_after(search, &found)))
		return 0;
	snprintf(search->name, sizeof(search->name), "%s", name);
	search->time = found.st_mtim;
	return 0;
}

static DIR *open_directory(const struct feed *feed, char path[FEED_PATH_MAX + 1], struct error *err)
{
	memcpy(path, feed->path, FEED_PATH_MAX + 1);
	path[base_of(feed) - feed->path] = '\0';
	DIR *dir = opendir(path);
	if (!dir)
		error_set_errno(err, errno, "%s", path);
	return dir;
}

/* 0, or -1 with ERROR_NOT_FOUND if there is nothing. */
static int look_through(struct search *search, DIR *dir, const char *directory, struct error *err)
{
	const char *name;
	int more;

	while ((more = directory_next(dir, directory, &name, err)) > 0)
		if (look_at(search, dirfd(dir), name, err) != 0)
			return -1;
	if (more == 0 && !search->name[0])
		return error_set(err, ERROR_NOT_FOUND, "%s: there is no such file", search->feed->path);
	return more;
}

/* Opens what is found: its descriptor, or -1 with ERROR_NOT_FOUND if there is nothing. Any other error means that there may
 * be something: to read on elsewhere would lose its rows. */
static int open_found(struct search *search, struct error *err)
{
	char directory[FEED_PATH_MAX + 1];
	DIR *dir = open_directory(search->feed, directory, err);

	if (!dir)
		return -1;
	int fd = look_through(search, dir, directory, err);
	if (fd == 0 && (fd = openat(dirfd(dir), search->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		error_set_errno(err, errno, "%s", search->name);
	closedir(dir);
	return fd;
}

/* Was another file rotated after the one that is open? Then nobody writes to it any more. */
static bool is_followed(const struct feed *feed)
{
	char directory[FEED_PATH_MAX + 1];
	struct stat open_file;
	struct search search = { .feed = feed, .before = &open_file };
	struct error err;
	DIR *dir = fstat(feed->file->fd, &open_file) == 0 ? open_directory(feed, directory, &err) : NULL;

	if (!dir)
		return false;
	bool found = look_through(&search, dir, directory, &err) == 0;
	closedir(dir);
	return found;
}

static int open_path(const struct feed *feed, struct error *err)
{
	int fd = open(feed->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat found;

	if (fd < 0)
		return error_set(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "%s: %s", feed->path,
		                 strerror(errno));
	if (fstat(fd, &found) == 0 && S_ISREG(found.st_mode))
		return fd;
	close(fd);
	return error_set(err, ERROR_INVALID, "%s: no regular file", feed->path);
}

/* --- at the beginning --- */

/* The file that the place is in, by whatever name; otherwise that of the path. */
static int open_place(const struct feed *feed, const struct place *place, struct error *err)
{
	struct search search = { .feed = feed, .inode = place->inode };
	int fd = open_path(feed, err);
	struct error why = { .code = ERROR_NONE };
	struct stat stat;

	if (place->inode == 0 || (fd >= 0 && fstat(fd, &stat) == 0 && (uint64_t)stat.st_ino == place->inode))
		return fd;
	int old = open_found(&search, &why);
	int is_in = old >= 0 && fstat(old, &stat) == 0 ? place_is_in(place, old, &stat, search.name, &why) : 0;
	if (old >= 0 && is_in <= 0)
		close(old);
	if ((old >= 0 && is_in != 0) || (old < 0 && why.code != ERROR_NOT_FOUND)) {
		if (fd >= 0)
			close(fd);
		*err = why;
		return is_in > 0 ? old : -1;
	}
	if (fd >= 0 && !place->finished)
		log_error("feed", "%s: the file that was read to byte %llu is gone; what it had after that is lost",
		          feed->path, (unsigned long long)place->offset);
	return fd;
}

static int begin(struct feed *feed, struct error *err)
{
	if (places_load(feed, err) != 0)
		return -1;
	struct feed_file *file = TAILQ_FIRST(&feed->files);
	if (!file && !(file = feed_file_new(feed, err)))
		return -1;
	int fd = open_place(feed, &file->place, err);
	return fd < 0 ? -1 : feed_file_begin(file, fd, err);
}

/* --- at the end of what there is --- */

enum rotation { ROTATION_NONE, ROTATION_MOVED, ROTATION_CUT };

static enum rotation find_rotation(struct feed *feed)
{
	struct stat open_file, named;

	if (fstat(feed->file->fd, &open_file) != 0)
		return ROTATION_NONE;
	if ((uint64_t)open_file.st_size < feed->file->read_to)
		return ROTATION_CUT;
	if (stat(feed->path, &named) != 0 || (named.st_ino == open_file.st_ino && named.st_dev == open_file.st_dev))
		return ROTATION_NONE; /* as long as there is no new one, the old one may grow */
	return ROTATION_MOVED;
}

/* From its beginning, instead of the one that was read. */
static int begin_new(struct feed *feed, int fd, struct error *err)
{
	struct feed_file *file = feed_file_new(feed, err);

	if (!file) {
		close(fd);
		return -1;
	}
	if (feed_file_begin(file, fd, err) != 0) {
		feed_file_free(file);
		return -1;
	}
	feed->is_between = false;
	return 0;
}

/* The file that comes after the last one. */
static int begin_next(struct feed *feed, struct error *err)
{
	struct search search = { .feed = feed };
	int fd = open_found(&search, err);

	if (fd < 0 && err->code == ERROR_NOT_FOUND)
		fd = open_path(feed, err);
	return fd < 0 ? -1 : begin_new(feed, fd, err);
}

/* It was emptied, to be written from its beginning again: what had come since the last look is not known. */
static int begin_again(struct feed *feed, struct error *err)
{
	log_warn("feed", "%s: has become shorter than what was read of it; reading it from its beginning", feed->path);
	feed_stop(feed);
	int fd = open_path(feed, err);
	return fd < 0 ? -1 : begin_new(feed, fd, err);
}

/* No clock tells: that of a file server, which the file's times are of, may be another one. */
static bool is_still(const struct feed *feed)
{
	if (feed->still_since_us != 0 && clock_monotonic_us() - feed->still_since_us >= STILL_US)
		return true;
	return is_followed(feed);
}

/* The next one is read while it waits for its commit. */
static void finish(struct feed *feed)
{
	struct feed_file *file = feed->file;
	struct stat ended;

	if (fstat(file->fd, &ended) == 0)
		file->stat = ended;
	feed->still_since_us = 0;
	feed->is_between = true;
	feed_file_finish(file);
	feed_commit(feed, ingest_batch_is_over(file->batch)); /* then nothing more is read before its end has come */
}

static void at_end(struct feed *feed)
{
	enum rotation rotation = find_rotation(feed);
	struct error err;

	if (rotation == ROTATION_MOVED && is_still(feed)) {
		finish(feed);
		return;
	}
	feed_commit(feed, true);
	if (rotation == ROTATION_CUT && !feed_is_on_disk(feed))
		return;
	if (rotation == ROTATION_CUT && begin_again(feed, &err) != 0) {
		feed_retry(feed, &err);
	} else if (rotation == ROTATION_MOVED && feed->still_since_us == 0) {
		feed->still_since_us = clock_monotonic_us();
		feed_wake(feed, STILL_US);
	} else {
		feed_wake(feed, rotation == ROTATION_CUT ? 0 : LOOK_EVERY_US);
	}
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

static void take_result(struct feed *feed, enum feed_result result)
{
	if (ingest_batch_is_over(feed->file->batch))
		finish(feed); /* its end says why */
	else if (result == FEED_END)
		at_end(feed);
	else if (result == FEED_FULL)
		feed_wake(feed, FEED_FULL_US);
	else
		feed_wake(feed, 0);
}

static int read_on(struct feed *feed, int64_t deadline_us, struct error *err)
{
	uint64_t before = feed->file->read_to;
	enum feed_result result = feed_file_read(feed->file, deadline_us, err);

	if (result == FEED_FAILED)
		return -1;
	if (feed->file->read_to > before) {
		feed->still_since_us = 0;
		feed->told = false;
	}
	take_result(feed, result);
	return 0;
}

static bool has_room(const struct feed *feed)
{
	return feed->file || feed->files_count < FEED_FILES_MAX;
}

static int begin_any(struct feed *feed, struct error *err)
{
	return feed->is_between ? begin_next(feed, err) : begin(feed, err);
}

static int read_files(struct feed *feed, int64_t deadline_us, struct error *err)
{
	while (has_room(feed)) {
		if ((!feed->file && begin_any(feed, err) != 0) || read_on(feed, deadline_us, err) != 0)
			return -1;
		if (!feed->is_between || waits_for_end(feed))
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
