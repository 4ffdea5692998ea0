/* SPDX-License-Identifier: ISC */
/*
 * tail_files.c: which file of a tail is next.
 *
 * A place names its file by the inode and bytes before it, whatever it is called meanwhile. The next one follows in order of
 * their last change, of those in the directory whose names begin alike: Master.csv.2, Master.csv.1, Master.csv. Compressed ones
 * are none of them. Those of one time come in any order, so that the inodes of those that were read are kept, with the place.
 *
 * A file that was copied and emptied (logrotate's copytruncate) is read on in its copy. That it is the same one its inode tells,
 * unless it was made after the place was noted: then the inode was given to another one, and what the place is in is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "feed/feed_private.h"

static const char *base_of(const struct feed *feed)
{
	return strrchr(feed->path, '/') + 1;
}

/* --- files that were read --- */

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

/* Has it been read to its end, so that it waits for its commit or has had it? */
static bool has_been_read(const struct feed_file *file)
{
	return file != file->feed->file && (file->batch || file->has_ended);
}

/* The last one of those that wait, or NULL. */
static const struct feed_file *last_read(const struct feed *feed)
{
	const struct feed_file *last = TAILQ_LAST(&feed->files, feed_files);

	while (last && !has_been_read(last))
		last = TAILQ_PREV(last, feed_files, link);
	return last;
}

/* Was the inode read, among those that wait or are passed? */
static bool is_read(const struct feed *feed, uint64_t inode)
{
	const struct feed_file *file;

	TAILQ_FOREACH(file, &feed->files, link)
		if (has_been_read(file) && (uint64_t)file->stat.st_ino == inode)
			return true;
	return find_passed(feed, inode) < feed->passed.len / sizeof(inode);
}

static bool is_last_passed(const struct feed *feed, uint64_t inode)
{
	const struct buf *passed = &feed->passed;

	return passed->len > 0 && memcmp(passed->data + passed->len - sizeof(inode), &inode, sizeof(inode)) == 0;
}

static const struct timespec *last_time(const struct feed *feed)
{
	const struct feed_file *last = last_read(feed);

	return last ? &last->stat.st_mtim : &feed->passed_time;
}

/* Of one that is not older than the last one. Files may have the same time: copied ones, or one that was rotated before anything
 * was written to it. */
static bool was_read(const struct feed *feed, const struct timespec *found, uint64_t inode)
{
	const struct feed_file *last = last_read(feed);
	bool is_last = last ? inode == (uint64_t)last->stat.st_ino : is_last_passed(feed, inode);

	/* The last one even if it has grown since, as it has ended. */
	return is_last || (clock_compare(last_time(feed), found) >= 0 && is_read(feed, inode));
}

static bool is_passed(const struct feed *feed, const struct timespec *found, uint64_t inode)
{
	return clock_compare(found, last_time(feed)) < 0 || was_read(feed, found, inode);
}

/* As many as there are files in the directory, at most. Without memory it is read again if another one has its very time. */
static void pass(struct feed *feed, const struct stat *ended)
{
	uint64_t inode = (uint64_t)ended->st_ino;

	if (clock_compare(&feed->passed_time, &ended->st_mtim) < 0)
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
		if (!has_been_read(file) || file->failed || !file->place.finished || file->dirty)
			continue;
		if (!file->is_passed)
			pass(feed, &file->stat);
		file->is_passed = true;
		if (file->has_ended)
			feed_file_free(file);
	}
}

void tail_add_passed(const struct feed_file *file, const struct timespec *time, struct buf *out)
{
	const struct feed *feed = file->feed;
	const struct feed_file *before;

	if (clock_compare(time, &feed->passed_time) == 0)
		buf_add_str(out, buf_str(&feed->passed));
	TAILQ_FOREACH(before, &feed->files, link) {
		uint64_t inode = (uint64_t)before->stat.st_ino;

		if (before == file)
			break;
		if (clock_compare(time, &before->stat.st_mtim) == 0 && !before->is_passed)
			buf_add(out, &inode, sizeof(inode));
	}
}

/* --- files that are there --- */

static bool is_compressed(const char *name)
{
	static const char *const ends[] = { ".gz", ".bz2", ".xz", ".zst" };
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (len > strlen(ends[i]) && strcmp(name + len - strlen(ends[i]), ends[i]) == 0)
			return true;
	return false;
}

static bool takes_name(const struct feed *feed, const char *name)
{
	const char *base = base_of(feed);

	return strncmp(name, base, strlen(base)) == 0 && !is_compressed(name);
}

