/* SPDX-License-Identifier: ISC */
/*
 * account_import.h: many accounts, added in one change: all of them, or none.
 *
 * Each is taken as it is read; what is wrong with it is kept as a fault. Once all were taken, the work is done in
 * steps: all are checked against the catalog and against each other, then secrets are hashed and rows written in
 * memory, both until the step's deadline. The last step is one transaction, which no deadline divides: 100,000 accounts
 * take about 0.1 s. Should other accounts change meanwhile, all are checked again before it.
 *
 *	import = account_import_new(meta, &err);
 *	account_import_take(import, &account, &err);          once for each
 *	account_import_step(import, deadline_us, &done, &err); until done
 */
#ifndef CDRD_META_ACCOUNT_IMPORT_H
#define CDRD_META_ACCOUNT_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define ACCOUNT_IMPORT_MAX 250000 /* accounts in one import, which are kept in memory until its end */
#define ACCOUNT_IMPORT_FAULTS 20  /* those in the first lines; others are only counted */

struct meta;
struct account_import;

/* An account to add; empty for what it has not. At most one of `secret` and
 * `secret_hash` (credentials.h: its text) may be given; with neither, the account has no secret. */
struct account_new {
	uint32_t line; /* names it in faults */
	struct str id, parent, name, plan, secret, secret_hash;
};

struct account_fault {
	uint32_t line;
	const char *column;
	char message[256];
};

/* Is there such a plan now? Asked when an account is checked, and again before all are added. */
typedef bool (*account_import_plan_fn)(void *arg, struct str plan);

/* NULL when out of memory. */
MUST_CHECK struct account_import *account_import_new(struct meta *meta, account_import_plan_fn has_plan, void *arg,
                                                     struct error *err);

/* Does nothing on NULL. What was not added by then will not be. */
void account_import_free(struct account_import *import);

/* Copies one, or adds faults. ERROR_LIMIT beyond ACCOUNT_IMPORT_MAX, ERROR_NOMEM. */
MUST_CHECK int account_import_take(struct account_import *import, const struct account_new *account, struct error *err);

/* Adds a fault that the caller has found; `column` must outlive the import. */
void account_import_fault(struct account_import *import, uint32_t line, const char *column, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Works until about `deadline_us` of clock_monotonic_us; *done once all were added and are durable. ERROR_INVALID if
 * there are faults, of which it has found all that it can. */
MUST_CHECK int account_import_step(struct account_import *import, int64_t deadline_us, bool *done, struct error *err);

/* Those in the first lines, in order; `all` counts the others, too. */
const struct account_fault *account_import_faults(const struct account_import *import, size_t *count, uint64_t *all);

/* Accounts taken, and how many of them have a secret. */
size_t account_import_count(const struct account_import *import);
size_t account_import_secrets(const struct account_import *import);

/* Of the work in steps, 0 to `*total`. */
uint64_t account_import_progress(const struct account_import *import, uint64_t *total);

#endif
