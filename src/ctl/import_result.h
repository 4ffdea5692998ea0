/* SPDX-License-Identifier: ISC */
/*
 * import_result.h: the outcome of an import's records, counted, printed and summed up.
 */
#ifndef CDRD_CTL_IMPORT_RESULT_H
#define CDRD_CTL_IMPORT_RESULT_H

#include <stdint.h>

#include "base/buf.h"
#include "ctl/ctl.h"

struct tree;

enum import_count {
	IMPORT_ACCEPTED,
	IMPORT_UPDATED,
	IMPORT_DUPLICATES,
	IMPORT_OUTDATED,
	IMPORT_REJECTED,
	IMPORT_COUNTS
};

struct import_counts {
	uint64_t of[IMPORT_COUNTS];
};

/* Of the daemon's progress line or answer. */
void import_counts_read(struct import_counts *counts, const struct tree *object);
void import_counts_add(struct import_counts *sum, const struct import_counts *more);
uint64_t import_counts_records(const struct import_counts *counts);

/* Prints the outcome of a file, or of all: "a.csv: 30 records in 0.1 s (...): 30 accepted, ...". */
void import_print_counts(const char *name, const struct import_counts *counts, int64_t elapsed_us);

/* Prints the errors of an answer, a line each. */
void import_print_errors(const struct tree *answer);

/* Appends the errors of an answer to the elements of a JSON array, with the file's name. */
void import_add_errors(struct buf *errors, const char *name, const struct tree *answer);

/* Prints the result as ctl_print does: the counts, and the elements of `errors`. */
MUST_CHECK int import_print_result(const struct ctl *ctl, const struct import_counts *counts, const struct buf *errors,
                                   struct error *err);

#endif
