/* SPDX-License-Identifier: ISC */
/*
 * sorter.h: sorts more rows (match_row.h) than fit into memory; private to reconcile/.
 *
 *	sorter_add     collects rows; each SORTER_RUN_BYTES of them are sorted and appended to a file: a run
 *	sorter_end     there are no more
 *	sorter_open    opens some runs for reading; again until it returns 1
 *	sorter_next    the least row of all runs (a heap of them), and so on
 *
 * Memory: a run, and then SORTER_READ_BYTES or SORTER_READ_MIN for each run, whichever is more. No call works for longer
 * than a fraction of a slice.
 */
#ifndef CDRD_RECONCILE_SORTER_H
#define CDRD_RECONCILE_SORTER_H

#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define SORTER_RUN_BYTES ((size_t)1 << 20)
#define SORTER_READ_BYTES ((size_t)12 << 20)
#define SORTER_READ_MIN ((size_t)4 << 10)

struct sorter;

/* Makes or empties the file at `path`, which the caller removes. NULL with ERROR_IO, ERROR_FULL or ERROR_NOMEM. */
MUST_CHECK struct sorter *sorter_new(const char *path, struct error *err);

/* Takes a packed row, which is copied. */
MUST_CHECK int sorter_add(struct sorter *sorter, struct str packed, struct error *err);
MUST_CHECK int sorter_end(struct sorter *sorter, struct error *err);

/* 1 when all runs are open, 0 when there are more, -1. */
MUST_CHECK int sorter_open(struct sorter *sorter, struct error *err);

/* The next row, valid until the next call: 1, 0 at the end, -1. */
MUST_CHECK int sorter_next(struct sorter *sorter, const char **packed, struct error *err);

uint64_t sorter_rows(const struct sorter *sorter);

/* Does nothing on NULL. */
void sorter_free(struct sorter *sorter);

#endif
