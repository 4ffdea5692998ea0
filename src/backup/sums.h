/* SPDX-License-Identifier: ISC */
/*
 * sums.h: checksums of files, as sha256sum writes and checks them.
 *
 *	<64 hexadecimal digits>  days/2026-11-24/data.mdb
 *
 * A file is read in slices, and may be copied at the same time.
 */
#ifndef CDRD_BACKUP_SUMS_H
#define CDRD_BACKUP_SUMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

#define SUMS_NAME "SHA256SUMS"
#define SUMS_HEX_LEN 64

/* A file being read. Zeroed is none. */
struct sums_file {
	int in;
	int out; /* -1: only its sum is wanted */
	void *hash;
	uint64_t bytes;
	uint64_t unsynced_bytes;
	char hex[SUMS_HEX_LEN + 1]; /* when done */
};

/* Opens `from`, and makes `to` with `mode` unless that is NULL: a file of that name must not be there yet. */
MUST_CHECK int sums_file_begin(struct sums_file *file, const char *from, const char *to, unsigned mode,
                               struct error *err);

/* Reads until about `deadline_us` (monotonic). *done: file->hex is its sum, and the copy is on disk. */
MUST_CHECK int sums_file_step(struct sums_file *file, const char *name, int64_t deadline_us, bool *done,
                              struct error *err);

/* A file that is written piece by piece: made with `mode`, it must not exist yet; once finished, file->hex is its sum,
 * and it is on disk. Without a finish, sums_file_end closes it. */
MUST_CHECK int sums_file_make(struct sums_file *file, const char *to, unsigned mode, struct error *err);
MUST_CHECK int sums_file_write(struct sums_file *file, const char *name, struct str data, struct error *err);
MUST_CHECK int sums_file_finish(struct sums_file *file, const char *name, struct error *err);

/* Closes what is open. */
void sums_file_end(struct sums_file *file);

/* Does a path stay below the directory, by plain names only? */
bool sums_is_inside(struct str path);

/* A line of the list. */
void sums_add(struct buf *list, const char *hex, struct str path);

/* Takes the first line off *rest; 1, 0 at the end, -1 if it is no such line or leads out of the directory. */
int sums_next(struct str *rest, struct str *hex, struct str *path);

/* The sum of a path, or p NULL. */
struct str sums_find(struct str list, struct str path);

#endif
