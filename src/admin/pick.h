/* SPDX-License-Identifier: ISC */
/*
 * pick.h: selects the entries of quarantine that a command handles, and walks them in slices; private to admin/.
 *
 * Arguments are numbers, 7, ranges of them, 12-40, or `all`, and filters; see commands.def. Entries added after the
 * start are ignored.
 */
#ifndef CDRD_ADMIN_PICK_H
#define CDRD_ADMIN_PICK_H

#include "admin/args.h"
#include "meta/quarantine.h"

#define PICK_RANGES_MAX 64

struct pick_range {
	uint64_t from, to;
};

struct pick {
	struct meta *meta;
	struct pick_range ranges[PICK_RANGES_MAX]; /* ascending */
	size_t ranges_count;
	uint64_t only; /* the number, if it is the only one and no filter is given; else 0 */

	struct str producer, account, product, id, reason; /* p NULL: any */
	int64_t since_us, until_us;                        /* of the time of rejection; until is exclusive */

	size_t range;    /* the current one */
	uint64_t next;   /* next number to check */
	uint64_t looked; /* entries checked */
	uint64_t total;  /* of about this many */
	uint64_t found;
};

/* `args` must outlive it. ERROR_INVALID names the argument at fault. */
MUST_CHECK int pick_begin(struct pick *pick, struct meta *meta, const struct args *args, struct error *err);

/* Handles a picked entry; false ends the slice after it. */
typedef bool (*pick_fn)(void *arg, const struct quarantine_entry *entry);

/* Resumes until `deadline_us` of clock_monotonic_us, until fn ends the slice or until all were checked: *done.
 * ERROR_NOT_FOUND when the only number has no entry. */
MUST_CHECK int pick_slice(struct pick *pick, int64_t deadline_us, pick_fn fn, void *arg, bool *done, struct error *err);

/* The members done and total of a progress line. */
void pick_write_progress(const struct pick *pick, struct json *j);

#endif
