/* SPDX-License-Identifier: ISC */
/*
 * source.h: a file to import, as the plain bytes in it.
 *
 * A file's first bytes tell its format: gzip, zstd (consecutive members are read as one), zip, or plain. A zip holds
 * several files, which are read front to back, so that it may come from a pipe; any other holds one, with its own name.
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

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

struct source;

/* `name` is "-" for standard input, and must outlive it. NULL with an error that names the file. */
MUST_CHECK struct source *source_open(const char *name, struct error *err);

/* Does nothing on NULL. */
void source_close(struct source *source);

/* Begins the next file in it, after the previous one was read to its end: 1, 0 if there is none, -1. */
MUST_CHECK int source_next(struct source *source, struct error *err);

/* Its name without a folder: "report_SMS_abcd1234_20261101.csv"; as it is shown: "/tmp/a.zip: report_SMS.csv". */
const char *source_file_name(const struct source *source);
const char *source_shown_name(const struct source *source);

/* Its first bytes, without consuming them: at least a few unless it is shorter; -1 when it cannot be read. Valid until
 * the next read. */
MUST_CHECK int source_peek(struct source *source, struct str *first, struct error *err);

/* Up to `size` bytes: 1, 0 at the end of the current file, -1. */
MUST_CHECK int source_read(struct source *source, char *to, size_t size, size_t *count, struct error *err);

/* Reads all of a file, of the first one in a zip, into `out`, whose max_bytes is the most that `what` ("a record") may
 * have: ERROR_LIMIT beyond it. */
MUST_CHECK int source_read_whole(const char *name, const char *what, struct buf *out, struct error *err);

/* Bytes read of the file itself so far, before decompression. */
uint64_t source_taken(const struct source *source);

#endif
