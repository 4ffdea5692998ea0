/* SPDX-License-Identifier: ISC */
/*
 * class_file.h: the CSV of one class of rows, compressed, with its sums; private to reconcile/.
 *
 * A line has both sides of a row beside each other; what a side does not have is empty.
 */
#ifndef CDRD_RECONCILE_CLASS_FILE_H
#define CDRD_RECONCILE_CLASS_FILE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "reconcile/class_sums.h"
#include "reconcile/match_row.h"
#include "report/archive.h"

#define CLASS_FILE_SHA256_LEN (2 * ARCHIVE_SHA256_BYTES)

struct class_file {
	struct archive *archive;
	struct buf lines; /* not compressed yet */
	struct class_sums *sums;
	uint64_t rows;
};

/* All zero before. Begins the file at `path` with `header`, a line without its end. */
MUST_CHECK int class_file_open(struct class_file *file, const char *path, const struct archive_options *options,
                               const char *header, struct error *err);

/* The header of files of pairs. */
extern const char class_file_pairs[];

/* A line for a row that one side has, or both; the other is NULL. `note` stands in the last column. */
MUST_CHECK int class_file_add_pair(struct class_file *file, const struct match_row *ours,
                                   const struct match_row *theirs, struct str note, struct error *err);

/* A line of any values. */
MUST_CHECK int class_file_add(struct class_file *file, const struct str *values, size_t count, struct error *err);

/* What a finished file is. */
struct class_file_result {
	uint64_t rows;
	uint64_t bytes;
	char sha256[CLASS_FILE_SHA256_LEN + 1];
};

/* Completes it, on disk. It still has to be closed. */
MUST_CHECK int class_file_finish(struct class_file *file, struct class_file_result *result, struct error *err);

void class_file_close(struct class_file *file);

#endif
