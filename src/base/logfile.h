/* SPDX-License-Identifier: ISC */
/*
 * logfile.h: a log file for many lines, which never holds up the loop.
 *
 * Lines are collected in memory and written together, LOGFILE_DELAY_US after the first of them or when there are
 * LOGFILE_FLUSH_BYTES. What cannot be written (a full disk, a pipe that nobody reads) waits; when LOGFILE_WAITING_MAX
 * bytes wait, lines are dropped and counted. The file is opened for appending, and lines of other processes do not mix
 * with ours.
 *
 *	struct buf *line = logfile_begin(file);
 *	if (line) {
 *		buf_add_text(line, "...\n");
 *		logfile_end(file);
 *	}
 */
#ifndef CDRD_BASE_LOGFILE_H
#define CDRD_BASE_LOGFILE_H

#include <event2/event.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

#define LOGFILE_DELAY_US 20000
#define LOGFILE_FLUSH_BYTES ((size_t)64 << 10)
#define LOGFILE_WAITING_MAX ((size_t)1 << 20)

struct logfile;

/* Makes the file, for the daemon's user and group, if need be. NULL with *err, which names the path. */
MUST_CHECK struct logfile *logfile_open(struct event_base *base, const char *path, struct error *err);

/* Writes pending lines, as far as it can, and closes. Does nothing on NULL. */
void logfile_close(struct logfile *file);

/* Opens the path (the same one, after the file was moved away, or another): pending lines go to the old file. On -1 the
 * old file stays in use. */
MUST_CHECK int logfile_reopen(struct logfile *file, const char *path, struct error *err);

/* Where to append one line, with its LF; NULL when it is dropped. */
struct buf *logfile_begin(struct logfile *file);
void logfile_end(struct logfile *file);

/* Lines dropped since it was opened. */
uint64_t logfile_dropped(const struct logfile *file);

#endif
