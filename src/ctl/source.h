/* SPDX-License-Identifier: ISC */
/*
 * source.h: a file to import, as the plain bytes in it.
 *
 * What a file is, its first bytes say: gzip, zstd (one member after another is read as one), zip, or plain. A zip holds
 * several files, which are read front to back, so that it may come from a pipe; any other holds one, of its own name.
 *
 *	struct source *source = source_open("report.zip", &err);
 *	while ((result = source_next(source, &err)) > 0)
 *		while ((result = source_read(source, to, size, &count, &err)) > 0)
 *			...
 */
#ifndef CDRD_CTL_SOURCE_H
#define CDRD_CTL_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct source;

/* `name` is "-" for standard input, and must outlive it. NULL with an error that names the file. */
MUST_CHECK struct source *source_open(const char *name, struct error *err);

/* Does nothing on NULL. */
void source_close(struct source *source);

/* Begins the next file in it, after the one before was read to its end: 1, 0 if there is none, -1. */
MUST_CHECK int source_next(struct source *source, struct error *err);

/* Its name without a folder: "report_SMS_abcd1234_20261101.csv"; as it is shown: "/tmp/a.zip: report_SMS.csv". */
const char *source_file_name(const struct source *source);
const char *source_shown_name(const struct source *source);

/* What comes first in it, without taking it: a few bytes at least unless that is all; -1 when it cannot be read. Dies
 * with the next read. */
MUST_CHECK int source_peek(struct source *source, struct str *first, struct error *err);

/* Up to `size` bytes: 1, 0 at the end of the file at hand, -1. */
MUST_CHECK int source_read(struct source *source, char *to, size_t size, size_t *count, struct error *err);

/* Bytes taken of the file itself so far, compressed as they are. */
uint64_t source_taken(const struct source *source);

#endif