/* Those after the one that is open or, if none is, the last one that was read. */
static bool takes_next(const struct feed *feed, const char *name, const struct stat *found)
{
	const struct feed_file *file = feed->file;
	uint64_t inode = (uint64_t)found->st_ino;

	(void)name;
	if (!file)
		return !is_passed(feed, &found->st_mtim, inode);
	return found->st_ino != file->stat.st_ino && clock_compare(&found->st_mtim, &file->stat.st_mtim) >= 0 &&
	       !was_read(feed, &found->st_mtim, inode);
}

static bool takes_place(const struct feed *feed, const char *name, const struct stat *found)
{
	(void)name;
	return (uint64_t)found->st_ino == TAILQ_FIRST(&feed->files)->place.inode;
}

static const struct feed_filter next_files = { .takes_name = takes_name, .takes_file = takes_next };
static const struct feed_filter place_files = { .takes_name = takes_name, .takes_file = takes_place };

static int open_directory(const struct feed *feed, struct error *err)
{
	char path[FEED_PATH_MAX + 1];

	memcpy(path, feed->path, sizeof(path));
	path[base_of(feed) - feed->path] = '\0';
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 ? fd : error_set_errno(err, errno, "%s", path);
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

/* The next one of the scan: 1; 0 if it has got another name, or is gone, so that another scan is to follow; -1: it may be there,
 * so that to read on elsewhere would lose its rows, or another one has its name, which a look at once may find again. */
static int open_found(struct feed *feed, int directory, int *fd, struct error *err)
{
	const struct found_file *found = feed_scan_next(&feed->scan);
	struct stat opened;

	*fd = openat(directory, found->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (*fd < 0 && errno != ENOENT)
		return error_set_errno(err, errno, "%s", found->name);
	if (*fd >= 0 && fstat(*fd, &opened) == 0 && S_ISREG(opened.st_mode) &&
	    (uint64_t)opened.st_ino == found->inode) {
		feed_scan_drop(&feed->scan);
		return 1;
	}
	if (*fd < 0) {
		feed_scan_end(&feed->scan);
		return 0;
	}
	close(*fd);
	error_set(err, ERROR_UNAVAILABLE, "%s: what opens is not the file that its directory has", found->name);
	feed_scan_end(&feed->scan);
	return -1;
}

/* 1; 0: there is more to look at; -1, also with ERROR_NOT_FOUND. */
static int open_next(struct feed *feed, int directory, int64_t deadline_us, int *fd, struct error *err)
{
	const struct found_file *found;

	while ((found = feed_scan_next(&feed->scan)) && is_passed(feed, &found->time, found->inode))
		feed_scan_drop(&feed->scan);
	int through = feed_scan_step(feed, directory, &next_files, deadline_us, err);
	if (through <= 0)
		return through;
	if (feed_scan_next(&feed->scan))
		return open_found(feed, directory, fd, err);
	*fd = open_path(feed, err); /* a link, or one that has an old time */
	return *fd < 0 ? -1 : 1;
}

/* Was another file rotated after the one that is open? Then nobody writes to it any more. */
static bool has_follower(const struct feed *feed)
{
	const struct feed_scan *scan = &feed->scan;

	for (size_t i = scan->next; i < scan->count; i++)
		if (!scan->files[i].is_last && scan->files[i].inode != (uint64_t)feed->file->stat.st_ino &&
		    clock_compare(&scan->files[i].time, &feed->file->stat.st_mtim) >= 0)
			return true;
	return false;
}

int tail_is_followed(struct feed *feed, int64_t deadline_us)
{
	bool is_known = feed->still_since_us != 0 && feed->watch >= 0 && !feed->scan.changed;
	struct error err;
	int directory;

	if (fstat(feed->file->fd, &feed->file->stat) != 0)
		return 0;
	if (!feed->scan.dir && (has_follower(feed) || is_known))
		return has_follower(feed);
	if ((directory = open_directory(feed, &err)) < 0)
		return 0;
	if (!feed->scan.dir)
		feed_scan_end(&feed->scan); /* what it found does not tell */
	int through = feed_scan_step(feed, directory, &next_files, deadline_us, &err);
	close(directory);
	return through > 0 ? has_follower(feed) : through == 0 ? -1 : 0;
}

/* --- the next one that is read --- */

/* From its beginning. */
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
	return 1;
}

static int load(struct feed *feed, struct error *err)
{
	if (feed->is_loaded)
		return 0;
	feed->is_loaded = places_load(feed, err) == 0;
	return feed->is_loaded ? 0 : -1;
}

/* Is the place in the file of the path, although it may be a link? 1, 0, -1. */
static int find_in_path(struct feed *feed, struct feed_file *file, int *fd, struct error *err)
{
	struct error none;
	struct stat found;

	*fd = open_path(feed, &none);
	feed->is_cut = file->place.time.tv_sec == 0;
	if (*fd < 0)
		return 0;
	int is_in = fstat(*fd, &found) == 0 ? place_is_in(&file->place, *fd, &found, feed->path, err) :
	                                      error_set_errno(err, errno, "%s", feed->path);
	if (is_in == 0)
		feed->is_cut |= (uint64_t)found.st_ino == file->place.inode && !place_is_before(&file->place, *fd);
	if (is_in <= 0)
		close(*fd);
	return is_in;
}

/* 1: the file that the place is in; 0: there is more to look at, or it is gone (feed->is_lost); -1. */
static int find_place(struct feed *feed, struct feed_file *file, int directory, int64_t deadline_us, int *fd,
                      struct error *err)
{
	struct stat found;
	int is_in = feed->scan.dir ? 0 : find_in_path(feed, file, fd, err);

	if (is_in != 0)
		return is_in;
	int through = feed_scan_step(feed, directory, &place_files, deadline_us, err);
	if (through <= 0)
		return through;
	if (!feed_scan_next(&feed->scan)) {
		feed->is_lost = true;
		return 0;
	}
	int is_open = open_found(feed, directory, fd, err);
	if (is_open <= 0)
		return is_open;
	feed_scan_end(&feed->scan);
	is_in = fstat(*fd, &found) == 0 ? place_is_in(&file->place, *fd, &found, feed->path, err) : 0;
	if (is_in <= 0)
		close(*fd);
	feed->is_lost = is_in == 0;
	return is_in;
}

static void tell_lost(const struct feed *feed, const struct place *place, bool is_same)
{
	if (is_same)
		log_warn("feed", "%s: has become shorter than what was read of it; reading it from its beginning",
		         feed->path);
	else if (!place->finished)
		log_error("feed", "%s: the file that was read to byte %llu is gone; what it had after that is lost",
		          feed->path, (unsigned long long)place->offset);
}

/* Of one that was cut, files after it are none but copies of it: those beside it may be of others. */
static bool is_taken(const struct feed *feed, const struct feed_file *lost, const struct stat *found)
{
	return !feed->is_cut || (uint64_t)found->st_ino == lost->place.inode || !feed_scan_next(&feed->scan);
}

/* The file that the place is in is gone or cut: reads its copy on, or the one after it. */
static int begin_after_lost(struct feed *feed, struct feed_file *lost, int fd, struct error *err)
{
	struct stat found = { 0 };
	int is_copy = fstat(fd, &found) == 0 ? place_is_copied(&lost->place, fd, &found, feed->path, err) :
	                                       error_set_errno(err, errno, "%s", feed->path);

	if (is_copy == 0 && !is_taken(feed, lost, &found)) {
		close(fd);
		return 0;
	}
	if (is_copy == 0 && feed->is_cut && (uint64_t)found.st_ino != lost->place.inode) {
		close(fd);
		fd = open_path(feed, err);
		is_copy = fd < 0 ? -1 : 0;
	}
	if (is_copy < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	bool was_cut = feed->is_cut;
	feed->is_lost = feed->is_cut = false;
	if (is_copy > 0) {
		lost->place.inode = (uint64_t)found.st_ino;
		return feed_file_begin(lost, fd, err) == 0 ? 1 : -1;
	}
	tell_lost(feed, &lost->place, was_cut && (uint64_t)found.st_ino == lost->place.inode);
	feed_file_free(lost);
	return begin_new(feed, fd, err);
}

static int begin_first(struct feed *feed, struct feed_file *file, int directory, int64_t deadline_us, struct error *err)
{
	int fd = -1;
	int found = feed->is_lost ? open_next(feed, directory, deadline_us, &fd, err) :
	                            find_place(feed, file, directory, deadline_us, &fd, err);

	if (found <= 0)
		return found;
	if (feed->is_lost)
		return begin_after_lost(feed, file, fd, err);
	return feed_file_begin(file, fd, err) == 0 ? 1 : -1;
}

int tail_begin_next(struct feed *feed, int64_t deadline_us, struct error *err)
{
	struct feed_file *file;
	int directory, fd = -1, result;

	if (!feed->is_between && load(feed, err) != 0)
		return -1;
	file = feed->is_between ? NULL : TAILQ_FIRST(&feed->files);
	if (!feed->is_between && (!file || file->place.inode == 0)) {
		if (file)
			feed_file_free(file);
		fd = open_path(feed, err);
		return fd < 0 ? -1 : begin_new(feed, fd, err);
	}
	if ((directory = open_directory(feed, err)) < 0)
		return -1;
	if (file)
		result = begin_first(feed, file, directory, deadline_us, err);
	else if ((result = open_next(feed, directory, deadline_us, &fd, err)) > 0)
		result = begin_new(feed, fd, err);
	close(directory);
	return result;
}
