/* SPDX-License-Identifier: ISC */
/*
 * progress.h: the progress of a long command, on one line of standard error, if that is a terminal.
 */
#ifndef CDRD_CTL_PROGRESS_H
#define CDRD_CTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct tree;

struct progress {
	bool wanted;
	bool drawn;         /* the line is not empty */
	int64_t started_us; /* on the monotonic clock */
	int64_t drawn_us;
	bool begun; /* a share was drawn, first_done and first_records at the time */
	uint64_t first_done, first_records;
};

struct progress_view {
	uint64_t done, total; /* total 0: unknown */
	bool bytes;           /* done and total are bytes, not things */
	bool has_records;
	uint64_t records, rejected;
	bool share; /* done and total are only a share, and size_bytes is the size so far */
	uint64_t size_bytes;
};

void progress_begin(struct progress *progress);

/* Draws a bar, the rate and the time left, unless it did so a moment ago. */
void progress_draw(struct progress *progress, const struct progress_view *view);

/* Draws a daemon's progress line: "done" and "total", or "share" (0 to 1), as a bar, the rest unchanged. */
void progress_draw_line(struct progress *progress, const struct tree *line);

/* Clears the line, before anything else is written. */
void progress_clear(struct progress *progress);

int64_t progress_elapsed_us(const struct progress *progress);

#endif
