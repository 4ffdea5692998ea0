/* SPDX-License-Identifier: ISC */
/*
 * search.h: does a report's file hold a number? Private to report/ but for who keeps the state of a search.
 *
 * The file is read in slices. A number counts where neither a letter nor a digit stands before it or after it, as in
 * erase_is_in; it may lie across the ends of pieces.
 */
#ifndef CDRD_REPORT_SEARCH_H
#define CDRD_REPORT_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "report/archive.h"

struct erase;
struct archive_reader;

/* Zeroed: none is under way. */
struct report_search {
	struct archive_reader *reader;
	struct buf text; /* the end of the piece before, and the piece */
};

/* Begins to read a file. ERROR_NOT_FOUND if there is none. */
MUST_CHECK int report_search_begin(struct report_search *search, const char *path, enum archive_kind kind,
                                   struct error *err);

/* Reads until about `deadline_us`. 1 when *found is known, and the search has ended; 0 to go on; -1 (ERROR_CORRUPT for a
 * file that cannot be read), and it has ended, too. */
MUST_CHECK int report_search_step(struct report_search *search, const struct erase *erase, int64_t deadline_us,
                                  bool *found, struct error *err);

/* Lets go of what is there. */
void report_search_end(struct report_search *search);

#endif
