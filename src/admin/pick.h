/* SPDX-License-Identifier: ISC */
/*
 * pick.h: which entries of quarantine a command is about, and a walk over them in slices; private to admin/.
 *
 * Arguments are numbers, 7, ranges of them, 12-40, or `all`, and filters; see commands.def. An entry that is put there
 * after the beginning is not looked at.
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
	uint64_t only; /* the number, when it is but one and no filter is given; else 0 */

	struct str producer, account, product, id, reason; /* p NULL: any */
	int64_t since_us, until_us;                        /* of the time of rejection; until is not included */

	size_t range;    /* at hand */
	uint64_t next;   /* number to look at next */
	uint64_t looked; /* at so many entries */
	uint64_t total;  /* of about so many */
	uint64_t found;
};

/* `args` must outlive it. ERROR_INVALID names the argument at fault. */
MUST_CHECK int pick_begin(struct pick *pick, struct meta *meta, const struct args *args, struct error *err);

/* Takes an entry that was picked; false ends the slice after it. */
typedef bool (*pick_fn)(void *arg, const struct quarantine_entry *entry);

/* Goes on until `deadline_us` of clock_monotonic_us, until fn ends the slice or until all were looked at: *done. When
 * there is no entry of the only number: ERROR_NOT_FOUND. */
MUST_CHECK int pick_slice(struct pick *pick, int64_t deadline_us, pick_fn fn, void *arg, bool *done, struct error *err);

/* The members done and total of a progress line. */
void pick_write_progress(const struct pick *pick, struct json *j);

#endif
