/* SPDX-License-Identifier: ISC */
/*
 * verify.h: is everything on disk what was written? In slices, while the daemon works.
 *
 * Every block is read: its checksums, that its lines parse, that its ids are in the index and lead to it; every hot
 * row; every id against the day's filter. What is damaged is named; nothing is changed.
 */
#ifndef CDRD_STORE_VERIFY_H
#define CDRD_STORE_VERIFY_H

#include "store/store.h"

struct verify;

struct verify_counts {
	uint64_t days;
	uint64_t days_total;
	uint64_t blocks;
	uint64_t rows;  /* sealed and hot */
	uint64_t bytes; /* of blocks */
	uint64_t faults;
};

/* Called for each fault with a sentence that names the day, the account, the product and the block. */
typedef void (*verify_fault_fn)(void *arg, const char *fault);

/* All days, or one. ERROR_NOT_FOUND if there is no such day; NULL with *err. */
MUST_CHECK struct verify *verify_new(struct store *store, const int32_t *day, verify_fault_fn fn, void *arg,
                                     struct error *err);

/* A slice. *done when all is checked. -1 only when it cannot continue (out of memory). */
MUST_CHECK int verify_step(struct verify *verify, int64_t deadline_us, bool *done, struct error *err);

void verify_counts(const struct verify *verify, struct verify_counts *counts);
void verify_free(struct verify *verify);

#endif
