/* SPDX-License-Identifier: ISC */
/*
 * shrinking.c: see shrinking.h.
 */
#include "reconcile/shrinking.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 64 /* at once; others are removed in one go */
#define STEP_BYTES ((off_t)4 << 20)

static const struct timeval step_pause = { 0, 5000 };

struct shrinking {
	struct event *timer;
	size_t count;
	struct {
		int fd;
		off_t size;
	} files[FILES_MAX];
};

static void on_step(evutil_socket_t fd, short what, void *arg)
{
	struct shrinking *shrinking = arg;
	size_t last = shrinking->count - 1;
	off_t size = shrinking->files[last].size - STEP_BYTES;

	(void)fd;
	(void)what;
	shrinking->files[last].size = size;
	if (size <= 0 || ftruncate(shrinking->files[last].fd, size) != 0) {
		close(shrinking->files[last].fd);
		shrinking->count--;
	}
	if (shrinking->count > 0 && evtimer_add(shrinking->timer, &step_pause) != 0)
		while (shrinking->count > 0)
			close(shrinking->files[--shrinking->count].fd);
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
		close(shrinking->files[--shrinking->count].fd);
	event_free(shrinking->timer);
	free(shrinking);
}

/* The file, if it is worth the trouble; -1. */
static int open_large(const struct shrinking *shrinking, int directory, const char *name, off_t *size)
{
	struct stat found;

	if (shrinking->count == FILES_MAX || fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISREG(found.st_mode) || found.st_size <= STEP_BYTES || found.st_nlink != 1)
		return -1;
	*size = found.st_size;
	return openat(directory, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

int shrinking_unlink(struct shrinking *shrinking, int directory, const char *name)
{
	off_t size;
	int fd = open_large(shrinking, directory, name, &size);

	if (unlinkat(directory, name, 0) != 0) {
		int number = errno;

		if (fd >= 0)
			close(fd);
		errno = number;
		return -1;
	}
	if (fd < 0)
		return 0;
	if (!evtimer_pending(shrinking->timer, NULL) && evtimer_add(shrinking->timer, &step_pause) != 0) {
		close(fd);
		return 0;
	}
	shrinking->files[shrinking->count].fd = fd;
	shrinking->files[shrinking->count++].size = size;
	return 0;
}
