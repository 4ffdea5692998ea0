/* SPDX-License-Identifier: ISC */
/*
 * shrinking.c: see shrinking.h.
 */
#include "base/shrinking.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define FILES_MAX 64 /* at once; others are removed in one go */
#define STEP_BYTES ((off_t)4 << 20)
#define STEP_US 5000
#define LOOK_US (CLOCK_US_PER_SECOND / 5) /* while others have all of them open */

struct shrinking {
	struct event *timer;
	size_t count;
	size_t at; /* whose turn it is */
	struct shrinking_file files[FILES_MAX];
};

/* The file system frees at once what is left of it. */
static void drop(struct shrinking *shrinking, size_t at)
{
	close(shrinking->files[at].fd);
	shrinking->files[at] = shrinking->files[--shrinking->count];
}

/* Sizes are whole steps, so that no page is cut in two: its first part may be on its way to who has just read it. */
static off_t next_size(off_t size)
{
	return (size - 1) / STEP_BYTES * STEP_BYTES;
}

/* False if others have it. */
static bool cut(struct shrinking *shrinking, size_t at)
{
	struct shrinking_file *file = &shrinking->files[at];

	if (!file->is_ours && fcntl(file->fd, F_SETLEASE, F_WRLCK) != 0) {
		if (errno == EAGAIN)
			return false;
		drop(shrinking, at); /* a file system without leases */
		return true;
	}
	file->is_ours = true;
	file->size = next_size(file->size);
	if (file->size == 0 || ftruncate(file->fd, file->size) != 0)
		drop(shrinking, at);
	return true;
}

/* A piece of the next file that is ours alone. */
static bool cut_one(struct shrinking *shrinking)
{
	size_t count = shrinking->count;

	for (size_t tried = 0; tried < count; tried++) {
		shrinking->at = (shrinking->at + 1) % count;
		if (cut(shrinking, shrinking->at))
			return true;
	}
	return false;
}

static int wait_for(const struct shrinking *shrinking, int64_t us)
{
	struct timeval time = clock_timeval(us);

	return evtimer_add(shrinking->timer, &time);
}

static void on_step(evutil_socket_t fd, short what, void *arg)
{
	struct shrinking *shrinking = arg;
	int64_t pause_us = cut_one(shrinking) ? STEP_US : LOOK_US;

	(void)fd;
	(void)what;
	if (shrinking->count > 0 && wait_for(shrinking, pause_us) != 0)
		while (shrinking->count > 0)
			drop(shrinking, 0);
}

struct shrinking *shrinking_new(struct event_base *base)
{
	struct shrinking *shrinking = calloc(1, sizeof(*shrinking));

	if (shrinking)
		shrinking->timer = evtimer_new(base, on_step, shrinking);
	if (shrinking && shrinking->timer)
		return shrinking;
	free(shrinking);
	return NULL;
}

void shrinking_free(struct shrinking *shrinking)
{
	if (!shrinking)
		return;
	while (shrinking->count > 0)
		drop(shrinking, 0);
	event_free(shrinking->timer);
	free(shrinking);
}

void shrinking_open(const struct shrinking *shrinking, int directory, const char *name, struct shrinking_file *file)
{
	struct stat found;

	file->fd = -1;
	if (!shrinking || shrinking->count == FILES_MAX || fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISREG(found.st_mode) || found.st_size <= STEP_BYTES || found.st_nlink != 1)
		return;
	file->size = found.st_size;
	file->is_ours = false;
	file->fd = openat(directory, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

void shrinking_close(struct shrinking_file *file)
{
	int number = errno;

	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	errno = number;
}

void shrinking_begin(struct shrinking *shrinking, struct shrinking_file *file)
{
	if (file->fd < 0)
		return;
	if (shrinking->count == FILES_MAX ||
	    (!evtimer_pending(shrinking->timer, NULL) && wait_for(shrinking, STEP_US) != 0)) {
		shrinking_close(file);
		return;
	}
	shrinking->files[shrinking->count++] = *file;
	file->fd = -1;
}

int shrinking_unlink(struct shrinking *shrinking, int directory, const char *name)
{
	struct shrinking_file file;

	shrinking_open(shrinking, directory, name, &file);
	if (unlinkat(directory, name, 0) != 0) {
		shrinking_close(&file);
		return -1;
	}
	shrinking_begin(shrinking, &file);
	return 0;
}

size_t shrinking_count(const struct shrinking *shrinking)
{
	return shrinking->count;
}
