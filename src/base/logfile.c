/* SPDX-License-Identifier: ISC */
/*
 * logfile.c: the buffer and the writes; see logfile.h.
 *
 * O_NONBLOCK does nothing for a regular file, whose writes end in the page cache; for a pipe it keeps a stalled reader
 * from stopping the daemon.
 */
#include "base/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define RETRY_US CLOCK_US_PER_SECOND
#define WARN_EVERY_US (60 * CLOCK_US_PER_SECOND)

struct logfile {
	char *path;
	int fd;
	struct event *timer;
	bool armed; /* is the timer armed: cheaper than event_pending */
	bool stuck; /* the last write was short: the next waits for RETRY_US */
	struct buf waiting;
	size_t line_begin;
	uint64_t dropped;
	int64_t warned_us; /* monotonic; 0: never */
};

static void arm(struct logfile *file)
{
	int64_t delay_us = file->stuck ? RETRY_US : LOGFILE_DELAY_US;
	struct timeval delay = clock_timeval(delay_us);

	file->armed = event_add(file->timer, &delay) == 0;
}

static void warn(struct logfile *file, const char *cause)
{
	int64_t now_us = clock_monotonic_us();

	if (file->warned_us && now_us - file->warned_us < WARN_EVERY_US)
		return;
	file->warned_us = now_us;
	log_warn("log", "%s: cannot be written: %s; %llu lines dropped so far", file->path, cause,
	         (unsigned long long)file->dropped);
}

static void flush(struct logfile *file)
{
	struct buf *waiting = &file->waiting;
	size_t done = 0;

	while (done < waiting->len) {
		ssize_t written = write(file->fd, waiting->data + done, waiting->len - done);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			break;
		done += (size_t)written;
	}
	file->stuck = done < waiting->len;
	if (file->stuck)
		warn(file, strerror(errno));
	buf_drain(waiting, done);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct logfile *file = arg;

	(void)fd;
	(void)what;
	file->armed = false;
	flush(file);
	if (file->waiting.len > 0)
		arm(file);
}

static int open_path(const char *path, struct error *err)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);

	return fd >= 0 ? fd : error_set_errno(err, errno, "%s: open", path);
}

struct logfile *logfile_open(struct event_base *base, const char *path, struct error *err)
{
	struct logfile *file = calloc(1, sizeof(*file));

	if (!file)
		goto nomem;
	file->fd = -1;
	file->path = strdup(path);
	file->timer = evtimer_new(base, on_timer, file);
	if (!file->path || !file->timer)
		goto nomem;
	file->fd = open_path(path, err);
	if (file->fd >= 0)
		return file;
	logfile_close(file);
	return NULL;
nomem:
	logfile_close(file);
	error_set(err, ERROR_NOMEM, "%s: out of memory", path);
	return NULL;
}

void logfile_close(struct logfile *file)
{
	if (!file)
		return;
	if (file->fd >= 0) {
		flush(file);
		close(file->fd);
	}
	if (file->timer)
		event_free(file->timer);
	buf_free(&file->waiting);
	free(file->path);
	free(file);
}

int logfile_reopen(struct logfile *file, const char *path, struct error *err)
{
	char *copy = strdup(path);
	int fd;

	if (!copy)
		return error_set(err, ERROR_NOMEM, "%s: out of memory", path);
	fd = open_path(path, err);
	if (fd < 0) {
		free(copy);
		return -1;
	}
	flush(file);
	close(file->fd);
	free(file->path);
	file->fd = fd;
	file->path = copy;
	file->warned_us = 0;
	return 0;
}

static void drop(struct logfile *file, const char *cause)
{
	file->dropped++;
	warn(file, cause);
}

struct buf *logfile_begin(struct logfile *file)
{
	if (file->waiting.len >= LOGFILE_WAITING_MAX) {
		drop(file, "too much waits");
		return NULL;
	}
	file->line_begin = file->waiting.len;
	return &file->waiting;
}

void logfile_end(struct logfile *file)
{
	struct buf *waiting = &file->waiting;

	if (waiting->failed) {
		waiting->len = file->line_begin;
		waiting->failed = false;
		drop(file, "out of memory");
	}
	if (waiting->len >= LOGFILE_FLUSH_BYTES && !file->stuck)
		flush(file);
	if (waiting->len > 0 && !file->armed)
		arm(file);
}

uint64_t logfile_dropped(const struct logfile *file)
{
	return file->dropped;
}
