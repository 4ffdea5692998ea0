/* SPDX-License-Identifier: ISC */
/*
 * search.h: does a report's file hold a number? Private to report/ except for owners of a search's state.
 *
 * The file is read in slices. A number counts if neither a letter nor a digit is next to it, as in erase_is_in; it may
 * span pieces.
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

/* Zeroed: no search in progress. */
struct report_search {
	struct archive_reader *reader;
	struct buf text; /* the end of the previous piece, and the piece */
};

/* Begins to read a file. ERROR_NOT_FOUND if there is none. */
MUST_CHECK int report_search_begin(struct report_search *search, const char *path, enum archive_kind kind,
                                   struct error *err);

/* Reads until about `deadline_us`. 1 when *found is known, and the search has ended; 0 when there is more; -1
 * (ERROR_CORRUPT for an unreadable file), and it has ended, too. */
MUST_CHECK int report_search_step(struct report_search *search, const struct erase *erase, int64_t deadline_us,
                                  bool *found, struct error *err);

/* Frees what the search holds. */
void report_search_end(struct report_search *search);

#endif
